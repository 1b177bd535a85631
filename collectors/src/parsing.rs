//! How many bodies are decoded, understood and encoded at once: that takes several times the memory of a body, most of
//! it for the tree of its JSON.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::LARGEST;
use crate::refusal::Refusal;

/// Bytes of the bodies that are worked on at once, unpacked. The largest body fits once; it costs up to ten times as much.
const BYTES_AT_ONCE: usize = 12 * 1024 * 1024;
/// How long a body waits for its turn.
const QUEUE_TIME: Duration = Duration::from_secs(10);
/// A packed body may be so many times as large when it is unpacked, if its sender wants it to be (RFC 1951 allows 1032).
const PACKED_AT_MOST: usize = 1032;

/// The turns of large bodies; cheap to clone.
#[derive(Clone)]
pub(crate) struct Parsing(Arc<Semaphore>);

impl Parsing {
    pub(crate) fn new() -> Self {
        Self::of_bytes(BYTES_AT_ONCE)
    }

    fn of_bytes(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / 1024)))
    }

    /// Waits until a body may be worked on that came with so many bytes.
    pub(crate) async fn turn(&self, bytes: usize, packed: bool) -> Result<OwnedSemaphorePermit, Refusal> {
        let unpacked = if packed {
            bytes.saturating_mul(PACKED_AT_MOST)
        } else {
            bytes
        };
        // What is larger is refused before it is worked on.
        let kib = u32::try_from(unpacked.min(LARGEST).div_ceil(1024)).unwrap_or(u32::MAX);
        let turn = Arc::clone(&self.0).acquire_many_owned(kib);
        match tokio::time::timeout(QUEUE_TIME, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Refusal::Overloaded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn s7_large_bodies_take_turns_and_do_not_wait_for_ever() {
        let parsing = Parsing::new();
        let first = parsing.turn(LARGEST, false).await.unwrap();
        let second = parsing.turn(4 * 1024 * 1024, false).await.unwrap();
        let refused = parsing.turn(1024 * 1024, false).await;
        assert!(matches!(refused, Err(Refusal::Overloaded)));
        drop(first);
        let packed = parsing.turn(64 * 1024, true).await.unwrap();
        assert_eq!(packed.num_permits(), LARGEST / 1024);
        drop((second, packed));
    }
}
