//! What happened to an alert, who did it and why: typed, so that programs can tell reasons apart. The text that people read
//! is made of it in one place, `domain::words`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::notification::{DeliveryFailure, NotificationKind};
use crate::{Channel, Endpoint, Fingerprint, HoldKind, Severity, Via};

/// One line of an alert's history, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// Place in the alert's history, from 1, without gaps.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// What happened, who did it and why.
    #[serde(flatten)]
    pub happening: Happening,
    /// The event that led to it, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// How that event was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Received>,
}

/// How an event was received, and what was done with it on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Received {
    /// When its request had been read in full.
    pub accepted_at: Timestamp,
    /// Which server of the monitoring system sent it.
    pub source: String,
    /// Name of the key that was used, if the site names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Names of the site's rules that applied to it, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

/// One line of an alert's history, as people and programs outside are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShownHistoryEntry {
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// Place in the alert's history, from 1, without gaps.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// What kind of thing happened.
    pub kind: HistoryKind,
    /// Who did it, in words: `operator NAME`, `integration NAME`, `scenario NAME step NUMBER`, `channel NAME` or `reveille`.
    pub actor: String,
    /// What happened and why, in words.
    pub message: String,
    /// The same as data.
    pub details: Happening,
    /// The event that led to it, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Uuid>,
    /// How that event was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Received>,
}

/// Something that happened to an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Happening {
    /// Who or what did it.
    pub actor: Actor,
    /// What.
    pub what: What,
    /// Why: all that holds, not only the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// Who or what did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    /// A person.
    User {
        /// The name that was given.
        name: String,
        /// By what means the request came, which says how far the name can be trusted.
        via: Via,
    },
    /// A sender.
    Integration {
        /// Its name.
        name: String,
    },
    /// A step of a scenario.
    Step {
        /// Name of the scenario.
        scenario: String,
        /// Place of the step in it, from 1.
        number: u32,
    },
    /// A channel of the notifiers.
    Channel {
        /// Which one.
        channel: Channel,
    },
    /// Reveille itself.
    System,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// It opened for the first time.
    Opened {
        /// How bad it was.
        severity: Severity,
        /// The text of the problem.
        output: String,
    },
    /// It opened again.
    Reopened {
        /// How bad it was.
        severity: Severity,
        /// The text of the problem.
        output: String,
    },
    /// It ended.
    Closed {
        /// The source's text of the end, if the source ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
    /// Its output changed.
    OutputChanged {
        /// The output now.
        output: String,
    },
    /// Its name, labels, annotations, links or service changed.
    DetailsChanged,
    /// What its source says changed, while other values are shown in its place.
    SourceValuesChanged {
        /// How bad it is by its source.
        severity: Severity,
        /// The text of its source.
        output: String,
    },
    /// Its source seemed to say that it has ended, and it stayed open.
    EndNotApplied {
        /// What the source said.
        output: String,
    },
    /// Something about its source is worth a remark, which the reasons say.
    Remarked,
    /// Its source changed its severity.
    SeverityChanged {
        /// The severity before.
        from: Severity,
        /// The severity now.
        to: Severity,
        /// The text of the problem.
        output: String,
    },
    /// It now belongs to another environment or scenario.
    Rerouted {
        /// The environment now.
        environment: String,
        /// The scenario now.
        scenario: String,
    },
    /// Other values are shown in place of those of its source.
    Amended {
        /// What is different now.
        differences: Vec<Difference>,
    },
    /// The values of its source are shown again.
    Unamended {
        /// What is different now.
        differences: Vec<Difference>,
    },
    /// A hold began: from now on it holds notifications back.
    HoldBegan {
        /// Which kind.
        hold: HoldKind,
        /// For whom, where that may be another person than who did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignee: Option<String>,
        /// The end of it, if it ends by time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A hold was taken back or ended.
    HoldEnded {
        /// Which kind.
        hold: HoldKind,
        /// For whom it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignee: Option<String>,
    },
    /// It was commented.
    Commented {
        /// The comment.
        comment: String,
    },
    /// The last comment was taken back.
    Uncommented {
        /// The comment.
        comment: String,
    },
    /// An action that a sender requested was not done.
    Refused {
        /// Name of the action.
        action: String,
    },
    /// A notification was handed to its channel.
    Notifying {
        /// Where to.
        endpoint: Endpoint,
    },
    /// A notification is held back.
    HeldBack {
        /// From where; empty when the alert's scenario does not exist.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        endpoints: Vec<Endpoint>,
    },
    /// A channel delivered a notification.
    Notified {
        /// What the notification does.
        notification: NotificationKind,
        /// Where to.
        endpoint: Endpoint,
        /// How many attempts were made.
        attempts: u32,
    },
    /// A channel could not deliver a notification yet.
    Retrying {
        /// What the notification does.
        notification: NotificationKind,
        /// Where to.
        endpoint: Endpoint,
        /// When it is tried again.
        next_attempt_at: Timestamp,
        /// The provider's answer.
        error: String,
    },
    /// A channel could not deliver a notification for good.
    NotDelivered {
        /// What the notification does.
        notification: NotificationKind,
        /// Where to.
        endpoint: Endpoint,
        /// Of which kind the failure is.
        failure: DeliveryFailure,
        /// The provider's answer.
        error: String,
    },
}

/// One value of an alert that is different from before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "field", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Difference {
    Scenario {
        from: String,
        to: String,
    },
    Severity {
        from: Severity,
        to: Severity,
    },
    Name {
        from: String,
        to: String,
    },
    Output {
        to: String,
    },
    /// A label; it is gone when `to` is null.
    Label {
        name: String,
        to: Option<String>,
    },
}

