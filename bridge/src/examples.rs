//! Alerts for the tests.

use schemas::{Alert, Fingerprint, Status};

pub(crate) fn fingerprint(number: u32) -> Fingerprint {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Fingerprint::from_bytes(bytes)
}

/// An open one.
pub(crate) fn alert(number: u32, version: u64) -> Alert {
    serde_json::from_value(serde_json::json!({
        "fingerprint": fingerprint(number), "version": version, "environment": "production", "scenario": "default",
        "integration": "prometheus", "monitoring_system": "alertmanager", "source": "am-1",
        "object": format!("db-{number}"), "name": "disk full", "severity": "critical", "status": "open",
        "operator_state": "active", "output": "full", "episode": 1, "first_opened_at": "2026-09-01T10:00:00Z",
        "opened_at": "2026-09-01T10:00:00Z", "last_event_at": "2026-09-01T10:00:00Z",
        "changed_at": "2026-09-01T10:00:00Z", "total_duration_ms": 0,
        "counts": {"opened": 1, "updated": 0, "severity_changed": 0, "closed": 0, "acknowledged": 0, "snoozed": 0},
    }))
    .unwrap()
}

pub(crate) fn closed(number: u32, version: u64) -> Alert {
    Alert {
        status: Status::Closed,
        ..alert(number, version)
    }
}
