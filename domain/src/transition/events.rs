//! What becomes of an alert when its source sends an event.

use jiff::{SignedDuration, Timestamp};
use schemas::{
    Actor, AlertEvent, DecoratedEvent, EventKind, Happening, HeartbeatRun, HoldKind, Reason, Severity,
    Status, What,
};

use super::change::Change;
use super::outcome::Ignored;
use super::{actions, clock_skew, guess, heartbeat, holds, lifecycle, probe, stale};
use crate::Site;
use crate::state::Accepted;

/// The first event of an alert; `None` when there is nothing that it could be about.
pub(super) fn first<'a>(decorated: &DecoratedEvent, now: Timestamp, site: &'a Site) -> Option<Change<'a>> {
    let event = &decorated.event;
    if let EventKind::HeartbeatCall { run, .. } = event.kind
        && run != HeartbeatRun::Failed
    {
        let state = heartbeat::armed(decorated, run, now);
        let mut change = Change::of_event(state, decorated, now, site);
        change.keep();
        return Some(change);
    }
    let end_lag = clock_skew::end_lag(event);
    let firing = clock_skew::as_firing(None, decorated);
    let decorated = firing.as_ref().unwrap_or(decorated);
    let event = &decorated.event;
    if let Some(beginning) = guess::as_beginning(decorated) {
        let mut change = first(&beginning, now, site)?;
        change.state.is_guessed = true;
        return Some(change);
    }
    if !fires(event) {
        return None;
    }
    let mut change = Change::of_event(lifecycle::opened(decorated, now), decorated, now, site);
    let what = What::Opened {
        severity: event.severity,
        output: event.output.clone(),
    };
    change.record(lifecycle::by_source(event, what), Some(event));
    note_clock(&mut change, event, end_lag);
    acknowledge_with(&mut change, event);
    Some(change)
}

/// A later event of an alert.
pub(super) fn next(change: &mut Change<'_>, decorated: &DecoratedEvent) {
    let event = &decorated.event;
    // A sender that names an alert by its id could name that of another integration.
    if event.integration != change.state.alert.integration {
        change.ignored = Some(Ignored::NothingOpen);
        return;
    }
    if is_repetition(change, decorated) {
        change.ignored = Some(Ignored::Repetition);
        return;
    }
    change.state.origin = Some(decorated.origin);
    change.state.heard = change.state.heard.max(Some(Accepted::of(event)));
    let newest_before = change.state.newest;
    match &event.kind {
        EventKind::Probe { silent_since } => return probe::answer(change, event.accepted_at, *silent_since),
        EventKind::ActionRequest(request) => return actions::requested(change, event, request),
        _ => change.state.newest = newest_before.max(Some(Accepted::of(event))),
    }
    match event.kind {
        EventKind::HeartbeatCall { run, .. } => heartbeat::called(change, decorated, run),
        _ => reported(change, decorated, newest_before),
    }
}

/// A later report of the source.
fn reported(change: &mut Change<'_>, decorated: &DecoratedEvent, newest_before: Option<Accepted>) {
    let event = &decorated.event;
    let firing = clock_skew::as_firing(Some(&change.state), decorated);
    let end_lag = firing.as_ref().and_then(|_| clock_skew::end_lag(event));
    let decorated = firing.as_ref().unwrap_or(decorated);
    let event = &decorated.event;
    if let Some(beginning) = guess::as_beginning(decorated) {
        guess::ends_or_begins(change, decorated, &beginning, newest_before);
        return;
    }
    if stale::ignore_if_late(change, event) {
        return;
    }
    match (change.state.alert.status, &event.kind) {
        (Status::Open, EventKind::Acknowledged) => acknowledge(change, event),
        (Status::Closed, EventKind::Acknowledged) => change.ignored = Some(Ignored::NothingOpen),
        (Status::Open, _) if fires(event) => {
            guess::burns(change, event);
            lifecycle::update(change, decorated);
            note_clock(change, event, end_lag);
            acknowledge_with(change, event);
        }
        (Status::Open, _) => lifecycle::close_by_event(change, event),
        (Status::Closed, _) if fires(event) => {
            lifecycle::reopen_by_event(change, decorated);
            note_clock(change, event, end_lag);
            acknowledge_with(change, event);
        }
        (Status::Closed, _) => lifecycle::nothing_open(change, newest_before),
    }
}

