//! CloudEvents, and the handshake in which a sender asks whether it may post. The key may be the last segment.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::monitoring_system::answered;
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::sources::CLOUDEVENTS;

/// The address without a key.
const DOOR: &str = "/cloudevents";
/// What senders name themselves by in the handshake.
const ORIGIN: &str = "webhook-request-origin";

pub(super) fn routes() -> Router<Arc<Collector>> {
    let door = post(take).options(shake_hands);
    Router::new()
        .route(DOOR, door.clone())
        .route("/cloudevents/{key}", door)
}

async fn take(
    State(collector): State<Arc<Collector>>,
    key: Result<Path<String>, PathRejection>,
    posted: Posted,
) -> Response {
    answered(collector.take(call(key, posted)).await)
}

/// Consent is given to who shows a key: nobody else can make a sender post here.
async fn shake_hands(
    State(collector): State<Arc<Collector>>,
    key: Result<Path<String>, PathRejection>,
    posted: Posted,
) -> Response {
    shaken(&collector, call(key, posted))
}

/// The answer to a sender that asks, at whichever address.
pub(super) fn shaken(collector: &Collector, call: Call) -> Response {
    let origin = call.posted.headers.get(ORIGIN).cloned();
    match collector.consents(call) {
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
        Err(refusal) => refusal.into_response(),
    }
}

fn call(key: Result<Path<String>, PathRejection>, posted: Posted) -> Call {
    let mut call = Call::new(&CLOUDEVENTS, posted);
    call.path = DOOR.to_owned();
    call.keys.extend(key.map(|Path(key)| key));
    call
}
