//! The Netdata agent: what the function `custom_sender` of its notification script posts: the one that the documentation here gives.
//!
//! Identity: host and `alarm_id`; without one, chart and name of the alert.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "netdata-agent",
    title: "Netdata agent custom_sender",
    documentation: "docs/sources/netdata-agent.md",
    methods: POST,
    parse,
};

const STATES: &str =
    "send status with ${status}: it is CLEAR, WARNING, CRITICAL, REMOVED, UNINITIALIZED or UNDEFINED";

/// Parses one change of an alert.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    let parsed = match state(&body)? {
        Some((status, severity)) => event(&body, status, severity)?.into(),
        None => ParsedBody::nothing(
            "an alert that has no value yet is neither raised nor clear, so nothing was done",
        ),
    };
    Ok(parsed.with_warning(repaired.warning))
}

fn state(body: &Object<'_, '_>) -> Result<Option<(EventStatus, Severity)>, SourceError> {
    let word = body.needed(&["status"], STATES)?;
    let state = match word.to_ascii_uppercase().as_str() {
        "WARNING" => (EventStatus::Firing, Severity::Warning),
        "CRITICAL" => (EventStatus::Firing, Severity::Critical),
        // What is removed is watched no longer, so nothing else would end it.
        "CLEAR" | "REMOVED" => (EventStatus::Resolved, Severity::Ok),
        "UNINITIALIZED" | "UNDEFINED" => return Ok(None),
        _ => return Err(body.refuse(&["status"], &word, STATES)),
    };
    Ok(Some(state))
}

fn event(body: &Object<'_, '_>, status: EventStatus, severity: Severity) -> Result<SourceEvent, SourceError> {
    let host = body.needed(&["host"], "send host with ${host}")?;
    let name = body.needed(&["name"], "send name with ${name}")?;
    let chart = body.set("chart")?;
    let mut event = match body.set("alarm_id")? {
        Some(id) => SourceEvent::new(["alarm", &host, &id], status, severity),
        None => SourceEvent::new(
            ["name", &host, chart.as_deref().unwrap_or_default(), &name],
            status,
            severity,
        ),
    };
    event.output = match (body.set("info")?, body.set("value_string")?) {
        (Some(info), Some(value)) => format!("{info}: {value}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => String::new(),
    };
    event.source = "netdata".to_owned();
    event.service = body.set("family")?;
    for label in ["family", "units", "roles"] {
        event.add_label(label, body.set(label)?);
    }
    event.add_label("chart", chart);
    event.add_link("Netdata", body.set("goto_url")?.unwrap_or_default());
    event.occurred_at = body.moment("when", &mut event.warnings)?;
    (event.object, event.name) = (host, name);
    Ok(event)
}
