//! Forgetting what is old, in small steps, so that the tables do not grow for ever.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pipeline::Context;
use schemas::Fingerprint;
use store::{Store, StoreError};

const NAME: &str = "daemon.retention";
/// Deliveries or alerts that are looked at in one step.
const AT_ONCE: usize = 200;
/// For how long the sender of a request can ask what came of it, where nothing did.
const OUTCOMES_KEPT: SignedDuration = days(1);
/// The pause after a step that found something, and after one that did not.
const PAUSE: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(20);
/// Steps that find nothing before the next look: some ten minutes.
const RESTS: u32 = 30;

const fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(days as i64 * 24)
}

/// For how long what is over is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Finished deliveries; the alert's history says what became of them for longer.
    pub deliveries: SignedDuration,
    /// The history of an alert, after it has closed.
    pub history: SignedDuration,
    /// A closed alert, with all that belongs to it. What is heard of it later is a new alert.
    pub closed_alerts: SignedDuration,
}

impl Retention {
    /// So many days each, where a number is given.
    pub fn of_days(deliveries: Option<u32>, history: Option<u32>, closed_alerts: Option<u32>) -> Self {
        let usual = Self::default();
        Self {
            deliveries: deliveries.map_or(usual.deliveries, days),
            history: history.map_or(usual.history, days),
            closed_alerts: closed_alerts.map_or(usual.closed_alerts, days),
        }
    }
}

impl Default for Retention {
    /// History for a year and a month, so that a year can be compared with the one before.
    fn default() -> Self {
        Self {
            deliveries: days(30),
            history: days(400),
            closed_alerts: days(400),
        }
    }
}

/// Removes what is too old, step by step.
pub(crate) struct Pruning {
    store: Store,
    retention: Retention,
    /// How far the walk through the histories is.
    history_after: Option<(Timestamp, Fingerprint)>,
}

/// Runs until shutdown. Several daemons may do it at once.
pub(crate) async fn run(context: Context, store: Store, retention: Retention) {
    let task = context.health.task(NAME);
    let mut pruning = Pruning::new(store, retention);
    let forgetting = async {
        loop {
            let rests = match pruning.step(context.clock.now()).await {
                Ok(true) => {
                    task.progress();
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Ok(false) => RESTS,
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

impl Pruning {
    pub(crate) fn new(store: Store, retention: Retention) -> Self {
        Self {
            store,
            retention,
            history_after: None,
        }
    }

    /// Removes some of what is too old at this time; answers whether there may be more.
    pub(crate) async fn step(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let before = |kept: SignedDuration| now.checked_sub(kept).unwrap_or(Timestamp::MIN);
        let deliveries = self.store.prune(before(self.retention.deliveries), AT_ONCE);
        let deliveries = deliveries.await?;
        let alerts = before(self.retention.closed_alerts);
        let alerts = self.store.remove_closed(alerts, AT_ONCE).await?;
        let history = before(self.retention.history);
        let history = self.store.prune_history(history, self.history_after, AT_ONCE);
        let history = history.await?;
        self.history_after = history.next;
        let outcomes = self.store.prune_outcomes(before(OUTCOMES_KEPT), AT_ONCE).await?;
        Ok(deliveries + alerts + outcomes + history.rows > 0 || history.next.is_some())
    }
}
