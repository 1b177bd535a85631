//! What runs beside the courier, one of each at a time: a transaction, a publication.

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
use super::super::publishing;
use super::super::waiting::{Amount, Now, Place, Waiting};
use super::books::{Entry, Outgoing};

/// The waits for a dependency that is away grow from this
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// to this.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How many deliveries are read at once.
pub(in crate::delivery) const READ_AT_ONCE: usize = 1_000;

/// Something that runs, or nothing.
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

    /// Its end, with the partition it was about; no result if it broke off. Cancel-safe.
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

/// What was stored, or was not because somebody else owns the partition.
pub(super) struct Written {
    pub(super) claim: Claim,
    /// What is to be published now, and where it is stored.
    pub(super) outbox: Option<(i64, Vec<OutboxMessage>)>,
    pub(super) fenced: bool,
}

/// Stores what became of notifications, however long the store is away. Doing it twice does no harm.
pub(super) async fn write(store: Store, claim: Claim, entries: Vec<Entry>, published: Vec<i64>) -> Written {
    let (mut updates, mut messages) = (Vec::with_capacity(entries.len()), Vec::new());
    for entry in entries {
        updates.push(entry.update);
        messages.extend(entry.messages);
    }
    let mut wait = SHORTEST_WAIT;
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
                if wait == SHORTEST_WAIT {
                    tracing::warn!(partition = claim.partition, %error, "what was sent cannot be stored yet");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

/// What was read back for a destination.
pub(super) struct ReadBack {
    pub(super) place: Arc<Place>,
    pub(super) waiting: Vec<Waiting>,
    /// There may be more.
    pub(super) more: bool,
}

/// Reads what was left in the store for a destination, as much as there is room for, however long the store is away. Without
/// what has ended already but is not stored yet.
pub(super) async fn read_back(
    store: Store,
    clock: Clock,
    claim: Claim,
    to_read: ToRead,
    ended: HashSet<Uuid>,
) -> ReadBack {
    let ToRead { place, untried, .. } = to_read;
    let mut waiting = Vec::new();
    let mut after = 0;
    let mut wait = SHORTEST_WAIT;
    loop {
        let page = store
            .pending_at(&claim, &place.destination, after, READ_AT_ONCE)
            .await;
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                if wait == SHORTEST_WAIT {
                    tracing::warn!(partition = claim.partition, %error, "what waits cannot be read back yet");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
                continue;
            }
        };
        let ours = page.deliveries.iter().filter(|delivery| {
            delivery.notification.bot == place.bot && !ended.contains(&delivery.notification.notification_id)
        });
        for delivery in ours {
            match Waiting::taken_over(delivery, Now::of(&clock)) {
                Ok(one) => waiting.push(Waiting {
                    perhaps_delivered: !untried,
                    ..one
                }),
                Err(error) => tracing::error!(%error, "a stored notification has no JSON form"),
            }
        }
        let full = !has_room(Amount::of(&waiting));
        match page.next {
            Some(next) if !full => after = next,
            next => {
                return ReadBack {
                    place,
                    waiting,
                    more: next.is_some(),
                };
            }
        }
    }
}

/// Partition, epoch and row of the outbox of what was published.
pub(super) type Published = Vec<(u32, i64, i64)>;

/// Publishes what is stored in the outbox, however long the log is away.
pub(super) async fn publish(context: Context, outgoing: Vec<Outgoing>) -> Published {
    let (mut published, mut messages) = (Vec::with_capacity(outgoing.len()), Vec::new());
    for one in outgoing {
        published.push((one.partition, one.epoch, one.row));
        messages.extend(one.messages);
    }
    let mut wait = SHORTEST_WAIT;
    loop {
        match publishing::publish(&context, &messages).await {
            Ok(()) => return published,
            Err(error) => {
                if wait == SHORTEST_WAIT {
                    tracing::warn!(%error, "receipts cannot be published yet");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}
