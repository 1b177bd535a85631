//! `/api/v2/alerts` of Alertmanager, with its answers: where Prometheus posts, and all that can post to an Alertmanager.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
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

/// Alertmanager answers with a text, and with 400 to all that the sender must fix.
fn error_response(error: &IngestError) -> Response {
    let status = match error.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        other => other,
    };
    error.response(status, Json(error.to_string()))
}
