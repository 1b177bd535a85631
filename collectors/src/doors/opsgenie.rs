//! Opsgenie's alert API, with its own answers. The key comes as `Authorization: GenieKey`.
//!
//! The id of a request says what was asked for and of which alert; the API, which has the database, answers what became of
//! it. What is read of alerts is the API's too, at the same addresses.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use domain::opsgenie::{AlertName, InvalidAlertName, RequestId, alert_name, request};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::opsgenie::Deed;
use crate::sources::{OPSGENIE, SourceError, Understood};
use crate::work::Taken;

/// Also what deleting an alert is.
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
    deed: String,
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
                &format!("{address}/{{id}}/{{deed}}"),
                post(act).put(act).patch(act).delete(act),
            )
            .route(&format!("{address}/{{id}}/actions/{{name}}"), post(act_as_named))
    })
}

async fn create(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    answered(&collector, request::CREATE, Call::new(&OPSGENIE, posted)).await
}

async fn remove(
    State(collector): State<Arc<Collector>>,
    Path(mut address): Path<Address>,
    posted: Posted,
) -> Response {
    CLOSE.clone_into(&mut address.deed);
    answered(&collector, request::DELETE, to_known(address, posted)).await
}

async fn act(
    State(collector): State<Arc<Collector>>,
    Path(mut address): Path<Address>,
    posted: Posted,
) -> Response {
    // As Jira Service Management calls them.
    if address.deed == "extra-properties" {
        "details".clone_into(&mut address.deed);
    }
    done(&collector, address, posted).await
}

/// An action of a team's own.
async fn act_as_named(
    State(collector): State<Arc<Collector>>,
    Path(mut address): Path<Address>,
    posted: Posted,
) -> Response {
    "actions".clone_into(&mut address.deed);
    done(&collector, address, posted).await
}

async fn done(collector: &Collector, address: Address, posted: Posted) -> Response {
    let action = request::action_of(&address.deed, posted.method == Method::DELETE);
    answered(collector, action, to_known(address, posted)).await
}

/// A deed to an alert that its sender names. What is to be removed stands in the query, as nothing else has its place.
fn to_known(address: Address, posted: Posted) -> Call {
    let removes = posted.method == Method::DELETE && address.deed != CLOSE;
    let is_delete = posted.method == Method::DELETE;
    let fields = posted.fields();
    let mut call = Call::new(&OPSGENIE, posted);
    call.read = Box::new(move |_, body| {
        let identifier_type = fields.get("identifierType").map(String::as_str);
        let name = alert_name(&address.id, identifier_type).map_err(|error| invalid_name(&error))?;
        let deed = Deed {
            name: &address.deed,
            removes,
            alias: &address.id,
            custom_action: address.name.as_deref(),
        };
        let in_query = removes || (is_delete && body.trim_ascii().is_empty());
        let understood = match in_query {
            true => deed.read(json!(fields).to_string().as_bytes()),
            false => deed.read(body),
        }?;
        Ok(Understood {
            alert: match name {
                AlertName::Fingerprint(fingerprint) => Some(fingerprint),
                AlertName::Alias(_) => None,
            },
            outcome_wanted: true,
            ..understood
        })
    });
    call
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

async fn answered(collector: &Collector, action: &'static str, call: Call) -> Response {
    let started = Instant::now();
    match collector.take(call).await {
        Ok(taken) => {
            let request = request_id(action, &taken);
            let answer = json!({
                "result": taken.remarks.first().map_or("Request will be processed", String::as_str),
                "took": started.elapsed().as_secs_f64(),
                "requestId": request,
            });
            (StatusCode::ACCEPTED, Json(answer)).into_response()
        }
        Err(refusal) => refused(&refusal, started),
    }
}

/// The event, what was asked for, and the alert.
fn request_id(action: &'static str, taken: &Taken) -> String {
    let receipt = taken.receipts.first();
    let id = receipt.map(|receipt| RequestId {
        event_id: receipt.event_id,
        action,
        fingerprint: receipt.fingerprint,
    });
    id.map_or_else(|| Uuid::now_v7().to_string(), |id| id.to_string())
}

/// What Opsgenie says of what it refuses.
pub(super) fn refused(refusal: &Refusal, started: Instant) -> Response {
    let message = refusal.to_string();
    let took = started.elapsed().as_secs_f64();
    let mut answer = json!({ "message": message, "took": took, "requestId": Uuid::now_v7() });
    if let Refusal::Source(error) = refusal
        && let Some(field) = error.field()
    {
        answer["errors"] = json!({ field: message });
    }
    refusal.answered(refusal.status(), Json(answer))
}
