//! Alerts and what belongs to them, by number.

use domain::AlertState;
use jiff::{SignedDuration, Timestamp};
use schemas::alert::Counts;
use schemas::{
    Actor, Alert, Channel, Fingerprint, Happening, HistoryEntry, HistoryKind, LedgerEntry, LedgerState,
    Notification, NotificationKind, OperatorState, Severity, Status, What,
};
use store::OutboxMessage;
use uuid::Uuid;

/// The beginning of time in these tests, and so many seconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

/// Fingerprints in no order.
pub fn fingerprint(number: u64) -> Fingerprint {
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Fingerprint::from_bytes(mixed.to_be_bytes())
}

/// An open alert that opened `number` seconds after the beginning.
pub fn alert(number: u64) -> Alert {
    let opened_at = at(i64::try_from(number).unwrap());
    Alert {
        fingerprint: fingerprint(number),
        version: 1,
        environment: "pay".to_owned(),
        scenario: "on-call".to_owned(),
        integration: "prometheus".to_owned(),
        monitoring_system: "prometheus".to_owned(),
        source: "http://prometheus:9090".to_owned(),
        service: None,
        object: format!("db-{number}"),
        name: "DiskFull".to_owned(),
        severity: Severity::Critical,
        status: Status::Open,
        badge: None,
        operator_state: OperatorState::Active,
        output: "97 % full".to_owned(),
        previous_output: None,
        labels: [("team".to_owned(), format!("team-{}", number % 3))].into(),
        annotations: [].into(),
        links: [].into(),
        acknowledgement: None,
        snooze: None,
        downtime: None,
        handling: None,
        assignment: None,
        amended: None,
        comment: None,
        channels: Vec::new(),
        episode: 1,
        first_opened_at: opened_at,
        opened_at,
        last_event_at: opened_at,
        changed_at: opened_at,
        began_at: None,
        closed_at: None,
        total_duration_ms: 0,
        counts: Counts {
            opened: 1,
            ..Counts::default()
        },
    }
}

/// A closed one.
pub fn closed(number: u64) -> Alert {
    let alert = alert(number);
    Alert {
        status: Status::Closed,
        closed_at: Some(alert.opened_at + SignedDuration::from_secs(1)),
        ..alert
    }
}

/// The daemon's state of an alert.
pub fn state_of(alert: Alert) -> AlertState {
    AlertState {
        alert,
        origin: None,
        newest: None,
        heard: None,
        history_sequence: 1,
        holds: Vec::new(),
        steps: Vec::new(),
        missing_scenario: None,
        ended: None,
        reopened_at: [].into(),
        text: None,
        applied_keys: [].into(),
        said: None,
        expiry: None,
        end_lag_seconds: None,
        is_guessed: false,
        has_several_texts: false,
        run_began_at: None,
        writes: 0,
        ledger: Vec::new(),
    }
}

pub fn state(number: u64) -> AlertState {
    state_of(alert(number))
}

pub fn history(number: u64, sequence: u64) -> HistoryEntry {
    HistoryEntry {
        fingerprint: fingerprint(number),
        sequence,
        at: at(i64::try_from(sequence).unwrap()),
        happening: Happening {
            actor: Actor::Integration {
                name: "prometheus".to_owned(),
            },
            what: What::OutputChanged {
                output: format!("{sequence} % full"),
            },
            reasons: Vec::new(),
        },
        event_id: None,
        received: None,
    }
}

pub fn ledger(episode: u32, destination: &str, state: LedgerState) -> LedgerEntry {
    LedgerEntry {
        episode,
        channel: Channel::Slack,
        destination: destination.to_owned(),
        bot: None,
        state,
        sequence: 1,
        settled_sequence: 0,
        reference: None,
        opened_at: at(episode.into()),
        changed_at: at(episode.into()),
        error: None,
        failed: None,
    }
}

pub fn message(key: &str, value: &str) -> OutboxMessage {
    OutboxMessage {
        topic: "alerts.changed".to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
        headers: vec![("schema-version".to_owned(), "1".to_owned())],
    }
}

/// The notification that opens the alert of this number.
pub fn notification(number: u64) -> Notification {
    let alert = alert(number);
    Notification {
        notification_id: Uuid::from_u128(u128::MAX - u128::from(number)),
        fingerprint: alert.fingerprint,
        episode: alert.episode,
        sequence: 1,
        channel: Channel::Slack,
        destination: "#on-call".to_owned(),
        bot: None,
        kind: NotificationKind::Open,
        cause: HistoryKind::Opened,
        reason: "critical DiskFull: 97 % full".to_owned(),
        accepted_at: alert.opened_at,
        created_at: alert.opened_at,
        alert,
    }
}
