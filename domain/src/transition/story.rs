//! The story of one alert, for tests.

use jiff::Timestamp;
use schemas::config::Step;
use schemas::{
    Action, Command, CommandOutcome, EventStatus, HistoryKind, Notification, NotificationKind, Receipt,
    ReceiptOutcome, Severity,
};
use uuid::Uuid;

use super::examples::{at, event, site};
use super::{Input, Outcome, transition};
use crate::Site;
use crate::state::AlertState;

/// One alert, its site, and the offsets of its events.
pub struct Story {
    pub site: Site,
    pub state: Option<AlertState>,
    pub offset: u64,
    /// When something happened last.
    pub now: Timestamp,
}

impl Story {
    pub fn new(steps: Vec<Step>) -> Self {
        Self {
            site: site(steps),
            state: None,
            offset: 0,
            now: at(0),
        }
    }

    /// A story whose alert is open since ten o'clock.
    pub fn open(steps: Vec<Step>) -> (Self, Outcome) {
        let mut story = Self::new(steps);
        let outcome = story.fires(0, Severity::Critical, "99 %");
        (story, outcome)
    }

    pub fn take(&mut self, input: Input<'_>, now: Timestamp) -> Outcome {
        let outcome = transition(self.state.take(), input, now, &self.site);
        self.now = now;
        self.state = outcome.state.clone();
        outcome
    }

    pub fn source(&mut self, second: i64, status: EventStatus, severity: Severity, output: &str) -> Outcome {
        self.offset += 1;
        let event = event(self.offset, status, severity, output);
        self.take(Input::Event(&event), at(second))
    }

    pub fn fires(&mut self, second: i64, severity: Severity, output: &str) -> Outcome {
        self.source(second, EventStatus::Firing, severity, output)
    }

    pub fn ends(&mut self, second: i64) -> Outcome {
        self.source(second, EventStatus::Resolved, Severity::Ok, "fine again")
    }

    pub fn operator(&mut self, second: i64, action: Action) -> Outcome {
        self.operator_with_key(second, action, &format!("{second}"))
    }

    pub fn operator_with_key(&mut self, second: i64, action: Action, key: &str) -> Outcome {
        let command = Command {
            command_id: Uuid::from_u128(1),
            idempotency_key: key.to_owned(),
            fingerprint: crate::fingerprint(["disk full"]),
            author: "ann".to_owned(),
            requested_by: schemas::Principal::token("shared"),
            requested_at: at(second),
            action,
        };
        self.take(Input::Command(&command), at(second))
    }

    pub fn receipt(&mut self, second: i64, notification: &Notification, outcome: ReceiptOutcome) -> Outcome {
        let receipt = Receipt {
            notification_id: notification.notification_id,
            fingerprint: notification.fingerprint,
            episode: notification.episode,
            sequence: notification.sequence,
            channel: notification.channel,
            destination: notification.destination.clone(),
            bot: notification.bot.clone(),
            kind: notification.kind,
            outcome,
            attempts: 1,
            at: at(second),
        };
        self.take(Input::Receipt(&receipt), at(second))
    }

    pub fn alert(&self) -> &schemas::Alert {
        &self.state.as_ref().unwrap().alert
    }
}

pub fn kinds(outcome: &Outcome) -> Vec<HistoryKind> {
    outcome.history.iter().map(|entry| entry.kind()).collect()
}

pub fn told(outcome: &Outcome) -> Vec<(NotificationKind, &str)> {
    outcome
        .notifications
        .iter()
        .map(|n| (n.kind, n.destination.as_str()))
        .collect()
}

pub fn answer(outcome: &Outcome) -> CommandOutcome {
    outcome.answer.as_ref().unwrap().outcome
}

pub fn sent(reference: &str) -> ReceiptOutcome {
    ReceiptOutcome::Sent {
        reference: Some(reference.to_owned()),
        latency_ms: 1,
    }
}
