//! What is written down about notifications.

use std::time::Duration;

use schemas::ReceiptOutcome;
use store::{DeliveryState, DeliveryUpdate, OutboxMessage};

use crate::delivery::queue::{Fate, Settled};
use crate::delivery::waiting::Now;
use crate::delivery::{Desk, publishing};

/// What became of a notification.
pub(super) struct Entry {
    pub(super) update: DeliveryUpdate,
    /// The receipt, if there is one, and what an operator finds, if it failed for good.
    pub(super) messages: Vec<OutboxMessage>,
}

/// Messages on their way to the log.
pub(super) struct Outgoing {
    pub(super) partition: u32,
    pub(super) epoch: i64,
    /// Where they are stored.
    pub(super) row: i64,
    pub(super) messages: Vec<OutboxMessage>,
}

/// What is written down about what became of a notification.
pub(super) fn entry(desk: &Desk, settled: Settled, took: Duration, now: Now) -> Entry {
    let (next_attempt_at, now) = (now.wall_at(settled.waiting.next_attempt_at), now.wall);
    let Settled {
        place, waiting, fate, ..
    } = settled;
    let channel = desk.channel();
    let mut dead_letter = None;
    let mut sent_as = None;
    let (state, outcome) = match fate {
        Fate::Sent { reference } => {
            desk.metrics.outcome(channel, "sent");
            desk.metrics
                .sent_after(now.duration_since(waiting.accepted_at).as_secs_f64());
            sent_as.clone_from(&reference);
            let latency_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            (
                DeliveryState::Sent,
                Some(ReceiptOutcome::Sent {
                    reference,
                    latency_ms,
                }),
            )
        }
        Fate::Again { error } => {
            desk.metrics.outcome(channel, "retrying");
            let first = waiting.attempts == 1;
            tracing::debug!(notification = %waiting.id, attempts = waiting.attempts, error, "not delivered yet");
            (
                DeliveryState::Pending,
                first.then_some(ReceiptOutcome::Retrying {
                    error,
                    next_attempt_at,
                }),
            )
        }
        Fate::Failed { failure, error } => {
            desk.metrics.outcome(channel, failure.name());
            tracing::warn!(notification = %waiting.id, %channel, failure = failure.name(), error, "not delivered");
            dead_letter =
                publishing::dead_letter_message(desk.topic(), &place.destination, &waiting, &error, now);
            (
                DeliveryState::Failed,
                Some(ReceiptOutcome::Failed { failure, error }),
            )
        }
        Fate::Superseded => {
            desk.metrics.outcome(channel, "superseded");
            (DeliveryState::Superseded, Some(ReceiptOutcome::Superseded))
        }
    };
    let began = now.checked_sub(took).unwrap_or(now);
    let traceparent = desk
        .context
        .tracer
        .span("notify", waiting.traceparent.as_deref(), began, now);
    let receipt = outcome.map(|outcome| waiting.receipt(channel, &place.destination, outcome, now));
    let receipt = receipt.map(|receipt| publishing::message(&receipt, traceparent.as_deref()));
    Entry {
        update: DeliveryUpdate {
            notification_id: waiting.id,
            state,
            attempts: waiting.attempts,
            next_attempt_at,
            reference: sent_as,
        },
        messages: dead_letter.into_iter().chain(receipt).collect(),
    }
}
