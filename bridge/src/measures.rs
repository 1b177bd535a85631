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
    /// Clients that wait for their turn to be sent a snapshot.
    pub waiting: IntGauge,
    /// Connections that were refused, as there were too many clients.
    pub refused: IntCounter,
    /// Connections that ended, by reason.
    pub disconnects: IntCounterVec,
    /// Bytes of encoded frames that are held for clients.
    pub queued_bytes: IntGauge,
    /// Frames that were encoded, by type; each is for all clients with the same filter.
    pub encoded: IntCounterVec,
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
        let disconnects = Opts::new(
            "reveille_bridge_disconnects_total",
            "Connections of clients that ended, by reason.",
        );
        let encoded = Opts::new(
            "reveille_bridge_encoded_frames_total",
            "Frames that were encoded, each for all clients with the same filter.",
        );
        let gauge = |name: &str, help: &str| register(metrics, IntGauge::new(name, help));
        Self {
            clients: gauge("reveille_bridge_clients", "Clients that are connected."),
            waiting: gauge(
                "reveille_bridge_waiting_clients",
                "Clients that wait for their turn to be sent a snapshot.",
            ),
            refused: register(
                metrics,
                IntCounter::new(
                    "reveille_bridge_refused_total",
                    "Connections that were refused, as there were as many clients as may be.",
                ),
            ),
            disconnects: register(metrics, IntCounterVec::new(disconnects, &["reason"])),
            queued_bytes: gauge(
                "reveille_bridge_queued_bytes",
                "Encoded frames that are held for clients, in bytes.",
            ),
            encoded: register(metrics, IntCounterVec::new(encoded, &["type"])),
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
