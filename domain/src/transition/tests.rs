//! One behaviour a test, told as it happens.

use crate::words;
use schemas::alert::{Badge, OperatorState};
use schemas::config::Step;
use schemas::{
    Action, Alert, Amendment, Channel, CommandOutcome, DeliveryFailure, EventStatus, HistoryKind,
    LedgerState, NotificationKind, ReceiptOutcome, Severity, Status,
};

use super::examples::{at, event, put, silence, site, step, working_hours};
use super::story::{Story, answer, kinds, sent, told};
use super::{Effect, Ignored, Input};
use crate::Site;
use crate::transition::deadlines::{DeadlineKind, kept_deadline, next_deadline};

fn snooze(second: i64, sticky_severity: bool, sticky_output: bool) -> Action {
    Action::Snooze {
        until: at(second),
        sticky_severity,
        sticky_output,
        comment: None,
    }
}

const ACKNOWLEDGE: Action = Action::Acknowledge { comment: None };

#[test]
fn an_alert_opens_once_and_refreshes_write_nothing() {
    let (mut story, outcome) = Story::open(vec![]);
    assert_eq!(kinds(&outcome), [HistoryKind::Opened]);
    assert_eq!((outcome.effect, story.alert().version), (Effect::Publish, 1));
    assert_eq!(story.alert().badge, Some(Badge::New));

    let refresh = story.fires(10, Severity::Critical, "99 %");
    assert_eq!(
        (refresh.effect, refresh.ignored),
        (Effect::Nothing, Some(Ignored::Refresh))
    );
    let later = story.fires(61, Severity::Critical, "99 %");
    assert_eq!((later.effect, later.history.len()), (Effect::Seen, 0));
    assert_eq!((story.alert().version, story.alert().last_event_at), (1, at(61)));
}

#[test]
fn a_change_of_text_and_of_severity_are_on_record() {
    let (mut story, _) = Story::open(vec![]);
    let update = story.fires(1, Severity::Critical, "100 %");
    assert_eq!(kinds(&update), [HistoryKind::Updated]);
    assert_eq!(story.alert().previous_output.as_deref(), Some("99 %"));
    assert_eq!(story.alert().badge, None, "no longer new");
    let change = story.fires(2, Severity::Warning, "90 %");
    assert_eq!(kinds(&change), [HistoryKind::SeverityChanged]);
    assert_eq!(
        words::message(&change.history[0].happening),
        "severity changed from critical to warning: 90 %"
    );
    assert_eq!(change.history[0].sequence, 3);
}

#[test]
fn i6_annotations_are_kept_whole_and_a_change_of_them_alone_is_a_change_of_text() {
    fn annotated(offset: u64, status: EventStatus, impact: &str) -> schemas::DecoratedEvent {
        let mut event = event(offset, status, Severity::Critical, "99 %");
        event.event.annotations = [
            ("impact".to_owned(), impact.to_owned()),
            ("empty".to_owned(), String::new()),
        ]
        .into();
        event
    }
    let mut story = Story::new(vec![]);
    let firing = annotated(1, EventStatus::Firing, "  orders\nare lost ");
    story.take(Input::Event(&firing), at(0));
    assert_eq!(story.alert().annotations, firing.event.annotations);

    let changed = annotated(2, EventStatus::Firing, "all is lost");
    let outcome = story.take(Input::Event(&changed), at(10));
    assert_eq!(kinds(&outcome), [HistoryKind::Updated]);
    assert_eq!(story.alert().annotations["impact"], "all is lost");
    assert_eq!(story.alert().counts.updated, 1);

    let same = annotated(3, EventStatus::Firing, "all is lost");
    assert_eq!(story.take(Input::Event(&same), at(20)).effect, Effect::Nothing);

    // An end without annotations takes none away, and one with them has the last word.
    story.ends(30);
    assert_eq!(story.alert().annotations["impact"], "all is lost");
    let again = annotated(5, EventStatus::Firing, "again");
    story.take(Input::Event(&again), at(40));
    let end = annotated(6, EventStatus::Resolved, "none");
    story.take(Input::Event(&end), at(50));
    assert_eq!(story.alert().annotations["impact"], "none");
}

