//! The generic API, for all that can post JSON. The fields are those of Harp's.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::apprise;
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "api",
    title: "Anything that can post JSON (the generic API of Harp)",
    documentation: "docs/sources/api.md",
    methods: POST,
    parse,
};

const NAMES: &str = "ok, information, warning, critical, unknown, urgent or down";

/// Parses one alert, or a list of them; or a notification of Apprise's, whose services for any API have a shape of their own.
fn parse(headers: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    if apprise::is_one(body) {
        return apprise::parse(headers, body);
    }
    let body = json::body(body)?;
    if !body.is_list() {
        return Ok(event(&body.object()?)?.into());
    }
    let alerts = body.list()?.into_iter().enumerate();
    let events: Result<Vec<_>, _> = alerts
        .map(|(index, raw)| event(&Node::new(raw, Place::Item(&body.place, index)).object()?))
        .collect();
    Ok(events?.into())
}

fn event(alert: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let name = alert.required_text("alert_name", "name the rule that found the problem")?;
    if name.is_empty() {
        let place = Place::Member(&alert.place, "alert_name");
        return Err(place.invalid("is empty", "name the rule that found the problem"));
    }
    let severity = severity(alert)?;
    let source = alert.required_text("source", "name the server that speaks")?;
    let object = alert.required_text("object", "name the object of the alert, such as a host")?;
    let output = alert.required_text("notification_output", "say what is wrong, for a person to read")?;
    let labels = alert.texts("additional_fields")?;
    let object = match labels
        .get("script")
        .or_else(|| labels.get("plugin_name"))
        .map(|path| basename(path))
    {
        Some(script) if !script.is_empty() => format!("{object}:{script}"),
        _ => object,
    };
    let mut event = SourceEvent {
        identity: vec![source.clone(), name.clone(), object.clone()],
        status: if severity == Severity::Ok {
            EventStatus::Resolved
        } else {
            EventStatus::Firing
        },
        acknowledged: false,
        began_at: None,
        opens_as: None,
        severity,
        source,
        service: alert.text("service")?,
        object,
        name,
        output,
        annotations: alert.texts("annotations")?,
        links: Default::default(),
        labels,
        occurred_at: None,
        expires_at: None,
        lifetime: None,
        is_test: false,
        heartbeat: None,
        environment: alert.text("environment_id")?,
        scenario: alert.text("scenario_id")?,
        warnings: Vec::new(),
    };
    for (title, address) in alert.texts("additional_urls")? {
        event.add_link(&title, address);
    }
    event.add_link("Graph", alert.text("graph_url")?.unwrap_or_default());
    Ok(event)
}

/// A name in any case, a word of another tool, or a number of Harp's.
fn severity(alert: &Object<'_, '_>) -> Result<Severity, SourceError> {
    let remedy = format!("send {NAMES}");
    let word = alert.required_text("alert_severity", &remedy)?;
    let number = || word.parse().ok().and_then(Severity::from_number);
    let known = word
        .trim()
        .parse()
        .ok()
        .or_else(|| severity::of_word(&word))
        .or_else(number);
    known.ok_or_else(|| {
        let place = Place::Member(&alert.place, "alert_severity");
        place.invalid(
            format!("is {}, which is no severity", json::shortened(&word)),
            remedy,
        )
    })
}

/// The last part of a path.
fn basename(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}
