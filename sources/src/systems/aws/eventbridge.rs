//! Events of AWS EventBridge.
//!
//! Identity: what [`KINDS`] names for the event's `detail-type`; of every other one `source`, `detail-type` and
//! `resources`, or else the first field of `detail` that is an id. So what fails and then succeeds is one alert.

use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::text::severity;

/// The field by which such an event is recognized.
pub(super) const DETAIL_TYPE: &str = "detail-type";
const ENVELOPE: &str = "send the events of EventBridge as they are, without an input transformer";
/// Where the state is in events of kinds that are not listed.
const STATES: [&str; 7] = [
    "state.value",
    "state",
    "status",
    "eventType",
    "result",
    "State",
    "Status",
];
/// The fields that identify the subject of such an event without resources.
const IDS: [&str; 8] = [
    "arn",
    "id",
    "anomalyId",
    "jobId",
    "name",
    "jobName",
    "executionArn",
    "resourceArn",
];
const NAMES: [&str; 3] = ["title", "name", "alarmName"];
const TEXTS: [&str; 7] = [
    "description",
    "message",
    "Message",
    "reason",
    "statusReason",
    "cause",
    "eventName",
];
/// Longer values of `detail` are no labels, in characters.
const LONGEST_LABEL: usize = 500;
/// Events that are about no problem.
const NO_ALERTS: [&str; 2] = ["Scheduled Event", "CloudWatch Alarm Configuration Change"];

/// Where the fields of events of one `detail-type` are, as paths below `detail`.
struct Kind {
    detail_type: &'static str,
    /// Without any, the resources.
    identity: &'static [&'static str],
    state: &'static str,
    /// States that end the alert here, besides those that do so everywhere.
    ends: &'static [&'static str],
    name: &'static [&'static str],
    object: &'static [&'static str],
    output: &'static [&'static str],
    severity: &'static str,
}

