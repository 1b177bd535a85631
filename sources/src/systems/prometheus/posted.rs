//! What is sent to an Alertmanager, which Prometheus does: a list of alerts.
//!
//! As there, a body whose types are wrong is refused as a whole, and what else is wrong costs only the alert that it is wrong
//! with: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml> and `api/v2/api.go`.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use schemas::EventStatus;

use super::{LABELS, of_status};
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;

/// How long an alert holds that is posted without an end: Alertmanager's `resolve_timeout`, where it is not configured.
const RESOLVE_TIMEOUT: SignedDuration = SignedDuration::from_mins(5);
/// How far a clock may be behind. What has ended by an earlier time is history.
const SLOWEST_CLOCK: SignedDuration = SignedDuration::from_hours(24);
/// Go's zero time, which stands for none.
const NO_TIME: &str = "0001-01-01T00:00:00";

/// An alert whose types are right.
struct Posted<'a, 'p> {
    alert: Object<'a, 'p>,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
}

/// Parses a list of alerts. One whose end has come is resolved; the end of another is the time until which it holds, unless it
/// is sent again.
///
/// # Errors
///
/// A body that Alertmanager cannot decode, or of which an alert has no labels ([`SourceError::Missing`]). An alert with nothing in
/// its labels, or with an end before its beginning, is skipped.
pub fn parse_posted(now: Timestamp, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let items = json::made(body)?.list()?.into_iter().enumerate();
    let decoded = items.map(|(index, raw)| decode(Node::new(raw, Place::Item(&Place::Made, index))));
    let decoded = decoded.collect::<Result<Vec<_>, _>>()?;
    let mut parsed = ParsedBody::default();
    for posted in decoded {
        match event(now, &posted) {
            Ok(event) => parsed.events.push(event),
            Err(error) => parsed.skip(error),
        }
    }
    Ok(parsed)
}

fn decode<'a, 'p>(alert: Node<'a, 'p>) -> Result<Posted<'a, 'p>, SourceError> {
    let alert = alert.object()?;
    let (starts_at, ends_at) = (time(&alert, "startsAt")?, time(&alert, "endsAt")?);
    for texts in ["labels", "annotations"] {
        alert.check_texts(texts)?;
    }
    if let Some(address) = alert.get("generatorURL") {
        address.only_text()?;
    }
    alert.required("labels", LABELS)?;
    Ok(Posted {
        alert,
        starts_at,
        ends_at,
    })
}