#[test]
fn an_event_that_comes_again_is_not_applied_again() {
    let (mut story, _) = Story::open(vec![]);
    story.ends(1);
    let again = event(1, EventStatus::Firing, Severity::Critical, "99 %");
    let outcome = story.take(Input::Event(&again), at(2));
    assert_eq!(outcome.ignored, Some(Ignored::Repetition));
    assert_eq!(story.alert().status, Status::Closed);
}

#[test]
fn c2_an_event_that_names_the_alert_of_another_integration_changes_nothing() {
    let (mut story, _) = Story::open(vec![]);
    let mut foreign = event(7, EventStatus::Resolved, Severity::Ok, "");
    foreign.event.integration = "other".to_owned();
    let outcome = story.take(Input::Event(&foreign), at(5));
    assert_eq!(outcome.ignored, Some(Ignored::NothingOpen));
    assert_eq!(
        (outcome.effect, story.alert().status),
        (Effect::Nothing, Status::Open)
    );
}

#[test]
fn what_is_not_open_cannot_end() {
    let mut story = Story::new(vec![]);
    let outcome = story.ends(0);
    assert_eq!(
        (outcome.ignored, outcome.state),
        (Some(Ignored::NothingOpen), None)
    );
    story.fires(1, Severity::Critical, "99 %");
    story.ends(2);
    assert_eq!(story.ends(3).ignored, Some(Ignored::NothingOpen));
}

#[test]
fn durations_add_up_over_episodes_and_days() {
    let day = 86_400;
    let (mut story, _) = Story::open(vec![]);
    story.ends(2 * day + 5);
    let reopened = story.fires(3 * day, Severity::Down, "gone");
    assert_eq!(kinds(&reopened), [HistoryKind::Reopened]);
    assert_eq!((story.alert().episode, story.alert().opened_at), (2, at(3 * day)));
    story.ends(3 * day + 5);
    assert_eq!(story.alert().total_duration_ms, (2 * 86_400 + 10) * 1000);
    assert_eq!(story.alert().severity, Severity::Down, "how bad it was");
    assert_eq!((story.alert().counts.opened, story.alert().counts.closed), (2, 2));
}

#[test]
fn more_than_five_reopenings_in_an_hour_are_flapping() {
    let (mut story, _) = Story::open(vec![]);
    for round in 1..=6 {
        assert_ne!(story.alert().badge, Some(Badge::Flapping));
        story.ends(round * 60);
        story.fires(round * 60 + 1, Severity::Critical, "99 %");
    }
    assert_eq!(story.alert().badge, Some(Badge::Flapping));
    story.ends(3 * 3600);
    story.fires(3 * 3600 + 1, Severity::Critical, "99 %");
    assert_eq!(story.alert().badge, None);
}

#[test]
fn what_was_opened_is_closed_however_muted_it_is() {
    let (mut story, opened) = Story::open(vec![step(Channel::Slack, "#ops"), step(Channel::Email, "a@b")]);
    assert_eq!(
        told(&opened),
        [(NotificationKind::Open, "#ops"), (NotificationKind::Open, "a@b")]
    );
    assert_eq!(story.alert().channels, [Channel::Slack, Channel::Email]);
    story.receipt(1, &opened.notifications[0], sent("C1:1"));
    story.operator(2, snooze(9999, true, true));
    story.operator(3, ACKNOWLEDGE);
    let closed = story.ends(4);
    assert_eq!(
        told(&closed),
        [
            (NotificationKind::Close, "#ops"),
            (NotificationKind::Close, "a@b")
        ]
    );
    assert!(story.alert().channels.is_empty());
    let settled = story.receipt(5, closed.notifications.first().unwrap(), sent("C1:1"));
    assert_eq!(settled.ledger[0].state, LedgerState::Closed);
    assert_eq!(settled.ledger[0].reference.as_deref(), Some("C1:1"));
}

