//! PagerDuty: its webhooks of version 2 (a list of messages) and of version 3 (one event), told apart by their fields.
//!
//! Identity: the id of the incident, which is the same in both.

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json::{self, Node, Object, Place};
use super::{SourceError, SourceEvent, Understood, severity};

const EVENTS: &str = "subscribe to incident.triggered, incident.acknowledged, incident.unacknowledged, \
                      incident.escalated, incident.priority_updated, incident.reopened and incident.resolved";
const STATES: &str = "send triggered, acknowledged or resolved, as PagerDuty does";

/// Reads one body.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let body = json::made(body)?.object()?;
    match body.get("messages") {
        Some(messages) => version_2(messages),
        None => {
            let event = body.required("event", "send the body of PagerDuty's webhook as it is")?;
            version_3(&event.object()?)
        }
    }
}

fn version_2(messages: Node<'_, '_>) -> Result<Understood, SourceError> {
    let place = messages.place;
    let mut understood = Understood::default();
    for (index, raw) in messages.list()?.into_iter().enumerate() {
        let message = Node::new(raw, Place::Item(&place, index)).object()?;
        let word = message.needed(&["event"], EVENTS)?;
        let status = match word.as_str() {
            "incident.trigger"
            | "incident.unacknowledge"
            | "incident.assign"
            | "incident.escalate"
            | "incident.delegate" => EventStatus::Firing,
            "incident.acknowledge" => EventStatus::Acknowledged,
            "incident.resolve" => EventStatus::Resolved,
            "incident.annotate" => {
                understood
                    .remarks
                    .push("a note is no alert, so nothing was done".to_owned());
                continue;
            }
            _ => return Err(message.refuse(&["event"], &word, EVENTS)),
        };
        let incident = message
            .required("incident", "send the body of PagerDuty's webhook as it is")?
            .object()?;
        let mut event = incident_event(&incident, status)?;
        let webhook = message.member("webhook");
        if let Some(name) = webhook.map(|webhook| webhook.text("name")).transpose()?.flatten() {
            event.source = name;
        }
        event.occurred_at = message.moment("created_on", &mut event.remarks)?;
        if status == EventStatus::Acknowledged {
            event.add_label("acknowledged_by", acknowledger(&incident, &message)?);
        }
        understood.events.push(event);
    }
    Ok(understood)
}

/// Who did it, by the log entry of the message, or else who acknowledged the incident first.
fn acknowledger(incident: &Object<'_, '_>, message: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
    if let Some(entries) = message.get("log_entries") {
        let place = entries.place;
        for (index, raw) in entries.list()?.into_iter().enumerate() {
            let entry = Node::new(raw, Place::Item(&place, index)).object()?;
            if let Some(agent) = named(&entry, "agent")? {
                return Ok(Some(agent));
            }
        }
    }
    let Some(acknowledgements) = incident.get("acknowledgements") else {
        return Ok(None);
    };
    let place = acknowledgements.place;
    let Some(first) = acknowledgements.list()?.into_iter().next() else {
        return Ok(None);
    };
    named(
        &Node::new(first, Place::Item(&place, 0)).object()?,
        "acknowledger",
    )
}

fn version_3(event: &Object<'_, '_>) -> Result<Understood, SourceError> {
    let kind = event.needed(&["event_type"], EVENTS)?;
    let data = event
        .required("data", "send the body of PagerDuty's webhook as it is")?
        .object()?;
    let is_incident = data.text("type")?.as_deref().unwrap_or("incident") == "incident";
    if !kind.starts_with("incident.") || !is_incident {
        return Ok(Understood::nothing(format!(
            "{kind} is about no incident, so nothing was done"
        )));
    }
    let status = match kind.as_str() {
        "incident.triggered" | "incident.reopened" | "incident.unacknowledged" => EventStatus::Firing,
        "incident.acknowledged" => EventStatus::Acknowledged,
        "incident.resolved" => EventStatus::Resolved,
        _ => match data.needed(&["status"], STATES)?.as_str() {
            // An acknowledgement is told once; after it comes what changes while it lasts.
            "triggered" | "acknowledged" => EventStatus::Firing,
            "resolved" => EventStatus::Resolved,
            other => return Err(data.refuse(&["status"], other, STATES)),
        },
    };
    let mut alert = incident_event(&data, status)?;
    alert.occurred_at = event.moment("occurred_at", &mut alert.remarks)?;
    if status == EventStatus::Acknowledged {
        alert.add_label("acknowledged_by", named(event, "agent")?);
    }
    Ok(alert.into())
}

fn incident_event(incident: &Object<'_, '_>, status: EventStatus) -> Result<SourceEvent, SourceError> {
    let id = incident.needed(&["id"], "send the incident with its id")?;
    let priority = named(incident, "priority")?;
    let urgency = incident.text("urgency")?;
    let severity = match (
        priority.as_deref().and_then(severity::of_word),
        urgency.as_deref(),
    ) {
        (Some(severity), _) => severity,
        (None, Some("low")) => Severity::Warning,
        (None, _) => Severity::Critical,
    };
    let mut event = SourceEvent::new(["incident", &id], status, severity);
    event.source = "pagerduty".to_owned();
    event.service = named(incident, "service")?;
    event.name = incident
        .first(&["title", "summary", "description"])?
        .unwrap_or_else(|| format!("incident {id}"));
    event.object = format!("AlertID:{id}");
    event.add_label("priority", priority);
    event.add_label("urgency", urgency);
    event.add_label("number", incident.first(&["number", "incident_number"])?);
    event.add_label("escalation_policy", named(incident, "escalation_policy")?);
    event.add_link(
        "PagerDuty Incident",
        incident.text("html_url")?.unwrap_or_default(),
    );
    Ok(event)
}

/// The name of what is referred to.
fn named(object: &Object<'_, '_>, name: &str) -> Result<Option<String>, SourceError> {
    match object.member(name) {
        Some(referred) => referred.first(&["summary", "name"]),
        None => Ok(None),
    }
}
