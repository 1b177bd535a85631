//! What the decorator measures of events and rules.

use pipeline::Metrics;
use prometheus::core::Collector;
use prometheus::{Histogram, IntCounter, IntCounterVec, Opts};

/// The metrics of the decorator; cheap to clone.
#[derive(Clone)]
pub(crate) struct Measures {
    pub(crate) decorated: IntCounter,
    pub(crate) dead_letters: IntCounter,
    /// By the rule that dropped.
    pub(crate) dropped: IntCounterVec,
    /// By the rule that failed.
    pub(crate) rule_failures: IntCounterVec,
    pub(crate) since_accepted: Histogram,
}

impl Measures {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let events = counter(
            metrics,
            "reveille_decorator_events_total",
            "Events that were read, by what became of them.",
            &["outcome"],
        );
        Self {
            decorated: events.with_label_values(&["decorated"]),
            dead_letters: events.with_label_values(&["dead_letter"]),
            dropped: counter(
                metrics,
                "reveille_decorator_dropped_total",
                "Events that a rule dropped; they are kept in ingest.rejected.",
                &["rule"],
            ),
            rule_failures: counter(
                metrics,
                "reveille_decorator_rule_failures_total",
                "Events that a rule could not be evaluated on; the rule was skipped.",
                &["rule"],
            ),
            since_accepted: metrics.hop_seconds("accepted_to_decorated"),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "names and labels are constants of this file, and each is used once"
)]
fn counter(metrics: &Metrics, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let family =
        IntCounterVec::new(Opts::new(name, help), labels).expect("the name and the labels are well-formed");
    let registered: Box<dyn Collector> = Box::new(family.clone());
    metrics
        .registry()
        .register(registered)
        .expect("no other family has this name");
    family
}
