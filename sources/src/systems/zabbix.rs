//! Zabbix: the bodies of Harp's media type and of the event-driven one.
//!
//! Identity: the id of the problem event, which its updates and its recovery carry too; without one, trigger and host.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "zabbix",
    title: "Zabbix media type (Harp's and the event-driven one)",
    documentation: "docs/sources/zabbix.md",
    methods: POST,
    parse,
};

/// What became of the event comes before the state of its trigger: a trigger that makes an event for each problem stays
/// in its state when one of them ends.
const STATUS: [&str; 3] = ["event_value", "eventvalue", "trigger_status"];
/// The number comes first, as the names of severities can be changed in Zabbix.
const SEVERITY: [&str; 4] = [
    "event_nseverity",
    "event_severity",
    "trigger_severity",
    "severity",
];
const ACTION: [&str; 2] = ["event_action", "event_update_action"];
const AUTHOR: [&str; 2] = ["acknowledged_by", "user_fullname"];
const SEVERITIES: &str = "send {EVENT.NSEVERITY} as event_nseverity";
/// What stands between the least and the worst that Zabbix has: a problem whose severity has another name is
/// one all the same.
const MIDDLE: Severity = Severity::Warning;

/// Parses one event.
pub(super) fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    let update = Update::of(&body)?;
    let event = event(&body, &update)?;
    let parsed = match event.status == EventStatus::Firing && update.has("unacknowledged") {
        true => ParsedBody::unacknowledged(event, body.first(&AUTHOR)?),
        false => ParsedBody::from(event),
    };
    Ok(parsed.with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>, update: &Update) -> Result<SourceEvent, SourceError> {
    let status = status(body, update)?;
    let severity = match status {
        EventStatus::Resolved => Some(Severity::Ok),
        _ => severity(body)?,
    };
    let name = body.needed(
        &["trigger_name", "event_name", "eventname"],
        "give the media type the parameter trigger_name with {TRIGGER.NAME}",
    )?;
    let host = body.first(&["host_name", "host_host"])?;
    let object = host.clone().unwrap_or_else(|| name.clone());
    let (trigger, problem) = ids(body)?;
    let identity = if problem.is_empty() {
        vec!["trigger", &trigger, &object]
    } else {
        vec!["event", &problem]
    };
    let mut event = SourceEvent::new(identity, status, severity.unwrap_or(MIDDLE));
    event.source = body
        .first(&["source", "zabbix_url", "monitoring_source"])?
        .unwrap_or_else(|| "zabbix".to_owned());
    if event.source.contains("://") && !trigger.is_empty() {
        let server = event.source.trim_end_matches('/');
        let address = format!("{server}/tr_events.php?triggerid={trigger}&eventid={problem}");
        event.add_link("Trigger URL", address);
    }
    event.service = body
        .flat("trigger_hostgroup_name")
        .or_else(|| body.flat("host_groups"));
    event.output = output(body)?;
    event.add_label("host", host);
    event.add_label("group", event.service.clone());
    event.add_label("ip", body.first(&["hostip", "host_ip"])?);
    add_severity_name(&mut event, body, severity.is_some())?;
    add_tags(&mut event, body);
    event.ask_by_labels();
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", body.first(&AUTHOR)?);
    }
    if status == EventStatus::Firing {
        // Alone of all that says when the problem began, it has a time zone.
        event.occurred_at = body.moment("event_datetime_timestamp", &mut event.warnings)?;
    }
    (event.object, event.name) = (object, name);
    Ok(event)
}

/// The ids of the trigger and of the problem, of which one must be there.
fn ids(body: &Object<'_, '_>) -> Result<(String, String), SourceError> {
    let trigger = body.set("trigger_id")?.unwrap_or_default();
    let problem = match trigger.is_empty() {
        true => body.needed(
            &["event_id"],
            "give the media type the parameter event_id with {EVENT.ID}",
        )?,
        false => body.set("event_id")?.unwrap_or_default(),
    };
    Ok((trigger, problem))
}

fn status(body: &Object<'_, '_>, update: &Update) -> Result<EventStatus, SourceError> {
    let remedy = "send 1 or 0, as {EVENT.VALUE} has it, or PROBLEM or OK, as {TRIGGER.STATUS} has it";
    let word = body.needed(&STATUS, remedy)?;
    match word.to_ascii_lowercase().as_str() {
        // The problem was closed by hand, whatever the state of its trigger.
        "problem" | "1" if update.has("closed") => Ok(EventStatus::Resolved),
        "problem" | "1" if update.is_acknowledgement(body)? => Ok(EventStatus::Acknowledged),
        "problem" | "1" => Ok(EventStatus::Firing),
        "ok" | "resolved" | "0" => Ok(EventStatus::Resolved),
        _ => Err(body.refuse(&STATUS, &word, remedy)),
    }
}

