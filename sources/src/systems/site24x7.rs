//! Site24x7: its webhook, as JSON, as a form or as the query of a GET.
//!
//! Identity: the id of the monitor, else its name.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST_PUT_AND_GET, Source};

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "site24x7",
    title: "Site24x7 webhook",
    documentation: "docs/sources/site24x7.md",
    methods: POST_PUT_AND_GET,
    parse,
};

const STATES: &str = "send DOWN, TROUBLE, CRITICAL or UP, as Site24x7 does";

/// Parses one change of a monitor.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    let parsed = match state(&body)? {
        Some((status, severity)) => event(&body, status, severity)?.into(),
        None => ParsedBody::nothing(
            "a monitor that is suspended or in maintenance is neither down nor up, so nothing was done",
        ),
    };
    Ok(parsed.with_warning(repaired.warning))
}

fn state(body: &Object<'_, '_>) -> Result<Option<(EventStatus, Severity)>, SourceError> {
    let word = body.needed(&["STATUS"], STATES)?;
    let state = match word.to_ascii_uppercase().as_str() {
        "DOWN" => (EventStatus::Firing, Severity::Down),
        "CRITICAL" => (EventStatus::Firing, Severity::Critical),
        "TROUBLE" => (EventStatus::Firing, Severity::Warning),
        "UP" => (EventStatus::Resolved, Severity::Ok),
        "SUSPENDED" | "MAINTENANCE" => return Ok(None),
        _ => return Err(body.refuse(&["STATUS"], &word, STATES)),
    };
    Ok(Some(state))
}

fn event(body: &Object<'_, '_>, status: EventStatus, severity: Severity) -> Result<SourceEvent, SourceError> {
    let name = body.set("MONITORNAME")?;
    let id = match body.set("MONITOR_ID")? {
        Some(id) => id,
        None => body.needed(&["MONITORNAME"], "send MONITOR_ID with $MONITOR_ID")?,
    };
    let mut event = SourceEvent::new(["monitor", &id], status, severity);
    event.name = name.unwrap_or_else(|| format!("monitor {id}"));
    let page = body.set("MONITORURL")?;
    event.object = page.clone().unwrap_or_else(|| event.name.clone());
    event.source = "site24x7".to_owned();
    event.service = body.flat("MONITOR_GROUPNAME");
    event.output = body.first(&["INCIDENT_REASON", "REASON"])?.unwrap_or_default();
    event.add_label("type", body.set("MONITORTYPE")?);
    event.add_label("locations", body.flat("FAILED_LOCATIONS"));
    event.add_tags_of(body, "TAGS");
    event.ask_by_labels();
    event.add_link("Monitored page", page.unwrap_or_default());
    event.add_link("Monitor", body.set("MONITOR_DASHBOARD_LINK")?.unwrap_or_default());
    event.add_link("Cause", body.set("RCA_LINK")?.unwrap_or_default());
    event.occurred_at = body.time("INCIDENT_TIME_ISO", &mut event.warnings)?;
    if event.occurred_at.is_none() && status != EventStatus::Resolved {
        event.occurred_at = body.moment("OUTAGE_TIME_UNIX_FORMAT", &mut event.warnings)?;
    }
    Ok(event)
}