#[test]
fn the_answer_of_a_channel_changes_the_number_of_the_last_line_and_nothing_else_of_the_document() {
    let (mut story, opened) = Story::open(vec![step(Channel::Slack, "#ops")]);
    let last = opened.history.last().unwrap().sequence;
    let mut document = serde_json::to_value(&story.state).unwrap();
    let delivered = story.receipt(1, &opened.notifications[0], sent("C1:1"));
    assert_eq!(
        (delivered.effect, kinds(&delivered)),
        (Effect::Seen, vec![HistoryKind::Notified])
    );
    assert_eq!(delivered.history[0].sequence, last + 1);
    assert_eq!(delivered.ledger[0].state, LedgerState::Open);
    document["history_sequence"] = (last + 1).into();
    assert_eq!(serde_json::to_value(&story.state).unwrap(), document);
    // The next line has the next number.
    let acknowledged = story.operator(2, ACKNOWLEDGE);
    assert_eq!(acknowledged.history[0].sequence, last + 2);
    let late = ReceiptOutcome::Retrying {
        error: "HTTP 503".to_owned(),
        next_attempt_at: at(9),
    };
    assert_eq!(
        story.receipt(3, &acknowledged.notifications[0], late).effect,
        Effect::Seen
    );
    let stored = document;
    let seen = story.state.as_ref().unwrap().last_seen();
    let mut read_back: crate::AlertState = serde_json::from_value(stored).unwrap();
    read_back.take_last_seen(seen);
    assert_eq!(read_back.history_sequence, last + 3);
    assert_eq!(story.ends(10).history[0].sequence, last + 4);
}

#[test]
fn an_answer_that_changes_the_alert_is_written_with_it() {
    let (mut story, opened) = Story::open(vec![step(Channel::Slack, "#gone")]);
    let failed = ReceiptOutcome::Failed {
        failure: DeliveryFailure::BadDestination,
        error: "channel_not_found".to_owned(),
    };
    // The alert is open in no channel any more, which everybody sees.
    assert_eq!(
        story.receipt(1, &opened.notifications[0], failed).effect,
        Effect::Publish
    );
}

#[test]
fn what_could_not_be_opened_is_not_closed() {
    let (mut story, opened) = Story::open(vec![step(Channel::Slack, "#gone")]);
    let failed = ReceiptOutcome::Failed {
        failure: DeliveryFailure::BadDestination,
        error: "channel_not_found".to_owned(),
    };
    let outcome = story.receipt(1, &opened.notifications[0], failed);
    assert_eq!(outcome.ledger[0].state, LedgerState::Failed);
    assert_eq!(kinds(&outcome), [HistoryKind::NotDelivered]);
    assert!(
        words::message(&outcome.history[0].happening)
            .contains("#gone not delivered (bad_destination): channel_not_found")
    );
    assert!(story.alert().channels.is_empty());
    assert!(told(&story.ends(2)).is_empty());
}

#[test]
fn mail_follows_severity_and_slack_follows_everything() {
    let (mut story, _) = Story::open(vec![step(Channel::Slack, "#ops"), step(Channel::Email, "a@b")]);
    assert_eq!(
        told(&story.fires(1, Severity::Critical, "100 %")),
        [(NotificationKind::Update, "#ops")]
    );
    assert_eq!(
        told(&story.operator(2, ACKNOWLEDGE)),
        [(NotificationKind::Update, "#ops")]
    );
    let worse = story.fires(3, Severity::Urgent, "100 %");
    assert_eq!(
        told(&worse),
        [
            (NotificationKind::Update, "#ops"),
            (NotificationKind::Update, "a@b")
        ]
    );
    assert_eq!(worse.notifications[0].sequence, 4);
    assert_eq!(worse.notifications[0].alert.version, story.alert().version);
}

#[test]
fn a_step_waits_for_its_delay_and_a_recovery_cancels_it() {
    let late = Step {
        delay_seconds: 300,
        ..step(Channel::Email, "boss@b")
    };
    let (mut story, opened) = Story::open(vec![late]);
    assert!(told(&opened).is_empty());
    let deadline = next_deadline(story.state.as_ref().unwrap(), &story.site, at(0)).unwrap();
    assert_eq!((deadline.kind, deadline.due_at), (DeadlineKind::Step, at(300)));
    let mut other = Story {
        site: story.site.clone(),
        state: story.state.clone(),
        offset: story.offset,
        now: at(0),
    };

    assert_eq!(
        told(&story.take(Input::Deadline, at(300))),
        [(NotificationKind::Open, "boss@b")]
    );
    assert_eq!(
        story.take(Input::Deadline, at(301)).ignored,
        Some(Ignored::Overtaken)
    );

    assert!(told(&other.ends(200)).is_empty());
    assert_eq!(
        next_deadline(other.state.as_ref().unwrap(), &other.site, at(200)),
        None
    );
    assert!(told(&other.take(Input::Deadline, at(300))).is_empty());
}

