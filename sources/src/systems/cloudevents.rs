//! CloudEvents 1.0 over HTTP: structured, in batches, and binary, where the attributes are headers.
//!
//! Identity: `source` and `subject`; without a subject, `source` and the `type` without the word at its end that says
//! what has happened.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use schemas::{EventStatus, Severity};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "cloudevents",
    title: "CloudEvents 1.0: binary, structured and in batches",
    documentation: "docs/sources/cloudevents.md",
    methods: POST,
    parse,
};

const EVENT: &str = "send specversion, id, source and type, as CloudEvents 1.0 has them";
const STATES: &str = "let it end in .opened, .updated, .acknowledged or .closed, or send data with a state: firing, \
                      acknowledged or resolved";
const STATE: &str = "send firing, acknowledged or resolved";
/// Attributes that have places of their own.
const KNOWN: [&str; 11] = [
    "type",
    "specversion",
    "id",
    "source",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
    "data_base64",
    "traceparent",
];

/// Parses what was posted, in whichever mode.
fn parse(headers: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    if headers.contains_key("ce-specversion") {
        let structured = structured(headers, body)?;
        return event(json::made(&structured)?).map(ParsedBody::from);
    }
    let node = json::made(body)?;
    if !node.is_list() {
        return event(node).map(ParsedBody::from);
    }
    let items = node.list()?.into_iter().enumerate();
    let events = items.map(|(index, raw)| event(Node::new(raw, Place::Item(&node.place, index))));
    Ok(events.collect::<Result<Vec<_>, _>>()?.into())
}

/// A binary event as the structured one that says the same.
fn structured(headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, SourceError> {
    #[derive(Serialize)]
    struct Structured {
        #[serde(flatten)]
        attributes: BTreeMap<String, String>,
        data: Option<Box<RawValue>>,
    }
    let attributes = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("ce-")?;
        Some((name.to_owned(), percent_decoded(value.as_bytes())))
    });
    let structured = Structured {
        attributes: attributes.collect(),
        data: binary_data(headers, body)?,
    };
    serde_json::to_vec(&structured).map_err(unreadable)
}

fn binary_data(headers: &HeaderMap, body: &[u8]) -> Result<Option<Box<RawValue>>, SourceError> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let content = headers.get(header::CONTENT_TYPE);
    let is_json = content.is_none_or(|content| is_json(content.as_bytes()));
    if is_json {
        json::made(body)?;
    }
    as_json(body, is_json).map(Some).map_err(unreadable)
}

/// Whether data of this type is JSON.
fn is_json(content: &[u8]) -> bool {
    content
        .windows(4)
        .any(|letters| letters.eq_ignore_ascii_case(b"json"))
}

/// Data as JSON; what is none is a text.
fn as_json(data: &[u8], is_json: bool) -> Result<Box<RawValue>, serde_json::Error> {
    let text = String::from_utf8_lossy(data);
    RawValue::from_string(match is_json {
        true => text.trim_start_matches('\u{feff}').to_owned(),
        false => Value::String(text.into_owned()).to_string(),
    })
}

/// The data of a structured event that came in base64.
fn decoded(event: &Object<'_, '_>) -> Result<Option<Box<RawValue>>, SourceError> {
    let Some(text) = event.text("data_base64")? else {
        return Ok(None);
    };
    let place = Place::Member(&event.place, "data_base64");
    let data = STANDARD
        .decode(text.as_bytes())
        .map_err(|_| place.invalid("is not base64", "send the data in base64, or as `data`"))?;
    let content = event.text("datacontenttype")?;
    let is_json = content.is_none_or(|content| is_json(content.as_bytes()));
    let data = as_json(&data, is_json).map_err(|error| {
        place.invalid(
            format!("is not JSON: {error}"),
            "say in datacontenttype what it is",
        )
    })?;
    Ok(Some(data))
}

fn unreadable(error: serde_json::Error) -> SourceError {
    SourceError::Malformed {
        reason: format!("the event cannot be read: {error}"),
        remedy: "send JSON",
    }
}

