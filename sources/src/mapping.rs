//! JSON of any shape, and mail, by a mapping that the site declares.
//!
//! Identity: the parts that the mapping names.

use domain::CompiledMapping;
use domain::mapping::{Mapped, Unmapped};
use http::{HeaderMap, HeaderName, header};
use schemas::Severity;
use serde_json::Value;

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::{json, lenient, xml};
use crate::parsed::ParsedBody;
use crate::systems::email;
use crate::text::severity;

/// The MQTT topic to which a body was published.
pub const TOPIC: HeaderName = HeaderName::from_static("mqtt-topic");

/// Parses a body as the mapping says.
pub fn parse(mapping: &CompiledMapping, headers: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let topic = headers.get(TOPIC);
    let topic = topic.and_then(|topic| str::from_utf8(topic.as_bytes()).ok());
    let (value, warning) = match is_message(headers) {
        true => (email::as_json(body)?, None),
        false => value(body, topic.is_some())?,
    };
    let (value, topic) = match Envelope::of(&value) {
        None => (value, topic.map(str::to_owned)),
        Some(Envelope::Message { value, topic }) => (value, Some(topic)),
        Some(Envelope::Other(warning)) => return Ok(ParsedBody::nothing(warning)),
    };
    let parsed = parse_value(mapping, &value, topic.as_deref())?;
    Ok(parsed.with_warning(warning))
}

/// Parses a value as the mapping says.
pub(crate) fn parse_value(
    mapping: &CompiledMapping,
    value: &Value,
    topic: Option<&str>,
) -> Result<ParsedBody, SourceError> {
    let read = mapping.read(value, topic)?;
    let left_out = match (read.alerts.len(), read.left_out) {
        (0, 1..) => Some("nothing in the body is an alert, as `when` of the mapping says"),
        _ => None,
    };
    let events: Vec<_> = read
        .alerts
        .into_iter()
        .map(|mapped| event(mapping, mapped))
        .collect();
    Ok(ParsedBody::from(events).with_warning(left_out))
}

/// What SNS has posted.
enum Envelope {
    /// The message without its envelope if it is JSON, and the topic.
    Message { value: Value, topic: String },
    /// What is no message.
    Other(String),
}

impl Envelope {
    /// `None` if a body is not one of SNS.
    fn of(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let (kind, topic) = (text("Type")?, text("TopicArn")?.to_owned());
        text("MessageId")?;
        match kind {
            "Notification" => {
                let inner = serde_json::from_str(text("Message")?).ok();
                let inner = inner.filter(|inner: &Value| inner.is_object() || inner.is_array());
                let value = inner.unwrap_or_else(|| value.clone());
                Some(Self::Message { value, topic })
            }
            "SubscriptionConfirmation" => {
                let address = text("SubscribeURL").unwrap_or_default();
                Some(Self::Other(format!(
                    "the topic {topic} wants its subscription to be confirmed, which was not done; declare sns_topics of \
                     the integration, or open {address}"
                )))
            }
            "UnsubscribeConfirmation" => {
                Some(Self::Other(format!("the topic {topic} sends nothing any more")))
            }
            _ => None,
        }
    }
}

fn is_message(headers: &HeaderMap) -> bool {
    let content = headers.get(header::CONTENT_TYPE);
    let content = content.and_then(|content| content.to_str().ok()?.split(';').next());
    content.is_some_and(|content| content.trim().eq_ignore_ascii_case(email::MESSAGE))
}

/// A body, and what had to be done for it to be JSON.
fn value(body: &[u8], published: bool) -> Result<(Value, Option<&'static str>), SourceError> {
    if let Some(fields) = xml::as_json(body) {
        return Ok((json::value(&fields?)?, None));
    }
    let repaired = lenient::body(body);
    let value = match json::value(&repaired.body) {
        Ok(value) => value,
        // Much of what is published is one bare word.
        Err(error) if published => str::from_utf8(body).map_err(|_| error)?.trim().into(),
        Err(error) => return Err(error),
    };
    Ok((value, repaired.warning))
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
        event.warnings.push(format!(
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
