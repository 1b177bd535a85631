//! Whether the log is available, for `/readyz`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipeline::{Clock, Context, LogError, Steady};

const CHECK_EVERY: Duration = Duration::from_secs(5);
/// How long a failure is reported. Not until the next success: a process that is not ready gets no requests, so it would
/// never succeed.
const REPORTED_FOR: Duration = Duration::from_secs(15);

/// When the log last failed.
#[derive(Clone)]
pub(crate) struct LogHealth {
    clock: Clock,
    /// `None` if it has not failed since it last succeeded.
    failed_at: Arc<Mutex<Option<Steady>>>,
}

impl LogHealth {
    /// Reports the health of the log to that of the process, until shutdown.
    pub(crate) fn watched(context: &Context) -> Self {
        let log_health = Self {
            clock: context.clock.clone(),
            failed_at: Arc::default(),
        };
        let reported = log_health.clone();
        let context = context.clone();
        tokio::spawn(async move {
            let task = context.health.task("collectors");
            let mut interval = tokio::time::interval(CHECK_EVERY);
            while context
                .shutdown
                .run_until_cancelled(interval.tick())
                .await
                .is_some()
            {
                if reported.is_unavailable() {
                    task.waiting("log")
                } else {
                    task.progress()
                }
            }
            task.ended();
        });
        log_health
    }

    /// An append failed. The first failure is logged; all are counted as refused requests.
    pub(crate) fn failed(&self, error: &LogError) {
        if self.failed_at().replace(self.clock.steady()).is_none() {
            tracing::warn!(%error, "the log is unavailable: senders get 503");
        }
    }

    /// An append succeeded.
    pub(crate) fn succeeded(&self) {
        if self.failed_at().take().is_some() {
            tracing::info!("the log is available again");
        }
    }

    fn is_unavailable(&self) -> bool {
        let failed_at = *self.failed_at();
        failed_at.is_some_and(|at| self.clock.steady() < at.after(REPORTED_FOR))
    }

    fn failed_at(&self) -> MutexGuard<'_, Option<Steady>> {
        self.failed_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
