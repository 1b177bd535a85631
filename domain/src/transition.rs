//! The heart: what becomes of an alert when something happens.
//!
//! `transition(state, input, now, site) -> outcome`. No clock and no I/O inside: it runs the same in production, in
//! property tests and in a replay. Whatever it decides is in the [`Outcome`]; the daemon only carries it out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemas::{Channel, Command, DecoratedEvent, LedgerEntry, LedgerState, Receipt};

use crate::Site;
use crate::state::AlertState;

pub use self::outcome::{Effect, Ignored, Outcome};

use self::change::Change;

mod actions;
mod amendment;
mod change;
mod clock_skew;
pub mod deadlines;
mod escalation;
mod events;
#[cfg(test)]
pub(crate) mod examples;
mod expiry;
mod flapping;
mod guess;
mod heartbeat;
mod holds;
pub mod journey;
mod lifecycle;
mod outcome;
mod probe;
#[cfg(test)]
mod properties;
mod receipts;
mod retry;
mod stale;
#[cfg(test)]
mod story;
mod suppression;
#[cfg(test)]
mod tests;
mod text;
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

/// What becomes of an alert when something happens to it.
///
/// `state` is what is known of the alert, `now` the time of the decision, `site` the configuration it is made with.
pub fn transition(state: Option<AlertState>, input: Input<'_>, now: Timestamp, site: &Site) -> Outcome {
    let Some(state) = state else {
        return first(input, now, site);
    };
    let mut change = match input {
        Input::Event(event) => Change::of_event(state, event, now, site),
        Input::Command(command) => Change::of(state, now, command.requested_at, site),
        Input::Receipt(_) | Input::Deadline => Change::of(state, now, now, site),
    };
    match input {
        Input::Event(event) => events::next(&mut change, event),
        Input::Command(command) => actions::apply(&mut change, command),
        Input::Receipt(receipt) => receipts::apply(&mut change, receipt),
        Input::Deadline => end_what_is_due(&mut change),
    }
    complete(change)
}

/// Something happens to an alert that is not known.
fn first(input: Input<'_>, now: Timestamp, site: &Site) -> Outcome {
    let ignored = |ignored| Outcome {
        ignored: Some(ignored),
        ..Outcome::nothing(None)
    };
    match input {
        Input::Event(event) => match events::first(event, now, site) {
            Some(change) => complete(change),
            None => ignored(Ignored::NothingOpen),
        },
        Input::Command(command) => Outcome {
            answer: Some(actions::unknown(command)),
            ..Outcome::nothing(None)
        },
        Input::Receipt(_) => ignored(Ignored::Settled),
        Input::Deadline => ignored(Ignored::Overtaken),
    }
}

/// Ends what has come to its end; what has expired and the scenario's due steps follow in [`complete`].
fn end_what_is_due(change: &mut Change<'_>) {
    let held = holds::end_expired(change);
    heartbeat::end_removed(change);
    if !held {
        change.ignored = Some(Ignored::Overtaken);
    }
}

/// Does what follows of every change, and gives it its version.
fn complete(mut change: Change<'_>) -> Outcome {
    probe::advance(&mut change);
    text::advance(&mut change);
    escalation::advance(&mut change);
    holds::show(&change.state.holds, &mut change.state.alert);
    let channels = channels_told(&change.state.ledger);
    if channels != change.state.alert.channels {
        change.state.alert.channels = channels;
        change.publish();
    }
    if change.effect == Effect::Publish {
        change.state.alert.version += 1;
        change.state.alert.changed_at = change.now;
    }
    // A notification shows the alert as it is at the end of the change, under the version that everybody sees.
    for notification in &mut change.notifications {
        notification.alert = change.state.alert.clone();
    }
    if change.effect != Effect::Nothing {
        change.ignored = None;
    }
    let ledger = change
        .touched
        .iter()
        .map(|index| change.state.ledger[*index].clone())
        .collect();
    let (episode, open) = (change.state.alert.episode, change.state.is_open());
    // A later step may try a destination again that could not be reached.
    let again = |entry: &LedgerEntry| open && entry.episode == episode && entry.state == LedgerState::Failed;
    change
        .state
        .ledger
        .retain(|entry| !entry.state.settled() || again(entry));
    Outcome {
        state: Some(change.state),
        effect: change.effect,
        history: change.history,
        ledger,
        notifications: change.notifications,
        answer: change.answer,
        question: change.question,
        ignored: change.ignored,
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
