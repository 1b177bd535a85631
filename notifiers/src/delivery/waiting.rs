//! A notification in the channel's hands.

use bytes::Bytes;
use std::ops::{AddAssign, SubAssign};
use std::time::Duration;

use jiff::Timestamp;
use pipeline::log::Received;
use pipeline::{Clock, Steady};
use schemas::{
    Channel, Fingerprint, HEADER_TRACEPARENT, Notification, NotificationKind, Receipt, ReceiptOutcome,
    Severity,
};
use store::Delivery;
use uuid::Uuid;

use super::schedule::longest_wait;

/// One moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall: Timestamp,
    pub(crate) steady: Steady,
}

impl Now {
    pub(crate) fn of(clock: &Clock) -> Self {
        Self {
            wall: clock.now(),
            steady: clock.steady(),
        }
    }

    /// What the time of day will be then, unless it is corrected.
    pub(crate) fn wall_at(self, at: Steady) -> Timestamp {
        let wait = at.since(self.steady);
        self.wall.checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// When this time of day comes, but no later than in `longest`: the store may have kept it from before the time of day
    /// was set back.
    fn steady_at(self, wall: Timestamp, longest: Duration) -> Steady {
        let wait = Duration::try_from(wall.duration_since(self.wall)).unwrap_or_default();
        self.steady.after(wait.min(longest))
    }

    /// How long ago this was; zero if it is to come.
    fn age(self, wall: Timestamp) -> Duration {
        Duration::try_from(self.wall.duration_since(wall)).unwrap_or_default()
    }
}

/// Where something is told, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) destination: String,
    pub(crate) bot: Option<String>,
}

/// A notification that waits. What is only needed for sending stays in its JSON form, which is a third of the size.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) id: Uuid,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) episode: u32,
    pub(crate) sequence: u32,
    pub(crate) kind: NotificationKind,
    pub(crate) accepted_at: Timestamp,
    /// When it was decided, as far as that was known when it was taken in.
    pub(crate) decided: Steady,
    pub(crate) severity: Severity,
    /// The notification.
    pub(crate) json: Bytes,
    /// Where it was read; not known after a restart.
    pub(crate) offset: u64,
    pub(crate) traceparent: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at: Steady,
    /// An attempt may have reached the destination.
    pub(crate) perhaps_delivered: bool,
}

/// How much is held in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Notifications.
    pub(crate) count: usize,
    /// About what they take.
    pub(crate) bytes: usize,
}

impl Amount {
    /// What a notification takes beside its JSON, with its places in the queue.
    const BESIDE_BYTES: usize = 700;

    pub(crate) fn of<'a>(waiting: impl IntoIterator<Item = &'a Waiting>) -> Self {
        let mut amount = Self::default();
        for one in waiting {
            amount.count += 1;
            amount.bytes += one.json.len() + Self::BESIDE_BYTES;
        }
        amount
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, more: Self) {
        self.count += more.count;
        self.bytes += more.bytes;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, less: Self) {
        self.count -= less.count;
        self.bytes -= less.bytes;
    }
}

impl Waiting {
    /// One that was just read.
    pub(crate) fn new(notification: &Notification, record: &Received, now: Now) -> Self {
        Self {
            // A copy, so that it does not hold the whole batch in memory.
            json: Bytes::copy_from_slice(record.value.as_deref().unwrap_or_default()),
            offset: record.offset,
            traceparent: record.header(HEADER_TRACEPARENT).map(str::to_owned),
            ..Self::of(notification, now)
        }
    }

    /// One that somebody had in hand before. Whether it was being sent just then nobody knows.
    pub(crate) fn taken_over(delivery: &Delivery, now: Now) -> Result<Self, serde_json::Error> {
        Ok(Self {
            json: serde_json::to_vec(&delivery.notification)?.into(),
            attempts: delivery.attempts,
            next_attempt_at: now.steady_at(delivery.next_attempt_at, longest_wait(delivery.attempts)),
            perhaps_delivered: true,
            ..Self::of(&delivery.notification, now)
        })
    }

    fn of(notification: &Notification, now: Now) -> Self {
        Self {
            id: notification.notification_id,
            fingerprint: notification.fingerprint,
            episode: notification.episode,
            sequence: notification.sequence,
            kind: notification.kind,
            accepted_at: notification.accepted_at,
            decided: now.steady.before(now.age(notification.created_at)),
            severity: notification.alert.severity,
            json: Bytes::new(),
            offset: 0,
            traceparent: None,
            attempts: 0,
            next_attempt_at: now.steady,
            perhaps_delivered: false,
        }
    }

    /// What became of it.
    pub(crate) fn receipt(
        &self,
        channel: Channel,
        destination: &str,
        outcome: ReceiptOutcome,
        at: Timestamp,
    ) -> Receipt {
        Receipt {
            notification_id: self.id,
            fingerprint: self.fingerprint,
            episode: self.episode,
            sequence: self.sequence,
            channel,
            destination: destination.to_owned(),
            kind: self.kind,
            outcome,
            attempts: self.attempts,
            at,
        }
    }
}

/// The place of a notification.
pub(crate) fn place(notification: &Notification) -> Place {
    Place {
        destination: notification.destination.clone(),
        bot: notification.bot.clone(),
    }
}
