//! What the daemon keeps of an alert.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use schemas::{Alert, AlertEvent, HoldKind, LedgerEntry, Origin, Reason, Severity, Status};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Keys of commands that are remembered, to answer a repeated one without applying it again.
pub const REMEMBERED_KEYS: usize = 32;
/// An alert with everything that the next transition needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertState {
    /// What everybody sees.
    pub alert: Alert,
    /// The last event that was applied; older ones are repetitions.
    pub origin: Option<Origin>,
    /// Of the events that were applied, the one that was accepted last; spooled ones that are not newer are repetitions
    /// or were overtaken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Accepted>,
    /// Of all events that were seen, whatever came of them, the one that was accepted last. An event that was accepted
    /// later is no repetition, even if its offset was there before: the log was put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Accepted>,
    /// Sequence of the last history entry.
    pub history_sequence: u64,
    /// What people do with it, in the order of [`HoldKind`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// How far the scenario's steps are in this episode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepState>,
    /// The scenario that is on record as missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_scenario: Option<String>,
    /// When the last reopenings were, oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub reopened_at: VecDeque<Timestamp>,
    /// Keys of the commands that were applied last, oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub applied_keys: VecDeque<String>,
    /// What the source says, while something else is said of the alert in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// Until when what the source said holds, if it does not hold until the source says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
    /// By how many seconds the end that its source named had passed when the alert opened all the same: its sender's clock is
    /// slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_lag_seconds: Option<i64>,
    /// The episode was opened by what may have been an end, and nothing else has said since that the problem is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_guessed: bool,
    /// The source has said different things in this episode, beyond numbers: perhaps of several problems.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_several_texts: bool,
    /// When the run of a heartbeat began that has not ended yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_began_at: Option<Timestamp>,
    /// The last episode that its source has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedEpisode>,
    /// When a change of the text was last recorded in this episode, and whether there is a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextRecord>,
    /// How often the whole state was written. A [`LastSeen`] belongs to one of these writes.
    #[serde(default, skip_serializing_if = "is_never")]
    pub writes: u64,
    /// What is open where, or could not be opened. Kept in rows of its own, so not a part of the document; rows that
    /// are settled otherwise are left out.
    #[serde(skip)]
    pub ledger: Vec<LedgerEntry>,
}

/// Something that a person does with an open alert, and that holds its steps back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What it is.
    pub kind: HoldKind,
    /// Who began it.
    pub by: String,
    /// For whom, where that may be another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Until when, if it ends by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What else ends it.
    pub ends_with: EndsWith,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What happens to an alert that ends a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct EndsWith {
    pub severity: bool,
    pub output: bool,
    pub close: bool,
    pub reopen: bool,
}

/// An episode that its source has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedEpisode {
    /// When it began, by the clock of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// When it ended, by the clock of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When it was closed, by our clock.
    pub closed_at: Timestamp,
    /// The history says that a late event of it was ignored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_noted: bool,
}

/// When which event was accepted; of two, the greater one is the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Accepted {
    /// By the collector's clock.
    pub at: Timestamp,
    /// Of the events of one body, later ones have greater ids.
    pub event_id: Uuid,
}

impl Accepted {
    /// Of this event.
    pub fn of(event: &AlertEvent) -> Self {
        Self {
            at: event.accepted_at,
            event_id: event.event_id,
        }
    }
}

/// How far one step of the scenario is in this episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    /// [`schemas::config::Step::id`]: a changed scenario keeps what is done.
    pub id: String,
    /// Whether its endpoints were notified.
    pub is_notified: bool,
    /// It notifies again, those of its endpoints that could not be reached.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_retry: bool,
    /// When its delay is over, if nothing holds it back from now on. Time during which it is held back does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Since when it is held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
    /// All that held it back when it was evaluated last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed_by: Vec<Reason>,
}

/// The words of a source that can be amended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Said {
    pub severity: Severity,
    pub name: String,
    pub output: String,
    pub scenario: String,
    pub labels: BTreeMap<String, String>,
}

/// How far the changes of an alert's text are on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRecord {
    /// When a change was written to the history last.
    pub recorded_at: Timestamp,
    /// What has changed since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<TextChange>,
}

/// Which text of an alert has changed; of two, the greater one is worth more in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextChange {
    /// What the source says beneath what was amended.
    Beneath,
    /// The name, the labels, the annotations, the links or the service.
    Details,
    /// The output.
    Output,
}

/// Until when the word of a source holds. When it holds no longer the alert ends; or begins, if the word was a call of a
/// heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// When the source was last heard of. It may have been heard of again since then, but for less than the slack that
    /// is added before anything is done.
    pub heard_at: Timestamp,
    /// For how many seconds its word holds.
    pub lifetime_seconds: u64,
    /// When it holds no longer.
    pub expires_at: Timestamp,
    /// When the question was put whether the source has fallen silent, while there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The heartbeat that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
}

/// What a refresh, or the answer of a channel, changes in a state that stays as it is otherwise. It is written by itself, since
/// it is small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSeen {
    /// [`AlertState::writes`] of the state that it belongs to: a state that was written since then knows better.
    pub writes: u64,
    /// [`AlertState::history_sequence`].
    pub history_sequence: u64,
    /// [`schemas::Alert::last_event_at`].
    pub last_event_at: Timestamp,
    /// [`Expiry::heard_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// [`Expiry::expires_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// [`AlertState::origin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// [`AlertState::newest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Accepted>,
    /// [`AlertState::heard`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Accepted>,
}

impl AlertState {
    /// When the source was last heard of.
    pub fn last_seen(&self) -> LastSeen {
        let expiry = self.expiry.as_ref();
        LastSeen {
            writes: self.writes,
            history_sequence: self.history_sequence,
            last_event_at: self.alert.last_event_at,
            heard_at: expiry.map(|expiry| expiry.heard_at),
            expires_at: expiry.map(|expiry| expiry.expires_at),
            origin: self.origin,
            newest: self.newest,
            heard: self.heard,
        }
    }

    /// Takes over when the source was last heard of, if that belongs to this state.
    pub fn take_last_seen(&mut self, seen: LastSeen) {
        if seen.writes != self.writes {
            return;
        }
        self.history_sequence = seen.history_sequence;
        self.alert.last_event_at = seen.last_event_at;
        if let (Some(expiry), Some(heard_at), Some(expires_at)) =
            (&mut self.expiry, seen.heard_at, seen.expires_at)
        {
            (expiry.heard_at, expiry.expires_at) = (heard_at, expires_at);
        }
        (self.origin, self.newest, self.heard) = (seen.origin, seen.newest, seen.heard);
    }

    /// Whether the problem is there.
    pub fn is_open(&self) -> bool {
        self.alert.status == Status::Open
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_never(writes: &u64) -> bool {
    *writes == 0
}
