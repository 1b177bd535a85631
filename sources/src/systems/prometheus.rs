//! Prometheus Alertmanager: the body of its webhook, version 4 (and 3, whose fields that count are the same), and what
//! Prometheus itself sends to an Alertmanager.

use std::collections::BTreeMap;

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::address::host_and_port;
use crate::text::severity;

mod posted;

pub use posted::parse_posted;

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "prometheus",
    title: "Prometheus Alertmanager webhook, version 4",
    documentation: "docs/sources/prometheus.md",
    methods: POST,
    parse,
};

/// The labels that can name the object; the first that exists does.
const OBJECT_LABELS: [&str; 5] = ["instance", "host", "hostname", "node", "pod"];
/// The annotations that can be the text; the first that exists is.
const OUTPUT_ANNOTATIONS: [&str; 3] = ["description", "message", "summary"];
/// The alert that always fires, to show that the path works.
const WATCHDOG: &str = "Watchdog";
/// What an alert without labels lacks.
const LABELS: &str = "every alert of Alertmanager has labels";
const UNNAMED: &str = "alert without alertname";

/// Parses the body of one notification: all the alerts of a group.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    let status = body.text("status")?;
    let server = body.text("externalURL")?.as_deref().and_then(host_and_port);
    let place = Place::Member(&body.place, "alerts");
    let alerts = body
        .required(
            "alerts",
            "send the body of Alertmanager's webhook_config as it is",
        )?
        .list()?;
    let mut events = Vec::with_capacity(alerts.len());
    for (index, raw) in alerts.into_iter().enumerate() {
        let alert = Node::new(raw, Place::Item(&place, index)).object()?;
        events.push(event(&alert, status.as_deref(), server.as_deref())?);
    }
    let left_out = body.text("truncatedAlerts")?.filter(|count| count != "0");
    if let (Some(count), Some(event)) = (left_out, events.first_mut()) {
        let warning =
            format!("Alertmanager left out {count} alerts; set max_alerts to 0 in its webhook_config");
        event.warnings.push(warning);
    }
    Ok(events.into())
}

/// One alert; Grafana's are the same.
pub(super) fn event(
    alert: &Object<'_, '_>,
    of_body: Option<&str>,
    server: Option<&str>,
) -> Result<SourceEvent, SourceError> {
    let status = status(alert, of_body)?;
    let mut warnings = Vec::new();
    let occurred_at = match status {
        EventStatus::Resolved => alert.time("endsAt", &mut warnings)?,
        _ => alert.time("startsAt", &mut warnings)?,
    };
    let event = of_status(alert, status, server)?;
    Ok(SourceEvent {
        occurred_at,
        warnings,
        ..event
    })
}

/// One alert without its times.
fn of_status(
    alert: &Object<'_, '_>,
    status: EventStatus,
    server: Option<&str>,
) -> Result<SourceEvent, SourceError> {
    alert.required("labels", LABELS)?;
    let mut labels = alert.texts("labels")?;
    // An empty label counts as absent, as in Prometheus itself, so it is no part of the identity.
    labels.retain(|_, value| !value.is_empty());
    let annotations = alert.texts("annotations")?;
    let generator = alert.text("generatorURL")?.unwrap_or_default();
    let fingerprint = alert.text("fingerprint")?;
    let identity = identity(fingerprint.as_deref(), &labels);
    let object = object(fingerprint.as_deref(), &identity, &labels);
    let name = labels.remove("alertname").unwrap_or_else(|| UNNAMED.to_owned());
    let label = |name: &str| labels.get(name).cloned();
    let mut event = SourceEvent {
        identity,
        status,
        acknowledged: false,
        began_at: None,
        opens_as: None,
        severity: match status {
            EventStatus::Resolved => Severity::Ok,
            _ => severity(labels.get("severity").map(String::as_str), &name),
        },
        source: host_and_port(&generator)
            .or(server.map(str::to_owned))
            .unwrap_or_else(|| "prometheus".to_owned()),
        service: label("service"),
        object,
        name,
        output: output(&annotations),
        occurred_at: None,
        // Alertmanager says when an alert has ended; what it gives as the end of a firing one means nothing.
        expires_at: None,
        lifetime: None,
        is_test: false,
        heartbeat: None,
        environment: None,
        scenario: label("procedure_id"),
        annotations,
        links: BTreeMap::new(),
        labels,
        warnings: Vec::new(),
    };
    add_links(&mut event, &generator);
    Ok(event)
}

/// Alertmanager's own hash of the labels, or the labels. Which Alertmanager or Prometheus sent it is no part of it, so
/// the two of a highly available pair send one alert.
fn identity(fingerprint: Option<&str>, labels: &BTreeMap<String, String>) -> Vec<String> {
    match fingerprint {
        Some(fingerprint) => vec!["fingerprint".to_owned(), fingerprint.to_owned()],
        None => {
            let labels = labels
                .iter()
                .flat_map(|(name, value)| [name.clone(), value.clone()]);
            std::iter::once("labels".to_owned()).chain(labels).collect()
        }
    }
}

fn object(fingerprint: Option<&str>, identity: &[String], labels: &BTreeMap<String, String>) -> String {
    let named = OBJECT_LABELS.iter().find_map(|label| labels.get(*label));
    match (named, fingerprint) {
        (Some(object), _) => object.clone(),
        (None, Some(fingerprint)) => format!("AlertID:{fingerprint}"),
        (None, None) => format!(
            "AlertID:{}",
            domain::fingerprint(identity.iter().map(String::as_str))
        ),
    }
}

fn status(alert: &Object<'_, '_>, of_body: Option<&str>) -> Result<EventStatus, SourceError> {
    let of_alert = alert.text("status")?;
    let place = Place::Member(&alert.place, "status");
    let remedy = "send firing or resolved";
    let Some(status) = of_alert.as_deref().or(of_body) else {
        return Err(place.missing(remedy));
    };
    match status.to_ascii_lowercase().as_str() {
        "firing" => Ok(EventStatus::Firing),
        "resolved" => Ok(EventStatus::Resolved),
        _ => Err(place.invalid(format!("is {}", json::shortened(status)), remedy)),
    }
}

/// A firing alert is never ok, even if its label says so: its end comes as a status.
fn severity(label: Option<&str>, name: &str) -> Severity {
    match label {
        None | Some("") if name == WATCHDOG => Severity::Information,
        None | Some("") => Severity::Critical,
        Some(word) if ["none", "ok"].iter().any(|none| word.eq_ignore_ascii_case(none)) => {
            Severity::Information
        }
        Some(word) => severity::of_word(word).unwrap_or(Severity::Unknown),
    }
}

fn output(annotations: &BTreeMap<String, String>) -> String {
    let chosen = OUTPUT_ANNOTATIONS
        .iter()
        .filter_map(|name| annotations.get(*name))
        .find(|text| !text.is_empty());
    match chosen {
        Some(text) => text.clone(),
        None => {
            let lines: Vec<_> = annotations
                .iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            lines.join("\n")
        }
    }
}

fn add_links(event: &mut SourceEvent, generator: &str) {
    event.add_link("Prometheus Graph", generator.replace("tab=1", "tab=0"));
    let titles = [
        ("Grafana Dashboard", "dashboard_url"),
        ("Prometheus Alert", "alert_url"),
        ("Graph", "graph_url"),
        ("Runbook URL", "runbook_url"),
    ];
    for (title, name) in titles {
        let address = event
            .annotations
            .get(name)
            .or_else(|| event.labels.get(name))
            .cloned();
        event.add_link(title, address.unwrap_or_default());
    }
}
