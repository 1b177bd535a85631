//! Forgetting what is old, in small steps, so that the tables do not grow for ever.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pipeline::Context;
use store::{Store, StoreError};

const NAME: &str = "daemon.retention";
/// Finished deliveries are kept for so long; the alert's history says what became of them for longer.
const DELIVERIES_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The history of an alert is kept for so long after it has closed: a year and a month, so that a year can be compared
/// with the one before.
const HISTORY_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Deliveries, or alerts whose history goes, in one transaction: others wait for it.
const AT_ONCE: usize = 200;
/// The pause after a step that found something, and after one that did not.
const PAUSE: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(20);
/// Steps that find nothing before the next look: some ten minutes.
const RESTS: u32 = 30;

/// Runs until shutdown. Several daemons may do it at once.
pub(crate) async fn run(context: Context, store: Store) {
    let task = context.health.task(NAME);
    let forgetting = async {
        loop {
            let rests = match step(&store, context.clock.now()).await {
                Ok(0) => RESTS,
                Ok(_) => {
                    task.progress();
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(error) => {
                    // Nothing waits for this, so it is no reason not to be ready.
                    tracing::debug!(%error, "nothing old is forgotten for now");
                    1
                }
            };
            for _ in 0..rests {
                task.progress();
                tokio::time::sleep(REST).await;
            }
        }
    };
    context.shutdown.run_until_cancelled(forgetting).await;
    task.ended();
}

/// Removes some of what is too old at this time; answers how many rows.
pub(crate) async fn step(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let deliveries = store.prune(now - DELIVERIES_KEPT, AT_ONCE).await?;
    let history = store.prune_history(now - HISTORY_KEPT, AT_ONCE).await?;
    Ok(deliveries + history)
}
