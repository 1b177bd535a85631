//! Riemann's events, as its clients send them.
//!
//! Identity: host and service, as in Riemann's index. collectd leaves the service of its values empty; they are
//! distinguished by the attributes that name the value.

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use prost::Message;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::MAX_ALERTS_PER_BODY;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

pub mod wire;

use wire::{Event, Msg};

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "riemann",
    title: "Riemann events, as protobuf",
    documentation: "docs/sources/riemann.md",
    methods: POST,
    parse,
};

const STATES: &str = "send ok, warning, critical, unknown, expired or a word for a severity";
/// The attribute with the key.
const KEY: &str = "integration_key";
/// The attributes by which collectd names a value.
const VALUE_OF_COLLECTD: [&str; 5] = ["plugin", "plugin_instance", "type", "type_instance", "ds_name"];

/// Parses one message. An event without a state is a measurement, and no alert.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let message = Msg::decode(body).map_err(|error| SourceError::Malformed {
        reason: format!("the body is not a message of Riemann: {error}"),
        remedy: "send Msg in protobuf, as Riemann's clients do",
    })?;
    if message.query.is_some() {
        return Err(SourceError::Invalid {
            field: "query".to_owned(),
            reason: "is not answered here".to_owned(),
            remedy: "send events, and ask /api/v1/alerts".to_owned(),
        });
    }
    let count = message.states.len() + message.events.len();
    if count > MAX_ALERTS_PER_BODY {
        return Err(SourceError::Invalid {
            field: "events".to_owned(),
            reason: format!("has {count} events"),
            remedy: format!("send at most {MAX_ALERTS_PER_BODY} in one message"),
        });
    }
    let events = message.states.into_iter().chain(message.events);
    let events = events.enumerate().filter_map(|(index, event)| {
        let state = event.state.clone().filter(|state| !state.is_empty())?;
        Some(parse_event(index, event, &state))
    });
    Ok(events.collect::<Result<Vec<_>, _>>()?.into())
}

/// The key in the events of a message; `None` if they do not agree.
pub fn integration_key(body: &[u8]) -> Option<String> {
    let message = Msg::decode(body).ok()?;
    let mut keys = message
        .states
        .iter()
        .chain(&message.events)
        .map(|event| event.attribute(KEY));
    let first = keys.next()??;
    keys.all(|key| key == Some(first)).then(|| first.to_owned())
}

fn parse_event(index: usize, event: Event, state: &str) -> Result<SourceEvent, SourceError> {
    let refused = |field: &str, reason: String, remedy: &str| SourceError::Invalid {
        field: format!("events[{index}].{field}"),
        reason,
        remedy: remedy.to_owned(),
    };
    let (status, severity) =
        meaning(state).ok_or_else(|| refused("state", format!("is {state:?}"), STATES))?;
    let host = event.host.as_deref().unwrap_or_default();
    let (name, identity) =
        named(&event).ok_or_else(|| refused("service", "is missing".to_owned(), "send a service"))?;
    let identity = std::iter::once(host).chain(identity.iter().map(String::as_str));
    let mut alert = SourceEvent::new(identity, status, severity);
    host.clone_into(&mut alert.object);
    alert.name = name;
    alert.output = output(&event, state);
    alert.occurred_at = time(&event, &mut alert.warnings);
    if status == EventStatus::Firing {
        alert.lifetime = lifetime(&event, &mut alert.warnings);
    }
    event.tags.iter().for_each(|tag| alert.add_tag(tag));
    for attribute in event.attributes {
        if attribute.key != KEY && attribute.key != "description" {
            alert.add_label(&attribute.key, attribute.value);
        }
    }
    alert.ask_by_labels();
    Ok(alert)
}

/// Riemann marks events as expired after their ttl; here such an alert has ended by itself before.
fn meaning(state: &str) -> Option<(EventStatus, Severity)> {
    match state.to_ascii_lowercase().as_str() {
        "ok" | "expired" => Some((EventStatus::Resolved, Severity::Ok)),
        word => severity::of_word(word).map(|severity| (EventStatus::Firing, severity)),
    }
}

/// What the event is about, for people and as a part of the identity.
fn named(event: &Event) -> Option<(String, Vec<String>)> {
    if let Some(service) = event.service.clone().filter(|service| !service.is_empty()) {
        return Some((service.clone(), vec![service]));
    }
    let value = VALUE_OF_COLLECTD.map(|key| event.attribute(key).unwrap_or_default().to_owned());
    let [plugin, plugin_instance, kind, kind_instance, data_source] = &value;
    if plugin.is_empty() {
        return None;
    }
    let with = |name: &str, instance: &str| match instance {
        "" => name.to_owned(),
        instance => format!("{name}-{instance}"),
    };
    let mut name = format!("{}/{}", with(plugin, plugin_instance), with(kind, kind_instance));
    // A plugin with one value always calls it so.
    if data_source != "value" && !data_source.is_empty() {
        name = format!("{name}/{data_source}");
    }
    Some((name, value.to_vec()))
}

