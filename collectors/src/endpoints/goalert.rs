//! GoAlert's generic API and those of its other integrations, with its own answers. The key is the `token` of the query, and
//! of the generic API also that of the body.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, post};
use sources::Source;
use sources::systems::{goalert, grafana, prometheus, site24x7};

use super::answer::with_warnings;
use super::heartbeat;
use crate::collector::Collector;
use crate::intake::request::{IncomingRequest, IngestRequest};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/api/v2/generic/incoming", post(ingest))
        .route("/api/v2/grafana/incoming", post(ingest_grafana))
        .route("/api/v2/prometheusalertmanager/incoming", post(ingest_prometheus))
        .route("/api/v2/site24x7/incoming", post(ingest_site24x7))
        .route("/api/v2/heartbeat/{key}", any(heartbeat::called_by_integration))
}

async fn ingest_grafana(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    with_token(&collector, &grafana::SOURCE, incoming).await
}

async fn ingest_prometheus(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    with_token(&collector, &prometheus::SOURCE, incoming).await
}

async fn ingest_site24x7(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    with_token(&collector, &site24x7::SOURCE, incoming).await
}

async fn with_token(collector: &Collector, source: &'static Source, incoming: IncomingRequest) -> Response {
    let token = incoming.fields().remove("token");
    let mut request = IngestRequest::new(source, incoming).replayed_at_its_source();
    request.keys.extend(token);
    ingested(collector, request).await
}

async fn ingest(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    let query = incoming.fields();
    let mut request = IngestRequest::new(&goalert::SOURCE, incoming);
    request.keys.extend(query.get("token").cloned());
    request.key_in_body = Some(goalert::token);
    request.parse = Box::new(move |_, body| goalert::parse_with_query(&query, body));
    ingested(&collector, request).await
}

async fn ingested(collector: &Collector, request: IngestRequest) -> Response {
    match collector.ingest(request).await {
        Ok(accepted) => with_warnings(StatusCode::NO_CONTENT, &accepted),
        Err(error) => error.response(error.status(), format!("{error}\n")),
    }
}
