//! The partitions that the dispatcher owns: how they are given back, and how they are lost.

use std::time::Duration;

use pipeline::Steady;
use store::Claim;
use tokio::sync::oneshot;

use super::Dispatcher;
use super::records::Entry;

/// How long attempts in flight may take to end when their partition is released; then they are aborted.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// A partition that is claimed.
pub(super) struct Owned {
    pub(super) claim: Claim,
    /// Results of notifications that are not stored yet.
    pub(super) entries: Vec<Entry>,
    /// Rows of the outbox that were published and not removed yet.
    pub(super) published: Vec<i64>,
    /// How many rows of the outbox are stored and not published yet.
    pub(super) unpublished: usize,
    /// Attempts in flight.
    pub(super) in_flight: usize,
    pub(super) release: Option<Release>,
}

/// The release of a partition: it is dropped as soon as nothing is in flight or unwritten, or at the time limit.
pub(super) struct Release {
    pub(super) until: Steady,
    waiters: Vec<oneshot::Sender<()>>,
}

impl Owned {
    pub(super) fn new(claim: Claim, published: Vec<i64>) -> Self {
        Self {
            claim,
            entries: Vec::new(),
            published,
            unpublished: 0,
            in_flight: 0,
            release: None,
        }
    }

    pub(super) fn has_something_to_write(&self) -> bool {
        !self.entries.is_empty() || !self.published.is_empty()
    }

    /// Nothing is in flight or unwritten.
    fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.entries.is_empty() && self.published.is_empty() && self.unpublished == 0
    }
}

impl Dispatcher {
    /// The partition has another owner, or it is unknown what was stored: the stage has to claim it again.
    pub(super) fn lose(&mut self, partition: u32) {
        self.shared.set_fenced(partition);
        self.abandon(partition);
    }

    /// Sends nothing more of this partition, and drops it when everything in flight has ended, or after [`RELEASE_TIMEOUT`].
    pub(super) fn release(&mut self, partition: u32, done: Option<oneshot::Sender<()>>) {
        let until = self.now().after(RELEASE_TIMEOUT);
        self.queue.release(partition);
        self.forget_left(partition);
        if let Some(owned) = self.partitions.get_mut(&partition) {
            let release = owned.release.get_or_insert_with(|| Release {
                until,
                waiters: Vec::new(),
            });
            release.waiters.extend(done);
        }
    }

    pub(super) fn drop_released_partitions(&mut self) {
        let now = self.now();
        let gone = self.partitions.iter().filter(|(partition, owned)| {
            let ended = owned.is_idle() && !self.writing.busy_with(**partition);
            owned
                .release
                .as_ref()
                .is_some_and(|release| ended || release.until <= now)
        });
        let gone: Vec<_> = gone.map(|(partition, _)| *partition).collect();
        for partition in gone {
            self.abandon(partition);
        }
    }

    /// Forgets a partition. Its next owner makes the attempts again that are aborted here.
    fn abandon(&mut self, partition: u32) {
        self.queue.release(partition);
        self.forget_left(partition);
        if self.writing.busy_with(partition) {
            self.writing.cancel();
            // It is unknown whether these were stored: the next claim may find them.
            self.being_written.clear();
        }
        let (in_flight, queue) = (&mut self.in_flight, &mut self.queue);
        self.attempts_in_flight.retain(|_, attempt| {
            let stays = attempt.message.partition != partition;
            if !stays {
                attempt.abort.abort();
                *in_flight -= attempt.message.members.len();
                queue.abandoned(&attempt.message.group);
            }
            stays
        });
        if let Some(Release { waiters, .. }) =
            self.partitions.remove(&partition).and_then(|owned| owned.release)
        {
            for waiter in waiters {
                // The waiter may be gone.
                let _ = waiter.send(());
            }
        }
    }
}
