//! The events API of ilert.
//!
//! Identity: `alertKey`, without regard to case as in ilert. An event without one gets a key that is made of its summary, where
//! ilert would open a new alert each time.

use http::HeaderMap;
use schemas::{Action, EventStatus, Severity};

use super::zabbix;
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::{ParsedBody, SourceActionRequest};
use crate::source::{POST, ParseBody, Source};

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "ilert",
    title: "ilert events API",
    documentation: "docs/sources/ilert.md",
    methods: POST,
    parse,
};

const TYPES: &str = "send ALERT, ACCEPT, RESOLVE or COMMENT";
const SUMMARY: &str = "send a summary";
const COMMENTS: &str = "send comments, each with its content";
const SEVERITIES: &str = "send a number from 1 to 5";
const PRIORITIES: &str = "send HIGH or LOW";
/// Old clients send the second.
const KEYS: [&str; 2] = ["alertKey", "incidentKey"];

/// Parses one event.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::made(body)?.object()?;
    let kind = body.needed(&["eventType"], TYPES)?;
    let status = match kind.as_str() {
        "ALERT" => EventStatus::Firing,
        "ACCEPT" => EventStatus::Acknowledged,
        "RESOLVE" => EventStatus::Resolved,
        "COMMENT" => return commented(&body),
        _ => return Err(body.refuse(&["eventType"], &kind, TYPES)),
    };
    event(&body, status).map(ParsedBody::from)
}

/// The parser of the bodies that senders post to the address of an integration of ilert of this kind, where the bodies are
/// made for ilert.
pub fn parser_of_kind(kind: &str) -> Option<ParseBody> {
    match kind {
        "gatus" => Some(parse_gatus),
        "zabbix" | "zabbix-mt" | "zabbixmt" => Some(parse_zabbix),
        "api" => Some(parse),
        _ => None,
    }
}

/// The source of another kind of ilert: its senders post the same bodies there as here.
pub fn source_of_kind(kind: &str) -> &str {
    match kind {
        "alertmanager" => "prometheus",
        "aws" | "sns" | "amazon-sns" => "eventbridge",
        other => other,
    }
}

/// What Gatus posts: <https://github.com/TwiN/gatus#configuring-ilert-alerts>. Group and name tell an endpoint from every other.
fn parse_gatus(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::made(body)?.object()?;
    let remedy = "send firing or resolved";
    let word = body.needed(&["status"], remedy)?;
    let status = match word.as_str() {
        "firing" => EventStatus::Firing,
        "resolved" => EventStatus::Resolved,
        _ => return Err(body.refuse(&["status"], &word, remedy)),
    };
    let name = body.needed(&["name"], "send the name of the endpoint")?;
    let group = body.text("group")?.unwrap_or_default();
    let mut event = SourceEvent::new(["gatus", &group, &name], status, Severity::Critical);
    event.name = body.text("title")?.unwrap_or_else(|| name.clone());
    event.object = name;
    event.source = "gatus".to_owned();
    event.service = Some(group).filter(|group| !group.is_empty());
    event.output = body.text("details")?.unwrap_or_default();
    event.add_label("failed_conditions", failed_conditions(&body)?);
    event.add_link("Endpoint", body.text("url")?.unwrap_or_default());
    Ok(event.into())
}

fn failed_conditions(body: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
    let Some(list) = body.get("condition_results").filter(Node::is_list) else {
        return Ok(None);
    };
    let mut failed = Vec::new();
    for (index, raw) in list.list()?.into_iter().enumerate() {
        let result = Node::new(raw, Place::Item(&list.place, index)).object()?;
        if result.flat("success").as_deref() == Some("false") {
            failed.extend(result.text("condition")?);
        }
    }
    Ok(Some(failed.join(", ")).filter(|failed| !failed.is_empty()))
}

