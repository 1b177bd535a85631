//! Alerta's `POST /api/alert`, with its own answers. The key comes as `Authorization: Key`, as `X-API-Key` or as
//! `?api-key=`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use sources::systems::alerta;

use crate::collector::Collector;
use crate::intake::request::{IncomingRequest, IngestRequest};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new().route("/api/alert", post(ingest))
}

async fn ingest(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    let in_header = incoming
        .headers
        .get("x-api-key")
        .and_then(|key| key.to_str().ok());
    let keys = [in_header.map(str::to_owned), incoming.fields().remove("api-key")];
    let mut request = IngestRequest::new(&alerta::SOURCE, incoming);
    request.keys.extend(keys.into_iter().flatten());
    match collector.ingest(request).await {
        Ok(accepted) => {
            let id = accepted.receipts.first().map(|receipt| receipt.event_id);
            let mut answer = json!({ "status": "ok", "id": id });
            if !accepted.warnings.is_empty() {
                answer["message"] = json!(accepted.warnings.join("; "));
            }
            (StatusCode::CREATED, Json(answer)).into_response()
        }
        Err(error) => {
            let status = error.status();
            let message = error.to_string();
            let answer = json!({
                "status": "error", "message": message, "code": status.as_u16(), "errors": [message],
            });
            error.response(status, Json(answer))
        }
    }
}
