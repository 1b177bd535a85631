//! Why a request was not taken, and how the sender is told.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::sources::{self, SourceError};

/// What senders wait before they try again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Why a request was not taken. The texts are for the person who set up the sender.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the configuration has not been read yet; send it again in 5 seconds")]
    NotReady,
    #[error(
        "there is no source {name:?}; post to /monitoring-system/ and one of: {}",
        nearest(name)
    )]
    UnknownSource { name: String },
    #[error("post to this address; {method} is not understood here")]
    Method {
        method: Method,
        taken: &'static [Method],
    },
    #[error(
        "the query cannot be read: {0}; give integration_key, environment_id and scenario_id at most once"
    )]
    Query(String),
    #[error(
        "the integration key is {what}; give it as ?integration_key=, as Authorization: Bearer, as X-Integration-Key, \
         or as the password of basic authentication"
    )]
    Key { what: &'static str },
    #[error(
        "the key belongs to integration {integration:?} of type {of_type:?}; post to /monitoring-system/{of_type}, \
         or make an integration of type {posted:?}"
    )]
    OtherSource {
        integration: String,
        of_type: String,
        posted: &'static str,
    },
    #[error("the body has more than {limit} bytes{}; send fewer alerts in one body", unpacked(*.packed))]
    TooLarge { limit: usize, packed: bool },
    #[error("Content-Encoding {0:?} is not understood; send gzip or none")]
    Encoding(String),
    #[error("the body is not gzip as Content-Encoding says: {0}")]
    Gzip(std::io::Error),
    #[error("the body was not there in full within {seconds} seconds; send it again")]
    Slow { seconds: u64 },
    #[error("the body ended too early: {0}; send it again")]
    Broken(String),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("too much is in work at the moment; send it again in 5 seconds")]
    Overloaded,
    #[error("it could not be stored: {0}; send it again in 5 seconds")]
    Unavailable(String),
}

fn nearest(name: &str) -> String {
    sources::nearest(name).join(", ")
}

fn unpacked(packed: bool) -> &'static str {
    if packed { " when it is unpacked" } else { "" }
}

fn allowed(methods: &[Method]) -> HeaderValue {
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    // Names of methods can all stand in a header.
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("POST"))
}

impl Refusal {
    /// The word for it, in answers and metrics.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Refusal::NotReady => "not_ready",
            Refusal::UnknownSource { .. } => "unknown_source",
            Refusal::Method { .. } => "method_not_allowed",
            Refusal::Query(_) => "bad_query",
            Refusal::Key { .. } => "unauthenticated",
            Refusal::OtherSource { .. } => "wrong_source",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::Encoding(_) => "unknown_encoding",
            Refusal::Gzip(_) => "bad_gzip",
            Refusal::Slow { .. } => "too_slow",
            Refusal::Broken(_) => "broken_off",
            Refusal::Source(SourceError::Malformed { .. }) => "malformed",
            Refusal::Source(SourceError::Invalid { .. }) => "invalid",
            Refusal::Overloaded => "overloaded",
            Refusal::Unavailable(_) => "log_unavailable",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Refusal::NotReady | Refusal::Overloaded | Refusal::Unavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Refusal::UnknownSource { .. } => StatusCode::NOT_FOUND,
            Refusal::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Key { .. } => StatusCode::UNAUTHORIZED,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Refusal::Source(SourceError::Invalid { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Query(_)
            | Refusal::OtherSource { .. }
            | Refusal::Gzip(_)
            | Refusal::Broken(_)
            | Refusal::Source(SourceError::Malformed { .. }) => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether the body is kept for an operator: its sender proved who it is, and sending the same again will not help.
    pub(crate) fn keeps_body(&self) -> bool {
        matches!(
            self,
            Refusal::TooLarge { .. } | Refusal::Encoding(_) | Refusal::Gzip(_) | Refusal::Source(_)
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let message = self.to_string();
        let mut error = json!({ "code": self.code(), "message": message });
        if let Refusal::Source(source) = &self
            && let Some(field) = source.field()
        {
            error["field"] = json!(field);
        }
        let status = self.status();
        let mut response = (status, Json(json!({ "error": error, "detail": message }))).into_response();
        let header = match (&self, status) {
            (Refusal::Method { taken, .. }, _) => Some((header::ALLOW, allowed(taken))),
            (_, StatusCode::SERVICE_UNAVAILABLE) => Some((header::RETRY_AFTER, RETRY_AFTER)),
            (_, StatusCode::UNAUTHORIZED) => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
            }
            _ => None,
        };
        response.headers_mut().extend(header);
        response
    }
}
