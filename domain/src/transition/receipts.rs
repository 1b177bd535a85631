//! What becomes of an alert's ledger when a channel says what it delivered.

use schemas::{Actor, Endpoint, Happening, LedgerState, NotificationKind, Receipt, ReceiptOutcome, What};

use super::change::Change;
use super::outcome::Ignored;
use super::retry;

/// Writes a receipt into the ledger and the history.
pub(super) fn apply(change: &mut Change<'_>, receipt: &Receipt) {
    let row = change.state.ledger.iter().position(|entry| {
        entry.episode == receipt.episode
            && entry.channel == receipt.channel
            && entry.destination == receipt.destination
            && entry.bot == receipt.bot
    });
    let Some(index) = row else {
        change.ignored = Some(Ignored::Settled);
        return;
    };
    let entry = &mut change.state.ledger[index];
    // A notifier that was killed says again what it had said, when something else may be on its way.
    if receipt.sequence <= entry.settled_sequence {
        change.ignored = Some(Ignored::Settled);
        return;
    }
    if !matches!(receipt.outcome, ReceiptOutcome::Retrying { .. }) {
        entry.settled_sequence = receipt.sequence;
    }
    let (state, what) = match &receipt.outcome {
        ReceiptOutcome::Sent { reference, .. } => {
            if let Some(reference) = reference {
                entry.reference = Some(reference.clone());
            }
            entry.error = None;
            (
                after_delivery(entry.state, receipt.kind),
                Some(What::Notified {
                    notification: receipt.kind,
                    endpoint: endpoint(receipt),
                    attempts: receipt.attempts,
                }),
            )
        }
        ReceiptOutcome::Retrying {
            error,
            next_attempt_at,
        } => {
            entry.error = Some(error.clone());
            let retrying = What::Retrying {
                notification: receipt.kind,
                endpoint: endpoint(receipt),
                next_attempt_at: *next_attempt_at,
                error: error.clone(),
            };
            (entry.state, Some(retrying))
        }
        ReceiptOutcome::Failed { failure, error } => {
            entry.error = Some(error.clone());
            let not_delivered = What::NotDelivered {
                notification: receipt.kind,
                endpoint: endpoint(receipt),
                failure: *failure,
                error: error.clone(),
            };
            if receipt.kind == NotificationKind::Open {
                entry.failed = Some(retry::failed(entry, &change.state.alert, change.site, receipt.at));
            }
            (after_failure(entry.state, receipt.kind), Some(not_delivered))
        }
        ReceiptOutcome::Superseded if receipt.kind == NotificationKind::Close => (LedgerState::Closed, None),
        ReceiptOutcome::Superseded => (entry.state, None),
    };
    entry.state = state;
    entry.changed_at = receipt.at;
    change.touch(index);
    if matches!(receipt.outcome, ReceiptOutcome::Failed { .. }) {
        // It is tried again, which is a deadline: that is written with the alert.
        change.keep();
    }
    if let Some(what) = what {
        let happening = Happening {
            actor: Actor::Channel {
                channel: receipt.channel,
            },
            what,
            reasons: Vec::new(),
        };
        change.note(happening, None);
    }
}

fn after_delivery(state: LedgerState, kind: NotificationKind) -> LedgerState {
    match (kind, state) {
        (NotificationKind::Open, LedgerState::Opening) => LedgerState::Open,
        (NotificationKind::Close, _) => LedgerState::Closed,
        (NotificationKind::Open | NotificationKind::Update, state) => state,
    }
}

fn after_failure(state: LedgerState, kind: NotificationKind) -> LedgerState {
    match kind {
        // Nothing was opened, so there is nothing to close.
        NotificationKind::Open => LedgerState::Failed,
        NotificationKind::Update => state,
        NotificationKind::Close => LedgerState::NotClosed,
    }
}

fn endpoint(receipt: &Receipt) -> Endpoint {
    Endpoint {
        channel: receipt.channel,
        destination: receipt.destination.clone(),
        bot: receipt.bot.clone(),
    }
}
