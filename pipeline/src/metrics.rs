//! What a process measures of its stages.
//!
//! The families are registered once per process; every stage takes its own labels from them.

use std::ops::Deref;
use std::sync::Arc;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, core::Collector,
};
use schemas::Topic;

/// From half a millisecond to ten seconds.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];

/// The metrics of a process; cheap to clone. It is also the registry, for whatever else a stage measures.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
}

struct Families {
    records: IntCounterVec,
    batch_seconds: HistogramVec,
    lag: IntGaugeVec,
    waiting: IntGaugeVec,
    errors: IntCounterVec,
    hop_seconds: HistogramVec,
    unusable_site_entries: IntGaugeVec,
}

impl Metrics {
    /// The metrics of a process, in a registry of their own.
    pub fn new() -> Self {
        let registry = Registry::new();
        let families = Families {
            records: counter(
                &registry,
                "reveille_stage_records_total",
                "Records that a stage has done.",
                &["stage", "topic"],
            ),
            batch_seconds: histogram(
                &registry,
                "reveille_stage_batch_seconds",
                "How long a stage took for a batch, without waiting for dependencies that were away.",
                &["stage"],
            ),
            lag: gauge(
                &registry,
                "reveille_stage_lag_records",
                "Records that a stage has not been given yet.",
                &["stage", "topic"],
            ),
            waiting: gauge(
                &registry,
                "reveille_stage_waiting",
                "1 while a stage waits for a dependency that is away.",
                &["stage", "dependency"],
            ),
            errors: counter(
                &registry,
                "reveille_stage_errors_total",
                "What went wrong in a stage, by reason.",
                &["stage", "reason"],
            ),
            hop_seconds: histogram(
                &registry,
                "reveille_hop_seconds",
                "How long an alert took from one place to the next.",
                &["hop"],
            ),
            unusable_site_entries: gauge(
                &registry,
                "reveille_site_unusable_entries",
                "Entries of the site that this version cannot use; the log lines and /readyz name them.",
                &[],
            ),
        };
        Self {
            registry,
            families: Arc::new(families),
        }
    }

    /// The registry, to register more and to gather all.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Registers a family of a stage's own; to be called once per process for each name.
    pub fn register<C: Collector + Clone + 'static>(&self, family: prometheus::Result<C>) -> C {
        registered(&self.registry, family)
    }

    /// Something went wrong in a stage.
    pub(crate) fn stage_error(&self, stage: &str, reason: &str) {
        self.families.errors.with_label_values(&[stage, reason]).inc();
    }

    /// How often that was.
    #[cfg(test)]
    pub(crate) fn stage_errors(&self, stage: &str, reason: &str) -> u64 {
        self.families.errors.with_label_values(&[stage, reason]).get()
    }

    /// How many entries of the site cannot be used.
    pub fn unusable_site_entries(&self, count: usize) {
        let gauge = self.families.unusable_site_entries.with_label_values::<&str>(&[]);
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How long alerts take from one place to the next, for example `accepted_to_console`.
    pub fn hop_seconds(&self, hop: &str) -> Histogram {
        self.families.hop_seconds.with_label_values(&[hop])
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Metrics {
    type Target = Registry;

    fn deref(&self) -> &Registry {
        &self.registry
    }
}

/// The metrics of one stage; cheap to clone.
#[derive(Clone)]
pub struct StageMetrics {
    stage: &'static str,
    families: Arc<Families>,
    batch_seconds: Histogram,
}

impl StageMetrics {
    /// The metrics of this stage. Asked twice for one stage, both count into the same.
    pub fn new(metrics: &Metrics, stage: &'static str) -> Self {
        Self {
            stage,
            families: Arc::clone(&metrics.families),
            batch_seconds: metrics.families.batch_seconds.with_label_values(&[stage]),
        }
    }

    /// So many records of a topic are done.
    pub fn records(&self, topic: Topic, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.families
            .records
            .with_label_values(&[self.stage, topic.name()])
            .inc_by(count);
    }

    /// A batch took so many seconds.
    pub fn batch_seconds(&self, seconds: f64) {
        self.batch_seconds.observe(seconds);
    }

    /// So many records of a topic wait to be read by one member of the stage, after so many `before`.
    pub fn lag_moved(&self, topic: Topic, before: u64, records: u64) {
        let records = i64::try_from(records).unwrap_or(i64::MAX);
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        self.families
            .lag
            .with_label_values(&[self.stage, topic.name()])
            .add(records - before);
    }

    /// The stage waits for this dependency, or no longer.
    pub fn waiting(&self, dependency: &str, waits: bool) {
        self.families
            .waiting
            .with_label_values(&[self.stage, dependency])
            .set(i64::from(waits));
    }

    /// Something went wrong. Reasons are few and fixed, such as `database_unavailable` or `dead_letter`.
    pub fn error(&self, reason: &str) {
        self.families
            .errors
            .with_label_values(&[self.stage, reason])
            .inc();
    }
}

fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

fn histogram(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    registered(
        registry,
        HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), labels),
    )
}

#[expect(
    clippy::expect_used,
    reason = "names and labels are constants of their callers, and a name that is taken is a defect of ours"
)]
fn registered<C: Collector + Clone + 'static>(registry: &Registry, family: prometheus::Result<C>) -> C {
    let family = family.expect("the name and the labels are well-formed");
    registry
        .register(Box::new(family.clone()))
        .expect("no other family has this name");
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_share_the_families_and_a_stage_built_again_counts_on() {
        let metrics = Metrics::new();
        StageMetrics::new(&metrics, "daemon").records(Topic::ALERTS_DECORATED, 2);
        StageMetrics::new(&metrics, "daemon").records(Topic::ALERTS_DECORATED, 3);
        StageMetrics::new(&metrics, "decorator").records(Topic::ALERTS_COLLECTED, 7);
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&metrics.gather())
            .unwrap();
        assert!(
            text.contains(r#"reveille_stage_records_total{stage="daemon",topic="alerts.decorated"} 5"#),
            "{text}"
        );
        assert!(
            text.contains(r#"reveille_stage_records_total{stage="decorator",topic="alerts.collected"} 7"#),
            "{text}"
        );
    }
}
