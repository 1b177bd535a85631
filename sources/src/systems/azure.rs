//! Azure Monitor: the common alert schema, which is the same for alerts on metrics, logs, activities and the health of
//! services but for its context.
//!
//! Identity: `originAlertId`; without one, `alertId`. Alerts of the activity log have such an id for each entry and never
//! resolve, so they are identified by the rule and by what the entries have in common: the incident of Azure's own, the resource whose
//! health changes, or the operation.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

mod activity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "azure",
    title: "Azure Monitor common alert schema",
    documentation: "docs/sources/azure.md",
    methods: POST,
    parse,
};

const SCHEMA: &str = "enable the common alert schema for the webhook in the action group";
const STATES: &str = "send Fired or Resolved, as Azure does";
/// The fields of `essentials` that become labels.
const LABELS: [&str; 5] = [
    "signalType",
    "monitoringService",
    "severity",
    "targetResourceType",
    "targetResourceGroup",
];

/// In the ids of the samples that the test of an action group sends.
const SUBSCRIPTION_OF_TESTS: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/";

/// Parses one alert.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    let data = body.required("data", SCHEMA)?.object()?;
    let essentials = data.required("essentials", SCHEMA)?.object()?;
    let mut event = event(&essentials)?;
    if let Some(context) = data.member("alertContext") {
        add_context(&mut event, &context)?;
        activity::follow(&mut event, &essentials, &context)?;
    }
    if let Some(properties) = data.get("customProperties").filter(|node| node.is_object()) {
        add_properties(&mut event, &properties.object()?);
    }
    event.ask_by_labels();
    event.is_test = essentials
        .text("alertId")?
        .is_some_and(|id| id.contains(SUBSCRIPTION_OF_TESTS));
    Ok(event.into())
}

fn event(essentials: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let state = essentials.needed(&["monitorCondition"], STATES)?;
    let status = match state.to_ascii_lowercase().as_str() {
        "fired" => EventStatus::Firing,
        "resolved" => EventStatus::Resolved,
        _ => return Err(essentials.refuse(&["monitorCondition"], &state, STATES)),
    };
    let id = essentials.needed(
        &["originAlertId", "alertId"],
        "send the alert with its id, as Azure does",
    )?;
    let severity = severity(essentials.text("severity")?.as_deref());
    let mut event = SourceEvent::new(["alert", &id], status, severity);
    event.name = essentials
        .text("alertRule")?
        .unwrap_or_else(|| format!("alert {id}"));
    event.object = essentials
        .flat("configurationItems")
        .or_else(|| Some(last_part(&essentials.flat("alertTargetIDs")?)))
        .unwrap_or_else(|| event.name.clone());
    event.source = "azure".to_owned();
    event.service = essentials.text("targetResourceGroup")?;
    event.output = essentials.text("description")?.unwrap_or_default();
    for name in LABELS {
        event.add_label(name, essentials.text(name)?);
    }
    event.add_label("target", essentials.flat("alertTargetIDs"));
    event.add_link(
        "Investigation",
        essentials.text("investigationLink")?.unwrap_or_default(),
    );
    let time = match status {
        EventStatus::Resolved => "resolvedDateTime",
        _ => "firedDateTime",
    };
    event.occurred_at = essentials.time(time, &mut event.warnings)?;
    Ok(event)
}

/// `pay-3` of `/subscriptions/…/virtualmachines/pay-3`.
fn last_part(target: &str) -> String {
    let last = target.trim_end_matches('/').rsplit('/').next();
    last.unwrap_or(target).to_owned()
}

/// Azure's own words for its numbers are critical, error, warning, informational and verbose.
fn severity(word: Option<&str>) -> Severity {
    match word {
        None => Severity::Critical,
        Some("Sev0") => Severity::Urgent,
        Some("Sev1") => Severity::Critical,
        Some("Sev2") => Severity::Warning,
        Some("Sev3" | "Sev4") => Severity::Information,
        Some(_) => Severity::Unknown,
    }
}

