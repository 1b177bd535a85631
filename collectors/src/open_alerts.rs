//! How many alerts an integration has open, as this collector sees it.
//!
//! An alert counts from when it fires until its end has come, or until nothing was heard of it for [`FORGOTTEN_AFTER`]:
//! operators close alerts, too, and no collector hears of that. So the bound is one of alerts that are open where a source
//! repeats them or ends them, and one of new alerts per hour where it does neither.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use pipeline::metrics::Metrics;
use pipeline::{Clock, Record};
use prometheus::{IntGaugeVec, Opts};
use schemas::config::Integration;
use schemas::{AlertEvent, EventStatus, Fingerprint, Severity};

use crate::refusal::Refusal;

/// An alert of which nothing was heard for so long is not counted any more.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// How often it is looked for those at most, as that costs a look at all.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// What each integration has open.
pub(crate) struct OpenAlerts {
    clock: Clock,
    integrations: Mutex<HashMap<String, Open>>,
    gauge: IntGaugeVec,
}

#[derive(Default)]
struct Open {
    /// By when they were last heard of, in seconds.
    alerts: HashMap<Fingerprint, i64>,
    looked_at: Option<Timestamp>,
}

/// What an event does to the number of open alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The alert is open from now on, if it was not.
    Fires,
    /// It is not open any more.
    Ends,
    /// Something else is said of it.
    Other,
}

impl Turn {
    pub(crate) fn of(event: &AlertEvent) -> Self {
        // The site bounds how many heartbeats there are.
        if event.wish.is_some() || event.heartbeat.is_some() {
            return Self::Other;
        }
        match event.status {
            EventStatus::Resolved => Self::Ends,
            EventStatus::Firing if event.severity == Severity::Ok => Self::Ends,
            EventStatus::Firing => Self::Fires,
            EventStatus::Acknowledged => Self::Other,
        }
    }
}

impl OpenAlerts {
    pub(crate) fn new(clock: Clock, metrics: &Metrics) -> Self {
        Self {
            clock,
            integrations: Mutex::default(),
            gauge: metrics.register(IntGaugeVec::new(
                Opts::new(
                    "reveille_collectors_open_alerts",
                    "Alerts that an integration has open, as this collector has heard within an hour.",
                ),
                &["integration"],
            )),
        }
    }

    /// The records that may be written, of those of a body; and why the others may not. What ends an alert may always be
    /// written, as may all that is said of an alert that is open. The sender gets a refusal then and sends all of it
    /// again, which does no harm.
    pub(crate) fn admit(
        &self,
        integration: &Integration,
        records: Vec<(Fingerprint, Turn, Record)>,
    ) -> (Vec<Record>, Option<Refusal>) {
        let now = self.clock.now();
        let limit = integration.limits.open_alerts;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut integrations = self.lock();
        let open = integrations.entry(integration.name.clone()).or_default();
        let mut admitted = Vec::with_capacity(records.len());
        let mut left_out = 0;
        for (fingerprint, turn, record) in records {
            match turn {
                Turn::Ends => {
                    open.alerts.remove(&fingerprint);
                }
                Turn::Fires if !open.has_room_for(fingerprint, most, now) => {
                    left_out += 1;
                    continue;
                }
                Turn::Fires => {
                    open.alerts.insert(fingerprint, now.as_second());
                }
                Turn::Other => {}
            }
            admitted.push(record);
        }
        let count = i64::try_from(open.alerts.len()).unwrap_or(i64::MAX);
        self.gauge.with_label_values(&[&integration.name]).set(count);
        let refusal = (left_out > 0).then(|| Refusal::TooManyOpen {
            integration: integration.name.clone(),
            limit,
            left_out,
        });
        (admitted, refusal)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.integrations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn has_room_for(&mut self, fingerprint: Fingerprint, most: usize, now: Timestamp) -> bool {
        if self.alerts.contains_key(&fingerprint) || self.alerts.len() < most {
            return true;
        }
        let looked = self.looked_at.replace(now);
        if looked.is_some_and(|looked| now.duration_since(looked) < LOOK_EVERY) {
            self.looked_at = looked;
            return false;
        }
        let forgotten = now.as_second().saturating_sub(FORGOTTEN_AFTER.as_secs());
        self.alerts.retain(|_, heard| *heard > forgotten);
        self.alerts.len() < most
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use schemas::config::Limits;

    use super::*;

    fn record(number: u32) -> Record {
        Record {
            key: number.to_string(),
            value: None,
            headers: Vec::new(),
        }
    }

    fn integration(open_alerts: u32) -> Integration {
        Integration {
            name: "shop".to_owned(),
            limits: Limits {
                open_alerts,
                ..Limits::default()
            },
            ..Integration::default()
        }
    }

    fn body(turn: Turn, numbers: impl IntoIterator<Item = u32>) -> Vec<(Fingerprint, Turn, Record)> {
        let of = |number: u32| {
            let fingerprint = domain::fingerprint([number.to_string().as_str()]);
            (fingerprint, turn, record(number))
        };
        numbers.into_iter().map(of).collect()
    }

    fn keys((admitted, refusal): (Vec<Record>, Option<Refusal>)) -> (Vec<String>, bool) {
        let keys = admitted.into_iter().map(|record| record.key);
        (keys.collect(), refusal.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn s7_what_is_open_and_what_ends_is_taken_and_no_more_than_the_limit_opens() {
        let clock = Clock::simulated(Timestamp::UNIX_EPOCH);
        let open = OpenAlerts::new(clock, &Metrics::new());
        let admit = |body| keys(open.admit(&integration(3), body));
        assert_eq!(
            admit(body(Turn::Fires, 1..6)),
            (vec!["1".into(), "2".into(), "3".into()], true)
        );
        assert!(!admit(body(Turn::Fires, 1..4)).1, "they are open");
        assert!(!admit(body(Turn::Other, 7..8)).1);
        let mut mixed = body(Turn::Fires, 4..5);
        mixed.extend(body(Turn::Ends, 2..3));
        assert_eq!(admit(mixed), (vec!["2".into()], true), "its end is taken");
        assert_eq!(admit(body(Turn::Fires, 4..5)), (vec!["4".into()], false));
        assert!(admit(body(Turn::Fires, 5..6)).1);
        tokio::time::advance(Duration::from_secs(1800)).await;
        assert!(!admit(body(Turn::Fires, 1..2)).1);
        tokio::time::advance(Duration::from_secs(1900)).await;
        assert_eq!(
            admit(body(Turn::Fires, 5..8)),
            (vec!["5".into(), "6".into()], true),
            "nothing was heard of 3 and 4 for an hour"
        );
    }
}
