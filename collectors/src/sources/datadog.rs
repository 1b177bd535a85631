//! Datadog: the body of its webhook integration, which its user writes; Harp's template and ours are understood.
//!
//! Identity: `aggreg_key`, `alert_cycle_key` or `alert_id`, whichever comes first, and the scope of the alert.

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json::{self, Object};
use super::{SourceError, SourceEvent, Understood, lenient, severity};

const TRANSITION: [&str; 3] = ["alert_transition", "alertTransition", "transition"];
const KEYS: [&str; 4] = ["aggreg_key", "alert_cycle_key", "alert_id", "alertId"];
const TRANSITIONS: &str = "put \"alert_transition\": \"$ALERT_TRANSITION\" into the payload of the webhook; it is Triggered, \
                           Re-Triggered, Warn, Re-Warn, No Data, Re-No Data, Renotify or Recovered";

/// Reads one event of a monitor.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let mended = lenient::body(body);
    let body = json::body(&mended.body)?.object()?;
    Ok(Understood::from(event(&body)?).with_remark(mended.remark))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let (status, severity) = state(body)?;
    let key = body.needed(
        &KEYS,
        "put \"alert_id\": \"$ALERT_ID\" into the payload of the webhook",
    )?;
    let scope = body.first(&["alert_scope", "alertScope"])?.unwrap_or_default();
    let title = body.first(&["alert_title", "title", "event_title"])?;
    let mut event = SourceEvent::new(["alert", &key, &scope], status, severity);
    event.name = without_state(&title.unwrap_or_else(|| format!("monitor {key}"))).to_owned();
    let host = body.first(&["hostname", "host"])?;
    event.object = match (&host, scope.as_str()) {
        (Some(host), _) => host.clone(),
        (None, "") => event.name.clone(),
        (None, scope) => scope.to_owned(),
    };
    let organisation = body.get("org").and_then(|org| org.object().ok());
    let organisation = match organisation {
        Some(organisation) => organisation.set("name")?,
        None => body.first(&["org_name", "orgName"])?,
    };
    event.source = organisation.unwrap_or_else(|| "datadog".to_owned());
    event.output = body
        .first(&["body", "text_only_msg", "event_msg", "eventMessage"])?
        .unwrap_or_default();
    event.add_label("host", host);
    event.add_label("scope", Some(scope));
    event.add_label("query", body.first(&["alert_query", "alertQuery"])?);
    event.add_label("metric", body.first(&["alert_metric"])?);
    event.add_label("event_type", body.first(&["event_type", "eventType"])?);
    event.add_label("priority", body.first(&["alert_priority", "priority"])?);
    event.add_tags(&body.flat("tags").unwrap_or_default());
    event.service = event.labels.get("service").cloned();
    event.ask_by_labels();
    event.add_link("Datadog", body.first(&["url", "link"])?.unwrap_or_default());
    event.add_link("Snapshot", body.first(&["snapshot"])?.unwrap_or_default());
    let changed = if body.set("last_updated")?.is_some() {
        "last_updated"
    } else {
        "lastUpdated"
    };
    event.occurred_at = body.moment(changed, &mut event.remarks)?;
    Ok(event)
}

fn state(body: &Object<'_, '_>) -> Result<(EventStatus, Severity), SourceError> {
    let word = body.needed(&TRANSITION, TRANSITIONS)?;
    let firing = |severity| Ok((EventStatus::Firing, severity));
    match word.to_ascii_lowercase().as_str() {
        "recovered" => Ok((EventStatus::Resolved, Severity::Ok)),
        "warn" | "re-warn" => firing(Severity::Warning),
        "no data" | "re-no data" => firing(Severity::Unknown),
        "triggered" | "re-triggered" | "renotify" => firing(severity(body)?),
        _ => Err(body.refuse(&TRANSITION, &word, TRANSITIONS)),
    }
}

/// By the priority of the monitor, else by the type of the alert.
fn severity(body: &Object<'_, '_>) -> Result<Severity, SourceError> {
    let words = [
        body.first(&["alert_priority"])?,
        body.first(&["alert_type"])?,
        body.first(&["priority"])?,
    ];
    let known = words.iter().flatten().find_map(|word| severity::of_word(word));
    Ok(known.unwrap_or(Severity::Critical))
}

/// The name of a monitor stands behind its state: `[Triggered on {host:pay-3}] 5xx`. The state changes.
fn without_state(title: &str) -> &str {
    let states = [
        "[triggered",
        "[re-triggered",
        "[recovered",
        "[warn",
        "[re-warn",
        "[no data",
        "[re-no data",
        "[renotify",
    ];
    let lower = title.to_ascii_lowercase();
    // A priority, as in `[P2] [Triggered] 5xx`, may come first.
    let start = match lower.find("] ") {
        Some(end) if lower.starts_with("[p") => end + 2,
        _ => 0,
    };
    if !states.iter().any(|state| lower[start..].starts_with(state)) {
        return title;
    }
    match title[start..].split_once("] ") {
        Some((_, name)) if !name.trim().is_empty() => name.trim(),
        _ => title,
    }
}
