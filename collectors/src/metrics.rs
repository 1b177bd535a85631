//! The metrics of the collectors: every request and every event is counted once.

use std::borrow::Cow;
use std::sync::Arc;

use pipeline::{Context, Metrics};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts};
use schemas::{AlertEvent, EventKind, Severity};
use sources::Shortened;
use tokio::time::Instant;

use crate::intake::error::IngestError;
use crate::intake::key::ResolvedKey;
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
pub(crate) struct CollectorMetrics {
    usage: Arc<Usage>,
    events: IntCounterVec,
    rejected: IntCounterVec,
    shortened: IntCounterVec,
    seconds: HistogramVec,
    bytes: HistogramVec,
}

impl CollectorMetrics {
    /// To be made once per process.
    pub(crate) fn new(context: &Context) -> Self {
        let metrics = &context.metrics;
        Self {
            usage: Arc::new(Usage::new(context.clock.clone())),
            events: counter(
                metrics,
                "reveille_collectors_events_total",
                "Events that were accepted, by status; action_request: a sender requested an action on its alert.",
                &["source", "status"],
            ),
            rejected: counter(
                metrics,
                "reveille_collectors_rejected_total",
                "Requests that were refused, or accepted in part, by reason.",
                &["source", "reason"],
            ),
            shortened: counter(
                metrics,
                "reveille_collectors_shortened_total",
                "Alerts that exceeded the bounds of one alert and were cut, by the part that was cut.",
                &["source", "what"],
            ),
            seconds: histogram(
                metrics,
                "reveille_collectors_request_seconds",
                "Seconds from the head of a request to its answer.",
                SECONDS,
            ),
            bytes: histogram(
                metrics,
                "reveille_collectors_body_bytes",
                "Bytes of bodies as they were received, before they are unpacked.",
                BYTES,
            ),
        }
    }

    /// The usage of the keys.
    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Begins to measure a request. Unknown sources share one label.
    pub(crate) fn request(&self, source: Option<Cow<'static, str>>) -> RequestMetrics {
        RequestMetrics {
            metrics: self.clone(),
            source: source.unwrap_or(Cow::Borrowed("unknown")),
            key: None,
            started: Instant::now(),
            is_counted: false,
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

/// One request. It is counted as abandoned if its sender disconnects before the answer.
pub(crate) struct RequestMetrics {
    metrics: CollectorMetrics,
    source: Cow<'static, str>,
    key: Option<Arc<ResolvedKey>>,
    started: Instant,
    is_counted: bool,
}

impl RequestMetrics {
    /// The request has this key.
    pub(crate) fn key(&mut self, key: Arc<ResolvedKey>) {
        self.key = Some(key);
    }

    pub(crate) fn body(&self, bytes: usize) {
        self.metrics
            .bytes
            .with_label_values(&[&self.source])
            .observe(bytes as f64);
    }

    /// These alerts were cut.
    pub(crate) fn shortened(&self, alerts: &[Shortened]) {
        for what in alerts.iter().flat_map(Shortened::what) {
            let counter = &self.metrics.shortened;
            counter.with_label_values(&[&self.source, what]).inc();
        }
    }

    pub(crate) fn accepted(mut self, counts: Counts) {
        self.is_counted = true;
        for (status, count) in [
            ("firing", counts.firing),
            ("resolved", counts.resolved),
            ("acknowledged", counts.acknowledged),
            ("heartbeat_call", counts.heartbeat_calls),
            ("action_request", counts.action_requests),
        ] {
            if count > 0 {
                self.metrics
                    .events
                    .with_label_values(&[&self.source, status])
                    .inc_by(count);
            }
        }
        if let Some(key) = &self.key {
            self.metrics.usage.accepted(&key.hash, counts.all());
        }
    }

    pub(crate) fn rejected(mut self, error: &IngestError) {
        self.is_counted = true;
        self.count_error(error);
    }

    /// Counts the error of the request, or of an item in it.
    pub(crate) fn count_error(&self, error: &IngestError) {
        self.metrics
            .rejected
            .with_label_values(&[&*self.source, error.code()])
            .inc();
        if let Some(key) = &self.key {
            self.metrics.usage.rejected(&key.hash, error);
        }
    }
}

impl Drop for RequestMetrics {
    fn drop(&mut self) {
        self.metrics
            .seconds
            .with_label_values(&[&self.source])
            .observe(self.started.elapsed().as_secs_f64());
        if !self.is_counted {
            self.metrics
                .rejected
                .with_label_values(&[&self.source, "abandoned"])
                .inc();
        }
    }
}

/// How many events of each status a body has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// An event is critical or worse, or ends its alert.
    pub(crate) important: bool,
    firing: u64,
    resolved: u64,
    acknowledged: u64,
    heartbeat_calls: u64,
    action_requests: u64,
}

impl Counts {
    pub(crate) fn all(self) -> u64 {
        self.firing + self.resolved + self.acknowledged + self.heartbeat_calls + self.action_requests
    }

    pub(crate) fn of(events: &[AlertEvent]) -> Self {
        let mut counts = Self::default();
        for event in events {
            let is_important = event.severity >= Severity::Critical;
            match event.kind {
                EventKind::Firing { .. } => counts.firing += 1,
                EventKind::Resolved { .. } => counts.resolved += 1,
                EventKind::Acknowledged => counts.acknowledged += 1,
                EventKind::HeartbeatCall { .. } => counts.heartbeat_calls += 1,
                EventKind::ActionRequest(_) | EventKind::Probe { .. } => {
                    counts.action_requests += 1;
                    continue;
                }
            }
            let may_end = matches!(
                event.kind,
                EventKind::Resolved { .. } | EventKind::HeartbeatCall { .. }
            );
            counts.important |= is_important || may_end;
        }
        counts
    }
}
