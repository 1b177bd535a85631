//! Calls of heartbeats, with any method. The key may be the last segment.

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
use sources::heartbeat::{self, HEARTBEAT, Signal};
use tokio::time::Instant;
use uuid::Uuid;

use super::opsgenie;
use crate::collector::Collector;
use crate::intake::body;
use crate::intake::error::{IngestError, MAX_NAME_CHARACTERS};
use crate::intake::request::{IncomingRequest, IngestRequest};

pub(super) fn routes() -> Router<Arc<Collector>> {
    Router::new()
        .route("/heartbeat/{name}", any(called))
        .route("/heartbeat/{name}/{key}", any(called))
        .route("/heartbeat/{name}/{key}/{signal}", any(called))
        // The addresses of Opsgenie, and of Jira Service Management.
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
    fn with_signal(mut self) -> Self {
        if self.signal.is_none() && self.key.as_deref().is_some_and(|key| Signal::of(key).is_some()) {
            self.signal = self.key.take();
        }
        self
    }
}

type AddressResult = Result<Path<Address>, PathRejection>;

async fn called(
    State(collector): State<Arc<Collector>>,
    address: AddressResult,
    incoming: IncomingRequest,
) -> Response {
    let address = address.map(|Path(address)| address).unwrap_or_default();
    response(ingest_call(&collector, address.with_signal(), incoming).await)
}

fn response(called: Result<(String, Option<Timestamp>), IngestError>) -> Response {
    match called {
        Ok((name, next_call_by)) => {
            Json(json!({ "heartbeat": name, "next_call_by": next_call_by })).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// The key of an integration as a segment of an address, which may have others.
#[derive(Deserialize)]
pub(super) struct KeyInPath {
    key: String,
}

/// The heartbeat of an integration, for addresses that name none: the only one that it has.
pub(super) async fn called_by_integration(
    State(collector): State<Arc<Collector>>,
    Path(KeyInPath { key }): Path<KeyInPath>,
    incoming: IncomingRequest,
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
    response(ingest_call(&collector, address, incoming).await)
}

/// As Jira Service Management's own API has it, with the name in the query:
/// <https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v2/api-group-heartbeats/>.
async fn pinged_of_team(state: State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    let name = incoming.fields().remove("name").unwrap_or_default();
    let address = Address {
        name,
        ..Address::default()
    };
    pinged(state, Ok(Path(address)), incoming).await
}

async fn pinged(
    State(collector): State<Arc<Collector>>,
    address: AddressResult,
    incoming: IncomingRequest,
) -> Response {
    let started = Instant::now();
    let address = address.map(|Path(address)| address).unwrap_or_default();
    match ingest_call(&collector, address, incoming).await {
        Ok(_) => {
            let took = started.elapsed().as_secs_f64();
            let id = Uuid::now_v7();
            let answer = json!({ "result": "PONG - Heartbeat received", "took": took, "requestId": id });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(error) => opsgenie::error_response(&error, started),
    }
}

/// Ingests a call and ignores its body. Gives the name of the heartbeat, and when the next call is due, if one is.
async fn ingest_call(
    collector: &Collector,
    address: Address,
    mut incoming: IncomingRequest,
) -> Result<(String, Option<Timestamp>), IngestError> {
    let body = std::mem::replace(&mut incoming.body, Body::empty());
    body::drain(body.into_data_stream()).await;
    incoming.headers.remove(header::CONTENT_ENCODING);
    let known = collector.site().and_then(|site| {
        let found = site.heartbeats.get(&address.name).cloned();
        found.ok_or_else(|| IngestError::UnknownHeartbeat {
            name: address.name.chars().take(MAX_NAME_CHARACTERS).collect(),
        })
    });
    let heartbeat = match known {
        Ok(heartbeat) => heartbeat,
        Err(error) => {
            return Err(collector
                .reject(Some(HEARTBEAT.into()), error, Body::empty())
                .await);
        }
    };
    let name = heartbeat.name.clone();
    let fields = incoming.fields();
    let signal = heartbeat::signal(address.signal.as_deref(), &fields);
    let next_call_by = match &signal {
        Ok(signal) => heartbeat::next_call_by(&heartbeat, *signal, collector.now()),
        Err(_) => None,
    };
    let mut request = IngestRequest::parsed_by(
        HEARTBEAT.into(),
        incoming,
        Box::new({
            let heartbeat = heartbeat.clone();
            let message = fields.get("msg").or(fields.get("message")).cloned();
            move |_, _| heartbeat::parse_call(&heartbeat, signal?, message.as_deref())
        }),
    );
    request.owner = Some(heartbeat.integration);
    request.keys.extend(address.key);
    collector.ingest(request).await?;
    Ok((name, next_call_by))
}
