//! Opsgenie: the bodies of its alert API, and its outgoing webhook.
//!
//! Identity: the alias; without one the message and the entity, where Opsgenie would open a new alert for each
//! create.

use http::HeaderMap;
use schemas::{Action, ActionRequest, Amendment, EventStatus, Severity};
use sha2::{Digest, Sha256};

use crate::source::{POST, Source};

pub use action::AlertAction;

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;

mod action;

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "opsgenie",
    title: "Opsgenie alert API, and Opsgenie webhook",
    documentation: "docs/sources/opsgenie.md",
    methods: POST,
    parse,
};

const PRIORITIES: &str = "send P1, P2, P3, P4 or P5";
/// The label with the priority where the severity does not determine it: P4 and P5 have the same severity here.
const PRIORITY: &str = "priority";
const ACTIONS: &str = "let the webhook send Create, Acknowledge, UnAcknowledge, Close and Delete";

/// Parses the body of a create, or of a webhook.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::made(body)?.object()?;
    match body.text("action")? {
        Some(action) => webhook(&body, &action),
        None => created(&body).map(ParsedBody::from),
    }
}

fn created(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let message = body.needed(&["message"], "send a message")?;
    let alias = match body.text("alias")? {
        Some(alias) => alias,
        None => made_alias(&message, &body.text("entity")?.unwrap_or_default()),
    };
    fired(body, message, alias)
}

/// An event of the outgoing webhook. How Opsgenie notifies of the alert itself changes nothing here.
fn webhook(body: &Object<'_, '_>, action: &str) -> Result<ParsedBody, SourceError> {
    let status = match action {
        "Create" | "UnAcknowledge" => Some(EventStatus::Firing),
        "Acknowledge" => Some(EventStatus::Acknowledged),
        "Close" | "Delete" => Some(EventStatus::Resolved),
        "AddNote" | "UpdateDescription" | "UpdateMessage" | "UpdatePriority" => None,
        "AddTags" | "RemoveTags" | "AddRecipient" | "AddResponder" | "AddTeam" | "AssignOwnership"
        | "TakeOwnership" | "Escalate" | "EscalateNext" | "Snooze" | "SnoozeEnded" | "AddDetails"
        | "RemoveDetails" | "CustomAction" => {
            return Ok(ParsedBody::nothing(format!(
                "{action} neither opens nor ends an alert, so nothing was done"
            )));
        }
        _ => return Err(body.refuse(&["action"], action, ACTIONS)),
    };
    let alert = body
        .required("alert", "send the body of Opsgenie's webhook as it is")?
        .object()?;
    let alias = alert.needed(&["alias", "alertId"], "send the alert with its alias")?;
    let Some(status) = status else {
        return altered(&alert, &alias, action);
    };
    let message = alert.needed(&["message"], "send the alert with its message")?;
    let mut event = fired(&alert, message, alias)?;
    event.status = status;
    if status == EventStatus::Resolved {
        event.severity = Severity::Ok;
    }
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", alert.text("username")?);
    }
    event.occurred_at = alert.moment("updatedAt", &mut event.warnings)?;
    match action {
        "UnAcknowledge" => Ok(ParsedBody::unacknowledged(event, alert.text("username")?)),
        _ => Ok(event.into()),
    }
}

/// A change of an alert at Opsgenie, or a note on it.
fn altered(alert: &Object<'_, '_>, alias: &str, action: &str) -> Result<ParsedBody, SourceError> {
    let mut amendment = Amendment::default();
    let mut comment = None;
    match action {
        "UpdatePriority" if alert.text("priority")?.is_some() => amendment.severity = Some(priority(alert)?),
        "UpdateMessage" => amendment.name = alert.text("message")?,
        "UpdateDescription" => amendment.output = alert.text("description")?,
        _ => comment = alert.text("note")?,
    }
    let action = match comment {
        Some(comment) => Action::Comment { comment },
        None if amendment == Amendment::default() => {
            return Ok(ParsedBody::nothing(format!(
                "the webhook does not say what {action} has changed, so nothing was done"
            )));
        }
        None => Action::Amend {
            amendment,
            comment: None,
        },
    };
    let author = alert.text("username")?;
    Ok(action::request_for(alias, ActionRequest { author, action }))
}

/// The alert that a body describes.
fn fired(body: &Object<'_, '_>, message: String, alias: String) -> Result<SourceEvent, SourceError> {
    let mut event = SourceEvent::new(["alias", &alias], EventStatus::Firing, priority(body)?);
    event.source = body.text("source")?.unwrap_or_default();
    event.object = body
        .first(&["entity", "alias"])?
        .unwrap_or_else(|| message.clone());
    event.output = body.text("description")?.unwrap_or_else(|| message.clone());
    event.name = message;
    // The second is the name in Jira Service Management.
    for name in ["details", "extraProperties"] {
        if body.get(name).is_some_and(Node::is_object) {
            event.labels.extend(body.texts(name)?);
        }
    }
    event.add_tags_of(body, "tags");
    event.add_label("responders", responders(body)?);
    event.add_label(
        "actions",
        body.listed("actions").map(|actions| actions.join(", ")),
    );
    for name in ["note", "user"] {
        event.add_label(name, body.text(name)?);
    }
    event.add_label("alias", Some(alias));
    event.add_label(PRIORITY, lesser_priority(body)?);
    event.ask_by_labels();
    Ok(event)
}

/// `P3`, in any case, or the number alone.
fn priority(body: &Object<'_, '_>) -> Result<Severity, SourceError> {
    let word = body.text("priority")?.unwrap_or_else(|| "P3".to_owned());
    let trimmed = word.trim();
    match trimmed.strip_prefix(['P', 'p']).unwrap_or(trimmed) {
        "1" => Ok(Severity::Urgent),
        "2" => Ok(Severity::Critical),
        "3" => Ok(Severity::Warning),
        "4" | "5" => Ok(Severity::Information),
        _ => Err(body.refuse(&["priority"], &word, PRIORITIES)),
    }
}

/// The priority, where the severity does not determine it.
fn lesser_priority(body: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
    Ok(body.text("priority")?.filter(|word| word == "P4"))
}

/// The names of responders, which are objects in the API and texts in webhooks.
fn responders(body: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
    let Some(list) = body.get("responders").filter(Node::is_list) else {
        return Ok(None);
    };
    let place = list.place;
    let mut names = Vec::new();
    for (index, raw) in list.list()?.into_iter().enumerate() {
        let node = Node::new(raw, Place::Item(&place, index));
        if node.is_object() {
            names.extend(node.object()?.first(&["name", "username", "id"])?);
        }
    }
    Ok(Some(names.join(", ")))
}

fn made_alias(message: &str, entity: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(message.len().to_le_bytes());
    hash.update(message);
    hash.update(entity);
    hex::encode(&hash.finalize()[..16])
}
