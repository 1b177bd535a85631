use schemas::config::{Bot, ConfigEntry, Scenario, Step};
use schemas::{
    Action, Amendment, Channel, DeliveryFailure, Endpoint, HistoryKind, Notification, NotificationKind,
    ReceiptOutcome, Severity,
};

use crate::Site;
use crate::transition::Input;
use crate::transition::examples::{at, step, with_ids};
use crate::transition::story::{Story, sent, told};

fn slack_bot(name: &str) -> ConfigEntry {
    ConfigEntry::Bot(Bot {
        name: name.to_owned(),
        channel: Channel::Slack,
        settings: [].into(),
        sealed_secrets: [("token".to_owned(), name.to_owned())].into(),
    })
}

fn scenario(site: &mut Site, name: &str, steps: Vec<Step>) {
    let scenario = Scenario {
        name: name.to_owned(),
        description: String::new(),
        number: None,
        steps: with_ids(steps),
    };
    site.apply(&format!("scenario/{name}"), Some(ConfigEntry::Scenario(scenario)));
}

fn by_bot(bot: &str) -> Step {
    let mut step = step(Channel::Slack, "#ops");
    step.targets[0].bot = Some(bot.to_owned());
    step
}

/// Two workspaces that have a channel of the same name.
fn two_workspaces() -> Story {
    let mut story = Story::new(vec![by_bot("acme")]);
    story.site.apply("bot/acme", Some(slack_bot("acme")));
    story.site.apply("bot/globex", Some(slack_bot("globex")));
    scenario(&mut story.site, "other", vec![by_bot("globex")]);
    story
}

fn bots(notifications: &[Notification]) -> Vec<(NotificationKind, Option<&str>)> {
    notifications
        .iter()
        .map(|notification| (notification.kind, notification.bot.as_deref()))
        .collect()
}

fn refused() -> ReceiptOutcome {
    ReceiptOutcome::Failed {
        failure: DeliveryFailure::Refused,
        error: "too_long".to_owned(),
    }
}

#[test]
fn l11_a_destination_of_the_same_name_is_notified_by_the_bot_of_each_scenario() {
    let mut story = two_workspaces();
    let opened = story.fires(0, Severity::Critical, "99 %");
    assert_eq!(
        bots(&opened.notifications),
        [(NotificationKind::Open, Some("acme"))]
    );
    story.receipt(1, &opened.notifications[0], sent("A1"));
    let amended = story.operator(
        2,
        Action::Amend {
            amendment: Amendment {
                scenario: Some("other".to_owned()),
                ..Amendment::default()
            },
            comment: None,
        },
    );
    let opens: Vec<_> = bots(&amended.notifications)
        .into_iter()
        .filter(|(kind, _)| *kind == NotificationKind::Open)
        .collect();
    assert_eq!(opens, [(NotificationKind::Open, Some("globex"))]);
    let line = amended.history.iter().map(|entry| entry.kind());
    assert!(line.into_iter().any(|kind| kind == HistoryKind::Notifying));

    let open = amended
        .notifications
        .iter()
        .find(|notification| notification.kind == NotificationKind::Open)
        .unwrap();
    assert_ne!(open.notification_id, opened.notifications[0].notification_id);
    story.receipt(3, open, sent("G1"));
    let rows = &story.state.as_ref().unwrap().ledger;
    let references: Vec<_> = rows.iter().map(|row| row.reference.as_deref()).collect();
    assert_eq!(references, [Some("A1"), Some("G1")], "each receipt finds its row");
    let ended = story.ends(4);
    assert_eq!(
        bots(&ended.notifications),
        [
            (NotificationKind::Close, Some("acme")),
            (NotificationKind::Close, Some("globex"))
        ]
    );
}

#[test]
fn the_only_bot_of_a_channel_is_the_same_whether_or_not_a_step_names_it() {
    let mut story = Story::new(vec![
        step(Channel::Slack, "#ops"),
        Step {
            delay_seconds: 60,
            ..by_bot("acme")
        },
    ]);
    story.site.apply("bot/acme", Some(slack_bot("acme")));
    story.fires(0, Severity::Critical, "99 %");
    let reminded = story.take(Input::Deadline, at(60));
    assert_eq!(told(&reminded), [(NotificationKind::Update, "#ops")]);
}

#[test]
fn a_step_notifies_all_its_targets_and_tries_again_those_that_could_not_be_reached() {
    let target = |channel, destination: &str| Endpoint {
        channel,
        destination: destination.to_owned(),
        bot: None,
    };
    let both = Step {
        targets: vec![
            target(Channel::Slack, "#ops"),
            target(Channel::Email, "ops@example.org"),
        ],
        ..step(Channel::Slack, "#ops")
    };
    let mut story = Story::new(vec![both]);
    let opened = story.fires(0, Severity::Critical, "99 %");
    assert_eq!(
        told(&opened),
        [
            (NotificationKind::Open, "#ops"),
            (NotificationKind::Open, "ops@example.org")
        ]
    );
    story.receipt(1, &opened.notifications[0], refused());
    story.receipt(2, &opened.notifications[1], sent("M1"));
    let again = story.take(Input::Deadline, at(3_601));
    assert_eq!(told(&again), [(NotificationKind::Open, "#ops")]);
}

#[test]
fn a_step_that_is_held_back_names_all_its_targets() {
    let mut both = step(Channel::Slack, "#ops");
    both.targets.push(Endpoint {
        channel: Channel::Email,
        destination: "ops@example.org".to_owned(),
        bot: None,
    });
    both.minimum_severity = Severity::Urgent;
    let mut story = Story::new(vec![both]);
    let opened = story.fires(0, Severity::Critical, "99 %");
    assert_eq!(
        crate::words::message(&opened.history[1].happening),
        "slack #ops, email ops@example.org are not notified: severity critical is below urgent"
    );
}
