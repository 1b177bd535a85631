//! What a monitoring system said, before anybody has decided what it means.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Fingerprint, Severity, Wish};

/// What the source says about the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventStatus {
    /// It is there (Harp's 1).
    Firing,
    /// It has ended (Harp's 0).
    Resolved,
    /// Somebody acknowledged it at the source (Harp's 10).
    Acknowledged,
}

/// One alert of one webhook body, as accepted. Topic `alerts.collected`.
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
    /// Set on the daemon's own question whether the source has fallen silent: since when it was not heard of. The
    /// question takes the way of the events, so that it comes after all those that were accepted before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard_since: Option<Timestamp>,
    /// Set on a call of a heartbeat, which one it is. A call is resolved, and says in `expires_at` by when the next one
    /// must come: if none does, the alert begins, with the severity, labels and links of the last call. One that is firing
    /// says that a run has failed, which begins the alert at once; one that is acknowledged says that a run has begun, and
    /// in `expires_at` by when it must have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// Set when the sender wants something done to its alert and says nothing of the problem. It takes the way of the
    /// events, so that it comes after all that was said before it; status and severity are of no meaning then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
    /// Set where the end is a guess, by the color of a message, say: an alert that is open ends, and one that is not
    /// open begins, with this severity. The status is resolved then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_as: Option<Severity>,
    /// Set when the sender may ask later what came of it, as Opsgenie's clients do: that nothing came of it is on record
    /// then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outcome_wanted: bool,
    /// Whether the problem is there.
    pub status: EventStatus,
    /// Set on a firing event whose source says in the same body that the alert is acknowledged there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub acknowledged: bool,
    /// Set on a resolved event that rests on the sender's clock alone, since its sender says no more than an end that has
    /// passed: when the problem began, by the same clock. `occurred_at` is the end. By a clock that is slow the problem may still
    /// be there; severity, text and `expires_at` are what they are then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// How bad it is; of no meaning when resolved, but for a call of a heartbeat and with `began_at`.
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
