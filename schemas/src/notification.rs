//! What people are told, and what became of it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Alert, Fingerprint, HistoryKind, Severity};

/// Where a person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Signed HTTP call (Standard Webhooks) to the destination, a URL.
    Webhook,
    /// Message to the destination, a Slack channel.
    Slack,
    /// E-mail to the destination, an address.
    Email,
}

/// The text is not a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a channel: use webhook, slack or email")]
pub struct InvalidChannel(pub String);

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 3] = [Channel::Webhook, Channel::Slack, Channel::Email];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Webhook => "webhook",
            Channel::Slack => "slack",
            Channel::Email => "email",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Channel {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.name() == text)
            .ok_or_else(|| InvalidChannel(text.to_owned()))
    }
}

/// What a notification does at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotificationKind {
    /// Tells of the alert for the first time in this episode.
    Open,
    /// Tells what has changed since.
    Update,
    /// Tells that it has ended.
    Close,
}

/// Something to tell at one destination. Topic `notifications.<channel>`, key [`Notification::destination`].
///
/// All notifications of one (alert, episode, channel, destination) carry growing [`Notification::sequence`]s,
/// beginning with an open (1) and ending with a close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    /// Deterministic: the same notification has the same id however often it is written; receivers dedupe by it.
    pub notification_id: Uuid,
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// Which opening of it.
    pub episode: u32,
    /// Place among the notifications of this alert, episode and destination, from 1.
    pub sequence: u32,
    /// Which channel.
    pub channel: Channel,
    /// Where: a URL, a Slack channel, an e-mail address.
    pub destination: String,
    /// Name of the bot whose credentials are used; the channel's only bot when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// What it does there.
    pub kind: NotificationKind,
    /// What happened to the alert.
    pub cause: HistoryKind,
    /// What happened and who did it, for a person to read.
    pub reason: String,
    /// The alert as it was then.
    pub alert: Alert,
    /// When the event or command that led to this was taken.
    pub accepted_at: Timestamp,
    /// When it was decided.
    pub created_at: Timestamp,
}

/// What became of a notification. Topic `notifications.receipts`.
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
    /// What the notification was to do there.
    pub kind: NotificationKind,
    /// What became of it.
    pub outcome: ReceiptOutcome,
    /// How many attempts were made.
    pub attempts: u32,
    /// When this became known.
    pub at: Timestamp,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ReceiptOutcome {
    /// The provider took it.
    Sent {
        /// The provider's id of the message, if it gives one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        /// Milliseconds that the provider took to answer.
        latency_ms: u64,
    },
    /// Not yet; said once, at the first failure.
    Retrying {
        /// The provider's answer.
        error: String,
        /// When it is tried again.
        next_attempt_at: Timestamp,
    },
    /// Never; it is a dead letter.
    Failed {
        /// Of which kind.
        failure: DeliveryFailure,
        /// The provider's answer.
        error: String,
    },
    /// Not sent, as a later notification to the same destination says it all.
    Superseded,
}

/// Why a notification will never be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryFailure {
    /// No such destination, or it does not want us.
    BadDestination,
    /// The bot's credentials are missing or wrong.
    BadCredentials,
    /// The provider does not take this message.
    Refused,
    /// Retried until the end of its time.
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

/// What was opened where: the promise that it will be closed.
///
/// One row per alert, episode, channel and destination.
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
    /// How far it is.
    pub state: LedgerState,
    /// Sequence of the last notification that was handed out.
    pub sequence: u32,
    /// Sequence of the last notification whose fate is known: what is said again of it, or of one before, is old.
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
    /// What was so when the open could not be delivered for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedOpen>,
}

/// What was so when an open could not be delivered for good: when it is no longer so, the open is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedOpen {
    /// When it became known.
    pub at: Timestamp,
    /// How bad the alert was.
    pub severity: Severity,
    /// Hash of the bot, as it was configured; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<Fingerprint>,
}

/// How far a ledger row is.
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
    /// The open could not be delivered for good, so there is nothing to close.
    Failed,
    /// The close could not be delivered for good: somebody has to look.
    NotClosed,
}

impl LedgerState {
    /// Nothing more will happen to the row.
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
