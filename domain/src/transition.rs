//! The heart: what becomes of an alert when something happens.
//!
//! `transition(state, input, now, site) -> outcome`. No clock and no I/O inside: it runs the same in production, in
//! property tests and in a replay. Whatever it decides is in the [`Outcome`]; the daemon only carries it out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemas::{
    AlertEvent, Channel, Command, CommandAnswer, CommandOutcome, DecoratedEvent, Fingerprint, Happening,
    HistoryEntry, HistoryKind, LedgerEntry, LedgerState, Notification, NotificationKind, Receipt,
};
use uuid::Uuid;

use crate::state::AlertState;
use crate::{Site, steps, words};

mod amendment;
mod clock_skew;
mod commands;
mod events;
#[cfg(test)]
pub(crate) mod examples;
pub(crate) mod expiry;
mod guess;
pub(crate) mod heartbeat;
pub(crate) mod holds;
#[cfg(test)]
mod properties;
mod receipts;
pub(crate) mod retry;
mod stale;
#[cfg(test)]
mod story;
#[cfg(test)]
mod tests;
pub(crate) mod text;
#[cfg(test)]
mod world;

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// The source said something.
    Event(&'a DecoratedEvent),
    /// An operator wants something.
    Command(&'a Command),
    /// A channel says what became of a notification.
    Receipt(&'a Receipt),
    /// The time of the alert's deadline has come.
    Deadline,
}

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

/// What becomes of an alert when something happens to it.
///
/// `state` is what is known of the alert, `now` the time of the decision, `site` the configuration it is made with.
pub fn transition(state: Option<AlertState>, input: Input<'_>, now: Timestamp, site: &Site) -> Outcome {
    match (state, input) {
        (None, Input::Event(event)) => events::first(event, now, site),
        (None, Input::Command(command)) => Outcome {
            answer: Some(commands::unknown(command)),
            ..Outcome::nothing(None)
        },
        (None, Input::Receipt(_)) => Outcome {
            ignored: Some(Ignored::Settled),
            ..Outcome::nothing(None)
        },
        (None, Input::Deadline) => Outcome {
            ignored: Some(Ignored::Overtaken),
            ..Outcome::nothing(None)
        },
        (Some(state), Input::Event(event)) => {
            Change::of(state, now, event.event.accepted_at, site).run(|change| events::next(change, event))
        }
        (Some(state), Input::Command(command)) => {
            Change::of(state, now, command.requested_at, site).run(|change| commands::apply(change, command))
        }
        (Some(state), Input::Receipt(receipt)) => {
            Change::of(state, now, now, site).run(|change| receipts::apply(change, receipt))
        }
        (Some(state), Input::Deadline) => Change::of(state, now, now, site).run(deadline),
    }
}

/// Ends what has come to its end; what has expired and the scenario's due steps follow in [`Change::run`].
fn deadline(change: &mut Change<'_>) {
    let held = holds::end_expired(change);
    heartbeat::end_removed(change);
    if !held {
        change.ignored = Some(Ignored::Overtaken);
    }
}

impl Outcome {
    fn nothing(state: Option<AlertState>) -> Self {
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

/// An outcome in the making.
pub(crate) struct Change<'a> {
    pub(crate) state: AlertState,
    pub(crate) now: Timestamp,
    pub(crate) site: &'a Site,
    accepted_at: Timestamp,
    effect: Effect,
    history: Vec<HistoryEntry>,
    /// Indexes into the state's ledger.
    touched: Vec<usize>,
    notifications: Vec<Notification>,
    answer: Option<CommandAnswer>,
    question: Option<AlertEvent>,
    ignored: Option<Ignored>,
}

impl<'a> Change<'a> {
    fn of(state: AlertState, now: Timestamp, accepted_at: Timestamp, site: &'a Site) -> Self {
        Self {
            state,
            now,
            site,
            accepted_at,
            effect: Effect::Nothing,
            history: Vec::new(),
            touched: Vec::new(),
            notifications: Vec::new(),
            answer: None,
            question: None,
            ignored: None,
        }
    }

    fn run(mut self, step: impl FnOnce(&mut Self)) -> Outcome {
        step(&mut self);
        self.finish()
    }

    fn finish(mut self) -> Outcome {
        expiry::advance(&mut self);
        text::advance(&mut self);
        steps::advance(&mut self);
        holds::show(&self.state.holds, &mut self.state.alert);
        let channels = channels_told(&self.state.ledger);
        if channels != self.state.alert.channels {
            self.state.alert.channels = channels;
            self.publish();
        }
        if self.effect == Effect::Publish {
            self.state.alert.version += 1;
            self.state.alert.changed_at = self.now;
        }
        // A notification shows the alert as it is at the end of the change, under the version that everybody sees.
        for notification in &mut self.notifications {
            notification.alert = self.state.alert.clone();
        }
        if self.effect != Effect::Nothing {
            self.ignored = None;
        }
        let ledger = self
            .touched
            .iter()
            .map(|index| self.state.ledger[*index].clone())
            .collect();
        let (episode, open) = (self.state.alert.episode, self.state.is_open());
        // A later step may try a destination again that could not be reached.
        let again =
            |entry: &LedgerEntry| open && entry.episode == episode && entry.state == LedgerState::Failed;
        self.state
            .ledger
            .retain(|entry| !entry.state.settled() || again(entry));
        Outcome {
            state: Some(self.state),
            effect: self.effect,
            history: self.history,
            ledger,
            notifications: self.notifications,
            answer: self.answer,
            question: self.question,
            ignored: self.ignored,
        }
    }

    /// What [`AlertState::last_seen`] has must be kept.
    pub(crate) fn seen(&mut self) {
        self.effect = self.effect.max(Effect::Seen);
    }

    /// The state must be kept.
    pub(crate) fn keep(&mut self) {
        self.effect = self.effect.max(Effect::Keep);
    }

    /// The alert is no longer what it was.
    pub(crate) fn publish(&mut self) {
        self.effect = Effect::Publish;
    }

    /// Adds a line about the alert itself to the history; everybody is to see it.
    pub(crate) fn record(&mut self, happening: Happening, event: Option<&AlertEvent>) {
        self.note(happening, event);
        self.publish();
    }

    /// Adds a line to the history; the alert itself stays as it is.
    pub(crate) fn note(&mut self, happening: Happening, event: Option<&AlertEvent>) {
        self.seen();
        self.state.history_sequence += 1;
        self.history.push(HistoryEntry {
            fingerprint: self.state.alert.fingerprint,
            sequence: self.state.history_sequence,
            at: self.now,
            happening,
            event_id: event.map(|event| event.event_id),
        });
    }

    /// Hands an update to every channel that has this alert open and follows this kind of change.
    pub(crate) fn tell_followers(&mut self, happening: &Happening) {
        let (cause, reason) = (happening.what.kind(), words::notice(happening));
        for index in 0..self.state.ledger.len() {
            let entry = &self.state.ledger[index];
            let open = matches!(entry.state, LedgerState::Opening | LedgerState::Open);
            if open
                && entry.episode == self.state.alert.episode
                && entry.channel.spec().follows.includes(cause)
            {
                self.hand_out(index, NotificationKind::Update, cause, &reason);
            }
        }
    }

    /// Closes everything that is open anywhere.
    pub(crate) fn close_everywhere(&mut self, reason: &str) {
        for index in 0..self.state.ledger.len() {
            if matches!(
                self.state.ledger[index].state,
                LedgerState::Opening | LedgerState::Open
            ) {
                self.state.ledger[index].state = LedgerState::Closing;
                self.hand_out(index, NotificationKind::Close, HistoryKind::Closed, reason);
            }
        }
    }

    /// Hands a notification for a ledger row to its channel.
    pub(crate) fn hand_out(
        &mut self,
        index: usize,
        kind: NotificationKind,
        cause: HistoryKind,
        reason: &str,
    ) {
        let fingerprint = self.state.alert.fingerprint;
        let now = self.now;
        let entry = &mut self.state.ledger[index];
        entry.sequence += 1;
        entry.changed_at = now;
        self.notifications.push(Notification {
            notification_id: notification_id(fingerprint, entry),
            fingerprint,
            episode: entry.episode,
            sequence: entry.sequence,
            channel: entry.channel,
            destination: entry.destination.clone(),
            bot: entry.bot.clone(),
            kind,
            cause,
            reason: reason.to_owned(),
            alert: self.state.alert.clone(),
            accepted_at: self.accepted_at,
            created_at: now,
        });
        self.touch(index);
    }

    /// The ledger row has changed.
    pub(crate) fn touch(&mut self, index: usize) {
        if !self.touched.contains(&index) {
            self.touched.push(index);
        }
        self.seen();
    }

    /// Whether this change opens the alert.
    pub(crate) fn opens(&self) -> bool {
        self.history
            .iter()
            .any(|entry| matches!(entry.kind(), HistoryKind::Opened | HistoryKind::Reopened))
    }

    /// Opens a ledger row; answers its index.
    pub(crate) fn open_row(&mut self, entry: LedgerEntry) -> usize {
        self.state.ledger.push(entry);
        self.state.ledger.len() - 1
    }

    fn answer(&mut self, command: &Command, outcome: CommandOutcome, reason: Option<String>) {
        self.answer = Some(CommandAnswer {
            command_id: command.command_id,
            outcome,
            reason,
        });
    }
}

/// The channels that have the alert open.
fn channels_told(ledger: &[LedgerEntry]) -> Vec<Channel> {
    let open = ledger
        .iter()
        .filter(|entry| matches!(entry.state, LedgerState::Opening | LedgerState::Open));
    open.map(|entry| entry.channel)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// The same notification always gets the same id, however often the decision is repeated after a crash.
fn notification_id(fingerprint: Fingerprint, entry: &LedgerEntry) -> Uuid {
    let hash = crate::fingerprint([
        fingerprint.to_string().as_str(),
        &entry.episode.to_string(),
        entry.channel.name(),
        &entry.destination,
        &entry.sequence.to_string(),
    ]);
    uuid::Builder::from_custom_bytes(*hash.as_bytes()).into_uuid()
}