/// The text of an event. Events with a ttl are repeated, and each change of the text notifies people, so the measured value is
/// no part of it then.
fn output(event: &Event, state: &str) -> String {
    let description = event.description.as_deref().filter(|text| !text.is_empty());
    match (
        description.or_else(|| event.attribute("description")),
        event.metric(),
    ) {
        (Some(text), _) => text.to_owned(),
        (None, Some(metric)) if event.ttl.is_none() => format!("{state} ({metric})"),
        (None, _) => state.to_owned(),
    }
}

fn time(event: &Event, warnings: &mut Vec<String>) -> Option<Timestamp> {
    let time = match (event.time_micros, event.time) {
        (Some(microseconds), _) => Timestamp::from_microsecond(microseconds),
        (None, Some(seconds)) => Timestamp::from_second(seconds),
        (None, None) => return None,
    };
    time.inspect_err(|error| {
        warnings.push(format!(
            "the time is none, so the time of arrival counts: {error}"
        ))
    })
    .ok()
}

fn lifetime(event: &Event, warnings: &mut Vec<String>) -> Option<SignedDuration> {
    let seconds = event.ttl?;
    let lifetime = SignedDuration::try_from_secs_f32(seconds)
        .ok()
        .filter(SignedDuration::is_positive);
    if lifetime.is_none() {
        warnings.push(format!(
            "the ttl {seconds} is no time to live, so the alert does not end by itself"
        ));
    }
    lifetime
}

#[cfg(test)]
mod tests {
    use super::wire::Attribute;
    use super::*;

    fn critical() -> Event {
        Event {
            host: Some("web-1".to_owned()),
            service: Some("disk /var".to_owned()),
            state: Some("critical".to_owned()),
            ..Event::default()
        }
    }

    fn attribute(key: &str, value: &str) -> Attribute {
        Attribute {
            key: key.to_owned(),
            value: Some(value.to_owned()),
        }
    }

    fn read_events(events: Vec<Event>) -> Result<Vec<SourceEvent>, SourceError> {
        let message = Msg {
            events,
            ..Msg::default()
        };
        Ok(parse(&HeaderMap::new(), &message.encode_to_vec())?.events)
    }

    fn read_event(event: Event) -> SourceEvent {
        read_events(vec![event]).unwrap().remove(0)
    }

    #[test]
    fn an_event_without_a_state_is_a_measurement() {
        let measurement = Event {
            state: None,
            metric_d: Some(0.5),
            ..critical()
        };
        assert_eq!(read_events(vec![measurement, critical()]).unwrap().len(), 1);
    }

    #[test]
    fn a_state_that_nobody_knows_is_refused_with_its_place() {
        let event = Event {
            state: Some("purple".to_owned()),
            ..critical()
        };
        let error = read_events(vec![critical(), event]).unwrap_err();
        assert_eq!(error.field(), Some("events[1].state"));
        assert!(error.to_string().contains("is \"purple\"; send ok"), "{error}");
    }

    #[test]
    fn an_event_holds_for_its_ttl_and_no_longer() {
        let of = |ttl| {
            let event = read_event(Event { ttl, ..critical() });
            (event.lifetime, event.warnings.len())
        };
        assert_eq!(of(None), (None, 0));
        assert_eq!(of(Some(20.5)), (Some(SignedDuration::from_millis(20_500)), 0));
        for wrong in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(of(Some(wrong)), (None, 1), "{wrong}");
        }
    }

    #[test]
    fn the_measured_value_is_told_only_by_events_that_do_not_repeat_themselves() {
        let event = Event {
            metric_sint64: Some(-3),
            ..critical()
        };
        assert_eq!(read_event(event.clone()).output, "critical (-3)");
        let repeated = Event {
            ttl: Some(20.0),
            ..event
        };
        assert_eq!(read_event(repeated).output, "critical");
    }

    #[test]
    fn the_key_is_one_for_all_events_and_no_label() {
        let with = |key| Event {
            attributes: vec![attribute(KEY, key), attribute("environment_id", "production")],
            ..critical()
        };
        let key = |events| {
            integration_key(
                &Msg {
                    events,
                    ..Msg::default()
                }
                .encode_to_vec(),
            )
        };
        assert_eq!(key(vec![with("a"), with("a")]).as_deref(), Some("a"));
        assert_eq!(key(vec![with("a"), with("b")]), None);
        assert_eq!(key(vec![with("a"), critical()]), None);
        let event = read_event(with("a"));
        assert!(!event.labels.contains_key(KEY));
        assert_eq!(event.environment.as_deref(), Some("production"));
    }

    #[test]
    fn what_the_first_clients_sent_is_understood_too() {
        let message = Msg {
            states: vec![critical()],
            ..Msg::default()
        };
        let parsed = parse(&HeaderMap::new(), &message.encode_to_vec()).unwrap();
        assert_eq!(parsed.events, [read_event(critical())]);
    }

    #[test]
    fn a_query_is_refused() {
        let message = Msg {
            query: Some(wire::Query {
                string: Some("true".to_owned()),
            }),
            ..Msg::default()
        };
        let error = parse(&HeaderMap::new(), &message.encode_to_vec()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "query is not answered here; send events, and ask /api/v1/alerts"
        );
    }
}
