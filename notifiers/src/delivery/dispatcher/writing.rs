//! Writes the results of attempts to the store, then publishes their receipts.

use std::time::Duration;

use super::Dispatcher;
use super::background::{Background, Published, Written, publish, write};
use super::records::Outgoing;

/// The most results in one transaction.
const MAX_WRITTEN_AT_ONCE: usize = 1_000;
/// The shortest time between two transactions, unless a full batch waits: they share the disk with the daemon's.
const WRITE_INTERVAL: Duration = Duration::from_millis(20);
/// The shortest time between two publications, unless a full batch waits: the daemon commits once for each partition of
/// each publication.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);
/// So many results or receipts are a full batch, which is written or published at once.
const FULL_BATCH: usize = 500;

impl Dispatcher {
    pub(super) fn start_writing(&mut self) {
        if self.writing.busy() {
            return;
        }
        // The fullest first: it has waited longest, or most wait for it.
        let fullest = self
            .partitions
            .iter_mut()
            .filter(|(_, owned)| owned.has_something_to_write());
        let Some((_, owned)) = fullest.max_by_key(|(_, owned)| owned.entries.len()) else {
            return;
        };
        let now = self.runtime.context.clock.steady();
        if now < self.write_at && owned.entries.len() < FULL_BATCH {
            return;
        }
        self.write_at = now.after(WRITE_INTERVAL);
        let entries: Vec<_> = owned
            .entries
            .drain(..owned.entries.len().min(MAX_WRITTEN_AT_ONCE))
            .collect();
        self.being_written = entries.iter().map(|entry| entry.update.notification_id).collect();
        let published = std::mem::take(&mut owned.published);
        let task = write(
            self.runtime.store.clone(),
            owned.claim.clone(),
            entries,
            published,
        );
        self.writing = Background::start(owned.claim.partition, task);
    }

    pub(super) fn written(&mut self, (partition, written): (u32, Option<Written>)) {
        self.being_written.clear();
        let Some(Written {
            claim,
            outbox,
            fenced: false,
        }) = written
        else {
            return self.lose(partition);
        };
        let Some((row, messages)) = outbox else {
            return;
        };
        if let Some(owned) = self.partitions.get_mut(&partition) {
            owned.unpublished += 1;
        }
        self.outgoing.push(Outgoing {
            partition,
            epoch: claim.epoch,
            row,
            messages,
        });
    }

    pub(super) fn start_publishing(&mut self) {
        if self.publishing.busy() || self.outgoing.is_empty() {
            return;
        }
        let now = self.now();
        let messages: usize = self.outgoing.iter().map(|one| one.messages.len()).sum();
        if now < self.publish_at && messages < FULL_BATCH {
            return;
        }
        self.publish_at = now.after(PUBLISH_INTERVAL);
        let outgoing = std::mem::take(&mut self.outgoing);
        let context = self.runtime.context.clone();
        self.publishing = Background::start(0, publish(context, outgoing));
    }

    pub(super) fn published(&mut self, (_, published): (u32, Option<Published>)) {
        for (partition, epoch, row) in published.unwrap_or_default() {
            let owned = self.partitions.get_mut(&partition);
            if let Some(owned) = owned.filter(|owned| owned.claim.epoch == epoch) {
                owned.unpublished -= 1;
                owned.published.push(row);
            }
        }
    }
}
