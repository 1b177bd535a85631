//! Apprise: what its services `json://`, `xml://` and `form://` post.
//! <https://appriseit.com/services/json/>, <https://appriseit.com/services/xml/>, <https://appriseit.com/services/form/>
//!
//! Identity: the title without the words of a state; without a title, the message. A title that a tool gives to all its
//! messages identifies nothing: there the message counts, too.

use std::borrow::Cow;

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::{lenient, xml};
use crate::parsed::ParsedBody;
use crate::source::{POST_PUT_AND_GET, Source};
use crate::text::state_words;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "apprise",
    title: "Apprise: json://, xml:// and form://",
    documentation: "docs/sources/apprise.md",
    methods: POST_PUT_AND_GET,
    parse,
};

const TEXT: &str = "send a title or a message, as Apprise does";
const TYPES: &str = "send failure, warning, info or success";
/// The fields that are no labels. The names of XML come first.
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

/// Parses one notification.
pub(super) fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let (body, warning) = match xml::as_json(body) {
        Some(json) => (Cow::Owned(json?), None),
        None => {
            let repaired = lenient::body(body);
            (repaired.body, repaired.warning)
        }
    };
    let parsed = notification(&json::made(&body)?.object()?).map(ParsedBody::from)?;
    Ok(parsed.with_warning(warning))
}

fn notification(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let title = body.first(&["Subject", "title"])?;
    let message = body.first(&["Message", "message"])?;
    let name = match title.as_ref().or(message.as_ref()) {
        Some(name) => name.clone(),
        None => body.needed(&["title"], TEXT)?,
    };
    let kind = body.needed(&["MessageType", "type"], TYPES)?;
    let text = message.as_deref().filter(|_| title.is_some()).unwrap_or_default();
    let (status, severity) = match kind.to_ascii_lowercase().as_str() {
        "failure" => (EventStatus::Firing, Severity::Critical),
        "warning" => (EventStatus::Firing, Severity::Warning),
        // The type of what names none: Uptime Kuma has it for "up" and "down".
        "info" => by_words(&name, text).unwrap_or((EventStatus::Firing, Severity::Information)),
        "success" => (EventStatus::Resolved, Severity::Ok),
        _ => return Err(body.refuse(&["MessageType", "type"], &kind, TYPES)),
    };
    let line = state_words::state_of_line(&name, Some(status));
    let about = state_words::without_states(text, Some(status));
    let kind_of_name = if title.is_some() { "title" } else { "message" };
    let identity = match line.is_generic() {
        true => vec![kind_of_name, line.about_or(&name), &about],
        false => vec![kind_of_name, line.about_or(&name)],
    };
    let mut event = SourceEvent::new(identity, status, severity);
    if line.status.is_some() || line.is_generic() {
        event.warn_of_end(line.about_or(&name));
    }
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

/// How things stand by the title, or else by the first line of the text that says so.
fn by_words(title: &str, text: &str) -> Option<(EventStatus, Severity)> {
    let lines = std::iter::once(title).chain(text.lines());
    let stated = lines
        .map(|line| state_words::state_of_line(line, None))
        .find(|line| line.status.is_some())?;
    match stated.status? {
        EventStatus::Resolved => Some((EventStatus::Resolved, Severity::Ok)),
        status => Some((status, stated.severity_of_alarm())),
    }
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
            let parsed = parse(&HeaderMap::new(), body.as_bytes()).expect("a notification");
            let event = &parsed.events[0];
            assert_eq!(event.name, "checkout is slow", "{body}");
            assert_eq!(event.output, "p95 is 3 s", "{body}");
            assert_eq!(event.severity, Severity::Critical, "{body}");
        }
    }
}
