//! Something that grows while others wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::watch;

/// A shared value; whoever waits for a condition on it is woken by each change.
#[derive(Debug)]
pub struct Recorded<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    value: Mutex<T>,
    changes: watch::Sender<()>,
}

impl<T> Clone for Recorded<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Default> Default for Recorded<T> {
    fn default() -> Self {
        Self(Arc::new(Inner {
            value: Mutex::default(),
            changes: watch::Sender::new(()),
        }))
    }
}

impl<T> Recorded<T> {
    /// Changes it and wakes everybody.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.0.changes.send_replace(());
        result
    }

    /// Looks at it.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Waits until there is an answer; `describe` tells what is there instead when time is up.
    pub async fn wait_for<R>(
        &self,
        what: &str,
        within: Duration,
        mut look: impl FnMut(&T) -> Option<R>,
        describe: impl FnOnce(&T) -> String,
    ) -> Result<R> {
        let mut changes = self.0.changes.subscribe();
        let answer = tokio::time::timeout(within, async {
            loop {
                if let Some(answer) = self.read(&mut look) {
                    return answer;
                }
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        });
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(_) => bail!("{what}: not within {within:?}; there is {}", self.read(describe)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
