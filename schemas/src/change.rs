//! What the daemon and the aggregator say has changed.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Alert, Fingerprint};

/// An alert has a new version, or a command was answered. Topic `alerts.changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertChanged {
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// Its state now; absent when a command named an alert that does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Alert>,
    /// When the collector took the event, or the API the command, that led to this; for the latency to the screen.
    pub accepted_at: Timestamp,
    /// The commands that this answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<CommandAnswer>,
    /// It is a sign of life and nothing else: the daemon of this partition was able to work when it was accepted. The
    /// fingerprint belongs to no alert; as the key it leads to the partition.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub heartbeat: bool,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandAnswer {
    /// Which command.
    pub command_id: Uuid,
    /// What became of it.
    pub outcome: CommandOutcome,
    /// Why it was refused or changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommandOutcome {
    /// The alert is now as wished; or was once, if the key was applied before.
    Applied,
    /// It was so already.
    Unchanged,
    /// It makes no sense for the alert as it is.
    Refused,
    /// There is no such alert.
    Unknown,
}

/// The hot view holds a new version of an alert, or holds it no longer. Topic `view.changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ViewChanged {
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// Its version in the view.
    pub version: u64,
    /// When the event or command that led to this was taken; for the latency to the screen.
    pub accepted_at: Timestamp,
    /// With this version the alert has closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// It is a sign of life and nothing else, from the daemon and handed on by the aggregator: whatever changed in this
    /// partition before `accepted_at` is in the view. The fingerprint belongs to no alert.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub heartbeat: bool,
}
