//! Why a request was not taken, and how the sender is told.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::attempts::WrongCredential;
use jiff::Timestamp;
use schemas::config::Limits;
use serde_json::json;

use crate::pace::{BYTES_PER_SECOND_MIN, STALL_TIME};
use crate::signature::SignatureError;
use crate::sns::SnsError;
use crate::sources::{self, SourceError};

/// What senders wait before they try again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
/// The same where some of their alerts must end first.
const RETRY_AFTER_TOO_MANY_OPEN: HeaderValue = HeaderValue::from_static("60");

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
         or make an integration of type {posted:?}"
    )]
    OtherSource {
        integration: String,
        of_type: String,
        posted: String,
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
        "integration {integration:?} has {limit} alerts open, as many as it may have, and {left_out} more are in the body; \
         what ends an alert is taken: end some, or wait an hour, or raise open_alerts in the integration's limits, and send \
         it again"
    )]
    TooManyOpen {
        integration: String,
        limit: u32,
        left_out: usize,
    },
    #[error("Content-Encoding {0:?} is not understood; send gzip, deflate or none")]
    Encoding(String),
    #[error("the body is not gzip as Content-Encoding says: {0}")]
    Gzip(std::io::Error),
    #[error("the body is not deflate as Content-Encoding says: {0}")]
    Deflate(std::io::Error),
    #[error(
        "nothing of the body came for {} seconds, or it came slower than {BYTES_PER_SECOND_MIN} bytes a second; send it again",
        STALL_TIME.as_secs()
    )]
    Slow,
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
            Refusal::KeyExpired { .. } => "key_expired",
            Refusal::Signature(error) => error.code(),
            Refusal::Sns(error) => error.code(),
            Refusal::SigningSecret { .. } => "no_signing_secret",
            Refusal::OtherSource { .. } => "wrong_source",
            Refusal::UnknownHeartbeat { .. } => "unknown_heartbeat",
            Refusal::OtherOwner { .. } => "wrong_integration",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::TooManyAlerts { .. } => "too_many_alerts",
            Refusal::RateLimited { .. } => "rate_limited",
            Refusal::TooManyOpen { .. } => "too_many_open_alerts",
            Refusal::Encoding(_) => "unknown_encoding",
            Refusal::Gzip(_) => "bad_gzip",
            Refusal::Deflate(_) => "bad_deflate",
            Refusal::Slow => "too_slow",
            Refusal::Broken(_) => "broken_off",
            Refusal::Source(SourceError::Malformed { .. }) => "malformed",
            Refusal::Source(SourceError::Invalid { .. }) => "invalid",
            Refusal::Overloaded => "overloaded",
            Refusal::Unavailable(_) => "log_unavailable",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refusal::NotReady
            | Refusal::SigningSecret { .. }
            | Refusal::Sns(SnsError::Unavailable(_))
            | Refusal::Overloaded
            | Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::UnknownSource { .. } | Refusal::UnknownHeartbeat { .. } => StatusCode::NOT_FOUND,
            Refusal::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Sns(SnsError::Topic(_)) => StatusCode::FORBIDDEN,
            Refusal::Key { .. } | Refusal::KeyExpired { .. } | Refusal::Signature(_) | Refusal::Sns(_) => {
                StatusCode::UNAUTHORIZED
            }
            Refusal::TooLarge { .. } | Refusal::TooManyAlerts { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::RateLimited { .. } | Refusal::TooManyOpen { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Slow => StatusCode::REQUEST_TIMEOUT,
            Refusal::Source(SourceError::Invalid { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Query(_)
            | Refusal::OtherSource { .. }
            | Refusal::OtherOwner { .. }
            | Refusal::Gzip(_)
            | Refusal::Deflate(_)
            | Refusal::Broken(_)
            | Refusal::Source(SourceError::Malformed { .. }) => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether the sender has shown a key that nothing here has: it may be guessing.
    pub(crate) fn is_wrong_key(&self) -> bool {
        matches!(self, Refusal::Key { what: "unknown" })
    }

    /// Whether the body is kept for an operator: its sender proved who it is, and sending the same again will not help.
    pub(crate) fn keeps_body(&self) -> bool {
        matches!(
            self,
            Refusal::TooLarge { .. }
                | Refusal::TooManyAlerts { .. }
                | Refusal::Encoding(_)
                | Refusal::Gzip(_)
                | Refusal::Deflate(_)
                | Refusal::Source(_)
        )
    }
}

impl Refusal {
    /// The answer in the words of a format that has its own, with the headers that belong to this refusal.
    pub(crate) fn answered(&self, status: StatusCode, body: impl IntoResponse) -> Response {
        let mut response = (status, body).into_response();
        let header = match (self, status) {
            (Refusal::Method { taken, .. }, _) => Some((header::ALLOW, allowed(taken))),
            (
                Refusal::RateLimited {
                    retry_after_seconds, ..
                },
                _,
            ) => Some((header::RETRY_AFTER, HeaderValue::from(*retry_after_seconds))),
            (Refusal::TooManyOpen { .. }, StatusCode::TOO_MANY_REQUESTS) => {
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

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let message = self.to_string();
        let mut error = json!({ "code": self.code(), "message": message });
        if let Refusal::Source(source) = &self
            && let Some(field) = source.field()
        {
            error["field"] = json!(field);
        }
        self.answered(self.status(), Json(json!({ "error": error, "detail": message })))
    }
}
