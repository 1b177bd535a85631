//! From what a source understood to what the log keeps.

use std::borrow::Cow;

use bytes::Bytes;
use chassis::settings::AlertBounds;
use jiff::{SignedDuration, Timestamp};
use pipeline::Record;
use schemas::config::Heartbeat;
use schemas::{AlertEvent, EventStatus, Fingerprint, Severity};
use uuid::Uuid;

use crate::bounds::{self, Shortened};
use crate::sources::{HEARTBEAT, SourceError, SourceEvent, SourceWish, Understood, heartbeat, test_alerts};

/// How large one alert may be, all in all. Stages further down keep the text before the last change beside the text, and that
/// must still fit into one record.
const LARGEST_EVENT: usize = 256 * 1024;
/// No alert is older; whoever says so has no clock.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);
/// Clocks of senders may be ahead by so much.
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// The most remarks that an answer has.
const MOST_REMARKS: usize = 20;
/// How long one may be, as it may have what its sender wrote.
const REMARK_BYTES_MAX: usize = 2048;

/// What all alerts of one request have in common.
pub(crate) struct Delivery {
    /// Name of the integration whose key was used.
    pub(crate) integration: String,
    /// The source, as in the path.
    pub(crate) monitoring_system: Cow<'static, str>,
    /// The environment that the query asks for.
    pub(crate) environment: Option<String>,
    /// The scenario that the query asks for.
    pub(crate) scenario: Option<String>,
    /// When the request was there in full.
    pub(crate) accepted_at: Timestamp,
    /// The id of the first event; the others follow.
    pub(crate) first_id: Uuid,
    /// The heartbeats of the integration that one of its alerts calls by firing.
    pub(crate) called_by_alerts: Vec<Heartbeat>,
    /// How large one alert may be.
    pub(crate) bounds: AlertBounds,
}

/// The alerts of a request, ready for the log.
pub(crate) struct Accepted {
    pub(crate) events: Vec<AlertEvent>,
    /// One for each event.
    pub(crate) receipts: Vec<Receipt>,
    /// What the sender should know although all alerts were taken.
    pub(crate) remarks: Vec<String>,
    /// How many things in the body were left out.
    pub(crate) left_out: usize,
    /// What was shortened of the alerts that are larger than they may be.
    pub(crate) shortened: Vec<Shortened>,
    /// Why something in it was left out that was meant to be an alert.
    pub(crate) unusable: Option<SourceError>,
}

/// What a sender can be told of an alert that was taken.
pub(crate) struct Receipt {
    pub(crate) event_id: Uuid,
    pub(crate) fingerprint: Fingerprint,
    /// As the source has it.
    pub(crate) identity: Vec<String>,
}

impl Delivery {
    /// Makes events of the alerts.
    pub(crate) fn accept(&self, understood: Understood) -> Accepted {
        let mut remarks = understood.remarks;
        let mut events = Vec::with_capacity(understood.events.len());
        let mut receipts = Vec::with_capacity(understood.events.len());
        let mut shortened = Vec::new();
        for alert in understood.events {
            let mut alert = match self.as_call(alert) {
                Ok(alert) => alert,
                Err(remark) => {
                    remarks.push(remark);
                    continue;
                }
            };
            test_alerts::mark(&self.monitoring_system, &mut alert);
            remarks.append(&mut alert.remarks);
            let left_out = bounds::shorten(&mut alert, &self.bounds);
            if let Some(remark) = left_out.remark(&alert.name) {
                remarks.push(remark);
                shortened.push(left_out);
            }
            if let Some(remark) = self.without_absurd_time(&mut alert) {
                remarks.push(remark);
            }
            let identity = std::mem::take(&mut alert.identity);
            let mut event = self.event(events.len(), &identity, alert);
            event.fingerprint = understood.alert.unwrap_or(event.fingerprint);
            event.outcome_wanted = understood.outcome_wanted;
            receipts.push(Receipt {
                event_id: event.event_id,
                fingerprint: event.fingerprint,
                identity,
            });
            events.push(event);
        }
        for mut wish in understood.wishes {
            bounds::shorten_wish(&mut wish.wish, &self.bounds);
            let mut event = self.wish(events.len(), &wish);
            event.fingerprint = understood.alert.unwrap_or(event.fingerprint);
            event.outcome_wanted = understood.outcome_wanted;
            receipts.push(Receipt {
                event_id: event.event_id,
                fingerprint: event.fingerprint,
                identity: wish.identity,
            });
            events.push(event);
        }
        if receipts.is_empty() && remarks.is_empty() {
            remarks.push("the body has no alert, so nothing was done".to_owned());
        }
        remarks.truncate(MOST_REMARKS);
        for remark in &mut remarks {
            bounds::cut(remark, REMARK_BYTES_MAX);
        }
        Accepted {
            events,
            receipts,
            remarks,
            left_out: understood.left_out,
            shortened,
            unusable: understood.unusable,
        }
    }