const fn kind(detail_type: &'static str, identity: &'static [&'static str], state: &'static str) -> Kind {
    Kind {
        detail_type,
        identity,
        state,
        ends: &[],
        name: &[],
        object: identity,
        output: &TEXTS,
        severity: "severity",
    }
}

/// <https://docs.aws.amazon.com/eventbridge/latest/ref/events.html>
const KINDS: [Kind; 15] = [
    Kind {
        name: &["alarmName"],
        object: &["alarmName"],
        output: &["state.reason"],
        ..kind("CloudWatch Alarm State Change", &[], "state.value")
    },
    Kind {
        // Archived findings are over; GuardDuty sends nothing when a threat is gone.
        ends: &["true"],
        name: &["title", "type"],
        object: &[
            "resource.instanceDetails.instanceId",
            "resource.accessKeyDetails.userName",
            "accountId",
        ],
        ..kind("GuardDuty Finding", &["id"], "service.archived")
    },
    health("AWS Health Event"),
    health("AWS Health Abuse Event"),
    Kind {
        output: &["statusMessage"],
        object: &["resourceArn"],
        ..kind(
            "Backup Job State Change",
            &["backupVaultName", "resourceArn"],
            "state",
        )
    },
    Kind {
        output: &["statusMessage"],
        object: &["resourceArn"],
        ..kind(
            "Copy Job State Change",
            &["destinationBackupVaultArn", "resourceArn"],
            "state",
        )
    },
    Kind {
        output: &["statusMessage"],
        ..kind("Restore Job State Change", &["recoveryPointArn"], "status")
    },
    Kind {
        name: &["configRuleName"],
        object: &["resourceId"],
        output: &["newEvaluationResult.annotation"],
        ..kind(
            "Config Rules Compliance Change",
            &["configRuleName", "resourceType", "resourceId"],
            "newEvaluationResult.complianceType",
        )
    },
    Kind {
        name: &["check-name"],
        object: &["resource_id"],
        ..kind(
            "Trusted Advisor Check Item Refresh Notification",
            &["check-name", "resource_id"],
            "status",
        )
    },
    kind(
        "CodePipeline Pipeline Execution State Change",
        &["pipeline"],
        "state",
    ),
    kind(
        "Step Functions Execution Status Change",
        &["stateMachineArn"],
        "status",
    ),
    kind("Glue Job State Change", &["jobName"], "state"),
    kind("CodeBuild Build State Change", &["project-name"], "build-status"),
    Kind {
        ends: &["running"],
        ..kind(
            "EC2 Instance State-change Notification",
            &["instance-id"],
            "state",
        )
    },
    Kind {
        name: &["title"],
        object: &["resources.id"],
        ..kind("Inspector2 Finding", &["findingArn"], "status")
    },
];

const fn health(detail_type: &'static str) -> Kind {
    Kind {
        name: &["eventTypeCode"],
        object: &["affectedEntities.entityValue", "service"],
        output: &["eventDescription.latestDescription"],
        severity: "eventTypeCategory",
        ..kind(detail_type, &["eventArn"], "statusCode")
    }
}

/// Parses one event.
pub(super) fn parse_event(event: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let detail_type = event.needed(&[DETAIL_TYPE], ENVELOPE)?;
    let source = event.needed(&["source"], ENVELOPE)?;
    let detail = event.required("detail", ENVELOPE)?;
    if NO_ALERTS.contains(&detail_type.as_str()) {
        return Ok(ParsedBody::nothing(format!(
            "{detail_type:?} says nothing of a problem, so nothing was done"
        )));
    }
    if detail_type.starts_with("Security Hub Findings") {
        return findings(event, detail);
    }
    let known = KINDS.iter().find(|kind| kind.detail_type == detail_type);
    let state = match known {
        Some(kind) => at(detail, kind.state),
        None => STATES.iter().find_map(|path| at(detail, path)),
    };
    let status = match state.as_deref() {
        None => EventStatus::Firing,
        Some(state) if known.is_some_and(|kind| kind.ends.contains(&lower(state).as_str())) => {
            EventStatus::Resolved
        }
        Some(state) => match status(state) {
            Some(status) => status,
            None => {
                return Ok(ParsedBody::nothing(format!(
                    "{detail_type:?} with the state {state} neither opens nor ends an alert, so nothing was done"
                )));
            }
        },
    };
    let resources = event.flat("resources").unwrap_or_default();
    let identity = identity(known, &source, &detail_type, &resources, detail);
    let path = known.map_or("severity", |kind| kind.severity);
    let stated = at(detail, path);
    let severity = severity_of(stated.as_deref(), state.as_deref());
    let mut alert = SourceEvent::new(identity.iter().map(String::as_str), status, severity);
    let first = |paths: &[&str]| paths.iter().find_map(|path| at(detail, path));
    alert.name =
        first(known.map_or(NAMES.as_slice(), |kind| kind.name)).unwrap_or_else(|| detail_type.clone());
    alert.object = first(known.map_or(&[][..], |kind| kind.object))
        .or(Some(resources.clone()).filter(|resources| !resources.is_empty()))
        .unwrap_or_else(|| source.clone());
    let text = first(known.map_or(TEXTS.as_slice(), |kind| kind.output));
    alert.output = text.or(state.clone()).unwrap_or_else(|| detail_type.clone());
    add_common(&mut alert, event)?;
    add_details(&mut alert, detail);
    alert.add_label("state", state);
    alert.ask_by_labels();
    Ok(alert.into())
}

fn identity(
    known: Option<&Kind>,
    source: &str,
    detail_type: &str,
    resources: &str,
    detail: Node<'_, '_>,
) -> Vec<String> {
    let mut identity = match known {
        // As an alarm that comes from CloudWatch itself.
        Some(kind) if kind.state == "state.value" => return vec!["arn".to_owned(), resources.to_owned()],
        Some(kind) => vec![kind.detail_type.to_owned()],
        None => vec![source.to_owned(), detail_type.to_owned()],
    };
    let paths = known.map_or(&[][..], |kind| kind.identity);
    if paths.is_empty() {
        let id = Some(resources.to_owned()).filter(|resources| !resources.is_empty());
        identity.extend(id.or_else(|| IDS.iter().find_map(|path| at(detail, path))));
    } else {
        identity.extend(paths.iter().map(|path| at(detail, path).unwrap_or_default()));
    }
    identity
}

/// Each finding of Security Hub is an alert of its own.
fn findings(event: &Object<'_, '_>, detail: Node<'_, '_>) -> Result<ParsedBody, SourceError> {
    let list = detail.object()?;
    let list = list.required("findings", ENVELOPE)?;
    let mut alerts = Vec::new();
    for (index, raw) in list.list()?.into_iter().enumerate() {
        let finding = Node::new(raw, Place::Item(&list.place, index));
        let fields = finding.object()?;
        let id = fields.needed(&["Id"], ENVELOPE)?;
        let is =
            |path: &str, words: &[&str]| at(finding, path).is_some_and(|word| words.contains(&word.as_str()));
        let is_over = is("RecordState", &["ARCHIVED"])
            || is("Workflow.Status", &["RESOLVED", "SUPPRESSED"])
            || is("Compliance.Status", &["PASSED"]);
        let status = if is_over {
            EventStatus::Resolved
        } else {
            EventStatus::Firing
        };
        let severity = severity_of(at(finding, "Severity.Label").as_deref(), None);
        let mut alert = SourceEvent::new(["finding", &id], status, severity);
        alert.name = fields.text("Title")?.unwrap_or_else(|| id.clone());
        alert.output = fields.text("Description")?.unwrap_or_default();
        alert.object = at(finding, "Resources.Id").unwrap_or_else(|| id.clone());
        add_common(&mut alert, event)?;
        for (label, path) in [
            ("account", "AwsAccountId"),
            ("region", "Region"),
            ("product", "ProductName"),
        ] {
            alert.add_label(label, at(finding, path));
        }
        alert.add_link(
            "Remediation",
            at(finding, "Remediation.Recommendation.Url").unwrap_or_default(),
        );
        alerts.push(alert);
    }
    Ok(alerts.into())
}

fn add_common(alert: &mut SourceEvent, event: &Object<'_, '_>) -> Result<(), SourceError> {
    alert.source = event.text("account")?.unwrap_or_default();
    alert.occurred_at = event.time("time", &mut alert.warnings)?;
    for name in ["account", "region", DETAIL_TYPE, "resources"] {
        alert.add_label(name, event.flat(name));
    }
    alert.add_label("event_source", event.flat("source"));
    Ok(())
}

/// The single values of the detail.
fn add_details(alert: &mut SourceEvent, detail: Node<'_, '_>) {
    let Ok(detail) = detail.object() else { return };
    for name in detail.names() {
        let value = detail
            .get(name)
            .filter(|node| !node.is_list() && !node.is_object());
        let value = value.and_then(Node::flat);
        if value
            .as_ref()
            .is_some_and(|value| value.chars().count() <= LONGEST_LABEL)
        {
            alert.add_label(name, value);
        }
    }
}

/// The value at a path of names with dots between them; of a list the first item counts.
fn at(node: Node<'_, '_>, path: &str) -> Option<String> {
    if node.is_list() {
        let items = node.list().ok()?;
        return at(Node::new(items.first()?, node.place), path);
    }
    if path.is_empty() {
        return (!node.is_object()).then(|| node.flat()).flatten();
    }
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let object = node.object().ok()?;
    let found = object.get(name)?;
    at(found, rest)
}

fn lower(word: &str) -> String {
    word.to_ascii_lowercase().replace(['_', ' ', '-'], "")
}

/// The status of a state; `None` for intermediate ones. A word that is not known opens the alert: the event is sent for a reason.
fn status(state: &str) -> Option<EventStatus> {
    match lower(state).as_str() {
        "ok" | "succeeded" | "success" | "completed" | "complete" | "compliant" | "passed" | "resolved"
        | "closed" | "archived" | "suppressed" | "info" | "normal" => Some(EventStatus::Resolved),
        "created" | "pending" | "running" | "started" | "inprogress" | "queued" | "submitted"
        | "runnable" | "starting" | "stopping" | "shuttingdown" | "resumed" | "resuming" | "superseded"
        | "notapplicable" => None,
        _ => Some(EventStatus::Firing),
    }
}

/// By the severity that the event states, else by its state; critical without either.
fn severity_of(stated: Option<&str>, state: Option<&str>) -> Severity {
    if let Some(word) = stated {
        return match (word.parse::<f64>(), word) {
            // https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html
            (Ok(number), _) if number >= 9.0 => Severity::Urgent,
            (Ok(number), _) if number >= 7.0 => Severity::Critical,
            (Ok(number), _) if number >= 4.0 => Severity::Warning,
            (Ok(_), _) => Severity::Information,
            (_, "issue") => Severity::Critical,
            (_, "investigation") => Severity::Warning,
            (_, "accountNotification" | "scheduledChange") => Severity::Information,
            _ => severity::of_word(word).unwrap_or(Severity::Unknown),
        };
    }
    match state.map(lower).as_deref() {
        Some("insufficientdata") => Severity::Unknown,
        Some("partial" | "stopped" | "terminated") => Severity::Warning,
        Some(word) => severity::of_word(word).unwrap_or(Severity::Critical),
        None => Severity::Critical,
    }
}
