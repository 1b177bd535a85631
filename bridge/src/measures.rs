//! What the bridge measures.

use pipeline::Metrics;
use prometheus::core::Collector;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts};

/// From two milliseconds to half a minute.
const SECONDS: &[f64] = &[
    0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
];

pub(crate) struct Measures {
    /// Clients that are connected.
    pub clients: IntGauge,
    /// Frames that were sent, by type.
    pub frames: IntCounterVec,
    /// Changes of the replica.
    pub changes: IntCounter,
    /// Seconds since the daemon was last heard from, through aggregator and log, of the partition that is silent longest.
    pub heartbeat_age: Gauge,
    /// From the acceptance of an event or command to the frame with its alert.
    pub accept_to_screen: Histogram,
}

impl Measures {
    pub fn new(metrics: &Metrics) -> Self {
        let frames = Opts::new(
            "reveille_bridge_frames_total",
            "Frames that were sent to clients.",
        );
        let screen = HistogramOpts::new(
            "reveille_bridge_accept_to_screen_seconds",
            "From the acceptance of an event or a command to the frame that shows it, for each client.",
        );
        Self {
            clients: register(
                metrics,
                IntGauge::new("reveille_bridge_clients", "Clients that are connected."),
            ),
            frames: register(metrics, IntCounterVec::new(frames, &["type"])),
            changes: register(
                metrics,
                IntCounter::new(
                    "reveille_bridge_changes_total",
                    "Changes of alerts that reached the bridge.",
                ),
            ),
            heartbeat_age: register(
                metrics,
                Gauge::new(
                    "reveille_bridge_heartbeat_age_seconds",
                    "Since the daemon was last heard from, of the partition that is silent longest.",
                ),
            ),
            accept_to_screen: register(metrics, Histogram::with_opts(screen.buckets(SECONDS.to_vec()))),
        }
    }
}

/// A second bridge in one process counts for itself only.
fn register<C: Collector + Clone + 'static>(metrics: &Metrics, made: prometheus::Result<C>) -> C {
    #[expect(clippy::expect_used, reason = "names and labels are constants of this file")]
    let made = made.expect("the name and the labels are well-formed");
    if let Err(error) = metrics.registry().register(Box::new(made.clone())) {
        tracing::warn!(%error, "something of the bridge is not measured");
    }
    made
}
