use crate::words;
use std::collections::BTreeMap;

use schemas::{
    Action, ActionRequest, Amendment, Channel, CommandOutcome, EventKind, EventStatus, HistoryKind,
    NotificationKind, Severity,
};

use crate::transition::examples::{at, event, step};
use crate::transition::story::{Story, answer, kinds, told};
use crate::transition::{Effect, Ignored, Input, Outcome};

fn amend(amendment: Amendment) -> Action {
    Action::Amend {
        amendment,
        comment: None,
    }
}

fn severity(severity: Severity) -> Action {
    amend(Amendment {
        severity: Some(severity),
        ..Amendment::default()
    })
}

fn output(text: &str) -> Action {
    amend(Amendment {
        output: Some(text.to_owned()),
        ..Amendment::default()
    })
}

fn texts<'t>(labels: &[(&'t str, &'t str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    labels.iter().map(owned).collect()
}

/// The sender requests it, by the way of the events.
fn requests(story: &mut Story, second: i64, author: Option<&str>, action: Action) -> Outcome {
    story.offset += 1;
    let mut event = event(story.offset, EventStatus::Firing, Severity::Information, "");
    event.event.accepted_at = at(second);
    event.event.kind = EventKind::ActionRequest(ActionRequest {
        author: author.map(str::to_owned),
        action,
    });
    story.take(Input::Event(&event), at(second))
}

#[test]
fn who_was_not_told_of_a_lesser_severity_is_told_once_it_is_amended() {
    let grave = schemas::config::Step {
        minimum_severity: Severity::Urgent,
        ..step(Channel::Slack, "#boss")
    };
    let (mut story, opened) = Story::open(vec![step(Channel::Slack, "#ops"), grave]);
    assert_eq!(told(&opened), [(NotificationKind::Open, "#ops")]);
    let amended = story.operator(1, severity(Severity::Urgent));
    assert_eq!(answer(&amended), CommandOutcome::Applied);
    assert_eq!(
        told(&amended),
        [
            (NotificationKind::Update, "#ops"),
            (NotificationKind::Open, "#boss")
        ]
    );
    assert_eq!(amended.history[0].kind(), HistoryKind::SeverityChanged);
    assert_eq!(
        (
            words::actor(&amended.history[0].happening.actor).as_str(),
            words::message(&amended.history[0].happening).as_str()
        ),
        ("operator ann", "amended: severity urgent instead of critical")
    );
    assert_eq!(amended.notifications[0].alert.severity, Severity::Urgent);
}

#[test]
fn a_severity_holds_until_the_source_changes_its_own() {
    let (mut story, _) = Story::open(vec![]);
    story.operator(1, severity(Severity::Information));
    let refresh = story.fires(2, Severity::Critical, "99 %");
    assert_eq!(
        (refresh.ignored, refresh.effect),
        (Some(Ignored::Refresh), Effect::Nothing)
    );
    assert_eq!(story.alert().severity, Severity::Information);
    let worse = story.fires(3, Severity::Down, "gone");
    assert_eq!(kinds(&worse), [HistoryKind::SeverityChanged]);
    assert_eq!(
        (story.alert().severity, story.alert().amended.as_ref()),
        (Severity::Down, None)
    );
    story.fires(4, Severity::Critical, "99 %");
    assert_eq!(story.alert().severity, Severity::Critical);
}

#[test]
fn a_text_stays_as_it_was_amended_and_what_the_source_says_is_on_record() {
    let (mut story, _) = Story::open(vec![]);
    story.operator(1, output("full of logs"));
    assert_eq!(story.alert().previous_output.as_deref(), Some("99 %"));
    let said = story.fires(2, Severity::Critical, "98 %");
    assert_eq!(story.alert().output, "full of logs");
    assert_eq!(story.alert().previous_output.as_deref(), Some("99 %"));
    assert_eq!(
        words::message(&said.history[0].happening),
        "its source says critical: 98 %, beneath what was amended"
    );
    let back = story.operator(3, Action::Unamend);
    assert_eq!(
        words::message(&back.history[0].happening),
        "amendment taken back: output \"98 %\""
    );
    assert_eq!(
        (story.alert().output.as_str(), story.alert().amended.as_ref()),
        ("98 %", None)
    );
    assert_eq!(story.alert().previous_output.as_deref(), Some("full of logs"));
}

