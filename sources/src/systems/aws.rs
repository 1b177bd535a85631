//! Bodies of AWS: through SNS, by SNS with raw delivery, and by API destinations of EventBridge.
//!
//! SNS declares its JSON as `text/plain`; the alarm or the event is JSON inside the text `Message`.

use http::HeaderMap;

use crate::error::SourceError;
use crate::formats::json::{self, Node, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

mod cloudwatch;
mod eventbridge;
mod sns_message;

/// The entry of this source in the registry.
pub(crate) const CLOUDWATCH: Source = Source {
    name: "cloudwatch",
    title: "AWS CloudWatch alarms through SNS",
    documentation: "docs/sources/cloudwatch.md",
    methods: POST,
    parse,
};

/// The entry of this source in the registry. It differs from CloudWatch by its name alone: both parse all that AWS sends.
pub(crate) const EVENTBRIDGE: Source = Source {
    name: "eventbridge",
    title: "AWS EventBridge events, bare and through SNS",
    documentation: "docs/sources/eventbridge.md",
    methods: POST,
    parse,
};

const KIND: &str = "Type";
const KINDS: &str = "send Notification, SubscriptionConfirmation or UnsubscribeConfirmation, as SNS does";

/// Parses what SNS posts.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let node = json::body(body)?;
    if node.is_list() {
        return listed(node);
    }
    let body = node.object()?;
    if body.get(KIND).is_none() && body.get("AlarmName").is_some() {
        return Ok(cloudwatch::event(&body)?.into());
    }
    if body.get(eventbridge::DETAIL_TYPE).is_some() {
        return eventbridge::parse_event(&body);
    }
    let kind = body.needed(&[KIND], KINDS)?;
    let topic = body.text("TopicArn")?.unwrap_or_default();
    match kind.as_str() {
        "Notification" => {
            let message = body.needed(&["Message"], "send the alarm in Message")?;
            let place = Place::Member(&body.place, "Message");
            match json::within(&message, place).and_then(Node::object) {
                Ok(alarm) if alarm.get("AlarmName").is_some() => Ok(cloudwatch::event(&alarm)?.into()),
                Ok(sent) if sent.get(eventbridge::DETAIL_TYPE).is_some() => eventbridge::parse_event(&sent),
                _ => sns_message::parse_text(&body, &message),
            }
        }
        "SubscriptionConfirmation" => {
            let address = body.text("SubscribeURL")?.unwrap_or_default();
            Ok(ParsedBody::nothing(format!(
                "the topic {topic} wants its subscription to be confirmed, which was not done; open {address}"
            )))
        }
        "UnsubscribeConfirmation" => Ok(ParsedBody::nothing(format!(
            "the topic {topic} sends no alarms any more; subscribe again if that was not meant"
        ))),
        _ => Err(body.refuse(&[KIND], &kind, KINDS)),
    }
}

/// Several events of EventBridge in one body, as its pipes send them.
fn listed(node: Node<'_, '_>) -> Result<ParsedBody, SourceError> {
    let mut all = ParsedBody::default();
    for (index, raw) in node.list()?.into_iter().enumerate() {
        let one = eventbridge::parse_event(&Node::new(raw, Place::Item(&node.place, index)).object()?)?;
        all.events.extend(one.events);
        all.warnings.extend(one.warnings);
    }
    Ok(all)
}