/// Why something happened, or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reason {
    /// A person gave it in words.
    Comment {
        /// The words.
        comment: String,
    },
    /// An action cannot be done.
    Invalid {
        /// Why, and what to do instead.
        problem: String,
    },
    /// The step wants a higher severity.
    SeverityBelow {
        /// The severity of the alert.
        severity: Severity,
        /// The lowest that the step notifies of.
        minimum: Severity,
    },
    /// The alert has a hold.
    Held {
        /// Which kind.
        hold: HoldKind,
        /// Who began it.
        by: String,
        /// For whom it is, where that may be another person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignee: Option<String>,
        /// The end of it, if it ends by time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A silence matches the alert.
    Silenced {
        /// Which silence.
        silence: Uuid,
        /// Who made it.
        by: String,
        /// Until when.
        until: Timestamp,
        /// Why.
        comment: String,
    },
    /// The time window of the step is closed.
    WindowClosed {
        /// Beginning of the window, `HH:MM`.
        from: String,
        /// End of the window, `HH:MM`.
        to: String,
        /// Time zone of the window.
        time_zone: String,
    },
    /// The site has no such scenario.
    NoScenario {
        /// Its name.
        scenario: String,
    },
    /// The severity changed.
    SeverityChanged,
    /// The output changed.
    OutputChanged,
    /// The alert opened again.
    Reopened,
    /// The time that was given is over.
    Expired,
    /// The source says so.
    AtSource {
        /// Who did it at the source.
        by: String,
    },
    /// The source has sent nothing.
    SourceSilent {
        /// Since when.
        since: Timestamp,
    },
    /// What was to be delivered before could not be.
    NotDelivered {
        /// The provider's answer.
        error: String,
    },
    /// A heartbeat was not called in time.
    HeartbeatMissed {
        /// Name of the heartbeat.
        heartbeat: String,
    },
    /// The heartbeat of the alert was removed from the site: no call will end the alert.
    HeartbeatRemoved {
        /// Name of the heartbeat.
        heartbeat: String,
    },
    /// A color says that a problem has ended, but not which of several.
    SeveralTexts,
    /// An event of an episode that has ended came late, and changed nothing.
    EndedEpisode {
        /// When that began or ended, by the clock of the source.
        occurred_at: Timestamp,
    },
    /// The sender's clock is behind.
    SenderClockBehind {
        /// At least by so many seconds.
        at_least_seconds: i64,
        /// At most by so many seconds.
        at_most_seconds: i64,
    },
    /// The sender's clock is ahead.
    SenderClockAhead {
        /// At least by so many seconds.
        at_least_seconds: i64,
        /// When the problem began by that clock.
        began_at: Timestamp,
    },
}

impl HistoryEntry {
    /// What kind of thing happened.
    pub fn kind(&self) -> HistoryKind {
        self.happening.what.kind()
    }
}

impl What {
    /// Of which kind it is.
    pub fn kind(&self) -> HistoryKind {
        match self {
            What::Opened { .. } => HistoryKind::Opened,
            What::Reopened { .. } => HistoryKind::Reopened,
            What::Closed { .. } => HistoryKind::Closed,
            What::OutputChanged { .. }
            | What::DetailsChanged
            | What::SourceValuesChanged { .. }
            | What::EndNotApplied { .. }
            | What::Remarked => HistoryKind::Updated,
            What::SeverityChanged { .. } => HistoryKind::SeverityChanged,
            What::Rerouted { .. } => HistoryKind::Rerouted,
            What::Amended { differences } | What::Unamended { differences } => Difference::kind(differences),
            What::HoldBegan { hold, .. } => hold.began(),
            What::HoldEnded { hold, .. } => hold.ended(),
            What::Commented { .. } => HistoryKind::Commented,
            What::Uncommented { .. } => HistoryKind::Uncommented,
            What::Refused { .. } => HistoryKind::Refused,
            What::Notifying { .. } => HistoryKind::Notifying,
            What::HeldBack { .. } => HistoryKind::HeldBack,
            What::Notified { .. } => HistoryKind::Notified,
            What::Retrying { .. } => HistoryKind::Retrying,
            What::NotDelivered { .. } => HistoryKind::NotDelivered,
        }
    }
}

impl Difference {
    /// The kind of change that all of them are together: the most important one counts.
    fn kind(differences: &[Difference]) -> HistoryKind {
        let has = |is: fn(&Difference) -> bool| differences.iter().any(is);
        if has(|one| matches!(one, Difference::Severity { .. })) {
            HistoryKind::SeverityChanged
        } else if has(|one| matches!(one, Difference::Scenario { .. })) {
            HistoryKind::Rerouted
        } else {
            HistoryKind::Updated
        }
    }
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
    /// It is in downtime.
    DowntimeBegan,
    /// The downtime was cancelled or ended.
    DowntimeEnded,
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
            HistoryKind::DowntimeBegan => "downtime_began",
            HistoryKind::DowntimeEnded => "downtime_ended",
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
