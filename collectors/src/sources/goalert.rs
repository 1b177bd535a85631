//! GoAlert: its generic API, as JSON or a form, with fields in the query too.
//!
//! Identity: `dedup`; what has none is known by its summary and details, as in GoAlert, without the words that say how things
//! stand.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json;
use super::{SourceError, SourceEvent, Understood, lenient, state_words, test_alerts};

const SUMMARY: &str = "send a summary, or the dedup of what is to be closed";

/// Reads one alert that is all in the body.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    read_beside(&BTreeMap::new(), body)
}

/// Reads one alert of which some is in the query; what is in the body counts more.
pub(crate) fn read_beside(query: &BTreeMap<String, String>, body: &[u8]) -> Result<Understood, SourceError> {
    let body = match body.trim_ascii() {
        b"" => b"{}".as_slice(),
        body => body,
    };
    let mended = lenient::body(body);
    let body = json::body(&mended.body)?.object()?;
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
    let told = state_words::told(&name, Some(status));
    let about_details = state_words::without_states(&details, Some(status));
    let identity = match &dedup {
        Some(dedup) => vec!["dedup", dedup],
        None => vec!["text", told.about_or(&name), &about_details],
    };
    let mut event = SourceEvent::new(identity, status, Severity::Critical);
    if let Some(word) = field("severity")? {
        event.add_label("severity", Some(word));
        event.ask_severity_by_label();
    }
    if dedup.is_none() {
        event.remark_end(told.about_or(&name));
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
    Ok(Understood::from(event).with_remark(mended.remark))
}

/// The key, where it is in the body.
pub(crate) fn token(body: &[u8]) -> Option<String> {
    let mended = lenient::body(body);
    json::body(&mended.body).ok()?.object().ok()?.text("token").ok()?
}
