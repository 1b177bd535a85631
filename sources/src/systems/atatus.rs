//! Atatus: its webhook.
//!
//! Identity: the id of the incident; without one, rule and target.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "atatus",
    title: "Atatus webhook",
    documentation: "docs/sources/atatus.md",
    methods: POST,
    parse,
};

const STATES: &str = "send Opened, Acknowledged or Closed, as Atatus does";

/// Parses one incident.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    Ok(event(&body)?.into())
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let word = body.needed(&["status"], STATES)?;
    let status = match word.to_ascii_lowercase().as_str() {
        "opened" | "open" => EventStatus::Firing,
        "acknowledged" => EventStatus::Acknowledged,
        "closed" => EventStatus::Resolved,
        _ => return Err(body.refuse(&["status"], &word, STATES)),
    };
    let severity = match body.text("severity")? {
        None => Severity::Critical,
        Some(word) => severity::of_word(&word).unwrap_or(Severity::Unknown),
    };
    let rule = body.needed(&["rule_id", "rule_name"], "send the body of Atatus as it is")?;
    let target = body.text("target_name")?;
    let mut event = match body.text("incident_id")? {
        Some(id) => SourceEvent::new(["incident", &id], status, severity),
        None => SourceEvent::new(
            ["rule", &rule, target.as_deref().unwrap_or_default()],
            status,
            severity,
        ),
    };
    event.object = format!("AlertID:{rule}");
    event.name = body.text("rule_name")?.unwrap_or(rule);
    event.source = body.text("product")?.unwrap_or_else(|| "atatus".to_owned());
    event.service = target;
    event.output = body
        .text("description")?
        .map(|text| format!("Details: {text}"))
        .unwrap_or_default();
    event.add_label("policy", body.text("alert_policy_name")?);
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", body.flat("acknowledged_user"));
    }
    event.add_link("Incident URL", body.text("incident_url")?.unwrap_or_default());
    event.add_link("Alert URL", body.text("alert_url")?.unwrap_or_default());
    event.occurred_at = body.moment("timestamp", &mut event.warnings)?;
    Ok(event)
}
