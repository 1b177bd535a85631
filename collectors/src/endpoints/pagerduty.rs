//! PagerDuty's Events API, versions 1 and 2, with its own answers. The key is the `routing_key` of the body (in version 1
//! `service_key`), or the header `X-Routing-Key`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use sources::systems::pagerduty_events;

use crate::collector::Collector;
use crate::intake::error::IngestError;
use crate::intake::request::{IncomingRequest, IngestRequest};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/v2/enqueue", post(enqueue))
        .route("/v2/change/enqueue", post(enqueue_change))
        .route("/generic/2010-04-15/create_event.json", post(create_event))
}

async fn enqueue(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    match collector.ingest(request(incoming)).await {
        Ok(accepted) => {
            let key = accepted.first_key();
            let answer = json!({ "status": "success", "message": "Event processed", "dedup_key": key });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(error) => error_response(&error),
    }
}

/// An event of version 1; its clients expect 200 and an `incident_key`.
async fn create_event(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    let mut request = request(incoming);
    request.parse = Box::new(pagerduty_events::parse_version_1);
    match collector.ingest(request).await {
        Ok(accepted) => {
            let key = accepted.first_key();
            let answer = json!({ "status": "success", "message": "Event processed", "incident_key": key });
            (StatusCode::OK, Json(answer)).into_response()
        }
        Err(error) => error_response(&error),
    }
}

async fn enqueue_change(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    let mut request = request(incoming);
    request.parse = Box::new(pagerduty_events::parse_change);
    match collector.ingest(request).await {
        Ok(_) => {
            // Word for word, as there are clients that compare it.
            let answer = json!({ "status": "success", "message": "Change event processed" });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(error) => error_response(&error),
    }
}

fn request(incoming: IncomingRequest) -> IngestRequest {
    let in_header = incoming
        .headers
        .get("x-routing-key")
        .and_then(|key| key.to_str().ok());
    let in_header = in_header.map(|key| key.trim().to_owned());
    let mut request = IngestRequest::new(&pagerduty_events::SOURCE, incoming);
    request.keys.extend(in_header);
    request.key_in_body = Some(pagerduty_events::routing_key);
    request
}

/// PagerDuty answers 400 to all errors of the sender, a wrong key too.
fn error_response(error: &IngestError) -> Response {
    let message = error.to_string();
    let (status, answer) = match error.status() {
        StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => (
            StatusCode::BAD_REQUEST,
            json!({ "status": "invalid event", "message": "Event object is invalid", "errors": [message] }),
        ),
        other => (other, json!({ "status": error.code(), "message": message })),
    };
    error.response(status, Json(answer))
}
