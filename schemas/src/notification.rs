//! Notifications, their receipts, and the ledger of what was opened where.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Alert, Channel, Fingerprint, HistoryKind, Severity};

/// Where notifications go, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// Which channel.
    pub channel: Channel,
    /// Where: a URL, a Slack channel, an e-mail address.
    pub destination: String,
    /// Name of the bot whose credentials are used; the channel's only bot when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
}

/// What a notification does at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotificationKind {
    /// The first message about this episode.
    Open,
    /// What has changed since.
    Update,
    /// The end of the episode.
    Close,
}

/// A message for one destination. Topic `notifications.<channel>`, key [`Notification::destination`].
///
/// All notifications of one (alert, episode, endpoint) carry growing [`Notification::sequence`]s,
/// beginning with an open (1) and ending with a close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    /// Deterministic: a notification that is written twice has one id, by which receivers deduplicate.
    pub notification_id: Uuid,
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// Which opening of it.
    pub episode: u32,
    /// Place among the notifications of this alert, episode and destination, from 1.
    pub sequence: u32,
    /// Which channel.
    pub channel: Channel,
    /// Where, in the form of the channel: a URL, a Slack channel, an e-mail address.
    pub destination: String,
    /// Name of the bot whose credentials are used; the channel's only bot when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// What it reports.
    pub kind: NotificationKind,
    /// What happened to the alert.
    pub cause: HistoryKind,
    /// What happened and who did it, for a person to read.
    pub reason: String,
    /// The alert as it was then.
    pub alert: Alert,
    /// When the event or command that led to this was accepted.
    pub accepted_at: Timestamp,
    /// When it was decided.
    pub created_at: Timestamp,
}

/// The result of a notification. Topic `notifications.receipts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Which notification.
    pub notification_id: Uuid,
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// Which opening of it.
    pub episode: u32,
    /// Place among the notifications of this alert, episode and destination.
    pub sequence: u32,
    /// Which channel.
    pub channel: Channel,
    /// Where.
    pub destination: String,
    /// Name of the bot, as in the notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// What the notification reports.
    pub kind: NotificationKind,
    /// The result.
    pub outcome: ReceiptOutcome,
    /// Attempts until then.
    pub attempts: u32,
    /// When this became known.
    pub at: Timestamp,
}

/// The result of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ReceiptOutcome {
    /// The provider accepted it.
    Sent {
        /// The provider's id of the message, if it gives one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        /// Milliseconds until the provider answered.
        latency_ms: u64,
    },
    /// Not yet; reported once, at the first failure.
    Retrying {
        /// The provider's answer.
        error: String,
        /// When it is retried.
        next_attempt_at: Timestamp,
    },
    /// Failed permanently; it is a dead letter.
    Failed {
        /// The kind of failure.
        failure: DeliveryFailure,
        /// The provider's answer.
        error: String,
    },
    /// Not sent, since a later notification to the same destination supersedes it.
    Superseded,
}

/// Why a notification failed permanently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryFailure {
    /// The destination does not exist, or refuses our messages.
    BadDestination,
    /// The bot's credentials are missing or wrong.
    BadCredentials,
    /// The provider refuses this message.
    Refused,
    /// Retried until its budget was spent.
    Expired,
}

impl DeliveryFailure {
    /// The word for it, as in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            DeliveryFailure::BadDestination => "bad_destination",
            DeliveryFailure::BadCredentials => "bad_credentials",
            DeliveryFailure::Refused => "refused",
            DeliveryFailure::Expired => "expired",
        }
    }
}

/// An alert that was opened at a destination, and will be closed there.
///
/// One row per alert, episode and endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerEntry {
    /// Which opening of the alert.
    pub episode: u32,
    /// Which channel.
    pub channel: Channel,
    /// Where.
    pub destination: String,
    /// The bot whose credentials were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// Its state.
    pub state: LedgerState,
    /// Sequence of the last notification that was handed out.
    pub sequence: u32,
    /// Sequence of the last notification whose result is known: receipts of it and of those before are duplicates.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub settled_sequence: u32,
    /// The provider's id of the message, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When the open was handed out.
    pub opened_at: Timestamp,
    /// When this row last changed.
    pub changed_at: Timestamp,
    /// The last error of the channel, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The circumstances in which the open failed permanently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedOpen>,
}

/// The circumstances in which an open failed permanently: when they change, the open is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedOpen {
    /// When it became known.
    pub at: Timestamp,
    /// The severity of the alert.
    pub severity: Severity,
    /// Hash of the bot's configuration; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<Fingerprint>,
}

/// The state of a ledger row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerState {
    /// The open was handed to the channel.
    Opening,
    /// The channel delivered the open.
    Open,
    /// The close was handed to the channel.
    Closing,
    /// The channel delivered the close, or there was nothing to close.
    Closed,
    /// The open failed permanently, so there is nothing to close.
    Failed,
    /// The close failed permanently: an operator has to check the destination.
    NotClosed,
}

impl LedgerState {
    /// Whether the row is final.
    pub const fn settled(self) -> bool {
        matches!(
            self,
            LedgerState::Closed | LedgerState::Failed | LedgerState::NotClosed
        )
    }

    /// The word for it, as in the database.
    pub const fn name(self) -> &'static str {
        match self {
            LedgerState::Opening => "opening",
            LedgerState::Open => "open",
            LedgerState::Closing => "closing",
            LedgerState::Closed => "closed",
            LedgerState::Failed => "failed",
            LedgerState::NotClosed => "not_closed",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
