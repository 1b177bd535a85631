//! Apprise: what its services `json://`, `xml://` and `form://` post.
//! <https://appriseit.com/services/json/>, <https://appriseit.com/services/xml/>, <https://appriseit.com/services/form/>
//!
//! Identity: the title; without a title, the message.

use std::borrow::Cow;

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json::{self, Object};
use super::{SourceError, SourceEvent, Understood, lenient, xml};

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
    let (body, remark) = match xml::as_json(body) {
        Some(json) => (Cow::Owned(json?), None),
        None => {
            let mended = lenient::body(body);
            (mended.body, mended.remark)
        }
    };
    let understood = notification(&json::made(&body)?.object()?).map(Understood::from)?;
    Ok(understood.with_remark(remark))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c7_a_form_is_the_same_notification() {
        let form = "version=1.0&title=checkout+is+slow&message=p95+is+3+s&type=failure";
        let parts = ["title", "message", "type"].map(|name| {
            let value = match name {
                "title" => "checkout is slow",
                "message" => "p95 is 3 s",
                _ => "failure",
            };
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        });
        let parts = format!("{}--x--\r\n", parts.concat());
        for body in [form, parts.as_str()] {
            let understood = read(&HeaderMap::new(), body.as_bytes()).expect("a notification");
            let event = &understood.events[0];
            assert_eq!(event.name, "checkout is slow", "{body}");
            assert_eq!(event.output, "p95 is 3 s", "{body}");
            assert_eq!(event.severity, Severity::Critical, "{body}");
        }
    }
}
