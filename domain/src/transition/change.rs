//! A transition in the making: the state so far, and what is to be kept, notified and answered.
//!
//! It is changed by all that take part in a transition, and calls none of them.

use jiff::Timestamp;
use schemas::{
    AlertEvent, Command, CommandAnswer, CommandOutcome, DecoratedEvent, Fingerprint, Happening, HistoryEntry,
    HistoryKind, LedgerEntry, LedgerState, Notification, NotificationKind, Received, What,
};
use uuid::Uuid;

use super::outcome::{Effect, Ignored};
use crate::state::AlertState;
use crate::{Site, words};

/// An outcome in the making.
pub(super) struct Change<'a> {
    pub(super) state: AlertState,
    pub(super) now: Timestamp,
    pub(super) site: &'a Site,
    pub(super) accepted_at: Timestamp,
    /// Names of the rules that applied to the event, if it is one.
    pub(super) rules: Vec<String>,
    pub(super) effect: Effect,
    pub(super) history: Vec<HistoryEntry>,
    /// Indexes into the state's ledger.
    pub(super) touched: Vec<usize>,
    pub(super) notifications: Vec<Notification>,
    pub(super) answer: Option<CommandAnswer>,
    pub(super) question: Option<AlertEvent>,
    pub(super) ignored: Option<Ignored>,
}

/// What became of an action.
pub(super) enum Verdict {
    Applied(What),
    Unchanged(&'static str),
    Refused(String),
}

impl<'a> Change<'a> {
    pub(super) fn of(state: AlertState, now: Timestamp, accepted_at: Timestamp, site: &'a Site) -> Self {
        Self {
            state,
            now,
            site,
            accepted_at,
            rules: Vec::new(),
            effect: Effect::Nothing,
            history: Vec::new(),
            touched: Vec::new(),
            notifications: Vec::new(),
            answer: None,
            question: None,
            ignored: None,
        }
    }

    /// The same, by an event.
    pub(super) fn of_event(
        state: AlertState,
        decorated: &DecoratedEvent,
        now: Timestamp,
        site: &'a Site,
    ) -> Self {
        Self {
            rules: decorated.rules.clone(),
            ..Self::of(state, now, decorated.event.accepted_at, site)
        }
    }

    /// What [`AlertState::last_seen`] has must be kept.
    pub(super) fn seen(&mut self) {
        self.effect = self.effect.max(Effect::Seen);
    }

    /// The state must be kept.
    pub(super) fn keep(&mut self) {
        self.effect = self.effect.max(Effect::Keep);
    }

    /// The alert is no longer what it was.
    pub(super) fn publish(&mut self) {
        self.effect = Effect::Publish;
    }

    /// Adds a line about the alert itself to the history; everybody is to see it.
    pub(super) fn record(&mut self, happening: Happening, event: Option<&AlertEvent>) {
        self.note(happening, event);
        self.publish();
    }

    /// Adds a line to the history; the alert itself stays as it is.
    pub(super) fn note(&mut self, happening: Happening, event: Option<&AlertEvent>) {
        self.seen();
        self.state.history_sequence += 1;
        self.history.push(HistoryEntry {
            fingerprint: self.state.alert.fingerprint,
            sequence: self.state.history_sequence,
            at: self.now,
            happening,
            event_id: event.map(|event| event.event_id),
            received: event.map(|event| self.received(event)),
        });
    }

    fn received(&self, event: &AlertEvent) -> Received {
        Received {
            accepted_at: event.accepted_at,
            source: event.source.clone(),
            key: event.key.clone(),
            rules: self.rules.clone(),
        }
    }

    /// Hands an update to every channel that has this alert open and follows this kind of change.
    pub(super) fn notify_followers(&mut self, happening: &Happening) {
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
    pub(super) fn close_everywhere(&mut self, reason: &str) {
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
    pub(super) fn hand_out(
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
    pub(super) fn touch(&mut self, index: usize) {
        if !self.touched.contains(&index) {
            self.touched.push(index);
        }
        self.seen();
    }

    /// Whether this change opens the alert.
    pub(super) fn opens(&self) -> bool {
        self.history
            .iter()
            .any(|entry| matches!(entry.kind(), HistoryKind::Opened | HistoryKind::Reopened))
    }

    pub(super) fn answer(&mut self, command: &Command, outcome: CommandOutcome, reason: Option<String>) {
        self.answer = Some(CommandAnswer {
            command_id: command.command_id,
            outcome,
            reason,
        });
    }
}

/// The same notification always gets the same id, however often the decision is repeated after a crash.
fn notification_id(fingerprint: Fingerprint, entry: &LedgerEntry) -> Uuid {
    let hash = crate::fingerprint([
        fingerprint.to_string().as_str(),
        &entry.episode.to_string(),
        entry.channel.name(),
        &entry.destination,
        entry.bot.as_deref().unwrap_or_default(),
        &entry.sequence.to_string(),
    ]);
    uuid::Builder::from_custom_bytes(*hash.as_bytes()).into_uuid()
}
