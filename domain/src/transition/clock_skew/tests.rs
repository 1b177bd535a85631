use crate::words;
use schemas::{Channel, EventStatus, HistoryKind, Severity};

use super::*;
use crate::transition::examples::{at, event, site, step};
use crate::transition::{Input, Outcome, transition};

/// What arrives at this second and says that the problem began and ended at these.
fn posted(offset: u64, second: i64, began: i64, ended: i64) -> DecoratedEvent {
    let mut decorated = event(offset, EventStatus::Resolved, Severity::Critical, "99 %");
    let event = &mut decorated.event;
    event.accepted_at = at(second);
    event.occurred_at = Some(at(ended));
    event.kind = EventKind::Resolved {
        evidence: EndEvidence::Clock { began_at: at(began) },
    };
    event.expires_at = Some(at(second + 300));
    decorated
}

fn firing(offset: u64, second: i64, began: i64) -> DecoratedEvent {
    let mut decorated = event(offset, EventStatus::Firing, Severity::Critical, "99 %");
    decorated.event.accepted_at = at(second);
    decorated.event.occurred_at = Some(at(began));
    decorated.event.expires_at = Some(at(second + 240));
    decorated
}

fn after(state: Option<AlertState>, decorated: &DecoratedEvent) -> Outcome {
    let now = decorated.event.accepted_at;
    transition(state, Input::Event(decorated), now, &site(vec![]))
}

fn is_open(outcome: &Outcome) -> bool {
    outcome.state.as_ref().is_some_and(AlertState::is_open)
}

/// Applies events in their order; says whether the alert is open after each.
fn story(events: &[DecoratedEvent]) -> Vec<bool> {
    let mut state = None;
    let follow = |decorated: &DecoratedEvent| {
        let outcome = after(state.take(), decorated);
        let open = is_open(&outcome);
        state = outcome.state;
        open
    };
    events.iter().map(follow).collect()
}

#[test]
fn i17_an_alert_of_a_clock_that_is_five_minutes_slow_opens_holds_ends_and_opens_again() {
    let told = story(&[
        posted(0, 0, -300, -60),
        posted(1, 60, -300, 0),
        posted(2, 125, -300, 60),
        // The alert has ended, and this is said three times.
        posted(3, 185, -300, -115),
        posted(4, 245, -300, -115),
        posted(5, 305, -300, -115),
        posted(6, 365, 65, 305),
    ]);
    assert_eq!(told, [true, true, true, false, false, false, true]);
}

#[test]
fn i17_the_history_says_by_how_much_the_clock_is_behind() {
    let outcome = after(None, &posted(0, 0, -300, -60));
    let lines: Vec<_> = outcome
        .history
        .iter()
        .map(|line| words::message(&line.happening))
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0], "opened as critical: 99 %");
    assert!(
        lines[1].contains("clock of its sender is behind by at least 1m and at most 5m"),
        "{lines:?}"
    );
    let alert = outcome.state.unwrap().alert;
    assert_eq!(
        (alert.began_at, alert.severity),
        (Some(at(-300)), Severity::Critical)
    );
}

#[test]
fn i17_what_has_ended_before_it_was_heard_of_is_closed_when_its_end_is_repeated() {
    assert_eq!(
        story(&[posted(0, 0, -600, -90), posted(1, 60, -600, -90)]),
        [true, false]
    );
    let closed = after(None, &posted(0, 0, -600, -90)).state;
    let closed = after(closed, &posted(1, 60, -600, -90)).state;
    let again = after(closed, &posted(2, 120, -600, -90));
    assert!(
        !is_open(&again) && again.history.is_empty(),
        "{:?}",
        again.history
    );
}

#[test]
fn an_end_by_a_clock_that_is_right_ends_the_alert_and_its_repetitions_open_nothing() {
    let told = story(&[
        firing(0, 0, 0),
        posted(1, 61, 0, 60),
        posted(2, 121, 0, 60),
        // The other of a pair, whose rule was evaluated somewhat later.
        posted(3, 123, 4, 64),
        // It was started again meanwhile, and does not know when the problem began.
        posted(4, 181, 30, 60),
    ]);
    assert_eq!(told, [true, false, false, false, false]);
}

#[test]
fn i17_a_new_problem_by_a_clock_that_has_become_slow_opens_the_alert_again() {
    let told = story(&[firing(0, 0, 0), posted(1, 61, 0, 60), posted(2, 1000, 700, 940)]);
    assert_eq!(told, [true, false, true]);
}

#[test]
fn i17_a_clock_that_is_put_right_or_is_ahead_opens_and_holds() {
    let told = story(&[
        posted(0, 0, -300, -60),
        firing(1, 60, 0),
        posted(2, 125, -300, 120),
    ]);
    assert_eq!(told, [true, true, false]);
    let outcome = after(None, &firing(0, 0, 300));
    let remark = &words::message(&outcome.history[1].happening);
    assert!(remark.contains("ahead by at least 5m"), "{remark}");
    let exact = after(None, &firing(0, 0, 0));
    assert_eq!(exact.history.len(), 1, "{:?}", exact.history);
}

#[test]
fn i11_an_alert_that_is_acknowledged_at_its_source_stays_so_while_its_severity_changes() {
    let told = site(vec![step(Channel::Webhook, "https://hooks.example.org")]);
    let said = |offset: u64, severity| {
        let mut decorated = event(offset, EventStatus::Firing, severity, "99 %");
        decorated.event.kind = EventKind::Firing { acknowledged: true };
        decorated
    };
    let first = said(0, Severity::Warning);
    let opened = transition(None, Input::Event(&first), at(0), &told);
    assert!(opened.notifications.is_empty(), "somebody has it already");
    let second = said(1, Severity::Urgent);
    let changed = transition(opened.state, Input::Event(&second), at(1), &told);
    let kinds: Vec<_> = changed.history.iter().map(|line| line.kind()).collect();
    assert!(kinds.contains(&HistoryKind::SeverityChanged), "{kinds:?}");
    assert!(!kinds.contains(&HistoryKind::Unacknowledged), "{kinds:?}");
    let alert = changed.state.unwrap().alert;
    assert!(alert.acknowledgement.is_some());
    assert_eq!((alert.severity, alert.counts.acknowledged), (Severity::Urgent, 1));
}
