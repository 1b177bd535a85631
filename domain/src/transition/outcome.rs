//! What a transition answers.

use schemas::{AlertEvent, CommandAnswer, HistoryEntry, LedgerEntry, Notification};

use crate::state::AlertState;

/// What is to be kept, told and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The state after it; `None` when there was no alert and none was made.
    pub state: Option<AlertState>,
    /// What is to be done with the state.
    pub effect: Effect,
    /// New lines of the history.
    pub history: Vec<HistoryEntry>,
    /// Ledger rows that are new or have changed.
    pub ledger: Vec<LedgerEntry>,
    /// What is to be told.
    pub notifications: Vec<Notification>,
    /// The answer, if the input was a command.
    pub answer: Option<CommandAnswer>,
    /// The question whether the source has fallen silent, to be sent the way of the events.
    pub question: Option<AlertEvent>,
    /// Why nothing was done, if nothing was; for the metrics.
    pub ignored: Option<Ignored>,
}

/// What is to be done with the state of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It is as it was.
    Nothing,
    /// The document is as it was, but for what [`AlertState::last_seen`] has of it. There may be new lines of the history and
    /// new rows of the ledger.
    Seen,
    /// It must be kept, but nobody else can see a difference.
    Keep,
    /// It must be kept and everybody be told: the alert has a new version.
    Publish,
}

/// Why an input led to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// The event, or a later one of the same alert, was already applied.
    Repetition,
    /// The source closes, or acknowledges, what is not open.
    NothingOpen,
    /// It belongs to an episode that has ended.
    EndedEpisode,
    /// Nothing new: the alert is already known exactly so.
    Refresh,
    /// The receipt is about something that is settled.
    Settled,
    /// The deadline was overtaken by something else.
    Overtaken,
}

impl Ignored {
    /// The word for it, as in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Ignored::Repetition => "repetition",
            Ignored::NothingOpen => "nothing_open",
            Ignored::EndedEpisode => "ended_episode",
            Ignored::Refresh => "refresh",
            Ignored::Settled => "settled",
            Ignored::Overtaken => "overtaken",
        }
    }
}

impl Outcome {
    pub(super) fn nothing(state: Option<AlertState>) -> Self {
        Self {
            state,
            effect: Effect::Nothing,
            history: Vec::new(),
            ledger: Vec::new(),
            notifications: Vec::new(),
            answer: None,
            question: None,
            ignored: None,
        }
    }
}
