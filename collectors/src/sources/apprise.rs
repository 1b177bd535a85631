//! Apprise: what its services `json://` and `xml://` post.
//! <https://appriseit.com/services/json/>, <https://appriseit.com/services/xml/>
//!
//! Identity: the title; without a title, the message.

use std::borrow::Cow;

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json::{self, Object};
use super::{SourceError, SourceEvent, Understood, xml};

const TEXT: &str = "send a title or a message, as Apprise does";
const TYPES: &str = "send failure, warning, info or success";
/// What is no label. The names of XML come first.
const KNOWN: [&str; 10] = [
    "Version",
    "Subject",
    "Message",
    "MessageType",
    "version",
    "title",
    "message",
    "type",
    "attachments",
    "Attachment",
];

/// Whether a body is one of Apprise's, where others are posted too.
pub(super) fn is_one(body: &[u8]) -> bool {
    let fields = match xml::as_json(body) {
        Some(fields) => return fields.is_ok(),
        None => json::made(body).and_then(json::Node::object),
    };
    fields.is_ok_and(|fields| {
        ["version", "title", "message", "type"]
            .iter()
            .all(|name| fields.get(name).is_some())
    })
}

/// Reads one notification.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let body = match xml::as_json(body) {
        Some(json) => Cow::Owned(json?),
        None => Cow::Borrowed(body),
    };
    notification(&json::made(&body)?.object()?).map(Understood::from)
}

fn notification(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let title = body.first(&["Subject", "title"])?;
    let message = body.first(&["Message", "message"])?;
    let name = match title.as_ref().or(message.as_ref()) {
        Some(name) => name.clone(),
        None => body.needed(&["title"], TEXT)?,
    };
    let kind = body.needed(&["MessageType", "type"], TYPES)?;
    let (status, severity) = match kind.to_ascii_lowercase().as_str() {
        "failure" => (EventStatus::Firing, Severity::Critical),
        "warning" => (EventStatus::Firing, Severity::Warning),
        "info" => (EventStatus::Firing, Severity::Information),
        "success" => (EventStatus::Resolved, Severity::Ok),
        _ => return Err(body.refuse(&["MessageType", "type"], &kind, TYPES)),
    };
    let kind_of_name = if title.is_some() { "title" } else { "message" };
    let mut event = SourceEvent::new([kind_of_name, &name], status, severity);
    event.source = "apprise".to_owned();
    event.output = message.unwrap_or_default();
    event.object = name.clone();
    event.name = name;
    for name in body.names().filter(|name| !KNOWN.contains(name)) {
        event.add_label(name, body.flat(name));
    }
    event.ask_by_labels();
    Ok(event)
}
