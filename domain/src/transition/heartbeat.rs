//! Heartbeats: somebody calls while all is well, and the alert begins when the calls stop.
//!
//! The alert is there from the first call on, closed and waiting: nobody sees it before it opens for the first time. What
//! is not called is not waited for, so a heartbeat that was declared and never called is silent. That the calls have
//! stopped is found out as everything about silence is, by [`expiry`].

use jiff::{SignedDuration, Timestamp};
use schemas::alert::Counts;
use schemas::{Actor, DecoratedEvent, Happening, HeartbeatRun, Reason, Status, What};

use super::change::Change;
use super::outcome::{Effect, Ignored};
use super::{amendment, expiry, lifecycle};
use crate::state::AlertState;
use crate::{Site, identity};

/// What has been open for so long without a declared heartbeat is ended.
const REMOVED_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// What is kept of the first call: an alert that has no episode yet.
pub(super) fn armed(decorated: &DecoratedEvent, run: HeartbeatRun, now: Timestamp) -> AlertState {
    let mut state = lifecycle::opened(decorated, now);
    state.alert.status = Status::Closed;
    state.alert.closed_at = Some(now);
    state.alert.badge = None;
    state.alert.episode = 0;
    state.alert.counts = Counts::default();
    if run == HeartbeatRun::Began {
        state.run_began_at = Some(decorated.event.accepted_at);
    }
    state
}

/// It was called again: what the call says is what the alert will be when no other follows.
pub(super) fn called(change: &mut Change<'_>, decorated: &DecoratedEvent, run: HeartbeatRun) {
    match run {
        HeartbeatRun::Failed => failed(change, decorated),
        HeartbeatRun::Began => began(change, decorated),
        HeartbeatRun::Succeeded => succeeded(change, decorated),
    }
}

/// A run has failed: the alert is open at once, and stays so until a run succeeds.
fn failed(change: &mut Change<'_>, decorated: &DecoratedEvent) {
    let decorated = &with_duration(change, decorated);
    match change.state.is_open() {
        true => lifecycle::update(change, decorated),
        false => lifecycle::reopen_by_event(change, decorated),
    }
}

/// A run has begun: it must end before the time that its call says, even if the next call was due later. An alert that is
/// open stays so until a run succeeds.
fn began(change: &mut Change<'_>, decorated: &DecoratedEvent) {
    let event = &decorated.event;
    change.state.run_began_at = Some(event.accepted_at);
    if !change.state.is_open() {
        let until_end = expiry::of(event, change.now);
        let sooner = match (&change.state.expiry, &until_end) {
            (Some(known), Some(newer)) => newer.expires_at < known.expires_at,
            (known, _) => known.is_none(),
        };
        if sooner {
            change.state.expiry = until_end;
        }
    }
    change.keep();
}

/// The same event, whose text says how long the run has taken, if its beginning is known.
fn with_duration(change: &mut Change<'_>, decorated: &DecoratedEvent) -> DecoratedEvent {
    let mut decorated = decorated.clone();
    if let Some(began_at) = change.state.run_began_at.take() {
        change.keep();
        let event = &mut decorated.event;
        let taken = event.accepted_at.duration_since(began_at);
        let taken = SignedDuration::from_secs(taken.as_secs().max(0));
        event.output = format!("{}, {taken:#} after its run began", event.output);
    }
    decorated
}

fn succeeded(change: &mut Change<'_>, decorated: &DecoratedEvent) {
    let decorated = &with_duration(change, decorated);
    let event = &decorated.event;
    if change.state.is_open() {
        lifecycle::close_by_event(change, event);
    }
    let before = change.state.alert.clone();
    amendment::end(&mut change.state);
    lifecycle::take_over(&mut change.state.alert, decorated);
    let aged = change.now.duration_since(before.last_event_at) >= change.site.pace.last_seen;
    if change.state.alert != before {
        change.state.alert.last_event_at = change.now;
        change.keep();
    } else if aged {
        change.state.alert.last_event_at = change.now;
        change.seen();
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
    declared.is_some_and(|heartbeat| {
        heartbeat.integration == change.state.alert.integration && !heartbeat.is_disabled()
    })
}

/// Whether it is the open alert of a heartbeat that the site no longer declares: no call will end it.
pub(crate) fn is_removed(state: &AlertState, site: &Site) -> bool {
    let alert = &state.alert;
    let (integration, name) = (&alert.integration, &alert.object);
    let declared = || site.heartbeats.get(name);
    state.is_open()
        && alert.monitoring_system == identity::HEARTBEAT
        && alert.fingerprint == identity::of_heartbeat(integration, name)
        && declared().is_none_or(|heartbeat| heartbeat.integration != *integration)
        // What this version cannot read is not removed.
        && !site.unusable.contains_key(&format!("{}/{name}", identity::HEARTBEAT))
}

/// When an alert is ended whose heartbeat is gone. Not at once when a call has just opened it: the daemon may not know yet
/// of a heartbeat that was just declared.
pub(crate) fn removal_deadline(state: &AlertState, site: &Site) -> Option<Timestamp> {
    let opened_at = state.alert.opened_at;
    is_removed(state, site).then(|| opened_at.checked_add(REMOVED_AFTER).unwrap_or(Timestamp::MAX))
}

/// Ends the alert if its heartbeat is gone.
pub(super) fn end_removed(change: &mut Change<'_>) {
    if is_removed(&change.state, change.site) {
        let heartbeat = change.state.alert.object.clone();
        let happening = Happening {
            actor: Actor::System,
            what: What::Closed { output: None },
            reasons: vec![Reason::HeartbeatRemoved { heartbeat }],
        };
        change.state.ended = None;
        lifecycle::close(change, happening, None);
    }
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
    let output = match change.state.run_began_at.take() {
        Some(began_at) => format!("the run of heartbeat {name} that began at {began_at:.0} has not ended"),
        None => format!("no call of heartbeat {name} since {since:.0}"),
    };
    alert.began_at = None;
    alert.previous_output = Some(std::mem::replace(&mut alert.output, output));
    let reasons = vec![Reason::HeartbeatMissed {
        heartbeat: name.to_owned(),
    }];
    lifecycle::open_anew(change, &before, (Actor::System, reasons), None);
}

#[cfg(test)]
mod tests;
