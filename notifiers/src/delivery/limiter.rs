//! How much a channel may do at once, and how fast.

use std::time::Duration;

use pipeline::Steady;
use schemas::Channel;
use schemas::channels::SendLimits;

/// The limits that the queue keeps, from the channel's declaration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    send: SendLimits,
    /// More pending notifications of one kind for one destination than these become one message.
    pub(crate) digest_above: Option<usize>,
    /// The message that opened an alert is edited: a digest can then only stand for alerts that a digest has opened.
    pub(crate) edits: bool,
}

impl Limits {
    pub(crate) const fn of(channel: Channel) -> Self {
        let spec = channel.spec();
        Self {
            send: spec.limits,
            digest_above: spec.abilities.digest_above,
            edits: spec.abilities.edit,
        }
    }

    /// The time between two messages to one destination, on average.
    const fn interval(&self) -> Duration {
        Duration::from_micros(self.send.interval_us)
    }
}

impl std::ops::Deref for Limits {
    type Target = SendLimits;

    fn deref(&self) -> &SendLimits {
        &self.send
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
        let interval = limits.interval();
        Self {
            interval,
            tolerance: interval * limits.burst.saturating_sub(1),
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
