//! Tasks that run beside the dispatcher, one of each kind at a time: a transaction, a publication, a read.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use pipeline::{Clock, Context};
use store::{Claim, OutboxMessage, Store, StoreError};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::overflow::{ToRead, has_room};
use super::super::pending::{Amount, Endpoint, Now, PendingNotification};
use super::super::publishing;
use super::records::{Entry, Outgoing};

/// The first wait for a dependency that is unavailable; each further one is twice as long.
const MIN_WAIT: Duration = Duration::from_millis(100);
/// The longest wait for a dependency that is unavailable.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// How many deliveries are read at once.
pub(in crate::delivery) const READ_AT_ONCE: usize = 1_000;

/// A task that runs, or none.
pub(super) struct Background<T> {
    running: Option<Running<T>>,
}

struct Running<T> {
    partition: u32,
    since: Instant,
    task: JoinHandle<T>,
}

impl<T: Send + 'static> Background<T> {
    pub(super) const fn idle() -> Self {
        Self { running: None }
    }

    pub(super) fn start(partition: u32, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            running: Some(Running {
                partition,
                since: Instant::now(),
                task: tokio::spawn(work),
            }),
        }
    }

    pub(super) const fn busy(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn busy_with(&self, partition: u32) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.partition == partition)
    }

    pub(super) fn longer_than(&self, time: Duration) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.since.elapsed() > time)
    }

    pub(super) fn cancel(&mut self) {
        if let Some(running) = self.running.take() {
            running.task.abort();
        }
    }

    /// Waits for its end; answers its partition, and no result if it panicked. Cancel-safe.
    pub(super) async fn end(&mut self) -> (u32, Option<T>) {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let result = (&mut running.task).await;
        let partition = running.partition;
        self.running = None;
        (partition, result.ok())
    }
}

/// The end of a transaction.
pub(super) struct Written {
    pub(super) claim: Claim,
    /// The messages to publish, and their row of the outbox.
    pub(super) outbox: Option<(i64, Vec<OutboxMessage>)>,
    /// Another process owns the partition: nothing was stored.
    pub(super) fenced: bool,
}

/// Stores the results of notifications; retries while the store is unavailable. Idempotent.
pub(super) async fn write(store: Store, claim: Claim, entries: Vec<Entry>, published: Vec<i64>) -> Written {
    let (mut updates, mut messages) = (Vec::with_capacity(entries.len()), Vec::new());
    for entry in entries {
        updates.push(entry.update);
        messages.extend(entry.messages);
    }
    let mut wait = MIN_WAIT;
    loop {
        let written = store.update_deliveries(&claim, &updates, &messages, &published);
        match written.await {
            Ok(row) => {
                return Written {
                    claim,
                    outbox: row.map(|row| (row, messages)),
                    fenced: false,
                };
            }
            Err(StoreError::Fenced(_)) => {
                return Written {
                    claim,
                    outbox: None,
                    fenced: true,
                };
            }
            Err(error) => {
                if wait == MIN_WAIT {
                    tracing::warn!(partition = claim.partition, %error, "results cannot be stored yet");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(MAX_WAIT);
            }
        }
    }
}

/// Notifications read back for an endpoint.
pub(super) struct ReadBack {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) pending: Vec<PendingNotification>,
    /// The store may hold more of them.
    pub(super) more: bool,
}

/// Reads the notifications left in the store for an endpoint, as many as there is room for, without those that have ended
/// (`ended`) and whose results are not stored yet. Retries while the store is unavailable.
pub(super) async fn read_back(
    store: Store,
    clock: Clock,
    claim: Claim,
    to_read: ToRead,
    ended: HashSet<Uuid>,
) -> ReadBack {
    let ToRead {
        endpoint, untried, ..
    } = to_read;
    let mut pending = Vec::new();
    let mut after = 0;
    let mut wait = MIN_WAIT;
    loop {
        let page = store
            .pending_at(
                &claim,
                (&endpoint.destination, endpoint.bot.as_deref()),
                after,
                READ_AT_ONCE,
            )
            .await;
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                if wait == MIN_WAIT {
                    tracing::warn!(partition = claim.partition, %error, "pending notifications cannot be read back yet");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(MAX_WAIT);
                continue;
            }
        };
        let ours = page.deliveries.iter().filter(|delivery| {
            delivery.notification.bot == endpoint.bot
                && !ended.contains(&delivery.notification.notification_id)
        });
        for delivery in ours {
            match PendingNotification::taken_over(delivery, Now::of(&clock)) {
                Ok(one) => pending.push(PendingNotification {
                    maybe_delivered: !untried,
                    ..one
                }),
                Err(error) => tracing::error!(%error, "a stored notification has no JSON form"),
            }
        }
        let full = !has_room(Amount::of(&pending));
        match page.next {
            Some(next) if !full => after = next,
            next => {
                return ReadBack {
                    endpoint,
                    pending,
                    more: next.is_some(),
                };
            }
        }
    }
}

/// Partition, epoch and row of the outbox of what was published.
pub(super) type Published = Vec<(u32, i64, i64)>;

/// Publishes what is stored in the outbox; retries while the log is unavailable.
pub(super) async fn publish(context: Context, outgoing: Vec<Outgoing>) -> Published {
    let (mut published, mut messages) = (Vec::with_capacity(outgoing.len()), Vec::new());
    for one in outgoing {
        published.push((one.partition, one.epoch, one.row));
        messages.extend(one.messages);
    }
    let mut wait = MIN_WAIT;
    loop {
        match publishing::publish(&context, &messages).await {
            Ok(()) => return published,
            Err(error) => {
                if wait == MIN_WAIT {
                    tracing::warn!(%error, "receipts cannot be published yet");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(MAX_WAIT);
            }
        }
    }
}
