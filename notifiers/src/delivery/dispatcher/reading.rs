//! Notifications that the dispatcher leaves in the store for lack of room, and reads back.

use std::sync::Arc;

use super::Dispatcher;
use super::background::{Background, ReadBack, read_back};
use crate::delivery::pending::{Endpoint, PendingNotification};

impl Dispatcher {
    /// Takes in the notifications that there is room for; the rest stays in the store.
    pub(super) fn take_in_if_room(
        &mut self,
        partition: u32,
        mut pending: Vec<(Arc<Endpoint>, PendingNotification)>,
    ) {
        let (queue, overflow) = (&mut self.queue, &mut self.overflow);
        for (endpoint, pending) in pending.drain(..) {
            let (there, in_all) = (queue.held_at(&endpoint), queue.held());
            if overflow.takes(partition, &endpoint, there, in_all) {
                queue.push(partition, endpoint, pending);
            }
        }
        self.record_resolved(std::time::Duration::ZERO);
    }

    pub(super) fn start_reading(&mut self) {
        if self.reading.busy() {
            return;
        }
        let queue = &self.queue;
        let to_read = self.overflow.start_reading(|endpoint| queue.idle_at(endpoint));
        let Some(to_read) = to_read else {
            return;
        };
        let partition = to_read.partition;
        let Some(owned) = self.partitions.get(&partition) else {
            return self.overflow.release(partition);
        };
        // These have ended, but the store does not know it yet.
        let unwritten = owned.entries.iter().map(|entry| entry.update.notification_id);
        let ended = unwritten.chain(self.being_written.iter().copied()).collect();
        let (store, clock) = (self.runtime.store.clone(), self.runtime.context.clock.clone());
        let task = read_back(store, clock, owned.claim.clone(), to_read, ended);
        self.reading = Background::start(partition, task);
    }

    pub(super) fn read(&mut self, (partition, read): (u32, Option<ReadBack>)) {
        let owned = self.partitions.get(&partition);
        if owned.is_none_or(|owned| owned.release.is_some()) {
            return;
        }
        let Some(ReadBack {
            endpoint,
            pending,
            more,
        }) = read
        else {
            return self.lose(partition);
        };
        self.overflow.end_reading(&endpoint, more);
        self.take_in(
            partition,
            pending
                .into_iter()
                .map(|one| (Arc::clone(&endpoint), one))
                .collect(),
        );
    }

    /// Forgets which notifications of a partition are left in the store.
    pub(super) fn forget_left(&mut self, partition: u32) {
        self.overflow.release(partition);
        if self.reading.busy_with(partition) {
            self.reading.cancel();
        }
    }

    /// Reports how many notifications are left in the store, and the endpoint with most of them.
    pub(super) fn report_overflow(&self) {
        let channel = self.runtime.channel();
        let worst = self.overflow.left().max_by_key(|(_, count)| *count);
        let total = self.overflow.left().map(|(_, count)| count).sum();
        self.runtime.metrics.left_in_store(channel, total);
        let health = &self.runtime.context.health;
        match worst {
            Some((endpoint, count)) => health.warn(
                &format!("{}.overflow", channel.stage()),
                &format!(
                    "{} accepts too little: {} notifications wait for it in memory and at least {count} more in the \
                     database; the other destinations do not wait. Repair the destination, or take it out of the site",
                    shown(&endpoint.destination),
                    self.queue.held_at(&Arc::new(endpoint.clone())).count,
                ),
            ),
            None => health.clear(&format!("{}.overflow", channel.stage())),
        }
    }
}

/// A destination without its possible secrets: of a URL only scheme, host and port.
fn shown(destination: &str) -> String {
    match reqwest::Url::parse(destination) {
        Ok(url) if url.has_host() => url.origin().ascii_serialization(),
        _ => destination.to_owned(),
    }
}
