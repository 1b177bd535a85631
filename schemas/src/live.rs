//! What console and bridge say to each other on the websocket at `/ws`, as JSON text frames.
//!
//! The client says [`ClientMessage::Hello`]; the server answers with one snapshot (one or more
//! [`ServerMessage::Snapshot`] frames, the last with `complete: true`) or, when the cursor of the hello is still
//! known, goes on where the client left off; then [`ServerMessage::Delta`]s follow. Every frame of the server
//! carries the cursor to say in the next hello. A new hello on the same socket changes the filter and brings a new
//! snapshot. The server sends a [`ServerMessage::Beat`] every few seconds, so silence means a broken line. Snapshots are
//! sent to a number of clients at once: who waits for one hears in the beats how many come first. Every hello without a
//! cursor is answered in order, by the first part of a snapshot or by [`ServerMessage::Refused`]; one that another hello
//! overtakes while it waits is answered by a first part without alerts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Alert, Fingerprint, OperatorState, Severity};

/// From the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// What I want to see and what I have seen.
    Hello {
        /// What is shown.
        #[serde(default)]
        filter: Filter,
        /// Cursor of the last frame that was seen with this same filter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
    },
}

/// Which alerts are shown: all conditions must hold; an empty list asks nothing. Used by the API too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Filter {
    /// One of these environments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// One of these operator states.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<OperatorState>,
    /// One of these severities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<Severity>,
    /// Label matchers as in Alertmanager: `team="pay"`, `env!="dev"`, `host=~"web-.*"`, `job!~"x|y"`; regular
    /// expressions are anchored at both ends, and a label that is not there is the empty text. The names
    /// `alertname`, `object`, `source`, `service`, `integration`, `monitoring_system`, `environment` and `severity`
    /// mean the alert's own fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<String>,
    /// Text that stands, in any case, in the name, object, output, source or a label's value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// From the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// A part of all the open alerts that pass the filter.
    Snapshot {
        /// Where the stream stands.
        cursor: String,
        /// The alerts; the first part also means: forget what you have.
        alerts: Vec<Alert>,
        /// Whether this is the first part.
        first: bool,
        /// Whether this is the last part.
        complete: bool,
        /// Counts over all that pass the filter.
        counters: Counters,
    },
    /// What has changed since the last frame.
    Delta {
        /// Where the stream stands.
        cursor: String,
        /// Alerts that are new or have a new version.
        changed: Vec<Alert>,
        /// Alerts that are closed or no longer pass the filter.
        removed: Vec<Fingerprint>,
        /// Counts over all that pass the filter.
        counters: Counters,
    },
    /// The line is alive.
    Beat {
        /// Where the stream stands.
        cursor: String,
        /// The server's clock.
        at: Timestamp,
        /// Milliseconds since the view last heard from the daemon, when that is long ago; the view may be stale.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stale_ms: Option<u64>,
        /// How many clients are sent a snapshot before this one, while it waits for its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ahead: Option<u64>,
    },
    /// The last message of the client could not be used.
    Refused {
        /// Which field, and the remedy.
        reason: String,
    },
}

/// How many alerts pass a filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counters {
    /// All of them.
    pub total: u64,
    /// By the name of the severity.
    pub by_severity: BTreeMap<String, u64>,
    /// By the name of the operator state.
    pub by_state: BTreeMap<String, u64>,
    /// By the environment.
    pub by_environment: BTreeMap<String, u64>,
}
