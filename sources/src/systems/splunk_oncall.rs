//! Splunk On-Call (VictorOps): the bodies of its REST endpoint.
//!
//! Identity: `entity_id`; without one the display name, or else the message, where Splunk On-Call would
//! open a new incident each time. <https://help.victorops.com/knowledge-base/rest-endpoint-integration-guide/>

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "splunk-oncall",
    title: "Splunk On-Call (VictorOps) REST endpoint",
    documentation: "docs/sources/splunk-oncall.md",
    methods: POST,
    parse,
};

const TYPES: &str = "send CRITICAL, WARNING, INFO, ACKNOWLEDGEMENT or RECOVERY";
const ID: &str = "send an entity_id, the same at the beginning and at the end";
/// Members with a meaning of their own. All others become labels.
const KNOWN: [&str; 6] = [
    "message_type",
    "entity_display_name",
    "state_message",
    "state_start_time",
    "timestamp",
    "ack_author",
];
/// The prefix of members that are links, in front of their titles.
const LINK: &str = "vo_annotate.u.";

/// Parses one alert.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    Ok(ParsedBody::from(event(&body)?).with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let word = body.needed(&["message_type"], TYPES)?;
    let (status, severity) = match word.to_ascii_uppercase().as_str() {
        "CRITICAL" => (EventStatus::Firing, Severity::Critical),
        "WARNING" => (EventStatus::Firing, Severity::Warning),
        "INFO" => (EventStatus::Firing, Severity::Information),
        "ACKNOWLEDGEMENT" | "ACK" => (EventStatus::Acknowledged, Severity::Critical),
        "RECOVERY" | "OK" => (EventStatus::Resolved, Severity::Ok),
        _ => return Err(body.refuse(&["message_type"], &word, TYPES)),
    };
    let id = body.first(&["entity_id", "entity_display_name", "state_message"])?;
    let id = match id {
        Some(id) => id,
        None => body.needed(&["entity_id"], ID)?,
    };
    let mut event = SourceEvent::new(["entity_id", &id], status, severity);
    event.name = body.set("entity_display_name")?.unwrap_or_else(|| id.clone());
    event.output = body.set("state_message")?.unwrap_or_default();
    event.object = body
        .first(&["host_name", "hostname", "host"])?
        .unwrap_or_else(|| id.clone());
    event.source = body.set("monitoring_tool")?.unwrap_or_default();
    event.service = body.first(&["service", "service_name"])?;
    event.occurred_at = body.moment("state_start_time", &mut event.warnings)?;
    for name in body.names().filter(|name| !KNOWN.contains(name)) {
        match name.strip_prefix(LINK) {
            Some(title) => event.add_link(title, body.flat(name).unwrap_or_default()),
            None => event.add_label(name, body.flat(name)),
        }
    }
    event.add_label("entity_id", Some(id));
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", body.first(&["ack_author"])?);
    }
    event.ask_by_labels();
    Ok(event)
}
