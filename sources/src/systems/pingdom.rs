//! Pingdom: the webhook of its checks of uptime and of transactions.
//!
//! Identity: the id of the check.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "pingdom",
    title: "Pingdom webhook",
    documentation: "docs/sources/pingdom.md",
    methods: POST,
    parse,
};

const STATES: &str = "send DOWN or UP, or FAILING or SUCCESS of a transaction, as Pingdom does";

/// Parses one change of a check.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    Ok(event(&body)?.into())
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let state = body.needed(&["current_state"], STATES)?;
    let status = match state.to_ascii_uppercase().as_str() {
        "DOWN" | "FAILING" | "FAILURE" => EventStatus::Firing,
        "UP" | "SUCCESS" => EventStatus::Resolved,
        _ => return Err(body.refuse(&["current_state"], &state, STATES)),
    };
    let importance = body.text("importance_level")?;
    let severity = match importance.as_deref() {
        Some(level) if level.eq_ignore_ascii_case("low") => Severity::Warning,
        _ => Severity::Critical,
    };
    let id = body.needed(&["check_id"], "send the body of Pingdom's webhook as it is")?;
    let mut event = SourceEvent::new(["check", &id], status, severity);
    event.name = body.text("check_name")?.unwrap_or_else(|| format!("check {id}"));
    event.source = "pingdom".to_owned();
    event.output = body
        .first(&["long_description", "description", "custom_message"])?
        .unwrap_or_default();
    event.add_label("check_type", body.text("check_type")?);
    event.add_label("importance_level", importance);
    event.add_label("message", body.text("custom_message")?);
    event.add_tags_of(body, "tags");
    if let Some(parameters) = body.member("check_params") {
        event.add_label("host", parameters.text("hostname")?);
        event.add_link("Checked page", parameters.text("full_url")?.unwrap_or_default());
    }
    if let Some(probe) = body.member("first_probe") {
        event.add_label("probe", probe.text("location")?);
    }
    event.ask_by_labels();
    event.ask_by_name();
    event.add_link(
        "Pingdom URL",
        format!("https://my.pingdom.com/reports/uptime#check={id}"),
    );
    event.object = id;
    event.occurred_at = body.moment("state_changed_timestamp", &mut event.warnings)?;
    Ok(event)
}
