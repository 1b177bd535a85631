//! What came of a request that was accepted.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use domain::opsgenie::RequestId;
use domain::opsgenie::request::CREATE;
use domain::transition::Ignored;
use domain::words;
use jiff::Timestamp;
use schemas::alert::Status;
use schemas::{Alert, HistoryEntry, HistoryKind};
use serde::Deserialize;
use serde_json::json;

use super::answer::Answer;
use super::{Reading, Refusal, Sender, records, shown};
use crate::ApiError;

const NOT_THERE: &str = "Alert does not exist";
const CLOSED: &str = "Alert is closed";
/// The clients ask again when they are answered so.
const NOT_PROCESSED: &str = "RequestNotProcessed";

/// The id of a request, below any of the addresses.
#[derive(Deserialize)]
pub(super) struct Asked {
    request: String,
}

/// How a request ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    at: Timestamp,
    success: bool,
    status: String,
}

pub(super) async fn status(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(Asked { request }): Path<Asked>,
) -> Result<Response, Refusal> {
    let id: RequestId = request.parse().map_err(|_| Refusal::UnknownRequest)?;
    let alert = reading
        .api
        .store
        .alert(id.fingerprint)
        .await
        .map_err(ApiError::from)?;
    let alert = alert.filter(|alert| alert.integration == integration.name);
    let history = match &alert {
        Some(alert) => records::history(&reading, alert).await?,
        None => Vec::new(),
    };
    let line = history.iter().find(|line| line.event_id == Some(id.event_id));
    let ended = match (line, &alert) {
        (Some(line), _) => Some(by_history(id, line)),
        (None, Some(alert)) if id.action == CREATE => created(id, alert),
        (None, alert) => {
            let outcome = reading.api.store.request_outcome(id.event_id).await;
            let outcome = outcome.map_err(ApiError::from)?;
            outcome.map(|outcome| unchanged(id, &outcome.outcome, outcome.at, alert.as_ref()))
        }
    };
    let Some(ended) = ended else {
        return Ok(not_processed());
    };
    let shown = json!({
        "success": ended.success,
        "isSuccess": ended.success,
        "action": id.action,
        "status": ended.status,
        "processedAt": ended.at,
        "integrationId": integration.name,
        "alertId": alert.as_ref().map_or_else(String::new, shown::id),
        "alias": alert.as_ref().map_or_else(String::new, shown::alias),
    });
    Ok(Answer::of(shown).ok())
}

/// It changed the alert, or was refused.
fn by_history(id: RequestId, line: &HistoryEntry) -> Ended {
    match line.kind() {
        HistoryKind::Refused => Ended {
            at: line.at,
            success: false,
            status: words::message(&line.happening),
        },
        _ => Ended {
            at: line.at,
            success: true,
            status: id.done().to_owned(),
        },
    }
}

/// A create that changes nothing leaves no line, and one that was not processed leaves none either: but of an alert that is
/// open, or was closed after the request, it is known that it is there.
fn created(id: RequestId, alert: &Alert) -> Option<Ended> {
    let accepted_at = id.accepted_at()?;
    let is_there = alert.status == Status::Open || alert.closed_at.is_some_and(|at| at >= accepted_at);
    is_there.then(|| Ended {
        at: accepted_at,
        success: true,
        status: id.done().to_owned(),
    })
}

/// It changed nothing: the alert was not there, was closed, or was so already.
fn unchanged(id: RequestId, outcome: &str, at: Timestamp, alert: Option<&Alert>) -> Ended {
    let nothing_open = outcome == Ignored::NothingOpen.name();
    let status = match (nothing_open, alert) {
        (true, None) => NOT_THERE.to_owned(),
        (true, Some(_)) => CLOSED.to_owned(),
        (false, _) => format!("{} before", id.done()),
    };
    Ended {
        at,
        success: !nothing_open,
        status,
    }
}

fn not_processed() -> Response {
    let message = "the request was not processed yet, or a rule has dropped it; ask again in a second";
    let mut response = Answer::wrong(message).status(StatusCode::NOT_FOUND);
    response
        .headers_mut()
        .insert("x-opsgenie-errortype", HeaderValue::from_static(NOT_PROCESSED));
    response
}
