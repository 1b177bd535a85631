//! The only writer of an alert's state.
//!
//! Events, commands and receipts come in; [`domain::transition`] decides; state, history, ledger, deadlines, outbox
//! and the position after the batch are written in one transaction; then the outbox is published. A daemon may be
//! killed at any instruction: what it has committed is done once, and what it has committed but not published is
//! published by whoever claims the partition next.

use std::sync::Arc;

use domain::Site;
use pipeline::metrics::StageMetrics;
use pipeline::{Context, runner};
use schemas::Topic;
use store::Store;
use tokio::sync::watch;
use uuid::Uuid;

mod heartbeat;
mod metrics;
mod recent;
mod retention;
mod stage;
#[cfg(test)]
mod tests;
mod work;

use heartbeat::Living;
use metrics::DaemonMetrics;
pub use retention::Retention;
use stage::Daemon;

/// The topics that a daemon reads; it owns the same partition of each.
pub const TOPICS: [Topic; 3] = [
    Topic::ALERTS_DECORATED,
    Topic::ALERTS_COMMANDS,
    Topic::NOTIFICATIONS_RECEIPTS,
];

/// Runs a daemon until shutdown, and forgets what is older than it is to be kept.
pub async fn run(context: Context, site: watch::Receiver<Arc<Site>>, store: Store, retention: Retention) {
    // A commit must not wait until long lists were read for others.
    let store = store.with_readers_of_its_own();
    store.report_to(&context.health, &context.metrics);
    let stage_metrics = StageMetrics::new(&context.metrics, "daemon");
    let metrics = DaemonMetrics::new(&context.metrics);
    let owner = Uuid::now_v7().to_string();
    let make = {
        let (context, store) = (context.clone(), store.clone());
        move || {
            let daemon = Daemon::new(
                context.clone(),
                site.clone(),
                store.clone(),
                metrics.clone(),
                owner.clone(),
            );
            Living::new(context.clone(), daemon)
        }
    };
    let forgetting = retention::run(context.clone(), store, retention);
    let stage = runner::run_side_by_side(context, "daemon", "daemon", &TOPICS, stage_metrics, make);
    tokio::join!(stage, forgetting);
}
