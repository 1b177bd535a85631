//! Which notifications stay in the store until there is room in memory. Knows no store.
//!
//! A destination that accepts nothing must not fill the memory, nor delay the others, so each has a bound of its own. Once a
//! notification for a destination was left in the store, all that follow are left there too, which keeps their order; when
//! everything in memory is resolved, the next part is read back.

use std::collections::HashMap;
use std::sync::Arc;

use super::pending::{Amount, Endpoint};

/// The most notifications of one destination in memory.
pub(crate) const HELD_PER_DESTINATION: usize = 10_000;
/// The most bytes of them.
pub(crate) const HELD_PER_DESTINATION_BYTES: usize = 16 << 20;
/// So many notifications of a channel in memory, or so many bytes, lower the bounds of each destination.
const HELD: usize = 50_000;
const HELD_BYTES: usize = 48 << 20;
/// The bounds of each destination then.
const HELD_PER_DESTINATION_WHEN_FULL: usize = 100;
const HELD_PER_DESTINATION_WHEN_FULL_BYTES: usize = 256 << 10;

/// Whether there is room for more of a destination that has so much in memory.
pub(crate) const fn has_room(there: Amount) -> bool {
    there.count < HELD_PER_DESTINATION && there.bytes < HELD_PER_DESTINATION_BYTES
}

/// The endpoints with notifications that were left in the store.
#[derive(Debug, Default)]
pub(crate) struct Overflow {
    endpoints: HashMap<Arc<Endpoint>, Left>,
}

#[derive(Debug)]
struct Left {
    partition: u32,
    /// At least so many, since the last read.
    count: usize,
    reading: bool,
    /// All of them came after the claim, so they were never in memory and no attempt was made.
    untried: bool,
}

/// An endpoint whose notifications are to be read back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToRead {
    pub(crate) partition: u32,
    pub(crate) endpoint: Arc<Endpoint>,
    /// No attempt can have been made.
    pub(crate) untried: bool,
}

impl Overflow {
    /// Whether a notification may be taken into memory, which holds `there` of its endpoint and `in_all` of the channel. If
    /// not, it is counted as left in the store.
    pub(crate) fn takes(
        &mut self,
        partition: u32,
        endpoint: &Arc<Endpoint>,
        there: Amount,
        in_all: Amount,
    ) -> bool {
        if let Some(left) = self.endpoints.get_mut(endpoint) {
            left.count += 1;
            return false;
        }
        let has_room = if in_all.count < HELD && in_all.bytes < HELD_BYTES {
            has_room(there)
        } else {
            there.count < HELD_PER_DESTINATION_WHEN_FULL && there.bytes < HELD_PER_DESTINATION_WHEN_FULL_BYTES
        };
        if has_room {
            return true;
        }
        let left = Left {
            partition,
            count: 1,
            reading: false,
            untried: true,
        };
        self.endpoints.insert(Arc::clone(endpoint), left);
        false
    }

    /// An endpoint to read back, if there is one of which nothing is in memory (`idle`).
    pub(crate) fn start_reading(&mut self, idle: impl Fn(&Arc<Endpoint>) -> bool) -> Option<ToRead> {
        let mut ready = self.endpoints.iter_mut();
        let (endpoint, left) = ready.find(|(endpoint, left)| !left.reading && idle(endpoint))?;
        left.reading = true;
        left.count = 0;
        Some(ToRead {
            partition: left.partition,
            endpoint: Arc::clone(endpoint),
            untried: left.untried,
        })
    }

    /// A part was read back; `more` says whether the store may hold more.
    pub(crate) fn end_reading(&mut self, endpoint: &Arc<Endpoint>, more: bool) {
        let Some(left) = self.endpoints.get_mut(endpoint) else {
            return;
        };
        left.reading = false;
        left.count += usize::from(more);
        if left.count == 0 {
            self.endpoints.remove(endpoint);
        }
    }

    /// Adds what a claim has found in the store.
    pub(crate) fn extend(&mut self, other: Self) {
        for (endpoint, left) in other.endpoints {
            let left = Left {
                untried: false,
                ..left
            };
            self.endpoints.insert(endpoint, left);
        }
    }

    /// Forgets everything of a partition.
    pub(crate) fn release(&mut self, partition: u32) {
        self.endpoints.retain(|_, left| left.partition != partition);
    }