#[test]
fn who_is_held_back_is_on_record_with_the_rule_and_told_when_it_no_longer_holds() {
    let late = Step {
        delay_seconds: 300,
        ..step(Channel::Email, "boss@b")
    };
    let (mut story, _) = Story::open(vec![late]);
    story.operator(10, ACKNOWLEDGE);
    let held = story.take(Input::Deadline, at(300));
    assert_eq!(kinds(&held), [HistoryKind::HeldBack]);
    assert_eq!(
        words::message(&held.history[0].happening),
        "email boss@b is not notified: the alert is acknowledged by ann"
    );
    assert!(
        kinds(&story.take(Input::Deadline, at(301))).is_empty(),
        "said once"
    );
    let taken_back = story.operator(400, Action::Unacknowledge);
    assert!(told(&taken_back).is_empty(), "290 s of its delay are left");
    let deadline = next_deadline(story.state.as_ref().unwrap(), &story.site, at(400)).unwrap();
    assert_eq!((deadline.kind, deadline.due_at), (DeadlineKind::Step, at(690)));
    assert_eq!(
        told(&story.take(Input::Deadline, at(690))),
        [(NotificationKind::Open, "boss@b")]
    );
}

#[test]
fn a_step_below_its_severity_is_told_when_it_gets_worse() {
    let severe = Step {
        minimum_severity: Severity::Urgent,
        ..step(Channel::Slack, "#ops")
    };
    let (mut story, opened) = Story::open(vec![severe]);
    assert_eq!(
        words::message(&opened.history[1].happening),
        "slack #ops is not notified: severity critical is below urgent"
    );
    assert_eq!(
        told(&story.fires(1, Severity::Down, "gone")),
        [(NotificationKind::Open, "#ops")]
    );
}

#[test]
fn a_closed_window_holds_back_until_it_opens() {
    let step = Step {
        window: Some(working_hours()),
        ..step(Channel::Slack, "#ops")
    };
    let mut story = Story::new(vec![step]);
    let night = 10 * 3600;
    let opened = story.fires(night, Severity::Critical, "99 %");
    assert_eq!(
        words::message(&opened.history[1].happening),
        "slack #ops is not notified: outside its time window 09:00–17:00 UTC"
    );
    let morning = 23 * 3600;
    let deadline = next_deadline(story.state.as_ref().unwrap(), &story.site, at(night)).unwrap();
    assert_eq!(deadline.due_at, at(morning));
    assert_eq!(
        told(&story.take(Input::Deadline, at(morning))),
        [(NotificationKind::Open, "#ops")]
    );
}

#[test]
fn a_silence_holds_back_until_it_ends_and_says_whose_it_is() {
    let mut story = Story::new(vec![step(Channel::Slack, "#ops")]);
    put(&mut story.site, silence(7, &["alertname=disk full"], 0, 600));
    put(&mut story.site, silence(8, &["alertname=cpu"], 0, 9999));
    put(&mut story.site, silence(9, &["object=host-1"], 0, 300));
    let opened = story.fires(0, Severity::Critical, "99 %");
    assert_eq!(kinds(&opened), [HistoryKind::Opened, HistoryKind::HeldBack]);
    assert_eq!(
        words::message(&opened.history[1].happening),
        "slack #ops is not notified: silenced by Jane until 2026-09-01T10:10:00Z: new disks \
         (silence 00000000-0000-0000-0000-000000000007); silenced by Jane until 2026-09-01T10:05:00Z: new disks \
         (silence 00000000-0000-0000-0000-000000000009)"
    );
    let deadline = next_deadline(story.state.as_ref().unwrap(), &story.site, at(0)).unwrap();
    assert_eq!(deadline.due_at, at(600), "the end of the longest");
    assert!(
        kinds(&story.fires(1, Severity::Critical, "99 %")).is_empty(),
        "said once"
    );
    assert_eq!(
        told(&story.take(Input::Deadline, at(600))),
        [(NotificationKind::Open, "#ops")]
    );
}

