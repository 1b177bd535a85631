//! What the daemon measures.

use pipeline::metrics::Metrics;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts};

/// From a millisecond to an hour: a deadline may fire late after an outage.
const LATENESS_SECONDS: &[f64] = &[0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0];

/// The daemon's own metrics; cheap to clone.
#[derive(Clone)]
pub(crate) struct DaemonMetrics {
    /// Lines written to histories, by kind.
    pub(crate) history: IntCounterVec,
    /// Inputs that led to nothing, by reason.
    pub(crate) ignored: IntCounterVec,
    /// Transactions.
    pub(crate) commits: IntCounter,
    /// Alerts that were evaluated again after a change of the site.
    pub(crate) reevaluated: IntCounter,
    /// What was written of alerts: whole states, or only when their sources were last heard of.
    pub(crate) written: IntCounterVec,
    /// How late deadlines fired.
    pub(crate) lateness: Histogram,
    /// From the acceptance of an event or command to its commit.
    pub(crate) accepted_to_committed: Histogram,
}

impl DaemonMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            history: metrics.register(IntCounterVec::new(
                Opts::new(
                    "reveille_daemon_history_entries_total",
                    "Lines written to histories, by kind.",
                ),
                &["kind"],
            )),
            ignored: metrics.register(IntCounterVec::new(
                Opts::new(
                    "reveille_daemon_ignored_total",
                    "Inputs that led to nothing, by reason.",
                ),
                &["reason"],
            )),
            commits: metrics.register(IntCounter::new(
                "reveille_daemon_commits_total",
                "Transactions of the daemon.",
            )),
            reevaluated: metrics.register(IntCounter::new(
                "reveille_daemon_reevaluated_total",
                "Alerts that were evaluated again after a change of the site.",
            )),
            written: metrics.register(IntCounterVec::new(
                Opts::new(
                    "reveille_daemon_states_written_total",
                    "What was written of alerts: whole states, or only the time of their last event.",
                ),
                &["what"],
            )),
            lateness: metrics.register(Histogram::with_opts(
                HistogramOpts::new(
                    "reveille_daemon_deadline_lateness_seconds",
                    "How late deadlines fired.",
                )
                .buckets(LATENESS_SECONDS.to_vec()),
            )),
            accepted_to_committed: metrics.hop_seconds("accepted_to_committed"),
        }
    }
}
