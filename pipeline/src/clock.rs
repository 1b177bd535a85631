//! The clock, injected everywhere.

use jiff::Timestamp;
use std::time::Duration;

/// Where `now` comes from.
///
/// Production uses [`Clock::system`]. Tests use [`Clock::simulated`] on a paused tokio runtime
/// (`#[tokio::test(start_paused = true)]`): time then moves only when every task waits, and a wait of an hour takes
/// no time at all.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System,
    Simulated {
        start: Timestamp,
        origin: tokio::time::Instant,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that shows `start` now and moves with tokio's (possibly paused) time.
    pub fn simulated(start: Timestamp) -> Self {
        Self(Kind::Simulated {
            start,
            origin: tokio::time::Instant::now(),
        })
    }

    /// The time now, in whole microseconds (what the stores keep).
    pub fn now(&self) -> Timestamp {
        let now = match &self.0 {
            Kind::System => Timestamp::now(),
            Kind::Simulated { start, origin } => {
                start.checked_add(origin.elapsed()).unwrap_or(Timestamp::MAX)
            }
        };
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// How long from now until `at`; zero when that is past.
    pub fn until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.now())).unwrap_or(Duration::ZERO)
    }

    /// Waits until `at`.
    pub async fn sleep_until(&self, at: Timestamp) {
        tokio::time::sleep(self.until(at)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_hour_passes_at_once() {
        let start: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
        let clock = Clock::simulated(start);
        clock.sleep_until("2026-09-01T11:00:00Z".parse().unwrap()).await;
        assert!(clock.now() >= "2026-09-01T11:00:00Z".parse().unwrap());
        assert_eq!(clock.until(start), Duration::ZERO);
    }
}
