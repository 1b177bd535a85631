//! Alerta's `POST /api/alert`, with its own answers. The key comes as `Authorization: Key`, as `X-API-Key` or as
//! `?api-key=`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::sources::ALERTA;

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new().route("/api/alert", post(take))
}

async fn take(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    let in_header = posted.headers.get("x-api-key").and_then(|key| key.to_str().ok());
    let keys = [in_header.map(str::to_owned), posted.fields().remove("api-key")];
    let mut call = Call::new(&ALERTA, posted);
    call.keys.extend(keys.into_iter().flatten());
    match collector.take(call).await {
        Ok(taken) => {
            let id = taken.receipts.first().map(|receipt| receipt.event_id);
            let mut answer = json!({ "status": "ok", "id": id });
            if !taken.remarks.is_empty() {
                answer["message"] = json!(taken.remarks.join("; "));
            }
            (StatusCode::CREATED, Json(answer)).into_response()
        }
        Err(refusal) => {
            let status = refusal.status();
            let message = refusal.to_string();
            let answer = json!({
                "status": "error", "message": message, "code": status.as_u16(), "errors": [message],
            });
            refusal.answered(status, Json(answer))
        }
    }
}
