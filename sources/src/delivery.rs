//! From parsed bodies to the events of `alerts.collected`.

use std::borrow::Cow;

use domain::AlertBounds;
use jiff::{SignedDuration, Timestamp};
use schemas::config::Heartbeat;
use schemas::{AlertEvent, EndEvidence, EventKind, EventStatus, Fingerprint, HeartbeatRun, Severity};
use uuid::Uuid;

use crate::bounds::{self, Shortened};
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::heartbeat::{self, HEARTBEAT};
use crate::parsed::{ParsedBody, SourceActionRequest};
use crate::text::test_alerts;

/// The most bytes of one event as JSON. The stages behind keep the previous text of an alert beside its text, and both must
/// fit into one record.
const MAX_EVENT_BYTES: usize = 256 * 1024;
/// 1 January 2000: a sender that gives an earlier time has no clock.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);
/// How far the clock of a sender may be ahead.
const MAX_CLOCK_LEAD: SignedDuration = SignedDuration::from_hours(24);
/// The most warnings of one answer.
const MAX_WARNINGS: usize = 20;
/// The most bytes of one warning, which may quote what its sender wrote.
const WARNING_BYTES_MAX: usize = 2048;

/// What all alerts of one request have in common.
pub struct Delivery {
    /// Name of the integration whose key was used.
    pub integration: String,
    /// Name of the key that was used, if the site names it.
    pub key: Option<String>,
    /// The source, as in the path.
    pub monitoring_system: Cow<'static, str>,
    /// The environment that the query asks for.
    pub environment: Option<String>,
    /// The scenario that the query asks for.
    pub scenario: Option<String>,
    /// When the request had been read in full.
    pub accepted_at: Timestamp,
    /// The id of the first event; the others follow.
    pub first_id: Uuid,
    /// The heartbeats of the integration that are called by an alert while it fires.
    pub called_by_alerts: Vec<Heartbeat>,
    /// How large one alert may be.
    pub bounds: AlertBounds,
}

/// The events of one request.
pub struct EventBatch {
    /// In the order of the body; those that carry a requested action come last.
    pub events: Vec<AlertEvent>,
    /// One for each event.
    pub receipts: Vec<Receipt>,
    /// What the sender should know although the body is accepted.
    pub warnings: Vec<String>,
    /// How many items of the body were skipped.
    pub skipped: usize,
    /// What was cut of alerts that exceed the bounds.
    pub shortened: Vec<Shortened>,
    /// Why an item that was meant to be an alert was skipped.
    pub unusable: Option<SourceError>,
}

/// What the answer to a sender can say of one event.
pub struct Receipt {
    /// Its id.
    pub event_id: Uuid,
    /// Of its alert.
    pub fingerprint: Fingerprint,
    /// As the source has it.
    pub identity: Vec<String>,
}

impl Delivery {
    /// Makes the events of a parsed body. Nothing is lost here: what exceeds the bounds is cut, with a warning.
    pub fn make_events(&self, parsed: ParsedBody) -> EventBatch {
        let mut warnings = parsed.warnings;
        let mut events = Vec::with_capacity(parsed.events.len());
        let mut receipts = Vec::with_capacity(parsed.events.len());
        let mut shortened = Vec::new();
        for alert in parsed.events {
            let mut alert = match self.as_call(alert) {
                Ok(alert) => alert,
                Err(warning) => {
                    warnings.push(warning);
                    continue;
                }
            };
            test_alerts::mark(&self.monitoring_system, &mut alert);
            warnings.append(&mut alert.warnings);
            let cut = bounds::shorten(&mut alert, &self.bounds);
            if let Some(warning) = cut.warning(&alert.name) {
                warnings.push(warning);
                shortened.push(cut);
            }
            if let Some(warning) = self.without_absurd_time(&mut alert) {
                warnings.push(warning);
            }
            let identity = std::mem::take(&mut alert.identity);
            let mut event = self.event(events.len(), &identity, alert);
            event.fingerprint = parsed.alert.unwrap_or(event.fingerprint);
            event.outcome_wanted = parsed.outcome_wanted;
            receipts.push(Receipt {
                event_id: event.event_id,
                fingerprint: event.fingerprint,
                identity,
            });
            events.push(event);
        }
        for mut requested in parsed.action_requests {
            bounds::shorten_action(&mut requested.request, &self.bounds);
            let mut event = self.action_request(events.len(), &requested);
            event.fingerprint = parsed.alert.unwrap_or(event.fingerprint);
            event.outcome_wanted = parsed.outcome_wanted;
            receipts.push(Receipt {
                event_id: event.event_id,
                fingerprint: event.fingerprint,
                identity: requested.identity,
            });
            events.push(event);
        }
        if receipts.is_empty() && warnings.is_empty() {
            warnings.push("the body has no alert, so nothing was done".to_owned());
        }
        warnings.truncate(MAX_WARNINGS);
        for warning in &mut warnings {
            bounds::cut(warning, WARNING_BYTES_MAX);
        }
        EventBatch {
            events,
            receipts,
            warnings,
            skipped: parsed.skipped,
            shortened,
            unusable: parsed.unusable,
        }
    }

