//! Datadog: the body of its webhook integration, which its user writes; the templates of Harp and of the
//! documentation here, and Datadog's own.
//!
//! Identity: `aggreg_key`, `alert_cycle_key` or `alert_id`, whichever comes first, and the scope of the alert. Datadog's own
//! body has none of them: name and scope in its title.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "datadog",
    title: "Datadog webhook",
    documentation: "docs/sources/datadog.md",
    methods: POST,
    parse,
};

const TRANSITION: [&str; 3] = ["alert_transition", "alertTransition", "transition"];
const KEYS: [&str; 4] = ["aggreg_key", "alert_cycle_key", "alert_id", "alertId"];
const TITLE: [&str; 3] = ["alert_title", "title", "event_title"];
/// The prefix of the titles of test notifications.
const TEST: &str = "[TEST] ";
const BY_TITLE: &str = "the body says by its title alone which alert it is of, so it is another one when the title changes; put \
                        \"alert_id\": \"$ALERT_ID\" and \"alert_transition\": \"$ALERT_TRANSITION\" into the payload of the \
                        webhook";
const TRANSITIONS: &str = "put \"alert_transition\": \"$ALERT_TRANSITION\" into the payload of the webhook; it is Triggered, \
                           Re-Triggered, Warn, Re-Warn, No Data, Re-No Data, Renotify or Recovered";

/// Parses one event of a monitor.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    Ok(ParsedBody::from(event(&body)?).with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let title = body.first(&TITLE)?.unwrap_or_default();
    let behind_test = title.strip_prefix(TEST);
    let (mut event, scope) = identified(body, &Titled::of(behind_test.unwrap_or(&title)))?;
    event.is_test = behind_test.is_some();
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
    event.add_tags_of(body, "tags");
    event.service = event.labels.get("service").cloned();
    event.ask_by_labels();
    event.add_link("Datadog", body.first(&["url", "link"])?.unwrap_or_default());
    event.add_link("Snapshot", body.first(&["snapshot"])?.unwrap_or_default());
    let changed = if body.set("last_updated")?.is_some() {
        "last_updated"
    } else {
        "lastUpdated"
    };
    event.occurred_at = body.moment(changed, &mut event.warnings)?;
    Ok(event)
}

/// The alert with its identity and its name, and the scope of it.
fn identified(body: &Object<'_, '_>, titled: &Titled<'_>) -> Result<(SourceEvent, String), SourceError> {
    let (status, severity) = state(body, titled)?;
    let is_told_by_title = titled.state.is_some() && is_silent(body, &TRANSITION) && is_silent(body, &KEYS);
    let scope = body.first(&["alert_scope", "alertScope"])?;
    if is_told_by_title {
        let scope = scope.unwrap_or_else(|| titled.scope.to_owned());
        let mut event = SourceEvent::new(["title", titled.name, &scope], status, severity);
        event.name = titled.name.to_owned();
        event.warnings.push(BY_TITLE.to_owned());
        return Ok((event, scope));
    }
    let key = body.needed(
        &KEYS,
        "put \"alert_id\": \"$ALERT_ID\" into the payload of the webhook",
    )?;
    let scope = scope.unwrap_or_default();
    let mut event = SourceEvent::new(["alert", &key, &scope], status, severity);
    event.name = match titled.name {
        "" => format!("monitor {key}"),
        name => name.to_owned(),
    };
    Ok((event, scope))
}

/// Whether a body has none of these fields, not even unset.
fn is_silent(body: &Object<'_, '_>, names: &[&str]) -> bool {
    names.iter().all(|name| body.get(name).is_none())
}

fn state(body: &Object<'_, '_>, titled: &Titled<'_>) -> Result<(EventStatus, Severity), SourceError> {
    let word = match titled.state {
        Some(state) if is_silent(body, &TRANSITION) => state.to_owned(),
        _ => body.needed(&TRANSITION, TRANSITIONS)?,
    };
    let firing = |severity| Ok((EventStatus::Firing, severity));
    match word.to_ascii_lowercase().as_str() {
        "recovered" => Ok((EventStatus::Resolved, Severity::Ok)),
        "warn" | "re-warn" => firing(Severity::Warning),
        "no data" | "re-no data" => firing(Severity::Unknown),
        // It repeats the last state, which may have been a warning.
        "renotify" if is_warning(body)? => firing(Severity::Warning),
        "triggered" | "re-triggered" | "renotify" => firing(severity(body)?),
        _ => Err(body.refuse(&TRANSITION, &word, TRANSITIONS)),
    }
}

fn is_warning(body: &Object<'_, '_>) -> Result<bool, SourceError> {
    let kind = body.first(&["alert_type"])?;
    Ok(kind.is_some_and(|kind| kind.eq_ignore_ascii_case("warning")))
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

/// A title, `[P2] [Triggered on {host:pay-3}] 5xx`: the name of a monitor follows its priority and its state, which
/// changes.
#[derive(Debug, Default, PartialEq)]
struct Titled<'t> {
    state: Option<&'t str>,
    scope: &'t str,
    name: &'t str,
}

impl<'t> Titled<'t> {
    const STATES: [&'static str; 8] = [
        "triggered",
        "re-triggered",
        "recovered",
        "warn",
        "re-warn",
        "no data",
        "re-no data",
        "renotify",
    ];

    fn of(title: &'t str) -> Self {
        let behind_priority = match title.split_once("] ") {
            Some((priority, rest)) if priority.starts_with("[P") || priority.starts_with("[p") => rest,
            _ => title,
        };
        Self::headed(behind_priority).unwrap_or(Self {
            name: title,
            ..Self::default()
        })
    }

    fn headed(title: &'t str) -> Option<Self> {
        let (head, name) = title.strip_prefix('[')?.split_once("] ")?;
        let (state, scope) = head.split_once(" on ").unwrap_or((head, ""));
        let is_state = Self::STATES.iter().any(|known| state.eq_ignore_ascii_case(known));
        let name = name.trim();
        (is_state && !name.is_empty()).then(|| Self {
            state: Some(state),
            scope: scope.trim_matches(['{', '}']),
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_comes_apart_into_state_scope_and_name() {
        for (title, state, scope, name) in [
            (
                "[P2] [Triggered on {host:pay-3}] [pay] 5xx",
                Some("Triggered"),
                "host:pay-3",
                "[pay] 5xx",
            ),
            ("[Re-No Data] 5xx", Some("Re-No Data"), "", "5xx"),
            ("[pay] 5xx", None, "", "[pay] 5xx"),
            ("[P2] 5xx", None, "", "[P2] 5xx"),
            ("[Triggered] ", None, "", "[Triggered] "),
            ("", None, "", ""),
        ] {
            assert_eq!(Titled::of(title), Titled { state, scope, name });
        }
    }
}
