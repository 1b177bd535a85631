//! How many bytes of encoded frames are held for clients.

use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::IntGauge;

/// A bound on the bytes of encoded frames, over all filters.
pub(crate) struct FrameMemory {
    held: AtomicUsize,
    bytes_max: usize,
    gauge: IntGauge,
}

impl FrameMemory {
    pub const fn new(bytes_max: usize, gauge: IntGauge) -> Self {
        Self {
            held: AtomicUsize::new(0),
            bytes_max,
            gauge,
        }
    }

    /// Counts so many bytes in, if there is room for them; answers whether there is.
    pub fn take(&self, bytes: usize) -> bool {
        let taken = self
            .held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                let more = held.checked_add(bytes)?;
                (more <= self.bytes_max).then_some(more)
            })
            .is_ok();
        if taken {
            self.gauge.add(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        taken
    }

    /// So many bytes that were counted in are let go.
    pub fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.gauge.sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
