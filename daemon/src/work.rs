//! What comes of a batch: a pure fold of transitions over the states they concern.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::deadlines::{Deadline, kept_deadline};
use domain::transition::{Effect, Ignored};
use domain::{AlertState, Input, Outcome, Site, transition};
use jiff::Timestamp;
use pipeline::log::{Batch, Received};
use pipeline::trace::record_headers;
use schemas::{
    AlertChanged, AlertEvent, Command, CommandAnswer, CommandOutcome, DecoratedEvent, Endpoint, Fingerprint,
    HEADER_TRACEPARENT, HistoryEntry, LedgerEntry, Notification, Receipt, Topic,
};
use store::{Commit, OutboxMessage, RequestOutcome};

/// A message of one of the daemon's topics.
#[derive(Debug)]
pub(crate) enum Message {
    Event(Box<DecoratedEvent>),
    Command(Box<Command>),
    Receipt(Box<Receipt>),
}

impl Message {
    /// Reads a record of one of [`crate::TOPICS`].
    pub(crate) fn read(topic: Topic, record: &Received) -> Result<Self, String> {
        let value = record.value.as_deref().ok_or("the record has no value")?;
        let message = if topic == Topic::ALERTS_COMMANDS {
            serde_json::from_slice(value).map(|command| Message::Command(Box::new(command)))
        } else if topic == Topic::NOTIFICATIONS_RECEIPTS {
            serde_json::from_slice(value).map(|receipt| Message::Receipt(Box::new(receipt)))
        } else {
            serde_json::from_slice(value).map(|event| Message::Event(Box::new(event)))
        };
        message.map_err(|error| error.to_string())
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        match self {
            Message::Event(event) => event.event.fingerprint,
            Message::Command(command) => command.fingerprint,
            Message::Receipt(receipt) => receipt.fingerprint,
        }
    }

    fn input(&self) -> Input<'_> {
        match self {
            Message::Event(event) => Input::Event(event),
            Message::Command(command) => Input::Command(command),
            Message::Receipt(receipt) => Input::Receipt(receipt),
        }
    }

    /// When the collector or the API took it; no one requests receipts.
    fn accepted_at(&self) -> Option<Timestamp> {
        match self {
            Message::Event(event) => Some(event.event.accepted_at),
            Message::Command(command) => Some(command.requested_at),
            Message::Receipt(_) => None,
        }
    }
}

/// The outcomes of a batch, gathered until they are committed together.
pub(crate) struct Work<'a> {
    now: Timestamp,
    site: &'a Site,
    states: HashMap<Fingerprint, AlertState>,
    /// Alerts whose state must be written.
    kept: BTreeMap<Fingerprint, ()>,
    /// Of which only the time of the last event is to be written, unless the state is.
    seen: BTreeSet<Fingerprint>,
    changes: BTreeMap<Fingerprint, AlertChange>,
    pub(crate) history: Vec<HistoryEntry>,
    ledger: BTreeMap<(Fingerprint, u32, Endpoint), (Fingerprint, LedgerEntry)>,
    notifications: Vec<(Notification, Option<String>)>,
    /// Whether sources have fallen silent.
    questions: Vec<AlertEvent>,
    /// What came of requests that changed nothing, where their senders may ask.
    outcomes: Vec<RequestOutcome>,
    pub(crate) ignored: Vec<&'static str>,
    pub(crate) accepted_at: Vec<Timestamp>,
}

/// What is to be said of one alert after the batch: only its last version.
struct AlertChange {
    accepted_at: Timestamp,
    answers: Vec<CommandAnswer>,
    traceparent: Option<String>,
}

impl<'a> Work<'a> {
    /// Nothing yet, on these states.
    pub(crate) fn new(now: Timestamp, site: &'a Site, states: HashMap<Fingerprint, AlertState>) -> Self {
        Self {
            now,
            site,
            states,
            kept: BTreeMap::new(),
            seen: BTreeSet::new(),
            changes: BTreeMap::new(),
            history: Vec::new(),
            ledger: BTreeMap::new(),
            notifications: Vec::new(),
            questions: Vec::new(),
            outcomes: Vec::new(),
            ignored: Vec::new(),
            accepted_at: Vec::new(),
        }
    }

