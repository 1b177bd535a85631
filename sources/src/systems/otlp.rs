//! Logs of OpenTelemetry, as protobuf or JSON. A record is an alert if it says so by the attribute `alert.key`.
//!
//! Identity: namespace and name of the service, and `alert.key`; so what several instances of a service say is one alert.

use std::collections::BTreeMap;

use domain::CompiledMapping;
use http::{HeaderMap, header};
use jiff::Timestamp;
use prost::Message;
use schemas::{EventStatus, Severity};
use serde_json::json;

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::MAX_ALERTS_PER_BODY;
use crate::formats::json::shortened;
use crate::mapping;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

mod wire;

use wire::{Export, LogRecord};

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "otlp",
    title: "OpenTelemetry logs (OTLP over HTTP), protobuf and JSON",
    documentation: "docs/sources/otlp.md",
    methods: POST,
    parse,
};

/// The attributes that are meant for us.
const KEY: &str = "alert.key";
const STATE: &str = "alert.state";
const NAME: &str = "alert.name";
const OBJECT: &str = "alert.object";

/// Parses one export.
fn parse(headers: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    alerts_of(export(headers, body)?, None)
}

/// Parses one export, where a mapping of the site says which records without `alert.key` are alerts. It sees each record
/// as its body.
pub fn parse_with_mapping(
    mapping: &CompiledMapping,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<ParsedBody, SourceError> {
    alerts_of(export(headers, body)?, Some(mapping))
}

fn export(headers: &HeaderMap, body: &[u8]) -> Result<Export, SourceError> {
    let export = if is_protobuf(headers) {
        Export::decode(body).map_err(|error| SourceError::Malformed {
            reason: format!("the body is not an export of logs in protobuf: {error}"),
            remedy: "send ExportLogsServiceRequest, or JSON as application/json",
        })?
    } else {
        serde_json::from_slice(body).map_err(|error| SourceError::Malformed {
            reason: format!("the body is not an export of logs in JSON: {error}"),
            remedy: "look at that place, or send protobuf as application/x-protobuf",
        })?
    };
    Ok(export)
}

/// Whether a body is protobuf, and its answer too.
pub fn is_protobuf(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|content| content.as_bytes().starts_with(b"application/x-protobuf"))
}

fn alerts_of(export: Export, mapping: Option<&CompiledMapping>) -> Result<ParsedBody, SourceError> {
    let mut parsed = ParsedBody::default();
    let mut index = 0;
    for logs in export.resource_logs {
        let resource = wire::texts(&logs.resource.unwrap_or_default().attributes);
        for scope in logs.scope_logs {
            for record in scope.log_records {
                match (event(&resource, &record), mapping) {
                    (Err(NoAlert::Line), Some(mapping)) => {
                        map(mapping, &resource, &record, index, &mut parsed);
                    }
                    (Ok(event), _) => parsed.events.push(event),
                    (Err(no_alert), _) => no_alert.report_to(&mut parsed, index),
                }
                index += 1;
            }
        }
    }
    if index > MAX_ALERTS_PER_BODY {
        return Err(SourceError::Invalid {
            field: "resourceLogs".to_owned(),
            reason: format!("has {index} log records"),
            remedy: format!("send at most {MAX_ALERTS_PER_BODY} in one body"),
        });
    }
    Ok(parsed)
}

/// Lets a mapping say what a record is. Others of the export are taken although it cannot be used.
fn map(
    mapping: &CompiledMapping,
    resource: &BTreeMap<String, String>,
    record: &LogRecord,
    index: usize,
    parsed: &mut ParsedBody,
) {
    let value = json!({
        "resource": resource,
        "attributes": wire::texts(&record.attributes),
        "body": record.body.as_ref().map(wire::text),
        "severity_number": record.severity_number,
        "severity_text": record.severity_text,
        "event_name": record.event_name,
        "time": time(record).map(|time| time.to_string()),
    });
    match mapping::parse_value(mapping, &value, None) {
        Ok(mapped) => parsed.events.extend(mapped.events),
        Err(SourceError::Invalid {
            field,
            reason,
            remedy,
        }) => parsed.skip(SourceError::Invalid {
            field: format!("{field} of log record {index}"),
            reason,
            remedy,
        }),
        Err(error) => parsed.skip(error),
    }
}

/// Why a record is no alert.
enum NoAlert {
    /// An ordinary log record.
    Line,
    /// It is meant to be an alert, and its state is unknown.
    UnknownState(String),
}

impl NoAlert {
    fn report_to(self, parsed: &mut ParsedBody, index: usize) {
        let (reason, remedy) = match &self {
            NoAlert::Line => (
                "is no alert".to_owned(),
                format!("set its attribute {KEY} to what tells the alert from others"),
            ),
            NoAlert::UnknownState(state) => (
                format!("has the {STATE} {}", shortened(state)),
                "set firing, acknowledged or resolved".to_owned(),
            ),
        };
        let error = SourceError::Invalid {
            field: format!("log record {index}"),
            reason,
            remedy,
        };
        parsed.skipped += 1;
        parsed.warnings.push(error.to_string());
        if matches!(self, NoAlert::UnknownState(_)) {
            parsed.unusable.get_or_insert(error);
        }
    }
}

