//! Little servers that a channel speaks to, and something to say.

pub mod http;
pub mod smtp;

use std::collections::BTreeMap;

use notifiers::credentials::Credentials;
use schemas::{HistoryKind, Notification, NotificationKind};
use serde_json::json;

/// A notification about an alert of its own number.
pub fn notification(alert: u32, kind: NotificationKind) -> Notification {
    let (sequence, cause) = match kind {
        NotificationKind::Open => (1, HistoryKind::Opened),
        NotificationKind::Update => (2, HistoryKind::Acknowledged),
        NotificationKind::Close => (3, HistoryKind::Closed),
    };
    let value = json!({
        "notification_id": uuid::Uuid::from_u128(u128::from(alert) << 8 | u128::from(sequence as u8)),
        "fingerprint": format!("{alert:032x}"),
        "episode": 1,
        "sequence": sequence,
        "channel": "webhook",
        "destination": "nowhere",
        "kind": kind,
        "cause": cause,
        "reason": format!("{} by somebody", cause.name()),
        "alert": {
            "fingerprint": format!("{alert:032x}"),
            "version": 1,
            "environment": "prod",
            "scenario": "default",
            "integration": "main",
            "monitoring_system": "prometheus",
            "source": "prometheus-1",
            "object": format!("web-{alert}"),
            "name": "Größe of /var",
            "severity": "critical",
            "status": "open",
            "operator_state": "active",
            "output": "/var is 97 % full\n.\nand fills on",
            "labels": { "team": "pay" },
            "episode": 1,
            "first_opened_at": "2026-09-01T10:00:00Z",
            "opened_at": "2026-09-01T10:00:00Z",
            "last_event_at": "2026-09-01T10:00:00Z",
            "changed_at": "2026-09-01T10:00:00Z",
            "total_duration_ms": 0,
            "counts": {
                "opened": 1, "updated": 0, "severity_changed": 0, "closed": 0, "acknowledged": 0, "snoozed": 0
            }
        },
        "accepted_at": "2026-09-01T10:00:00Z",
        "created_at": "2026-09-01T10:00:00Z"
    });
    serde_json::from_value(value).unwrap()
}

/// Credentials of these settings and secrets.
pub fn credentials(settings: &[(&str, &str)], secrets: &[(&str, &str)]) -> Credentials {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    Credentials::new(map(settings), map(secrets))
}
