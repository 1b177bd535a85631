//! PRTG: its "Execute HTTP action", whose post data is a form, or JSON made by putting values into a text.
//!
//! Identity: the device and the sensor, by their ids where those are sent or the address of the sensor has its id, else by
//! their names.

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
    name: "prtg",
    title: "PRTG Execute HTTP action, as a form or JSON",
    documentation: "docs/sources/prtg.md",
    methods: POST,
    parse,
};

const STATUS: [&str; 2] = ["laststatus", "status"];
const STATES: &str = "send laststatus=%laststatus; it must be Down, Warning, Unusual, Unknown, Up or Paused, so set the \
                      language of PRTG to English";
const LABELS: [&str; 9] = [
    "status", "device", "group", "sensor", "server", "host", "probe", "priority", "location",
];

/// Parses one notification.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    Ok(ParsedBody::from(event(&body)?).with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let (status, severity) = state(body)?;
    let device = body.needed(&["device", "host"], "send device=%device")?;
    let sensor = ["name", "sensor", "shortname"];
    let name = body.needed(&sensor, "send name=%name")?;
    let device_id = body.set("deviceid")?.unwrap_or_else(|| device.clone());
    let sensor_id = match body.set("sensorid")? {
        Some(id) => id,
        None => id_in_address(body)?
            .or(body.set("sensor")?)
            .unwrap_or_else(|| name.clone()),
    };
    let mut event = SourceEvent::new(["sensor", &device_id, &sensor_id], status, severity);
    (event.object, event.name) = (device, name);
    event.service = body.set("group")?;
    event.source = body
        .first(&["home", "server"])?
        .unwrap_or_else(|| "prtg".to_owned());
    event.output = match (body.set("lastmessage")?, body.set("lastvalue")?) {
        (Some(message), Some(value)) => format!("{message}. Value - {value}"),
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => String::new(),
    };
    for name in LABELS {
        event.add_label(name, body.set(name)?);
    }
    for (title, name) in [
        ("Probe URL", "linkprobe"),
        ("Device URL", "linkdevice"),
        ("Sensor URL", "linksensor"),
        ("Service URL", "serviceurl"),
    ] {
        event.add_link(title, body.set(name)?.unwrap_or_default());
    }
    Ok(event)
}

/// `3301` of `https://prtg.example.org/sensor.htm?id=3301&tabid=2`.
fn id_in_address(body: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
    let address = body.set("linksensor")?.unwrap_or_default();
    let query = address.split_once('?').map(|(_, query)| query);
    let mut fields = query.unwrap_or_default().split(['&', '#']);
    let id = fields.find_map(|field| field.strip_prefix("id="));
    let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit());
    Ok(id.filter(is_id).map(str::to_owned))
}

fn state(body: &Object<'_, '_>) -> Result<(EventStatus, Severity), SourceError> {
    let word = body.needed(&STATUS, STATES)?;
    for name in STATUS {
        if let Some(state) = body.set(name)?.as_deref().and_then(state_of) {
            return Ok(state);
        }
    }
    Err(body.refuse(&STATUS, &word, STATES))
}

/// A state can have words behind it: `Down (Acknowledged)`, `Down ESCALATION`, `Down ended (now: Up)`.
fn state_of(text: &str) -> Option<(EventStatus, Severity)> {
    let lower = text.to_ascii_lowercase();
    let now = match lower.split_once("now:") {
        Some((_, now)) => now.trim().trim_end_matches(')').trim(),
        None if lower.contains("ended") => return None,
        None => lower.trim(),
    };
    let first = now.split([' ', '(']).next()?;
    match first {
        "down" if now.contains("acknowledged") => Some((EventStatus::Acknowledged, Severity::Critical)),
        "down" => Some((EventStatus::Firing, Severity::Critical)),
        "warning" | "unusual" => Some((EventStatus::Firing, Severity::Warning)),
        "unknown" => Some((EventStatus::Firing, Severity::Unknown)),
        "up" | "paused" => Some((EventStatus::Resolved, Severity::Ok)),
        _ => None,
    }
}