#[test]
fn labels_and_tags_are_added_and_taken_away_and_what_is_amended_adds_up() {
    let (mut story, _) = Story::open(vec![]);
    let mut tagged = event(2, EventStatus::Firing, Severity::Critical, "99 %");
    tagged.event.labels = texts(&[("team", "pay"), ("tags", "db, prod")]);
    story.offset = 2;
    story.take(Input::Event(&tagged), at(1));
    let first = Amendment {
        labels: [
            ("team".to_owned(), None),
            ("tier".to_owned(), Some("1".to_owned())),
        ]
        .into(),
        tags: [("prod".to_owned(), false), ("night".to_owned(), true)].into(),
        ..Amendment::default()
    };
    let amended = story.operator(2, amend(first));
    assert_eq!(
        story.alert().labels,
        texts(&[("tier", "1"), ("tags", "db, night")])
    );
    assert_eq!(
        words::message(&amended.history[0].happening),
        "amended: tags=\"db, night\", tier=\"1\", no team"
    );
    let second = Amendment {
        tags: [("db".to_owned(), false), ("night".to_owned(), false)].into(),
        name: Some("[test] disk".to_owned()),
        ..Amendment::default()
    };
    story.operator(3, amend(second));
    assert_eq!(story.alert().labels, texts(&[("tier", "1")]));
    assert_eq!(story.alert().badge, Some(schemas::Badge::Test));
    story.operator(4, Action::Unamend);
    assert_eq!(story.alert().labels, tagged.event.labels);
}

#[test]
fn c2_responders_are_added_one_by_one() {
    let (mut story, _) = Story::open(vec![]);
    let responder = |name: &str, here: bool| Amendment {
        responders: [(name.to_owned(), here)].into(),
        ..Amendment::default()
    };
    for (second, name, here, expected) in [
        (2, "db", true, "db"),
        (3, "ann@shop.example", true, "ann@shop.example, db"),
        (4, "db", false, "ann@shop.example"),
    ] {
        story.operator(second, amend(responder(name, here)));
        assert_eq!(story.alert().labels["responders"], expected);
    }
}

#[test]
fn another_scenario_tells_its_own_people() {
    let (mut story, _) = Story::open(vec![step(Channel::Slack, "#ops")]);
    let mut other = story.site.scenarios["default"].clone();
    other.name = "database".to_owned();
    other.steps = vec![step(Channel::Slack, "#dba")];
    story.site.scenarios.insert(other.name.clone(), other);
    let to = |scenario: &str| {
        amend(Amendment {
            scenario: Some(scenario.to_owned()),
            ..Amendment::default()
        })
    };
    let escalated = story.operator(1, to("database"));
    assert_eq!(escalated.history[0].kind(), HistoryKind::Rerouted);
    assert_eq!(told(&escalated).last(), Some(&(NotificationKind::Open, "#dba")));
    let unknown = story.operator(2, to("night"));
    assert_eq!(
        unknown.answer.unwrap().reason.unwrap(),
        "there is no scenario \"night\": there are database, default"
    );
    let closed = story.ends(3);
    assert_eq!(
        told(&closed),
        [
            (NotificationKind::Close, "#ops"),
            (NotificationKind::Close, "#dba")
        ]
    );
}

