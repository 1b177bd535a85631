//! Why a request is refused, and the parts of the answer that all endpoints share.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::attempts::WrongCredential;
use jiff::Timestamp;
use schemas::config::Limits;
use serde_json::json;
use sources::SourceError;

use crate::intake::signature::SignatureError;
use crate::intake::sns::SnsError;
use crate::intake::transfer_rate::TooSlow;

/// After how many seconds senders are to try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
/// The same where some of their alerts must end first.
const RETRY_AFTER_TOO_MANY_OPEN: HeaderValue = HeaderValue::from_static("60");

/// How much of a name that a sender has made up stands in an error.
pub(crate) const MAX_NAME_CHARACTERS: usize = 100;

/// Why a request is refused. The texts are for the person who set up the sender.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
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
        allowed: &'static [Method],
    },
    #[error(
        "the query cannot be read: {0}; give integration_key, environment_id and scenario_id at most once"
    )]
    Query(String),
    #[error(
        "the integration key is {what}; give it as ?integration_key=, as Authorization: Bearer, GenieKey or Token, as \
         X-Integration-Key, as the password of basic authentication, or as the last segment of the path"
    )]
    Key { what: &'static str },
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Sns(#[from] SnsError),
    #[error(
        "the signing_secret of integration {integration:?} cannot be opened here: {error}; the operator must give this \
         collector the secret key that the API has"
    )]
    SigningSecret { integration: String, error: String },
    #[error(
        "the key {name:?} of integration {integration:?} has expired at {expired}; give the sender the key that replaces \
         it, or move its `expires` in the site document"
    )]
    KeyExpired {
        name: String,
        integration: String,
        expired: Timestamp,
    },
    #[error(
        "the key belongs to integration {integration:?} of type {of_type:?}; post to /monitoring-system/{of_type}, \
         or make an integration of type {requested:?}"
    )]
    OtherSource {
        integration: String,
        of_type: String,
        requested: String,
    },
    #[error(
        "there is no heartbeat {name:?}; declare it under `heartbeats` in the site document, with the integration whose \
         key is shown"
    )]
    UnknownHeartbeat { name: String },
    #[error(
        "the key belongs to integration {integration:?}, and this heartbeat to another; use the key of the integration \
         that the site document names there"
    )]
    OtherOwner { integration: String },
    #[error("the body has more than {limit} bytes{}; send fewer alerts in one body", unpacked(*.packed))]
    TooLarge { limit: usize, packed: bool },
    #[error(
        "the body has {alerts} alerts, and {limit} are allowed; send fewer in one body, or raise alerts_per_body in the \
         integration's limits"
    )]
    TooManyAlerts { alerts: usize, limit: u32 },
    #[error(
        "the key may send {} alerts a second and {} at once, of which a fifth is only for what is critical or over; send \
         it again in {retry_after_seconds} seconds, or raise rate or burst in the integration's limits",
        limits.rate,
        limits.burst
    )]
    RateLimited {
        limits: Limits,
        retry_after_seconds: u64,
    },
    #[error(
        "integration {integration:?} has {limit} alerts open, as many as it may have, and {refused} more are in the body; \
         what ends an alert is accepted: end some, or wait an hour, or raise open_alerts in the integration's limits, and send \
         it again"
    )]
    TooManyOpen {
        integration: String,
        limit: u32,
        refused: usize,
    },
    #[error("Content-Encoding {0:?} is not understood; send gzip, deflate or none")]
    Encoding(String),
    #[error("the body is not gzip as Content-Encoding says: {0}")]
    Gzip(std::io::Error),
    #[error("the body is not deflate as Content-Encoding says: {0}")]
    Deflate(std::io::Error),
    #[error(transparent)]
    Slow(#[from] TooSlow),
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

fn methods_header(methods: &[Method]) -> HeaderValue {
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    // Names of methods can all stand in a header.
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("POST"))
}

impl IngestError {
    /// No source and no mapping has this name.
    pub(crate) fn unknown_source(name: &str) -> Self {
        let name = name.chars().take(MAX_NAME_CHARACTERS).collect();
        IngestError::UnknownSource { name }
    }