/// A time in one of the layouts of Alertmanager: RFC 3339, and a date and a time without a zone, which are UTC.
fn time(alert: &Object<'_, '_>, name: &str) -> Result<Option<Timestamp>, SourceError> {
    let Some(node) = alert.get(name) else {
        return Ok(None);
    };
    let text = node.only_text()?;
    let text = text.trim();
    if text.is_empty() || text.starts_with(NO_TIME) {
        return Ok(None);
    }
    let without_zone = || {
        let time: DateTime = text.parse().ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let time = text.parse().ok().or_else(without_zone);
    time.map(Some).ok_or_else(|| {
        node.place.invalid(
            format!("is no time: {}", json::shortened(text)),
            "send RFC 3339, like \"2026-09-01T10:00:00Z\", or leave it out",
        )
    })
}

fn event(now: Timestamp, posted: &Posted<'_, '_>) -> Result<SourceEvent, SourceError> {
    let Posted {
        alert,
        starts_at,
        ends_at,
    } = posted;
    let status = match ends_at {
        Some(ends_at) if *ends_at <= now => EventStatus::Resolved,
        _ => EventStatus::Firing,
    };
    let mut event = of_status(alert, status, None)?;
    event.occurred_at = match status {
        EventStatus::Resolved => *ends_at,
        _ => *starts_at,
    };
    if let (Some(starts_at), Some(ends_at)) = (starts_at, ends_at)
        && starts_at > ends_at
    {
        let place = Place::Member(&alert.place, "endsAt");
        return Err(place.invalid("is before startsAt", "start time must be before end time"));
    }
    if let (EventStatus::Resolved, Some(ends_at)) = (status, *ends_at) {
        // A sender with a slow clock sends this of an alert that still fires.
        event.began_at = starts_at.filter(|began_at| *began_at < ends_at);
        if event.began_at.is_some() && now.duration_since(ends_at) < SLOWEST_CLOCK {
            event.severity = of_status(alert, EventStatus::Firing, None)?.severity;
            event.lifetime = Some(RESOLVE_TIMEOUT);
            event
                .warnings
                .extend(clock_warning(&event.name, now.duration_since(ends_at)));
        } else {
            event.began_at = None;
        }
    }
    if alert.texts("labels")?.values().all(String::is_empty) {
        let remedy = "at least one label pair required";
        return Err(Place::Member(&alert.place, "labels").invalid("says nothing", remedy));
    }
    if status == EventStatus::Firing {
        event.expires_at = *ends_at;
        event.lifetime = ends_at.is_none().then_some(RESOLVE_TIMEOUT);
    }
    Ok(event)
}

/// What to look at if an end has passed for longer than a message takes.
fn clock_warning(name: &str, passed_for: SignedDuration) -> Option<String> {
    const SHOWN_FROM: SignedDuration = SignedDuration::from_secs(30);
    let seconds = SignedDuration::from_secs(passed_for.as_secs());
    (passed_for >= SHOWN_FROM).then(|| {
        format!(
            "the end of {name:?} had passed {seconds:#} before it arrived: it ends what is open, and what is not known here opens, \
             as the clock of the sender may be behind"
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(body: &Value) -> Result<ParsedBody, SourceError> {
        parse_posted(
            "2026-09-01T10:00:00Z".parse().unwrap(),
            body.to_string().as_bytes(),
        )
    }

    /// What Alertmanager 0.25 answers 400 to, with no alert of the body taken.
    #[test]
    fn a_body_with_a_wrong_type_is_refused_as_a_whole() {
        let valid = json!({ "labels": { "alertname": "A" } });
        for (wrong, field) in [
            (json!({ "startsAt": "x" }), "[1].startsAt"),
            (json!({ "startsAt": "2026-13-01T10:00:00Z" }), "[1].startsAt"),
            (json!({ "startsAt": "1788256800" }), "[1].startsAt"),
            (json!({ "startsAt": 1_788_256_800 }), "[1].startsAt"),
            (json!({ "startsAt": 5 }), "[1].startsAt"),
            (json!({ "startsAt": true }), "[1].startsAt"),
            (json!({ "startsAt": {} }), "[1].startsAt"),
            (json!({ "endsAt": "soon" }), "[1].endsAt"),
            (json!({ "endsAt": [] }), "[1].endsAt"),
            (json!({ "labels": { "alertname": 5 } }), "[1].labels.alertname"),
            (json!({ "labels": { "alertname": true } }), "[1].labels.alertname"),
            (json!({ "labels": { "a": "b", "c": {} } }), "[1].labels.c"),
            (json!({ "labels": ["a"] }), "[1].labels"),
            (json!({ "labels": "a" }), "[1].labels"),
            (json!({ "annotations": { "a": 5 } }), "[1].annotations.a"),
            (json!({ "annotations": "x" }), "[1].annotations"),
            (json!({ "generatorURL": 5 }), "[1].generatorURL"),
            (json!(1), "[1]"),
            (json!("no alert"), "[1]"),
            (Value::Null, "[1]"),
        ] {
            let mut alert = wrong;
            if let Some(alert) = alert.as_object_mut() {
                alert.entry("labels").or_insert(json!({ "alertname": "B" }));
            }
            let error = parse(&json!([valid, alert])).expect_err("a wrong type");
            assert_eq!(error.field(), Some(field), "{alert}: {error}");
            assert!(!matches!(error, SourceError::Missing { .. }), "{error}");
        }
        assert!(parse(&json!({})).is_err());
    }

    #[test]
    fn an_alert_without_labels_refuses_the_body_with_another_code() {
        for alert in [json!({}), json!({ "annotations": {} }), json!({ "labels": null })] {
            let error = parse(&json!([{ "labels": { "alertname": "A" } }, alert])).expect_err("no labels");
            assert_eq!(error.field(), Some("[1].labels"));
            assert!(matches!(error, SourceError::Missing { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_meaning_of_an_alert_costs_that_alert_alone() {
        let twisted = json!({
            "labels": { "alertname": "B" }, "startsAt": "2026-09-01T10:00:00Z", "endsAt": "2026-09-01T09:00:00Z",
        });
        for wrong in [
            json!({ "labels": {} }),
            json!({ "labels": { "a": "" } }),
            json!({ "labels": { "a": null } }),
            twisted,
        ] {
            let parsed =
                parse(&json!([wrong, { "labels": { "alertname": "A" } }])).expect("the other is valid");
            assert_eq!((parsed.skipped, parsed.events.len()), (1, 1), "{wrong}");
        }
    }

    #[test]
    fn a_time_has_the_layouts_of_alertmanager() {
        for (text, second) in [
            (json!("2026-09-01T09:59:00Z"), Some(1_788_256_740)),
            (json!("2026-09-01T09:59:00.5Z"), Some(1_788_256_740)),
            (json!("2026-09-01T11:59:00+02:00"), Some(1_788_256_740)),
            (json!("2026-09-01T11:59:00.000+0200"), Some(1_788_256_740)),
            (json!("2026-09-01T09:59:00"), Some(1_788_256_740)),
            (json!("2026-09-01T09:59"), Some(1_788_256_740)),
            (json!("2026-09-01T09:59Z"), Some(1_788_256_740)),
            (json!("2026-09-01 09:59:00"), Some(1_788_256_740)),
            (json!("2026-09-01"), Some(1_788_220_800)),
            (json!(""), None),
            (json!("0001-01-01T00:00:00Z"), None),
            (Value::Null, None),
        ] {
            let parsed =
                parse(&json!([{ "labels": { "alertname": "A" }, "startsAt": text }])).expect("a time");
            let occurred_at = parsed.events[0].occurred_at;
            assert_eq!(occurred_at.map(|at| at.as_second()), second, "{text}");
            assert_eq!(parsed.events[0].warnings, [""; 0], "{text}");
        }
    }
}