fn event(resource: &BTreeMap<String, String>, record: &LogRecord) -> Result<SourceEvent, NoAlert> {
    let attributes = wire::texts(&record.attributes);
    let filled = |texts: &BTreeMap<String, String>, name: &str| {
        texts.get(name).filter(|text| !text.is_empty()).cloned()
    };
    let own = |name: &str| filled(&attributes, name);
    let of_resource = |name: &str| filled(resource, name);
    let Some(key) = own(KEY) else {
        return Err(NoAlert::Line);
    };
    let status = status(own(STATE).as_deref())?;
    let service = of_resource("service.name");
    let identity = [
        of_resource("service.namespace").unwrap_or_default(),
        service.clone().unwrap_or_default(),
        key.clone(),
    ];
    let mut event = SourceEvent::new(identity.iter().map(String::as_str), status, severity_of(record));
    event.output = record.body.as_ref().map(wire::text).unwrap_or_default();
    event.name = own(NAME)
        .or(Some(record.event_name.clone()).filter(|name| !name.is_empty()))
        .unwrap_or_else(|| key.clone());
    event.object = own(OBJECT)
        .or_else(|| of_resource("host.name"))
        .or_else(|| of_resource("service.instance.id"))
        .or_else(|| service.clone())
        .unwrap_or(key);
    event.source = of_resource("service.instance.id").unwrap_or_default();
    event.service = service;
    event.occurred_at = time(record);
    event.add_label("acknowledged_by", own("alert.acknowledged_by"));
    for (name, text) in resource.iter().chain(&attributes) {
        event.add_label(name, Some(text.clone()));
    }
    event.ask_by_labels();
    Ok(event)
}

fn status(state: Option<&str>) -> Result<EventStatus, NoAlert> {
    match state.map(str::to_ascii_lowercase).as_deref() {
        None | Some("firing" | "open") => Ok(EventStatus::Firing),
        Some("acknowledged") => Ok(EventStatus::Acknowledged),
        Some("resolved" | "closed" | "ok") => Ok(EventStatus::Resolved),
        Some(other) => Err(NoAlert::UnknownState(other.to_owned())),
    }
}

fn severity_of(record: &LogRecord) -> Severity {
    match record.severity_number {
        1..=12 => Severity::Information,
        13..=16 => Severity::Warning,
        17..=20 => Severity::Critical,
        21..=24 => Severity::Urgent,
        _ => severity::of_word(&record.severity_text).unwrap_or(Severity::Unknown),
    }
}

fn time(record: &LogRecord) -> Option<Timestamp> {
    let nanoseconds = [record.time_unix_nano, record.observed_time_unix_nano]
        .into_iter()
        .find(|time| *time > 0)?;
    Timestamp::from_nanosecond(i128::from(nanoseconds)).ok()
}

#[cfg(test)]
mod tests {
    use super::wire::{AnyValue, KeyValue, Resource, ResourceLogs, ScopeLogs, Value};
    use super::*;

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn export() -> Export {
        let record = LogRecord {
            time_unix_nano: 1_788_256_800_000_000_000,
            severity_number: 17,
            body: Some(AnyValue {
                value: Some(text("provider down")),
            }),
            attributes: vec![
                attribute(KEY, text("provider/down")),
                attribute("tries", Value::Integer(3)),
            ],
            ..LogRecord::default()
        };
        Export {
            resource_logs: vec![ResourceLogs {
                resource: Some(Resource {
                    attributes: vec![attribute("service.name", text("checkout"))],
                }),
                scope_logs: vec![ScopeLogs {
                    log_records: vec![record],
                }],
            }],
        }
    }

    fn protobuf() -> HeaderMap {
        let content = (header::CONTENT_TYPE, "application/x-protobuf".parse().unwrap());
        [content].into_iter().collect()
    }

    #[test]
    fn broken_protobuf_is_answered_and_never_panics() {
        let whole = export().encode_to_vec();
        for place in 0..whole.len() {
            let _ = parse(&protobuf(), &whole[..place]);
            for flip in [0x01, 0x20, 0x80, 0xff] {
                let mut broken = whole.clone();
                broken[place] ^= flip;
                let _ = parse(&protobuf(), &broken);
            }
        }
        // Lists within lists, deeper than any sender nests them.
        let mut deep = b"\x0a\x01a".to_vec();
        for tag in [0x0a, 0x2a].into_iter().cycle().take(10_000) {
            let mut field = vec![tag];
            prost::encode_length_delimiter(deep.len(), &mut field).unwrap();
            deep.splice(0..0, field);
        }
        assert!(AnyValue::decode(deep.as_slice()).is_err());
    }

    #[test]
    fn protobuf_says_what_json_says() {
        let json = r#"{"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value":
            {"stringValue": "checkout"}}]}, "scopeLogs": [{"scope": {"name": "alerts"}, "logRecords": [{
            "timeUnixNano": "1788256800000000000", "severityNumber": 17, "body": {"stringValue": "provider down"},
            "attributes": [{"key": "alert.key", "value": {"stringValue": "provider/down"}},
            {"key": "tries", "value": {"intValue": "3"}}]}]}]}]}"#;
        let by_json = parse(&HeaderMap::new(), json.as_bytes()).unwrap();
        assert_eq!(parse(&protobuf(), &export().encode_to_vec()).unwrap(), by_json);
        assert_eq!(by_json.events[0].labels["tries"], "3");
        assert!(parse(&protobuf(), json.as_bytes()).is_err());
    }
}
