//! The table of routes, from which both the router and the description of the API are made.
//!
//! A route can only be added together with its [`Operation`], which names the method, the path, the permission that it asks
//! for, and either what it takes and answers or the specification of another API that it follows. So a route without
//! a permission does not compile, and a test compares the router with the description.
//!
//! Why not a library: `aide` supports this version of `schemars` only in an alpha, describes OpenAPI 3.1 where the document
//! is 3.0, cannot say the bounds of a list of words or the fourteen actions behind one path, and would leave the permission
//! beside the route all the same.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use chassis::principal::require;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use schemas::Permission;
use serde_json::{Value, json};

use crate::Api;

/// Methods of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    const fn filter(self) -> MethodFilter {
        match self {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Patch => MethodFilter::PATCH,
            Method::Delete => MethodFilter::DELETE,
        }
    }

    /// As OpenAPI writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Patch => "patch",
            Method::Delete => "delete",
        }
    }
}

/// Defines the schema of a type, and answers with a reference to it.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a request has.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// JSON of a type.
    Json(SchemaOf),
    /// A YAML document.
    Yaml,
    /// The request of the action that the path ends with.
    Action,
}

/// A parameter of the query or of the path.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) schema: Value,
}

impl Parameter {
    /// A text.
    pub(crate) fn text(name: &'static str, description: &'static str) -> Self {
        Self::of(name, description, json!({ "type": "string" }))
    }

    /// A text that this regular expression matches.
    pub(crate) fn pattern(name: &'static str, description: &'static str, pattern: &str) -> Self {
        Self::of(name, description, json!({ "type": "string", "pattern": pattern }))
    }

    /// Some of these words, with commas between them.
    pub(crate) fn words(name: &'static str, description: &'static str, words: &[&str]) -> Self {
        let one = words.join("|");
        Self::pattern(name, description, &format!("^({one})(,({one}))*$"))
    }

    /// How many rows a page has at most.
    pub(crate) fn limit(most: usize) -> Self {
        let schema = json!({ "type": "integer", "minimum": 1, "maximum": most });
        Self::of("limit", "At most so many, up to 1000.", schema)
    }

    /// Where a page begins, as a number that the page before has named.
    pub(crate) fn cursor() -> Self {
        Self::pattern("cursor", "`next_cursor` of the page before.", "^[0-9]{1,18}$")
    }

    pub(crate) fn of(name: &'static str, description: &'static str, schema: Value) -> Self {
        Self {
            name,
            description,
            schema,
        }
    }
}

/// An answer that is no error.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) description: &'static str,
    pub(crate) schema: SchemaOf,
}

/// How an operation is described.
#[derive(Debug, Clone)]
pub(crate) enum Described {
    /// Here.
    Whole(Description),
    /// By the specification of the API that it follows, at this address.
    By(&'static str),
}

/// What an operation takes and answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Description {
    pub(crate) summary: &'static str,
    pub(crate) path_parameters: Vec<Parameter>,
    pub(crate) query: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) answers: Vec<Answer>,
    /// The values of the last segment of the path, each of which is an operation of its own.
    pub(crate) each: Vec<&'static str>,
}

/// A route: one method at one path.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: Cow<'static, str>,
    pub(crate) permission: Permission,
    pub(crate) described: Described,
    /// The largest body, where it is not the one of all routes.
    body_bytes_max: Option<usize>,
}

impl Operation {
    fn new(method: Method, path: impl Into<Cow<'static, str>>, permission: Permission) -> Self {
        Self {
            method,
            path: path.into(),
            permission,
            described: Described::Whole(Description::default()),
            body_bytes_max: None,
        }
    }

    /// A route of our own API.
    pub(crate) fn of(
        method: Method,
        path: &'static str,
        permission: Permission,
        summary: &'static str,
    ) -> Self {
        let description = Description {
            summary,
            ..Description::default()
        };
        Self {
            described: Described::Whole(description),
            ..Self::new(method, path, permission)
        }
    }

    /// A route of another API, which this specification describes.
    pub(crate) fn following(
        specification: &'static str,
        method: Method,
        path: impl Into<Cow<'static, str>>,
        permission: Permission,
    ) -> Self {
        Self {
            described: Described::By(specification),
            ..Self::new(method, path, permission)
        }
    }

    /// Its parameter in the path.
    pub(crate) fn path_parameter(self, parameter: Parameter) -> Self {
        self.with(|description| description.path_parameters.push(parameter))
    }

    /// Its parameters in the query.
    pub(crate) fn query(self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.with(|description| description.query.extend(parameters))
    }

    /// Its body.
    pub(crate) fn body(self, body: Body) -> Self {
        self.with(|description| description.body = Some(body))
    }

    /// Its body, as JSON of a type.
    pub(crate) fn json<T: JsonSchema>(self) -> Self {
        self.body(Body::Json(SchemaGenerator::subschema_for::<T>))
    }

    /// What it answers.
    pub(crate) fn answers<T: JsonSchema>(self) -> Self {
        self.answers_also::<T>("200", "Done")
    }

    /// What it answers with another status.
    pub(crate) fn answers_also<T: JsonSchema>(self, status: &'static str, description: &'static str) -> Self {
        let answer = Answer {
            status,
            description,
            schema: SchemaGenerator::subschema_for::<T>,
        };
        self.with(|description| description.answers.push(answer))
    }

    /// It is one operation for each of these last segments of the path.
    pub(crate) fn for_each(self, segments: impl IntoIterator<Item = &'static str>) -> Self {
        self.with(|description| description.each.extend(segments))
    }

    /// The largest body, in bytes.
    pub(crate) fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = Some(bytes);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Description)) -> Self {
        if let Described::Whole(description) = &mut self.described {
            change(description);
        }
        self
    }
}

/// Routes, and the operations that they are.
pub(crate) struct Routes<S = Arc<Api>> {
    router: Router<S>,
    operations: Vec<Operation>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(crate) fn new() -> Self {
        Self {
            router: Router::new(),
            operations: Vec::new(),
        }
    }

    /// Adds a route, behind the permission that it asks for.
    pub(crate) fn add<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let mut route = require(operation.permission, on(operation.method.filter(), handler));
        if let Some(bytes) = operation.body_bytes_max {
            route = route.route_layer(DefaultBodyLimit::max(bytes));
        }
        self.router = self.router.route(&operation.path, route);
        self.operations.push(operation);
        self
    }

    /// Adds the routes of another table.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.operations.extend(other.operations);
        self
    }

    /// The table itself.
    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    pub(crate) fn into_router(self) -> Router<S> {
        self.router
    }
}
