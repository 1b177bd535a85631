//! Who may be sent a snapshot now, and who waits.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A bound on the clients that are sent a snapshot at once; the others wait in the order in which they asked.
pub(crate) struct Turns {
    permits: Arc<Semaphore>,
    /// The numbers of those who wait.
    waiting: Mutex<BTreeSet<u64>>,
    next: AtomicU64,
    gauge: IntGauge,
}

/// One client's place among those who wait.
pub(crate) struct Waiting {
    turns: Arc<Turns>,
    number: u64,
    permit: Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>,
}

/// The right to be sent a snapshot; it ends when dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    began: Instant,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub fn new(at_once: usize, gauge: IntGauge) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(at_once)),
            waiting: Mutex::default(),
            next: AtomicU64::new(0),
            gauge,
        }
    }

    /// Gets in line.
    pub fn ask(self: &Arc<Self>) -> Waiting {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.waiting().insert(number);
        self.gauge.inc();
        let permits = Arc::clone(&self.permits);
        Waiting {
            turns: Arc::clone(self),
            number,
            // The semaphore is never closed.
            permit: Box::pin(async move { permits.acquire_owned().await.ok() }),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Waits for the turn; after it has come this must not be called again. May be dropped and called again before that
    /// without losing the place.
    pub async fn come(&mut self) -> Turn {
        let permit = self.permit.as_mut().await;
        Turn {
            turns: Arc::clone(&self.turns),
            began: Instant::now(),
            _permit: permit,
        }
    }

    /// How many come before this one.
    pub fn ahead(&self) -> u64 {
        self.turns.waiting().range(..self.number).count() as u64
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.turns.waiting().remove(&self.number) {
            self.turns.gauge.dec();
        }
    }
}

impl Turn {
    /// When it began.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Whether others wait for theirs.
    pub fn is_wanted(&self) -> bool {
        !self.turns.waiting().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_order_and_those_who_leave_are_not_counted() {
        let gauge = IntGauge::new("waiting", "waiting").unwrap();
        let turns = Arc::new(Turns::new(1, gauge.clone()));
        let mut first = turns.ask();
        let turn = first.come().await;
        drop(first);
        assert!(!turn.is_wanted());
        let (mut second, third, mut fourth) = (turns.ask(), turns.ask(), turns.ask());
        for waiting in [&mut second, &mut fourth] {
            let none =
                tokio::select! { biased; _ = waiting.come() => false, () = std::future::ready(()) => true };
            assert!(none, "the only turn is taken");
        }
        assert_eq!(
            (second.ahead(), third.ahead(), fourth.ahead(), gauge.get()),
            (0, 1, 2, 3)
        );
        drop(third);
        assert_eq!((fourth.ahead(), gauge.get()), (1, 2));
        assert!(turn.is_wanted());
        drop(turn);
        let turn = second.come().await;
        drop(second);
        assert_eq!(fourth.ahead(), 0);
        drop(turn);
        fourth.come().await;
    }
}
