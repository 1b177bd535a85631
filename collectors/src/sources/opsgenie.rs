//! Opsgenie: the bodies of its alert API, and its outgoing webhook.
//!
//! Identity: the alias; what has none is known by its message and entity, where Opsgenie would open a new alert for each
//! create.

use axum::http::HeaderMap;
use schemas::{Action, EventStatus, Severity};
use sha2::{Digest, Sha256};

use super::json::{self, Node, Object, Place};
use super::{SourceError, SourceEvent, SourceWish, Understood};

const TIME: &str = "send the time when it ends, like \"2026-09-01T10:00:00Z\"";
const PRIORITIES: &str = "send P1, P2, P3, P4 or P5";
const ACTIONS: &str = "let the webhook send Create, Acknowledge, UnAcknowledge, Close and Delete";

/// Reads the body of a create, or of a webhook.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let body = json::body(body)?.object()?;
    match body.text("action")? {
        Some(action) => webhook(&body, &action),
        None => created(&body).map(Understood::from),
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

/// What the webhook says of an alert. What happens to an alert besides its opening and its end is Opsgenie's affair.
fn webhook(body: &Object<'_, '_>, action: &str) -> Result<Understood, SourceError> {
    let status = match action {
        "Create" | "UnAcknowledge" => EventStatus::Firing,
        "Acknowledge" => EventStatus::Acknowledged,
        "Close" | "Delete" => EventStatus::Resolved,
        "AddNote" | "AddTags" | "RemoveTags" | "AddRecipient" | "AddResponder" | "AddTeam"
        | "AssignOwnership" | "TakeOwnership" | "Escalate" | "EscalateNext" | "Snooze" | "SnoozeEnded"
        | "UpdateDescription" | "UpdateMessage" | "UpdatePriority" | "AddDetails" | "RemoveDetails"
        | "CustomAction" => {
            return Ok(Understood::nothing(format!(
                "{action} neither opens nor ends an alert, so nothing was done"
            )));
        }
        _ => return Err(body.refuse(&["action"], action, ACTIONS)),
    };
    let alert = body
        .required("alert", "send the body of Opsgenie's webhook as it is")?
        .object()?;
    let alias = alert.needed(&["alias", "alertId"], "send the alert with its alias")?;
    let message = alert.needed(&["message"], "send the alert with its message")?;
    let mut event = fired(&alert, message, alias)?;
    event.status = status;
    if status == EventStatus::Resolved {
        event.severity = Severity::Ok;
    }
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", alert.text("username")?);
    }
    event.occurred_at = alert.moment("updatedAt", &mut event.remarks)?;
    Ok(event.into())
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
    if body.get("details").is_some_and(Node::is_object) {
        event.labels = body.texts("details")?;
    }
    event.add_tags(&body.flat("tags").unwrap_or_default());
    event.add_label("responders", responders(body)?);
    for name in ["note", "user"] {
        event.add_label(name, body.text(name)?);
    }
    event.add_label("alias", Some(alias));
    event.ask_by_labels();
    Ok(event)
}

fn priority(body: &Object<'_, '_>) -> Result<Severity, SourceError> {
    let word = body.text("priority")?.unwrap_or_else(|| "P3".to_owned());
    match word.as_str() {
        "P1" => Ok(Severity::Urgent),
        "P2" => Ok(Severity::Critical),
        "P3" => Ok(Severity::Warning),
        "P4" | "P5" => Ok(Severity::Information),
        _ => Err(body.refuse(&["priority"], &word, PRIORITIES)),
    }
}

/// Their names; a responder is an object in the API and a text in webhooks.
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

/// What a sender does to an alert that it has made, by the last segment of the path. The body may be empty.
pub(crate) fn read_deed(name: &str, alias: &str, body: &[u8]) -> Result<Understood, SourceError> {
    let body = match body.trim_ascii() {
        b"" => b"{}".as_slice(),
        body => body,
    };
    let body = json::body(body)?.object()?;
    match name {
        "close" => ended(alias, EventStatus::Resolved, &body).map(Understood::from),
        "acknowledge" => ended(alias, EventStatus::Acknowledged, &body).map(Understood::from),
        // Senders that update an alert have just created it anew, with these texts.
        "message" | "description" => Ok(Understood::nothing(format!(
            "the {name} of an alert is what its last create says, so nothing was done"
        ))),
        _ => Ok(Understood {
            wishes: vec![SourceWish {
                identity: vec!["alias".to_owned(), alias.to_owned()],
                author: body.first(&["user", "source"])?,
                action: action(name, &body)?,
            }],
            ..Understood::default()
        }),
    }
}

/// The event of a close or an acknowledgement.
fn ended(alias: &str, status: EventStatus, body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let mut event = SourceEvent::new(["alias", alias], status, Severity::Unknown);
    event.name = alias.to_owned();
    event.source = body.text("source")?.unwrap_or_default();
    event.output = body.text("note")?.unwrap_or_default();
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", body.text("user")?);
    }
    Ok(event)
}

/// What an operator would do.
fn action(name: &str, body: &Object<'_, '_>) -> Result<Action, SourceError> {
    let comment = body.text("note")?;
    match name {
        "unacknowledge" => Ok(Action::Unacknowledge),
        "notes" => Ok(Action::Comment {
            comment: body.needed(&["note"], "send a note")?,
        }),
        "snooze" => {
            let text = body.needed(&["endTime"], TIME)?;
            let until = text.parse().map_err(|_| body.refuse(&["endTime"], &text, TIME))?;
            Ok(Action::Snooze {
                until,
                sticky_severity: false,
                sticky_output: false,
                comment,
            })
        }
        "assign" => {
            let owner = body
                .required("owner", "send the owner with a username")?
                .object()?;
            Ok(Action::Assign {
                assignee: owner.needed(&["username", "id"], "send the owner with a username")?,
                until: None,
                comment,
            })
        }
        _ => Err(SourceError::Invalid {
            field: name.to_owned(),
            reason: "is nothing that a sender can do here".to_owned(),
            remedy: "create the alert anew with the same alias and what has changed".to_owned(),
        }),
    }
}
