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
use sources::systems::splunk_oncall;

use crate::collector::Collector;
use crate::intake::request::{IncomingRequest, IngestRequest};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/integrations/generic/{version}/alert/{key}", post(ingest))
        .route(
            "/integrations/generic/{version}/alert/{key}/{routing_key}",
            post(ingest),
        )
}

#[derive(Deserialize)]
struct Address {
    key: String,
    routing_key: Option<String>,
}

async fn ingest(
    State(collector): State<Arc<Collector>>,
    Path(address): Path<Address>,
    incoming: IncomingRequest,
) -> Response {
    let mut request = IngestRequest::new(&splunk_oncall::SOURCE, incoming).replayed_at_its_source();
    request.keys.push(address.key);
    request.parse = Box::new(move |headers, body| {
        let mut parsed = (splunk_oncall::SOURCE.parse)(headers, body)?;
        for event in &mut parsed.events {
            event.labels.extend(
                address
                    .routing_key
                    .clone()
                    .map(|key| ("routing_key".to_owned(), key)),
            );
        }
        Ok(parsed)
    });
    match collector.ingest(request).await {
        Ok(accepted) => {
            let id = accepted.first_key();
            (
                StatusCode::OK,
                Json(json!({ "result": "success", "entity_id": id })),
            )
                .into_response()
        }
        Err(error) => {
            let answer = json!({ "result": "failure", "message": error.to_string() });
            error.response(error.status(), Json(answer))
        }
    }
}