#[test]
fn what_amends_nothing_changes_nothing_and_what_cannot_be_is_refused() {
    let (mut story, _) = Story::open(vec![]);
    let same = story.operator(1, severity(Severity::Critical));
    assert_eq!(
        (answer(&same), same.effect),
        (CommandOutcome::Unchanged, Effect::Nothing)
    );
    for (action, reason) in [
        (amend(Amendment::default()), "nothing is amended: give severity"),
        (severity(Severity::Ok), "severity ok would be the end of it"),
    ] {
        let refused = story.operator(2, action);
        assert_eq!(answer(&refused), CommandOutcome::Refused);
        assert!(refused.answer.unwrap().reason.unwrap().starts_with(reason));
    }
    story.ends(3);
    let late = story.operator(4, output("x"));
    assert_eq!(answer(&late), CommandOutcome::Refused);
}

#[test]
fn it_ends_when_the_source_opens_the_alert_anew_and_not_when_an_operator_does() {
    let (mut story, _) = Story::open(vec![]);
    story.operator(1, output("full of logs"));
    story.operator(2, Action::Resolve { comment: None });
    story.operator(3, Action::Unresolve);
    assert_eq!(story.alert().output, "full of logs");
    story.ends(4);
    story.fires(5, Severity::Critical, "97 %");
    assert_eq!(
        (story.alert().output.as_str(), story.alert().amended.as_ref()),
        ("97 %", None)
    );
}

#[test]
fn an_acknowledgement_stays_when_somebody_amends_the_severity() {
    let (mut story, _) = Story::open(vec![]);
    story.operator(1, Action::Acknowledge { comment: None });
    story.operator(2, severity(Severity::Urgent));
    assert!(story.alert().acknowledgement.is_some());
    story.fires(3, Severity::Down, "gone");
    assert!(story.alert().acknowledgement.is_none());
}

#[test]
fn what_a_sender_requests_is_done_and_says_who_wanted_it() {
    let (mut story, _) = Story::open(vec![]);
    let by_name = requests(&mut story, 1, Some("bob"), severity(Severity::Urgent));
    assert_eq!(words::actor(&by_name.history[0].happening.actor), "operator bob");
    assert!(by_name.answer.is_none());
    let snooze = Action::Snooze {
        until: at(900),
        sticky_severity: false,
        sticky_output: false,
        comment: None,
    };
    let nameless = requests(&mut story, 2, None, snooze);
    assert_eq!(
        words::actor(&nameless.history[0].happening.actor),
        "integration default"
    );
    assert_eq!(story.alert().snooze.as_ref().unwrap().by, "default");
    assert_eq!(story.alert().severity, Severity::Urgent);
}

#[test]
fn a_requested_action_that_cannot_be_done_is_on_record() {
    let (mut story, _) = Story::open(vec![]);
    let night = Amendment {
        scenario: Some("night".to_owned()),
        ..Amendment::default()
    };
    let refused = requests(&mut story, 1, None, amend(night));
    assert_eq!(kinds(&refused), [HistoryKind::Refused]);
    assert_eq!(
        words::message(&refused.history[0].happening),
        "amend was not done: there is no scenario \"night\": there are default"
    );
    let mut nothing = Story::new(vec![]);
    let unknown = requests(&mut nothing, 1, None, severity(Severity::Urgent));
    assert_eq!(unknown.ignored, Some(Ignored::NothingOpen));
    assert!(nothing.state.is_none());
}

#[test]
fn a_requested_action_that_a_spool_brings_late_is_done_and_done_once() {
    let (mut story, _) = Story::open(vec![]);
    let comment = Action::Comment {
        comment: "seen".to_owned(),
    };
    let mut spooled = event(0, EventStatus::Firing, Severity::Information, "");
    spooled.event.event_id = uuid::Uuid::from_u128(77);
    spooled.event.kind = EventKind::ActionRequest(ActionRequest {
        author: None,
        action: comment,
    });
    spooled.spooled = true;
    for (offset, ignored) in [(10, None), (11, Some(Ignored::Repetition))] {
        spooled.origin.offset = offset;
        let outcome = story.take(Input::Event(&spooled), at(60));
        assert_eq!(outcome.ignored, ignored);
    }
    assert_eq!(story.alert().comment.as_deref(), Some("seen"));
}
