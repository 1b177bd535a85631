//! PagerDuty: its webhooks of version 2 (a list of messages) and of version 3 (one event), distinguished by their fields.
//!
//! Identity: the id of the incident, which is the same in both.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "pagerduty",
    title: "PagerDuty webhook, versions 2 and 3",
    documentation: "docs/sources/pagerduty.md",
    methods: POST,
    parse,
};

const EVENTS: &str = "subscribe to incident.triggered, incident.acknowledged, incident.unacknowledged, \
                      incident.escalated, incident.priority_updated, incident.reopened and incident.resolved";
const STATES: &str = "send triggered, acknowledged or resolved, as PagerDuty does";

/// Parses one body.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::made(body)?.object()?;
    match body.get("messages") {
        Some(messages) => version_2(messages),
        None => {
            let event = body.required("event", "send the body of PagerDuty's webhook as it is")?;
            version_3(&event.object()?)
        }
    }
}

fn version_2(messages: Node<'_, '_>) -> Result<ParsedBody, SourceError> {
    let place = messages.place;
    let mut parsed = ParsedBody::default();
    for (index, raw) in messages.list()?.into_iter().enumerate() {
        let message = Node::new(raw, Place::Item(&place, index)).object()?;
        let message = parse_message(&message)?;
        for event in &message.events {
            // Requested actions are applied after all events of a body, so an alert that was acknowledged anew would not stay so.
            if event.status == EventStatus::Acknowledged {
                parsed
                    .action_requests
                    .retain(|requested| requested.identity != event.identity);
            }
        }
        parsed.events.extend(message.events);
        parsed.action_requests.extend(message.action_requests);
        parsed.warnings.extend(message.warnings);
    }
    Ok(parsed)
}

fn parse_message(message: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let word = message.needed(&["event"], EVENTS)?;
    let status = match word.as_str() {
        "incident.trigger"
        | "incident.unacknowledge"
        | "incident.assign"
        | "incident.escalate"
        | "incident.delegate" => EventStatus::Firing,
        "incident.acknowledge" => EventStatus::Acknowledged,
        "incident.resolve" => EventStatus::Resolved,
        "incident.annotate" => return Ok(ParsedBody::nothing("a note is no alert, so nothing was done")),
        _ => return Err(message.refuse(&["event"], &word, EVENTS)),
    };
    let incident = message
        .required("incident", "send the body of PagerDuty's webhook as it is")?
        .object()?;
    let standing = match word.as_str() {
        // These name the new assignee only.
        "incident.assign" | "incident.escalate" | "incident.delegate" => standing(&incident, status, false)?,
        _ => (status, false),
    };
    let mut event = incident_event(&incident, standing)?;
    let webhook = message.member("webhook");
    if let Some(name) = webhook.map(|webhook| webhook.text("name")).transpose()?.flatten() {
        event.source = name;
    }
    event.occurred_at = message.moment("created_on", &mut event.warnings)?;
    let agent = agent_of_entries(message)?;
    if agent.withdrew_acknowledgement(&incident, &word)? {
        return Ok(ParsedBody::unacknowledged(event, agent.name));
    }
    if status == EventStatus::Acknowledged {
        let by = match agent.name {
            Some(name) => Some(name),
            None => first_acknowledger(&incident)?,
        };
        event.add_label("acknowledged_by", by);
    }
    Ok(event.into())
}

/// The author: a person, or PagerDuty itself.
#[derive(Default)]
struct Agent {
    name: Option<String>,
    is_person: bool,
}

impl Agent {
    fn of(object: &Object<'_, '_>) -> Result<Self, SourceError> {
        let Some(agent) = object.member("agent") else {
            return Ok(Self::default());
        };
        let kind = agent.text("type")?;
        Ok(Self {
            name: agent.first(&["summary", "name"])?,
            is_person: kind.is_some_and(|kind| kind.starts_with("user")),
        })
    }

