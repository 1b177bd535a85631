//! PagerDuty's Events API, version 2: what tools send that were set up to page through PagerDuty.
//!
//! Identity: `dedup_key`. Where a sender gives none, PagerDuty makes one anew for each trigger; here it is made of what
//! the trigger is about, so that a repeated trigger is the same alert.

use http::HeaderMap;
use schemas::{EventStatus, Severity};
use sha2::{Digest, Sha256};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "pagerduty-events",
    title: "PagerDuty Events API, version 2",
    documentation: "docs/sources/pagerduty-events.md",
    methods: POST,
    parse,
};

const ACTIONS: &str = "send trigger, acknowledge or resolve";
const SEVERITIES: &str = "send critical, error, warning or info";
/// How many of them are of version 2.
const OF_SECOND_VERSION: usize = 5;
/// The fields that identify a trigger without a key.
const ABOUT: [&str; 7] = [
    "source",
    "component",
    "group",
    "class",
    "summary",
    // Of version 1.
    "client",
    "description",
];

/// Parses one event.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::made(body)?.object()?;
    let word = body.needed(&["event_action"], ACTIONS)?;
    let status = match word.as_str() {
        "trigger" => return triggered(&body).map(ParsedBody::from),
        "acknowledge" => EventStatus::Acknowledged,
        "resolve" => EventStatus::Resolved,
        _ => return Err(body.refuse(&["event_action"], &word, ACTIONS)),
    };
    let key = body.needed(&["dedup_key"], "send the dedup_key that the trigger had")?;
    let mut event = SourceEvent::new(["dedup_key", &key], status, Severity::Unknown);
    event.name = key;
    if let Some(payload) = body.member("payload") {
        event.output = payload.text("summary")?.unwrap_or_default();
    }
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", body.text("client")?);
    }
    Ok(event.into())
}

/// Parses one change event, which is no alert.
///
/// # Errors
///
/// A body without a payload or its summary.
pub fn parse_change(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::made(body)?.object()?;
    let payload = body
        .required("payload", "send a payload with a summary")?
        .object()?;
    payload.needed(&["summary"], "send a summary of the change")?;
    Ok(ParsedBody::nothing("a change is no alert, so nothing was done"))
}

/// Parses one event of version 1: <https://developer.pagerduty.com/docs/events-api-v1-overview>.
pub fn parse_version_1(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::made(body)?.object()?;
    let word = body.needed(&["event_type"], ACTIONS)?;
    let status = match word.as_str() {
        "trigger" => EventStatus::Firing,
        "acknowledge" => EventStatus::Acknowledged,
        "resolve" => EventStatus::Resolved,
        _ => return Err(body.refuse(&["event_type"], &word, ACTIONS)),
    };
    let description = match status {
        EventStatus::Firing => Some(body.needed(&["description"], "send a description")?),
        _ => body.text("description")?,
    };
    let key = match (body.text("incident_key")?, status) {
        (Some(key), _) => key,
        (None, EventStatus::Firing) => made_key(&body)?,
        _ => body.needed(&["incident_key"], "send the incident_key that the trigger had")?,
    };
    let mut event = SourceEvent::new(["dedup_key", &key], status, Severity::Critical);
    event.source = body.text("client")?.unwrap_or_default();
    event.name = description.clone().unwrap_or_else(|| key.clone());
    event.output = description.unwrap_or_default();
    match body.member("details") {
        Some(details) => {
            event.labels = body.texts("details")?;
            let host = details.first(&["host", "hostname", "HOSTNAME", "source"])?;
            event.object = host.unwrap_or_else(|| key.clone());
        }
        None => {
            event.add_label("details", body.flat("details"));
            event.object.clone_from(&key);
        }
    }
    event.add_label("dedup_key", Some(key));
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", body.text("client")?);
    }
    event.ask_severity_by_label();
    event.ask_by_labels();
    add_contexts(&mut event, &body)?;
    add_links(&mut event, &body)?;
    Ok(event.into())
}

/// Links and images, as version 1 has them in one list.
fn add_contexts(event: &mut SourceEvent, body: &Object<'_, '_>) -> Result<(), SourceError> {
    let Some(list) = body.get("contexts").filter(Node::is_list) else {
        return Ok(());
    };
    for (index, raw) in list.list()?.into_iter().enumerate() {
        let context = Node::new(raw, Place::Item(&list.place, index)).object()?;
        if let Some(address) = context.first(&["href", "src"])? {
            let title = context
                .first(&["text", "alt"])?
                .unwrap_or_else(|| address.clone());
            event.add_link(&title, address);
        }
    }
    Ok(())
}

/// The integration key in a body.
pub fn routing_key(body: &[u8]) -> Option<String> {
    let body = json::made(body).ok()?.object().ok()?;
    body.first(&["routing_key", "service_key"]).ok()?
}

fn triggered(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let payload = body.required("payload", "send a payload with summary, source and severity")?;
    let payload = payload.object()?;
    let summary = payload.needed(&["summary"], "send a summary")?;
    let object = payload.needed(&["source"], "send the source: what has the problem")?;
    let key = match body.text("dedup_key")? {
        Some(key) => key,
        None => made_key(&payload)?,
    };
    let mut event = SourceEvent::new(["dedup_key", &key], EventStatus::Firing, severity(&payload)?);
    event.source = body.text("client")?.unwrap_or_default();
    event.service = payload.first(&["group", "component"])?;
    event.object = object;
    event.name = summary.clone();
    event.output = summary;
    event.occurred_at = payload.moment("timestamp", &mut event.warnings)?;
    if payload.get("custom_details").is_some_and(Node::is_object) {
        event.labels = payload.texts("custom_details")?;
    } else {
        event.add_label("custom_details", payload.flat("custom_details"));
    }
    for name in ["component", "group", "class"] {
        event.add_label(name, payload.text(name)?);
    }
    event.add_label("dedup_key", Some(key));
    event.ask_by_labels();
    add_links(&mut event, body)?;
    Ok(event)
}

fn severity(payload: &Object<'_, '_>) -> Result<Severity, SourceError> {
    let word = payload.needed(&["severity"], SEVERITIES)?;
    match word.as_str() {
        "critical" | "error" => Ok(Severity::Critical),
        "warning" => Ok(Severity::Warning),
        "info" => Ok(Severity::Information),
        _ => Err(payload.refuse(&["severity"], &word, SEVERITIES)),
    }
}

fn made_key(payload: &Object<'_, '_>) -> Result<String, SourceError> {
    let mut hash = Sha256::new();
    for (index, name) in ABOUT.iter().enumerate() {
        let text = payload.text(name)?.unwrap_or_default();
        if index >= OF_SECOND_VERSION && text.is_empty() {
            continue;
        }
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    Ok(hex::encode(&hash.finalize()[..16]))
}

fn add_links(event: &mut SourceEvent, body: &Object<'_, '_>) -> Result<(), SourceError> {
    if let Some(address) = body.text("client_url")? {
        let title = match event.source.as_str() {
            "" => "Client".to_owned(),
            client => client.to_owned(),
        };
        event.add_link(&title, address);
    }
    event.add_lists_of_links(body)
}
