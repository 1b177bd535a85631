//! How much a channel may do at once, and how fast.

use std::time::Duration;

use pipeline::Steady;
use schemas::Channel;

/// The limits of a channel. Providers' own limits are known from experience rather than from a contract.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Attempts under way at once.
    pub(crate) in_flight: usize,
    /// Of those, in one group of destinations (see [`super::slots`]).
    pub(crate) in_flight_per_group: usize,
    /// Of those, at one destination.
    pub(crate) in_flight_per_destination: usize,
    /// Messages to one destination: one in each interval,
    pub(crate) interval: Duration,
    /// but so many at once after a silence.
    pub(crate) burst: u32,
    /// More than so many of one kind that wait for one destination become one message.
    pub(crate) digest_above: Option<usize>,
    /// The message that opened an alert is edited as it moves: a digest can only stand for what a digest has opened, or
    /// the others would show it as it was forever.
    pub(crate) edits: bool,
}

impl Limits {
    pub(crate) const fn of(channel: Channel) -> Self {
        match channel {
            Channel::Webhook => Self {
                in_flight: 256,
                in_flight_per_group: 128,
                in_flight_per_destination: 64,
                interval: Duration::from_micros(50),
                burst: 1_000,
                digest_above: None,
                edits: false,
            },
            Channel::Slack => Self {
                in_flight: 64,
                in_flight_per_group: 32,
                in_flight_per_destination: 4,
                interval: Duration::from_secs(1),
                burst: 5,
                digest_above: Some(20),
                edits: true,
            },
            Channel::Email => Self {
                in_flight: 32,
                in_flight_per_group: 8,
                in_flight_per_destination: 4,
                interval: Duration::from_millis(500),
                burst: 20,
                digest_above: Some(20),
                edits: false,
            },
        }
    }
}

/// A token bucket: `burst` at once, then one in each `interval`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    interval: Duration,
    /// How far ahead of its time the next one may be.
    tolerance: Duration,
    /// When the next one would be if there were no bursts.
    due: Steady,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(limits: &Limits) -> Self {
        let tolerance = limits.interval * limits.burst.saturating_sub(1);
        Self {
            interval: limits.interval,
            tolerance,
            due: Steady::MIN,
        }
    }

    /// When there is a token.
    pub(crate) fn ready_at(&self) -> Steady {
        self.due.before(self.tolerance)
    }

    /// Takes a token; there must be one.
    pub(crate) fn take(&mut self, now: Steady) {
        self.due = self.due.max(now).after(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_takes_five_at_once_and_then_one_in_a_second() {
        let mut bucket = Bucket::new(&Limits::of(Channel::Slack));
        let start = Steady::MIN.after(Duration::from_secs(3_600));
        let mut now = start;
        let mut taken = Vec::new();
        for _ in 0..8 {
            now = now.max(bucket.ready_at());
            bucket.take(now);
            taken.push(now.since(start).as_secs());
        }
        assert_eq!(taken, [0, 0, 0, 0, 0, 1, 2, 3]);
        now = start.after(Duration::from_secs(60));
        assert!(bucket.ready_at() < now, "a silence fills it again");
    }
}
