//! Zabbix: the bodies of Harp's media type and of the event-driven one.
//!
//! Identity: the id of the problem event, which its updates and its recovery carry too; without one, trigger and host.

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json::{self, Node, Object, Place};
use super::{SourceError, SourceEvent, Understood, lenient};

const STATUS: [&str; 3] = ["trigger_status", "event_value", "eventvalue"];
const SEVERITY: [&str; 4] = [
    "trigger_severity",
    "event_nseverity",
    "event_severity",
    "severity",
];
const ACTION: [&str; 2] = ["event_action", "event_update_action"];
const GROUPS: [&str; 2] = ["trigger_hostgroup_name", "host_groups"];

/// Reads one event.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let mended = lenient::body(body);
    let body = json::body(&mended.body)?.object()?;
    Ok(Understood::from(event(&body)?).with_remark(mended.remark))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let status = status(body)?;
    let severity = match status {
        EventStatus::Resolved => Severity::Ok,
        _ => severity(body)?,
    };
    let name = body.needed(
        &["trigger_name", "event_name", "eventname"],
        "give the media type the parameter trigger_name with {TRIGGER.NAME}",
    )?;
    let host = body.first(&["host_name", "host_host"])?;
    let object = host.clone().unwrap_or_else(|| name.clone());
    let trigger = body.set("trigger_id")?.unwrap_or_default();
    let problem = if trigger.is_empty() {
        body.needed(
            &["event_id"],
            "give the media type the parameter event_id with {EVENT.ID}",
        )?
    } else {
        body.set("event_id")?.unwrap_or_default()
    };
    let identity = if problem.is_empty() {
        vec!["trigger", &trigger, &object]
    } else {
        vec!["event", &problem]
    };
    let mut event = SourceEvent::new(identity, status, severity);
    event.source = body
        .first(&["source", "zabbix_url"])?
        .unwrap_or_else(|| "zabbix".to_owned());
    if event.source.contains("://") && !trigger.is_empty() {
        let server = event.source.trim_end_matches('/');
        let address = format!("{server}/tr_events.php?triggerid={trigger}&eventid={problem}");
        event.add_link("Trigger URL", address);
    }
    event.service = body.first(&GROUPS)?;
    event.output = output(body)?;
    event.add_label("host", host);
    event.add_label("group", event.service.clone());
    event.add_label("ip", body.first(&["hostip", "host_ip"])?);
    add_tags(&mut event, body)?;
    event.ask_by_labels();
    if status == EventStatus::Acknowledged {
        event.add_label(
            "acknowledged_by",
            body.first(&["acknowledged_by", "user_fullname"])?,
        );
    }
    (event.object, event.name) = (object, name);
    Ok(event)
}

fn status(body: &Object<'_, '_>) -> Result<EventStatus, SourceError> {
    let remedy = "send PROBLEM or OK, as {TRIGGER.STATUS} has it, or 1 or 0, as {EVENT.VALUE} has it";
    let word = body.needed(&STATUS, remedy)?;
    match word.to_ascii_lowercase().as_str() {
        "problem" | "1" if is_acknowledgement(body)? => Ok(EventStatus::Acknowledged),
        "problem" | "1" => Ok(EventStatus::Firing),
        "ok" | "resolved" | "0" => Ok(EventStatus::Resolved),
        _ => Err(body.refuse(&STATUS, &word, remedy)),
    }
}

/// An update of a problem that says so, or, if it does not say what was done, one of a problem that is acknowledged.
fn is_acknowledgement(body: &Object<'_, '_>) -> Result<bool, SourceError> {
    let is_update = body.first(&["event_update_status", "eventupdate"])?.as_deref() == Some("1");
    let done = body.first(&ACTION)?.map(|done| done.to_ascii_lowercase());
    let acknowledged = body.first(&["acknowledged", "eventack"])?;
    Ok(match done {
        Some(done) => is_update && done.split(',').any(|done| done.trim() == "acknowledged"),
        None => is_update && acknowledged.is_some_and(|word| word.eq_ignore_ascii_case("yes") || word == "1"),
    })
}

fn severity(body: &Object<'_, '_>) -> Result<Severity, SourceError> {
    let remedy = "send {EVENT.SEVERITY} or {EVENT.NSEVERITY} as Zabbix fills them in";
    let word = body.needed(&SEVERITY, remedy)?;
    match word.to_ascii_lowercase().as_str() {
        "0" | "not classified" => Ok(Severity::Unknown),
        "1" | "information" => Ok(Severity::Information),
        "2" | "3" | "warning" | "average" => Ok(Severity::Warning),
        "4" | "high" => Ok(Severity::Critical),
        "5" | "disaster" => Ok(Severity::Urgent),
        _ => Err(body.refuse(&SEVERITY, &word, remedy)),
    }
}

fn output(body: &Object<'_, '_>) -> Result<String, SourceError> {
    let parts = [
        ("Value", ["triggeropdata", "operation_data"].as_slice()),
        ("Expression", &["trigger_expression"]),
        ("Description", &["trigger_description"]),
    ];
    let mut lines = Vec::new();
    for (title, names) in parts {
        if let Some(text) = body.first(names)? {
            lines.push(format!("{title}: {text}"));
        }
    }
    Ok(lines.join("\n"))
}

/// Tags come as `name:value, …`, as a list of `{"tag": …, "value": …}`, or as a text that holds such a list.
fn add_tags(event: &mut SourceEvent, body: &Object<'_, '_>) -> Result<(), SourceError> {
    let name = if body.get("event_tags").is_some() {
        "event_tags"
    } else {
        "eventtags"
    };
    let place = Place::Member(&body.place, name);
    let Some(tags) = body.flat(name) else {
        return Ok(());
    };
    let listed = match body.get(name) {
        Some(node) if node.is_list() => Some(node),
        _ => json::within(&tags, place).ok().filter(Node::is_list),
    };
    let Some(listed) = listed else {
        event.add_tags(&tags);
        return Ok(());
    };
    for (index, raw) in listed.list()?.into_iter().enumerate() {
        let tag = Node::new(raw, Place::Item(&place, index)).object()?;
        let (name, value) = (tag.text("tag")?, tag.text("value")?);
        event.add_tags(&format!(
            "{}:{}",
            name.unwrap_or_default(),
            value.unwrap_or_default()
        ));
    }
    Ok(())
}
