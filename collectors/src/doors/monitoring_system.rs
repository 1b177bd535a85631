//! Every source under its name, as senders that were set up for Harp know it. The key may be the last segment.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cloudevents;
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::{self, CLOUDEVENTS};
use crate::work::Taken;

/// How the bodies of mappings come.
const MAPPED: &[Method] = &[Method::POST, Method::PUT, Method::GET];

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

/// The answer to a body that was taken. The text of `result` is what senders of Harp look for.
#[derive(Serialize)]
struct Answer {
    result: &'static str,
    accepted: usize,
    events: Vec<Uuid>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
}

impl From<Taken> for Answer {
    fn from(taken: Taken) -> Self {
        Self {
            result: "Event successfully pushed to Harp",
            accepted: taken.receipts.len(),
            events: taken.receipts.iter().map(|receipt| receipt.event_id).collect(),
            remarks: taken.remarks,
        }
    }
}

async fn ingest(
    State(collector): State<Arc<Collector>>,
    address: Result<Path<Address>, PathRejection>,
    posted: Posted,
) -> Response {
    let address = address.map(|Path(address)| address).unwrap_or_default();
    if posted.method == Method::OPTIONS && address.source == CLOUDEVENTS.name {
        let mut call = Call::new(&CLOUDEVENTS, posted).again_at_its_source();
        call.keys.extend(address.key);
        return cloudevents::shaken(&collector, call);
    }
    let taken = match call(&collector, &address.source, posted) {
        Ok(call) => {
            let mut call = call.again_at_its_source();
            call.keys.extend(address.key);
            collector.take(call).await
        }
        Err((refusal, body)) => {
            let source = sources::find(&address.source).map(|source| source.name.into());
            Err(collector.refuse(source, refusal, body).await)
        }
    };
    answered(taken)
}

/// The answer of all doors that have no words of their own.
pub(super) fn answered(taken: Result<Taken, Refusal>) -> Response {
    match taken {
        Ok(taken) => Json(Answer::from(taken)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// A request to a source, to a mapping of the site, or to a ready-made one. What is refused is given back with its body.
pub(super) fn call(collector: &Collector, name: &str, posted: Posted) -> Result<Call, (Refusal, Body)> {
    let source = sources::find(name);
    let taken = source.map_or(MAPPED, |source| source.methods);
    if !taken.contains(&posted.method) {
        let method = posted.method;
        return Err((Refusal::Method { method, taken }, posted.body));
    }
    if let Some(source) = source {
        return Ok(Call::new(source, posted.with_query_as_body()));
    }
    match collector.mapping(name) {
        Ok(Some(mapping)) => Ok(Call::mapped(mapping, posted.with_query_as_body())),
        Ok(None) => {
            let name = name.chars().take(100).collect();
            Err((Refusal::UnknownSource { name }, posted.body))
        }
        Err(refusal) => Err((refusal, posted.body)),
    }
}
