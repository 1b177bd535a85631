//! What the courier leaves in the store, and reads back.

use std::sync::Arc;

use super::background::{Background, ReadBack, read_back};
use super::{Courier, name};
use crate::delivery::waiting::{Place, Waiting};

impl Courier {
    /// Takes in what there is room for; the rest is in the store.
    pub(super) fn take_in_if_room(&mut self, partition: u32, mut waiting: Vec<(Arc<Place>, Waiting)>) {
        let (queue, overflow) = (&mut self.queue, &mut self.overflow);
        for (place, waiting) in waiting.drain(..) {
            let (there, in_all) = (queue.held_at(&place), queue.held());
            if overflow.takes(partition, &place, there, in_all) {
                queue.push(partition, place, waiting);
            }
        }
        self.settle(std::time::Duration::ZERO);
    }

    pub(super) fn start_reading(&mut self) {
        if self.reading.busy() {
            return;
        }
        let queue = &self.queue;
        let to_read = self.overflow.start_reading(|place| queue.idle_at(place));
        let Some(to_read) = to_read else {
            return;
        };
        let partition = to_read.partition;
        let Some(owned) = self.partitions.get(&partition) else {
            return self.overflow.release(partition);
        };
        // The store does not know yet that these have ended.
        let unwritten = owned.entries.iter().map(|entry| entry.update.notification_id);
        let ended = unwritten.chain(self.being_written.iter().copied()).collect();
        let (store, clock) = (self.desk.store.clone(), self.desk.context.clock.clone());
        let task = read_back(store, clock, owned.claim.clone(), to_read, ended);
        self.reading = Background::start(partition, task);
    }

    pub(super) fn read(&mut self, (partition, read): (u32, Option<ReadBack>)) {
        let owned = self.partitions.get(&partition);
        if owned.is_none_or(|owned| owned.leaving.is_some()) {
            return;
        }
        let Some(ReadBack { place, waiting, more }) = read else {
            return self.lose(partition);
        };
        self.overflow.end_reading(&place, more);
        self.take_in(
            partition,
            waiting.into_iter().map(|one| (Arc::clone(&place), one)).collect(),
        );
    }

    /// Forgets what is left in the store of a partition.
    pub(super) fn forget_left(&mut self, partition: u32) {
        self.overflow.release(partition);
        if self.reading.busy_with(partition) {
            self.reading.cancel();
        }
    }

    /// Shows which destination most wait for in the store.
    pub(super) fn tell_what_is_left(&self) {
        let channel = self.desk.channel();
        let worst = self.overflow.left().max_by_key(|(_, count)| *count);
        let total = self.overflow.left().map(|(_, count)| count).sum();
        self.desk.metrics.left_in_store(channel, total);
        let health = &self.desk.context.health;
        match worst {
            Some((place, count)) => health.warn(
                &format!("{}.overflow", name(channel)),
                &format!(
                    "{} accepts too little: {} notifications wait for it in memory and at least {count} more in the \
                     database; the other destinations do not wait. Repair the destination, or take it out of the site",
                    shown(&place.destination),
                    self.queue.held_at(&Arc::new(place.clone())).count,
                ),
            ),
            None => health.clear(&format!("{}.overflow", name(channel))),
        }
    }
}

/// A destination without what may be a secret: of a URL scheme and host.
fn shown(destination: &str) -> String {
    match reqwest::Url::parse(destination) {
        Ok(url) if url.has_host() => url.origin().ascii_serialization(),
        _ => destination.to_owned(),
    }
}
