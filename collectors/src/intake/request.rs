//! A request before its body is read, and how its endpoint wants it handled.

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
use sources::{ParsedBody, Source, SourceError, mapping};

use crate::intake::error::IngestError;
use crate::intake::query;

/// What every sender can put into the query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RoutingHints {
    pub(crate) integration_key: Option<String>,
    pub(crate) environment_id: Option<String>,
    pub(crate) scenario_id: Option<String>,
}

impl RoutingHints {
    fn of(uri: &Uri) -> Result<Self, IngestError> {
        match Query::try_from_uri(uri) {
            Ok(Query(hints)) => Ok(hints),
            Err(error) => Err(IngestError::Query(error.body_text())),
        }
    }
}

/// A request whose query is parsed and whose body is not read yet.
pub(crate) struct IncomingRequest {
    pub(crate) method: Method,
    uri: Uri,
    pub(crate) hints: Result<RoutingHints, IngestError>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

impl<S: Sync> FromRequest<S> for IncomingRequest {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (head, body) = request.into_parts();
        Ok(Self {
            hints: RoutingHints::of(&head.uri),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body,
        })
    }
}

impl IncomingRequest {
    /// The fields of the query, for an endpoint that has some of its own.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        let query = self.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// A body that came by another protocol than HTTP, as if it had been posted to this address without any header.
    pub(crate) fn bare(address: &'static str, body: Body, length: usize) -> Self {
        Self {
            method: Method::POST,
            uri: Uri::from_static(address),
            hints: Ok(RoutingHints::default()),
            headers: HeaderMap::from_iter([(header::CONTENT_LENGTH, length.into())]),
            body,
        }
    }

    /// With the query as the body, in the shape of a form, if it is a GET or its body is empty.
    pub(crate) fn with_query_as_body(mut self) -> Self {
        if self.method == Method::GET || self.body.is_end_stream() {
            let query = self.uri.query().unwrap_or_default();
            (self.headers, self.body) = query::as_form(query, self.headers);
        }
        self
    }
}

/// Parses a body.
pub(crate) type BodyParser = Box<dyn FnOnce(&HeaderMap, &[u8]) -> Result<ParsedBody, SourceError> + Send>;

/// Finds the key in a body.
pub(crate) type KeyInBody = fn(&[u8]) -> Option<String>;

/// A request, and how its endpoint wants it handled.
pub(crate) struct IngestRequest {
    /// The name of the source or the mapping that parses the body.
    pub(crate) source: Cow<'static, str>,
    /// The integration, of any type, whose keys alone are accepted here.
    pub(crate) owner: Option<String>,
    /// The integration, where the listener knows it without a key.
    pub(crate) sender: Option<Arc<Integration>>,
    pub(crate) incoming: IncomingRequest,
    /// The address, without a key, where the stored body can be posted again.
    pub(crate) path: String,
    /// Keys in places where only this endpoint looks, such as a segment of the path.
    pub(crate) keys: Vec<String>,
    /// Finds the key in the body, for formats that have a field for it.
    pub(crate) key_in_body: Option<KeyInBody>,
    pub(crate) parse: BodyParser,
}

impl IngestRequest {
    /// A request whose body this source parses.
    pub(crate) fn new(source: &'static Source, incoming: IncomingRequest) -> Self {
        Self::parsed_by(source.name.into(), incoming, Box::new(source.parse))
    }

    /// A request whose body a mapping parses.
    pub(crate) fn mapped(by: Arc<CompiledMapping>, incoming: IncomingRequest) -> Self {
        let name = by.name().to_owned().into();
        Self::parsed_by(
            name,
            incoming,
            Box::new(move |headers, body| mapping::parse(&by, headers, body)),
        )
    }

    pub(crate) fn parsed_by(source: Cow<'static, str>, incoming: IncomingRequest, parse: BodyParser) -> Self {
        Self {
            source,
            owner: None,
            sender: None,
            path: incoming.uri.path().to_owned(),
            incoming,
            keys: Vec::new(),
            key_in_body: None,
            parse,
        }
    }

    /// The same, whose stored body is to be posted again to the address of its source.
    pub(crate) fn replayed_at_its_source(mut self) -> Self {
        self.path = format!("/monitoring-system/{}", self.source);
        self
    }
}
