//! What people do with an open alert that holds its notifications back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{HistoryKind, OperatorState};

/// The kinds of holds, in Harp's order of precedence: the first one gives the alert its operator state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// It is hidden for a time.
    Snooze,
    /// A person has seen it.
    Acknowledgement,
    /// It is expected to be there while its object is worked on.
    Downtime,
    /// A person owns it.
    Assignment,
    /// A person works on it until a time.
    Handling,
}

impl HoldKind {
    /// The state of an alert that has such a hold.
    pub const fn state(self) -> OperatorState {
        match self {
            HoldKind::Snooze => OperatorState::Snoozed,
            HoldKind::Acknowledgement => OperatorState::Acknowledged,
            HoldKind::Downtime => OperatorState::InDowntime,
            HoldKind::Assignment => OperatorState::Assigned,
            HoldKind::Handling => OperatorState::Handled,
        }
    }

    /// The kind of history line that says that it began.
    pub const fn began(self) -> HistoryKind {
        match self {
            HoldKind::Snooze => HistoryKind::Snoozed,
            HoldKind::Acknowledgement => HistoryKind::Acknowledged,
            HoldKind::Downtime => HistoryKind::DowntimeBegan,
            HoldKind::Assignment => HistoryKind::Assigned,
            HoldKind::Handling => HistoryKind::Handled,
        }
    }

    /// The kind of history line that says that it ended.
    pub const fn ended(self) -> HistoryKind {
        match self {
            HoldKind::Snooze => HistoryKind::Unsnoozed,
            HoldKind::Acknowledgement => HistoryKind::Unacknowledged,
            HoldKind::Downtime => HistoryKind::DowntimeEnded,
            HoldKind::Assignment => HistoryKind::Unassigned,
            HoldKind::Handling => HistoryKind::Unhandled,
        }
    }
}
