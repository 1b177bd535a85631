//! Healthchecks: its webhook, whose body and address its user writes: those that the documentation here gives, as JSON, as a
//! form and as the query of a GET.
//!
//! Identity: the code of the check.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST_PUT_AND_GET, Source};

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "healthchecks",
    title: "Healthchecks webhook",
    documentation: "docs/sources/healthchecks.md",
    methods: POST_PUT_AND_GET,
    parse,
};

const STATES: &str = "put \"status\": \"$STATUS\" into the body of the webhook; it is down or up";
const CODES: &str = "put \"code\": \"$CODE\" into the body of the webhook";

/// Parses one change of a check.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    Ok(ParsedBody::from(event(&body)?).with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let state = body.needed(&["status"], STATES)?;
    let status = match state.to_ascii_lowercase().as_str() {
        "down" => EventStatus::Firing,
        "up" => EventStatus::Resolved,
        _ => return Err(body.refuse(&["status"], &state, STATES)),
    };
    let code = body.needed(&["code", "uuid"], CODES)?;
    let mut event = SourceEvent::new(["check", &code], status, Severity::Critical);
    let slug = body.set("slug")?;
    event.name = body
        .set("name")?
        .or(slug.clone())
        .unwrap_or_else(|| format!("check {code}"));
    event.object = slug.unwrap_or_else(|| event.name.clone());
    event.source = "healthchecks".to_owned();
    event.output = body
        .first(&["last_body", "desc"])?
        .unwrap_or_else(|| format!("{} is {state}", event.name));
    event.add_label("exit_status", body.set("exit_status")?);
    // Healthchecks has spaces between its tags.
    event.add_tags(&body.flat("tags").unwrap_or_default().replace(' ', ","));
    event.service = event.labels.get("service").cloned();
    event.ask_severity_by_label();
    event.ask_by_labels();
    event.occurred_at = body.time("now", &mut event.warnings)?;
    Ok(event)
}
