//! When each partition last said that everything before it works.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A partition without a heartbeat for so long is stale. The daemon sends one every five seconds.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(15);

/// The newest heartbeat of each partition.
pub(crate) struct Heartbeats(Mutex<Vec<Heartbeat>>);

#[derive(Clone, Copy)]
struct Heartbeat {
    /// When the daemon sent it, by the daemon's clock.
    sent_at: Timestamp,
    /// When it came, by a clock that is never set.
    received: Instant,
}

impl Heartbeats {
    /// As if each partition had just sent one.
    pub fn new(partitions: u32, now: Timestamp) -> Self {
        let heartbeat = Heartbeat {
            sent_at: now,
            received: Instant::now(),
        };
        Self(Mutex::new(vec![heartbeat; partitions as usize]))
    }

    /// A partition has sent one.
    pub fn note(&self, partition: u32, sent_at: Timestamp) {
        let mut partitions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = partitions.get_mut(partition as usize) {
            *newest = Heartbeat {
                sent_at,
                received: Instant::now(),
            };
        }
    }

    /// How old the newest heartbeat is, of the partition where it is oldest: since it was sent, or since it came, whichever
    /// is longer. So one that was long under way is as old as it is, and a clock that was set back hides nothing.
    pub fn age(&self, now: Timestamp) -> Duration {
        let partitions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ages = partitions.iter().map(|newest| {
            let sent = Duration::try_from(now.duration_since(newest.sent_at)).unwrap_or_default();
            sent.max(newest.received.elapsed())
        });
        ages.max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn v2_the_partition_that_is_silent_longest_counts_and_a_clock_set_back_hides_nothing() {
        let start: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
        let heartbeats = Heartbeats::new(2, start);
        tokio::time::advance(Duration::from_secs(10)).await;
        let now = start + Duration::from_secs(10);
        heartbeats.note(0, now);
        assert_eq!(
            heartbeats.age(now),
            Duration::from_secs(10),
            "the other partition"
        );
        // It was under way for seven seconds.
        heartbeats.note(1, now - Duration::from_secs(7));
        assert_eq!(heartbeats.age(now), Duration::from_secs(7));
        tokio::time::advance(Duration::from_secs(20)).await;
        let set_back = now - Duration::from_secs(3_600);
        assert_eq!(heartbeats.age(set_back), Duration::from_secs(20));
        heartbeats.note(7, now);
        assert_eq!(
            heartbeats.age(set_back),
            Duration::from_secs(20),
            "no such partition"
        );
    }
}
