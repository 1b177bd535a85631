//! The events API of ilert.
//!
//! Identity: `alertKey`, without regard to case as in ilert; what has none is known by its summary, where ilert would
//! open a new alert each time.

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json::{self, Node, Object};
use super::{SourceError, SourceEvent, Understood};

const TYPES: &str = "send ALERT, ACCEPT or RESOLVE";
const SEVERITIES: &str = "send a number from 1 to 5";
const PRIORITIES: &str = "send HIGH or LOW";
/// The second is what clients of old send.
const KEYS: [&str; 2] = ["alertKey", "incidentKey"];

/// Reads one event.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let body = json::made(body)?.object()?;
    let kind = body.needed(&["eventType"], TYPES)?;
    let status = match kind.as_str() {
        "ALERT" => EventStatus::Firing,
        "ACCEPT" => EventStatus::Acknowledged,
        "RESOLVE" => EventStatus::Resolved,
        "COMMENT" => return Ok(Understood::nothing("a comment is no alert, so nothing was done")),
        _ => return Err(body.refuse(&["eventType"], &kind, TYPES)),
    };
    event(&body, status).map(Understood::from)
}

/// The key that the sender was given.
pub(crate) fn integration_key(body: &[u8]) -> Option<String> {
    let body = json::made(body).ok()?.object().ok()?;
    body.first(&["integrationKey", "apiKey"]).ok()?
}

fn event(body: &Object<'_, '_>, status: EventStatus) -> Result<SourceEvent, SourceError> {
    let key = body.first(&KEYS)?.map(|key| key.trim().to_lowercase());
    let name = match (&key, body.text("summary")?) {
        (_, Some(summary)) => summary,
        (Some(key), None) if status != EventStatus::Firing => key.clone(),
        _ => body.needed(&["summary"], "send a summary")?,
    };
    let identity = match &key {
        Some(key) => ["key", key],
        None => ["summary", &name],
    };
    let mut event = SourceEvent::new(identity, status, severity(body)?);
    event.output = body.text("details")?.unwrap_or_else(|| name.clone());
    event.object = key.clone().unwrap_or_else(|| name.clone());
    event.name = name;
    for list in ["labels", "customDetails"] {
        if body.get(list).is_some_and(Node::is_object) {
            event.labels.extend(body.texts(list)?);
        }
    }
    event.add_label("alert_key", key);
    event.ask_by_labels();
    event.add_lists_of_links(body)?;
    Ok(event)
}

/// By the number, else by the priority.
fn severity(body: &Object<'_, '_>) -> Result<Severity, SourceError> {
    if let Some(number) = body.text("severity")? {
        return match number.as_str() {
            "1" => Ok(Severity::Urgent),
            "2" => Ok(Severity::Critical),
            "3" => Ok(Severity::Warning),
            "4" | "5" => Ok(Severity::Information),
            _ => Err(body.refuse(&["severity"], &number, SEVERITIES)),
        };
    }
    match body.text("priority")?.as_deref() {
        None | Some("HIGH") => Ok(Severity::Critical),
        Some("LOW") => Ok(Severity::Warning),
        Some(other) => Err(body.refuse(&["priority"], other, PRIORITIES)),
    }
}
