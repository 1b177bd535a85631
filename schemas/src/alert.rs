//! An alert as everybody outside the daemon sees it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Channel, Fingerprint};

/// How bad it is. The numbers are Harp's and stay: ok 0, information 1, warning 2, critical 3, unknown 4, urgent 5,
/// down 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Severity {
    Ok = 0,
    Information = 1,
    Warning = 2,
    Critical = 3,
    Unknown = 4,
    Urgent = 5,
    Down = 6,
}

/// The text is not a severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a severity: use ok, information, warning, critical, unknown, urgent or down")]
pub struct InvalidSeverity(pub String);

impl Severity {
    /// All of them, from ok to down.
    pub const ALL: [Severity; 7] = [
        Severity::Ok,
        Severity::Information,
        Severity::Warning,
        Severity::Critical,
        Severity::Unknown,
        Severity::Urgent,
        Severity::Down,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Information => "information",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
            Severity::Unknown => "unknown",
            Severity::Urgent => "urgent",
            Severity::Down => "down",
        }
    }

    /// Harp's number for it.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The severity with this number of Harp's.
    pub fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::ALL.get(index))
            .copied()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Severity {
    type Err = InvalidSeverity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| InvalidSeverity(text.to_owned()))
    }
}

/// Whether the problem is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The problem is there.
    Open,
    /// The problem has ended; the alert is kept and opens again when the problem comes back.
    Closed,
}

/// A mark that catches the eye in the console (Harp's notification status).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Badge {
    /// The first time ever that this alert was seen.
    New,
    /// It reopened more than five times within an hour.
    Flapping,
    /// Its name says `[urgent]`.
    Urgent,
    /// Its name says `[test]`.
    Test,
}

impl Badge {
    /// The badge that a name asks for.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        if name.contains("[test]") {
            Some(Badge::Test)
        } else if name.contains("[urgent]") {
            Some(Badge::Urgent)
        } else {
            None
        }
    }
}

/// What operators have made of an open alert; [`OperatorState::Active`] when nobody has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum OperatorState {
    Active,
    Snoozed,
    Acknowledged,
    InDowntime,
    Assigned,
    Handled,
}

impl OperatorState {
    /// All of them, in Harp's order of precedence.
    pub const ALL: [OperatorState; 6] = [
        OperatorState::Active,
        OperatorState::Snoozed,
        OperatorState::Acknowledged,
        OperatorState::InDowntime,
        OperatorState::Assigned,
        OperatorState::Handled,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            OperatorState::Active => "active",
            OperatorState::Snoozed => "snoozed",
            OperatorState::Acknowledged => "acknowledged",
            OperatorState::InDowntime => "in_downtime",
            OperatorState::Assigned => "assigned",
            OperatorState::Handled => "handled",
        }
    }
}

/// Somebody has seen it. Ends when the severity changes or the alert closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Acknowledgement {
    pub by: String,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Hidden for a time. Ends by time, or when the severity or the output changes unless that is `sticky`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snooze {
    /// Who snoozed it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The end of it.
    pub until: Timestamp,
    /// Stay snoozed when the severity changes.
    #[serde(default)]
    pub sticky_severity: bool,
    /// Stay snoozed when the output changes.
    #[serde(default)]
    pub sticky_output: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// It is expected to be there while its object is worked on. Ends by time only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Downtime {
    /// Who said so.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Somebody works on it until a time. Ends by time or when the alert closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handling {
    /// Who said so.
    pub by: String,
    /// Who works on it.
    pub assignee: String,
    /// Since when.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Somebody owns it. Ends by time, if one was given, by an operator, or when the severity changes or the alert opens again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assignment {
    /// Who said so.
    pub by: String,
    /// Who owns it.
    pub assignee: String,
    /// Since when.
    pub at: Timestamp,
    /// Until when, if there is an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What is said of an alert in place of what its source says. What is absent stays as the source has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amendment {
    /// How bad it is, until the source changes its own severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The rule or trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Text of the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Labels; one that is null is taken away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Option<String>>,
    /// Tags that it has, true, or has not, false: parts of the label `tags`, between which there are commas.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, bool>,
    /// Responders that it has, true, or has not, false: parts of the label `responders`, as tags are of theirs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub responders: BTreeMap<String, bool>,
}

