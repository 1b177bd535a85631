//! A notification in the channel's hands.

use bytes::Bytes;
use jiff::Timestamp;
use pipeline::log::Received;
use schemas::{
    Channel, Fingerprint, HEADER_TRACEPARENT, Notification, NotificationKind, Receipt, ReceiptOutcome,
};
use store::Delivery;
use uuid::Uuid;

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
    pub(crate) created_at: Timestamp,
    /// The notification.
    pub(crate) json: Bytes,
    /// Where it was read; not known after a restart.
    pub(crate) offset: u64,
    pub(crate) traceparent: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at: Timestamp,
    /// An attempt may have reached the destination.
    pub(crate) perhaps_delivered: bool,
}

impl Waiting {
    /// One that was just read.
    pub(crate) fn new(notification: &Notification, record: &Received, now: Timestamp) -> Self {
        Self {
            // A copy, so that it does not hold the whole batch in memory.
            json: Bytes::copy_from_slice(record.value.as_deref().unwrap_or_default()),
            offset: record.offset,
            traceparent: record.header(HEADER_TRACEPARENT).map(str::to_owned),
            attempts: 0,
            next_attempt_at: now,
            perhaps_delivered: false,
            ..Self::of(notification)
        }
    }

    /// One that somebody had in hand before. Whether it was being sent just then nobody knows.
    pub(crate) fn taken_over(delivery: &Delivery) -> Result<Self, serde_json::Error> {
        Ok(Self {
            json: serde_json::to_vec(&delivery.notification)?.into(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            perhaps_delivered: true,
            ..Self::of(&delivery.notification)
        })
    }

    fn of(notification: &Notification) -> Self {
        Self {
            id: notification.notification_id,
            fingerprint: notification.fingerprint,
            episode: notification.episode,
            sequence: notification.sequence,
            kind: notification.kind,
            accepted_at: notification.accepted_at,
            created_at: notification.created_at,
            json: Bytes::new(),
            offset: 0,
            traceparent: None,
            attempts: 0,
            next_attempt_at: notification.created_at,
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
