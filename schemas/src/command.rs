//! Actions on alerts, and who requests them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::alert::Amendment;
use crate::{Fingerprint, Principal};

/// A request of an operator to act on an alert. Topic `alerts.commands`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// Names this command; its answer carries it.
    pub command_id: Uuid,
    /// A command with a key that was already applied to the alert is answered with the present state and not
    /// applied again.
    pub idempotency_key: String,
    /// Which alert.
    pub fingerprint: Fingerprint,
    /// Who requests it, as the caller says.
    pub author: String,
    /// Who has sent the request, as far as that is known.
    pub requested_by: Principal,
    /// When it was accepted.
    pub requested_at: Timestamp,
    /// What is to be done.
    pub action: Action,
}

/// What can be done to an alert, and each one's undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// I have seen it; lasts until it closes or its severity changes.
    Acknowledge {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Undo of acknowledge.
    Unacknowledge,
    /// Hide it for a time.
    Snooze {
        /// The end of it.
        until: Timestamp,
        /// Stay snoozed when the severity changes.
        #[serde(default)]
        sticky_severity: bool,
        /// Stay snoozed when the output changes.
        #[serde(default)]
        sticky_output: bool,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Undo of snooze.
    Unsnooze,
    /// Somebody works on it until a time.
    Handle {
        /// The end of it.
        until: Timestamp,
        /// Who works on it; the author when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignee: Option<String>,
    },
    /// Undo of handle.
    Unhandle,
    /// It is expected to be there until a time, whatever its source says.
    Downtime {
        /// The end of it.
        until: Timestamp,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Undo of downtime.
    CancelDowntime,
    /// Give it to somebody.
    Assign {
        /// Who gets it.
        assignee: String,
        /// The end of it, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Undo of assign.
    Unassign,
    /// Say of it what its source does not: a severity, a name, a text, a scenario or labels.
    Amend {
        /// What. It is added to what was amended before.
        #[serde(flatten)]
        amendment: Amendment,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Undo of amend: all is again as the source says.
    Unamend,
    /// Say something about it.
    Comment {
        /// What.
        comment: String,
    },
    /// Undo of comment: takes back the last comment, which stays in the history.
    Uncomment,
    /// Close it by hand.
    Resolve {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Undo of resolve: opens it again.
    Unresolve,
}

/// An action that a sender requests for its alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionRequest {
    /// The person who requests it, if the sender names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What is to be done.
    pub action: Action,
}

/// What a verb is called, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verb {
    /// The last segment of the path it is posted to.
    pub name: &'static str,
    /// The fields of its own.
    pub fields: &'static [&'static str],
}

/// All verbs. A test compares them with the variants of [`Action`].
pub const VERBS: &[Verb] = &[
    Verb::new("acknowledge", &["comment"]),
    Verb::new("unacknowledge", &[]),
    Verb::new(
        "snooze",
        &["until", "sticky_severity", "sticky_output", "comment"],
    ),
    Verb::new("unsnooze", &[]),
    Verb::new("handle", &["until", "assignee"]),
    Verb::new("unhandle", &[]),
    Verb::new("downtime", &["until", "comment"]),
    Verb::new("cancel_downtime", &[]),
    Verb::new("assign", &["assignee", "until", "comment"]),
    Verb::new("unassign", &[]),
    Verb::new(
        "amend",
        &[
            "severity",
            "name",
            "output",
            "scenario",
            "labels",
            "tags",
            "responders",
            "comment",
        ],
    ),
    Verb::new("unamend", &[]),
    Verb::new("comment", &["comment"]),
    Verb::new("uncomment", &[]),
    Verb::new("resolve", &["comment"]),
    Verb::new("unresolve", &[]),
];

impl Verb {
    const fn new(name: &'static str, fields: &'static [&'static str]) -> Self {
        Self { name, fields }
    }

    /// The verb of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        VERBS.iter().find(|verb| verb.name == name)
    }
}

impl Action {
    /// The verb, as in [`VERBS`].
    pub const fn name(&self) -> &'static str {
        match self {
            Action::Acknowledge { .. } => "acknowledge",
            Action::Unacknowledge => "unacknowledge",
            Action::Snooze { .. } => "snooze",
            Action::Unsnooze => "unsnooze",
            Action::Handle { .. } => "handle",
            Action::Unhandle => "unhandle",
            Action::Downtime { .. } => "downtime",
            Action::CancelDowntime => "cancel_downtime",
            Action::Assign { .. } => "assign",
            Action::Unassign => "unassign",
            Action::Amend { .. } => "amend",
            Action::Unamend => "unamend",
            Action::Comment { .. } => "comment",
            Action::Uncomment => "uncomment",
            Action::Resolve { .. } => "resolve",
            Action::Unresolve => "unresolve",
        }
    }

    /// Who is named in it, and the text that is said with it.
    pub fn texts_mut(&mut self) -> (Option<&mut String>, Option<&mut String>) {
        match self {
            Action::Comment { comment } => (None, Some(comment)),
            Action::Acknowledge { comment }
            | Action::Snooze { comment, .. }
            | Action::Downtime { comment, .. }
            | Action::Amend { comment, .. }
            | Action::Resolve { comment } => (None, comment.as_mut()),
            Action::Assign {
                assignee, comment, ..
            } => (Some(assignee), comment.as_mut()),
            Action::Handle { assignee, .. } => (assignee.as_mut(), None),
            Action::Unacknowledge
            | Action::Unsnooze
            | Action::Unhandle
            | Action::CancelDowntime
            | Action::Unassign
            | Action::Unamend
            | Action::Uncomment
            | Action::Unresolve => (None, None),
        }
    }

    /// Why it is to be done, if that was given.
    pub fn comment(&self) -> Option<&str> {
        match self {
            Action::Acknowledge { comment }
            | Action::Snooze { comment, .. }
            | Action::Downtime { comment, .. }
            | Action::Assign { comment, .. }
            | Action::Amend { comment, .. }
            | Action::Resolve { comment } => comment.as_deref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn every_variant_of_an_action_has_its_verb_and_its_fields() {
        let schema = serde_json::to_value(schemars::schema_for!(Action)).unwrap();
        let variants: BTreeMap<_, BTreeSet<_>> = schema["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variant| {
                let fields = variant["properties"].as_object().unwrap().keys().cloned();
                let name = variant["properties"]["type"]["const"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                (name, fields.filter(|field| field != "type").collect())
            })
            .collect();
        let verbs: BTreeMap<_, BTreeSet<_>> = VERBS
            .iter()
            .map(|verb| {
                let fields = verb.fields.iter().map(|field| (*field).to_owned());
                (verb.name.to_owned(), fields.collect())
            })
            .collect();
        assert_eq!(verbs, variants);
    }
}
