//! How many connections a listener holds, in all and from one address, and which one is closed when there are too many.
//!
//! A connection costs a descriptor and memory before it has shown a key. So their number is bounded below the process's
//! limit of descriptors, with a reserve for log, database and outgoing connections. A new connection is always accepted:
//! when a listener is full, or holds too many of one address, an open one is closed in its place. A sender that works is
//! idle for milliseconds, so a flood closes its own connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipeline::metrics::Metrics;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::attempts::{Attempts, WrongCredential};
use crate::settings::Settings;

mod stream;

pub use stream::Tracked;

/// So many descriptors at least are kept for log, database, outgoing connections and files.
const RESERVED_DESCRIPTORS: usize = 256;
/// More connections are not held unless the settings ask for them.
const CONNECTIONS_DEFAULT_MAX: usize = 8192;
/// The private listener has few users, and must answer when nothing else does.
const ADMIN_CONNECTIONS: usize = 64;
/// The least that a listener gets, however few descriptors there are.
const LISTENER_CONNECTIONS_MIN: usize = 16;
/// A request whose client has sent nothing and taken nothing for so long counts as idle. What the process itself does for
/// a request takes less.
const WORK_TIME: Duration = Duration::from_secs(20);

/// How the connections of a process are shared out among its listeners.
#[derive(Clone)]
pub struct ConnectionLimits {
    total: usize,
    per_address: Option<usize>,
    attempts: Attempts,
    open: IntGaugeVec,
    evicted: IntCounterVec,
}

impl ConnectionLimits {
    /// For a process that may have so many descriptors open; to be called once per process.
    pub fn new(settings: &Settings, descriptors: usize, metrics: &Metrics) -> Self {
        Self {
            total: total(settings, descriptors),
            per_address: settings.connections_per_address.map(|limit| limit as usize),
            attempts: Attempts::new(metrics),
            open: metrics.register(IntGaugeVec::new(
                Opts::new("reveille_connections_open", "Connections that a listener holds."),
                &["listener"],
            )),
            evicted: metrics.register(IntCounterVec::new(
                Opts::new(
                    "reveille_connections_evicted_total",
                    "Idle connections that were closed because a listener, or one address at it, had too many.",
                ),
                &["listener"],
            )),
        }
    }

    /// Of the listener for HTTP.
    pub fn http(&self) -> Connections {
        self.listener("http", self.total / 2)
    }

    /// Of the listener for mail.
    pub fn smtp(&self) -> Connections {
        self.listener("smtp", self.total / 6)
    }

    /// Of the listener for Riemann's clients.
    pub fn riemann(&self) -> Connections {
        self.listener("riemann", self.total / 6)
    }

    /// Of the private listener.
    pub fn admin(&self) -> Connections {
        self.listener("admin", ADMIN_CONNECTIONS)
    }

    fn listener(&self, name: &str, limit: usize) -> Connections {
        let limit = limit.max(LISTENER_CONNECTIONS_MIN);
        let per_address = self.per_address.unwrap_or(limit / 2).max(1);
        Connections(Arc::new(Listener {
            limit,
            per_address,
            attempts: self.attempts.clone(),
            begun: Instant::now(),
            permits: Arc::new(Semaphore::new(limit)),
            open: Mutex::default(),
            open_gauge: self.open.with_label_values(&[name]),
            evicted: self.evicted.with_label_values(&[name]),
        }))
    }
}

/// How many connections there may be, however many are asked for. Half of them are for HTTP, so a bridge that serves many
/// consoles gets more.
fn total(settings: &Settings, descriptors: usize) -> usize {
    let reserved = RESERVED_DESCRIPTORS.max(descriptors / 4).min(descriptors / 2);
    let for_consoles = settings
        .bridge_clients
        .map_or(0, |clients| clients.saturating_mul(4));
    let default = CONNECTIONS_DEFAULT_MAX.max(for_consoles);
    let asked = settings.connections.map_or(default, |asked| asked as usize);
    asked.min(descriptors - reserved)
}

/// Raises the soft limit of open descriptors to the hard one, and returns it. Where that is not possible it stays as it is.
pub fn raise_descriptor_limit() -> usize {
    let raised = rlimit::increase_nofile_limit(u64::MAX).or_else(|error| {
        tracing::warn!(%error, "the limit of open descriptors cannot be raised");
        rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _)| soft)
    });
    usize::try_from(raised.unwrap_or(RESERVED_DESCRIPTORS as u64)).unwrap_or(usize::MAX)
}

/// The connections of one listener.
#[derive(Clone)]
pub struct Connections(Arc<Listener>);

struct Listener {
    limit: usize,
    per_address: usize,
    attempts: Attempts,
    begun: Instant,
    permits: Arc<Semaphore>,
    open: Mutex<Open>,
    open_gauge: IntGauge,
    evicted: IntCounter,
}

#[derive(Default)]
struct Open {
    next_id: u64,
    entries: HashMap<u64, Arc<Entry>>,
}

