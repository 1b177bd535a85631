//! The hot view to websockets: one snapshot, then numbered deltas.
//!
//! ```text
//! view.changed ──▶ follow ──▶ replica ──▶ subscription (one per client) ──▶ frames ──▶ socket
//! view         ──▶    │
//! ```
//!
//! The bridge keeps a [`replica`] of the open alerts, and remembers in one ring, shared by all clients, which alerts
//! changed last. A client is a place in that ring: when it can take a frame it gets the latest state of whatever changed
//! since. So a slow client, a client that comes back with its cursor, and a client that keeps up are one case, and no
//! client has a queue. The messages are those of [`schemas::live`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use pipeline::{Context, Steady};
use schemas::Topic;
use tokio::sync::{Semaphore, watch};
use uuid::{NoContext, Uuid};
use view::View;

#[cfg(test)]
mod examples;
mod follow;
mod frames;
mod heartbeats;
mod measures;
mod replica;
mod socket;
mod subscription;

pub use socket::routes;

use heartbeats::{Heartbeats, STALE_AFTER};
use measures::Measures;
use replica::Replica;

const NAME: &str = "bridge";
/// The most clients at once when nothing else is set; one more is told to come back later.
pub const CLIENTS_MAX: usize = 2_500;

/// A running bridge; cheap to clone.
#[derive(Clone)]
pub struct Bridge(Arc<Shared>);

/// What the follower and the clients share.
struct Shared {
    context: Context,
    /// Tells the cursors of this bridge from those of others, and of itself before a restart.
    id: String,
    replica: RwLock<Replica>,
    /// Sequence of the last change, once the replica is there.
    head: watch::Sender<Option<u64>>,
    trouble: Mutex<Option<Trouble>>,
    heartbeats: Heartbeats,
    seats: Arc<Semaphore>,
    clients_max: usize,
    measures: Measures,
}

/// Why the replica may be behind.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    since: Steady,
    /// How long that is nothing to speak of.
    tolerated: Duration,
}

impl Bridge {
    /// Starts to follow the view, for so many clients at once. Clients may come at once; they are served when the view is there.
    pub fn start(context: Context, view: Arc<dyn View>, clients_max: usize) -> Self {
        let now = context.clock.now();
        let started = u64::try_from(now.as_second()).unwrap_or_default();
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, started, 0))
            .simple()
            .to_string();
        let shared = Arc::new(Shared {
            id,
            replica: RwLock::default(),
            head: watch::Sender::new(None),
            trouble: Mutex::new(Some(Trouble {
                since: context.clock.steady(),
                tolerated: Duration::ZERO,
            })),
            heartbeats: Heartbeats::new(context.log.partitions(Topic::VIEW_CHANGED), now),
            seats: Arc::new(Semaphore::new(clients_max)),
            clients_max,
            measures: Measures::new(&context.metrics),
            context,
        });
        tokio::spawn(follow::run(Arc::clone(&shared), view));
        Self(shared)
    }
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Replica> {
        self.replica.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Replica> {
        self.replica.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since which the replica may be behind, if that is worth telling.
    fn stale_ms(&self) -> Option<u64> {
        let now = self.context.clock.steady();
        let trouble = (*self.trouble()).and_then(|trouble| {
            let age = now.since(trouble.since);
            (age >= trouble.tolerated).then(|| u64::try_from(age.as_millis()).ok())?
        });
        trouble.max(self.silent_ms())
    }

    /// Milliseconds since the daemon was last heard from, through all the stages between, if that is long.
    fn silent_ms(&self) -> Option<u64> {
        let age = self.heartbeats.age(self.context.clock.now());
        (age > STALE_AFTER).then(|| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    }

    fn cursor(&self, sequence: u64) -> String {
        format!("{}-{sequence}", self.id)
    }

    /// The sequence in a cursor that this bridge gave.
    fn sequence(&self, cursor: &str) -> Option<u64> {
        let (id, sequence) = cursor.rsplit_once('-')?;
        if id == self.id {
            sequence.parse().ok()
        } else {
            None
        }
    }

    fn clients(&self) -> usize {
        self.clients_max - self.seats.available_permits()
    }
}
