//! The journey of an alert: how it was received, what happened to it, and what is still to come.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Alert, Endpoint, HoldKind, Reason, ShownHistoryEntry};

/// The journey of one alert. `GET /api/v1/alerts/{id}/journey`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Journey {
    /// The alert now.
    pub alert: Alert,
    /// What happened, oldest first; the newest lines when there are more than an answer holds.
    pub past: Vec<ShownHistoryEntry>,
    /// There are older lines, at `/api/v1/alerts/{id}/history`.
    pub has_older: bool,
    /// What is still to come, soonest first; what waits for no time comes last.
    pub upcoming: Vec<Upcoming>,
}

/// Something that is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upcoming {
    /// When; absent when it waits for something else than a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// In words.
    pub message: String,
    /// The same as data.
    pub details: Expected,
}

/// What is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Expected {
    /// A step of the scenario is evaluated, and notifies unless something holds it back then.
    Step {
        /// Name of the scenario.
        scenario: String,
        /// Place of the step in it, from 1.
        number: u32,
        /// Its id.
        id: String,
        /// What it notifies.
        endpoints: Vec<Endpoint>,
        /// All that holds it back now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<Reason>,
    },
    /// An endpoint that could not be notified is tried again.
    Retry {
        /// Which one.
        endpoint: Endpoint,
        /// The provider's answer.
        error: String,
    },
    /// Nobody is notified, as the site has no such scenario.
    NoScenario {
        /// Its name.
        scenario: String,
    },
    /// A hold ends.
    HoldEnd {
        /// Which kind.
        hold: HoldKind,
    },
    /// The alert ends if its source stays silent.
    SourceSilent,
    /// The alert opens unless its heartbeat is called.
    HeartbeatMissed {
        /// Name of the heartbeat.
        heartbeat: String,
    },
}
