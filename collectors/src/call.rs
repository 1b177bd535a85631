//! What a door knows of a request before it is taken.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Query, Request};
use axum::http::{HeaderMap, Method, Uri, header};
use domain::CompiledMapping;
use schemas::config::Integration;
use serde::Deserialize;

use crate::query;
use crate::refusal::Refusal;
use crate::sources::{Source, SourceError, Understood, mapping};

/// What every sender can put into the query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    pub(crate) integration_key: Option<String>,
    pub(crate) environment_id: Option<String>,
    pub(crate) scenario_id: Option<String>,
}

impl Asked {
    fn of(uri: &Uri) -> Result<Self, Refusal> {
        match Query::try_from_uri(uri) {
            Ok(Query(asked)) => Ok(asked),
            Err(error) => Err(Refusal::Query(error.body_text())),
        }
    }
}

/// A request as it came: its query is read, its body is not.
pub(crate) struct Posted {
    pub(crate) method: Method,
    uri: Uri,
    pub(crate) asked: Result<Asked, Refusal>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl<S: Sync> FromRequest<S> for Posted {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (head, body) = request.into_parts();
        Ok(Self {
            asked: Asked::of(&head.uri),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body,
        })
    }
}

impl Posted {
    /// The fields of the query, for a door that has some of its own.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        let query = self.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// What came by another way than HTTP, and could have been posted here: a body, and nothing beside it.
    pub(crate) fn bare(address: &'static str, body: Body, length: usize) -> Self {
        Self {
            method: Method::POST,
            uri: Uri::from_static(address),
            asked: Ok(Asked::default()),
            headers: HeaderMap::from_iter([(header::CONTENT_LENGTH, length.into())]),
            body,
        }
    }

    /// A GET has no body; its query is one then, as a form. The same holds of a POST whose body is empty.
    pub(crate) fn with_query_as_body(mut self) -> Self {
        if self.method == Method::GET || self.body.is_end_stream() {
            let query = self.uri.query().unwrap_or_default();
            (self.headers, self.body) = query::as_form(query, self.headers);
        }
        self
    }
}

/// Understands a body.
pub(crate) type Reader = Box<dyn FnOnce(&HeaderMap, &[u8]) -> Result<Understood, SourceError> + Send>;

/// Finds the key in a body.
pub(crate) type KeyInBody = fn(&[u8]) -> Option<String>;

/// A request, and how its door wants it understood.
pub(crate) struct Call {
    /// The name of what understands the body.
    pub(crate) source: Cow<'static, str>,
    /// The integration whose keys alone are good here, whatever its type.
    pub(crate) owner: Option<String>,
    /// Who sends it, where its door knows that without a key.
    pub(crate) sender: Option<Arc<Integration>>,
    pub(crate) posted: Posted,
    /// Where the same can be posted again, without a key.
    pub(crate) path: String,
    /// Keys shown where only this door looks, such as a segment of the path.
    pub(crate) keys: Vec<String>,
    /// Of a format that has a field for the key.
    pub(crate) key_in_body: Option<KeyInBody>,
    pub(crate) read: Reader,
}

impl Call {
    /// A request whose body the source understands.
    pub(crate) fn new(source: &'static Source, posted: Posted) -> Self {
        Self::read_by(source.name.into(), posted, Box::new(source.read))
    }

    /// A request whose body a mapping of the site understands.
    pub(crate) fn mapped(by: Arc<CompiledMapping>, posted: Posted) -> Self {
        let name = by.name().to_owned().into();
        Self::read_by(
            name,
            posted,
            Box::new(move |headers, body| mapping::read(&by, headers, body)),
        )
    }

    pub(crate) fn read_by(source: Cow<'static, str>, posted: Posted, read: Reader) -> Self {
        Self {
            source,
            owner: None,
            sender: None,
            path: posted.uri.path().to_owned(),
            posted,
            keys: Vec::new(),
            key_in_body: None,
            read,
        }
    }

    /// The same, to be posted again to its source's own address, whichever way it came.
    pub(crate) fn again_at_its_source(mut self) -> Self {
        self.path = format!("/monitoring-system/{}", self.source);
        self
    }
}
