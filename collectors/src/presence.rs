//! Whether the log took what it was given last, for `/readyz`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use pipeline::{Clock, Context, LogError};

const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// A failure is told for so long. Not until the next success: whoever is not ready gets no requests any more.
const TOLD_FOR: Duration = Duration::from_secs(15);

/// When the log last failed.
#[derive(Clone)]
pub(crate) struct LogPresence {
    clock: Clock,
    /// Microseconds since 1970; 0 = never, or it is back.
    failed_at: Arc<AtomicI64>,
}

impl LogPresence {
    /// Tells the health of the process how the log is, until shutdown.
    pub(crate) fn watched(context: &Context) -> Self {
        let presence = Self {
            clock: context.clock.clone(),
            failed_at: Arc::default(),
        };
        let told = presence.clone();
        let context = context.clone();
        tokio::spawn(async move {
            let task = context.health.task("collectors");
            let mut interval = tokio::time::interval(SIGN_OF_LIFE);
            while context
                .shutdown
                .run_until_cancelled(interval.tick())
                .await
                .is_some()
            {
                if told.is_away() {
                    task.waiting("log")
                } else {
                    task.progress()
                }
            }
            task.ended();
        });
        presence
    }

    /// It did not take something. Only the first failure is logged, all are counted as refusals.
    pub(crate) fn failed(&self, error: &LogError) {
        let now = self.clock.now().as_microsecond();
        if self.failed_at.swap(now, Ordering::Relaxed) == 0 {
            tracing::warn!(%error, "senders are asked to come again");
        }
    }

    /// It took something.
    pub(crate) fn worked(&self) {
        if self.failed_at.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!("the log takes alerts again");
        }
    }

    fn is_away(&self) -> bool {
        let failed_at = self.failed_at.load(Ordering::Relaxed);
        let end = Timestamp::from_microsecond(failed_at).and_then(|at| at.checked_add(TOLD_FOR));
        failed_at != 0 && end.is_ok_and(|end| self.clock.now() < end)
    }
}