#[test]
fn a_silence_that_is_ended_early_or_has_not_begun_holds_nothing_back() {
    let (mut story, _) = Story::open(vec![]);
    story.site = site(vec![step(Channel::Slack, "#ops")]);
    put(&mut story.site, silence(7, &["alertname=disk full"], 0, 600));
    story.fires(1, Severity::Critical, "99 %");
    put(&mut story.site, silence(7, &["alertname=disk full"], 0, 2));
    assert_eq!(
        told(&story.take(Input::Deadline, at(2))),
        [(NotificationKind::Open, "#ops")]
    );

    let mut story = Story::new(vec![step(Channel::Slack, "#ops")]);
    put(&mut story.site, silence(7, &["alertname=disk full"], 60, 600));
    assert_eq!(
        told(&story.fires(0, Severity::Critical, "99 %")),
        [(NotificationKind::Open, "#ops")]
    );
}

#[test]
fn a_silence_neither_holds_back_what_changes_nor_what_ends() {
    let late = Step {
        delay_seconds: 300,
        ..step(Channel::Email, "boss@b")
    };
    let (mut story, _) = Story::open(vec![step(Channel::Slack, "#ops"), late]);
    put(&mut story.site, silence(7, &["team=pay"], 0, 600));
    assert_eq!(
        told(&story.fires(1, Severity::Urgent, "100 %")),
        [(NotificationKind::Update, "#ops")]
    );
    assert!(told(&story.take(Input::Deadline, at(300))).is_empty());
    assert_eq!(told(&story.ends(301)), [(NotificationKind::Close, "#ops")]);
}

#[test]
fn a_recovery_outside_the_window_is_told_all_the_same() {
    let step = Step {
        window: Some(working_hours()),
        ..step(Channel::Slack, "#ops")
    };
    let (mut story, _) = Story::open(vec![step]);
    assert_eq!(told(&story.ends(10 * 3600)), [(NotificationKind::Close, "#ops")]);
}

#[test]
fn a_missing_scenario_is_a_reason_on_record() {
    let mut story = Story::new(vec![]);
    story.site = Site::default();
    let opened = story.fires(0, Severity::Critical, "99 %");
    assert_eq!(
        words::message(&opened.history[1].happening),
        "nobody is notified: there is no scenario default"
    );
}

#[test]
fn a_snooze_ends_by_time_or_by_what_is_not_sticky() {
    let state_after = |action: Action, severity: Severity, output: &str| {
        let (mut story, _) = Story::open(vec![]);
        assert_eq!(answer(&story.operator(1, action)), CommandOutcome::Applied);
        story.fires(2, severity, output);
        story.alert().operator_state
    };
    let (active, snoozed) = (OperatorState::Active, OperatorState::Snoozed);
    assert_eq!(
        state_after(snooze(900, false, false), Severity::Critical, "100 %"),
        active
    );
    assert_eq!(
        state_after(snooze(900, false, true), Severity::Critical, "100 %"),
        snoozed
    );
    assert_eq!(
        state_after(snooze(900, false, true), Severity::Down, "99 %"),
        active
    );
    assert_eq!(
        state_after(snooze(900, true, false), Severity::Down, "99 %"),
        snoozed
    );
    assert_eq!(
        state_after(snooze(900, true, true), Severity::Down, "gone"),
        snoozed
    );

    let (mut story, _) = Story::open(vec![]);
    story.operator(1, snooze(900, true, true));
    let deadline = next_deadline(story.state.as_ref().unwrap(), &story.site, at(1)).unwrap();
    assert_eq!((deadline.kind, deadline.due_at), (DeadlineKind::HoldEnd, at(900)));
    assert_eq!(
        kinds(&story.take(Input::Deadline, at(900))),
        [HistoryKind::Unsnoozed]
    );
    assert_eq!(story.alert().operator_state, active);
}

