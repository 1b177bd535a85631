//! Heartbeats: addresses that are called again and again, with any method. The key may be the last segment.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::opsgenie;
use crate::body;
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::{HEARTBEAT, Understood, heartbeat};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/heartbeat/{name}", any(called))
        .route("/heartbeat/{name}/{key}", any(called))
        // As Opsgenie has it, and Jira Service Management.
        .route("/v2/heartbeats/{name}/ping", any(pinged))
        .route("/jsm/ops/integration/v2/heartbeats/{name}/ping", any(pinged))
}

#[derive(Default, Deserialize)]
struct Address {
    name: String,
    key: Option<String>,
}

type AddressFound = Result<Path<Address>, PathRejection>;

async fn called(State(collector): State<Arc<Collector>>, address: AddressFound, posted: Posted) -> Response {
    let address = address.map(|Path(address)| address).unwrap_or_default();
    match call(&collector, address, posted).await {
        Ok((name, next_call_by)) => {
            Json(json!({ "heartbeat": name, "next_call_by": next_call_by })).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn pinged(State(collector): State<Arc<Collector>>, address: AddressFound, posted: Posted) -> Response {
    let started = Instant::now();
    let address = address.map(|Path(address)| address).unwrap_or_default();
    match call(&collector, address, posted).await {
        Ok(_) => {
            let took = started.elapsed().as_secs_f64();
            let id = Uuid::now_v7();
            let answer = json!({ "result": "PONG - Heartbeat received", "took": took, "requestId": id });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(refusal) => opsgenie::refused(&refusal, started),
    }
}

/// Takes a call, whatever its body says; answers by when the next one must come.
async fn call(
    collector: &Collector,
    address: Address,
    mut posted: Posted,
) -> Result<(String, Timestamp), Refusal> {
    let body = std::mem::replace(&mut posted.body, Body::empty());
    body::drain(body.into_data_stream()).await;
    posted.headers.remove(header::CONTENT_ENCODING);
    let known = collector.site().and_then(|site| {
        let found = site.heartbeats.get(&address.name).cloned();
        found.ok_or_else(|| Refusal::UnknownHeartbeat {
            name: address.name.chars().take(100).collect(),
        })
    });
    let heartbeat = match known {
        Ok(heartbeat) => heartbeat,
        Err(refusal) => {
            return Err(collector
                .refuse(Some(HEARTBEAT.into()), refusal, Body::empty())
                .await);
        }
    };
    let name = heartbeat.name.clone();
    let next_call_by = heartbeat::next_call_by(&heartbeat, collector.now());
    let mut call = Call::read_by(
        HEARTBEAT.into(),
        posted,
        Box::new({
            let event = heartbeat::call(&heartbeat);
            move |_, _| Ok(Understood::from(event))
        }),
    );
    call.owner = Some(heartbeat.integration);
    call.keys.extend(address.key);
    collector.take(call).await?;
    Ok((name, next_call_by))
}
