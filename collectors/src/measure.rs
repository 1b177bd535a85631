//! What the collectors measure: every request and every alert is counted once, whatever becomes of it.

use std::borrow::Cow;
use std::sync::Arc;

use pipeline::{Context, Metrics};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};
use schemas::{AlertEvent, EventStatus, Severity};
use tokio::time::Instant;

use crate::bounds::Shortened;
use crate::key::Known;
use crate::refusal::Refusal;
use crate::usage::Usage;

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

/// The metrics of the collectors, and how the keys are used.
#[derive(Clone)]
pub(crate) struct Measures {
    usage: Arc<Usage>,
    events: IntCounterVec,
    rejected: IntCounterVec,
    shortened: IntCounterVec,
    seconds: HistogramVec,
    bytes: HistogramVec,
}

impl Measures {
    /// To be made once per process.
    pub(crate) fn new(context: &Context) -> Self {
        let metrics = &context.metrics;
        Self {
            usage: Arc::new(Usage::new(context.clock.clone())),
            events: counter(
                metrics,
                "reveille_collectors_events_total",
                "Alerts that were accepted, by what their source says of the problem.",
                &["source", "status"],
            ),
            rejected: counter(
                metrics,
                "reveille_collectors_rejected_total",
                "Requests that were not taken, or not whole, by reason.",
                &["source", "reason"],
            ),
            shortened: counter(
                metrics,
                "reveille_collectors_shortened_total",
                "Alerts that were larger than alerts may be and were taken without a part of it, by what was cut.",
                &["source", "what"],
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

    /// How the keys are used.
    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// A request of this source has come. Unknown sources share one label.
    pub(crate) fn request(&self, source: Option<Cow<'static, str>>) -> Measured {
        Measured {
            measures: self.clone(),
            source: source.unwrap_or(Cow::Borrowed("unknown")),
            key: None,
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
    source: Cow<'static, str>,
    key: Option<Arc<Known>>,
    started: Instant,
    told: bool,
}

impl Measured {
    /// The site knows the key that was shown.
    pub(crate) fn key(&mut self, key: Arc<Known>) {
        self.key = Some(key);
    }

    pub(crate) fn body(&self, bytes: usize) {
        self.measures
            .bytes
            .with_label_values(&[&self.source])
            .observe(bytes as f64);
    }

    /// These alerts were larger than they may be.
    pub(crate) fn shortened(&self, alerts: &[Shortened]) {
        for what in alerts.iter().flat_map(Shortened::what) {
            let counter = &self.measures.shortened;
            counter.with_label_values(&[&self.source, what]).inc();
        }
    }

    pub(crate) fn accepted(mut self, counts: Counts) {
        self.told = true;
        for (status, count) in [
            ("firing", counts.firing),
            ("resolved", counts.resolved),
            ("acknowledged", counts.acknowledged),
            ("wish", counts.wished),
        ] {
            if count > 0 {
                self.measures
                    .events
                    .with_label_values(&[&self.source, status])
                    .inc_by(count);
            }
        }
        if let Some(key) = &self.key {
            self.measures.usage.accepted(&key.hash, counts.all());
        }
    }

    pub(crate) fn rejected(mut self, refusal: &Refusal) {
        self.told = true;
        self.refused(refusal);
    }

    /// The request, or something in it.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.measures
            .rejected
            .with_label_values(&[&*self.source, refusal.code()])
            .inc();
        if let Some(key) = &self.key {
            self.measures.usage.refused(&key.hash, refusal);
        }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.measures
            .seconds
            .with_label_values(&[&self.source])
            .observe(self.started.elapsed().as_secs_f64());
        if !self.told {
            self.measures
                .rejected
                .with_label_values(&[&self.source, "abandoned"])
                .inc();
        }
    }
}

/// How many alerts of each status a body has, and whether they matter much.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Something is critical, worse, or over.
    pub(crate) important: bool,
    firing: u64,
    resolved: u64,
    acknowledged: u64,
    wished: u64,
}

impl Counts {
    pub(crate) fn all(self) -> u64 {
        self.firing + self.resolved + self.acknowledged + self.wished
    }

    pub(crate) fn of(events: &[AlertEvent]) -> Self {
        let mut counts = Self::default();
        for event in events {
            if event.wish.is_some() {
                counts.wished += 1;
                continue;
            }
            counts.important |= event.severity >= Severity::Critical || event.status == EventStatus::Resolved;
            match event.status {
                EventStatus::Firing => counts.firing += 1,
                EventStatus::Resolved => counts.resolved += 1,
                EventStatus::Acknowledged => counts.acknowledged += 1,
            }
        }
        counts
    }
}