/// What is known of an open connection.
struct Entry {
    address: IpAddr,
    begun: Instant,
    /// Milliseconds since the listener has begun: of the last byte, or while no request has succeeded of the beginning or
    /// the last request, so that a client that sends byte after byte gains nothing by it.
    active_at: AtomicU64,
    /// One of [`WAITING`], [`IN_WORK`], [`UPGRADED`].
    phase: AtomicU8,
    /// A request has succeeded.
    proven: AtomicBool,
    closed: CancellationToken,
    attempts: Attempts,
}

/// The client has to send something next.
const WAITING: u8 = 0;
/// The client is owed an answer, or sends the body of a request.
const IN_WORK: u8 = 1;
/// The connection is a websocket now.
const UPGRADED: u8 = 2;

impl Connections {
    /// Admits a new connection. When there are too many, an open one is closed first: those that wait for their client
    /// before requests in work before websockets, those without a successful request before the others, and of these the
    /// longest idle.
    pub async fn admit(&self, peer: SocketAddr) -> Slot {
        let address = network(peer.ip());
        self.make_room(address);
        // The semaphore is never closed, and an evicted connection gives its permit back.
        let permit = Arc::clone(&self.0.permits).acquire_owned().await.ok();
        let entry = Arc::new(Entry {
            address,
            begun: self.0.begun,
            active_at: AtomicU64::new(milliseconds_since(self.0.begun)),
            phase: AtomicU8::new(WAITING),
            proven: AtomicBool::new(false),
            closed: CancellationToken::new(),
            attempts: self.0.attempts.clone(),
        });
        let mut open = self.open();
        let id = open.next_id;
        open.next_id += 1;
        open.entries.insert(id, Arc::clone(&entry));
        self.0.open_gauge.inc();
        Slot {
            id,
            activity: Activity(entry),
            connections: self.clone(),
            _permit: permit,
        }
    }

    fn make_room(&self, address: IpAddr) {
        let mut open = self.open();
        // Consoles have a bound of their own, and many come through one proxy.
        let counts = |entry: &Entry| entry.address == address && !entry.is(UPGRADED);
        let of_address = open.entries.values().filter(|entry| counts(entry)).count();
        let evicted = if of_address >= self.0.per_address {
            open.first_to_go(milliseconds_since(self.0.begun), counts)
        } else if open.entries.len() >= self.0.limit {
            open.first_to_go(milliseconds_since(self.0.begun), |_| true)
        } else {
            None
        };
        if let Some(entry) = evicted.and_then(|id| open.entries.remove(&id)) {
            entry.closed.cancel();
            self.0.evicted.inc();
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn milliseconds_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Open {
    fn first_to_go(&self, now: u64, counts: impl Fn(&Entry) -> bool) -> Option<u64> {
        let candidates = self.entries.iter().filter(|(_, entry)| counts(entry));
        candidates
            .min_by_key(|(id, entry)| (entry.worth(now), **id))
            .map(|(id, _)| *id)
    }
}

impl Entry {
    fn is(&self, phase: u8) -> bool {
        self.phase.load(Ordering::Relaxed) == phase
    }

    /// Those of the least worth are closed first.
    fn worth(&self, now: u64) -> (u8, bool, u64) {
        let active_at = self.active_at.load(Ordering::Relaxed);
        let idle = Duration::from_millis(now.saturating_sub(active_at));
        let phase = match self.phase.load(Ordering::Relaxed) {
            IN_WORK if idle >= WORK_TIME => WAITING,
            phase => phase,
        };
        (phase, self.proven.load(Ordering::Relaxed), active_at)
    }
}

/// One address, or for IPv6 the /64 that one customer has.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

/// The slot of one open connection, free again when it is dropped.
pub struct Slot {
    id: u64,
    activity: Activity,
    connections: Connections,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// Reports what the connection does.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.open().entries.remove(&self.id);
        self.connections.0.open_gauge.dec();
    }
}

/// Reports what a connection does, which decides when it is closed.
#[derive(Clone)]
pub struct Activity(Arc<Entry>);

impl Activity {
    /// A request of the client has succeeded.
    pub fn succeeded(&self) {
        self.0.proven.store(true, Ordering::Relaxed);
        self.now();
    }

    /// A request has begun; the client is owed an answer.
    pub(crate) fn work_begun(&self) {
        self.0.phase.store(IN_WORK, Ordering::Relaxed);
        self.now();
    }

    /// The answer is there.
    pub(crate) fn work_ended(&self) {
        self.0.phase.store(WAITING, Ordering::Relaxed);
    }

    /// The connection is a websocket from now on.
    pub(crate) fn upgraded(&self) {
        self.0.phase.store(UPGRADED, Ordering::Relaxed);
    }

    /// A request has shown a wrong credential: counts it, and waits before its answer. Meanwhile the connection counts as
    /// idle.
    pub async fn wrong_credential(&self, kind: WrongCredential) {
        let delay = self.0.attempts.wrong(self.0.address, kind);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// Completes when the connection has to be closed for another one.
    pub async fn closed(&self) {
        self.0.closed.cancelled().await;
    }

    /// Bytes have come or gone.
    fn bytes(&self) {
        if self.0.proven.load(Ordering::Relaxed) || self.0.is(UPGRADED) {
            self.now();
        }
    }

    fn now(&self) {
        let now = milliseconds_since(self.0.begun);
        self.0.active_at.store(now, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
