//! The memory that the bodies of requests take, with a share for each sender.
//!
//! Memory is counted as bytes arrive: a body that is announced and does not come takes none. One key has at most half of
//! it, and requests whose key is not known yet have a quarter beside it. When there is no more, the bodies that have made no
//! progress for a second give way, those first that hold the most for the longest time. When that is not enough, the youngest
//! give way to the oldest one with a key, so that of many bodies that arrive at once one after the other is finished.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipeline::Metrics;
use prometheus::{IntGauge, Opts};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::intake::error::IngestError;

/// How long a request waits for memory.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a waiting request checks whether others have stopped making progress.
const RECHECK_AFTER: Duration = Duration::from_millis(100);
/// A body without progress for so long gives way when memory is needed.
const PROGRESS_TIME: Duration = Duration::from_secs(1);
/// The bytes that count as progress; fewer do not, or a sender could keep a large body alive by single bytes.
const PROGRESS_BYTES: usize = 16 * 1024;
/// What counts for any body that has begun, as a request takes memory besides its body.
pub(crate) const SMALLEST_SHARE_BYTES: usize = 16 * 1024;

/// The memory that all bodies in work may take together.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Shared>);

struct Shared {
    bytes: usize,
    shares: Mutex<Shares>,
    freed: Notify,
    held: IntGauge,
}

#[derive(Default)]
struct Shares {
    next_id: u64,
    open: HashMap<u64, Entry>,
}

/// The sender that memory is charged to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A request whose key is in its body.
    Unknown,
    /// The key with this hash.
    Key(String),
}

struct Entry {
    owner: Owner,
    bytes: usize,
    /// While it arrives: the time of its last progress.
    progress_at: Option<Instant>,
    /// Cancelled when it has to give way.
    evicted: CancellationToken,
}

impl Entry {
    fn is_leaving(&self) -> bool {
        self.evicted.is_cancelled()
    }

    /// What closing it gains, in byte-milliseconds; none while it makes progress.
    fn waste(&self, now: Instant) -> Option<u128> {
        let idle = now.duration_since(self.progress_at?);
        let stalled = idle >= PROGRESS_TIME && self.bytes > 0 && !self.is_leaving();
        stalled.then(|| self.bytes as u128 * idle.as_millis())
    }
}

impl Budget {
    pub(crate) fn new(bytes: usize, metrics: &Metrics) -> Self {
        let held = Opts::new(
            "reveille_collectors_body_memory_bytes",
            "Bytes of memory that bodies in work take, of body_memory_bytes.",
        );
        Self(Arc::new(Shared {
            bytes,
            shares: Mutex::default(),
            freed: Notify::new(),
            held: metrics.register(IntGauge::with_opts(held)),
        }))
    }

    /// A share of nothing yet, for a body that begins to arrive.
    pub(crate) fn share(&self, owner: Owner) -> Share {
        let evicted = CancellationToken::new();
        let mut shares = self.shares();
        let id = shares.next_id;
        shares.next_id += 1;
        let entry = Entry {
            owner,
            bytes: 0,
            progress_at: Some(Instant::now()),
            evicted: evicted.clone(),
        };
        shares.open.insert(id, entry);
        Share {
            id,
            bytes: 0,
            since_progress: 0,
            evicted,
            budget: self.clone(),
        }
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.0.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enlarges a share, or lets others give way so that it can be done later.
    fn enlarge(&self, id: u64, more: usize) -> Result<(), IngestError> {
        let now = Instant::now();
        let mut shares = self.shares();
        let Some(owner) = shares.open.get(&id).map(|entry| entry.owner.clone()) else {
            return Err(IngestError::Overloaded);
        };
        let is_known = |entry: &Entry| entry.owner != Owner::Unknown;
        let is_owners = |entry: &Entry| entry.owner == owner;
        let fits = match owner {
            Owner::Unknown => shares.admit(more, self.0.bytes / 4, now, id, is_owners),
            Owner::Key(_) => {
                shares.admit(more, self.0.bytes / 2, now, id, is_owners)
                    && shares.admit(more, self.0.bytes, now, id, is_known)
            }
        };
        let entry = shares
            .open
            .get_mut(&id)
            .filter(|entry| fits && !entry.is_leaving());
        let Some(entry) = entry else {
            return Err(IngestError::Overloaded);
        };
        entry.bytes += more;
        self.0.held.add(i64::try_from(more).unwrap_or(i64::MAX));
        Ok(())
    }
}

impl Shares {
    /// Whether those that count have room for so much more; if not, as many of them give way as it takes, as far as they
    /// make no progress.
    fn admit(
        &self,
        more: usize,
        limit: usize,
        now: Instant,
        asking: u64,
        counts: impl Fn(&Entry) -> bool,
    ) -> bool {
        let (mut used, mut leaving) = (0, 0);
        for entry in self.open.values().filter(|entry| counts(entry)) {
            used += entry.bytes;
            leaving += if entry.is_leaving() { entry.bytes } else { 0 };
        }
        if used + more <= limit {
            return true;
        }
        let mut lacking = (used + more).saturating_sub(limit + leaving);
        let candidates = self
            .open
            .iter()
            .filter(|(id, entry)| **id != asking && counts(entry));
        let mut stalled: Vec<_> = candidates
            .filter_map(|(_, entry)| Some((entry.waste(now)?, entry)))
            .collect();
        stalled.sort_by_key(|(waste, _)| std::cmp::Reverse(*waste));
        let giving_way = stalled.into_iter().map(|(_, entry)| entry);
        for entry in giving_way.chain(self.younger_than(asking, counts)) {
            if lacking == 0 {
                break;
            }
            if !entry.is_leaving() {
                entry.evicted.cancel();
                lacking = lacking.saturating_sub(entry.bytes);
            }
        }
        false
    }