/// What ilert's media type of Zabbix posts: the macros by their names, such as `EVENT.ID`.
fn parse_zabbix(headers: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    let named = body.names().filter_map(|name| {
        let known = match name {
            "EVENT.ACK.STATUS" => "acknowledged".to_owned(),
            "EVENT.OPDATA" => "operation_data".to_owned(),
            // The problem's own values stay 1 while it is acknowledged, and 0 is its recovery.
            other => other.to_ascii_lowercase().replace('.', "_"),
        };
        Some((known, serde_json::Value::String(body.flat(name)?)))
    });
    let named: serde_json::Map<_, _> = named.collect();
    zabbix::parse(headers, serde_json::Value::Object(named).to_string().as_bytes())
}

/// The integration key in a body.
pub fn integration_key(body: &[u8]) -> Option<String> {
    let body = json::made(body).ok()?.object().ok()?;
    body.first(&["integrationKey", "apiKey"]).ok()?
}

fn event(body: &Object<'_, '_>, status: EventStatus) -> Result<SourceEvent, SourceError> {
    let given = given_key(body)?;
    let name = match (&given, body.text("summary")?) {
        (_, Some(summary)) => summary,
        (Some(key), None) if status != EventStatus::Firing => key.clone(),
        _ => body.needed(&["summary"], SUMMARY)?,
    };
    let key = given.clone().unwrap_or_else(|| made_key(&name));
    let mut event = SourceEvent::new(["key", &key], status, severity(body)?);
    event.output = body.text("details")?.unwrap_or_else(|| name.clone());
    event.object = given.unwrap_or_else(|| name.clone());
    event.name = name;
    for list in ["labels", "customDetails"] {
        if body.get(list).is_some_and(Node::is_object) {
            event.labels.extend(body.texts(list)?);
        }
    }
    event.add_label("alert_key", Some(key));
    event.ask_by_labels();
    event.add_lists_of_links(body)?;
    Ok(event)
}

fn given_key(body: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
    let key = body.first(&KEYS)?.map(|key| key.trim().to_lowercase());
    Ok(key.filter(|key| !key.is_empty()))
}

/// The key of an alert that came without one. The answer names it, so it is a key like any other.
fn made_key(summary: &str) -> String {
    domain::fingerprint(["summary", summary]).to_string()
}

/// A comment on an alert that is known by its key, or else by its summary.
fn commented(body: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let key = match given_key(body)? {
        Some(key) => key,
        None => made_key(&body.needed(&["summary"], "send the alertKey of the alert")?),
    };
    let comments = comments(body)?;
    if comments.is_empty() {
        return Err(Place::Member(&body.place, "comments").invalid("says nothing", COMMENTS));
    }
    let identity = vec!["key".to_owned(), key];
    let requests = comments.into_iter().map(|(author, comment)| {
        SourceActionRequest::new(identity.clone(), author, Action::Comment { comment })
    });
    Ok(ParsedBody {
        action_requests: requests.collect(),
        ..ParsedBody::default()
    })
}

/// Authors and texts: of the comments, else the details as one.
fn comments(body: &Object<'_, '_>) -> Result<Vec<(Option<String>, String)>, SourceError> {
    let mut comments = Vec::new();
    if let Some(list) = body.get("comments") {
        let place = list.place;
        for (index, raw) in list.list()?.into_iter().enumerate() {
            let comment = Node::new(raw, Place::Item(&place, index)).object()?;
            if let Some(content) = comment.text("content")? {
                comments.push((comment.text("creator")?, content));
            }
        }
    }
    if comments.is_empty() {
        comments.extend(body.text("details")?.map(|details| (None, details)));
    }
    Ok(comments)
}

/// By the number, else by the priority.
fn severity(body: &Object<'_, '_>) -> Result<Severity, SourceError> {
    if let Some(number) = body.text("severity")? {
        return match number.as_str() {
            "1" => Ok(Severity::Urgent),
            "2" => Ok(Severity::Critical),
            "3" => Ok(Severity::Warning),
            "4" | "5" => Ok(Severity::Information),
            _ => Err(body.refuse(&["severity"], &number, SEVERITIES)),
        };
    }
    match body.text("priority")?.as_deref() {
        None | Some("HIGH") => Ok(Severity::Critical),
        Some("LOW") => Ok(Severity::Warning),
        Some(other) => Err(body.refuse(&["priority"], other, PRIORITIES)),
    }
}
