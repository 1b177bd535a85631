//! Grafana: unified alerting (since version 8) and legacy alerting, distinguished by their fields.
//!
//! Identity: organisation and `fingerprint` of the alert (without one, its labels); of legacy alerting, organisation and
//! `ruleId`. The series in `evalMatches` are no part of it, as they are gone when the rule is ok again.

use std::collections::BTreeSet;

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::prometheus;
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST_AND_PUT, Source};
use crate::text::address::host_and_port;
use crate::text::severity;

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "grafana",
    title: "Grafana contact point, and legacy alerting",
    documentation: "docs/sources/grafana.md",
    methods: POST_AND_PUT,
    parse,
};

/// The message of the tests of legacy alerting.
const TEST: &str = "Someone is testing the alert notification within Grafana";

/// Parses the body of a contact point, or of a legacy notification channel.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    if body.get("alerts").is_none() && (body.get("ruleId").is_some() || body.get("evalMatches").is_some()) {
        legacy(&body)
    } else {
        unified(&body)
    }
}

fn unified(body: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let status = body.text("status")?;
    let organisation = body.text("orgId")?.unwrap_or_default();
    let server = body.text("externalURL")?.as_deref().and_then(host_and_port);
    let place = Place::Member(&body.place, "alerts");
    let alerts = body
        .required(
            "alerts",
            "send the body of Grafana's webhook contact point as it is",
        )?
        .list()?;
    let mut parsed = ParsedBody::default();
    for (index, raw) in alerts.into_iter().enumerate() {
        let alert = Node::new(raw, Place::Item(&place, index)).object()?;
        let mut event = prometheus::event(&alert, status.as_deref(), server.as_deref())?;
        complete(&mut event, &alert, &organisation)?;
        parsed.events.push(event);
    }
    let left_out = body.text("truncatedAlerts")?.filter(|count| count != "0");
    parsed.warnings.extend(
        left_out.map(|count| {
            format!("Grafana left out {count} alerts; set Max Alerts of its contact point to 0")
        }),
    );
    Ok(parsed)
}

/// What Grafana says beyond Alertmanager.
fn complete(event: &mut SourceEvent, alert: &Object<'_, '_>, organisation: &str) -> Result<(), SourceError> {
    event.identity.insert(0, organisation.to_owned());
    event.links.remove("Prometheus Graph");
    for (title, name) in [
        ("Grafana Rule", "generatorURL"),
        ("Grafana Dashboard", "dashboardURL"),
        ("Grafana Panel", "panelURL"),
        ("Silence", "silenceURL"),
        ("Image", "imageURL"),
    ] {
        event.add_link(title, alert.text(name)?.unwrap_or_default());
    }
    let folder = event.labels.get("grafana_folder").cloned();
    event.service = event.service.take().or(folder);
    if event.output.is_empty() {
        event.output = alert.text("valueString")?.unwrap_or_default();
    }
    let is_about_the_rule = matches!(event.name.as_str(), "DatasourceNoData" | "DatasourceError");
    let is_rated = event.labels.contains_key("severity") || event.status == EventStatus::Resolved;
    if is_about_the_rule && !is_rated {
        event.severity = Severity::Unknown;
    }
    event.ask_by_labels();
    Ok(())
}

fn legacy(body: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let remedy = "send alerting, ok or no_data";
    let state = body.needed(&["state"], remedy)?;
    let status = match state.to_ascii_lowercase().as_str() {
        "alerting" | "no_data" => EventStatus::Firing,
        "ok" => EventStatus::Resolved,
        "paused" | "pending" => {
            let warning =
                format!("a rule that is {state} neither opens nor ends an alert, so nothing was done");
            return Ok(ParsedBody::nothing(warning));
        }
        _ => return Err(body.refuse(&["state"], &state, remedy)),
    };
    let rule = body.needed(
        &["ruleId"],
        "send the body of Grafana's notification channel as it is",
    )?;
    let organisation = body.text("orgId")?.unwrap_or_default();
    let tags = body.texts("tags")?;
    let severity = match tags.get("severity").map(String::as_str) {
        _ if state.eq_ignore_ascii_case("no_data") => Severity::Unknown,
        None | Some("") => Severity::Critical,
        Some(word) => severity::of_word(word).unwrap_or(Severity::Unknown),
    };
    let mut event = SourceEvent::new(["rule", &organisation, &rule], status, severity);
    let address = body.text("ruleUrl")?.unwrap_or_default();
    event.object = "grafana".to_owned();
    event.name = body
        .first(&["ruleName", "title"])?
        .unwrap_or_else(|| format!("rule {rule}"));
    event.source = host_and_port(&address).unwrap_or_else(|| "grafana".to_owned());
    event.service = dashboard(&address);
    event.labels = tags;
    event.output = output(body, &mut event)?;
    let message = body.text("message")?.unwrap_or_default();
    if event.output != message {
        event.add_annotation("message", Some(message.clone()));
    }
    ask_by_message(&mut event, &message);
    event.ask_by_labels();
    event.add_link("URL to Grafana", address);
    event.add_link("Image", body.text("imageUrl")?.unwrap_or_default());
    // Some versions give their test a rule by chance.
    let is_said = message.trim_end_matches('.').eq_ignore_ascii_case(TEST);
    event.is_test = rule == "0" || (event.name == "Test notification" && is_said);
    Ok(event.into())
}

/// The last part of the path of a dashboard's address.
fn dashboard(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let path = rest.split(['?', '#']).next()?.trim_end_matches('/');
    let (_, last) = path.rsplit_once('/')?;
    Some(last.to_owned()).filter(|last| !last.is_empty())
}

/// One line per series with a problem; the tags of all become labels, further values of a tag in the label `tags`. Without any,
/// the message.
fn output(body: &Object<'_, '_>, event: &mut SourceEvent) -> Result<String, SourceError> {
    let mut lines = Vec::new();
    let mut known = BTreeSet::new();
    if let Some(matches) = body.get("evalMatches") {
        let place = matches.place;
        for (index, raw) in matches.list()?.into_iter().enumerate() {
            let series = Node::new(raw, Place::Item(&place, index)).object()?;
            let metric = series.text("metric")?.unwrap_or_default();
            let value = series.flat("value").unwrap_or_default();
            lines.push(format!("{metric}: {value}"));
            for (name, value) in series.texts("tags")? {
                // Several series may have a tag in common.
                if known.insert((name.clone(), value.clone())) {
                    event.add_named_tag(&name, &value);
                }
            }
        }
    }
    if lines.is_empty() {
        let message = body.text("message")?.unwrap_or_default();
        let text = message.split(":::").next().unwrap_or_default();
        lines.push(text.trim().to_owned());
    }
    Ok(lines.join("\n"))
}

/// Environment and scenario can stand as JSON after `:::` in the message, as Harp had it.
fn ask_by_message(event: &mut SourceEvent, message: &str) {
    let Some((_, asked)) = message.split_once(":::") else {
        return;
    };
    let asked = json::within(asked, Place::Body).and_then(Node::object);
    if let Ok(asked) = asked {
        event.environment = asked.text("environment_id").ok().flatten();
        event.scenario = asked.text("scenario_id").ok().flatten();
    } else {
        let warning = "what stands after ::: in the message is not JSON, so it asks for nothing";
        event.warnings.push(warning.to_owned());
    }
}