    /// The code of the error, in answers and as the label `reason` of the metric.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            IngestError::NotReady => "not_ready",
            IngestError::UnknownSource { .. } => "unknown_source",
            IngestError::Method { .. } => "method_not_allowed",
            IngestError::Query(_) => "bad_query",
            IngestError::Key { .. } => "unauthenticated",
            IngestError::KeyExpired { .. } => "key_expired",
            IngestError::Signature(error) => error.code(),
            IngestError::Sns(error) => error.code(),
            IngestError::SigningSecret { .. } => "no_signing_secret",
            IngestError::OtherSource { .. } => "wrong_source",
            IngestError::UnknownHeartbeat { .. } => "unknown_heartbeat",
            IngestError::OtherOwner { .. } => "wrong_integration",
            IngestError::TooLarge { .. } => "too_large",
            IngestError::TooManyAlerts { .. } => "too_many_alerts",
            IngestError::RateLimited { .. } => "rate_limited",
            IngestError::TooManyOpen { .. } => "too_many_open_alerts",
            IngestError::Encoding(_) => "unknown_encoding",
            IngestError::Gzip(_) => "bad_gzip",
            IngestError::Deflate(_) => "bad_deflate",
            IngestError::Slow(_) => "too_slow",
            IngestError::Broken(_) => "broken_off",
            IngestError::Source(SourceError::Malformed { .. }) => "malformed",
            IngestError::Source(SourceError::Missing { .. } | SourceError::Invalid { .. }) => "invalid",
            IngestError::Overloaded => "overloaded",
            IngestError::Unavailable(_) => "log_unavailable",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            IngestError::NotReady
            | IngestError::SigningSecret { .. }
            | IngestError::Sns(SnsError::Unavailable(_))
            | IngestError::Overloaded
            | IngestError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            IngestError::UnknownSource { .. } | IngestError::UnknownHeartbeat { .. } => StatusCode::NOT_FOUND,
            IngestError::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            IngestError::Sns(SnsError::Topic(_)) => StatusCode::FORBIDDEN,
            IngestError::Key { .. }
            | IngestError::KeyExpired { .. }
            | IngestError::Signature(_)
            | IngestError::Sns(_) => StatusCode::UNAUTHORIZED,
            IngestError::TooLarge { .. } | IngestError::TooManyAlerts { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            IngestError::RateLimited { .. } | IngestError::TooManyOpen { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            IngestError::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            IngestError::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            IngestError::Source(SourceError::Missing { .. } | SourceError::Invalid { .. }) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            IngestError::Query(_)
            | IngestError::OtherSource { .. }
            | IngestError::OtherOwner { .. }
            | IngestError::Gzip(_)
            | IngestError::Deflate(_)
            | IngestError::Broken(_)
            | IngestError::Source(SourceError::Malformed { .. }) => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether the key is unknown: the sender may be guessing keys.
    pub(crate) fn is_wrong_key(&self) -> bool {
        matches!(self, IngestError::Key { what: "unknown" })
    }

    /// Whether the body is stored for an operator: its sender is authenticated, and sending it again would not help.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(
            self,
            IngestError::TooLarge { .. }
                | IngestError::TooManyAlerts { .. }
                | IngestError::Encoding(_)
                | IngestError::Gzip(_)
                | IngestError::Deflate(_)
                | IngestError::Source(_)
        )
    }
}

impl IngestError {
    /// An answer with this status and body, and the headers that belong to this error.
    pub(crate) fn response(&self, status: StatusCode, body: impl IntoResponse) -> Response {
        let mut response = (status, body).into_response();
        let header = match (self, status) {
            (IngestError::Method { allowed, .. }, _) => Some((header::ALLOW, methods_header(allowed))),
            (
                IngestError::RateLimited {
                    retry_after_seconds, ..
                },
                _,
            ) => Some((header::RETRY_AFTER, HeaderValue::from(*retry_after_seconds))),
            (IngestError::TooManyOpen { .. }, StatusCode::TOO_MANY_REQUESTS) => {
                Some((header::RETRY_AFTER, RETRY_AFTER_TOO_MANY_OPEN))
            }
            (_, StatusCode::SERVICE_UNAVAILABLE) => Some((header::RETRY_AFTER, RETRY_AFTER)),
            (_, StatusCode::UNAUTHORIZED) => {
                Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
            }
            _ => None,
        };
        response.headers_mut().extend(header);
        if self.is_wrong_key() {
            response.extensions_mut().insert(WrongCredential::Sender);
        }
        response
    }
}

impl IntoResponse for IngestError {
    fn into_response(self) -> Response {
        let message = self.to_string();
        let mut error = json!({ "code": self.code(), "message": message });
        if let IngestError::Source(source) = &self
            && let Some(field) = source.field()
        {
            error["field"] = json!(field);
        }
        self.response(self.status(), Json(json!({ "error": error, "detail": message })))
    }
}
