//! Messages of SNS that are neither alarms of CloudWatch nor events of EventBridge: texts for people, such as those of AWS
//! Backup and AWS Budgets.
//!
//! Identity: the topic and what the message is about: kind and resource of a backup; name, type and threshold of a
//! budget; else the subject without its state.

use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::Object;
use crate::parsed::ParsedBody;
use crate::systems::email::subject;

/// The most characters of a text that become a name.
const LONGEST_NAME: usize = 200;

/// Parses a text, or JSON of an unknown kind.
pub(super) fn parse_text(envelope: &Object<'_, '_>, text: &str) -> Result<ParsedBody, SourceError> {
    if text.starts_with("Successfully validated SNS topic") {
        return Ok(ParsedBody::nothing(
            "a test of the topic is no alert, so nothing was done",
        ));
    }
    let topic = envelope.text("TopicArn")?.unwrap_or_default();
    let mut event = match backup(envelope, &topic, text)? {
        Some(Ok(event)) => event,
        Some(Err(state)) => {
            return Ok(ParsedBody::nothing(format!(
                "a backup that is {state} neither opens nor ends an alert, so nothing was done"
            )));
        }
        None => match budget(&topic, text) {
            Some(event) => event,
            None => any_text(envelope, &topic, text)?,
        },
    };
    event.source = topic.split(':').nth(4).unwrap_or_default().to_owned();
    text.clone_into(&mut event.output);
    event.occurred_at = envelope.time("Timestamp", &mut event.warnings)?;
    event.add_label("topic", Some(topic));
    event.add_label("subject", envelope.text("Subject")?);
    Ok(event.into())
}

/// A message of AWS Backup, or the state of one that is neither its success nor its failure. The state is an attribute,
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-notifications.html>.
fn backup(
    envelope: &Object<'_, '_>,
    topic: &str,
    text: &str,
) -> Result<Option<Result<SourceEvent, String>>, SourceError> {
    let Some(attributes) = envelope.member("MessageAttributes") else {
        return Ok(None);
    };
    let value = |name: &str| {
        attributes
            .member(name)
            .and_then(|attribute| attribute.flat("Value"))
    };
    let (Some(kind), Some(state)) = (value("EventType"), value("State")) else {
        return Ok(None);
    };
    let (status, severity) = match state.as_str() {
        "COMPLETED" | "SUCCESSFUL" => (EventStatus::Resolved, Severity::Ok),
        "CREATED" | "PENDING" | "RUNNING" | "STARTED" => return Ok(Some(Err(state))),
        "PARTIAL" => (EventStatus::Firing, Severity::Warning),
        _ => (EventStatus::Firing, Severity::Critical),
    };
    let resource = text
        .split("Resource ARN")
        .nth(1)
        .map(|rest| rest.trim_start_matches([' ', ':']));
    let resource = resource.and_then(|rest| rest.split_whitespace().next());
    let resource = resource.map(|resource| resource.trim_end_matches('.').to_owned());
    let resource = resource.or_else(|| value("Id")).unwrap_or_default();
    let mut event = SourceEvent::new([topic, "backup", &kind, &resource], status, severity);
    event.name = format!("AWS Backup: {kind}");
    event.object = resource;
    event.add_label("state", Some(state));
    event.add_label("id", value("Id"));
    Ok(Some(Ok(event)))
}

/// A notification of AWS Budgets. It comes once in the period of the budget, and nothing ends it.
fn budget(topic: &str, text: &str) -> Option<SourceEvent> {
    if !text.contains("Budget Name:") {
        return None;
    }
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    let (name, kind, threshold) = (
        field("Budget Name:"),
        field("Alert Type:"),
        field("Alert Threshold:"),
    );
    let identity = [topic, "budget", &name, &kind, &threshold];
    let mut event = SourceEvent::new(identity, EventStatus::Firing, Severity::Warning);
    event.name = format!("AWS Budgets: {name}");
    event.object = name;
    for (label, value) in [("alert_type", kind), ("alert_threshold", threshold)] {
        event.add_label(label, Some(value));
    }
    Some(event)
}

/// A state in the subject opens or ends the alert, as in mail; without one it fires, and nothing ends it.
fn any_text(envelope: &Object<'_, '_>, topic: &str, text: &str) -> Result<SourceEvent, SourceError> {
    let subject = envelope.text("Subject")?;
    let found = subject
        .as_deref()
        .and_then(|subject| subject::parse_subject(subject).ok());
    let mut event = match &found {
        Some(found) => SourceEvent::new([topic, "subject", &found.about], found.status, found.severity),
        None => {
            let about = subject.as_deref().unwrap_or(text);
            SourceEvent::new([topic, "text", about], EventStatus::Firing, Severity::Unknown)
        }
    };
    let name = found.map(|found| found.about).or(subject);
    let first_line = || text.lines().next().unwrap_or_default().to_owned();
    event.name = name
        .unwrap_or_else(first_line)
        .chars()
        .take(LONGEST_NAME)
        .collect();
    event.object = topic.rsplit(':').next().unwrap_or_default().to_owned();
    Ok(event)
}
