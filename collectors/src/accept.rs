//! From what a source understood to what the log keeps.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pipeline::Record;
use schemas::AlertEvent;
use uuid::Uuid;

use crate::sources::{SourceError, SourceEvent, Understood};

/// How large one alert may be. Stages further down keep the text before the last change beside the text, and that
/// must still fit into one record.
const LARGEST_EVENT: usize = 256 * 1024;
/// No alert is older; whoever says so has no clock.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);
/// Clocks of senders may be ahead by so much.
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// The most remarks that an answer has.
const MOST_REMARKS: usize = 20;

/// What all alerts of one request have in common.
pub(crate) struct Delivery {
    /// Name of the integration whose key was used.
    pub(crate) integration: String,
    /// The source, as in the path.
    pub(crate) monitoring_system: &'static str,
    /// The environment that the query asks for.
    pub(crate) environment: Option<String>,
    /// The scenario that the query asks for.
    pub(crate) scenario: Option<String>,
    /// When the request was there in full.
    pub(crate) accepted_at: Timestamp,
    /// The id of the first event; the others follow.
    pub(crate) first_id: Uuid,
}

/// The alerts of a request, ready for the log.
pub(crate) struct Accepted {
    pub(crate) events: Vec<AlertEvent>,
    /// What the sender should know although all alerts were taken.
    pub(crate) remarks: Vec<String>,
}

impl Delivery {
    /// Makes events of the alerts.
    pub(crate) fn accept(&self, understood: Understood) -> Accepted {
        let mut remarks = understood.remarks;
        let mut events = Vec::with_capacity(understood.events.len());
        for (index, mut alert) in understood.events.into_iter().enumerate() {
            remarks.append(&mut alert.remarks);
            if let Some(remark) = self.without_absurd_time(&mut alert) {
                remarks.push(remark);
            }
            events.push(self.event(index, alert));
        }
        remarks.truncate(MOST_REMARKS);
        Accepted { events, remarks }
    }

    fn event(&self, index: usize, alert: SourceEvent) -> AlertEvent {
        let beginning = [self.integration.as_str(), self.monitoring_system];
        let identity = beginning
            .into_iter()
            .chain(alert.identity.iter().map(String::as_str));
        AlertEvent {
            event_id: following(self.first_id, index),
            fingerprint: domain::fingerprint(identity),
            accepted_at: self.accepted_at,
            occurred_at: alert.occurred_at,
            // What is over already would end the moment it begins: a clock is wrong, and the sender will say when it ends.
            expires_at: alert.expires_at.filter(|at| *at > self.accepted_at),
            unheard_since: None,
            status: alert.status,
            severity: alert.severity,
            integration: self.integration.clone(),
            monitoring_system: self.monitoring_system.to_owned(),
            source: alert.source,
            service: alert.service,
            object: alert.object,
            name: alert.name,
            output: alert.output,
            labels: alert.labels,
            links: alert.links,
            environment: alert.environment.or_else(|| self.environment.clone()),
            scenario: alert.scenario.or_else(|| self.scenario.clone()),
        }
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
    let of = |(index, event): (usize, &AlertEvent)| {
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
    };
    events.iter().enumerate().map(of).collect()
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
