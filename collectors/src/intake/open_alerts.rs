//! Bounds how many alerts an integration has open, as far as this collector knows.
//!
//! An alert counts from when it fires until its end has come, or until it has had no event for [`UNSEEN_AFTER`]:
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

use crate::intake::error::IngestError;

/// An alert without an event for so long is not counted any more.
const UNSEEN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// The least time between two searches for such alerts, as each looks at all of them.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// The open alerts of all integrations.
pub(crate) struct OpenAlerts {
    clock: Clock,
    integrations: Mutex<HashMap<String, Open>>,
    gauge: IntGaugeVec,
}

#[derive(Default)]
struct Open {
    /// The time of the last event of each, in seconds since 1970.
    alerts: HashMap<Fingerprint, i64>,
    pruned_at: Option<Timestamp>,
}

/// The effect of an event on the number of open alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountChange {
    /// The alert is open.
    Fires,
    /// The alert is closed.
    Ends,
    /// None.
    Other,
}

impl CountChange {
    pub(crate) fn of(event: &AlertEvent) -> Self {
        match event.status() {
            Some(EventStatus::Resolved) => Self::Ends,
            Some(EventStatus::Firing) if event.severity == Severity::Ok => Self::Ends,
            Some(EventStatus::Firing) => Self::Fires,
            // The site bounds how many heartbeats there are.
            Some(EventStatus::Acknowledged) | None => Self::Other,
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
                    "Open alerts of an integration with an event at this collector within the last hour.",
                ),
                &["integration"],
            )),
        }
    }

    /// The records of a body that may be written, and an error if some may not. Events of open alerts, and those that end
    /// one, may always be written. A sender that gets the error sends the whole body again, which does no harm.
    pub(crate) fn admit(
        &self,
        integration: &Integration,
        records: Vec<(Fingerprint, CountChange, Record)>,
    ) -> (Vec<Record>, Option<IngestError>) {
        let now = self.clock.now();
        let limit = integration.limits.open_alerts;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut integrations = self.lock();
        let open = integrations.entry(integration.name.clone()).or_default();
        let mut admitted = Vec::with_capacity(records.len());
        let mut refused = 0;
        for (fingerprint, turn, record) in records {
            match turn {
                CountChange::Ends => {
                    open.alerts.remove(&fingerprint);
                }
                CountChange::Fires if !open.has_room_for(fingerprint, most, now) => {
                    refused += 1;
                    continue;
                }
                CountChange::Fires => {
                    open.alerts.insert(fingerprint, now.as_second());
                }
                CountChange::Other => {}
            }
            admitted.push(record);
        }
        let count = i64::try_from(open.alerts.len()).unwrap_or(i64::MAX);
        self.gauge.with_label_values(&[&integration.name]).set(count);
        let error = (refused > 0).then(|| IngestError::TooManyOpen {
            integration: integration.name.clone(),
            limit,
            refused,
        });
        (admitted, error)
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
        let pruned = self.pruned_at.replace(now);
        if pruned.is_some_and(|pruned| now.duration_since(pruned) < PRUNE_EVERY) {
            self.pruned_at = pruned;
            return false;
        }
        let forgotten = now.as_second().saturating_sub(UNSEEN_AFTER.as_secs());
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

    fn body(
        turn: CountChange,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Vec<(Fingerprint, CountChange, Record)> {
        let of = |number: u32| {
            let fingerprint = domain::fingerprint([number.to_string().as_str()]);
            (fingerprint, turn, record(number))
        };
        numbers.into_iter().map(of).collect()
    }

    fn keys((admitted, error): (Vec<Record>, Option<IngestError>)) -> (Vec<String>, bool) {
        let keys = admitted.into_iter().map(|record| record.key);
        (keys.collect(), error.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn s7_what_is_open_and_what_ends_is_taken_and_no_more_than_the_limit_opens() {
        let clock = Clock::simulated(Timestamp::UNIX_EPOCH);
        let open = OpenAlerts::new(clock, &Metrics::new());
        let admit = |body| keys(open.admit(&integration(3), body));
        assert_eq!(
            admit(body(CountChange::Fires, 1..6)),
            (vec!["1".into(), "2".into(), "3".into()], true)
        );
        assert!(!admit(body(CountChange::Fires, 1..4)).1, "they are open");
        assert!(!admit(body(CountChange::Other, 7..8)).1);
        let mut mixed = body(CountChange::Fires, 4..5);
        mixed.extend(body(CountChange::Ends, 2..3));
        assert_eq!(admit(mixed), (vec!["2".into()], true), "its end is taken");
        assert_eq!(admit(body(CountChange::Fires, 4..5)), (vec!["4".into()], false));
        assert!(admit(body(CountChange::Fires, 5..6)).1);
        tokio::time::advance(Duration::from_secs(1800)).await;
        assert!(!admit(body(CountChange::Fires, 1..2)).1);
        tokio::time::advance(Duration::from_secs(1900)).await;
        assert_eq!(
            admit(body(CountChange::Fires, 5..8)),
            (vec!["5".into(), "6".into()], true),
            "nothing was heard of 3 and 4 for an hour"
        );
    }
}
