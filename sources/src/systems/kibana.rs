//! Kibana: its webhook connector, whose body its user writes: the one that the documentation here gives.
//!
//! Identity: space, rule and alert. An alert of a rule is in one of the rule's action groups, or has recovered.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST_AND_PUT, Source};
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "kibana",
    title: "Kibana (Elastic) webhook connector",
    documentation: "docs/sources/kibana.md",
    methods: POST_AND_PUT,
    parse,
};

const GROUP: &str = "put \"group\": \"{{alert.actionGroup}}\" into the body of the action, and make one more action of the \
                     rule that runs when it is recovered";
const RULE: &str = "put \"rule_id\": \"{{rule.id}}\" into the body of the action";
const ALERT: &str =
    "put \"alert_id\": \"{{alert.id}}\" into the body of the action, and let it run for each alert";

/// Parses one alert of a rule.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    Ok(ParsedBody::from(event(&body)?).with_warning(repaired.warning))
}

fn event(body: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let group = body.needed(&["group"], GROUP)?;
    let status = match group.to_ascii_lowercase().as_str() {
        // The second is the recovery of rules that track whether an entity is within an area.
        "recovered" | "notgeocontained" => EventStatus::Resolved,
        // All other action groups of a rule are problems; every type of rule has its own names for them.
        _ => EventStatus::Firing,
    };
    let rule = body.needed(&["rule_id"], RULE)?;
    let alert = body.needed(&["alert_id"], ALERT)?;
    let space = body.set("space")?.unwrap_or_default();
    let severity = match body.set("severity")? {
        Some(word) => severity::of_word(&word).unwrap_or(Severity::Unknown),
        None => severity_of_group(&group),
    };
    let mut event = SourceEvent::new(["alert", &space, &rule, &alert], status, severity);
    event.name = body.set("rule_name")?.unwrap_or_else(|| format!("rule {rule}"));
    event.source = body.set("server")?.unwrap_or_else(|| "kibana".to_owned());
    event.output = body.set("reason")?.unwrap_or_default();
    event.add_label("group", Some(group));
    event.add_label("space", Some(space));
    event.add_label("flapping", body.set("flapping")?.filter(|word| word == "true"));
    event.add_tags_of(body, "tags");
    event.service = event.labels.get("service").cloned();
    event.ask_by_labels();
    event.add_link("Kibana", body.set("url")?.unwrap_or_default());
    event.occurred_at = body.time("date", &mut event.warnings)?;
    event.object = alert;
    Ok(event)
}

/// By the last part of a name like `metrics.threshold.warning` or `slo.burnRate.high`.
fn severity_of_group(group: &str) -> Severity {
    let last = group.rsplit('.').next().unwrap_or(group).to_ascii_lowercase();
    match last.as_str() {
        "nodata" => Severity::Unknown,
        "warning" | "medium" => Severity::Warning,
        "low" => Severity::Information,
        _ => Severity::Critical,
    }
}
