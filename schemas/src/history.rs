//! What happened to an alert, who did it and why.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Fingerprint;

/// One line of an alert's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// Place in the alert's history, from 1, without gaps.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: HistoryKind,
    /// Who did it: `operator NAME`, `integration NAME`, `scenario NAME`, `channel NAME` or `reveille`.
    pub actor: String,
    /// What happened and why, for a person to read.
    pub message: String,
    /// The event that led to it, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
}

/// What kinds of things happen to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryKind {
    /// It opened for the first time.
    Opened,
    /// It opened again.
    Reopened,
    /// Its name, output, labels, annotations or links changed.
    Updated,
    /// Its severity changed.
    SeverityChanged,
    /// It ended, by its source or by an operator.
    Closed,
    /// Somebody acknowledged it.
    Acknowledged,
    /// The acknowledgement was taken back or ended.
    Unacknowledged,
    /// Somebody snoozed it.
    Snoozed,
    /// The snooze was taken back or ended.
    Unsnoozed,
    /// Somebody handles it.
    Handled,
    /// The handling was taken back or ended.
    Unhandled,
    /// Somebody was given it.
    Assigned,
    /// The assignment was taken back or ended.
    Unassigned,
    /// Somebody said something.
    Commented,
    /// The last comment was taken back.
    Uncommented,
    /// It now belongs to another environment or scenario.
    Rerouted,
    /// What a sender wanted done to it was not done, and this says why.
    Refused,
    /// A notification was handed to its channel.
    Notifying,
    /// A channel took a notification.
    Notified,
    /// A channel could not deliver yet and tries again.
    Retrying,
    /// A channel could not deliver for good.
    NotDelivered,
    /// Somebody was not told, and this says by which rule.
    HeldBack,
}

impl HistoryKind {
    /// The word for it, as in the API and the database.
    pub const fn name(self) -> &'static str {
        match self {
            HistoryKind::Opened => "opened",
            HistoryKind::Reopened => "reopened",
            HistoryKind::Updated => "updated",
            HistoryKind::SeverityChanged => "severity_changed",
            HistoryKind::Closed => "closed",
            HistoryKind::Acknowledged => "acknowledged",
            HistoryKind::Unacknowledged => "unacknowledged",
            HistoryKind::Snoozed => "snoozed",
            HistoryKind::Unsnoozed => "unsnoozed",
            HistoryKind::Handled => "handled",
            HistoryKind::Unhandled => "unhandled",
            HistoryKind::Assigned => "assigned",
            HistoryKind::Unassigned => "unassigned",
            HistoryKind::Commented => "commented",
            HistoryKind::Uncommented => "uncommented",
            HistoryKind::Rerouted => "rerouted",
            HistoryKind::Refused => "refused",
            HistoryKind::Notifying => "notifying",
            HistoryKind::Notified => "notified",
            HistoryKind::Retrying => "retrying",
            HistoryKind::NotDelivered => "not_delivered",
            HistoryKind::HeldBack => "held_back",
        }
    }
}