    /// The others that arrive, youngest first, if the one that asks has a key and is the oldest of those that count.
    fn younger_than(&self, asking: u64, counts: impl Fn(&Entry) -> bool) -> Vec<&Entry> {
        let arriving = |entry: &Entry| counts(entry) && entry.progress_at.is_some() && !entry.is_leaving();
        let mut arriving: Vec<_> = self.open.iter().filter(|(_, entry)| arriving(entry)).collect();
        arriving.sort_by_key(|(id, _)| **id);
        match arriving.first() {
            Some((id, entry)) if **id == asking && entry.owner != Owner::Unknown => {
                arriving.drain(1..).rev().map(|(_, entry)| entry).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The share of one body; it ends with it.
pub(crate) struct Share {
    id: u64,
    bytes: usize,
    since_progress: usize,
    evicted: CancellationToken,
    budget: Budget,
}

impl Share {
    /// Makes it as large as this, and waits until there is room.
    ///
    /// # Errors
    ///
    /// [`IngestError::Overloaded`] when there is none within two seconds.
    pub(crate) async fn grow(&mut self, bytes: usize) -> Result<(), IngestError> {
        let deadline = Instant::now() + QUEUE_TIMEOUT;
        loop {
            let budget = self.budget.clone();
            let mut freed = std::pin::pin!(budget.0.freed.notified());
            freed.as_mut().enable();
            let grown = self.grow_now(bytes);
            if grown.is_ok() || Instant::now() >= deadline {
                return grown;
            }
            // Either way it is looked at again.
            let _ = tokio::time::timeout(RECHECK_AFTER, freed).await;
        }
    }

    /// The same without waiting.
    pub(crate) fn grow_now(&mut self, bytes: usize) -> Result<(), IngestError> {
        let more = bytes.max(SMALLEST_SHARE_BYTES).saturating_sub(self.bytes);
        if more > 0 {
            self.budget.enlarge(self.id, more)?;
            self.bytes += more;
        }
        Ok(())
    }

    /// So many bytes have come.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.since_progress += bytes;
        if self.since_progress >= PROGRESS_BYTES {
            self.since_progress = 0;
            self.set_progress(Some(Instant::now()));
        }
    }

    /// The body is there in full, and gives way no more.
    pub(crate) fn complete(&mut self) {
        self.set_progress(None);
    }

    fn set_progress(&self, progress_at: Option<Instant>) {
        if let Some(entry) = self.budget.shares().open.get_mut(&self.id) {
            entry.progress_at = progress_at;
        }
    }

    /// Becomes the share of this key, which the body has shown.
    ///
    /// # Errors
    ///
    /// [`IngestError::Overloaded`] when the key has no room for it within two seconds.
    pub(crate) async fn give_to_key(&mut self, hash: &str) -> Result<(), IngestError> {
        let mut share = self.budget.share(Owner::Key(hash.to_owned()));
        share.complete();
        share.grow(self.bytes).await?;
        *self = share;
        Ok(())
    }

    /// Completes when it has to give way.
    pub(crate) fn evicted(&self) -> impl Future<Output = ()> + use<> {
        self.evicted.clone().cancelled_owned()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.shares().open.remove(&self.id);
        self.budget
            .0
            .held
            .sub(i64::try_from(self.bytes).unwrap_or(i64::MAX));
        self.budget.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn budget() -> Budget {
        Budget::new(32 * MIB, &Metrics::new())
    }

    fn key(name: &str) -> Owner {
        Owner::Key(name.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn s1_one_key_has_half_and_unknown_senders_a_quarter_beside_it() {
        let budget = budget();
        let mut first = budget.share(key("a"));
        assert!(first.grow(16 * MIB).await.is_ok());
        assert!(budget.share(key("a")).grow(1).await.is_err());
        let mut second = budget.share(key("b"));
        assert!(second.grow(16 * MIB - SMALLEST_SHARE_BYTES).await.is_ok());
        let mut unknown = budget.share(Owner::Unknown);
        assert!(unknown.grow(8 * MIB).await.is_ok());
        assert!(budget.share(Owner::Unknown).grow_now(1).is_err());
        assert!(
            budget.share(key("c")).grow_now(1).is_ok(),
            "they take nothing from those who are known"
        );
        assert_eq!(budget.0.held.get(), (40 * MIB - SMALLEST_SHARE_BYTES) as i64);
        drop((first, second, unknown));
        assert_eq!(budget.0.held.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn s1_of_bodies_of_one_key_that_arrive_at_once_the_oldest_is_finished() {
        let budget = budget();
        let mut oldest = budget.share(key("a"));
        let mut others = [budget.share(key("a")), budget.share(key("a"))];
        for share in [&mut oldest].into_iter().chain(&mut others) {
            share.grow(5 * MIB).await.unwrap_or_else(|_| panic!("room"));
        }
        let [middle, youngest] = &mut others;
        assert!(middle.grow_now(7 * MIB).is_err());
        assert!(!youngest.evicted.is_cancelled(), "only the oldest may ask for it");
        assert!(oldest.grow_now(7 * MIB).is_err());
        assert!(youngest.evicted.is_cancelled() && !middle.evicted.is_cancelled());
        let [middle, youngest] = others;
        drop(youngest);
        assert!(oldest.grow_now(7 * MIB).is_ok());
        drop(middle);
    }

    #[tokio::test(start_paused = true)]
    async fn s1_what_makes_no_progress_gives_way_and_what_does_is_kept() {
        let budget = budget();
        let mut stalled = budget.share(key("a"));
        stalled.grow(15 * MIB).await.unwrap_or_else(|_| panic!("room"));
        let mut small = budget.share(key("a"));
        small.grow(MIB).await.unwrap_or_else(|_| panic!("room"));
        let mut steady = budget.share(key("b"));
        steady.grow(16 * MIB).await.unwrap_or_else(|_| panic!("room"));
        tokio::time::advance(PROGRESS_TIME).await;
        steady.received(PROGRESS_BYTES);
        stalled.received(1);
        assert!(budget.share(key("c")).grow_now(1).is_err());
        let evicted = [&stalled, &small, &steady].map(|share| share.evicted.is_cancelled());
        assert_eq!(evicted, [true, false, false]);
        assert!(stalled.grow_now(15 * MIB + 1).is_err(), "it gets no more");
        let mut asking = budget.share(key("c"));
        let freeing = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            drop(stalled);
        };
        let (grown, ()) = tokio::join!(asking.grow(15 * MIB), freeing);
        assert!(grown.is_ok(), "it has waited for it");
        assert!(!small.evicted.is_cancelled(), "no more give way than is needed");
    }

    #[tokio::test(start_paused = true)]
    async fn s1_what_is_complete_does_not_give_way() {
        let budget = budget();
        let mut complete = budget.share(Owner::Unknown);
        assert!(complete.grow(8 * MIB).await.is_ok());
        complete.complete();
        tokio::time::advance(PROGRESS_TIME * 10).await;
        assert!(budget.share(Owner::Unknown).grow(1).await.is_err());
        assert!(!complete.evicted.is_cancelled());
        assert!(complete.give_to_key("a").await.is_ok());
        assert!(budget.share(Owner::Unknown).grow(1).await.is_ok());
    }
}