#[test]
fn an_acknowledgement_ends_with_the_severity_and_with_the_alert() {
    let (mut story, _) = Story::open(vec![]);
    story.operator(1, ACKNOWLEDGE);
    assert_eq!(story.alert().operator_state, OperatorState::Acknowledged);
    story.fires(2, Severity::Critical, "100 %");
    assert_eq!(
        story.alert().operator_state,
        OperatorState::Acknowledged,
        "more output is no reason"
    );
    let worse = story.fires(3, Severity::Down, "gone");
    assert_eq!(
        kinds(&worse),
        [HistoryKind::SeverityChanged, HistoryKind::Unacknowledged]
    );

    story.operator(4, ACKNOWLEDGE);
    story.ends(5);
    story.fires(6, Severity::Down, "gone");
    assert_eq!(story.alert().operator_state, OperatorState::Active);
}

#[test]
fn an_acknowledgement_at_the_source_counts() {
    let (mut story, _) = Story::open(vec![]);
    let outcome = story.source(1, EventStatus::Acknowledged, Severity::Critical, "99 %");
    assert_eq!(
        words::message(&outcome.history[0].happening),
        "acknowledged at the source by nagios-1"
    );
    assert_eq!(story.alert().operator_state, OperatorState::Acknowledged);
}

#[test]
fn every_action_has_its_undo() {
    let until = at(900);
    let pairs = [
        (ACKNOWLEDGE, Action::Unacknowledge),
        (snooze(900, false, false), Action::Unsnooze),
        (
            Action::Handle {
                until,
                assignee: None,
            },
            Action::Unhandle,
        ),
        (
            Action::Assign {
                assignee: "bob".to_owned(),
                until: None,
                comment: None,
            },
            Action::Unassign,
        ),
        (
            Action::Comment {
                comment: "why".to_owned(),
            },
            Action::Uncomment,
        ),
        (
            Action::Amend {
                amendment: Amendment {
                    severity: Some(Severity::Urgent),
                    ..Amendment::default()
                },
                comment: None,
            },
            Action::Unamend,
        ),
        (Action::Resolve { comment: None }, Action::Unresolve),
    ];
    for (action, undo) in pairs {
        let (mut story, _) = Story::open(vec![]);
        let before = story.alert().clone();
        assert_eq!(
            answer(&story.operator(1, undo.clone())),
            CommandOutcome::Unchanged,
            "{undo:?}"
        );
        assert_eq!(
            answer(&story.operator(2, action.clone())),
            CommandOutcome::Applied,
            "{action:?}"
        );
        assert_ne!(looks(story.alert()), looks(&before), "{action:?}");
        assert_eq!(
            answer(&story.operator(3, undo.clone())),
            CommandOutcome::Applied,
            "{undo:?}"
        );
        assert_eq!(looks(story.alert()), looks(&before), "{undo:?}");
    }
}

/// What an operator can change.
fn looks(alert: &Alert) -> (OperatorState, Option<&str>, Status, Severity) {
    (
        alert.operator_state,
        alert.comment.as_deref(),
        alert.status,
        alert.severity,
    )
}

