//! Anodot: its webhook, with all the alerts of an anomaly.
//!
//! Identity: the id of the alert.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::address::host_and_port;
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "anodot",
    title: "Anodot webhook",
    documentation: "docs/sources/anodot.md",
    methods: POST,
    parse,
};

const STATES: &str = "send OPEN or CLOSED, as Anodot does";

/// Parses one anomaly.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    let place = Place::Member(&body.place, "alerts");
    let alerts = body
        .required("alerts", "send the body of Anodot's webhook as it is")?
        .list()?;
    let mut events = Vec::with_capacity(alerts.len());
    for (index, raw) in alerts.into_iter().enumerate() {
        let alert = Node::new(raw, Place::Item(&place, index)).object()?;
        events.push(event(&body, &alert)?);
    }
    Ok(events.into())
}

fn event(body: &Object<'_, '_>, alert: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let status = status(alert)?;
    let severity = match body.text("severity")? {
        None => Severity::Critical,
        Some(word) => severity::of_word(&word).unwrap_or(Severity::Unknown),
    };
    let id = alert.needed(&["alertId"], "send every alert with its alertId")?;
    let mut event = SourceEvent::new(["alert", &id], status, severity);
    event.name = match alert.text("title")? {
        Some(title) => title,
        None => body.text("subject")?.unwrap_or_else(|| format!("alert {id}")),
    };
    event.object = format!("AlertID:{id}");
    let settings = alert.text("alertSettingsUrl")?.unwrap_or_default();
    event.source = host_and_port(&settings).unwrap_or_else(|| "anodot".to_owned());
    let description = alert.text("description")?;
    event.output = match &description {
        Some(text) => text.clone(),
        None => body.text("description")?.unwrap_or_default(),
    };
    event.add_label("Description", description);
    event.add_label("anomaly", body.text("anomalyId")?);
    event.add_label("time_scale", body.text("timeScale")?);
    event.ask_by_name();
    event.add_link("Alert Settings", settings);
    event.add_link(
        "Investigation Url",
        body.text("investigationUrl")?.unwrap_or_default(),
    );
    if status == EventStatus::Firing {
        event.occurred_at = body.moment("startTimeEpoch", &mut event.warnings)?;
    }
    Ok(event)
}

/// An alert is open while any of its metrics is.
fn status(alert: &Object<'_, '_>) -> Result<EventStatus, SourceError> {
    let metrics = alert.required("metrics", STATES)?;
    let place = metrics.place;
    let mut status = None;
    for (index, raw) in metrics.list()?.into_iter().enumerate() {
        let metric = Node::new(raw, Place::Item(&place, index)).object()?;
        let word = metric.needed(&["state"], STATES)?;
        let of_metric = match word.to_ascii_uppercase().as_str() {
            "OPEN" => EventStatus::Firing,
            "CLOSED" => EventStatus::Resolved,
            _ => return Err(metric.refuse(&["state"], &word, STATES)),
        };
        if status != Some(EventStatus::Firing) {
            status = Some(of_metric);
        }
    }
    status.ok_or_else(|| place.invalid("is empty", STATES))
}
