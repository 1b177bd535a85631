//! Heartbeats: somebody calls while all is well, and the alert begins when the calls stop.
//!
//! The alert is there from the first call on, closed and waiting: nobody sees it before it opens for the first time. What
//! is not called is not waited for, so a heartbeat that was declared and never called is silent. That the calls have
//! stopped is found out as everything about silence is, by [`expiry`].

use jiff::Timestamp;
use schemas::alert::Counts;
use schemas::{DecoratedEvent, Status};

use super::{Change, Effect, Ignored, amendment, events, expiry};
use crate::state::AlertState;

/// What is kept of the first call: an alert that has no episode yet.
pub(super) fn armed(decorated: &DecoratedEvent, now: Timestamp) -> AlertState {
    let mut state = events::opened(decorated, now);
    state.alert.status = Status::Closed;
    state.alert.closed_at = Some(now);
    state.alert.badge = None;
    state.alert.episode = 0;
    state.alert.counts = Counts::default();
    state
}

/// It was called again: what the call says is what the alert will be when no other follows.
pub(super) fn called(change: &mut Change<'_>, decorated: &DecoratedEvent) {
    let event = &decorated.event;
    if change.state.is_open() {
        let message = format!("ended by its source: {}", event.output);
        events::close(change, events::actor(event), &message, Some(event));
    }
    let before = change.state.alert.clone();
    amendment::end(&mut change.state);
    events::take_over(&mut change.state.alert, decorated);
    let aged = change.now.duration_since(before.last_event_at) >= events::REFRESH_KEPT_EVERY;
    if aged || change.state.alert != before {
        change.state.alert.last_event_at = change.now;
        change.keep();
    }
    expiry::refresh(change, event);
    if change.effect == Effect::Nothing {
        change.ignored = Some(Ignored::Refresh);
    }
}

/// Whether the site still waits for the call that this alert waits for.
pub(super) fn is_awaited(change: &Change<'_>) -> bool {
    let expiry = change.state.expiry.as_ref();
    let Some(name) = expiry.and_then(|expiry| expiry.heartbeat.as_ref()) else {
        return true;
    };
    let declared = change.site.heartbeats.get(name);
    declared.is_some_and(|heartbeat| heartbeat.integration == change.state.alert.integration)
}

/// No call has come.
pub(super) fn missed(change: &mut Change<'_>, name: &str, since: Timestamp) {
    change.state.expiry = None;
    change.keep();
    if change.state.is_open() {
        return;
    }
    let before = change.state.alert.clone();
    let alert = &mut change.state.alert;
    let output = format!("no call of heartbeat {name} since {since:.0}");
    alert.began_at = None;
    alert.previous_output = Some(std::mem::replace(&mut alert.output, output));
    events::open_anew(change, &before, "reveille".to_owned(), None);
}

#[cfg(test)]
mod tests;
