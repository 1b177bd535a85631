//! An alert as Opsgenie shows it.

use jiff::Timestamp;
use schemas::alert::Status;
use schemas::{Alert, Severity};
use serde_json::{Value, json};

/// Labels that are fields of their own, and no details.
const NO_DETAILS: [&str; 4] = ["alias", "tags", "responders", "actions"];

/// An alert of a list.
pub(super) fn of_list(alert: &Alert) -> Value {
    let snoozed_until = alert.snooze.as_ref().map(|snooze| snooze.until);
    let mut shown = json!({
        "seen": is_seen(alert),
        "id": id(alert),
        "tinyId": domain::opsgenie::tiny_id(alert.fingerprint),
        "alias": alias(alert),
        "message": alert.name,
        "status": status(alert),
        "acknowledged": alert.acknowledgement.is_some(),
        "isSeen": is_seen(alert),
        "tags": listed(alert, "tags"),
        "snoozed": alert.snooze.is_some(),
        "count": count(alert),
        "lastOccurredAt": alert.last_event_at,
        "createdAt": alert.opened_at,
        "updatedAt": alert.changed_at,
        "source": alert.source,
        "owner": owner(alert),
        "priority": priority(alert),
        "teams": [],
        "responders": listed(alert, "responders").into_iter().map(responder).collect::<Vec<_>>(),
        "integration": { "id": alert.integration, "name": alert.integration, "type": "API" },
        "ownerTeamId": "",
    });
    if let Some(until) = snoozed_until {
        shown["snoozedUntil"] = json!(until);
    }
    if let Some(report) = report(alert) {
        shown["report"] = report;
    }
    shown
}

/// An alert that is asked for alone.
pub(super) fn whole(alert: &Alert) -> Value {
    let mut shown = of_list(alert);
    shown["actions"] = json!(listed(alert, "actions"));
    shown["entity"] = json!(alert.object);
    shown["description"] = json!(alert.output);
    shown["details"] = details(alert)
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    shown
}

pub(super) fn id(alert: &Alert) -> String {
    domain::opsgenie::alert_id(alert.fingerprint, alert.first_opened_at)
}

pub(super) fn alias(alert: &Alert) -> String {
    let alias = alert.labels.get("alias").cloned();
    alias.unwrap_or_else(|| alert.fingerprint.to_string())
}

pub(super) const fn status(alert: &Alert) -> &'static str {
    match alert.status {
        Status::Open => "open",
        Status::Closed => "closed",
    }
}

pub(super) fn owner(alert: &Alert) -> &str {
    alert
        .assignment
        .as_ref()
        .map_or("", |assignment| assignment.assignee.as_str())
}

/// Opsgenie means that a person has looked at it; here only what a person has done to it is known.
pub(super) const fn is_seen(alert: &Alert) -> bool {
    alert.acknowledgement.is_some() || alert.assignment.is_some() || alert.handling.is_some()
}

pub(super) const fn count(alert: &Alert) -> u64 {
    alert.counts.opened + alert.counts.updated + alert.counts.severity_changed
}

pub(super) fn priority(alert: &Alert) -> &'static str {
    match alert.severity {
        Severity::Urgent | Severity::Down => "P1",
        Severity::Critical => "P2",
        Severity::Warning | Severity::Unknown => "P3",
        // A create with P4 has this label, as the severity is that of P5.
        Severity::Information if alert.labels.get("priority").is_some_and(|word| word == "P4") => "P4",
        Severity::Information | Severity::Ok => "P5",
    }
}

/// The parts of a label that lists them with commas.
pub(super) fn listed<'a>(alert: &'a Alert, label: &str) -> Vec<&'a str> {
    let listed = alert.labels.get(label).map_or("", String::as_str);
    let parts = listed.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

pub(super) fn details(alert: &Alert) -> impl Iterator<Item = (&str, &str)> {
    let labels = alert.labels.iter();
    let details = labels.filter(|(name, _)| !NO_DETAILS.contains(&name.as_str()));
    details.map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Only the name of a responder is kept. One that looks like a mail address is a person.
fn responder(name: &str) -> Value {
    match name.contains('@') {
        true => json!({ "type": "user", "id": name, "username": name }),
        false => json!({ "type": "team", "id": name, "name": name }),
    }
}

fn report(alert: &Alert) -> Option<Value> {
    let since_opening = |at: Timestamp| at.duration_since(alert.opened_at).as_millis();
    let acknowledged = alert.acknowledgement.as_ref();
    match (acknowledged, alert.closed_at) {
        (Some(acknowledgement), _) => Some(json!({
            "ackTime": since_opening(acknowledgement.at),
            "acknowledgedBy": acknowledgement.by,
        })),
        (None, Some(closed_at)) => Some(json!({ "closeTime": since_opening(closed_at) })),
        (None, None) => None,
    }
}
