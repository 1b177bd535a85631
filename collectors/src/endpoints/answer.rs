//! The answers of endpoints that have none of their own, and what several endpoints share.

use axum::Json;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use crate::intake::decode::Accepted;
use crate::intake::error::IngestError;

/// The header of the warnings, in answers whose text senders compare with a word.
const WARNINGS: HeaderName = HeaderName::from_static("reveille-warnings");

/// The answer to an accepted body. Senders of Harp look for the text of `result`.
#[derive(Serialize)]
struct Answer {
    result: &'static str,
    accepted: usize,
    events: Vec<Uuid>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl From<Accepted> for Answer {
    fn from(accepted: Accepted) -> Self {
        Self {
            result: "Event successfully pushed to Harp",
            accepted: accepted.receipts.len(),
            events: accepted.receipts.iter().map(|receipt| receipt.event_id).collect(),
            warnings: accepted.warnings,
        }
    }
}

/// The answer as JSON.
pub(super) fn response(ingested: Result<Accepted, IngestError>) -> Response {
    match ingested {
        Ok(accepted) => Json(Answer::from(accepted)).into_response(),
        Err(error) => error.into_response(),
    }
}

/// An answer whose text is given, with the warnings in a header.
pub(super) fn with_warnings(answer: impl IntoResponse, accepted: &Accepted) -> Response {
    let mut response = answer.into_response();
    let warnings = accepted.warnings.join("; ").replace(char::is_control, " ");
    if let Ok(value) = HeaderValue::from_bytes(warnings.as_bytes())
        && !warnings.is_empty()
    {
        response.headers_mut().insert(WARNINGS, value);
    }
    response
}