/// All events of one alert come through one partition of `alerts.collected`, so an offset that is not higher than
/// the last one is the same event again, unless it was accepted after all that was seen: then the log was put back, and
/// gives its offsets anew (see `pipeline::restored`).
///
/// What waited in a spool has an offset of its own each time that it is written: its collector could not know whether
/// the log had it already, or ended before it could keep in mind that it was drained. Then what follows it was applied
/// too, and `[firing, resolved]` must not become `[firing, resolved, firing, resolved]`. So it counts only if it was
/// accepted after everything that was applied. This holds also for what other collectors, whose spool was empty
/// earlier, have said in the meantime. A requested action is not made stale by later reports: it is the same again if
/// it was done already.
fn is_repetition(change: &Change<'_>, decorated: &DecoratedEvent) -> bool {
    let same_place = change.state.origin.is_some_and(|last| {
        last.partition == decorated.origin.partition && decorated.origin.offset <= last.offset
    });
    let event = &decorated.event;
    let accepted_later = change
        .state
        .heard
        .is_some_and(|heard| Accepted::of(event) > heard);
    let known = || match event.kind {
        EventKind::ActionRequest(_) => change.state.applied_keys.contains(&event.event_id.to_string()),
        _ => change
            .state
            .newest
            .is_some_and(|newest| Accepted::of(event) <= newest),
    };
    (same_place && !accepted_later) || (decorated.spooled && known())
}

fn fires(event: &AlertEvent) -> bool {
    let reports_a_problem = match event.kind {
        EventKind::Firing { .. } => true,
        EventKind::HeartbeatCall { run, .. } => run == HeartbeatRun::Failed,
        _ => false,
    };
    reports_a_problem && event.severity != Severity::Ok
}

/// Whether the source says of a problem that exists that it is acknowledged there.
pub(super) const fn is_acknowledged(event: &AlertEvent) -> bool {
    matches!(event.kind, EventKind::Firing { acknowledged: true })
}

/// Keeps how far the sender's clock is behind, and says in the history of an alert that has just opened what is wrong with it.
fn note_clock(change: &mut Change<'_>, event: &AlertEvent, end_lag: Option<SignedDuration>) {
    if change.opens()
        && let Some(remark) = clock_skew::remark(event, end_lag)
    {
        change.note(by_itself(What::Remarked, remark), Some(event));
    }
    if clock_skew::remember(&mut change.state, end_lag) {
        change.keep();
    }
}

fn by_itself(what: What, reason: Reason) -> Happening {
    Happening {
        actor: Actor::System,
        what,
        reasons: vec![reason],
    }
}

/// The source says of an alert that fires that it is acknowledged there.
fn acknowledge_with(change: &mut Change<'_>, event: &AlertEvent) {
    if is_acknowledged(event) && holds::find(&change.state.holds, HoldKind::Acknowledgement).is_none() {
        acknowledge(change, event);
    }
}

fn acknowledge(change: &mut Change<'_>, event: &AlertEvent) {
    if holds::find(&change.state.holds, HoldKind::Acknowledgement).is_some() {
        change.ignored = Some(Ignored::Refresh);
        return;
    }
    let by = event
        .labels
        .get("acknowledged_by")
        .cloned()
        .unwrap_or_else(|| event.source.clone());
    let hold = holds::acknowledgement(&by, change.now, None);
    let happening = Happening {
        actor: lifecycle::source_actor(event),
        what: holds::begin(change, hold),
        reasons: vec![Reason::AtSource { by }],
    };
    change.notify_followers(&happening);
    change.record(happening, Some(event));
}
