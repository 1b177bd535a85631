//! The least rate at which the bytes of a body must arrive.

use std::time::Duration;

use tokio::time::Instant;

/// How long a sender may send nothing within a body.
const STALL_TIME: Duration = Duration::from_secs(5);
/// The least bytes a second, once the grace time is over.
const BYTES_PER_SECOND_MIN: u64 = 1024;
/// The time that every body has, whatever its rate.
const GRACE_TIME: Duration = Duration::from_secs(30);

/// Measures one body. The time during which the sender waits for the collector does not count.
#[derive(Default)]
pub(crate) struct TransferRate {
    waited: Duration,
    bytes: u64,
}

/// The sender is slower than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing of the body came for {} seconds, or it came slower than {BYTES_PER_SECOND_MIN} bytes a second; send it again",
    STALL_TIME.as_secs()
)]
pub(crate) struct TooSlow;

impl TransferRate {
    /// Waits for the next bytes of the body.
    ///
    /// # Errors
    ///
    /// [`TooSlow`] when they do not arrive in time.
    pub(crate) async fn next<T>(&mut self, arriving: impl Future<Output = T>) -> Result<T, TooSlow> {
        let by_rate = GRACE_TIME + Duration::from_secs(self.bytes / BYTES_PER_SECOND_MIN);
        let allowed = STALL_TIME.min(by_rate.saturating_sub(self.waited));
        let begun = Instant::now();
        let next = tokio::time::timeout(allowed, arriving).await;
        self.waited += begun.elapsed();
        next.map_err(|_| TooSlow)
    }

    /// So many bytes have arrived.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pieces of this size come through, one every four seconds.
    async fn accepted(piece: usize, pieces: usize) -> usize {
        let mut pace = TransferRate::default();
        for accepted in 0..pieces {
            let arriving = tokio::time::sleep(Duration::from_secs(4));
            if pace.next(arriving).await.is_err() {
                return accepted;
            }
            pace.received(piece);
        }
        pieces
    }

    #[tokio::test(start_paused = true)]
    async fn s1_a_slow_sender_is_taken_and_one_below_the_rate_is_not() {
        let rate = BYTES_PER_SECOND_MIN as usize;
        assert_eq!(
            accepted(4 * 2 * rate, 1000).await,
            1000,
            "1 KiB a second above the rate"
        );
        assert_eq!(accepted(1, 1000).await, 7, "a byte now and then");
        let mut pace = TransferRate::default();
        let stalled = pace.next(tokio::time::sleep(STALL_TIME + Duration::from_millis(1)));
        assert!(stalled.await.is_err());
    }
}
