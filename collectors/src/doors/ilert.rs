//! The events API of ilert, with its own answers. The key is the `integrationKey` of the body.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::sources::{ILERT, ilert};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/api/events", post(take))
        .route("/api/v1/events", post(take_as_of_old))
}

async fn take(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    answered(&collector, StatusCode::ACCEPTED, posted).await
}

/// Clients of the first version look for 200.
async fn take_as_of_old(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    answered(&collector, StatusCode::OK, posted).await
}

async fn answered(collector: &Collector, success: StatusCode, posted: Posted) -> Response {
    let mut call = Call::new(&ILERT, posted);
    call.key_in_body = Some(ilert::integration_key);
    match collector.take(call).await {
        Ok(taken) => {
            let key = taken.receipts.first().and_then(|receipt| receipt.identity.last());
            let answer = json!({
                "alertKey": key, "incidentKey": key, "responseCode": "ACCEPTED", "remarks": taken.remarks,
            });
            (success, Json(answer)).into_response()
        }
        Err(refusal) => {
            let status = refusal.status();
            let answer = json!({
                "status": status.as_u16(), "code": refusal.code().to_uppercase(), "message": refusal.to_string(),
            });
            refusal.answered(status, Json(answer))
        }
    }
}
