//! Alerta: the body of its `POST /api/alert`.
//!
//! Identity: environment, resource and event; instead of the event all events that correlate with it, where the sender
//! says which.

use http::HeaderMap;
use jiff::SignedDuration;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "alerta",
    title: "Alerta alert API",
    documentation: "docs/sources/alerta.md",
    methods: POST,
    parse,
};

const SEVERITIES: &str = "send one of security, critical, major, minor, warning, indeterminate, informational, normal, ok, \
                          cleared, debug, trace, unknown";
const STATUSES: &str = "send open, ack, closed or none at all";

/// Parses one alert.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::made(body)?.object()?;
    let resource = body.needed(&["resource"], "send the resource")?;
    let name = body.needed(&["event"], "send the event")?;
    let environment = body.text("environment")?.unwrap_or_default();
    let identity = [environment.clone(), resource.clone()].into_iter();
    let identity: Vec<_> = identity.chain(related(&body, &name)?).collect();
    let (status, severity) = state(&body)?;
    let mut event = SourceEvent::new(identity.iter().map(String::as_str), status, severity);
    event.object = resource;
    event.name = name;
    event.service = body.flat("service");
    event.source = body.text("origin")?.unwrap_or_default();
    event.output = body.first(&["text", "value"])?.unwrap_or_default();
    event.occurred_at = body.time("createTime", &mut event.warnings)?;
    if status == EventStatus::Firing {
        let lasting = timeout(&body)?;
        event.lifetime = lasting;
        let end = event.occurred_at.zip(lasting);
        event.expires_at = end.and_then(|(begun, lasting)| begun.checked_add(lasting).ok());
    }
    if body.get("attributes").is_some_and(Node::is_object) {
        event.labels = body.texts("attributes")?;
    }
    event.add_tags(&body.flat("tags").unwrap_or_default().replace('=', ":"));
    for name in ["group", "value", "type", "customer"] {
        event.add_label(name, body.text(name)?);
    }
    event.add_label("environment", Some(environment));
    event.ask_by_labels();
    Ok(event.into())
}

/// For how long it holds, from when it was created; of an alert that does not say when, from when it comes here.
fn timeout(body: &Object<'_, '_>) -> Result<Option<SignedDuration>, SourceError> {
    let seconds = body.text("timeout")?.and_then(|seconds| seconds.parse().ok());
    Ok(seconds
        .filter(|seconds| *seconds > 0)
        .map(SignedDuration::from_secs))
}

/// The event and those that say something of the same problem, in an order that does not depend on which it is.
fn related(body: &Object<'_, '_>, event: &str) -> Result<Vec<String>, SourceError> {
    let mut events = vec![event.to_owned()];
    if let Some(list) = body.get("correlate").filter(Node::is_list) {
        for raw in list.list()? {
            events.extend(serde_json::from_str::<String>(raw.get()));
        }
    }
    events.sort();
    events.dedup();
    Ok(events)
}

fn state(body: &Object<'_, '_>) -> Result<(EventStatus, Severity), SourceError> {
    let word = body.text("severity")?.unwrap_or_else(|| "normal".to_owned());
    let severity = match word.to_lowercase().as_str() {
        "security" => Severity::Urgent,
        "critical" | "major" => Severity::Critical,
        "minor" | "warning" => Severity::Warning,
        "informational" | "debug" | "trace" => Severity::Information,
        "indeterminate" | "unknown" => Severity::Unknown,
        "normal" | "ok" | "cleared" => return Ok((EventStatus::Resolved, Severity::Ok)),
        _ => return Err(body.refuse(&["severity"], &word, SEVERITIES)),
    };
    let status = match body.text("status")?.as_deref() {
        None | Some("open" | "unknown") => EventStatus::Firing,
        Some("ack") => EventStatus::Acknowledged,
        Some("closed" | "expired") => EventStatus::Resolved,
        Some(other) => return Err(body.refuse(&["status"], other, STATUSES)),
    };
    Ok((status, severity))
}
