//! What becomes of an alert's ledger when a channel says what it delivered.

use schemas::{HistoryKind, LedgerState, NotificationKind, Receipt, ReceiptOutcome};

use super::{Change, Ignored};

/// Writes a receipt into the ledger and the history.
pub(super) fn apply(change: &mut Change<'_>, receipt: &Receipt) {
    let row = change.state.ledger.iter().position(|entry| {
        entry.episode == receipt.episode
            && entry.channel == receipt.channel
            && entry.destination == receipt.destination
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
    let (state, line) = match &receipt.outcome {
        ReceiptOutcome::Sent { reference, .. } => {
            if let Some(reference) = reference {
                entry.reference = Some(reference.clone());
            }
            entry.error = None;
            (
                after_delivery(entry.state, receipt.kind),
                Some((HistoryKind::Notified, delivered(receipt))),
            )
        }
        ReceiptOutcome::Retrying {
            error,
            next_attempt_at,
        } => {
            entry.error = Some(error.clone());
            let message = format!(
                "{} to {} not delivered yet, tried again at {next_attempt_at}: {error}",
                verb(receipt.kind),
                receipt.destination
            );
            (entry.state, Some((HistoryKind::Retrying, message)))
        }
        ReceiptOutcome::Failed { failure, error } => {
            entry.error = Some(error.clone());
            let message = format!(
                "{} to {} not delivered ({}): {error}",
                verb(receipt.kind),
                receipt.destination,
                failure.name()
            );
            (
                after_failure(entry.state, receipt.kind),
                Some((HistoryKind::NotDelivered, message)),
            )
        }
        ReceiptOutcome::Superseded if receipt.kind == NotificationKind::Close => (LedgerState::Closed, None),
        ReceiptOutcome::Superseded => (entry.state, None),
    };
    entry.state = state;
    entry.changed_at = receipt.at;
    change.touch(index);
    if let Some((kind, message)) = line {
        change.note(kind, format!("channel {}", receipt.channel), message, None);
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

fn verb(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::Open => "opening",
        NotificationKind::Update => "update",
        NotificationKind::Close => "close",
    }
}

fn delivered(receipt: &Receipt) -> String {
    match receipt.attempts {
        0 | 1 => format!("{} delivered to {}", verb(receipt.kind), receipt.destination),
        attempts => format!(
            "{} delivered to {} at attempt {attempts}",
            verb(receipt.kind),
            receipt.destination
        ),
    }
}
