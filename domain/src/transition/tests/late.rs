//! What comes late, comes again, or waits for another site.

use crate::words;
use jiff::Timestamp;

use super::*;
use schemas::config::{ConfigEntry, Scenario};

fn assign(second: i64, until: Option<i64>) -> (i64, Action) {
    let action = Action::Assign {
        assignee: "bob".to_owned(),
        until: until.map(at),
        comment: None,
    };
    (second, action)
}

fn scenario(name: &str, steps: Vec<Step>) -> ConfigEntry {
    ConfigEntry::Scenario(Scenario {
        name: name.to_owned(),
        description: String::new(),
        number: None,
        steps,
    })
}

#[test]
fn what_is_said_again_of_an_opening_does_not_undo_the_next_one() {
    let later = Step {
        delay_seconds: 60,
        ..step(Channel::Slack, "#ops")
    };
    let (mut story, opened) = Story::open(vec![step(Channel::Slack, "#ops"), later]);
    let failed = ReceiptOutcome::Failed {
        failure: DeliveryFailure::Refused,
        error: "no such channel".to_owned(),
    };
    story.receipt(1, &opened.notifications[0], failed.clone());
    let again = story.take(Input::Deadline, at(60));
    assert_eq!(told(&again), [(NotificationKind::Open, "#ops")]);

    let repeated = story.receipt(61, &opened.notifications[0], failed);
    assert_eq!(repeated.ignored, Some(Ignored::Settled));
    story.receipt(62, &again.notifications[0], sent("1.2"));
    assert_eq!(told(&story.ends(63)), [(NotificationKind::Close, "#ops")]);
}

#[test]
fn an_assignment_ends_when_the_problem_is_another() {
    let minor = Step {
        minimum_severity: Severity::Critical,
        ..step(Channel::Slack, "#ops")
    };
    let mut story = Story::new(vec![minor]);
    story.fires(0, Severity::Warning, "80 %");
    let (second, action) = assign(1, None);
    story.operator(second, action);
    let worse = story.fires(2, Severity::Critical, "99 %");
    assert_eq!(
        kinds(&worse),
        [
            HistoryKind::SeverityChanged,
            HistoryKind::Unassigned,
            HistoryKind::Notifying
        ]
    );
    assert_eq!(told(&worse), [(NotificationKind::Open, "#ops")]);
}

#[test]
fn an_assignment_ends_when_the_alert_opens_again_even_under_a_sticky_snooze() {
    let (mut story, _) = Story::open(vec![]);
    let (second, action) = assign(1, None);
    story.operator(second, action);
    story.operator(2, snooze(600, true, true));
    story.ends(3);
    let again = story.fires(4, Severity::Critical, "99 %");
    assert_eq!(kinds(&again), [HistoryKind::Reopened, HistoryKind::Unassigned]);
    assert!(story.alert().snooze.is_some());
}

#[test]
fn why_an_assignment_has_ended_is_told_as_it_was() {
    let (mut story, _) = Story::open(vec![]);
    let (second, action) = assign(1, None);
    story.operator(second, action.clone());
    let other = story.fires(2, Severity::Warning, "80 %");
    assert_eq!(
        words::message(&other.history[1].happening),
        "the assignment to bob has ended, as the severity has changed"
    );
    story.operator(3, action);
    story.ends(4);
    let again = story.fires(5, Severity::Warning, "80 %");
    assert_eq!(
        words::message(&again.history[1].happening),
        "the assignment to bob has ended, as the alert is open again"
    );
}

#[test]
fn a_spool_does_not_open_what_has_ended_since() {
    let (mut story, _) = Story::open(vec![]);
    story.ends(1);
    let mut ended = event(10, EventStatus::Resolved, Severity::Ok, "fine");
    ended.event.accepted_at = at(120);
    let kept = story.take(Input::Event(&ended), at(120));
    assert_eq!(
        (kept.effect, kept.ignored),
        (Effect::Keep, None),
        "that it was heard is kept"
    );
    let mut spooled = event(11, EventStatus::Firing, Severity::Critical, "99 %");
    (spooled.event.accepted_at, spooled.spooled) = (at(60), true);
    let late = story.take(Input::Event(&spooled), at(121));
    assert_eq!(late.ignored, Some(Ignored::Repetition));

    // Who says every few seconds that all is well costs nothing.
    let mut ended = event(12, EventStatus::Resolved, Severity::Ok, "fine");
    ended.event.accepted_at = at(130);
    let again = story.take(Input::Event(&ended), at(130));
    assert_eq!(
        (again.effect, again.ignored),
        (Effect::Nothing, Some(Ignored::NothingOpen))
    );
}

