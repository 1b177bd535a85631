//! Whether the log took what it was given last, for `/readyz`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipeline::{Clock, Context, LogError, Steady};

const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// A failure is told for so long. Not until the next success: whoever is not ready gets no requests any more.
const TOLD_FOR: Duration = Duration::from_secs(15);

/// When the log last failed.
#[derive(Clone)]
pub(crate) struct LogPresence {
    clock: Clock,
    /// Nothing if it never failed, or is back.
    failed_at: Arc<Mutex<Option<Steady>>>,
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
        if self.failed_at().replace(self.clock.steady()).is_none() {
            tracing::warn!(%error, "senders are asked to come again");
        }
    }

    /// It took something.
    pub(crate) fn worked(&self) {
        if self.failed_at().take().is_some() {
            tracing::info!("the log takes alerts again");
        }
    }

    fn is_away(&self) -> bool {
        let failed_at = *self.failed_at();
        failed_at.is_some_and(|at| self.clock.steady() < at.after(TOLD_FOR))
    }

    fn failed_at(&self) -> MutexGuard<'_, Option<Steady>> {
        self.failed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
