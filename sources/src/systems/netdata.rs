//! Netdata Cloud: its webhook about alerts, and about nodes that cannot be reached, distinguished by their fields.
//!
//! Identity: space, node, chart and name of the alert; of a node that cannot be reached, the node.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::address::host_and_port;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "netdata",
    title: "Netdata Cloud webhook",
    documentation: "docs/sources/netdata.md",
    methods: POST,
    parse,
};

const AS_IT_IS: &str = "send the body of Netdata Cloud's webhook as it is";
const STATES: &str = "send warning, critical or clear, as Netdata Cloud does";
const REACHABLE: &str = "send true or false, as Netdata Cloud does";

/// Parses one notification.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    let is_alert = body.get("alert").is_some();
    if !is_alert && body.get("status").is_some() {
        return Ok(reachability(&body)?.into());
    }
    match body.set("token")?.filter(|_| !is_alert) {
        Some(token) => Ok(ParsedBody::nothing(format!(
            "Netdata Cloud tests the webhook; enter the token {token} there"
        ))),
        None => Ok(alert(&body)?.into()),
    }
}

fn alert(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let name = body.needed(&["alert"], AS_IT_IS)?;
    let word = body.needed(&["severity"], STATES)?;
    let (status, severity) = match word.to_ascii_lowercase().as_str() {
        "warning" => (EventStatus::Firing, Severity::Warning),
        "critical" => (EventStatus::Firing, Severity::Critical),
        "clear" => (EventStatus::Resolved, Severity::Ok),
        _ => return Err(body.refuse(&["severity"], &word, STATES)),
    };
    let space = body.text("space")?.unwrap_or_default();
    let chart = body.text("chart")?.unwrap_or_default();
    let message = body.text("message")?.unwrap_or_default();
    let node = body.first(&["host", "node"])?.or_else(|| node_of(&message));
    let identity = [
        "alert",
        &space,
        node.as_deref().unwrap_or_default(),
        &chart,
        &name,
    ];
    let mut event = SourceEvent::new(identity, status, severity);
    event.object = node.unwrap_or_else(|| chart.clone());
    event.output = match body.text("info")? {
        Some(info) if message.is_empty() => info,
        Some(info) => format!("{message}\n{info}"),
        None => message,
    };
    event.service = body.text("family")?;
    for label in ["context", "family", "class"] {
        event.add_label(label, body.text(label)?);
    }
    event.add_label("chart", Some(chart));
    event.add_label("space", Some(space));
    event.add_label("rooms", rooms(body)?);
    let address = body.text("alert_url")?.unwrap_or_default();
    event.source = host_and_port(&address).unwrap_or_else(|| "netdata".to_owned());
    event.add_link("Netdata", address);
    event.occurred_at = body.time("date", &mut event.warnings)?;
    event.name = name;
    Ok(event)
}

/// Messages begin with the node, in every state of the alert: `web-7 disk space usage is critical`. There is no
/// field for it.
fn node_of(message: &str) -> Option<String> {
    let first = message.split_whitespace().next()?.trim_end_matches([':', ',']);
    let changes = ["warning", "critical", "clear", "cleared", "recovered"];
    let is_state = changes.iter().any(|word| first.eq_ignore_ascii_case(word));
    (!is_state).then(|| first.to_owned())
}

/// The names of the rooms, as one text.
fn rooms(body: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
    let Some(rooms) = body.member("Rooms") else {
        return Ok(None);
    };
    let mut names = Vec::new();
    for name in rooms.names() {
        let named = match rooms.member(name) {
            Some(room) => room.text("name")?,
            None => None,
        };
        names.push(named.unwrap_or_else(|| name.to_owned()));
    }
    Ok(Some(names.join(", ")))
}

fn reachability(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let state = body.required("status", AS_IT_IS)?.object()?;
    let word = state.needed(&["reachable", "text"], REACHABLE)?;
    let status = match word.to_ascii_lowercase().as_str() {
        "false" | "unreachable" => EventStatus::Firing,
        "true" | "reachable" => EventStatus::Resolved,
        _ => return Err(state.refuse(&["reachable", "text"], &word, REACHABLE)),
    };
    let host = body.needed(&["host"], AS_IT_IS)?;
    let mut event = SourceEvent::new(["host", &host], status, Severity::Critical);
    event.object = host;
    event.name = "Node unreachable".to_owned();
    event.output = body.text("message")?.unwrap_or_default();
    let address = body.text("url")?.unwrap_or_default();
    event.source = host_and_port(&address).unwrap_or_else(|| "netdata".to_owned());
    event.add_link("Netdata", address);
    Ok(event)
}
