//! The REST endpoint of Splunk On-Call (VictorOps), with its own answers. The key is a segment of the path; the routing
//! key behind it becomes a label.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::sources::SPLUNK_ONCALL;

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/integrations/generic/{version}/alert/{key}", post(take))
        .route(
            "/integrations/generic/{version}/alert/{key}/{routing_key}",
            post(take),
        )
}

#[derive(Deserialize)]
struct Address {
    key: String,
    routing_key: Option<String>,
}

async fn take(
    State(collector): State<Arc<Collector>>,
    Path(address): Path<Address>,
    posted: Posted,
) -> Response {
    let mut call = Call::new(&SPLUNK_ONCALL, posted).again_at_its_source();
    call.keys.push(address.key);
    call.read = Box::new(move |headers, body| {
        let mut understood = (SPLUNK_ONCALL.read)(headers, body)?;
        for event in &mut understood.events {
            event.labels.extend(
                address
                    .routing_key
                    .clone()
                    .map(|key| ("routing_key".to_owned(), key)),
            );
        }
        Ok(understood)
    });
    match collector.take(call).await {
        Ok(taken) => {
            let id = taken.receipts.first().and_then(|receipt| receipt.identity.last());
            (
                StatusCode::OK,
                Json(json!({ "result": "success", "entity_id": id })),
            )
                .into_response()
        }
        Err(refusal) => {
            let answer = json!({ "result": "failure", "message": refusal.to_string() });
            refusal.answered(refusal.status(), Json(answer))
        }
    }
}