    /// Each endpoint with how many were left, at least.
    pub(crate) fn left(&self) -> impl Iterator<Item = (&Endpoint, usize)> {
        self.endpoints
            .iter()
            .map(|(endpoint, left)| (&**endpoint, left.count.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use pipeline::Clock;
    use pipeline::log::Received;
    use schemas::{Channel, Fingerprint, NotificationKind};

    use super::*;
    use crate::delivery::pending::{Now, PendingNotification};
    use crate::delivery::queue::Queue;
    use crate::samples;

    fn endpoint(name: &str) -> Arc<Endpoint> {
        Arc::new(Endpoint {
            destination: name.to_owned(),
            bot: None,
        })
    }

    fn amount(count: usize) -> Amount {
        Amount { count, bytes: count }
    }

    #[test]
    fn what_follows_stays_in_the_store_until_everything_was_read_back() {
        let mut overflow = Overflow::default();
        let (dead, well) = (endpoint("dead"), endpoint("well"));
        assert!(overflow.takes(0, &dead, amount(HELD_PER_DESTINATION - 1), amount(0)));
        assert!(!overflow.takes(0, &dead, amount(HELD_PER_DESTINATION), amount(0)));
        assert!(!overflow.takes(0, &dead, amount(0), amount(0)), "in its turn");
        assert!(
            overflow.takes(0, &well, amount(0), amount(HELD)),
            "others do not wait"
        );
        assert!(overflow.start_reading(|_| false).is_none());
        let read = overflow.start_reading(|_| true).unwrap();
        assert_eq!((read.endpoint, read.untried), (Arc::clone(&dead), true));
        assert!(overflow.start_reading(|_| true).is_none(), "it is being read");
        assert!(
            !overflow.takes(0, &dead, amount(0), amount(0)),
            "this may not have been read"
        );
        overflow.end_reading(&dead, false);
        assert!(overflow.start_reading(|_| true).is_some());
        overflow.end_reading(&dead, false);
        assert!(overflow.takes(0, &dead, amount(0), amount(0)));
    }

    #[test]
    fn a_full_channel_still_takes_what_is_for_others() {
        let mut overflow = Overflow::default();
        assert!(overflow.takes(
            0,
            &endpoint("a"),
            amount(HELD_PER_DESTINATION_WHEN_FULL - 1),
            amount(HELD)
        ));
        assert!(!overflow.takes(
            0,
            &endpoint("b"),
            amount(HELD_PER_DESTINATION_WHEN_FULL),
            amount(HELD)
        ));
    }

    /// Takes in so many of so many bytes each for each of some dead destinations, as the dispatcher does, and answers how many
    /// bytes are in memory then.
    fn held_of(destinations: usize, each: usize, bytes: usize) -> Amount {
        let mut overflow = Overflow::default();
        let mut queue = Queue::new(Channel::Webhook);
        let record = Received {
            offset: 0,
            key: String::new(),
            value: Some(vec![b' '; bytes].into()),
            headers: Vec::new(),
        };
        let now = Now::of(&Clock::system());
        for number in 0..each {
            for destination in 0..destinations {
                let mut notification = samples::notification(1, NotificationKind::Open);
                notification.destination = format!("https://dead-{destination}.example/");
                let number = u128::try_from(number).unwrap();
                notification.fingerprint = Fingerprint::from_bytes(number.to_be_bytes());
                let endpoint = Arc::new(crate::delivery::pending::endpoint(&notification));
                if overflow.takes(0, &endpoint, queue.held_at(&endpoint), queue.held()) {
                    queue.push(0, endpoint, PendingNotification::new(&notification, &record, now));
                }
            }
        }
        queue.held()
    }

    #[test]
    fn l1_what_waits_for_dead_destinations_takes_bounded_memory_however_much_and_large_it_is() {
        let one = held_of(1, 50_000, 6_000);
        assert!(
            one.count > 2_000 && one.bytes <= HELD_PER_DESTINATION_BYTES + 7_000,
            "{one:?}"
        );
        assert_eq!(held_of(1, 12_000, 100).count, HELD_PER_DESTINATION);
        let many = held_of(20, 500, 60_000);
        let over = 20 * (HELD_PER_DESTINATION_WHEN_FULL_BYTES + 61_000);
        assert!(many.bytes <= HELD_BYTES + over, "{many:?}");
    }
}
