//! PagerDuty's Events API, versions 1 and 2, with its own answers. The key is the `routing_key` of the body (in version 1
//! `service_key`), or the header `X-Routing-Key`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::{PAGERDUTY_EVENTS, pagerduty_events};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/v2/enqueue", post(enqueue))
        .route("/v2/change/enqueue", post(enqueue_change))
        .route("/generic/2010-04-15/create_event.json", post(create_event))
}

async fn enqueue(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    match collector.take(call(posted)).await {
        Ok(taken) => {
            let key = taken.receipts.first().and_then(|receipt| receipt.identity.last());
            let answer = json!({ "status": "success", "message": "Event processed", "dedup_key": key });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

/// An event of version 1; its clients look for 200 and an `incident_key`.
async fn create_event(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    let mut call = call(posted);
    call.read = Box::new(pagerduty_events::read_first_version);
    match collector.take(call).await {
        Ok(taken) => {
            let key = taken.receipts.first().and_then(|receipt| receipt.identity.last());
            let answer = json!({ "status": "success", "message": "Event processed", "incident_key": key });
            (StatusCode::OK, Json(answer)).into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

async fn enqueue_change(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    let mut call = call(posted);
    call.read = Box::new(pagerduty_events::read_change);
    match collector.take(call).await {
        Ok(_) => {
            // Word for word, as there are clients that compare it.
            let answer = json!({ "status": "success", "message": "Change event processed" });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

fn call(posted: Posted) -> Call {
    let in_header = posted
        .headers
        .get("x-routing-key")
        .and_then(|key| key.to_str().ok());
    let in_header = in_header.map(|key| key.trim().to_owned());
    let mut call = Call::new(&PAGERDUTY_EVENTS, posted);
    call.keys.extend(in_header);
    call.key_in_body = Some(pagerduty_events::routing_key);
    call
}

/// PagerDuty answers 400 to all that its sender must mend, a wrong key too.
fn refused(refusal: &Refusal) -> Response {
    let message = refusal.to_string();
    let (status, answer) = match refusal.status() {
        StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => (
            StatusCode::BAD_REQUEST,
            json!({ "status": "invalid event", "message": "Event object is invalid", "errors": [message] }),
        ),
        other => (other, json!({ "status": refusal.code(), "message": message })),
    };
    refusal.answered(status, Json(answer))
}