    /// A requested action travels as an event, so that the alert that was created just before it exists when it is applied.
    fn action_request(&self, index: usize, requested: &SourceActionRequest) -> AlertEvent {
        let mut event = SourceEvent {
            name: requested.identity.last().cloned().unwrap_or_default(),
            ..SourceEvent::new([], EventStatus::Firing, Severity::Information)
        };
        bounds::shorten(&mut event, &self.bounds);
        AlertEvent {
            kind: EventKind::ActionRequest(requested.request.clone()),
            ..self.event(index, &requested.identity, event)
        }
    }

    fn fingerprint(&self, monitoring_system: &str, identity: &[String]) -> Fingerprint {
        let beginning = [self.integration.as_str(), monitoring_system];
        domain::fingerprint(beginning.into_iter().chain(identity.iter().map(String::as_str)))
    }

    /// An alert that always fires calls its heartbeat each time that it is sent, if the site says so. Its end is neither a
    /// call nor an alert: the heartbeat then misses its calls. An end that rests on the sender's clock alone may be none.
    fn as_call(&self, alert: SourceEvent) -> Result<SourceEvent, String> {
        let called = |heartbeat: &&Heartbeat| heartbeat.alert.as_ref() == Some(&alert.name);
        match self.called_by_alerts.iter().find(called) {
            None => Ok(alert),
            Some(heartbeat) if alert.status == EventStatus::Firing || alert.began_at.is_some() => {
                Ok(heartbeat::call(heartbeat))
            }
            Some(heartbeat) => Err(format!(
                "the end of {:?} was skipped: it calls heartbeat {:?} while it fires",
                alert.name, heartbeat.name
            )),
        }
    }

    fn event(&self, index: usize, identity: &[String], alert: SourceEvent) -> AlertEvent {
        let expires_at = self.expires_at(&alert);
        let monitoring_system = match alert.heartbeat {
            Some(_) => Cow::Borrowed(HEARTBEAT),
            None => self.monitoring_system.clone(),
        };
        let kind = kind(&alert);
        let name = filled(alert.name, &monitoring_system);
        AlertEvent {
            event_id: following(self.first_id, index),
            fingerprint: self.fingerprint(&monitoring_system, identity),
            accepted_at: self.accepted_at,
            occurred_at: alert.occurred_at,
            expires_at,
            outcome_wanted: false,
            key: self.key.clone(),
            kind,
            severity: alert.severity,
            integration: self.integration.clone(),
            source: filled(alert.source, &monitoring_system),
            monitoring_system: monitoring_system.into_owned(),
            service: alert.service,
            object: filled(alert.object, &name),
            name,
            output: alert.output,
            labels: alert.labels,
            annotations: alert.annotations,
            links: alert.links,
            environment: alert.environment.or_else(|| self.environment.clone()),
            scenario: alert.scenario.or_else(|| self.scenario.clone()),
        }
    }

