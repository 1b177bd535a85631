//! The records of results: what is stored and published about a notification.

use std::time::Duration;

use schemas::ReceiptOutcome;
use store::{DeliveryState, DeliveryUpdate, OutboxMessage};

use crate::delivery::pending::Now;
use crate::delivery::queue::{Disposition, Resolved};
use crate::delivery::{ChannelRuntime, publishing};

/// The result of one notification, as it is stored and published.
pub(super) struct Entry {
    pub(super) update: DeliveryUpdate,
    /// The receipt, if there is one, and the dead letter, if it failed permanently.
    pub(super) messages: Vec<OutboxMessage>,
}

/// Messages that are stored in the outbox and not published yet.
pub(super) struct Outgoing {
    pub(super) partition: u32,
    pub(super) epoch: i64,
    /// Their row of the outbox.
    pub(super) row: i64,
    pub(super) messages: Vec<OutboxMessage>,
}

/// The record of a resolved notification.
pub(super) fn entry(runtime: &ChannelRuntime, resolved: Resolved, took: Duration, now: Now) -> Entry {
    let (next_attempt_at, now) = (now.wall_at(resolved.pending.next_attempt_at), now.wall);
    let Resolved {
        endpoint,
        pending,
        disposition,
        ..
    } = resolved;
    let channel = runtime.channel();
    let mut dead_letter = None;
    let mut sent_as = None;
    let (state, outcome) = match disposition {
        Disposition::Sent { reference } => {
            runtime.metrics.outcome(channel, "sent");
            runtime
                .metrics
                .sent_after(now.duration_since(pending.accepted_at).as_secs_f64());
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
        Disposition::Again { error } => {
            runtime.metrics.outcome(channel, "retrying");
            let first = pending.attempts == 1;
            tracing::debug!(notification = %pending.id, attempts = pending.attempts, error, "not delivered yet");
            (
                DeliveryState::Pending,
                first.then_some(ReceiptOutcome::Retrying {
                    error,
                    next_attempt_at,
                }),
            )
        }
        Disposition::Failed { failure, error } => {
            runtime.metrics.outcome(channel, failure.name());
            tracing::warn!(notification = %pending.id, %channel, failure = failure.name(), error, "not delivered");
            dead_letter = publishing::dead_letter_message(
                runtime.topic(),
                &endpoint.destination,
                &pending,
                &error,
                now,
            );
            (
                DeliveryState::Failed,
                Some(ReceiptOutcome::Failed { failure, error }),
            )
        }
        Disposition::Superseded => {
            runtime.metrics.outcome(channel, "superseded");
            (DeliveryState::Superseded, Some(ReceiptOutcome::Superseded))
        }
    };
    let began = now.checked_sub(took).unwrap_or(now);
    let traceparent = runtime
        .context
        .tracer
        .span("notify", pending.traceparent.as_deref(), began, now);
    let receipt = outcome.map(|outcome| pending.receipt(channel, &endpoint, outcome, now));
    let receipt = receipt.map(|receipt| publishing::message(&receipt, traceparent.as_deref()));
    Entry {
        update: DeliveryUpdate {
            notification_id: pending.id,
            state,
            attempts: pending.attempts,
            next_attempt_at,
            reference: sent_as,
        },
        messages: dead_letter.into_iter().chain(receipt).collect(),
    }
}