/// Somebody said something of an alert in place of its source. Ends when the source opens the alert anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amended {
    /// Who did so last.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// All that was said.
    #[serde(flatten)]
    pub amendment: Amendment,
}

/// How often what happened to an alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Counts {
    pub opened: u64,
    pub updated: u64,
    pub severity_changed: u64,
    pub closed: u64,
    pub acknowledged: u64,
    pub snoozed: u64,
}

/// One problem, from first firing to resolved, and again when it reopens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// The alert's id.
    pub fingerprint: Fingerprint,
    /// Grows with each change; a lower one is older news.
    pub version: u64,
    /// Who it belongs to.
    pub environment: String,
    /// What is done about it.
    pub scenario: String,
    /// Which sender it came through.
    pub integration: String,
    /// Type of the monitoring system, as in the path it posts to.
    pub monitoring_system: String,
    /// Which server of the monitoring system.
    pub source: String,
    /// Service or host group, where the sender tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The thing that is ill.
    pub object: String,
    /// The rule or trigger.
    pub name: String,
    /// How bad it is, or was when it closed.
    pub severity: Severity,
    /// Open or closed.
    pub status: Status,
    /// What catches the eye, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge: Option<Badge>,
    /// What operators have made of it.
    pub operator_state: OperatorState,
    /// Text of the problem.
    pub output: String,
    /// Text before the last change of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_output: Option<String>,
    /// What it can be filtered and grouped by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What the source says beside the text, which tells no alert from another: name to text, whole and unchanged
    /// (Alertmanager's annotations).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Where to look further: title to URL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
    /// Set while acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledgement: Option<Acknowledgement>,
    /// Set while snoozed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snooze: Option<Snooze>,
    /// Set while in downtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Downtime>,
    /// Set while handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handling: Option<Handling>,
    /// Set while assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assignment>,
    /// Set while something is said of it in place of what its source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amended: Option<Amended>,
    /// The last comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The channels that were told of it and not yet of its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// Number of the current or last opening, from 1.
    pub episode: u32,
    /// When it first opened, ever.
    pub first_opened_at: Timestamp,
    /// When it opened this time.
    pub opened_at: Timestamp,
    /// When it began this time by the source's clock, if the source says so: what comes late opens late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// When the source last spoke of it (written at most every 30 s while nothing changes).
    pub last_event_at: Timestamp,
    /// When this version came to be.
    pub changed_at: Timestamp,
    /// When it closed, while it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Milliseconds it was open in all the episodes that have ended.
    pub total_duration_ms: u64,
    /// How often what happened.
    pub counts: Counts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_keep_the_numbers_of_harp() {
        let numbers: Vec<_> = Severity::ALL
            .iter()
            .map(|severity| (severity.name(), severity.number()))
            .collect();
        assert_eq!(
            numbers,
            [
                ("ok", 0),
                ("information", 1),
                ("warning", 2),
                ("critical", 3),
                ("unknown", 4),
                ("urgent", 5),
                ("down", 6)
            ]
        );
        assert_eq!(Severity::from_number(5), Some(Severity::Urgent));
        assert_eq!(Severity::from_number(7), None);
        assert_eq!(Severity::from_number(-1), None);
    }

    #[test]
    fn a_severity_is_read_in_any_case_and_an_unknown_one_is_refused() {
        assert_eq!("Critical".parse(), Ok(Severity::Critical));
        assert!(
            "fatal"
                .parse::<Severity>()
                .unwrap_err()
                .to_string()
                .contains("use ok, information")
        );
    }
}