    fn expires_at(&self, alert: &SourceEvent) -> Option<Timestamp> {
        let after = |lifetime| self.accepted_at.checked_add(lifetime).ok();
        let stated = alert.expires_at.or_else(|| alert.lifetime.and_then(after));
        // An alert that has expired already would end at its beginning: a clock is wrong, and its end will be sent.
        stated.filter(|at| *at > self.accepted_at)
    }

    /// A wrong clock must not cost the alert: its time is ignored, and the time of arrival counts.
    fn without_absurd_time(&self, alert: &mut SourceEvent) -> Option<String> {
        let time = alert.occurred_at?;
        let wrong = if time < EARLIEST {
            "lies before the year 2000"
        } else if time.duration_since(self.accepted_at) > MAX_CLOCK_LEAD {
            "lies more than a day ahead"
        } else {
            return None;
        };
        alert.occurred_at = None;
        Some(format!(
            "the time {time} of {:?} {wrong}, so the time of arrival counts",
            alert.name
        ))
    }
}

/// What an event of a source is.
fn kind(alert: &SourceEvent) -> EventKind {
    if let Some(heartbeat) = &alert.heartbeat {
        return EventKind::HeartbeatCall {
            heartbeat: heartbeat.clone(),
            run: match alert.status {
                EventStatus::Firing => HeartbeatRun::Failed,
                EventStatus::Resolved => HeartbeatRun::Succeeded,
                EventStatus::Acknowledged => HeartbeatRun::Began,
            },
        };
    }
    match alert.status {
        EventStatus::Firing => EventKind::Firing {
            acknowledged: alert.acknowledged,
        },
        EventStatus::Resolved => EventKind::Resolved {
            evidence: match (alert.opens_as, alert.began_at) {
                (Some(opens_as), _) => EndEvidence::Guess { opens_as },
                (None, Some(began_at)) => EndEvidence::Clock { began_at },
                (None, None) => EndEvidence::Statement,
            },
        },
        EventStatus::Acknowledged => EventKind::Acknowledged,
    }
}

/// An empty text is replaced, as consoles must not show an alert without a name.
fn filled(text: String, next_best: &str) -> String {
    if text.is_empty() {
        next_best.to_owned()
    } else {
        text
    }
}

/// Ids of one request differ in their last digits only, in the order of the body: random bits are drawn once for all.
fn following(first: Uuid, index: usize) -> Uuid {
    const TAIL: u128 = (1 << 62) - 1;
    let first = first.as_u128();
    let tail = (first & TAIL).wrapping_add(index as u128) & TAIL;
    Uuid::from_u128((first & !TAIL) | tail)
}

/// An event as JSON, for its record. `index` is its place in the body.
///
/// # Errors
///
/// An event of more than 256 KiB, with its place.
pub fn encode(index: usize, event: &AlertEvent) -> Result<Vec<u8>, SourceError> {
    let too_large = |reason: String| SourceError::Invalid {
        field: format!("alert {index}"),
        reason,
        remedy: format!("shorten its text or its labels: {MAX_EVENT_BYTES} bytes are allowed"),
    };
    let value = serde_json::to_vec(event).map_err(|error| too_large(error.to_string()))?;
    match value.len() {
        0..=MAX_EVENT_BYTES => Ok(value),
        bytes => Err(too_large(format!("has {bytes} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_request_are_different_in_order_and_of_version_7() {
        let time = uuid::Timestamp::from_unix(uuid::NoContext, 1_788_000_000, 0);
        let first = Uuid::new_v7(time);
        let ids: Vec<_> = (0..3).map(|index| following(first, index)).collect();
        assert_eq!(ids[0], first);
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        let last = Uuid::from_u128(first.as_u128() | ((1 << 62) - 1));
        let wrapped = following(last, 1);
        assert_ne!(wrapped, last);
        assert_eq!(
            (wrapped.get_version_num(), wrapped.get_variant()),
            (7, uuid::Variant::RFC4122)
        );
    }
}
