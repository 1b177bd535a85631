//! Uptime Kuma: its webhook, as JSON, as a form with a field `data`, or as the query of a GET.
//!
//! Identity: the id of the monitor. A notice about a certificate has no monitor: the text up to the days that are left.

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST_AND_GET, Source};

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "uptime-kuma",
    title: "Uptime Kuma webhook",
    documentation: "docs/sources/uptime-kuma.md",
    methods: POST_AND_GET,
    parse,
};

const STATES: &str = "send the heartbeat as Uptime Kuma has it: 0 is down, 1 up, 2 pending, 3 maintenance";
/// What stands between the certificate and the days that it has left, in the versions that there are.
const EXPIRES: [&str; 2] = [" will expire in ", " will be expired in "];

/// Parses one change of a monitor.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    let parsed = match body.embedded("data") {
        Some(data) => {
            let inner = lenient::body(data.as_bytes());
            let place = Place::Member(&body.place, "data");
            let text = String::from_utf8_lossy(&inner.body);
            notification(&json::within(&text, place)?.object()?)?.with_warning(inner.warning)
        }
        None => notification(&body)?,
    };
    Ok(parsed.with_warning(repaired.warning))
}

fn notification(body: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let Some(heartbeat) = body.embedded("heartbeat") else {
        let message = body.needed(&["msg"], "send heartbeat, monitor and msg, as Uptime Kuma does")?;
        return Ok(without_heartbeat(&message));
    };
    let heartbeat = json::within(&heartbeat, Place::Member(&body.place, "heartbeat"))?.object()?;
    let monitor = body.embedded("monitor");
    let monitor = monitor.as_deref().unwrap_or("{}");
    let monitor = json::within(monitor, Place::Member(&body.place, "monitor"))?.object()?;
    let state = heartbeat.needed(&["status"], STATES)?;
    let status = match state.as_str() {
        "0" => EventStatus::Firing,
        "1" => EventStatus::Resolved,
        "2" | "3" => {
            return Ok(ParsedBody::nothing(
                "a monitor that is tried again or in maintenance is neither down nor up, so nothing was done",
            ));
        }
        _ => return Err(heartbeat.refuse(&["status"], &state, STATES)),
    };
    let id = match monitor.set("id")? {
        Some(id) => id,
        None => heartbeat.needed(
            &["monitorID", "monitor_id"],
            "send the heartbeat with its monitor",
        )?,
    };
    let mut event = SourceEvent::new(["monitor", &id], status, Severity::Critical);
    event.output = heartbeat.text("msg")?.or(body.text("msg")?).unwrap_or_default();
    event.occurred_at = time(&heartbeat, &mut event.warnings)?;
    describe(&mut event, &monitor, &id)?;
    Ok(event.into())
}

/// Its tests have only a text, and so have its notices about certificates, which nothing takes back.
fn without_heartbeat(message: &str) -> ParsedBody {
    let certificate = EXPIRES.iter().find_map(|words| message.split_once(words));
    let Some((certificate, _days)) = certificate else {
        return test(message).into();
    };
    let mut event = SourceEvent::new(
        ["certificate", certificate],
        EventStatus::Firing,
        Severity::Warning,
    );
    event.source = "uptime-kuma".to_owned();
    event.object = certificate.to_owned();
    event.name = "Certificate expires".to_owned();
    event.output = message.to_owned();
    event.into()
}

fn test(message: &str) -> SourceEvent {
    let mut event = SourceEvent::new(["test", message], EventStatus::Firing, Severity::Information);
    event.source = "uptime-kuma".to_owned();
    event.object = "uptime-kuma".to_owned();
    event.name = message.lines().next().unwrap_or_default().to_owned();
    event.output = message.to_owned();
    event.is_test = true;
    event
}

fn describe(event: &mut SourceEvent, monitor: &Object<'_, '_>, id: &str) -> Result<(), SourceError> {
    event.source = "uptime-kuma".to_owned();
    event.name = monitor.set("name")?.unwrap_or_else(|| format!("monitor {id}"));
    // Monitors that are not about a page have the beginning of an address.
    let page = monitor
        .set("url")?
        .filter(|page| !matches!(page.as_str(), "http://" | "https://"));
    let host = monitor.set("hostname")?;
    event.object = host
        .clone()
        .or(page.clone())
        .unwrap_or_else(|| event.name.clone());
    event.labels = tags(monitor)?;
    event.add_label("host", host);
    event.add_label("type", monitor.set("type")?);
    event.add_link("Monitored page", page.unwrap_or_default());
    event.service = event.labels.get("service").cloned();
    event.ask_severity_by_label();
    event.ask_by_labels();
    Ok(())
}

/// Tags as `[{"name": "team", "value": "pay"}]`.
fn tags(monitor: &Object<'_, '_>) -> Result<BTreeMap<String, String>, SourceError> {
    let mut tags = BTreeMap::new();
    let Some(listed) = monitor.get("tags").filter(Node::is_list) else {
        return Ok(tags);
    };
    let place = listed.place;
    for (index, raw) in listed.list()?.into_iter().enumerate() {
        let tag = Node::new(raw, Place::Item(&place, index)).object()?;
        if let Some(name) = tag.text("name")? {
            // A tag without a value says something by its name alone.
            let value = tag.text("value")?.unwrap_or_else(|| "true".to_owned());
            tags.insert(name, value);
        }
    }
    Ok(tags)
}

/// It has no zone because it is in UTC.
fn time(heartbeat: &Object<'_, '_>, warnings: &mut Vec<String>) -> Result<Option<Timestamp>, SourceError> {
    let utc = heartbeat
        .text("time")?
        .and_then(|text| text.parse::<DateTime>().ok())
        .and_then(|time| TimeZone::UTC.to_timestamp(time).ok());
    match utc {
        Some(time) => Ok(Some(time)),
        None => heartbeat.time("time", warnings),
    }
}
