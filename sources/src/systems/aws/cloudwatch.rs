//! Alarms of AWS CloudWatch.
//!
//! Identity: `AlarmArn`; without one, account, region and name of the alarm.

use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::text::severity;

const STATE: &str = "NewStateValue";
/// The fields of `Trigger` that become labels.
const TRIGGER_LABELS: [&str; 6] = [
    "MetricName",
    "Namespace",
    "Period",
    "EvaluationPeriods",
    "ComparisonOperator",
    "Threshold",
];

/// Parses one alarm.
pub(super) fn event(alarm: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let name = alarm.needed(&["AlarmName"], "send alarms of CloudWatch only")?;
    let region = alarm.text("Region")?.unwrap_or_default();
    let account = alarm.text("AWSAccountId")?.unwrap_or_default();
    let description = alarm.text("AlarmDescription")?.unwrap_or_default();
    let described = json::within(&description, Place::Member(&alarm.place, "AlarmDescription"))
        .and_then(Node::object)
        .ok();
    let (status, severity) = state(alarm, described.as_ref())?;
    let mut event = match alarm.text("AlarmArn")? {
        Some(arn) => SourceEvent::new(["arn", &arn], status, severity),
        None => SourceEvent::new(["name", &account, &region, &name], status, severity),
    };
    event.object = name.clone();
    event.source = if account.is_empty() {
        "cloudwatch".to_owned()
    } else {
        account
    };
    event.output = alarm.text("NewStateReason")?.unwrap_or_default();
    event.occurred_at = alarm.time("StateChangeTime", &mut event.warnings)?;
    event.add_label("Region", Some(region));
    event.name = match alarm.member("Trigger") {
        Some(trigger) => add_trigger(&mut event, &trigger)?
            .map(|metric| format!("{name}. MetricName: {metric}"))
            .unwrap_or(name),
        None => name,
    };
    match described {
        Some(described) => add_described(&mut event, &described)?,
        None => event.add_label("AlarmDescription", Some(description)),
    }
    Ok(event)
}

fn state(
    alarm: &Object<'_, '_>,
    described: Option<&Object<'_, '_>>,
) -> Result<(EventStatus, Severity), SourceError> {
    let remedy = "send ALARM, OK or INSUFFICIENT_DATA, as CloudWatch does";
    let word = alarm.needed(&[STATE], remedy)?;
    match word.as_str() {
        "OK" => Ok((EventStatus::Resolved, Severity::Ok)),
        "INSUFFICIENT_DATA" => Ok((EventStatus::Firing, Severity::Unknown)),
        "ALARM" => {
            let given = described
                .map(|described| described.text("severity"))
                .transpose()?
                .flatten();
            let severity = match given {
                Some(word) => severity::of_word(&word).unwrap_or(Severity::Unknown),
                None => Severity::Critical,
            };
            Ok((EventStatus::Firing, severity))
        }
        _ => Err(alarm.refuse(&[STATE], &word, remedy)),
    }
}

/// Adds the metric; its first dimension, or else its namespace, is the object. Gives the name of the metric.
fn add_trigger(event: &mut SourceEvent, trigger: &Object<'_, '_>) -> Result<Option<String>, SourceError> {
    for name in TRIGGER_LABELS {
        event.add_label(name, trigger.flat(name));
    }
    let mut first = None;
    if let Some(dimensions) = trigger.get("Dimensions") {
        first = add_dimensions(event, dimensions)?;
    }
    if let Some(metrics) = trigger.get("Metrics").filter(Node::is_list) {
        first = first.or(add_metrics(event, metrics)?);
    }
    let namespace = event.labels.get("Namespace").cloned();
    if let Some(object) = first.or(namespace) {
        event.object = object;
    }
    Ok(event.labels.get("MetricName").cloned())
}

/// Each becomes a label. Gives the value of the first.
fn add_dimensions(event: &mut SourceEvent, dimensions: Node<'_, '_>) -> Result<Option<String>, SourceError> {
    let place = dimensions.place;
    let mut first = None;
    for (index, raw) in dimensions.list()?.into_iter().enumerate() {
        let dimension = Node::new(raw, Place::Item(&place, index)).object()?;
        let value = dimension.text("value")?;
        first = first.or(value.clone());
        if let (Some(name), Some(value)) = (dimension.text("name")?, value) {
            event.labels.entry(name).or_insert(value);
        }
    }
    Ok(first)
}

/// An alarm on an expression has a list of metrics in place of one, and the expressions over them. Gives the value of the
/// first dimension of any.
fn add_metrics(event: &mut SourceEvent, metrics: Node<'_, '_>) -> Result<Option<String>, SourceError> {
    let place = metrics.place;
    let mut first = None;
    let (mut names, mut expressions) = (Vec::new(), Vec::new());
    for (index, raw) in metrics.list()?.into_iter().enumerate() {
        let part = Node::new(raw, Place::Item(&place, index)).object()?;
        expressions.extend(part.flat("Expression"));
        let Some(statistic) = part.member("MetricStat") else {
            continue;
        };
        add_missing(event, "Period", statistic.flat("Period"));
        let Some(metric) = statistic.member("Metric") else {
            continue;
        };
        names.extend(metric.flat("MetricName").filter(|name| !names.contains(name)));
        add_missing(event, "Namespace", metric.flat("Namespace"));
        if let Some(dimensions) = metric.get("Dimensions").filter(Node::is_list) {
            first = first.or(add_dimensions(event, dimensions)?);
        }
    }
    add_missing(event, "MetricName", Some(names.join(", ")));
    event.add_label("Expression", Some(expressions.join("; ")));
    Ok(first)
}

fn add_missing(event: &mut SourceEvent, name: &str, value: Option<String>) {
    if !event.labels.contains_key(name) {
        event.add_label(name, value);
    }
}

/// The description can be JSON, with what CloudWatch has no field for.
fn add_described(event: &mut SourceEvent, described: &Object<'_, '_>) -> Result<(), SourceError> {
    if let Some(source) = described.text("source")? {
        event.source = source;
    }
    event.environment = described.text("environment_id")?;
    event.scenario = described.text("scenario_id")?;
    event.add_link("Graph", described.text("graph_url")?.unwrap_or_default());
    Ok(())
}