#[test]
fn a_command_with_a_known_key_is_applied_once() {
    let (mut story, _) = Story::open(vec![]);
    let comment = || Action::Comment {
        comment: "mine".to_owned(),
    };
    assert_eq!(
        answer(&story.operator_with_key(1, comment(), "k")),
        CommandOutcome::Applied
    );
    let again = story.operator_with_key(2, comment(), "k");
    assert_eq!(
        (answer(&again), again.effect),
        (CommandOutcome::Applied, Effect::Nothing)
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let (mut story, _) = Story::open(vec![]);
    let past = story.operator(100, snooze(50, false, false));
    assert_eq!(answer(&past), CommandOutcome::Refused);
    assert_eq!(
        past.answer.unwrap().reason.unwrap(),
        "`until` is past: give a time in the future"
    );
    story.ends(101);
    assert_eq!(answer(&story.operator(102, ACKNOWLEDGE)), CommandOutcome::Refused);

    let mut nothing = Story::new(vec![]);
    assert_eq!(answer(&nothing.operator(0, ACKNOWLEDGE)), CommandOutcome::Unknown);
}

#[test]
fn moving_to_another_environment_keeps_the_alert() {
    let (mut story, _) = Story::open(vec![]);
    let mut moved = event(9, EventStatus::Firing, Severity::Critical, "99 %");
    moved.environment = "other".to_owned();
    let outcome = story.take(Input::Event(&moved), at(5));
    assert_eq!(kinds(&outcome), [HistoryKind::Rerouted]);
    assert_eq!(
        (story.alert().environment.as_str(), story.alert().episode),
        ("other", 1)
    );
}

#[test]
fn a_late_receipt_of_an_earlier_episode_finds_its_own_row() {
    let (mut story, first) = Story::open(vec![step(Channel::Slack, "#ops")]);
    let closed = story.ends(1);
    let second = story.fires(2, Severity::Critical, "99 %");
    assert_eq!(second.notifications[0].episode, 2);
    story.receipt(3, &first.notifications[0], sent("C1:1"));
    let settled = story.receipt(4, &closed.notifications[0], sent("C1:1"));
    assert_eq!(
        (settled.ledger[0].episode, settled.ledger[0].state),
        (1, LedgerState::Closed)
    );
    let ledger = &story.state.as_ref().unwrap().ledger;
    assert_eq!(
        (ledger.len(), ledger[0].episode, ledger[0].state),
        (1, 2, LedgerState::Opening)
    );
}

#[test]
fn a_spooled_event_that_was_overtaken_changes_nothing_and_a_newer_one_counts() {
    let (mut story, _) = Story::open(vec![]);
    let spooled = |story: &mut Story, accepted: i64, status, severity| {
        story.offset += 1;
        let mut event = event(story.offset, status, severity, "98 %");
        event.event.accepted_at = at(accepted);
        event.spooled = true;
        story.take(Input::Event(&event), at(60))
    };
    story.offset += 1;
    let mut end = event(story.offset, EventStatus::Resolved, Severity::Ok, "fine again");
    end.event.accepted_at = at(20);
    story.take(Input::Event(&end), at(50));
    let late = spooled(&mut story, 10, EventStatus::Firing, Severity::Critical);
    assert_eq!(
        (late.ignored, late.effect),
        (Some(Ignored::Repetition), Effect::Nothing)
    );
    let newer = spooled(&mut story, 30, EventStatus::Firing, Severity::Critical);
    assert_eq!(newer.history[0].kind(), HistoryKind::Reopened);
}

mod late;
mod text;

#[test]
fn l12_time_during_which_a_step_is_held_back_does_not_count_towards_its_delay() {
    let later = |destination: &str, delay_seconds| Step {
        delay_seconds,
        ..step(Channel::Slack, destination)
    };
    let levels = vec![later("#first", 0), later("#second", 6), later("#third", 12)];
    let levels_told = |story: &mut Story, until: i64| {
        let mut all = Vec::new();
        while let Some(deadline) = next_deadline(story.state.as_ref().unwrap(), &story.site, story.now) {
            let second = deadline.due_at.duration_since(at(0)).as_secs();
            if second > until {
                break;
            }
            let outcome = story.take(Input::Deadline, deadline.due_at);
            all.extend(
                told(&outcome)
                    .into_iter()
                    .map(|(_, destination)| (second, destination.to_owned())),
            );
        }
        all
    };
    let at_seconds = |seconds: [i64; 3]| {
        let levels = ["#first", "#second", "#third"].map(str::to_owned);
        seconds.into_iter().zip(levels).collect::<Vec<_>>()
    };

    let mut silenced = Story::new(levels.clone());
    put(&mut silenced.site, silence(7, &["object=host-1"], 0, 16));
    silenced.fires(0, Severity::Critical, "99 %");
    assert_eq!(levels_told(&mut silenced, 60), at_seconds([16, 22, 28]));

    let (mut acknowledged, opened) = Story::open(levels);
    assert_eq!(told(&opened), [(NotificationKind::Open, "#first")]);
    acknowledged.operator(1, Action::Acknowledge { comment: None });
    assert_eq!(levels_told(&mut acknowledged, 13), [], "the history says why");
    let taken_back = acknowledged.operator(14, Action::Unacknowledge);
    assert!(
        told(&taken_back)
            .iter()
            .all(|(kind, _)| *kind == NotificationKind::Update)
    );
    assert_eq!(levels_told(&mut acknowledged, 60), at_seconds([0, 19, 25])[1..]);
}