    /// Applies one message.
    pub(crate) fn message(&mut self, message: &Message, traceparent: Option<String>) {
        let fingerprint = message.fingerprint();
        let outcome = transition(
            self.states.remove(&fingerprint),
            message.input(),
            self.now,
            self.site,
        );
        self.note_outcome(message, outcome.ignored);
        self.take(fingerprint, outcome, message.accepted_at(), traceparent);
    }

    /// What was applied, or was refused with a reason, is in the history; what was seen before was noted then.
    fn note_outcome(&mut self, message: &Message, ignored: Option<Ignored>) {
        let Message::Event(event) = message else { return };
        let (Some(ignored), true) = (ignored, event.event.outcome_wanted) else {
            return;
        };
        if ignored != Ignored::Repetition {
            self.outcomes.push(RequestOutcome {
                event_id: event.event.event_id,
                at: self.now,
                outcome: ignored.name().to_owned(),
            });
        }
    }

    /// Answers a command that cannot be applied, as its alert cannot be read.
    pub(crate) fn refuse(&mut self, command: &Command, reason: String) {
        let change = self.change(command.fingerprint, Some(command.requested_at), None);
        change.answers.push(CommandAnswer {
            command_id: command.command_id,
            outcome: CommandOutcome::Refused,
            reason: Some(reason),
        });
    }

    /// Applies the deadline of an alert. The state is written in any case, as its deadline must be a new one.
    pub(crate) fn deadline(&mut self, fingerprint: Fingerprint) {
        let outcome = transition(
            self.states.remove(&fingerprint),
            Input::Deadline,
            self.now,
            self.site,
        );
        if outcome.state.is_some() {
            self.kept.insert(fingerprint, ());
        }
        self.take(fingerprint, outcome, None, None);
    }

    /// Looks at an alert as if its deadline had come. Its state is written only if that changes anything, or if its
    /// deadline is no longer the one that is stored.
    pub(crate) fn look_again(&mut self, fingerprint: Fingerprint, stored: Timestamp) {
        let outcome = transition(
            self.states.remove(&fingerprint),
            Input::Deadline,
            self.now,
            self.site,
        );
        let deadline = outcome
            .state
            .as_ref()
            .map(|state| kept_deadline(state, self.site, self.now));
        // One that is stored for an earlier time than is needed is another one when it comes.
        if deadline.is_some_and(|deadline| deadline.is_none_or(|deadline| deadline.due_at < stored)) {
            self.kept.insert(fingerprint, ());
        }
        self.take(fingerprint, outcome, None, None);
    }

    /// What the alert is so far, if it is known.
    pub(crate) fn state(&self, fingerprint: Fingerprint) -> Option<&AlertState> {
        self.states.get(&fingerprint)
    }

    /// Whether there is nothing to commit but positions.
    pub(crate) fn is_nothing(&self) -> bool {
        self.kept.is_empty()
            && self.seen.is_empty()
            && self.changes.is_empty()
            && self.history.is_empty()
            && self.ledger.is_empty()
            && self.questions.is_empty()
            && self.outcomes.is_empty()
    }

    fn take(
        &mut self,
        fingerprint: Fingerprint,
        outcome: Outcome,
        accepted_at: Option<Timestamp>,
        traceparent: Option<String>,
    ) {
        if let Some(ignored) = outcome.ignored {
            self.ignored.push(ignored.name());
        }
        if outcome.effect > Effect::Seen {
            self.kept.insert(fingerprint, ());
        } else if outcome.effect == Effect::Seen {
            self.seen.insert(fingerprint);
        }
        if outcome.effect != Effect::Nothing {
            self.accepted_at.extend(accepted_at);
        }
        if outcome.effect == Effect::Publish || outcome.answer.is_some() {
            let change = self.change(fingerprint, accepted_at, traceparent.clone());
            change.answers.extend(outcome.answer);
        }
        self.history.extend(outcome.history);
        for entry in outcome.ledger {
            let endpoint = Endpoint {
                channel: entry.channel,
                destination: entry.destination.clone(),
                bot: entry.bot.clone(),
            };
            let key = (fingerprint, entry.episode, endpoint);
            self.ledger.insert(key, (fingerprint, entry));
        }
        let notifications = outcome.notifications.into_iter();
        self.notifications
            .extend(notifications.map(|notification| (notification, traceparent.clone())));
        self.questions.extend(outcome.question);
        if let Some(state) = outcome.state {
            self.states.insert(fingerprint, state);
        }
    }

