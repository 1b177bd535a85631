//! CloudEvents, and the validation by which a sender asks whether it may post:
//! <https://github.com/cloudevents/spec/blob/v1.0.1/http-webhook.md#4-abuse-protection>. The key may be the last segment.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use sources::systems::cloudevents;

use super::answer;
use crate::collector::Collector;
use crate::intake::request::{IncomingRequest, IngestRequest};

/// The address without a key.
const ADDRESS: &str = "/cloudevents";
/// The header by which senders name themselves in the validation.
const ORIGIN: &str = "webhook-request-origin";

pub(super) fn routes() -> Router<Arc<Collector>> {
    let methods = post(ingest).options(validate);
    Router::new()
        .route(ADDRESS, methods.clone())
        .route("/cloudevents/{key}", methods)
}

async fn ingest(
    State(collector): State<Arc<Collector>>,
    key: Result<Path<String>, PathRejection>,
    incoming: IncomingRequest,
) -> Response {
    answer::response(collector.ingest(request(key, incoming)).await)
}

async fn validate(
    State(collector): State<Arc<Collector>>,
    key: Result<Path<String>, PathRejection>,
    incoming: IncomingRequest,
) -> Response {
    validate_webhook(&collector, request(key, incoming))
}

/// The answer to the validation, at any address. A key is required, so that strangers cannot make a sender post here.
pub(super) fn validate_webhook(collector: &Collector, request: IngestRequest) -> Response {
    let origin = request.incoming.headers.get(ORIGIN).cloned();
    match collector.authorize(request) {
        Ok(()) => {
            let mut response = StatusCode::OK.into_response();
            let headers = response.headers_mut();
            headers.insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
            if let Some(origin) = origin {
                headers.insert("webhook-allowed-origin", origin);
                headers.insert("webhook-allowed-rate", HeaderValue::from_static("*"));
            }
            response
        }
        Err(error) => error.into_response(),
    }
}

fn request(key: Result<Path<String>, PathRejection>, incoming: IncomingRequest) -> IngestRequest {
    let mut request = IngestRequest::new(&cloudevents::SOURCE, incoming);
    request.path = ADDRESS.to_owned();
    request.keys.extend(key.map(|Path(key)| key));
    request
}
