//! How many alerts a key may send: a bucket of tokens, one token for each alert.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pipeline::{Clock, Steady};
use schemas::config::Limits;

use crate::intake::error::IngestError;
use crate::intake::key::ResolvedKey;

/// The share of the burst that is reserved for bodies with a critical alert or the end of one.
const RESERVED: f64 = 0.2;

/// The token buckets of all keys.
pub(crate) struct RateLimiter {
    clock: Clock,
    buckets: Mutex<HashMap<String, Bucket>>,
}

impl RateLimiter {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            buckets: Mutex::default(),
        }
    }

    /// Refuses a request while its key has no token left at all.
    pub(crate) fn check(&self, key: &ResolvedKey) -> Result<(), IngestError> {
        self.with_bucket(key, |bucket, now| bucket.check(now))
    }

    /// Takes a token for each alert of a body; `important`: one of them is critical or worse, or ends.
    pub(crate) fn take(&self, key: &ResolvedKey, alerts: u64, important: bool) -> Result<(), IngestError> {
        self.with_bucket(key, |bucket, now| bucket.take(alerts, important, now))
    }

    fn with_bucket(
        &self,
        key: &ResolvedKey,
        take: impl FnOnce(&mut Bucket, Steady) -> Result<(), Limited>,
    ) -> Result<(), IngestError> {
        let now = self.clock.steady();
        let limits = key.integration.limits;
        let mut buckets = self.lock();
        let bucket = buckets
            .entry(key.hash.clone())
            .or_insert_with(|| Bucket::new(limits, now));
        bucket.adjust(limits);
        take(bucket, now).map_err(|limited| IngestError::RateLimited {
            limits,
            retry_after_seconds: limited.retry_after_seconds,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tokens of a key.
#[derive(Debug, Clone, PartialEq)]
struct Bucket {
    limits: Limits,
    /// May fall below zero by one body, which is then paid off.
    tokens: f64,
    at: Steady,
}

/// There are too few tokens; after so many seconds there are enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limited {
    retry_after_seconds: u64,
}

impl Bucket {
    /// A full one.
    fn new(limits: Limits, now: Steady) -> Self {
        Self {
            limits,
            tokens: limits.burst as f64,
            at: now,
        }
    }

    /// Applies limits that have changed; the tokens are kept.
    fn adjust(&mut self, limits: Limits) {
        self.limits = limits;
        self.tokens = self.tokens.min(limits.burst as f64);
    }

    fn check(&mut self, now: Steady) -> Result<(), Limited> {
        self.refill(now);
        self.enough(1.0, 0.0)
    }

    /// Takes a body with so many alerts. Bodies are taken whole or not at all; one with more alerts than the bucket holds
    /// is taken when the bucket is full, or it never would be.
    fn take(&mut self, alerts: u64, important: bool, now: Steady) -> Result<(), Limited> {
        self.refill(now);
        let burst = self.limits.burst as f64;
        let reserved = if important { 0.0 } else { burst * RESERVED };
        let needed = (alerts as f64).min(burst - reserved);
        self.enough(needed, reserved)?;
        self.tokens -= alerts as f64;
        Ok(())
    }

    fn refill(&mut self, now: Steady) {
        let more = now.since(self.at).as_secs_f64() * self.limits.rate as f64;
        self.tokens = (self.tokens + more).min(self.limits.burst as f64);
        self.at = now;
    }

    fn enough(&self, needed: f64, reserved: f64) -> Result<(), Limited> {
        let missing = needed + reserved - self.tokens;
        if missing <= 0.0 {
            return Ok(());
        }
        let seconds = (missing / self.limits.rate as f64).ceil();
        Err(Limited {
            retry_after_seconds: (seconds as u64).max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bucket() -> Bucket {
        let limits = Limits {
            rate: 10,
            burst: 100,
            ..Limits::default()
        };
        Bucket::new(limits, at(0))
    }

    fn at(milliseconds: u64) -> Steady {
        Steady::MIN.after(Duration::from_secs(3_600) + Duration::from_millis(milliseconds))
    }

    fn refused(taken: Result<(), Limited>) -> u64 {
        taken.unwrap_err().retry_after_seconds
    }

    #[test]
    fn a_burst_is_taken_and_then_the_rate() {
        let mut bucket = bucket();
        assert_eq!(bucket.take(80, false, at(0)), Ok(()));
        assert_eq!(refused(bucket.take(1, false, at(0))), 1);
        assert_eq!(
            refused(bucket.take(25, false, at(0))),
            3,
            "2.5 seconds, and whole ones are told"
        );
        assert_eq!(bucket.take(25, false, at(2_500)), Ok(()));
        assert_eq!(refused(bucket.take(25, false, at(4_900))), 1);
    }

    #[test]
    fn a_fifth_is_reserved_for_what_is_important() {
        let mut bucket = bucket();
        assert_eq!(bucket.take(80, false, at(0)), Ok(()));
        assert_eq!(refused(bucket.take(1, false, at(0))), 1);
        assert_eq!(bucket.take(20, true, at(0)), Ok(()));
        assert_eq!(refused(bucket.take(1, true, at(0))), 1);
        assert_eq!(
            refused(bucket.take(1, false, at(0))),
            3,
            "the reserve is filled first"
        );
    }

    #[test]
    fn a_body_larger_than_the_bucket_is_taken_when_it_is_full_and_paid_off_after() {
        let mut bucket = bucket();
        assert_eq!(bucket.take(1_000, false, at(0)), Ok(()));
        assert_eq!(refused(bucket.check(at(0))), 91);
        assert_eq!(refused(bucket.take(1, true, at(89_000))), 2);
        assert_eq!(bucket.check(at(90_100)), Ok(()));
        assert_eq!(bucket.take(1, true, at(90_100)), Ok(()));
    }

    #[test]
    fn rest_fills_no_more_than_the_burst_and_a_clock_that_goes_back_gives_nothing() {
        let mut bucket = bucket();
        assert_eq!(bucket.take(100, true, at(3_600_000)), Ok(()));
        assert_eq!(refused(bucket.take(1, true, at(0))), 1);
    }

    #[test]
    fn new_limits_hold_at_once_and_give_nothing_away() {
        let mut bucket = bucket();
        let lower = Limits {
            rate: 1,
            burst: 10,
            ..Limits::default()
        };
        bucket.adjust(lower);
        assert_eq!(bucket.take(10, true, at(0)), Ok(()));
        assert_eq!(refused(bucket.take(5, true, at(0))), 5);
    }
}