    fn change(
        &mut self,
        fingerprint: Fingerprint,
        accepted_at: Option<Timestamp>,
        traceparent: Option<String>,
    ) -> &mut AlertChange {
        let accepted_at = accepted_at.unwrap_or(self.now);
        self.changes.entry(fingerprint).or_insert_with(|| AlertChange {
            accepted_at,
            answers: Vec::new(),
            traceparent,
        })
    }

    /// The states, which are as they were.
    pub(crate) fn into_states(self) -> impl Iterator<Item = AlertState> {
        self.states.into_values()
    }

    /// Everything in one commit, and the states that have not changed.
    pub(crate) fn into_commit(
        mut self,
        positions: BTreeMap<Topic, u64>,
    ) -> (Commit, impl Iterator<Item = AlertState>) {
        let mut outbox = Vec::with_capacity(self.changes.len() + self.notifications.len());
        for (fingerprint, change) in std::mem::take(&mut self.changes) {
            let message = AlertChanged {
                fingerprint,
                alert: self.states.get(&fingerprint).map(|state| state.alert.clone()),
                accepted_at: change.accepted_at,
                answers: change.answers,
                heartbeat: false,
            };
            let headers = record_headers(change.traceparent.as_deref());
            outbox.push(outbox_message(
                Topic::ALERTS_CHANGED,
                fingerprint.to_string(),
                &message,
                headers,
            ));
        }
        for (notification, traceparent) in &self.notifications {
            let topic = notification.channel.topic();
            let headers = record_headers(traceparent.as_deref());
            outbox.push(outbox_message(
                topic,
                notification.destination.clone(),
                notification,
                headers,
            ));
        }
        for question in &self.questions {
            let key = question.fingerprint.to_string();
            outbox.push(outbox_message(
                Topic::ALERTS_COLLECTED,
                key,
                question,
                record_headers(None),
            ));
        }
        let states = self.states_to_write();
        let seen = self.seen.iter();
        let seen =
            seen.filter_map(|fingerprint| Some((*fingerprint, self.states.get(fingerprint)?.last_seen())));
        let commit = Commit {
            seen: seen.collect(),
            states,
            history: self.history,
            ledger: self.ledger.into_values().collect(),
            outbox,
            published: Vec::new(),
            positions,
            outcomes: self.outcomes,
        };
        (commit, self.states.into_values())
    }

    fn states_to_write(&mut self) -> Vec<(AlertState, Option<Deadline>)> {
        let kept = std::mem::take(&mut self.kept);
        kept.into_keys()
            .filter_map(|fingerprint| self.states.remove(&fingerprint))
            .map(|mut state| {
                state.writes += 1;
                let deadline = kept_deadline(&state, self.site, self.now);
                (state, deadline)
            })
            .collect()
    }
}

#[expect(
    clippy::expect_used,
    reason = "messages are made of text, numbers and times, which have a JSON form"
)]
fn outbox_message(
    topic: Topic,
    key: String,
    message: &impl serde::Serialize,
    headers: Vec<(String, String)>,
) -> OutboxMessage {
    let value = serde_json::to_string(message).expect("a message has a JSON form");
    OutboxMessage {
        topic: topic.name().to_owned(),
        key,
        value,
        headers,
    }
}

/// The trace that a record belongs to, continued by the daemon's own span.
pub(crate) fn traceparent(
    tracer: &pipeline::trace::Tracer,
    record: &Received,
    start: Timestamp,
    end: Timestamp,
) -> Option<String> {
    tracer.span("daemon", record.header(HEADER_TRACEPARENT), start, end)
}

/// The records of a batch that are not done yet: a batch may come again after its commit.
pub(crate) fn not_done(batch: &Batch, position: u64) -> &[Received] {
    let first = batch.records.partition_point(|record| record.offset < position);
    &batch.records[first..]
}
