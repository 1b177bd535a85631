//! Bounds how many large bodies are decoded at once. Decoding takes several times the memory of a body, most of it for the
//! tree of its JSON.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::intake::body::MAX_BODY_BYTES;
use crate::intake::error::IngestError;

/// The most bytes, unpacked, of all bodies that are decoded at once. The largest body fits once; it takes up to ten times its
/// size.
const MAX_DECODED_BYTES: usize = 12 * 1024 * 1024;
/// How long a body waits for its slot.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many times as large a packed body may become: deflate allows a ratio of 1032 (<https://zlib.net/zlib_tech.html>).
const MAX_UNPACKING_FACTOR: usize = 1032;

/// The slots of large bodies; cheap to clone.
#[derive(Clone)]
pub(crate) struct DecodeSlots(Arc<Semaphore>);

impl DecodeSlots {
    pub(crate) fn new() -> Self {
        Self::of_bytes(MAX_DECODED_BYTES)
    }

    fn of_bytes(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / 1024)))
    }

    /// Waits until a body that came with so many bytes may be decoded.
    ///
    /// # Errors
    ///
    /// [`IngestError::Overloaded`] when that takes longer than ten seconds.
    pub(crate) async fn acquire(
        &self,
        bytes: usize,
        packed: bool,
    ) -> Result<OwnedSemaphorePermit, IngestError> {
        let unpacked = if packed {
            bytes.saturating_mul(MAX_UNPACKING_FACTOR)
        } else {
            bytes
        };
        // A larger body is refused before it is decoded.
        let kib = u32::try_from(unpacked.min(MAX_BODY_BYTES).div_ceil(1024)).unwrap_or(u32::MAX);
        let slot = Arc::clone(&self.0).acquire_many_owned(kib);
        match tokio::time::timeout(QUEUE_TIMEOUT, slot).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(IngestError::Overloaded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn s7_large_bodies_take_turns_and_do_not_wait_for_ever() {
        let slots = DecodeSlots::new();
        let first = slots.acquire(MAX_BODY_BYTES, false).await.unwrap();
        let second = slots.acquire(4 * 1024 * 1024, false).await.unwrap();
        let refused = slots.acquire(1024 * 1024, false).await;
        assert!(matches!(refused, Err(IngestError::Overloaded)));
        drop(first);
        let packed = slots.acquire(64 * 1024, true).await.unwrap();
        assert_eq!(packed.num_permits(), MAX_BODY_BYTES / 1024);
        drop((second, packed));
    }
}