/// The actions of an operator on a problem, in the words of `{EVENT.UPDATE.ACTION}`.
struct Update {
    /// Whether it is an update; `None` if the body does not say.
    is_one: Option<bool>,
    /// `None` if the body does not say.
    actions: Option<Vec<String>>,
}

impl Update {
    fn of(body: &Object<'_, '_>) -> Result<Self, SourceError> {
        let is_one = body.first(&["event_update_status", "eventupdate"])?;
        let actions = body.first(&ACTION)?.map(|actions| actions.to_ascii_lowercase());
        Ok(Self {
            is_one: is_one.map(|word| word == "1"),
            actions: actions.map(|actions| {
                actions
                    .split(',')
                    .map(|action| action.trim().to_owned())
                    .collect()
            }),
        })
    }

    /// Zabbix fills the actions in for updates only.
    fn has(&self, action: &str) -> bool {
        let mut actions = self.actions.iter().flatten();
        self.is_one != Some(false) && actions.any(|done| done == action)
    }

    /// Whether an update acknowledges: by its actions, or without any by the state of the problem.
    fn is_acknowledgement(&self, body: &Object<'_, '_>) -> Result<bool, SourceError> {
        if self.actions.is_some() {
            return Ok(self.has("acknowledged"));
        }
        let word = body.first(&["acknowledged", "eventack"])?;
        let is_acknowledged = word.is_some_and(|word| word.eq_ignore_ascii_case("yes") || word == "1");
        Ok(self.is_one == Some(true) && is_acknowledged)
    }
}

/// By the first that Zabbix has itself, else by a word that all tools have; `None` for other names.
fn severity(body: &Object<'_, '_>) -> Result<Option<Severity>, SourceError> {
    body.needed(&SEVERITY, SEVERITIES)?;
    let words = severities(body)?;
    let of_zabbix = words.iter().find_map(|word| of_zabbix(word));
    Ok(of_zabbix.or_else(|| words.iter().find_map(|word| severity::of_word(word))))
}

/// Keeps the name of a severity that is not one of Zabbix.
fn add_severity_name(
    event: &mut SourceEvent,
    body: &Object<'_, '_>,
    is_known: bool,
) -> Result<(), SourceError> {
    let mut words = severities(body)?.into_iter();
    let name = words.find(|word| of_zabbix(word).is_none());
    if let (false, Some(name)) = (is_known, &name) {
        event.warnings.push(format!(
            "{} is no severity that is known, so it counts as {MIDDLE}; {SEVERITIES}",
            json::shortened(name)
        ));
    }
    event.add_label("severity_name", name);
    Ok(())
}

fn severities(body: &Object<'_, '_>) -> Result<Vec<String>, SourceError> {
    let words = SEVERITY.iter().map(|name| body.set(name));
    Ok(words
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect())
}

fn of_zabbix(word: &str) -> Option<Severity> {
    match word.to_ascii_lowercase().as_str() {
        "0" | "not classified" => Some(Severity::Unknown),
        "1" | "information" => Some(Severity::Information),
        "2" | "3" | "warning" | "average" => Some(Severity::Warning),
        "4" | "high" => Some(Severity::Critical),
        "5" | "disaster" => Some(Severity::Urgent),
        _ => None,
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

/// Tags come as `name:value, …`, as a list of `{"tag": …, "value": …}`, as an object that has a list of values for each
/// tag, or as a text that holds one of the last two.
fn add_tags(event: &mut SourceEvent, body: &Object<'_, '_>) {
    let name = if body.get("event_tags").is_some() {
        "event_tags"
    } else {
        "eventtags"
    };
    let Some(tags) = body.get(name) else { return };
    let text = body.embedded(name).unwrap_or_default();
    let node = json::within(&text, tags.place).unwrap_or(tags);
    if let Ok(tags) = node.object() {
        add_tags_by_name(event, &tags);
    } else if node.is_list() {
        add_tags_of_list(event, node);
    } else {
        event.add_tags(&body.flat(name).unwrap_or_default());
    }
}

fn add_tags_by_name(event: &mut SourceEvent, tags: &Object<'_, '_>) {
    for (name, values) in tags.each_listed() {
        values.iter().for_each(|value| event.add_named_tag(name, value));
    }
}

/// What is no such object in it is a tag as it stands.
fn add_tags_of_list(event: &mut SourceEvent, list: Node<'_, '_>) {
    for (index, item) in list.list().unwrap_or_default().into_iter().enumerate() {
        let item = Node::new(item, Place::Item(&list.place, index));
        match item.object() {
            Ok(tag) => {
                let of = |name| tag.flat(name).unwrap_or_default();
                event.add_named_tag(&of("tag"), &of("value"));
            }
            Err(_) => event.add_tag(&item.for_people()),
        }
    }
}