    /// A wish takes the way of the events, so that it finds the alert that was created just before.
    fn wish(&self, index: usize, wish: &SourceWish) -> AlertEvent {
        let mut event = SourceEvent {
            name: wish.identity.last().cloned().unwrap_or_default(),
            ..SourceEvent::new([], EventStatus::Firing, Severity::Information)
        };
        bounds::shorten(&mut event, &self.bounds);
        AlertEvent {
            wish: Some(wish.wish.clone()),
            ..self.event(index, &wish.identity, event)
        }
    }

    fn fingerprint(&self, monitoring_system: &str, identity: &[String]) -> Fingerprint {
        let beginning = [self.integration.as_str(), monitoring_system];
        domain::fingerprint(beginning.into_iter().chain(identity.iter().map(String::as_str)))
    }

    /// An alert that always fires is a call of its heartbeat each time that it is told, if the site says so. That it
    /// ended is no call, and no alert of its own: no further call will come. An end by nothing but the sender's clock may be none.
    fn as_call(&self, alert: SourceEvent) -> Result<SourceEvent, String> {
        let called = |heartbeat: &&Heartbeat| heartbeat.alert.as_ref() == Some(&alert.name);
        match self.called_by_alerts.iter().find(called) {
            None => Ok(alert),
            Some(heartbeat) if alert.status == EventStatus::Firing || alert.began_at.is_some() => {
                Ok(heartbeat::call(heartbeat))
            }
            Some(heartbeat) => Err(format!(
                "the end of {:?} was left out: it calls heartbeat {:?} while it fires",
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
        let name = filled(alert.name, &monitoring_system);
        AlertEvent {
            event_id: following(self.first_id, index),
            fingerprint: self.fingerprint(&monitoring_system, identity),
            accepted_at: self.accepted_at,
            occurred_at: alert.occurred_at,
            expires_at,
            unheard_since: None,
            opens_as: alert.opens_as,
            outcome_wanted: false,
            wish: None,
            heartbeat: alert.heartbeat,
            status: alert.status,
            acknowledged: alert.acknowledged,
            began_at: alert.began_at,
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
        let said = alert.expires_at.or_else(|| alert.lifetime.and_then(after));
        // What is over already would end the moment it begins: a clock is wrong, and the sender will say when it ends.
        said.filter(|at| *at > self.accepted_at)
    }

    /// A clock that is wrong must not cost an alert: its time is left out, and the time of arrival counts.
    fn without_absurd_time(&self, alert: &mut SourceEvent) -> Option<String> {
        let time = alert.occurred_at?;
        let wrong = if time < EARLIEST {
            "lies before the year 2000"
        } else if time.duration_since(self.accepted_at) > MOST_AHEAD {
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

/// Nothing on a screen is nameless: what a sender left empty has the next best name.
fn filled(text: String, next_best: &str) -> String {
    if text.is_empty() {
        next_best.to_owned()
    } else {
        text
    }
}

/// Ids of one request differ in their last digits only, in the order of the body: one draw of random bits for all.
fn following(first: Uuid, index: usize) -> Uuid {
    const TAIL: u128 = (1 << 62) - 1;
    let first = first.as_u128();
    let tail = (first & TAIL).wrapping_add(index as u128) & TAIL;
    Uuid::from_u128((first & !TAIL) | tail)
}

/// The record of each event. One that is too large is refused, and with it the whole body.
pub(crate) fn records(
    events: &[AlertEvent],
    headers: &[(String, String)],
) -> Result<Vec<Record>, SourceError> {
    let of = |(index, event)| record(index, event, headers);
    events.iter().enumerate().map(of).collect()
}

fn record(index: usize, event: &AlertEvent, headers: &[(String, String)]) -> Result<Record, SourceError> {
    let too_large = |reason: String| SourceError::Invalid {
        field: format!("alert {index}"),
        reason,
        remedy: format!("shorten its text or its labels: {LARGEST_EVENT} bytes are allowed"),
    };
    let value = serde_json::to_vec(event).map_err(|error| too_large(error.to_string()))?;
    if value.len() > LARGEST_EVENT {
        return Err(too_large(format!("has {} bytes", value.len())));
    }
    Ok(Record {
        key: event.fingerprint.to_string(),
        value: Some(Bytes::from(value)),
        headers: headers.to_vec(),
    })
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