/// The measured values, or the operation on the resource.
fn add_context(event: &mut SourceEvent, context: &Object<'_, '_>) -> Result<(), SourceError> {
    let mut lines = vec![event.output.clone()];
    if let Some(condition) = context.member("condition") {
        lines.extend(conditions(event, &condition)?);
    }
    if context.get("expression").is_some() {
        lines.extend(prometheus_rule(event, context)?);
    }
    if context.get("SearchQuery").is_some() {
        lines.push(log_search(event, context)?);
    }
    if let Some(properties) = context.member("properties") {
        lines.extend(properties.first(&["title", "cause"])?);
        if context.get("conditionType").is_some() {
            // Of alerts on metrics and logs these are the rule's own.
            add_properties(event, &properties);
        }
    }
    lines.retain(|line| !line.is_empty());
    lines.dedup();
    event.output = lines.join("\n");
    for (label, name) in [
        ("operation", "operationName"),
        ("status", "status"),
        ("caller", "caller"),
        ("eventSource", "eventSource"),
    ] {
        event.add_label(label, context.flat(name));
    }
    Ok(())
}

/// A log search of version 1, of Log Analytics or Application Insights.
/// <https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-payload-samples#sample-log-alerts>
fn log_search(event: &mut SourceEvent, context: &Object<'_, '_>) -> Result<String, SourceError> {
    add_dimensions(event, context, "Dimensions")?;
    let link = context.first(&["LinkToFilteredSearchResultsUI", "LinkToSearchResults"])?;
    event.add_link("Search results", link.unwrap_or_default());
    let condition = ["SearchQuery", "Operator", "Threshold"].map(|name| context.flat(name));
    let condition: Vec<_> = condition.into_iter().flatten().collect();
    let count = context.flat("ResultCount").unwrap_or_default();
    Ok(format!("{}: {count}", condition.join(" ")))
}

/// A rule in the language of Prometheus: its annotations are text, its labels labels.
fn prometheus_rule(event: &mut SourceEvent, context: &Object<'_, '_>) -> Result<Vec<String>, SourceError> {
    if context.get("labels").is_some_and(Node::is_object) {
        for (name, value) in context.texts("labels")? {
            event.add_label(&name, Some(value));
        }
    }
    let annotations = match context.get("annotations").is_some_and(Node::is_object) {
        true => context.texts("annotations")?,
        false => Default::default(),
    };
    let texts = ["summary", "description", "message"].iter();
    let mut lines: Vec<_> = texts.filter_map(|name| annotations.get(*name).cloned()).collect();
    for (title, name) in [("Runbook URL", "runbook_url"), ("Dashboard", "dashboard_url")] {
        event.add_link(title, annotations.get(name).cloned().unwrap_or_default());
    }
    for (name, text) in annotations {
        event.add_annotation(&name, Some(text));
    }
    let text = |name| context.flat(name).unwrap_or_default();
    lines.push(format!("{}: {}", text("expression"), text("expressionValue")));
    event.add_link("Prometheus Graph", text("generatorURL"));
    Ok(lines)
}

/// One line for each; their dimensions become labels.
fn conditions(event: &mut SourceEvent, condition: &Object<'_, '_>) -> Result<Vec<String>, SourceError> {
    let Some(all) = condition.get("allOf").filter(Node::is_list) else {
        return Ok(Vec::new());
    };
    let place = all.place;
    let mut lines = Vec::new();
    for (index, raw) in all.list()?.into_iter().enumerate() {
        let one = Node::new(raw, Place::Item(&place, index)).object()?;
        let text = |name| one.flat(name).unwrap_or_default();
        let metric = one
            .first(&[
                "metricName",
                "metricMeasureColumn",
                "metricMeasure",
                "searchQuery",
            ])?
            .unwrap_or_default();
        let (operator, threshold, value) = (text("operator"), text("threshold"), text("metricValue"));
        lines.push(format!("{metric} {operator} {threshold}: {value}"));
        add_dimensions(event, &one, "dimensions")?;
        event.add_link(
            "Search results",
            one.first(&["linkToFilteredSearchResultsUI", "linkToSearchResultsUI"])?
                .unwrap_or_default(),
        );
    }
    Ok(lines)
}

fn add_dimensions(
    event: &mut SourceEvent,
    condition: &Object<'_, '_>,
    list: &str,
) -> Result<(), SourceError> {
    let Some(dimensions) = condition.get(list).filter(Node::is_list) else {
        return Ok(());
    };
    let place = dimensions.place;
    for (index, raw) in dimensions.list()?.into_iter().enumerate() {
        let dimension = Node::new(raw, Place::Item(&place, index)).object()?;
        if let Some(name) = dimension.text("name")? {
            event.add_label(&name, dimension.text("value")?);
        }
    }
    Ok(())
}

/// The properties that the owner of the rule wrote take precedence over fields of Azure with the same name.
fn add_properties(event: &mut SourceEvent, properties: &Object<'_, '_>) {
    for name in properties.names() {
        event.add_label(name, properties.flat(name));
    }
}
