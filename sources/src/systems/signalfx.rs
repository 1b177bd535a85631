//! SignalFx, which is Splunk Observability Cloud now: the default payload of its webhook.
//!
//! Identity: the id of the incident; without one, detector, rule and dimensions.

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
    name: "signalfx",
    title: "SignalFx (Splunk Observability Cloud) webhook",
    documentation: "docs/sources/signalfx.md",
    methods: POST,
    parse,
};

const STATUS: [&str; 2] = ["statusExtended", "status"];
const STATES: &str = "send anomalous, ok, manually resolved or stopped, as SignalFx does";
/// The dimensions that can name the object; the first that exists does.
const OBJECTS: [&str; 5] = ["host", "host.name", "hostname", "instance", "k8s.pod.name"];

/// Parses one incident.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    Ok(ParsedBody::from(event(&body)?).with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let word = body.needed(&STATUS, STATES)?;
    let status = match word.to_ascii_lowercase().replace('_', " ").as_str() {
        "anomalous" | "too high" | "too low" => EventStatus::Firing,
        "ok" | "manually resolved" | "stopped" => EventStatus::Resolved,
        _ => return Err(body.refuse(&STATUS, &word, STATES)),
    };
    let severity = match body.set("severity")? {
        None => Severity::Critical,
        Some(word) => severity::of_word(&word).unwrap_or(Severity::Unknown),
    };
    let dimensions = body.texts("dimensions")?;
    let detector = body.set("detector")?;
    let mut event = match body.set("incidentId")? {
        Some(id) => SourceEvent::new(["incident", &id], status, severity),
        None => {
            let remedy = "send the incidentId, or the detectorId";
            let detector = body.needed(&["detectorId", "detector"], remedy)?;
            let rule = body.set("rule")?.unwrap_or_default();
            let parts = dimensions.iter().flat_map(|(name, value)| [name.as_str(), value]);
            let identity = ["detector", &detector, &rule].into_iter().chain(parts);
            SourceEvent::new(identity, status, severity)
        }
    };
    let object = OBJECTS.iter().find_map(|name| dimensions.get(*name)).cloned();
    event.name = body
        .first(&["rule", "detector", "messageTitle"])?
        .unwrap_or_else(|| "alert without a rule".to_owned());
    event.object = object.or(detector.clone()).unwrap_or_else(|| event.name.clone());
    event.source = "signalfx".to_owned();
    event.service = ["service.name", "service", "sf_service"]
        .iter()
        .find_map(|name| dimensions.get(*name))
        .cloned();
    event.output = body
        .first(&["messageBody", "description", "messageTitle"])?
        .unwrap_or_default();
    event.labels = dimensions;
    event.add_label("detector", detector);
    event.add_label("metric", body.set("originatingMetric")?);
    event.add_label("tip", body.set("tip")?);
    event.ask_by_labels();
    for (title, name) in [
        ("Detector", "detectorUrl"),
        ("Image", "imageUrl"),
        ("Runbook URL", "runbookUrl"),
    ] {
        event.add_link(title, body.set(name)?.unwrap_or_default());
    }
    event.occurred_at = body.moment("timestamp", &mut event.warnings)?;
    Ok(event)
}
