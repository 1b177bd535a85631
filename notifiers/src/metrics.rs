//! The metrics of the notifiers.

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline::metrics::Metrics;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts};
use schemas::Channel;

use crate::delivery::State;

/// From a millisecond to the longest time limit of an attempt.
const ATTEMPT_SECONDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// The notifiers' own metrics; cheap to clone.
#[derive(Clone)]
pub struct NotifierMetrics {
    outcomes: IntCounterVec,
    attempt_seconds: HistogramVec,
    waiting: IntGaugeVec,
    retrying: IntGaugeVec,
    left_in_store: IntGaugeVec,
    destinations: IntGaugeVec,
    accepted_to_sent: Histogram,
}

impl NotifierMetrics {
    /// The metrics of all channels of a process; made once.
    pub fn new(metrics: &Metrics) -> Self {
        let outcomes = IntCounterVec::new(
            Opts::new(
                "reveille_notifications_total",
                "Results of notifications, by channel and outcome.",
            ),
            &["channel", "outcome"],
        );
        let attempt_seconds = HistogramVec::new(
            HistogramOpts::new(
                "reveille_notification_attempt_seconds",
                "How long attempts to deliver took.",
            )
            .buckets(ATTEMPT_SECONDS.to_vec()),
            &["channel"],
        );
        let waiting = IntGaugeVec::new(
            Opts::new(
                "reveille_notifications_waiting",
                "Notifications that are pending or in flight.",
            ),
            &["channel"],
        );
        let retrying = IntGaugeVec::new(
            Opts::new(
                "reveille_notifications_retrying",
                "Of those, the ones that failed before.",
            ),
            &["channel"],
        );
        let left_in_store = IntGaugeVec::new(
            Opts::new(
                "reveille_notifications_left_in_store",
                "Notifications, at least, that stay in the database until those of their destination in memory are resolved.",
            ),
            &["channel"],
        );
        let destinations = IntGaugeVec::new(
            Opts::new(
                "reveille_notification_destinations",
                "Destinations with pending notifications, by state: waiting, backoff or held_back.",
            ),
            &["channel", "state"],
        );
        Self {
            outcomes: metrics.register(outcomes),
            attempt_seconds: metrics.register(attempt_seconds),
            waiting: metrics.register(waiting),
            retrying: metrics.register(retrying),
            left_in_store: metrics.register(left_in_store),
            destinations: metrics.register(destinations),
            accepted_to_sent: metrics.hop_seconds("accepted_to_sent"),
        }
    }

    pub(crate) fn outcome(&self, channel: Channel, outcome: &str) {
        self.outcomes.with_label_values(&[channel.name(), outcome]).inc();
    }

    pub(crate) fn attempt(&self, channel: Channel, took: Duration) {
        self.attempt_seconds
            .with_label_values(&[channel.name()])
            .observe(took.as_secs_f64());
    }

    pub(crate) fn sent_after(&self, seconds: f64) {
        self.accepted_to_sent.observe(seconds.max(0.0));
    }

    pub(crate) fn left_in_store(&self, channel: Channel, count: usize) {
        self.left_in_store
            .with_label_values(&[channel.name()])
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many destinations are in each state; in a state that is not named there are none.
    pub(crate) fn destinations(&self, channel: Channel, states: &BTreeMap<State, usize>) {
        for (state, name) in [
            (State::Waiting, "waiting"),
            (State::Backoff, "backoff"),
            (State::HeldBack, "held_back"),
        ] {
            let count = states.get(&state).copied().unwrap_or(0);
            self.destinations
                .with_label_values(&[channel.name(), name])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn pending(&self, channel: Channel, waiting: usize, retrying: usize) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.waiting
            .with_label_values(&[channel.name()])
            .set(gauge(waiting));
        self.retrying
            .with_label_values(&[channel.name()])
            .set(gauge(retrying));
    }
}