    /// Whether that withdrew an acknowledgement: by itself, or as a person reassigned the incident, which is triggered again
    /// then. PagerDuty itself reassigns only incidents without an acknowledgement.
    fn withdrew_acknowledgement(&self, incident: &Object<'_, '_>, word: &str) -> Result<bool, SourceError> {
        let status = incident.text("status")?;
        let is_triggered = status.as_deref() == Some("triggered");
        match word {
            "incident.unacknowledge" | "incident.unacknowledged" => Ok(is_triggered || status.is_none()),
            "incident.assign"
            | "incident.escalate"
            | "incident.delegate"
            | "incident.reassigned"
            | "incident.escalated"
            | "incident.delegated"
                if self.is_person =>
            {
                Ok(is_triggered)
            }
            _ => Ok(false),
        }
    }
}

/// By the first log entry of the message that has it.
fn agent_of_entries(message: &Object<'_, '_>) -> Result<Agent, SourceError> {
    let Some(entries) = message.get("log_entries") else {
        return Ok(Agent::default());
    };
    let place = entries.place;
    for (index, raw) in entries.list()?.into_iter().enumerate() {
        let agent = Agent::of(&Node::new(raw, Place::Item(&place, index)).object()?)?;
        if agent.name.is_some() {
            return Ok(agent);
        }
    }
    Ok(Agent::default())
}

fn first_acknowledger(incident: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
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

fn version_3(event: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let kind = event.needed(&["event_type"], EVENTS)?;
    let data = event
        .required("data", "send the body of PagerDuty's webhook as it is")?
        .object()?;
    let is_incident = data.text("type")?.as_deref().unwrap_or("incident") == "incident";
    if !kind.starts_with("incident.") || !is_incident {
        return Ok(ParsedBody::nothing(format!(
            "{kind} is about no incident, so nothing was done"
        )));
    }
    let status = match kind.as_str() {
        "incident.resolved" => EventStatus::Resolved,
        "incident.acknowledged" => EventStatus::Acknowledged,
        "incident.triggered" | "incident.reopened" | "incident.unacknowledged" => EventStatus::Firing,
        // In all other events only the incident itself has the state.
        _ => {
            data.needed(&["status"], STATES)?;
            EventStatus::Firing
        }
    };
    let standing = standing(&data, status, kind == "incident.acknowledged")?;
    let mut alert = incident_event(&data, standing)?;
    alert.occurred_at = event.moment("occurred_at", &mut alert.warnings)?;
    let agent = Agent::of(event)?;
    if agent.withdrew_acknowledgement(&data, &kind)? {
        return Ok(ParsedBody::unacknowledged(alert, agent.name));
    }
    if alert.status == EventStatus::Acknowledged {
        alert.add_label("acknowledged_by", agent.name);
    }
    Ok(alert.into())
}

/// The status of an incident, and whether it is acknowledged while it fires: by the incident, or else by the event. An event that
/// is sent again or late has the current state of the incident.
fn standing(
    incident: &Object<'_, '_>,
    by_event: EventStatus,
    is_acknowledgement: bool,
) -> Result<(EventStatus, bool), SourceError> {
    match incident.set("status")?.as_deref() {
        None => Ok((by_event, false)),
        Some("triggered") => Ok((EventStatus::Firing, false)),
        Some("acknowledged") if is_acknowledgement => Ok((EventStatus::Acknowledged, false)),
        // Other changes since the event count too.
        Some("acknowledged") => Ok((EventStatus::Firing, true)),
        Some("resolved") => Ok((EventStatus::Resolved, false)),
        Some(other) => Err(incident.refuse(&["status"], other, STATES)),
    }
}

fn incident_event(
    incident: &Object<'_, '_>,
    (status, acknowledged): (EventStatus, bool),
) -> Result<SourceEvent, SourceError> {
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
    event.acknowledged = acknowledged;
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

/// The name of a reference.
fn named(object: &Object<'_, '_>, name: &str) -> Result<Option<String>, SourceError> {
    match object.member(name) {
        Some(referred) => referred.first(&["summary", "name"]),
        None => Ok(None),
    }
}
