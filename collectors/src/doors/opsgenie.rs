//! Opsgenie's alert API, with its own answers. The key comes as `Authorization: GenieKey`.
//!
//! The id of an alert is its alias. The id of a request says what was asked for, so that it can be asked about without
//! anything being kept.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::opsgenie::Deed;
use crate::sources::{OPSGENIE, SourceError};
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

/// The last segment of a deed's path (the first two have none), with the method if that matters, and what Opsgenie calls
/// it before and after it is done.
const DEEDS: [(&str, &str, &str); 16] = [
    ("", "Create", "Created alert"),
    ("", "Delete", "Deleted alert"),
    ("acknowledge", "Acknowledge", "Acknowledged alert"),
    ("unacknowledge", "UnAcknowledge", "Unacknowledged alert"),
    ("close", "Close", "Closed alert"),
    ("notes", "AddNote", "Note added to alert"),
    ("snooze", "Snooze", "Snoozed alert"),
    ("assign", "AssignOwnership", "Assigned ownership of alert"),
    ("priority", "UpdatePriority", "Updated priority of alert"),
    ("message", "UpdateMessage", "Updated message of alert"),
    ("description", "UpdateDescription", "Updated description of alert"),
    ("tags", "AddTags", "Tags added to alert"),
    ("DELETE tags", "RemoveTags", "Tags removed from alert"),
    ("details", "AddDetails", "Details added to alert"),
    ("DELETE details", "RemoveDetails", "Details removed from alert"),
    ("escalate", "Escalate", "Escalated alert"),
];

/// An alert that its sender names, below any of the addresses.
#[derive(Deserialize)]
struct Address {
    id: String,
    #[serde(default)]
    deed: String,
}

/// The id of a request, below any of the addresses.
#[derive(Deserialize)]
struct Asked {
    request: String,
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
            .route(&format!("{address}/requests/{{request}}"), get(asked_about))
    })
}

async fn create(State(collector): State<Arc<Collector>>, posted: Posted) -> Response {
    answered(&collector, "Create", Call::new(&OPSGENIE, posted)).await
}

async fn remove(
    State(collector): State<Arc<Collector>>,
    Path(Address { id, .. }): Path<Address>,
    posted: Posted,
) -> Response {
    answered(&collector, "Delete", to_known(id, CLOSE.to_owned(), posted)).await
}

async fn act(
    State(collector): State<Arc<Collector>>,
    Path(Address { id, deed }): Path<Address>,
    posted: Posted,
) -> Response {
    done(&collector, id, deed, posted).await
}

async fn done(collector: &Collector, id: String, deed: String, posted: Posted) -> Response {
    let deed = match deed.as_str() {
        // As Jira Service Management calls them.
        "extra-properties" => "details".to_owned(),
        _ => deed,
    };
    let removing = format!("DELETE {deed}");
    let name = match posted.method {
        Method::DELETE => &removing,
        _ => &deed,
    };
    let action = DEEDS
        .iter()
        .find_map(|(known, action, _)| (known == name).then_some(*action))
        .unwrap_or("Update");
    answered(collector, action, to_known(id, deed, posted)).await
}

/// An action of a team's own. They are refused as all that a sender cannot do here.
async fn act_as_named(
    State(collector): State<Arc<Collector>>,
    Path(Address { id, .. }): Path<Address>,
    posted: Posted,
) -> Response {
    done(&collector, id, "actions".to_owned(), posted).await
}

/// A deed to an alert that its sender names. What is to be removed stands in the query, as nothing else has its place.
fn to_known(alias: String, name: String, posted: Posted) -> Call {
    let removes = posted.method == Method::DELETE && name != CLOSE;
    let fields = posted.fields();
    let mut call = Call::new(&OPSGENIE, posted);
    call.read = Box::new(move |_, body| {
        let identifier_type = fields.get("identifierType").map(String::as_str);
        named_by_alias(identifier_type)?;
        // Apprise names an alert by the id of the request that created it.
        let created = match identifier_type {
            Some("alias") => None,
            _ => request_of(&alias).filter(|request| request.action == "Create"),
        };
        let deed = Deed {
            name: &name,
            removes,
            alias: created.as_ref().map_or(&alias, |request| &request.alias),
        };
        match removes {
            true => deed.read(json!(fields).to_string().as_bytes()),
            false => deed.read(body),
        }
    });
    call
}

/// The id of an alert is its alias. What is named in another way would be another alert.
fn named_by_alias(identifier_type: Option<&str>) -> Result<(), SourceError> {
    let reason = match identifier_type {
        None | Some("" | "id" | "alias") => return Ok(()),
        Some("tiny") => "is tiny, and alerts have no numbers here".to_owned(),
        Some(other) => {
            let shown: String = other.chars().take(60).collect();
            format!("is {shown:?}, which is no way to name an alert")
        }
    };
    Err(SourceError::Invalid {
        field: "identifierType".to_owned(),
        reason,
        remedy: "name the alert by its alias, with identifierType=alias".to_owned(),
    })
}

async fn answered(collector: &Collector, action: &str, call: Call) -> Response {
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

/// The event, what was asked for, and the alias.
fn request_id(action: &str, taken: &Taken) -> String {
    let receipt = taken.receipts.first();
    let event = receipt.map_or(Uuid::nil(), |receipt| receipt.event_id);
    let alias = receipt.and_then(|receipt| receipt.identity.last());
    let alias = alias.map(String::as_str).unwrap_or_default();
    format!("{event}.{action}.{}", URL_SAFE_NO_PAD.encode(alias))
}

/// What became of a request. It is in the log, or it would have no id; to an alert that is not open nothing is done.
async fn asked_about(Path(Asked { request }): Path<Asked>) -> Response {
    match outcome(&request) {
        Some(outcome) => Json(json!({ "data": outcome, "took": 0.0, "requestId": request })).into_response(),
        None => {
            let message = "there is no request with this id; give the requestId of an answer";
            (
                StatusCode::NOT_FOUND,
                Json(json!({ "message": message, "took": 0.0 })),
            )
                .into_response()
        }
    }
}

/// What the id of a request says.
struct Request<'i> {
    event: Uuid,
    action: &'i str,
    alias: String,
}

fn request_of(id: &str) -> Option<Request<'_>> {
    let mut parts = id.splitn(3, '.');
    Some(Request {
        event: parts.next()?.parse().ok()?,
        action: parts.next()?,
        alias: String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?,
    })
}

fn outcome(request: &str) -> Option<Value> {
    let Request { event, action, alias } = request_of(request)?;
    let (seconds, _) = event.get_timestamp().map(|at| at.to_unix())?;
    let at = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    let status = DEEDS
        .iter()
        .find_map(|(_, known, status)| (*known == action).then_some(*status))?;
    Some(json!({
        "success": true, "isSuccess": true, "action": action, "status": status, "processedAt": at.to_string(),
        "alertId": alias, "alias": alias,
    }))
}

/// What Opsgenie says of what it refuses.
pub(super) fn refused(refusal: &Refusal, started: Instant) -> Response {
    let message = refusal.to_string();
    let mut answer = json!({ "message": message, "took": started.elapsed().as_secs_f64() });
    if let Refusal::Source(error) = refusal
        && let Some(field) = error.field()
    {
        answer["errors"] = json!({ field: message });
    }
    refusal.answered(refusal.status(), Json(answer))
}
