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

use jiff::{SignedDuration, Timestamp};
use pipeline::Context;
use tokio::sync::{Semaphore, watch};
use uuid::{NoContext, Uuid};
use view::View;

#[cfg(test)]
mod examples;
mod follow;
mod frames;
mod measures;
mod replica;
mod socket;
mod subscription;

pub use socket::routes;

use measures::Measures;
use replica::Replica;

const NAME: &str = "bridge";
/// The most clients at once; one more is told to come back later.
const CLIENTS_MAX: usize = 10_000;

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
    seats: Arc<Semaphore>,
    measures: Measures,
}

/// Why the replica may be behind.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    since: Timestamp,
    /// How long that is nothing to speak of.
    tolerated: SignedDuration,
}

impl Bridge {
    /// Starts to follow the view. Clients may come at once; they are served when the view is there.
    pub fn start(context: Context, view: Arc<dyn View>) -> Self {
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
                since: now,
                tolerated: SignedDuration::ZERO,
            })),
            seats: Arc::new(Semaphore::new(CLIENTS_MAX)),
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
        let trouble = (*self.trouble())?;
        let age = self.context.clock.now().duration_since(trouble.since);
        if age < trouble.tolerated {
            return None;
        }
        u64::try_from(age.as_millis()).ok()
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
        CLIENTS_MAX - self.seats.available_permits()
    }
}
