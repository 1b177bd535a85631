//! Which notifications stay in the store until there is room for them. Knows no store.
//!
//! A destination that takes nothing must not fill the memory, nor hold up the others. Each has a bound of its own. Once
//! something of a destination was left in the store, all that follows is left there too, so that the order stays; when
//! everything that is in memory has come to an end, the next part is read back.

use std::collections::HashMap;
use std::sync::Arc;

use super::waiting::{Amount, Place};

/// How many notifications of one destination are in memory,
pub(crate) const HELD_PER_DESTINATION: usize = 10_000;
/// and how much they take.
pub(crate) const HELD_PER_DESTINATION_BYTES: usize = 16 << 20;
/// How many notifications of a channel are in memory,
const HELD: usize = 50_000;
/// and how much they take, before the bounds per destination shrink
const HELD_BYTES: usize = 48 << 20;
/// to these.
const HELD_PER_DESTINATION_WHEN_FULL: usize = 100;
const HELD_PER_DESTINATION_WHEN_FULL_BYTES: usize = 256 << 10;

/// Whether there is room for more of a destination of which so much is in memory.
pub(crate) const fn has_room(there: Amount) -> bool {
    there.count < HELD_PER_DESTINATION && there.bytes < HELD_PER_DESTINATION_BYTES
}

/// The destinations of which something was left in the store.
#[derive(Debug, Default)]
pub(crate) struct Overflow {
    places: HashMap<Arc<Place>, Left>,
}

#[derive(Debug)]
struct Left {
    partition: u32,
    /// At least so many, since they were read last.
    count: usize,
    reading: bool,
    /// All of it came after the claim, so it was never in memory and no attempt was made.
    untried: bool,
}

/// What is to be read back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToRead {
    pub(crate) partition: u32,
    pub(crate) place: Arc<Place>,
    /// No attempt can have been made.
    pub(crate) untried: bool,
}

impl Overflow {
    /// Whether a notification may be taken into memory, where `there` of its destination and `in_all` of the channel is;
    /// if not, it is counted as left in the store.
    pub(crate) fn takes(
        &mut self,
        partition: u32,
        place: &Arc<Place>,
        there: Amount,
        in_all: Amount,
    ) -> bool {
        if let Some(left) = self.places.get_mut(place) {
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
        self.places.insert(Arc::clone(place), left);
        false
    }

    /// A destination of which something is to be read back, if `idle` says that nothing of it is in memory.
    pub(crate) fn start_reading(&mut self, idle: impl Fn(&Arc<Place>) -> bool) -> Option<ToRead> {
        let mut ready = self.places.iter_mut();
        let (place, left) = ready.find(|(place, left)| !left.reading && idle(place))?;
        left.reading = true;
        left.count = 0;
        Some(ToRead {
            partition: left.partition,
            place: Arc::clone(place),
            untried: left.untried,
        })
    }

    /// Something was read back; `more` says whether the store may hold still more.
    pub(crate) fn end_reading(&mut self, place: &Arc<Place>, more: bool) {
        let Some(left) = self.places.get_mut(place) else {
            return;
        };
        left.reading = false;
        left.count += usize::from(more);
        if left.count == 0 {
            self.places.remove(place);
        }
    }

    /// Adds what was found in the store when a partition was claimed.
    pub(crate) fn extend(&mut self, other: Self) {
        for (place, left) in other.places {
            let left = Left {
                untried: false,
                ..left
            };
            self.places.insert(place, left);
        }
    }

    /// Forgets everything of a partition.
    pub(crate) fn release(&mut self, partition: u32) {
        self.places.retain(|_, left| left.partition != partition);
    }

    /// Each destination with how many were left, at least.
    pub(crate) fn left(&self) -> impl Iterator<Item = (&Place, usize)> {
        self.places
            .iter()
            .map(|(place, left)| (&**place, left.count.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use pipeline::Clock;
    use pipeline::log::Received;
    use schemas::{Channel, Fingerprint, NotificationKind};

    use super::*;
    use crate::delivery::queue::Queue;
    use crate::delivery::waiting::{Now, Waiting};
    use crate::samples;

    fn place(name: &str) -> Arc<Place> {
        Arc::new(Place {
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
        let (dead, well) = (place("dead"), place("well"));
        assert!(overflow.takes(0, &dead, amount(HELD_PER_DESTINATION - 1), amount(0)));
        assert!(!overflow.takes(0, &dead, amount(HELD_PER_DESTINATION), amount(0)));
        assert!(!overflow.takes(0, &dead, amount(0), amount(0)), "in its turn");
        assert!(
            overflow.takes(0, &well, amount(0), amount(HELD)),
            "others do not wait"
        );
        assert!(overflow.start_reading(|_| false).is_none());
        let read = overflow.start_reading(|_| true).unwrap();
        assert_eq!((read.place, read.untried), (Arc::clone(&dead), true));
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
            &place("a"),
            amount(HELD_PER_DESTINATION_WHEN_FULL - 1),
            amount(HELD)
        ));
        assert!(!overflow.takes(
            0,
            &place("b"),
            amount(HELD_PER_DESTINATION_WHEN_FULL),
            amount(HELD)
        ));
    }

    /// Takes in so many of so many bytes each for each of some dead destinations, as the courier does, and says how many
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
                let place = Arc::new(crate::delivery::waiting::place(&notification));
                if overflow.takes(0, &place, queue.held_at(&place), queue.held()) {
                    queue.push(0, place, Waiting::new(&notification, &record, now));
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
