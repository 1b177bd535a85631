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
use crate::sources::HEARTBEAT;
use crate::sources::heartbeat::{self, Signal};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/heartbeat/{name}", any(called))
        .route("/heartbeat/{name}/{key}", any(called))
        .route("/heartbeat/{name}/{key}/{signal}", any(called))
        // As Opsgenie has it, and Jira Service Management.
        .route("/v2/heartbeats/{name}/ping", any(pinged))
        .route("/jsm/ops/integration/v2/heartbeats/{name}/ping", any(pinged))
        .route(
            "/jsm/ops/api/{cloud}/v1/teams/{team}/heartbeats/ping",
            any(pinged_of_team),
        )
}

#[derive(Default, Deserialize)]
struct Address {
    name: String,
    key: Option<String>,
    signal: Option<String>,
}

impl Address {
    /// The second segment is a signal if it is one, else the key: `/heartbeat/NAME/fail`.
    fn told_apart(mut self) -> Self {
        if self.signal.is_none() && self.key.as_deref().is_some_and(|key| Signal::of(key).is_some()) {
            self.signal = self.key.take();
        }
        self
    }
}

type AddressFound = Result<Path<Address>, PathRejection>;

async fn called(State(collector): State<Arc<Collector>>, address: AddressFound, posted: Posted) -> Response {
    let address = address.map(|Path(address)| address).unwrap_or_default();
    answered(call(&collector, address.told_apart(), posted).await)
}

fn answered(called: Result<(String, Option<Timestamp>), Refusal>) -> Response {
    match called {
        Ok((name, next_call_by)) => {
            Json(json!({ "heartbeat": name, "next_call_by": next_call_by })).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The heartbeat of an integration, for addresses that name none: the only one that it has.
pub(super) async fn called_by_integration(
    State(collector): State<Arc<Collector>>,
    key: String,
    posted: Posted,
) -> Response {
    let mut names = collector.heartbeats_of(std::slice::from_ref(&key));
    let name = match names.len() {
        1 => names.remove(0),
        _ => String::new(),
    };
    let address = Address {
        name,
        key: Some(key),
        signal: None,
    };
    answered(call(&collector, address, posted).await)
}

/// As Jira Service Management's own API has it, with the name in the query:
/// <https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v2/api-group-heartbeats/>.
async fn pinged_of_team(state: State<Arc<Collector>>, posted: Posted) -> Response {
    let name = posted.fields().remove("name").unwrap_or_default();
    let address = Address {
        name,
        ..Address::default()
    };
    pinged(state, Ok(Path(address)), posted).await
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

/// Takes a call, whatever its body says; answers by when the next one must come, if one must.
async fn call(
    collector: &Collector,
    address: Address,
    mut posted: Posted,
) -> Result<(String, Option<Timestamp>), Refusal> {
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
    let fields = posted.fields();
    let signal = heartbeat::signal(address.signal.as_deref(), &fields);
    let next_call_by = match &signal {
        Ok(signal) => heartbeat::next_call_by(&heartbeat, *signal, collector.now()),
        Err(_) => None,
    };
    let mut call = Call::read_by(
        HEARTBEAT.into(),
        posted,
        Box::new({
            let heartbeat = heartbeat.clone();
            let message = fields.get("msg").or(fields.get("message")).cloned();
            move |_, _| heartbeat::understood(&heartbeat, signal?, message.as_deref())
        }),
    );
    call.owner = Some(heartbeat.integration);
    call.keys.extend(address.key);
    collector.take(call).await?;
    Ok((name, next_call_by))
}
