//! The description of the API, made from the table of its routes and the types that they speak.

use std::sync::Arc;

use axum::Json;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::actions::ActionSchemas;
use crate::routes::{Answer, Body, Described, Description, Method, Operation, Parameter, Routes};
use crate::site::Problem;

mod actions;

/// The id of an alert.
pub(crate) const ALERT_ID: &str = "^[0-9a-f]{32}$";
/// A text with something in it.
pub(crate) const NOT_BLANK: &str = "\\S";

/// The document itself, which has a specification of its own: <https://spec.openapis.org/oas/v3.0.3>.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct OpenApi(Map<String, Value>);

/// Adds `GET /api/v1/openapi.json`, which describes these routes, itself, and the operations of other tables.
pub(crate) fn with_document(routes: Routes, others: &[Operation]) -> Routes {
    let path = "/api/v1/openapi.json";
    let permission = schemas::Permission::StatusRead;
    let itself = Operation::of(Method::Get, path, permission, "This document").answers::<OpenApi>();
    let all = routes.operations().iter().chain([&itself]).chain(others);
    let all: Arc<[Operation]> = all.cloned().collect();
    routes.add(itself, move || {
        let document = build(&all);
        async move { Json(document) }
    })
}

fn build(operations: &[Operation]) -> OpenApi {
    let mut generator = SchemaSettings::openapi3().into_generator();
    let actions = ActionSchemas::new();
    let (mut paths, mut following) = (Map::new(), Map::new());
    for operation in operations {
        let method = operation.method.name();
        let permission = json!(operation.permission.name());
        match &operation.described {
            Described::Whole(description) => {
                for (path, segment) in paths_of(operation, description) {
                    let mut described = described(&mut generator, &actions, description, segment);
                    described["x-permission"] = permission.clone();
                    let known = paths.entry(path).or_insert_with(|| json!({}));
                    known[method] = described;
                }
            }
            Described::By(specification) => {
                let paths = following.entry(*specification).or_insert_with(|| json!({}));
                paths[&*operation.path][method] = json!({ "x-permission": permission });
            }
        }
    }
    // The errors have these.
    let _ = generator.subschema_for::<Problem>();
    let mut definitions = actions.definitions;
    definitions.extend(generator.take_definitions(true));
    definitions.insert("Error".to_owned(), error_schema());
    OpenApi(document(paths, following, definitions))
}

fn document(
    paths: Map<String, Value>,
    following: Map<String, Value>,
    schemas: Map<String, Value>,
) -> Map<String, Value> {
    let following: Vec<_> = following
        .into_iter()
        .map(|(specification, paths)| json!({ "specification": specification, "paths": paths }))
        .collect();
    let parts = [
        ("openapi", json!("3.0.3")),
        (
            "info",
            json!({
                "title": "Reveille",
                "version": env!("CARGO_PKG_VERSION"),
                "license": { "name": "Apache-2.0" },
                "description": "Alerts, their histories, operators' actions and the site's configuration. `x-permission` \
                                is what an operation asks for; `x-following` lists the addresses of other APIs that are \
                                answered too, each with its specification.",
            }),
        ),
        ("paths", Value::Object(paths)),
        ("x-following", json!(following)),
        (
            "components",
            json!({
                "schemas": schemas,
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            }),
        ),
        ("security", json!([{ "token": [] }, {}])),
    ];
    let parts = parts.into_iter().map(|(name, part)| (name.to_owned(), part));
    parts.collect()
}

/// The paths of an operation, with the last segment where there is one operation for each.
fn paths_of(operation: &Operation, description: &Description) -> Vec<(String, Option<&'static str>)> {
    if description.each.is_empty() {
        return vec![(operation.path.to_string(), None)];
    }
    let above = operation.path.rsplit_once('/').map_or("", |(above, _)| above);
    let each = description.each.iter();
    each.map(|segment| (format!("{above}/{segment}"), Some(*segment)))
        .collect()
}

fn described(
    generator: &mut SchemaGenerator,
    actions: &ActionSchemas,
    description: &Description,
    segment: Option<&str>,
) -> Value {
    let in_path = description
        .path_parameters
        .iter()
        .map(|one| parameter(one, "path"));
    let in_query = description.query.iter().map(|one| parameter(one, "query"));
    let parameters: Vec<_> = in_path.chain(in_query).collect();
    let mut described = json!({
        "summary": description.summary,
        "parameters": parameters,
        "responses": responses(generator, &description.answers),
    });
    if let Some(segment) = segment {
        described["summary"] = json!(format!("{segment} {}", description.summary));
        described["operationId"] = json!(segment);
    }
    let content = match &description.body {
        None => return described,
        Some(Body::Json(schema)) => json!({ "application/json": { "schema": schema(generator) } }),
        Some(Body::Yaml) => json!({ "application/yaml": { "schema": { "type": "string" } } }),
        Some(Body::Action) => {
            let schema = actions.request(segment.unwrap_or_default());
            json!({ "application/json": { "schema": schema } })
        }
    };
    described["requestBody"] = json!({ "required": true, "content": content });
    described
}

