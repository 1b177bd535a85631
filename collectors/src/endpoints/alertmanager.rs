//! `/api/v2/alerts` of Alertmanager, with its answers: where Prometheus posts, and all that can post to an Alertmanager.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use sources::SourceError;
use sources::systems::prometheus;

use crate::collector::Collector;
use crate::intake::error::IngestError;
use crate::intake::request::{IncomingRequest, IngestRequest};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new().route("/api/v2/alerts", post(ingest))
}

async fn ingest(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    let now = collector.now();
    let mut request = IngestRequest::new(&prometheus::SOURCE, incoming);
    request.parse = Box::new(move |_, body| prometheus::parse_posted(now, body));
    match collector.ingest(request).await {
        Ok(accepted) if accepted.skipped > 0 => {
            // As Alertmanager does: the others are accepted, and the answer names these.
            (StatusCode::BAD_REQUEST, Json(accepted.warnings.join("; "))).into_response()
        }
        Ok(accepted) => with_warning_headers(&accepted.warnings),
        Err(error) => error_response(&error),
    }
}

/// The answer of Alertmanager has no body, so the warnings are headers `Warning`, as in the API of Kubernetes.
fn with_warning_headers(warnings: &[String]) -> Response {
    let mut response = StatusCode::OK.into_response();
    for warning in warnings {
        let quoted = warning.replace(['"', '\\'], "'");
        if let Ok(value) = HeaderValue::from_str(&format!("299 reveille \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

/// As Alertmanager answers: what it cannot decode with a code and a message, which the library has that reads its bodies
/// (<https://github.com/go-openapi/errors>), and all else with a text, and with 400 to what the sender must fix.
fn error_response(error: &IngestError) -> Response {
    /// The code of that library for a field that is missing.
    const REQUIRED: u16 = 602;
    if let IngestError::Source(reason) = error {
        let (status, code, message) = match reason {
            // It lacks its labels.
            SourceError::Missing { field, .. } => {
                let message = format!("{} in body is required", field.replace(['[', ']'], ""));
                (StatusCode::UNPROCESSABLE_ENTITY, REQUIRED, message)
            }
            _ => {
                let message = format!("parsing alerts body from \"\" failed, because {error}");
                (StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST.as_u16(), message)
            }
        };
        return error.response(status, Json(json!({ "code": code, "message": message })));
    }
    let status = match error.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        other => other,
    };
    error.response(status, Json(error.to_string()))
}
