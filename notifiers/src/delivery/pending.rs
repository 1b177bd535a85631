//! A notification that is pending: stored, and neither delivered nor failed.

use std::ops::{AddAssign, SubAssign};
use std::time::Duration;

use bytes::Bytes;
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

    /// The time of day at that moment, unless the clock is corrected meanwhile.
    pub(crate) fn wall_at(self, at: Steady) -> Timestamp {
        let wait = at.since(self.steady);
        self.wall.checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// When this time of day comes, but no later than after `longest`: it may have been stored before the time of day was set
    /// back.
    fn steady_at(self, wall: Timestamp, longest: Duration) -> Steady {
        let wait = Duration::try_from(wall.duration_since(self.wall)).unwrap_or_default();
        self.steady.after(wait.min(longest))
    }

    /// How long ago this was; zero if it is in the future.
    fn age(self, wall: Timestamp) -> Duration {
        Duration::try_from(self.wall.duration_since(wall)).unwrap_or_default()
    }
}

/// A destination of the channel, and the bot whose credentials are used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Endpoint {
    pub(crate) destination: String,
    pub(crate) bot: Option<String>,
}

/// A pending notification. What only the attempt needs stays JSON, which is a third of the size.
#[derive(Debug, Clone)]
pub(crate) struct PendingNotification {
    pub(crate) id: Uuid,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) episode: u32,
    pub(crate) sequence: u32,
    pub(crate) kind: NotificationKind,
    pub(crate) accepted_at: Timestamp,
    /// When the daemon decided it, by the steady clock of this process.
    pub(crate) decided: Steady,
    pub(crate) severity: Severity,
    /// The notification.
    pub(crate) json: Bytes,
    /// Its offset on the topic; 0 after a restart.
    pub(crate) offset: u64,
    pub(crate) traceparent: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at: Steady,
    /// An attempt may have been delivered.
    pub(crate) maybe_delivered: bool,
}

/// An amount of notifications in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Notifications.
    pub(crate) count: usize,
    /// About how many bytes they take.
    pub(crate) bytes: usize,
}

impl Amount {
    /// Bytes of a notification beside its JSON, with its entries in the queue.
    const BESIDE_BYTES: usize = 700;

    pub(crate) fn of<'a>(pending: impl IntoIterator<Item = &'a PendingNotification>) -> Self {
        let mut amount = Self::default();
        for one in pending {
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

impl PendingNotification {
    /// From a record that was just read.
    pub(crate) fn new(notification: &Notification, record: &Received, now: Now) -> Self {
        Self {
            // A copy, so that it does not hold the whole batch in memory.
            json: Bytes::copy_from_slice(record.value.as_deref().unwrap_or_default()),
            offset: record.offset,
            traceparent: record.header(HEADER_TRACEPARENT).map(str::to_owned),
            ..Self::of(notification, now)
        }
    }

    /// From a stored delivery of an earlier owner, who may have been sending it.
    pub(crate) fn taken_over(delivery: &Delivery, now: Now) -> Result<Self, serde_json::Error> {
        Ok(Self {
            json: serde_json::to_vec(&delivery.notification)?.into(),
            attempts: delivery.attempts,
            next_attempt_at: now.steady_at(delivery.next_attempt_at, longest_wait(delivery.attempts)),
            maybe_delivered: true,
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
            maybe_delivered: false,
        }
    }

    /// Its receipt.
    pub(crate) fn receipt(
        &self,
        channel: Channel,
        endpoint: &Endpoint,
        outcome: ReceiptOutcome,
        at: Timestamp,
    ) -> Receipt {
        Receipt {
            notification_id: self.id,
            fingerprint: self.fingerprint,
            episode: self.episode,
            sequence: self.sequence,
            channel,
            destination: endpoint.destination.clone(),
            bot: endpoint.bot.clone(),
            kind: self.kind,
            outcome,
            attempts: self.attempts,
            at,
        }
    }
}

/// The endpoint of a notification.
pub(crate) fn endpoint(notification: &Notification) -> Endpoint {
    Endpoint {
        destination: notification.destination.clone(),
        bot: notification.bot.clone(),
    }
}