fn parameter(parameter: &Parameter, place: &str) -> Value {
    json!({
        "name": parameter.name,
        "in": place,
        "required": place == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    })
}

fn responses(generator: &mut SchemaGenerator, answers: &[Answer]) -> Value {
    let content = |schema: Value| json!({ "application/json": { "schema": schema } });
    let error = json!({
        "description": "Why it was not done",
        "content": content(json!({ "$ref": "#/components/schemas/Error" })),
    });
    let mut responses = json!({ "4XX": error, "5XX": error });
    for answer in answers {
        let schema = (answer.schema)(generator).to_value();
        let response = json!({ "description": answer.description, "content": content(schema) });
        responses[answer.status] = response;
    }
    responses
}

fn error_schema() -> Value {
    json!({ "type": "object", "required": ["error"], "properties": { "error": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": { "type": "string" },
            "message": { "type": "string" },
            "field": { "type": "string", "description": "The field that is wrong." },
            "problems": { "type": "array", "items": { "$ref": "#/components/schemas/Problem" } },
        },
    } } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::Router;
    use axum::body::Body as RequestBody;
    use axum::http::{Request, StatusCode, header};
    use schemas::{VERBS, Verb};
    use tower::ServiceExt;

    use super::*;
    use crate::site::tests::World;

    /// The document of all routes.
    fn document() -> Value {
        let others = [
            crate::alertmanager::routes().operations(),
            crate::opsgenie::table().operations(),
        ]
        .concat();
        let routes = with_document(crate::own_routes(), &others);
        let operations = [routes.operations(), &others].concat();
        Value::Object(build(&operations).0)
    }

    /// Methods and paths of a router, as it routes them. The paths are known from how it is printed, and the methods from
    /// how it refuses another one.
    async fn routed(router: Router, authorization: &str) -> BTreeSet<(String, String)> {
        let printed = format!("{router:?}");
        let routes = printed.split("fallback_router").next().unwrap();
        let paths = routes.split('"').filter(|text| text.starts_with('/'));
        let paths: BTreeSet<_> = paths.map(str::to_owned).collect();
        let mut routed = BTreeSet::new();
        for path in paths {
            let one = path.replace(['{', '}'], "");
            let request = Request::builder()
                .method("TRACE")
                .uri(one)
                .header(header::AUTHORIZATION, authorization);
            let answer = router
                .clone()
                .oneshot(request.body(RequestBody::empty()).unwrap());
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            let allowed = answer.headers()[header::ALLOW].to_str().unwrap().to_owned();
            let methods = allowed.split(',').filter(|method| *method != "HEAD");
            routed.extend(methods.map(|method| (path.clone(), method.to_lowercase())));
        }
        routed
    }

    #[tokio::test]
    async fn every_route_of_the_router_is_in_the_document() {
        let world = World::new().await;
        let mut routed_here = routed(world.api.routes(), "").await;
        let of_opsgenie = crate::opsgenie::tests::world().await.own_routes;
        routed_here.extend(routed(of_opsgenie, "GenieKey mine").await);
        assert!(routed_here.len() > 40, "{routed_here:?}");

        let document = document();
        let mut described = BTreeSet::new();
        let following = document["x-following"].as_array().unwrap();
        let following = following.iter().map(|other| &other["paths"]);
        for paths in following.chain([&document["paths"]]) {
            for (path, operations) in paths.as_object().unwrap() {
                for (method, operation) in operations.as_object().unwrap() {
                    let path = match path.strip_prefix("/api/v1/actions/") {
                        Some(_) => "/api/v1/actions/{action}",
                        None => path,
                    };
                    assert!(operation["x-permission"].is_string(), "{path}");
                    described.insert((path.to_owned(), method.clone()));
                }
            }
        }
        assert_eq!(routed_here, described);
    }

    #[tokio::test]
    async fn the_document_is_served() {
        let world = World::new().await;
        let (status, served) = world.request("GET", "/api/v1/openapi.json", "").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(served, document());
    }

    #[test]
    fn every_reference_of_the_document_is_defined() {
        let document = document();
        let text = document.to_string();
        let mut references = 0;
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(
                document["components"]["schemas"].get(name).is_some(),
                "{name} is not defined"
            );
            references += 1;
        }
        assert!(references > 20);
    }

    #[test]
    fn every_action_has_its_own_fields() {
        let document = document();
        for &Verb { name, fields: known } in VERBS {
            let path = format!("/api/v1/actions/{name}");
            let body = &document["paths"][path]["post"]["requestBody"];
            let fields = &body["content"]["application/json"]["schema"];
            let properties = fields["properties"].as_object().into_iter().flatten();
            let mut found: Vec<_> = properties.map(|(name, _)| name.as_str()).collect();
            found.retain(|name| !["alerts", "author", "idempotency_key"].contains(name));
            let mut known = known.to_vec();
            found.sort_unstable();
            known.sort_unstable();
            assert_eq!(found, known, "{name}: {fields}");
            let until = fields["required"]
                .as_array()
                .is_some_and(|all| all.contains(&json!("until")));
            assert_eq!(
                until,
                ["snooze", "downtime", "handle"].contains(&name),
                "{name}: {fields}"
            );
        }
    }

    /// A value that this schema allows: the least, or the most.
    fn example(document: &Value, schema: &Value, most: bool) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let schema = &document["components"]["schemas"][name.rsplit('/').next().unwrap()];
            return example(document, schema, most);
        }
        if let Some(one) = ["allOf", "anyOf", "oneOf"]
            .iter()
            .find_map(|of| schema[of].get(0))
        {
            return example(document, one, most);
        }
        let number = |name: &str| usize::try_from(schema[name].as_u64().unwrap_or(0)).unwrap();
        if schema["nullable"] == true && !most {
            return Value::Null;
        }
        if let Some(words) = schema["enum"].as_array() {
            return if most { words.last() } else { words.first() }.unwrap().clone();
        }
        let kind = schema["type"].as_str();
        let kind = kind.unwrap_or_else(|| panic!("it has no type: {schema}"));
        match (kind, schema["pattern"].as_str()) {
            ("string", Some(ALERT_ID)) => json!(if most { "f" } else { "0" }.repeat(32)),
            ("string", _) if schema["format"] == "date-time" => json!("2026-09-01T10:00:00.5+02:00"),
            // Four bytes a character.
            ("string", _) if most => json!("\u{1f525}".repeat(number("maxLength"))),
            ("string", _) => json!("x".repeat(number("minLength"))),
            ("boolean", _) => json!(most),
            ("array", _) => {
                let count = if most {
                    number("maxItems")
                } else {
                    number("minItems")
                };
                json!(vec![example(document, &schema["items"], most); count])
            }
            ("object", _) if schema["additionalProperties"].is_object() => {
                let count = if most { number("maxProperties") } else { 0 };
                let value = example(document, &schema["additionalProperties"], most);
                let named = (0..count).map(|n| (format!("name-{n}"), value.clone()));
                Value::Object(named.collect())
            }
            (other, _) => panic!("there is no example of {other}: {schema}"),
        }
    }

    #[test]
    fn c4_what_the_schema_of_an_action_allows_is_understood() {
        let document = document();
        for name in VERBS.iter().map(|verb| verb.name) {
            let path = format!("/api/v1/actions/{name}");
            let body = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
            let schema = &body["schema"];
            assert_eq!(schema["additionalProperties"], false);
            let required = schema["required"].as_array().unwrap();
            for most in [false, true] {
                let mut whole = Map::new();
                for (field, schema) in schema["properties"].as_object().unwrap() {
                    whole.insert(field.clone(), example(&document, schema, most));
                }
                let mut least = whole.clone();
                least.retain(|field, _| required.contains(&json!(field)));
                // Amending nothing is a refusal of its own, by the daemon.
                for request in [least, whole] {
                    let understood = crate::actions::understood(name, Value::Object(request));
                    assert!(
                        understood.is_ok(),
                        "{name}, most {most}: {}",
                        understood.unwrap_err()
                    );
                }
            }
        }
    }

    #[test]
    fn c4_parameters_say_what_they_may_be() {
        let document = document();
        let of = |path: &str, name: &str| {
            let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
            let found = parameters.iter().find(|one| one["name"] == name);
            found.unwrap()["schema"].clone()
        };
        for path in [
            "/api/v1/alerts",
            "/api/v1/alerts/{id}/history",
            "/api/v1/rejected",
        ] {
            let limit = json!({ "type": "integer", "minimum": 1, "maximum": 1000 });
            assert_eq!(of(path, "limit"), limit, "{path}");
        }
        let states = of("/api/v1/silences", "state")["pattern"].clone();
        assert_eq!(states, "^(active|pending|expired)(,(active|pending|expired))*$");
        let states = of("/api/v1/alerts", "state")["pattern"].clone();
        assert!(states.as_str().unwrap().contains("|acknowledged|"), "{states}");
        for operations in document["paths"].as_object().unwrap().values() {
            let mut operations = operations.as_object().unwrap().values();
            assert!(operations.all(|operation| !operation.is_null()));
        }
    }
}
