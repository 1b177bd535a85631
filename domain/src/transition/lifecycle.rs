//! How an alert opens, changes, closes and opens again.

use std::collections::VecDeque;

use jiff::Timestamp;
use schemas::alert::{Badge, Counts, OperatorState};
use schemas::{Actor, Alert, AlertEvent, DecoratedEvent, Happening, HoldKind, Reason, Status, What};

use super::change::Change;
use super::holds::Ending;
use super::outcome::{Effect, Ignored};
use super::{amendment, events, expiry, flapping, holds, stale, text};
use crate::state::{Accepted, AlertState, Said, TextChange};
use crate::words;

/// An alert that its first event has opened.
pub(super) fn opened(decorated: &DecoratedEvent, now: Timestamp) -> AlertState {
    let event = &decorated.event;
    let alert = Alert {
        fingerprint: event.fingerprint,
        version: 0,
        environment: decorated.environment.clone(),
        scenario: decorated.scenario.clone(),
        integration: event.integration.clone(),
        monitoring_system: event.monitoring_system.clone(),
        source: event.source.clone(),
        service: event.service.clone(),
        object: event.object.clone(),
        name: event.name.clone(),
        severity: event.severity,
        status: Status::Open,
        badge: Badge::named(&event.name).or(Some(Badge::New)),
        operator_state: OperatorState::Active,
        output: event.output.clone(),
        previous_output: None,
        labels: event.labels.clone(),
        annotations: event.annotations.clone(),
        links: event.links.clone(),
        acknowledgement: None,
        snooze: None,
        downtime: None,
        handling: None,
        assignment: None,
        amended: None,
        comment: None,
        channels: Vec::new(),
        episode: 1,
        first_opened_at: now,
        opened_at: now,
        last_event_at: now,
        changed_at: now,
        began_at: began_at(event),
        closed_at: None,
        total_duration_ms: 0,
        counts: Counts {
            opened: 1,
            ..Counts::default()
        },
    };
    AlertState {
        alert,
        origin: Some(decorated.origin),
        newest: Some(Accepted::of(event)),
        heard: Some(Accepted::of(event)),
        history_sequence: 0,
        holds: Vec::new(),
        steps: Vec::new(),
        missing_scenario: None,
        reopened_at: VecDeque::new(),
        ended: None,
        text: None,
        applied_keys: VecDeque::new(),
        said: None,
        expiry: expiry::of(event, now),
        end_lag_seconds: None,
        is_guessed: false,
        has_several_texts: false,
        run_began_at: None,
        writes: 0,
        ledger: Vec::new(),
    }
}

/// By the source's clock, unless that is wrong.
fn began_at(event: &AlertEvent) -> Option<Timestamp> {
    let possible = |at: &Timestamp| *at > Timestamp::UNIX_EPOCH && *at <= event.accepted_at;
    event.occurred_at.filter(possible)
}

pub(super) fn update(change: &mut Change<'_>, decorated: &DecoratedEvent) {
    let event = &decorated.event;
    let (before, said_before) = (change.state.alert.clone(), change.state.said.clone());
    let newer = change.now.duration_since(before.last_event_at) >= change.site.pace.last_seen;
    amendment::beneath(&mut change.state, |alert| take_over(alert, decorated));
    let alert = &change.state.alert;
    let severity_changed = alert.severity != before.severity;
    let output_changed = alert.output != before.output;
    let text_changed = output_changed
        || alert.labels != before.labels
        || alert.annotations != before.annotations
        || alert.links != before.links
        || alert.service != before.service
        || alert.name != before.name;
    let rerouted = alert.environment != before.environment || alert.scenario != before.scenario;
    if severity_changed || text_changed || rerouted {
        change.state.alert.badge =
            Badge::named(&change.state.alert.name).or(before.badge.filter(|badge| *badge == Badge::Flapping));
        change.state.alert.last_event_at = change.now;
    }
    if rerouted {
        let alert = &change.state.alert;
        let happening = Happening {
            actor: Actor::System,
            what: What::Rerouted {
                environment: alert.environment.clone(),
                scenario: alert.scenario.clone(),
            },
            reasons: Vec::new(),
        };
        change.record(happening, None);
    }
    if severity_changed {
        let what = What::SeverityChanged {
            from: before.severity,
            to: change.state.alert.severity,
            output: event.output.clone(),
        };
        let happening = by_source(event, what);
        change.state.alert.counts.severity_changed += 1;
        change.record(happening.clone(), Some(event));
        // The source may say that the acknowledgement still holds.
        let except = events::is_acknowledged(event).then_some(HoldKind::Acknowledgement);
        holds::end_with(change, Ending::Severity, except);
        if output_changed {
            holds::end_with(change, Ending::Output, None);
        }
        text::recorded(change);
        change.notify_followers(&happening);
    } else if text_changed {
        change.state.alert.counts.updated += 1;
        let ended = output_changed && !holds::end_with(change, Ending::Output, None).is_empty();
        let what = if output_changed {
            TextChange::Output
        } else {
            TextChange::Details
        };
        text::changed(change, event, what, ended);
    } else if change.state.said != said_before && !rerouted {
        let severity = |said: &Option<Said>| said.as_ref().map(|said| said.severity);
        let at_once = severity(&change.state.said) != severity(&said_before);
        text::changed(change, event, TextChange::Beneath, at_once);
    } else if !rerouted {
        // Which of several servers said it, say, is not worth a version.
        change.state.alert = before;
        if newer {
            change.state.alert.last_event_at = change.now;
            change.seen();
        }
    }
    expiry::refresh(change, event);
    if change.effect == Effect::Nothing {
        change.ignored = Some(Ignored::Refresh);
    }
}

