//! The hot view to websockets: one snapshot, then numbered deltas.
//!
//! ```text
//! view.changed ──▶ follow ──▶ replica ──▶ feed (one per filter): subscription ──▶ stream ──▶ frames ──▶ socket ──▶ line
//! view         ──▶    │
//! ```
//!
//! The bridge keeps a [`replica`] of the open alerts, and remembers in one ring, shared by all clients, which alerts
//! changed last. All clients with the same filter follow one [`feed`], whose [`stream`] works out once what changes for
//! them; the [`frames`] are encoded once. A client is a position in that stream. One that keeps up is sent the deltas
//! that all others are sent; one that is late, or comes back with its cursor, gets the latest state of all that changed
//! since. So no client has a queue. Snapshots are sent in [`turns`], to a number of clients at once. The messages are
//! those of [`schemas::live`].
//!
//! # Memory
//!
//! Beside the alerts, the bridge holds encoded frames, [`Limits::frame_bytes`] at most over all filters (what has no room
//! is encoded for each client), and for each of [`Limits::clients`] what its [`line`] has not taken yet: one piece of a
//! frame.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use pipeline::{Context, Steady};
use schemas::Topic;
use tokio::sync::{Semaphore, watch};
use uuid::{NoContext, Uuid};
use view::View;

#[cfg(test)]
mod examples;
mod feed;
mod follow;
mod frames;
mod heartbeats;
mod line;
mod measures;
mod memory;
mod replica;
mod socket;
mod stream;
mod subscription;
mod turns;
mod upgrade;

pub use upgrade::routes;

use feed::Feeds;
use frames::Encoder;
use heartbeats::{Heartbeats, STALE_AFTER};
use measures::Measures;
use memory::FrameMemory;
use replica::{Replica, Texts};
use turns::Turns;

const NAME: &str = "bridge";

/// What bounds a bridge's work and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Clients at once; one more is answered 503, and when to come back.
    pub clients: usize,
    /// Clients that are sent a snapshot at once; the others wait in the order in which they came.
    pub snapshots: usize,
    /// Bytes of encoded frames that are held for all clients together.
    pub frame_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 2_500,
            snapshots: 50,
            frame_bytes: 128 * 1024 * 1024,
        }
    }
}

/// A running bridge; cheap to clone.
#[derive(Clone)]
pub struct Bridge(Arc<Shared>);

/// What the follower and the clients share.
struct Shared {
    context: Context,
    encoder: Arc<Encoder>,
    replica: RwLock<Replica>,
    /// Sequence of the last change, once the replica is there.
    head: watch::Sender<Option<u64>>,
    trouble: Mutex<Option<Trouble>>,
    heartbeats: Heartbeats,
    feeds: Feeds,
    turns: Arc<Turns>,
    seats: Arc<Semaphore>,
    limits: Limits,
    measures: Arc<Measures>,
}

/// Why the replica may be behind.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    since: Steady,
    /// How long that is nothing to speak of.
    tolerated: Duration,
}

impl Bridge {
    /// Starts to follow the view. Clients may come at once; they are served when the view is there.
    pub fn start(context: Context, view: Arc<dyn View>, limits: Limits) -> Self {
        let now = context.clock.now();
        let started = u64::try_from(now.as_second()).unwrap_or_default();
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, started, 0))
            .simple()
            .to_string();
        let measures = Measures::new(&context.metrics);
        let encoder = Encoder {
            id,
            texts: Texts::default(),
            memory: FrameMemory::new(limits.frame_bytes, measures.queued_bytes.clone()),
            encoded: measures.encoded.clone(),
        };
        let shared = Arc::new(Shared {
            encoder: Arc::new(encoder),
            replica: RwLock::default(),
            head: watch::Sender::new(None),
            trouble: Mutex::new(Some(Trouble {
                since: context.clock.steady(),
                tolerated: Duration::ZERO,
            })),
            heartbeats: Heartbeats::new(context.log.partitions(Topic::VIEW_CHANGED), now),
            feeds: Feeds::default(),
            turns: Arc::new(Turns::new(limits.snapshots, measures.waiting.clone())),
            seats: Arc::new(Semaphore::new(limits.clients)),
            limits,
            measures: Arc::new(measures),
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

    fn clients(&self) -> usize {
        self.limits.clients - self.seats.available_permits()
    }
}
