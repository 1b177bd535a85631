//! The clock, injected everywhere: the time of day, and a time that no correction of the time of day moves.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Where `now` comes from.
///
/// Production uses [`Clock::system`]. Tests use [`Clock::simulated`] on a paused tokio runtime
/// (`#[tokio::test(start_paused = true)]`): time then moves only when every task waits, and a wait of an hour takes
/// no time at all.
///
/// [`Clock::now`] is what people and other processes see. It may be corrected by hours in either direction at any moment,
/// so what waits, rests or limits a rate within this process measures by [`Clock::steady`].
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System,
    Simulated {
        start: Timestamp,
        origin: tokio::time::Instant,
        /// By how many microseconds the time of day was corrected.
        stepped: Arc<AtomicI64>,
    },
}

/// A moment on the monotonic clock of this process, in microseconds since an arbitrary beginning. Comparable only within
/// the process: it is never stored or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Steady(i64);

impl Steady {
    /// Before everything.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything.
    pub const MAX: Self = Self(i64::MAX);

    /// So long after this.
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(microseconds(wait)))
    }

    /// So long before this.
    pub fn before(self, wait: Duration) -> Self {
        Self(self.0.saturating_sub(microseconds(wait)))
    }

    /// How long this is after `earlier`; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        let microseconds = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Where the machine's monotonic clock is counted from, for all clocks of the process.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

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
            stepped: Arc::default(),
        })
    }

    /// Corrects the time of day of a simulated clock and of its clones, as an operator or NTP does with a machine's; the
    /// machine's own clock is left alone.
    pub fn step(&self, by: SignedDuration) {
        if let Kind::Simulated { stepped, .. } = &self.0 {
            let by = i64::try_from(by.as_micros()).unwrap_or(0);
            stepped.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// The time that has passed, whatever is done to the time of day.
    pub fn steady(&self) -> Steady {
        Steady(microseconds(match &self.0 {
            Kind::System => BEGINNING.elapsed(),
            Kind::Simulated { origin, .. } => origin.elapsed(),
        }))
    }

    /// What the time of day will be at a moment to come, unless it is corrected; now for one that has passed.
    pub fn wall_at(&self, at: Steady) -> Timestamp {
        let wait = at.since(self.steady());
        self.now().checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Waits until `at`.
    pub async fn sleep_until_steady(&self, at: Steady) {
        tokio::time::sleep(at.since(self.steady())).await;
    }

    /// The time now, in whole microseconds (what the stores keep).
    pub fn now(&self) -> Timestamp {
        let now = match &self.0 {
            Kind::System => Timestamp::now(),
            Kind::Simulated {
                start,
                origin,
                stepped,
            } => {
                let stepped = SignedDuration::from_micros(stepped.load(Ordering::Relaxed));
                let now = start.checked_add(origin.elapsed()).unwrap_or(Timestamp::MAX);
                now.checked_add(stepped).unwrap_or(Timestamp::MAX)
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

    #[tokio::test(start_paused = true)]
    async fn l6_a_correction_of_the_time_of_day_does_not_move_the_steady_clock() {
        let start: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
        let clock = Clock::simulated(start);
        let before = clock.steady();
        for hours in [1, -2] {
            clock.clone().step(SignedDuration::from_hours(hours));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(clock.now().duration_since(start).as_secs(), 1 - 3600);
        assert_eq!(clock.steady().since(before), Duration::from_secs(1));
        assert_eq!(before.since(clock.steady()), Duration::ZERO);
        clock
            .sleep_until_steady(before.after(Duration::from_secs(9)))
            .await;
        assert_eq!(clock.steady().since(before).as_secs(), 9);
        let system = Clock::system();
        let before = system.steady();
        assert!(
            Clock::system().steady() >= before,
            "one for all clocks of a process"
        );
    }
}
