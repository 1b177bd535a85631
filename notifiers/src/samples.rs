//! Notifications for tests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemas::alert::{Acknowledgement, Assignment, Counts};
use schemas::{
    Alert, Channel, Fingerprint, HistoryKind, Notification, NotificationKind, OperatorState, Severity, Status,
};
use uuid::Uuid;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn alert(name: &str) -> Alert {
    let text = |text: &str| text.to_owned();
    Alert {
        fingerprint: Fingerprint::from_bytes(*b"0123456789abcdef"),
        version: 3,
        environment: text("prod"),
        scenario: text("wake-somebody"),
        integration: text("main"),
        monitoring_system: text("prometheus"),
        source: text("prometheus-1"),
        service: Some(text("checkout")),
        object: text("web-1"),
        name: text(name),
        severity: Severity::Critical,
        status: Status::Open,
        badge: None,
        operator_state: OperatorState::Active,
        output: text("5xx rate is 12 % (limit 5 %)"),
        previous_output: None,
        labels: BTreeMap::from([(text("team"), text("pay")), (text("region"), text("eu-1"))]),
        annotations: BTreeMap::from([(text("impact"), text("orders are lost"))]),
        links: BTreeMap::from([(text("Runbook"), text("https://wiki.example/5xx?a=1&b=2"))]),
        acknowledgement: None,
        snooze: None,
        downtime: None,
        handling: None,
        assignment: None,
        amended: None,
        comment: None,
        channels: Vec::new(),
        episode: 1,
        first_opened_at: at("2026-09-01T10:00:00Z"),
        opened_at: at("2026-09-01T10:00:00Z"),
        last_event_at: at("2026-09-01T10:00:00Z"),
        changed_at: at("2026-09-01T10:00:00Z"),
        began_at: None,
        closed_at: None,
        total_duration_ms: 0,
        counts: Counts {
            opened: 1,
            ..Counts::default()
        },
    }
}

pub(crate) fn notification(sequence: u32, kind: NotificationKind) -> Notification {
    let alert = alert("checkout 5xx");
    let (cause, reason) = match kind {
        NotificationKind::Open => (
            HistoryKind::Opened,
            "critical checkout 5xx: 5xx rate is 12 % (limit 5 %)",
        ),
        NotificationKind::Update => (HistoryKind::Acknowledged, "acknowledged by ann"),
        NotificationKind::Close => (HistoryKind::Closed, "closed by its source"),
    };
    Notification {
        notification_id: Uuid::from_u128(u128::from(sequence)),
        fingerprint: alert.fingerprint,
        episode: 1,
        sequence,
        channel: Channel::Slack,
        destination: "#ops".to_owned(),
        bot: None,
        kind,
        cause,
        reason: reason.to_owned(),
        alert,
        accepted_at: at("2026-09-01T10:00:00Z"),
        created_at: at("2026-09-01T10:00:00.25Z"),
    }
}

/// The notifications of an alert from open to close, with names for snapshots.
pub(crate) fn life() -> Vec<(&'static str, Notification)> {
    let open = notification(1, NotificationKind::Open);
    let mut update = notification(2, NotificationKind::Update);
    update.alert.operator_state = OperatorState::Acknowledged;
    update.alert.acknowledgement = Some(Acknowledgement {
        by: "ann".to_owned(),
        at: at("2026-09-01T10:05:00Z"),
        comment: Some("looking".to_owned()),
    });
    let mut close = notification(3, NotificationKind::Close);
    close.alert.status = Status::Closed;
    close.alert.closed_at = Some(at("2026-09-01T11:02:00Z"));
    vec![("open", open), ("update", update), ("close", close)]
}

/// A notification whose every text is as long as senders make it.
pub(crate) fn long() -> Notification {
    let mut long = notification(1, NotificationKind::Open);
    let words = |word: &str, count: usize| word.repeat(count);
    long.reason = words("Größe & ", 3_000);
    long.alert.name = words("näme<", 500);
    long.alert.object = words("öbject&", 500);
    long.alert.output = words("line one\nline `two` ```three``` 😀\n", 2_000);
    long.alert.environment = words("environment ", 100);
    long.alert.service = Some(words("service ", 400));
    long.alert.comment = Some(words("comment ", 500));
    long.alert.assignment = Some(Assignment {
        by: words("b", 500),
        assignee: words("a", 5_000),
        at: at("2026-09-01T10:05:00Z"),
        until: None,
        comment: None,
    });
    long.alert.labels = (0..300)
        .map(|n| (format!("label-{n}"), words("value ", 50)))
        .collect();
    long.alert.annotations = (0..50)
        .map(|n| (format!("annotation-{n}"), words("<text> & ", 500)))
        .collect();
    long.alert.links = (0..50)
        .map(|n| {
            (
                format!("link-{n}"),
                format!("https://x.example/{}", words("p", 400)),
            )
        })
        .collect();
    long
}

/// A notification whose texts try to be more than text.
pub(crate) fn hostile() -> Notification {
    let mut hostile = notification(1, NotificationKind::Open);
    let text = |text: &str| text.to_owned();
    hostile.reason = text("<!channel> & <https://evil.example|click> *bold*");
    hostile.alert.name = text("</title><script>alert('x')</script>\r\nBcc: all@example.org");
    hostile.alert.object = text("<img src=x onerror=alert(1)>");
    hostile.alert.output = text("``` {{ 7 * 7 }} <b>not bold</b> &amp; \u{202e}");
    hostile.alert.service = Some(text("  "));
    hostile.alert.labels = BTreeMap::from([(text("<@U1>"), text("`a`|b>"))]);
    hostile.alert.annotations = BTreeMap::from([(text("<!here>"), text("<b>`a`</b>\nBcc: all@example.org"))]);
    hostile.alert.links = BTreeMap::from([
        (text("a|b>c"), text("https://x.example/|a>b<c\"d")),
        (text("script"), text("javascript:alert(1)")),
    ]);
    hostile
}
