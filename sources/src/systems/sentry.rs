//! Sentry: what its integration platform posts about alerts on issues, on metrics, and about issues themselves, told
//! apart by their fields.
//!
//! Identity: the id of the issue, or of the incident of a metric alert. An alert on an issue has no end of its own; it
//! ends when the issue is resolved.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::address::host_and_port;
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "sentry",
    title: "Sentry integration platform webhook",
    documentation: "docs/sources/sentry.md",
    methods: POST,
    parse,
};

const ACTION: &str = "action";
const AS_IT_IS: &str = "send the body of Sentry's internal integration as it is";
const OF_ISSUES: &str = "send created, unresolved, assigned, archived, ignored or resolved, as Sentry does";
const OF_METRICS: &str = "send critical, warning or resolved, as Sentry does";
const OF_EVENTS: &str = "send triggered or created, as Sentry does";

/// Parses one notification.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::made(body)?.object()?;
    let action = body.needed(&[ACTION], AS_IT_IS)?;
    let data = body.required("data", AS_IT_IS)?.object()?;
    if let Some(alert) = data.get("metric_alert") {
        return Ok(metric_alert(&body, &data, &alert.object()?)?.into());
    }
    for name in ["event", "error"] {
        if let Some(occurrence) = data.get(name) {
            if !matches!(action.as_str(), "triggered" | "created") {
                return Err(body.refuse(&[ACTION], &action, OF_EVENTS));
            }
            return Ok(occurrence_event(&data, &occurrence.object()?)?.into());
        }
    }
    match data.get("issue") {
        Some(issue) => issue_event(&body, &action, &issue.object()?),
        None => Ok(ParsedBody::nothing(
            "it is about no issue and no alert, so nothing was done",
        )),
    }
}

fn metric_alert(
    body: &Object<'_, '_>,
    data: &Object<'_, '_>,
    alert: &Object<'_, '_>,
) -> Result<SourceEvent, SourceError> {
    let action = body.needed(&[ACTION], OF_METRICS)?;
    let (status, severity) = match action.as_str() {
        "critical" => (EventStatus::Firing, Severity::Critical),
        "warning" => (EventStatus::Firing, Severity::Warning),
        "resolved" => (EventStatus::Resolved, Severity::Ok),
        _ => return Err(body.refuse(&[ACTION], &action, OF_METRICS)),
    };
    let id = alert.needed(&["id"], AS_IT_IS)?;
    let mut event = SourceEvent::new(["metric alert", &id], status, severity);
    let rule = alert.member("alert_rule");
    let rule = rule.as_ref();
    let of_rule = |name| rule.map_or(Ok(None), |rule| rule.text(name));
    event.name = match of_rule("name")? {
        Some(name) => name,
        None => data
            .text("description_title")?
            .unwrap_or_else(|| format!("metric alert {id}")),
    };
    let projects = alert.flat("projects");
    event.object = projects.clone().unwrap_or_else(|| event.name.clone());
    event.service = projects;
    event.output = data.text("description_text")?.unwrap_or_default();
    event.add_label("aggregate", of_rule("aggregate")?);
    event.add_label("query", of_rule("query")?);
    event.add_label("environment", of_rule("environment")?);
    event.add_label("number", alert.text("identifier")?);
    add_address(&mut event, data.text("web_url")?);
    let time = match status {
        EventStatus::Resolved => "date_closed",
        _ => "date_started",
    };
    event.occurred_at = alert.time(time, &mut event.warnings)?;
    Ok(event)
}

/// One occurrence of an issue, which an alert rule found or which is new.
fn occurrence_event(data: &Object<'_, '_>, occurrence: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let issue = match occurrence.text("issue_id")? {
        Some(issue) => issue,
        None => {
            let address = occurrence.needed(&["issue_url", "issue_id"], AS_IT_IS)?;
            let id = address.trim_end_matches('/').rsplit('/').next();
            id.unwrap_or_default().to_owned()
        }
    };
    let severity = level(occurrence)?;
    let mut event = SourceEvent::new(["issue", &issue], EventStatus::Firing, severity);
    let project = match project_of(&occurrence.text("url")?.unwrap_or_default()) {
        Some(project) => Some(project),
        None => occurrence.text("project")?,
    };
    describe(&mut event, occurrence, &issue, project)?;
    event.output = occurrence.text("message")?.unwrap_or_default();
    if event.output.is_empty() {
        event.output = detail(occurrence)?;
    }
    add_tags(&mut event, occurrence)?;
    event.add_label("rule", data.text("triggered_rule")?);
    event.ask_by_labels();
    add_address(&mut event, occurrence.text("web_url")?);
    event.occurred_at = occurrence.time("datetime", &mut event.warnings)?;
    Ok(event)
}

