//! Azure Monitor: the common alert schema, which is the same for alerts on metrics, logs, activities and the health of
//! services but for its context.
//!
//! Identity: `originAlertId`; without one, `alertId`.

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json::{self, Node, Object, Place};
use super::{SourceError, SourceEvent, Understood};

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

/// Reads one alert.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let body = json::body(body)?.object()?;
    let data = body.required("data", SCHEMA)?.object()?;
    let essentials = data.required("essentials", SCHEMA)?.object()?;
    let mut event = event(&essentials)?;
    if let Some(context) = data.member("alertContext") {
        add_context(&mut event, &context)?;
    }
    if let Some(properties) = data.get("customProperties").filter(|node| node.is_object()) {
        add_properties(&mut event, &properties.object()?);
    }
    event.ask_by_labels();
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
    event.occurred_at = essentials.time(time, &mut event.remarks)?;
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

/// What was measured, or what was done to the resource.
fn add_context(event: &mut SourceEvent, context: &Object<'_, '_>) -> Result<(), SourceError> {
    let mut lines = vec![event.output.clone()];
    if let Some(condition) = context.member("condition") {
        lines.extend(conditions(event, &condition)?);
    }
    if let Some(properties) = context.member("properties") {
        lines.extend(properties.first(&["title", "cause"])?);
    }
    lines.retain(|line| !line.is_empty());
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
            .first(&["metricName", "metricMeasureColumn", "searchQuery"])?
            .unwrap_or_default();
        let (operator, threshold, value) = (text("operator"), text("threshold"), text("metricValue"));
        lines.push(format!("{metric} {operator} {threshold}: {value}"));
        add_dimensions(event, &one)?;
        event.add_link(
            "Search results",
            one.first(&["linkToFilteredSearchResultsUI", "linkToSearchResultsUI"])?
                .unwrap_or_default(),
        );
    }
    Ok(lines)
}

fn add_dimensions(event: &mut SourceEvent, condition: &Object<'_, '_>) -> Result<(), SourceError> {
    let Some(dimensions) = condition.get("dimensions").filter(Node::is_list) else {
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

/// What the rule's owner wrote beside it wins over what Azure says under the same name.
fn add_properties(event: &mut SourceEvent, properties: &Object<'_, '_>) {
    for name in properties.names() {
        event.add_label(name, properties.flat(name));
    }
}
