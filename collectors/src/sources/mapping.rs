//! JSON of any shape, and mail, by a mapping that the site declares.
//!
//! Identity: the parts that the mapping names.

use axum::http::{HeaderMap, HeaderName, header};
use domain::CompiledMapping;
use domain::mapping::{Mapped, Unmapped};
use schemas::Severity;
use serde_json::Value;

use super::{SourceError, SourceEvent, Understood, email, json, lenient, severity};

/// The MQTT topic to which a body was published.
pub(crate) const TOPIC: HeaderName = HeaderName::from_static("mqtt-topic");

/// Reads a body as the mapping says.
pub(crate) fn read(
    mapping: &CompiledMapping,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Understood, SourceError> {
    let topic = headers.get(TOPIC);
    let topic = topic.and_then(|topic| str::from_utf8(topic.as_bytes()).ok());
    let (value, remark) = match is_message(headers) {
        true => (email::as_json(body)?, None),
        false => value(body, topic.is_some())?,
    };
    let read = mapping.read(&value, topic)?;
    let left_out = match (read.alerts.len(), read.left_out) {
        (0, 1..) => Some("nothing in the body is an alert, as `when` of the mapping says"),
        _ => None,
    };
    let events: Vec<_> = read
        .alerts
        .into_iter()
        .map(|mapped| event(mapping, mapped))
        .collect();
    Ok(Understood::from(events).with_remark(remark).with_remark(left_out))
}

fn is_message(headers: &HeaderMap) -> bool {
    let content = headers.get(header::CONTENT_TYPE);
    let content = content.and_then(|content| content.to_str().ok()?.split(';').next());
    content.is_some_and(|content| content.trim().eq_ignore_ascii_case(email::MESSAGE))
}

/// A body, and what had to be done for it to be JSON.
fn value(body: &[u8], published: bool) -> Result<(Value, Option<&'static str>), SourceError> {
    let mended = lenient::body(body);
    let value = match json::value(&mended.body) {
        Ok(value) => value,
        // Much of what is published is one bare word.
        Err(error) if published => str::from_utf8(body).map_err(|_| error)?.trim().into(),
        Err(error) => return Err(error),
    };
    Ok((value, mended.remark))
}

fn event(mapping: &CompiledMapping, mapped: Mapped) -> SourceEvent {
    let severity = match mapped.severity {
        None => Severity::Critical,
        Some(Ok(severity)) => severity,
        Some(Err(word)) => severity::of_word(&word).unwrap_or(Severity::Unknown),
    };
    let identity = mapped.identity.iter().map(String::as_str);
    let mut event = SourceEvent::new(identity, mapped.status, severity);
    event.object = mapped.object.unwrap_or_else(|| mapped.name.clone());
    event.name = mapped.name;
    event.source = mapped.source.unwrap_or_else(|| mapping.name().to_owned());
    event.service = mapped.service;
    event.output = mapped.output.unwrap_or_default();
    event.labels = mapped.labels;
    event.annotations = mapped.annotations;
    for (title, address) in mapped.links {
        event.add_link(&title, address);
    }
    event.occurred_at = mapped.occurred_at.as_deref().and_then(json::time_of);
    if let (Some(text), None) = (&mapped.occurred_at, event.occurred_at) {
        event.remarks.push(format!(
            "alert.occurred_at is no time that can be used: {}; the time of arrival counts; send RFC 3339, or seconds \
             since 1970",
            json::shortened(text)
        ));
    }
    event.environment = mapped.environment;
    event.scenario = mapped.scenario;
    event
}

impl From<Unmapped> for SourceError {
    fn from(unmapped: Unmapped) -> Self {
        SourceError::Invalid {
            field: unmapped.field,
            reason: unmapped.reason,
            remedy: unmapped.remedy,
        }
    }
}
