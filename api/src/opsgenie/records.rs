//! What is on record about an alert: its log, its notes, and who was notified.

use axum::extract::{Path, Query as Parameters, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::words;
use schemas::{Actor, Alert, HistoryEntry, HistoryKind, LedgerEntry, LedgerState, What};
use serde_json::{Value, json};

use super::answer::{Answer, Links};
use super::jira::{Form, NAMES_OF_RECORDS};
use super::list::{Asked, ascending, number};
use super::{OneOf, Reading, Refusal, Sender};
use crate::ApiError;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 100;
/// The most lines of a history that are looked at, newest first, and how many are read at once.
const LINES_MAX: usize = 10_000;
const LINES_AT_ONCE: usize = 500;

/// Lists that belong to an alert, by the last segment of the path.
pub(super) async fn list(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    form: Form,
    Path(OneOf { id, action }): Path<OneOf>,
    Parameters(asked): Parameters<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let asked = form.asked(asked);
    let alert = reading
        .alert(&integration, &id, asked.get("identifierType"))
        .await?;
    let path = format!("/{id}/{action}");
    let links = Links::of_pages(&reading, &headers, form, &path, NAMES_OF_RECORDS);
    match action.as_str() {
        "notes" => lines(&reading, &alert, &asked, &links, note).await,
        "logs" => lines(&reading, &alert, &asked, &links, log).await,
        "recipients" => {
            let ledger = reading.api.store.ledger(alert.fingerprint).await;
            let ledger = ledger.map_err(ApiError::from)?;
            Ok(Answer::of(ledger.iter().map(recipient).collect()).ok())
        }
        _ => Err(Refusal::Unknown(format!(
            "/v2/alerts{path}; notes, logs, recipients and attachments of an alert can be read"
        ))),
    }
}

/// A page of what `shown` makes of the history.
async fn lines(
    reading: &Reading,
    alert: &Alert,
    asked: &Asked,
    links: &Links,
    shown: fn(&HistoryEntry) -> Option<Value>,
) -> Result<Response, Refusal> {
    let limit = number(asked, "limit", LIMIT_DEFAULT, 1..=LIMIT_MAX)?;
    let ascending = ascending(asked)?;
    let offset = offset(asked)?;
    let backwards = match asked.get("direction").map(String::as_str) {
        None | Some("" | "next") => false,
        Some("prev") => true,
        Some(other) => {
            return Err(Refusal::parameter(
                "direction",
                format!("{other:?} is neither next nor prev"),
            ));
        }
    };
    let mut lines: Vec<_> = history(reading, alert).await?;
    if ascending {
        lines.reverse();
    }
    let mut lines: Vec<_> = lines
        .iter()
        .filter_map(|line| Some((line.sequence, shown(line)?)))
        .filter(|(sequence, _)| match offset {
            None => true,
            Some(offset) if ascending != backwards => *sequence > offset,
            Some(offset) => *sequence < offset,
        })
        .collect();
    let more = lines.len() > limit;
    if backwards && more {
        lines.drain(..lines.len() - limit);
    }
    lines.truncate(limit);
    let mut page = asked.clone();
    page.insert("limit".to_owned(), limit.to_string());
    page.remove("offset");
    page.insert("direction".to_owned(), "next".to_owned());
    let mut paging = json!({ "first": links.to(&page) });
    if let Some((sequence, _)) = lines.last().filter(|_| more || backwards) {
        page.insert("offset".to_owned(), sequence.to_string());
        paging["next"] = json!(links.to(&page));
    }
    let shown = lines.into_iter().map(|(_, line)| line).collect();
    Ok(Answer::of(shown).with("paging", paging).ok())
}

/// The offset is that of a line, as the answers have it.
fn offset(asked: &Asked) -> Result<Option<u64>, Refusal> {
    let Some(text) = asked
        .get("offset")
        .filter(|text| !text.is_empty() && *text != "0")
    else {
        return Ok(None);
    };
    let offset = text.parse().map(Some);
    offset.map_err(|_| Refusal::parameter("offset", format!("{text:?} is not the offset of a line")))
}

/// The history, newest first.
pub(super) async fn history(reading: &Reading, alert: &Alert) -> Result<Vec<HistoryEntry>, Refusal> {
    let (mut lines, mut cursor) = (Vec::new(), None);
    while lines.len() < LINES_MAX {
        let page = reading
            .api
            .store
            .history(alert.fingerprint, LINES_AT_ONCE, cursor);
        let page = page.await.map_err(ApiError::from)?;
        lines.extend(page.rows);
        cursor = page.next_cursor.and_then(|cursor| cursor.parse().ok());
        if cursor.is_none() {
            break;
        }
    }
    Ok(lines)
}

fn note(line: &HistoryEntry) -> Option<Value> {
    let What::Commented { comment: note } = &line.happening.what else {
        return None;
    };
    Some(json!({
        "note": note,
        "owner": owner(line),
        "createdAt": line.at,
        "offset": line.sequence.to_string(),
    }))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "as notes are, of which not every line is one"
)]
fn log(line: &HistoryEntry) -> Option<Value> {
    let by_person = matches!(line.happening.actor, Actor::User { .. });
    let is_notification = matches!(
        line.kind(),
        HistoryKind::Notifying
            | HistoryKind::Notified
            | HistoryKind::Retrying
            | HistoryKind::NotDelivered
            | HistoryKind::HeldBack
    );
    let kind = match (is_notification, by_person) {
        (true, _) => "alertRecipient",
        (false, true) => "alertAction",
        (false, false) => "system",
    };
    Some(json!({
        "log": words::message(&line.happening),
        "type": kind,
        "owner": owner(line),
        "createdAt": line.at,
        "offset": line.sequence.to_string(),
    }))
}

fn owner(line: &HistoryEntry) -> &str {
    words::name(&line.happening.actor)
}

/// Those who are notified here are destinations of channels.
fn recipient(entry: &LedgerEntry) -> Value {
    let state = match entry.state {
        LedgerState::Opening => "notifying",
        LedgerState::Open | LedgerState::Closing | LedgerState::Closed => "notified",
        LedgerState::Failed | LedgerState::NotClosed => "failed",
    };
    json!({
        "user": { "id": entry.destination, "username": entry.destination },
        "state": state,
        "method": entry.channel.name(),
        "createdAt": entry.opened_at,
        "updatedAt": entry.changed_at,
    })
}