#[test]
fn that_a_scenario_is_missing_is_on_record_once_and_again_when_it_goes_missing() {
    let mut story = Story::new(vec![step(Channel::Slack, "#ops")]);
    let default = scenario("default", vec![step(Channel::Slack, "#ops")]);
    story.site.apply("scenario/default", None);
    let opened = story.fires(0, Severity::Critical, "99 %");
    assert_eq!(kinds(&opened), [HistoryKind::Opened, HistoryKind::HeldBack]);
    let looked_at = story.take(Input::Deadline, at(1));
    assert_eq!((looked_at.effect, looked_at.history.len()), (Effect::Nothing, 0));

    story.site.apply("scenario/default", Some(default));
    assert_eq!(
        told(&story.take(Input::Deadline, at(2))),
        [(NotificationKind::Open, "#ops")]
    );
    story.site.apply("scenario/default", None);
    assert_eq!(
        kinds(&story.take(Input::Deadline, at(3))),
        [HistoryKind::HeldBack]
    );
}

#[test]
fn every_open_alert_can_be_found_for_another_site() {
    let (mut story, _) = Story::open(vec![step(Channel::Slack, "#ops")]);
    let kept = |story: &Story| {
        let deadline = kept_deadline(story.state.as_ref().unwrap(), &story.site, at(1));
        deadline.map(|deadline| deadline.kind)
    };
    assert_eq!(kept(&story), Some(DeadlineKind::Site));
    story.ends(2);
    assert_eq!(kept(&story), None);
}

#[test]
fn steps_that_differ_in_their_window_only_do_not_dispute_forever() {
    let first = Step {
        minimum_severity: Severity::Urgent,
        ..step(Channel::Slack, "#ops")
    };
    let second = Step {
        minimum_severity: Severity::Down,
        ..step(Channel::Slack, "#ops")
    };
    let mut story = Story::new(vec![first, second]);
    let opened = story.fires(0, Severity::Warning, "80 %");
    assert_eq!(
        kinds(&opened),
        [HistoryKind::Opened, HistoryKind::HeldBack, HistoryKind::HeldBack]
    );
    let looked_at = story.take(Input::Deadline, at(1));
    assert_eq!((looked_at.effect, looked_at.history.len()), (Effect::Nothing, 0));
}

#[test]
fn the_end_of_an_amended_alert_is_said_beneath_the_amendment() {
    let (mut story, _) = Story::open(vec![]);
    let amendment = Amendment {
        output: Some("wiring".to_owned()),
        ..Amendment::default()
    };
    story.operator(
        1,
        Action::Amend {
            amendment,
            comment: None,
        },
    );
    story.ends(2);
    assert_eq!(story.alert().output, "wiring");
    let said = story.state.as_ref().unwrap().said.clone().unwrap();
    assert_eq!(said.output, "fine again");
}

#[test]
fn an_alert_is_not_amended_without_end() {
    let (mut story, _) = Story::open(vec![]);
    let amend = |number: usize| Action::Amend {
        amendment: Amendment {
            labels: [(format!("label{number}"), Some("x".repeat(9_000)))].into(),
            ..Amendment::default()
        },
        comment: None,
    };
    for second in 1..4 {
        let number = usize::try_from(second).unwrap();
        assert_eq!(
            answer(&story.operator(second, amend(number))),
            CommandOutcome::Applied
        );
    }
    let refused = story.operator(4, amend(4));
    assert_eq!(
        refused.answer.unwrap().reason.unwrap(),
        "all that is amended would have 36024 bytes: at most 32768 are taken, so give less or take back what is amended"
    );
}

#[test]
fn when_a_problem_began_is_said_by_its_source_if_that_can_be() {
    let mut story = Story::new(vec![]);
    let mut said = |second: i64, status: EventStatus, began: Option<Timestamp>| {
        story.offset += 1;
        let mut event = event(story.offset, status, Severity::Critical, "99 %");
        (event.event.accepted_at, event.event.occurred_at) = (at(second), began);
        story.take(Input::Event(&event), at(second));
        story.alert().began_at
    };
    assert_eq!(said(100, EventStatus::Firing, Some(at(40))), Some(at(40)));
    assert_eq!(
        said(110, EventStatus::Firing, Some(at(105))),
        Some(at(40)),
        "an update is no beginning"
    );
    assert_eq!(said(120, EventStatus::Resolved, Some(at(120))), Some(at(40)));
    assert_eq!(
        said(130, EventStatus::Firing, Some(at(131))),
        None,
        "the clock there is wrong"
    );
    said(140, EventStatus::Resolved, None);
    assert_eq!(said(150, EventStatus::Firing, Some(Timestamp::MIN)), None);
}
