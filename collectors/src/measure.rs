//! What the collectors measure: every request and every alert is counted once, whatever becomes of it.

use pipeline::Metrics;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};
use schemas::{AlertEvent, EventStatus};
use tokio::time::Instant;

const SECONDS: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
];
const BYTES: &[f64] = &[
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    8_388_608.0,
];

/// The metrics of the collectors.
#[derive(Clone)]
pub(crate) struct Measures {
    events: IntCounterVec,
    rejected: IntCounterVec,
    seconds: HistogramVec,
    bytes: HistogramVec,
}

impl Measures {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            events: counter(
                metrics,
                "reveille_collectors_events_total",
                "Alerts that were accepted, by what their source says of the problem.",
                &["source", "status"],
            ),
            rejected: counter(
                metrics,
                "reveille_collectors_rejected_total",
                "Requests that were not taken, by reason.",
                &["source", "reason"],
            ),
            seconds: histogram(
                metrics,
                "reveille_collectors_request_seconds",
                "How long requests took from their head to the answer.",
                SECONDS,
            ),
            bytes: histogram(
                metrics,
                "reveille_collectors_body_bytes",
                "How large bodies were, as they came.",
                BYTES,
            ),
        }
    }

    /// A request of this source has come. Unknown sources share one label.
    pub(crate) fn request(&self, source: Option<&'static str>) -> Measured {
        Measured {
            measures: self.clone(),
            source: source.unwrap_or("unknown"),
            started: Instant::now(),
            told: false,
        }
    }
}

fn counter(metrics: &Metrics, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    metrics.register(IntCounterVec::new(Opts::new(name, help), labels))
}

fn histogram(metrics: &Metrics, name: &str, help: &str, buckets: &[f64]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    metrics.register(HistogramVec::new(options, &["source"]))
}

/// One request. If its sender goes away before it has an answer, that is counted too.
pub(crate) struct Measured {
    measures: Measures,
    source: &'static str,
    started: Instant,
    told: bool,
}

impl Measured {
    pub(crate) fn body(&self, bytes: usize) {
        self.measures
            .bytes
            .with_label_values(&[self.source])
            .observe(bytes as f64);
    }

    pub(crate) fn accepted(mut self, counts: Counts) {
        self.told = true;
        for (status, count) in [
            ("firing", counts.firing),
            ("resolved", counts.resolved),
            ("acknowledged", counts.acknowledged),
        ] {
            if count > 0 {
                self.measures
                    .events
                    .with_label_values(&[self.source, status])
                    .inc_by(count);
            }
        }
    }

    pub(crate) fn rejected(mut self, reason: &str) {
        self.told = true;
        self.measures
            .rejected
            .with_label_values(&[self.source, reason])
            .inc();
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.measures
            .seconds
            .with_label_values(&[self.source])
            .observe(self.started.elapsed().as_secs_f64());
        if !self.told {
            self.measures
                .rejected
                .with_label_values(&[self.source, "abandoned"])
                .inc();
        }
    }
}

/// How many alerts of each status a body has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    firing: u64,
    resolved: u64,
    acknowledged: u64,
}

impl Counts {
    pub(crate) fn of(events: &[AlertEvent]) -> Self {
        let mut counts = Self::default();
        for event in events {
            match event.status {
                EventStatus::Firing => counts.firing += 1,
                EventStatus::Resolved => counts.resolved += 1,
                EventStatus::Acknowledged => counts.acknowledged += 1,
            }
        }
        counts
    }
}
