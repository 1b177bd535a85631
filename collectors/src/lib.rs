//! Monitoring systems post here; what they say goes to `alerts.collected`.
//!
//! An answer of 2xx means that every alert of the body is safe in the log. All other answers mean that none was taken
//! (or, when the log broke off in the middle, that sending the same again does no harm), and say why and what to do.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use domain::Site;
use pipeline::Context;
use serde::Deserialize;
use tokio::sync::watch;

use crate::collector::Collector;
use crate::refusal::Refusal;

mod accept;
mod body;
mod collector;
mod key;
mod measure;
mod presence;
mod query;
mod refusal;
pub mod sources;

/// The memory that all bodies in work may take together.
const BUDGET_BYTES: usize = 32 * 1024 * 1024;

/// The addresses that monitoring systems post to. To be called once per process, inside its runtime.
pub fn routes(context: Context, site: watch::Receiver<Arc<Site>>) -> Router {
    routes_within(context, site, BUDGET_BYTES)
}

fn routes_within(context: Context, site: watch::Receiver<Arc<Site>>, budget_bytes: usize) -> Router {
    let collector = Arc::new(Collector::new(context, site, budget_bytes));
    let ingest = any(ingest);
    Router::new()
        .route("/monitoring-system/{source}", ingest.clone())
        // As the senders that were set up for Harp know it.
        .route("/harp-collectors/monitoring-system/{source}", ingest)
        .with_state(collector)
}

/// What a sender can put into the query.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    integration_key: Option<String>,
    environment_id: Option<String>,
    scenario_id: Option<String>,
}

async fn ingest(
    State(collector): State<Arc<Collector>>,
    source: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let name = source.map(|Path(name)| name).unwrap_or_default();
    let methods = sources::find(&name).map_or(sources::POST, |source| source.methods);
    if !methods.contains(&method) {
        return wrong_method(&collector, &name, method, methods, body).await;
    }
    let (headers, body) = match method {
        Method::GET => query::as_form(&query.unwrap_or_default(), headers),
        _ => (headers, body),
    };
    let asked = asked
        .map(|Query(asked)| asked)
        .map_err(|error| Refusal::Query(error.body_text()));
    collector.ingest(&name, asked, headers, body).await
}

async fn wrong_method(
    collector: &Collector,
    source: &str,
    method: Method,
    taken: &'static [Method],
    body: Body,
) -> Response {
    body::drain(body.into_data_stream()).await;
    let refusal = Refusal::Method { method, taken };
    collector
        .measures()
        .request(sources::find(source).map(|source| source.name))
        .rejected(refusal.code());
    refusal.into_response()
}

#[cfg(test)]
mod tests;
