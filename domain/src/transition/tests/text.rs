//! Text that changes with every refresh.

use crate::words;
use schemas::{Action, Amendment, Channel, HistoryKind, NotificationKind, Severity};

use super::super::examples::{at, step};
use super::super::story::{Story, kinds, sent, told};
use super::super::{Effect, Input};
use crate::Pace;
use crate::transition::deadlines::{DeadlineKind, next_deadline};

/// A webhook that has the alert open.
fn followed() -> Story {
    let (mut story, outcome) = Story::open(vec![step(Channel::Webhook, "hook")]);
    let opened = outcome.notifications[0].clone();
    story.receipt(0, &opened, sent("1"));
    story
}

#[test]
fn three_thousand_refreshes_that_only_change_the_text_are_recorded_and_told_once_in_a_while_and_the_last_is_kept()
 {
    let mut story = followed();
    let (mut lines, mut calls) = (0, 0);
    for second in 1..=3_000 {
        let outcome = story.fires(second, Severity::Critical, &format!("{second} requests"));
        assert_eq!(outcome.effect, Effect::Publish, "the console has each");
        assert_eq!(story.alert().output, format!("{second} requests"));
        lines += outcome.history.len();
        calls += outcome.notifications.len();
    }
    assert_eq!((lines, calls), (50, 50), "one a minute");

    let state = story.state.clone().unwrap();
    let deadline = next_deadline(&state, &story.site, at(3_000)).unwrap();
    assert_eq!((deadline.kind, deadline.due_at), (DeadlineKind::Text, at(3_001)));
    let last = story.take(Input::Deadline, at(3_001));
    assert_eq!(kinds(&last), [HistoryKind::Updated]);
    assert_eq!(words::message(&last.history[0].happening), "3000 requests");
    assert_eq!(told(&last), [(NotificationKind::Update, "hook")]);
    assert_eq!(last.notifications[0].alert.output, "3000 requests");
    let state = story.state.clone().unwrap();
    assert_eq!(next_deadline(&state, &story.site, at(3_001)), None);
}

#[test]
fn the_end_of_an_alert_keeps_the_last_text_and_a_rise_of_severity_does_not_wait() {
    let mut story = followed();
    story.fires(1, Severity::Critical, "one");
    assert_eq!(kinds(&story.fires(2, Severity::Critical, "two")), []);
    let worse = story.fires(3, Severity::Down, "three");
    assert_eq!(kinds(&worse), [HistoryKind::SeverityChanged]);
    assert_eq!(told(&worse).len(), 1);
    assert_eq!(kinds(&story.fires(4, Severity::Down, "four")), []);
    let end = story.ends(5);
    assert_eq!(kinds(&end), [HistoryKind::Updated, HistoryKind::Closed]);
    assert_eq!(words::message(&end.history[0].happening), "four");
    assert_eq!(told(&end), [(NotificationKind::Close, "hook")]);
    story.fires(6, Severity::Critical, "one");
    let first = story.fires(7, Severity::Critical, "two");
    assert_eq!(kinds(&first), [HistoryKind::Updated], "another episode");
}

#[test]
fn the_pace_is_a_setting() {
    let mut story = followed();
    story.site.pace = Pace::of_seconds(Some(10), Some(0));
    for second in 1..4 {
        let outcome = story.fires(second, Severity::Critical, &format!("{second} requests"));
        assert_eq!(kinds(&outcome), [HistoryKind::Updated]);
    }
    assert_eq!(
        story.fires(9, Severity::Critical, "3 requests").effect,
        Effect::Nothing
    );
    assert_eq!(
        story.fires(13, Severity::Critical, "3 requests").effect,
        Effect::Seen
    );
}

#[test]
fn what_the_source_says_beneath_an_amendment_is_recorded_once_in_a_while_too() {
    let mut story = followed();
    let amendment = Amendment {
        output: Some("known".to_owned()),
        ..Amendment::default()
    };
    story.operator(
        1,
        Action::Amend {
            amendment,
            comment: None,
        },
    );
    let lines: Vec<_> = (2..122)
        .flat_map(|second| {
            story
                .fires(second, Severity::Critical, &format!("{second} requests"))
                .history
        })
        .collect();
    let said: Vec<_> = lines.iter().map(|line| words::message(&line.happening)).collect();
    assert_eq!(
        said,
        [
            "its source says critical: 2 requests, beneath what was amended",
            "its source says critical: 62 requests, beneath what was amended"
        ]
    );
    let worse = story.fires(122, Severity::Down, "worse");
    assert_eq!(kinds(&worse), [HistoryKind::SeverityChanged]);
}
