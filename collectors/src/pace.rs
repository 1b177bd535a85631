//! How fast the bytes of a body have to come.

use std::time::Duration;

use tokio::time::Instant;

use crate::refusal::Refusal;

/// How long a sender may send nothing within a body.
pub(crate) const STALL_TIME: Duration = Duration::from_secs(5);
/// How many bytes a second have to come, once the time that every body has is over.
pub(crate) const BYTES_PER_SECOND_MIN: u64 = 1024;
/// The time that every body has.
const TIME_OF_ANY: Duration = Duration::from_secs(30);

/// How a sender keeps up. The time that we let it wait is not counted.
#[derive(Default)]
pub(crate) struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Waits for the next bytes.
    ///
    /// # Errors
    ///
    /// [`Refusal::Slow`] when they do not come in time.
    pub(crate) async fn next<T>(&mut self, arriving: impl Future<Output = T>) -> Result<T, Refusal> {
        let by_rate = TIME_OF_ANY + Duration::from_secs(self.bytes / BYTES_PER_SECOND_MIN);
        let allowed = STALL_TIME.min(by_rate.saturating_sub(self.waited));
        let begun = Instant::now();
        let next = tokio::time::timeout(allowed, arriving).await;
        self.waited += begun.elapsed();
        next.map_err(|_| Refusal::Slow)
    }

    /// So many have come.
    pub(crate) fn arrived(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pieces of this size come through, one every four seconds.
    async fn taken(piece: usize, pieces: usize) -> usize {
        let mut pace = Pace::default();
        for taken in 0..pieces {
            let arriving = tokio::time::sleep(Duration::from_secs(4));
            if pace.next(arriving).await.is_err() {
                return taken;
            }
            pace.arrived(piece);
        }
        pieces
    }

    #[tokio::test(start_paused = true)]
    async fn s1_a_slow_sender_is_taken_and_one_below_the_rate_is_not() {
        let rate = BYTES_PER_SECOND_MIN as usize;
        assert_eq!(
            taken(4 * 2 * rate, 1000).await,
            1000,
            "1 KiB a second above the rate"
        );
        assert_eq!(taken(1, 1000).await, 7, "a byte now and then");
        let mut pace = Pace::default();
        let stalled = pace.next(tokio::time::sleep(STALL_TIME + Duration::from_millis(1)));
        assert!(stalled.await.is_err());
    }
}
