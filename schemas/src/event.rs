//! What a monitoring system sent, before it is decided what becomes of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ActionRequest, Fingerprint, Severity};

/// The state of a problem, as its source reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventStatus {
    /// It exists (Harp's 1).
    Firing,
    /// It has ended (Harp's 0).
    Resolved,
    /// It is acknowledged at the source (Harp's 10).
    Acknowledged,
}

/// What an event is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The source reports that the problem exists.
    Firing {
        /// The same body says that it is acknowledged at the source.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        acknowledged: bool,
    },
    /// The source reports that the problem has ended.
    Resolved {
        /// What the end rests on.
        #[serde(default, skip_serializing_if = "EndEvidence::is_statement")]
        evidence: EndEvidence,
    },
    /// The source reports that the problem is acknowledged there.
    Acknowledged,
    /// A call of a heartbeat. The next one must come by `expires_at`; if none does, the alert opens with the severity, labels and
    /// links of this call.
    HeartbeatCall {
        /// Its name.
        heartbeat: String,
        /// What the call says of the run.
        run: HeartbeatRun,
    },
    /// The daemon asks whether the source is silent. The probe takes the way of the events, so that it comes after all those that
    /// were accepted before it.
    Probe {
        /// Since when nothing was heard of the source.
        silent_since: Timestamp,
    },
    /// The sender wants something done to its alert and reports nothing. It takes the way of the events, so that it comes after
    /// all that was reported before it; the severity has no meaning.
    ActionRequest(ActionRequest),
}

/// What the end of a problem rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EndEvidence {
    /// The source states it.
    #[default]
    Statement,
    /// It is a guess, by the color of a message, say: an alert that is open ends, and one that is not open opens.
    Guess {
        /// The severity that it opens with.
        opens_as: Severity,
    },
    /// It rests on the sender's clock alone, since the sender names no more than an end that has passed (`occurred_at`). By a
    /// clock that is slow the problem may still exist; severity, text and `expires_at` are what they are then.
    Clock {
        /// When the problem began, by the same clock.
        began_at: Timestamp,
    },
}

impl EndEvidence {
    /// Whether the source states the end.
    pub const fn is_statement(&self) -> bool {
        matches!(self, Self::Statement)
    }
}

/// What a call of a heartbeat says of the run that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatRun {
    /// It has succeeded.
    Succeeded,
    /// It has failed: the alert opens at once.
    Failed,
    /// It has begun, and must have ended by `expires_at`.
    Began,
}

/// What was accepted about one alert. Topic `alerts.collected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertEvent {
    /// Names this one delivery.
    pub event_id: Uuid,
    /// The alert's full identity, hashed.
    pub fingerprint: Fingerprint,
    /// When the collector took it.
    pub accepted_at: Timestamp,
    /// When it happened, by the source's clock, if the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// Until when this holds, if the source does not say it again: a firing alert ends by itself some time after.
    /// Without it, it holds until the source says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Set when the sender may ask later what came of it, as Opsgenie's clients do: that nothing came of it is on record
    /// then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outcome_wanted: bool,
    /// What it is.
    pub kind: EventKind,
    /// The severity of the alert while it is open, if the kind says that it is or may be.
    pub severity: Severity,
    /// Name of the integration whose key was used.
    pub integration: String,
    /// Name of the key that was used, if the site names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Type of the monitoring system, as in the path.
    pub monitoring_system: String,
    /// Which server of the monitoring system.
    pub source: String,
    /// Service or host group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The thing that is ill.
    pub object: String,
    /// The rule or trigger.
    pub name: String,
    /// Text of the problem.
    #[serde(default)]
    pub output: String,
    /// Labels of the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What the source says beside the text, which tells no alert from another: name to text, whole and unchanged
    /// (Alertmanager's annotations).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Links of the source: title to URL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
    /// The environment that the body or the query asks for (a name, or a number of Harp's).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The scenario that the body or the query asks for (a name, or a number of Harp's).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
}

impl AlertEvent {
    /// The state of the problem, if the event is a report of its source.
    pub const fn status(&self) -> Option<EventStatus> {
        match self.kind {
            EventKind::Firing { .. } => Some(EventStatus::Firing),
            EventKind::Resolved { .. } => Some(EventStatus::Resolved),
            EventKind::Acknowledged => Some(EventStatus::Acknowledged),
            EventKind::HeartbeatCall { .. } | EventKind::Probe { .. } | EventKind::ActionRequest(_) => None,
        }
    }
}

impl From<EventStatus> for EventKind {
    fn from(status: EventStatus) -> Self {
        match status {
            EventStatus::Firing => Self::Firing { acknowledged: false },
            EventStatus::Resolved => Self::Resolved {
                evidence: EndEvidence::Statement,
            },
            EventStatus::Acknowledged => Self::Acknowledged,
        }
    }
}

/// Where in `alerts.collected` an event stands. All events of one alert are in one partition, so the offset grows
/// with each; the daemon drops what it has already seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Origin {
    pub partition: u32,
    pub offset: u64,
}

/// An event that knows whom it concerns and what is done about it. Topic `alerts.decorated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecoratedEvent {
    /// The event; rules may have added labels and links and rewritten the severity.
    pub event: AlertEvent,
    /// Where it was collected.
    pub origin: Origin,
    /// It waited in a collector's spool while the log was away. The same event may be there already, under another
    /// origin, and later ones may have overtaken it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spooled: bool,
    /// Name of the environment.
    pub environment: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Names of the site's rules that applied to the event, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}
