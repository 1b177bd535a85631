//! GoAlert: its generic API, as JSON or a form, with fields in the query too.
//!
//! Identity: `dedup`; without one the summary and details, as in GoAlert, without the words of a
//! state.

use std::collections::BTreeMap;

use http::HeaderMap;
use schemas::EventStatus;

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json;
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::{state_words, test_alerts};

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "goalert",
    title: "GoAlert generic API",
    documentation: "docs/sources/goalert.md",
    methods: POST,
    parse,
};

const SUMMARY: &str = "send a summary, or the dedup of what is to be closed";

/// Parses one alert that is all in the body.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    parse_with_query(&BTreeMap::new(), body)
}

/// Parses one alert of which some is in the query; what is in the body counts more.
pub fn parse_with_query(query: &BTreeMap<String, String>, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = match body.trim_ascii() {
        b"" => b"{}".as_slice(),
        body => body,
    };
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    let field = |name: &str| -> Result<Option<String>, SourceError> {
        let beside = || query.get(name).filter(|text| !text.is_empty()).cloned();
        Ok(body.text(name)?.or_else(beside))
    };
    let (summary, details, dedup) = (field("summary")?, field("details")?, field("dedup")?);
    let status = match field("action")?.as_deref() {
        Some("close") => EventStatus::Resolved,
        _ => EventStatus::Firing,
    };
    let name = match (&summary, &dedup) {
        (Some(summary), _) => summary.clone(),
        (None, Some(dedup)) if status == EventStatus::Resolved => dedup.clone(),
        _ => body.needed(&["summary"], SUMMARY)?,
    };
    let details = details.unwrap_or_default();
    let line = state_words::state_of_line(&name, Some(status));
    let about_details = state_words::without_states(&details, Some(status));
    let identity = match &dedup {
        Some(dedup) => vec!["dedup", dedup],
        None => vec!["text", line.about_or(&name), &about_details],
    };
    let mut event = SourceEvent::new(identity, status, line.severity_of_alarm());
    if let Some(word) = field("severity")? {
        event.add_label("severity", Some(word));
        event.ask_severity_by_label();
    }
    if dedup.is_none() {
        event.warn_of_end(line.about_or(&name));
    }
    event.is_test = dedup.is_none() && details.is_empty() && test_alerts::is_of_kuma(&name);
    event.object = dedup.clone().unwrap_or_else(|| name.clone());
    event.output = if details.is_empty() { name.clone() } else { details };
    event.name = name;
    event.add_label("dedup", dedup);
    if body.get("meta").is_some_and(|meta| meta.is_object()) {
        event.labels.extend(body.texts("meta")?);
    }
    event.ask_by_labels();
    Ok(ParsedBody::from(event).with_warning(repaired.warning))
}

/// The key, where it is in the body.
pub fn token(body: &[u8]) -> Option<String> {
    let repaired = lenient::body(body);
    json::body(&repaired.body)
        .ok()?
        .object()
        .ok()?
        .text("token")
        .ok()?
}
