//! A daemon and the way of its events, for tests about silence.

use schemas::{Channel, DecoratedEvent, Origin};

use crate::transition::deadlines::{DeadlineKind, next_deadline};
use crate::transition::examples::{at, site, step};
use crate::transition::{Effect, Input, Outcome, transition};
use crate::{AlertState, Site};

/// The way of the events: what was accepted and not read yet, and a daemon that reads it.
pub struct World {
    pub site: Site,
    pub state: Option<AlertState>,
    pub now: i64,
    pub accepted: Vec<DecoratedEvent>,
    pub read: usize,
}

impl World {
    pub fn new() -> Self {
        Self {
            site: site(vec![step(Channel::Slack, "#ops")]),
            state: None,
            now: 0,
            accepted: Vec::new(),
            read: 0,
        }
    }

    /// Something is accepted.
    pub fn says(&mut self, mut event: DecoratedEvent) {
        event.origin.offset = self.accepted.len() as u64;
        self.accepted.push(event);
    }

    /// Only what must be kept is kept, as in the database.
    pub fn take(&mut self, input: Input<'_>) -> Outcome {
        let outcome = transition(self.state.clone(), input, at(self.now), &self.site);
        match (outcome.effect, &mut self.state, &outcome.state) {
            (Effect::Nothing, _, _) => {}
            (Effect::Seen, Some(kept), Some(state)) => kept.take_last_seen(state.last_seen()),
            (_, kept, state) => kept.clone_from(state),
        }
        if let Some(question) = outcome.question.clone() {
            self.says(DecoratedEvent {
                event: question,
                origin: Origin {
                    partition: 0,
                    offset: 0,
                },
                spooled: false,
                rules: Vec::new(),
                environment: "default".to_owned(),
                scenario: "default".to_owned(),
            });
        }
        outcome
    }

    pub fn reads(&mut self) -> Option<Outcome> {
        let event = self.accepted.get(self.read)?.clone();
        self.read += 1;
        Some(self.take(Input::Event(&event)))
    }

    pub fn reads_all(&mut self) -> Outcome {
        let mut last = None;
        while let Some(outcome) = self.reads() {
            last = Some(outcome);
        }
        last.expect("something to read")
    }

    pub fn due(&self) -> Option<i64> {
        let deadline = next_deadline(self.state.as_ref()?, &self.site, at(self.now))?;
        assert_eq!(deadline.kind, DeadlineKind::Expiry);
        Some(deadline.due_at.duration_since(at(0)).as_secs())
    }

    pub fn wakes(&mut self) -> Option<Outcome> {
        (self.due()? <= self.now).then(|| self.take(Input::Deadline))
    }

    pub fn is_open(&self) -> bool {
        self.state.as_ref().is_some_and(AlertState::is_open)
    }
}