fn issue_event(
    body: &Object<'_, '_>,
    action: &str,
    issue: &Object<'_, '_>,
) -> Result<ParsedBody, SourceError> {
    let status = match action {
        "created" | "unresolved" => EventStatus::Firing,
        "resolved" => EventStatus::Resolved,
        // Somebody does not want to hear of it any more.
        "archived" | "ignored" => EventStatus::Acknowledged,
        "assigned" => {
            return Ok(ParsedBody::nothing(
                "the assignment of an issue neither opens nor ends an alert, so nothing was done",
            ));
        }
        _ => return Err(body.refuse(&[ACTION], action, OF_ISSUES)),
    };
    let id = issue.needed(&["id"], AS_IT_IS)?;
    let mut event = SourceEvent::new(["issue", &id], status, level(issue)?);
    let project = match issue.member("project") {
        Some(project) => project.first(&["slug", "name"])?,
        None => None,
    };
    describe(&mut event, issue, &id, project)?;
    event.output = detail(issue)?;
    event.add_label("number", issue.text("shortId")?);
    let actor = match body.member("actor") {
        Some(actor) => actor.text("name")?,
        None => None,
    };
    add_address(&mut event, issue.first(&["permalink", "web_url"])?);
    if action == "unresolved" {
        return Ok(ParsedBody::unacknowledged(event, actor));
    }
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", actor);
    }
    Ok(event.into())
}

/// What occurrences and issues have in common.
fn describe(
    event: &mut SourceEvent,
    issue: &Object<'_, '_>,
    id: &str,
    project: Option<String>,
) -> Result<(), SourceError> {
    event.name = issue.text("title")?.unwrap_or_else(|| format!("issue {id}"));
    event.object = issue
        .text("culprit")?
        .or(project.clone())
        .unwrap_or_else(|| format!("AlertID:{id}"));
    event.add_label("project", project.clone());
    event.add_label("platform", issue.text("platform")?);
    event.service = project;
    Ok(())
}

fn level(issue: &Object<'_, '_>) -> Result<Severity, SourceError> {
    Ok(match issue.text("level")? {
        None => Severity::Critical,
        Some(word) => severity::of_word(&word).unwrap_or(Severity::Unknown),
    })
}

fn detail(issue: &Object<'_, '_>) -> Result<String, SourceError> {
    let detail = match issue.member("metadata") {
        Some(metadata) => metadata.first(&["value", "title"])?,
        None => None,
    };
    Ok(detail.unwrap_or_default())
}

/// `shop` of `https://sentry.io/api/0/projects/example/shop/events/8da6/`.
fn project_of(address: &str) -> Option<String> {
    let (_, path) = address.split_once("/projects/")?;
    let project = path.split('/').nth(1)?;
    (!project.is_empty()).then(|| project.to_owned())
}

/// Tags as `[["server_name", "pay-3"]]`.
fn add_tags(event: &mut SourceEvent, occurrence: &Object<'_, '_>) -> Result<(), SourceError> {
    let Some(tags) = occurrence.get("tags").filter(Node::is_list) else {
        return Ok(());
    };
    let place = tags.place;
    for (index, raw) in tags.list()?.into_iter().enumerate() {
        if let Ok([name, value]) = serde_json::from_str::<[String; 2]>(raw.get()) {
            event.add_label(&name, Some(value));
        } else {
            let place = Place::Item(&place, index);
            event
                .warnings
                .push(format!("{place} is no pair of texts, so it is no label"));
        }
    }
    Ok(())
}

/// The page of it, and by that the server.
fn add_address(event: &mut SourceEvent, address: Option<String>) {
    let address = address.unwrap_or_default();
    event.source = host_and_port(&address).unwrap_or_else(|| "sentry".to_owned());
    event.add_link("Sentry", address);
}
