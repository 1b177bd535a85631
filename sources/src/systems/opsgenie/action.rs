//! Actions of a sender on an alert that it created, named by the last segment of the path.

use schemas::{Action, ActionRequest, Amendment, EventStatus, Severity};

use super::{Object, priority};
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json;
use crate::parsed::{ParsedBody, SourceActionRequest};

/// A custom action runs nothing here; the history records its author and its time.
const CUSTOM_ACTION: &str = "custom action";
const TIME: &str = "send the time when it ends, like \"2026-09-01T10:00:00Z\"";

/// An action on an alert.
pub struct AlertAction<'d> {
    /// The last segment of the path.
    pub name: &'d str,
    /// What the body names is removed rather than added.
    pub removes: bool,
    /// The alias of the alert.
    pub alias: &'d str,
    /// The name of the custom action, where it is one.
    pub custom_action: Option<&'d str>,
}

impl AlertAction<'_> {
    /// Parses its body, which may be empty.
    ///
    /// # Errors
    ///
    /// A body that is no JSON, and an action that is not known or lacks a field.
    pub fn parse(&self, body: &[u8]) -> Result<ParsedBody, SourceError> {
        let body = match body.trim_ascii() {
            b"" => b"{}".as_slice(),
            body => body,
        };
        let body = json::made(body)?.object()?;
        match self.name {
            "close" => self.ended(EventStatus::Resolved, &body),
            "acknowledge" => self.ended(EventStatus::Acknowledged, &body),
            _ => {
                let request = ActionRequest {
                    author: body.first(&["user", "source"])?,
                    action: self.action(&body)?,
                };
                Ok(request_for(self.alias, request))
            }
        }
    }

    /// The event of a close or an acknowledgement, and the note that came with it.
    fn ended(&self, status: EventStatus, body: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
        let mut event = SourceEvent::new(["alias", self.alias], status, Severity::Unknown);
        event.name = self.alias.to_owned();
        event.source = body.text("source")?.unwrap_or_default();
        event.output = body.text("note")?.unwrap_or_default();
        if status == EventStatus::Acknowledged {
            event.add_label("acknowledged_by", body.text("user")?);
        }
        let note = body.text("note")?.filter(|note| !note.is_empty());
        let comment = note.map(|comment| Action::Comment { comment });
        let author = body.first(&["user", "source"])?;
        let identity = event.identity.clone();
        Ok(ParsedBody {
            action_requests: comment
                .map(|action| SourceActionRequest::new(identity, author, action))
                .into_iter()
                .collect(),
            ..ParsedBody::from(event)
        })
    }

    /// The action, as an operator would take it.
    fn action(&self, body: &Object<'_, '_>) -> Result<Action, SourceError> {
        let comment = body.text("note")?;
        match self.name {
            "unacknowledge" => Ok(Action::Unacknowledge),
            "actions" => Ok(Action::Comment {
                comment: self.custom_action(comment.as_deref()),
            }),
            "notes" => Ok(Action::Comment {
                comment: body.needed(&["note"], "send a note")?,
            }),
            "snooze" => {
                let text = body.needed(&["endTime"], TIME)?;
                let until = json::time_of(&text).ok_or_else(|| body.refuse(&["endTime"], &text, TIME))?;
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
            _ => Ok(Action::Amend {
                amendment: self.amendment(body)?,
                comment,
            }),
        }
    }

    fn amendment(&self, body: &Object<'_, '_>) -> Result<Amendment, SourceError> {
        let mut amendment = Amendment::default();
        match self.name {
            "priority" => {
                body.needed(&["priority"], super::PRIORITIES)?;
                amendment.severity = Some(priority(body)?);
                // Two priorities are one severity.
                amendment.labels = [(super::PRIORITY.to_owned(), super::lesser_priority(body)?)].into();
            }
            "message" => amendment.name = Some(body.needed(&["message"], "send a message")?),
            "description" => amendment.output = Some(body.needed(&["description"], "send a description")?),
            "tags" => {
                body.required("tags", "send a list of tags")?;
                let text = || body.flat("tags").unwrap_or_default();
                let tags = body.listed("tags");
                let tags = tags.unwrap_or_else(|| text().split(',').map(str::to_owned).collect());
                tags.iter().for_each(|tag| self.tag(tag, &mut amendment));
            }
            "details" if self.removes => {
                let keys = body.needed(&["keys"], "name the keys, with commas between them")?;
                let keys = keys.split(',').map(str::trim).filter(|key| !key.is_empty());
                amendment.labels = keys.map(|key| (key.to_owned(), None)).collect();
            }
            "details" => {
                let name = match body.get("extraProperties") {
                    Some(_) => "extraProperties",
                    None => "details",
                };
                body.required(name, "send the details, names to texts")?;
                let details = body.texts(name)?.into_iter();
                amendment.labels = details.map(|(name, value)| (name, Some(value))).collect();
            }
            "responders" | "teams" => {
                amendment.responders = [(self.responder(body)?, true)].into();
            }
            "escalate" => {
                let remedy = "send the escalation with the name of a scenario";
                let escalation = body.required("escalation", remedy)?.object()?;
                amendment.scenario = Some(escalation.needed(&["name", "id"], remedy)?);
            }
            name => {
                return Err(SourceError::Invalid {
                    field: name.to_owned(),
                    reason: "is nothing that a sender can do here".to_owned(),
                    remedy: "create the alert anew with the same alias and what has changed".to_owned(),
                });
            }
        }
        Ok(amendment)
    }

    fn custom_action(&self, note: Option<&str>) -> String {
        let name = self.custom_action.unwrap_or_default();
        match note {
            Some(note) if !note.is_empty() => format!("{CUSTOM_ACTION} {name}: {note}"),
            _ => format!("{CUSTOM_ACTION} {name}"),
        }
    }

    /// The responder or team that is added.
    fn responder(&self, body: &Object<'_, '_>) -> Result<String, SourceError> {
        let (field, remedy) = match self.name {
            "teams" => ("team", "send the team with its name"),
            _ => ("responder", "send the responder with its name or username"),
        };
        let responder = body.required(field, remedy)?.object()?;
        responder.needed(&["name", "username", "id"], remedy)
    }

    /// A tag like `name:value` is a label, as where the alert is created.
    fn tag(&self, tag: &str, amendment: &mut Amendment) {
        let tag = tag.trim();
        match tag.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
                let value = (!self.removes).then(|| value.trim().to_owned());
                amendment.labels.insert(name.trim().to_owned(), value);
            }
            _ if tag.is_empty() => {}
            _ => {
                let tag = tag.trim_end_matches(':').to_owned();
                amendment.tags.insert(tag, !self.removes);
            }
        }
    }
}

/// An action for the alert with this alias.
pub(super) fn request_for(alias: &str, request: ActionRequest) -> ParsedBody {
    ParsedBody {
        action_requests: vec![SourceActionRequest {
            identity: vec!["alias".to_owned(), alias.to_owned()],
            request,
        }],
        ..ParsedBody::default()
    }
}
