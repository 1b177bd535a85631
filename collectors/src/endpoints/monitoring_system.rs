//! Every source under its name, as senders that were set up for Harp know it. The key may be the last segment.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::any;
use serde::Deserialize;
use sources::systems::cloudevents;

use super::answer;
use super::cloudevents::validate_webhook;
use crate::collector::Collector;
use crate::intake::request::{IncomingRequest, IngestRequest};

pub(super) fn routes() -> Router<Arc<Collector>> {
    let ingest = any(ingest);
    Router::new()
        .route("/monitoring-system/{source}", ingest.clone())
        .route("/monitoring-system/{source}/{key}", ingest.clone())
        .route("/harp-collectors/monitoring-system/{source}", ingest.clone())
        .route("/harp-collectors/monitoring-system/{source}/{key}", ingest)
}

#[derive(Default, Deserialize)]
struct Address {
    source: String,
    key: Option<String>,
}

async fn ingest(
    State(collector): State<Arc<Collector>>,
    address: Result<Path<Address>, PathRejection>,
    incoming: IncomingRequest,
) -> Response {
    let address = address.map(|Path(address)| address).unwrap_or_default();
    if incoming.method == Method::OPTIONS && address.source == cloudevents::SOURCE.name {
        let mut request = IngestRequest::new(&cloudevents::SOURCE, incoming).replayed_at_its_source();
        request.keys.extend(address.key);
        return validate_webhook(&collector, request);
    }
    let ingested = match collector.request_to(&address.source, incoming) {
        Ok(request) => {
            let mut request = request.replayed_at_its_source();
            request.keys.extend(address.key);
            collector.ingest(request).await
        }
        Err((error, body)) => {
            let source = sources::find(&address.source).map(|source| source.name.into());
            Err(collector.reject(source, error, body).await)
        }
    };
    answer::response(ingested)
}