/// Values of headers have what is not ASCII as `%C3%A4`.
fn percent_decoded(value: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, behind)) = rest.split_first() {
        let code = behind.get(..2).filter(|_| first == b'%');
        let byte = code.and_then(|code| {
            let mut byte = [0];
            hex::decode_to_slice(code, &mut byte).ok().map(|()| byte[0])
        });
        decoded.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn event(node: Node<'_, '_>) -> Result<SourceEvent, SourceError> {
    let event = node.object()?;
    event.needed(&["specversion"], EVENT)?;
    event.needed(&["id"], EVENT)?;
    let source = event.needed(&["source"], EVENT)?;
    let kind = event.needed(&["type"], EVENT)?;
    let subject = event.text("subject")?;
    let decoded = decoded(&event)?;
    let place = Place::Member(&event.place, "data_base64");
    let node = match &decoded {
        Some(decoded) => Some(Node::new(decoded, place)),
        None => event.get("data"),
    };
    let data = node.and_then(|node| node.object().ok());
    let of_data = |names: &[&str]| match &data {
        Some(data) => data.first(names),
        None => Ok(None),
    };
    let (stem, by_type) = state_by_type(&kind);
    let severity = of_data(&["severity", "level", "priority"])?.or(event.first(&["severity", "priority"])?);
    let stated = data.as_ref().map_or(Ok(None), state)?.or(by_type);
    // An event with a severity, such as those of Falco, is meant as an alert, although nothing will end it.
    let by_default = severity.is_some().then_some(EventStatus::Firing);
    let Some(status) = stated.or(by_default) else {
        return Err(event.refuse(&["type"], &kind, STATES));
    };
    let severity = severity
        .and_then(|word| severity::of_word(&word))
        .unwrap_or(Severity::Unknown);
    let rule = of_data(&["rule"])?.or(event.text("rule")?);
    let host = of_data(&["hostname"])?.or(event.text("hostname")?);
    let mut identity = match &subject {
        Some(subject) => vec!["subject", &source, subject],
        None => vec!["type", &source, stem],
    };
    if stated.is_none() {
        identity.extend(rule.as_deref());
        identity.extend(host.as_deref());
    }
    let mut alert = SourceEvent::new(identity, status, severity);
    if stated.is_none() {
        alert.warnings.push(format!(
            "the type {kind} does not say whether the problem has begun or ended, so it counts as begun; {STATES}"
        ));
    }
    let text = of_data(&["message", "description", "text", "summary", "output"])?;
    alert.output = text.or(node.and_then(Node::flat)).unwrap_or_default();
    alert.name = of_data(&["name", "title", "summary"])?
        .or(rule)
        .unwrap_or_else(|| stem.to_owned());
    alert.object = match of_data(&["object", "host", "resource"])?.or(host) {
        Some(object) => object,
        None => subject.unwrap_or_else(|| source.clone()),
    };
    alert.service = of_data(&["service"])?;
    alert.source = source;
    alert.occurred_at = event.time("time", &mut alert.warnings)?;
    add_labels(&mut alert, &event, data.as_ref())?;
    alert.add_label("type", Some(stem.to_owned()));
    Ok(alert)
}

/// The state in the data. An unknown state is an error, and not a reason to use the type instead.
fn state(data: &Object<'_, '_>) -> Result<Option<EventStatus>, SourceError> {
    const NAMES: [&str; 2] = ["state", "status"];
    let Some(word) = data.first(&NAMES)? else {
        return Ok(None);
    };
    match state_of_word(&word) {
        Some(status) => Ok(Some(status)),
        None => Err(data.refuse(&NAMES, &word, STATE)),
    }
}

fn add_labels(
    alert: &mut SourceEvent,
    event: &Object<'_, '_>,
    data: Option<&Object<'_, '_>>,
) -> Result<(), SourceError> {
    if let Some(data) = data {
        if data.get("labels").is_some_and(Node::is_object) {
            alert.labels = data.texts("labels")?;
        }
        alert.add_label("acknowledged_by", data.first(&["acknowledged_by", "user"])?);
        for (title, name) in [("Link", "url"), ("Link", "link"), ("Dashboard", "dashboard")] {
            alert.add_link(title, data.first(&[name])?.unwrap_or_default());
        }
    }
    for name in event.names().filter(|name| !KNOWN.contains(name)) {
        alert.add_label(name, event.flat(name));
    }
    alert.ask_by_labels();
    Ok(())
}

/// A type without the word at its end that says what has happened, and what that word says.
fn state_by_type(kind: &str) -> (&str, Option<EventStatus>) {
    let Some((stem, last)) = kind.rsplit_once('.') else {
        return (kind, state_of_word(kind));
    };
    let is_version = last
        .strip_prefix('v')
        .is_some_and(|number| number.parse::<u32>().is_ok());
    if is_version {
        return state_by_type(stem);
    }
    match state_of_word(last) {
        Some(status) => (stem, Some(status)),
        None => (kind, None),
    }
}

fn state_of_word(word: &str) -> Option<EventStatus> {
    match word.to_ascii_lowercase().as_str() {
        "firing" | "fired" | "open" | "opened" | "triggered" | "raised" | "created" | "active"
        | "activated" | "alerting" | "problem" | "failed" | "updated" | "reopened" => {
            Some(EventStatus::Firing)
        }
        "acknowledged" | "acked" => Some(EventStatus::Acknowledged),
        "resolved" | "closed" | "cleared" | "recovered" | "ended" | "ok" | "normal" | "deactivated" => {
            Some(EventStatus::Resolved)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn binary(headers: &[(&'static str, &'static str)], body: &[u8]) -> Result<SourceEvent, SourceError> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Ok(parse(&headers.collect(), body)?.events.remove(0))
    }

    const ATTRIBUTES: [(&str, &str); 6] = [
        ("ce-specversion", "1.0"),
        ("ce-id", "01J7-9"),
        ("ce-source", "/shop/pay"),
        ("ce-type", "com.example.alert.opened"),
        ("ce-subject", "pay-3%2F5xx %E2%82%AC"),
        ("ce-team", "pay"),
    ];

    #[test]
    fn a_binary_event_is_what_the_structured_one_is() {
        let by_headers = binary(&ATTRIBUTES, br#"{"severity": "critical", "summary": "5xx"}"#).unwrap();
        let body = r#"{"specversion": "1.0", "id": "01J7-9", "source": "/shop/pay", "type": "com.example.alert.opened",
            "subject": "pay-3/5xx €", "team": "pay", "data": {"severity": "critical", "summary": "5xx"}}"#;
        let by_body = parse(&HeaderMap::new(), body.as_bytes())
            .unwrap()
            .events
            .remove(0);
        assert_eq!(by_headers, by_body);
        assert_eq!(by_headers.labels["team"], "pay");
    }

    #[test]
    fn binary_data_that_is_no_json_is_the_text() {
        let mut headers = ATTRIBUTES.to_vec();
        headers.push(("content-type", "text/plain"));
        assert_eq!(binary(&headers, b"it \"burns\"").unwrap().output, "it \"burns\"");
        assert!(matches!(
            binary(&ATTRIBUTES, b"it burns"),
            Err(SourceError::Malformed { .. })
        ));
        assert_eq!(binary(&ATTRIBUTES, b"").unwrap().output, "");
    }

    #[test]
    fn the_end_of_a_type_says_what_has_happened_and_is_no_part_of_the_alert() {
        for (kind, stated) in [
            ("a.b.opened", ("a.b", Some(EventStatus::Firing))),
            ("a.b.closed.v2", ("a.b", Some(EventStatus::Resolved))),
            ("a.b.Acknowledged", ("a.b", Some(EventStatus::Acknowledged))),
            ("a.b.shipped", ("a.b.shipped", None)),
        ] {
            assert_eq!(state_by_type(kind), stated);
        }
    }
}
