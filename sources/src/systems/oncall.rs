//! Grafana OnCall: its formatted webhook.
//!
//! Identity: `alert_uid`; without one the title without the words of a state, where OnCall would
//! put all of it together. A title that a tool gives to all its messages identifies nothing: there the message counts, too.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::{severity, state_words};

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "oncall",
    title: "Grafana OnCall formatted webhook",
    documentation: "docs/sources/oncall.md",
    methods: POST,
    parse,
};

const TITLE: &str = "send a title, or an alert_uid";
const STATES: &str = "send alerting or ok";
/// Members with a meaning of their own. All others become labels.
const KNOWN: [&str; 6] = [
    "alert_uid",
    "title",
    "message",
    "state",
    "image_url",
    "link_to_upstream_details",
];

/// Parses one alert.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    Ok(ParsedBody::from(event(&body)?).with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    // The second is that of Kapacitor.
    let key = body.first(&["alert_uid", "id"])?;
    let title = match (body.set("title")?, &key) {
        (Some(title), _) => title,
        (None, Some(key)) => key.clone(),
        (None, None) => body.needed(&["title"], TITLE)?,
    };
    let by_title = state_words::state_of_line(&title, None);
    let status = status(body, by_title.status)?;
    let line = state_words::state_of_line(&title, Some(status));
    let message = body.set("message")?.unwrap_or_default();
    let about = state_words::without_states(&message, Some(status));
    let identity = match &key {
        Some(key) => vec!["alert_uid", key],
        None if line.is_generic() => vec!["title", line.about_or(&title), &about],
        None => vec!["title", line.about_or(&title)],
    };
    let severity = match body.first(&["severity", "level"])? {
        Some(word) => severity::of_word(&word).unwrap_or(Severity::Unknown),
        None => line.severity_of_alarm(),
    };
    let mut event = SourceEvent::new(identity, status, severity);
    event.output = message;
    if key.is_none() {
        event.warn_of_end(line.about_or(&title));
    }
    event.object = body
        .first(&["hostname", "host"])?
        .unwrap_or_else(|| title.clone());
    event.name = title;
    for name in body.names().filter(|name| !KNOWN.contains(name)) {
        event.add_label(name, body.flat(name));
    }
    event.add_label("alert_uid", key);
    event.ask_by_labels();
    for (link, name) in [("Details", "link_to_upstream_details"), ("Image", "image_url")] {
        event.add_link(link, body.set(name)?.unwrap_or_default());
    }
    Ok(event)
}

/// By the state, or else by the title; without either it fires. LibreNMS sends `ok` for all that is not new, and the actual state in
/// `raw_state`.
fn status(body: &Object<'_, '_>, by_title: Option<EventStatus>) -> Result<EventStatus, SourceError> {
    let Some(word) = body.text("state")? else {
        return Ok(match body.text("level")? {
            Some(level) if level.eq_ignore_ascii_case("ok") => EventStatus::Resolved,
            Some(_) => EventStatus::Firing,
            None => by_title.unwrap_or(EventStatus::Firing),
        });
    };
    match word.to_ascii_lowercase().as_str() {
        "alerting" => Ok(EventStatus::Firing),
        "ok" | "resolved" => Ok(match body.text("raw_state")?.as_deref() {
            Some("2") => EventStatus::Acknowledged,
            // Worse, better, changed.
            Some("3" | "4" | "5") => EventStatus::Firing,
            _ => EventStatus::Resolved,
        }),
        _ => Err(body.refuse(&["state"], &word, STATES)),
    }
}
