//! Opsgenie's alert API, with its own answers. The key comes as `Authorization: GenieKey`.
//!
//! The id of a request names the action and the alert, so that the API, which has the database, can answer for its outcome.
//! Alerts are read from the API too, at the same addresses.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use domain::opsgenie::{AlertName, InvalidAlertName, RequestId, alert_name, request};
use serde::Deserialize;
use serde_json::json;
use sources::systems::opsgenie::{self, AlertAction};
use sources::{ParsedBody, SourceError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::collector::Collector;
use crate::intake::decode::Accepted;
use crate::intake::error::IngestError;
use crate::intake::request::{IncomingRequest, IngestRequest};

/// The action that deleting an alert is, too.
const CLOSE: &str = "close";
/// Where Opsgenie itself has its API, and where Jira Service Management has it: as Opsgenie, and with an API of its own,
/// <https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v2/api-group-alerts/>.
const ADDRESSES: [&str; 3] = [
    "/v2/alerts",
    "/jsm/ops/integration/v2/alerts",
    "/jsm/ops/api/{cloud}/v1/alerts",
];

/// An alert that its sender names, below any of the addresses.
#[derive(Deserialize)]
struct Address {
    id: String,
    #[serde(default)]
    action: String,
    /// The name of a custom action.
    #[serde(default)]
    name: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Collector>> {
    ADDRESSES.iter().fold(Router::new(), |router, address| {
        router
            .route(address, post(create))
            .route(&format!("{address}/{{id}}"), delete(remove))
            .route(
                &format!("{address}/{{id}}/{{action}}"),
                post(act).put(act).patch(act).delete(act),
            )
            .route(&format!("{address}/{{id}}/actions/{{name}}"), post(act_as_named))
    })
}

async fn create(State(collector): State<Arc<Collector>>, incoming: IncomingRequest) -> Response {
    ingested(
        &collector,
        request::CREATE,
        IngestRequest::new(&opsgenie::SOURCE, incoming),
    )
    .await
}

async fn remove(
    State(collector): State<Arc<Collector>>,
    Path(mut address): Path<Address>,
    incoming: IncomingRequest,
) -> Response {
    CLOSE.clone_into(&mut address.action);
    ingested(&collector, request::DELETE, action_request(address, incoming)).await
}

async fn act(
    State(collector): State<Arc<Collector>>,
    Path(mut address): Path<Address>,
    incoming: IncomingRequest,
) -> Response {
    // The name in Jira Service Management.
    if address.action == "extra-properties" {
        "details".clone_into(&mut address.action);
    }
    act_on(&collector, address, incoming).await
}

/// A custom action of a team.
async fn act_as_named(
    State(collector): State<Arc<Collector>>,
    Path(mut address): Path<Address>,
    incoming: IncomingRequest,
) -> Response {
    "actions".clone_into(&mut address.action);
    act_on(&collector, address, incoming).await
}

async fn act_on(collector: &Collector, address: Address, incoming: IncomingRequest) -> Response {
    let action = request::action_of(&address.action, incoming.method == Method::DELETE);
    ingested(collector, action, action_request(address, incoming)).await
}

/// A request with an action on an alert. What is to be removed stands in the query.
fn action_request(address: Address, incoming: IncomingRequest) -> IngestRequest {
    let removes = incoming.method == Method::DELETE && address.action != CLOSE;
    let is_delete = incoming.method == Method::DELETE;
    let fields = incoming.fields();
    let mut request = IngestRequest::new(&opsgenie::SOURCE, incoming);
    request.parse = Box::new(move |_, body| {
        let identifier_type = fields.get("identifierType").map(String::as_str);
        let name = alert_name(&address.id, identifier_type).map_err(|error| invalid_name(&error))?;
        let action = AlertAction {
            name: &address.action,
            removes,
            alias: &address.id,
            custom_action: address.name.as_deref(),
        };
        let in_query = removes || (is_delete && body.trim_ascii().is_empty());
        let parsed = match in_query {
            true => action.parse(json!(fields).to_string().as_bytes()),
            false => action.parse(body),
        }?;
        Ok(ParsedBody {
            alert: match name {
                AlertName::Fingerprint(fingerprint) => Some(fingerprint),
                AlertName::Alias(_) => None,
            },
            outcome_wanted: true,
            ..parsed
        })
    });
    request
}

fn invalid_name(error: &InvalidAlertName) -> SourceError {
    let text = error.to_string();
    let (reason, remedy) = text.split_once("; ").unwrap_or((&text, ""));
    let reason = reason.strip_prefix(error.field()).unwrap_or(reason).trim_start();
    SourceError::Invalid {
        field: error.field().to_owned(),
        reason: reason.to_owned(),
        remedy: remedy.to_owned(),
    }
}

async fn ingested(collector: &Collector, action: &'static str, request: IngestRequest) -> Response {
    let started = Instant::now();
    match collector.ingest(request).await {
        Ok(accepted) => {
            let request = request_id(action, &accepted);
            let answer = json!({
                "result": accepted.warnings.first().map_or("Request will be processed", String::as_str),
                "took": started.elapsed().as_secs_f64(),
                "requestId": request,
            });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(error) => error_response(&error, started),
    }
}

/// The event, the action, and the alert.
fn request_id(action: &'static str, accepted: &Accepted) -> String {
    let receipt = accepted.receipts.first();
    let id = receipt.map(|receipt| RequestId {
        event_id: receipt.event_id,
        action,
        fingerprint: receipt.fingerprint,
    });
    id.map_or_else(|| Uuid::now_v7().to_string(), |id| id.to_string())
}

/// An error as Opsgenie answers it.
pub(super) fn error_response(error: &IngestError, started: Instant) -> Response {
    let message = error.to_string();
    let took = started.elapsed().as_secs_f64();
    let mut answer = json!({ "message": message, "took": took, "requestId": Uuid::now_v7() });
    if let IngestError::Source(error) = error
        && let Some(field) = error.field()
    {
        answer["errors"] = json!({ field: message });
    }
    error.response(error.status(), Json(answer))
}