/// What the event says of the alert becomes what the alert is.
pub(super) fn take_over(alert: &mut Alert, decorated: &DecoratedEvent) {
    let event = &decorated.event;
    alert.severity = event.severity;
    if alert.output != event.output {
        alert.previous_output = Some(std::mem::replace(&mut alert.output, event.output.clone()));
    }
    alert.labels.clone_from(&event.labels);
    alert.annotations.clone_from(&event.annotations);
    alert.links.clone_from(&event.links);
    alert.service.clone_from(&event.service);
    alert.source.clone_from(&event.source);
    alert.object.clone_from(&event.object);
    alert.name.clone_from(&event.name);
    alert.environment.clone_from(&decorated.environment);
    alert.scenario.clone_from(&decorated.scenario);
}

pub(super) fn close_by_event(change: &mut Change<'_>, event: &AlertEvent) {
    let what = What::Closed {
        output: Some(event.output.clone()),
    };
    stale::remember(change, event);
    close(change, by_source(event, what), Some(event));
}

/// Ends the episode and closes everything that was opened in it, however muted the alert is.
pub(super) fn close(change: &mut Change<'_>, happening: Happening, event: Option<&AlertEvent>) {
    text::keep_last(change);
    let now = change.now;
    let alert = &mut change.state.alert;
    let open_for = now.duration_since(alert.opened_at).as_millis();
    alert.total_duration_ms += u64::try_from(open_for).unwrap_or(0);
    alert.status = Status::Closed;
    alert.closed_at = Some(now);
    alert.badge = None;
    alert.counts.closed += 1;
    if let Some(event) = event {
        alert.last_event_at = now;
        amendment::beneath(&mut change.state, |alert| {
            if !event.output.is_empty() && alert.output != event.output {
                alert.previous_output = Some(std::mem::replace(&mut alert.output, event.output.clone()));
            }
            if !event.annotations.is_empty() {
                alert.annotations.clone_from(&event.annotations);
            }
        });
    }
    holds::end_with(change, Ending::Close, None);
    change.state.steps.clear();
    change.state.expiry = None;
    change.close_everywhere(&words::notice(&happening));
    change.record(happening, event);
}

/// What is still in a spool was overtaken by this, so that it was heard is kept; but not each time, as there are sources
/// that say every few seconds that all is well.
pub(super) fn nothing_open(change: &mut Change<'_>, before: Option<Accepted>) {
    change.ignored = Some(Ignored::NothingOpen);
    match before {
        Some(before) if change.accepted_at.duration_since(before.at) < change.site.pace.last_seen => {
            change.state.newest = Some(before);
        }
        _ => change.keep(),
    }
}

pub(super) fn reopen_by_event(change: &mut Change<'_>, decorated: &DecoratedEvent) {
    let event = &decorated.event;
    let before = change.state.alert.clone();
    amendment::end(&mut change.state);
    take_over(&mut change.state.alert, decorated);
    change.state.alert.began_at = began_at(event);
    change.state.alert.last_event_at = change.now;
    (change.state.is_guessed, change.state.has_several_texts) = (false, false);
    change.state.expiry = expiry::of(event, change.now);
    open_anew(change, &before, (source_actor(event), Vec::new()), Some(event));
}

/// Opens the alert as it is now, and ends what held people back before it closed.
pub(super) fn open_anew(
    change: &mut Change<'_>,
    before: &Alert,
    why: (Actor, Vec<Reason>),
    event: Option<&AlertEvent>,
) {
    reopen(change, why, event);
    let severity_changed = before.severity != change.state.alert.severity;
    let output_changed = before.output != change.state.alert.output;
    holds::end_with(change, Ending::Reopen, None);
    if severity_changed {
        holds::end_with(change, Ending::Severity, None);
    }
    if output_changed {
        holds::end_with(change, Ending::Output, None);
    }
}

/// Begins a new episode: the first one, if the alert was only waited for.
pub(super) fn reopen(
    change: &mut Change<'_>,
    (actor, reasons): (Actor, Vec<Reason>),
    event: Option<&AlertEvent>,
) {
    let now = change.now;
    let first = change.state.alert.episode == 0;
    let flapping = !first && flapping::flaps(&mut change.state.reopened_at, now);
    let alert = &mut change.state.alert;
    let badge = match first {
        true => Some(Badge::New),
        false => flapping.then_some(Badge::Flapping),
    };
    alert.badge = Badge::named(&alert.name).or(badge);
    if first {
        alert.first_opened_at = now;
    }
    alert.status = Status::Open;
    alert.opened_at = now;
    alert.closed_at = None;
    alert.episode += 1;
    alert.counts.opened += 1;
    change.state.steps.clear();
    change.state.text = None;
    let alert = &change.state.alert;
    let (severity, output) = (alert.severity, alert.output.clone());
    let what = match first {
        true => What::Opened { severity, output },
        false => What::Reopened { severity, output },
    };
    let happening = Happening { actor, what, reasons };
    change.record(happening, event);
}

pub(super) fn by_source(event: &AlertEvent, what: What) -> Happening {
    Happening {
        actor: source_actor(event),
        what,
        reasons: Vec::new(),
    }
}

pub(super) fn source_actor(event: &AlertEvent) -> Actor {
    Actor::Integration {
        name: event.integration.clone(),
    }
}
