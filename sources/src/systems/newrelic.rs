//! New Relic: the body of a workflow, and the legacy alerts webhook, distinguished by `current_state`.
//!
//! Identity: the id of the issue; of the legacy webhook, account and `incident_id`.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "newrelic",
    title: "New Relic workflow, and legacy alerts webhook",
    documentation: "docs/sources/newrelic.md",
    methods: POST,
    parse,
};

const STATES: &str = "send CREATED, ACTIVATED or CLOSED, as {{state}} has it";
const LEGACY_STATES: &str = "send open, acknowledged or closed, as New Relic does";

/// Parses one issue or incident.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    let parsed = if body.get("current_state").is_some() {
        legacy(&body)?
    } else {
        workflow(&body)?
    };
    Ok(parsed.with_warning(repaired.warning))
}

fn workflow(body: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let state = body.needed(&["state"], STATES)?;
    let trigger = body.set("trigger")?.unwrap_or_default().to_ascii_uppercase();
    let status = match state.to_ascii_uppercase().as_str() {
        // A late message of an issue that is closed already must not open it again.
        "CREATED" | "ACTIVATED" if body.set("closedAt")?.is_some_and(|time| time != "0") => {
            EventStatus::Resolved
        }
        "CREATED" | "ACTIVATED" if trigger.contains("ACKNOWLEDGE") && !trigger.contains("UNACK") => {
            EventStatus::Acknowledged
        }
        "CREATED" | "ACTIVATED" => EventStatus::Firing,
        "CLOSED" => EventStatus::Resolved,
        _ => return Err(body.refuse(&["state"], &state, STATES)),
    };
    let severity = severity(body.first(&["priority", "severity"])?.as_deref());
    let id = body.needed(&["id", "issueId"], "put {{issueId}} into the payload as id")?;
    let mut event = SourceEvent::new(["issue", &id], status, severity);
    let (conditions, policies) = (body.flat("alertConditionNames"), body.flat("alertPolicyNames"));
    let entities = body.flat("impactedEntities");
    event.output = body.set("title")?.unwrap_or_default();
    event.name = conditions.unwrap_or_else(|| match event.output.as_str() {
        "" => format!("issue {id}"),
        title => title.to_owned(),
    });
    event.object = entities.unwrap_or_else(|| format!("AlertID:{id}"));
    event.service = policies.clone();
    event.source = body
        .first(&["accountName", "account_name"])?
        .unwrap_or_else(|| "newrelic".to_owned());
    event.add_label("policy", policies);
    event.add_label("workflow", body.set("workflowName")?);
    event.add_label("sources", body.flat("sources"));
    event.add_label("priority", body.set("priority")?);
    if status == EventStatus::Acknowledged {
        event.add_label(
            "acknowledged_by",
            body.first(&["acknowledgedBy", "issueAckedBy"])?,
        );
    }
    event.add_link(
        "Issue",
        body.first(&["issueUrl", "issuePageUrl"])?.unwrap_or_default(),
    );
    event.occurred_at = body.moment("updatedAt", &mut event.warnings)?;
    match status {
        EventStatus::Firing if trigger.contains("UNACK") => Ok(ParsedBody::unacknowledged(event, None)),
        _ => Ok(event.into()),
    }
}

fn legacy(body: &Object<'_, '_>) -> Result<ParsedBody, SourceError> {
    let state = body.needed(&["current_state"], LEGACY_STATES)?;
    let status = match state.to_ascii_lowercase().as_str() {
        "open" => EventStatus::Firing,
        "acknowledged" => EventStatus::Acknowledged,
        "closed" => EventStatus::Resolved,
        "test" => {
            return Ok(ParsedBody::nothing(
                "a test of the webhook is no alert; it has arrived",
            ));
        }
        _ => return Err(body.refuse(&["current_state"], &state, LEGACY_STATES)),
    };
    let id = body.needed(&["incident_id"], "send the body of New Relic's webhook as it is")?;
    let account = body.text("account_id")?.unwrap_or_default();
    let severity = severity(body.set("severity")?.as_deref());
    let mut event = SourceEvent::new(["incident", &account, &id], status, severity);
    let condition = body.set("condition_id")?.unwrap_or_else(|| id.clone());
    event.object = format!("AlertID:{condition}");
    event.name = body
        .first(&["condition_name", "policy_name"])?
        .unwrap_or_else(|| format!("incident {id}"));
    event.source = body.set("account_name")?.unwrap_or_else(|| "newrelic".to_owned());
    event.output = body
        .set("details")?
        .map(|details| format!("Details: {details}"))
        .unwrap_or_default();
    add_targets(&mut event, body)?;
    event.add_label("policy", body.set("policy_name")?);
    if status == EventStatus::Acknowledged {
        event.add_label("acknowledged_by", body.set("owner")?);
    }
    event.add_link("Incident URL", body.text("incident_url")?.unwrap_or_default());
    event.add_link("Runbook URL", body.text("runbook_url")?.unwrap_or_default());
    event.add_link("Chart", body.text("violation_chart_url")?.unwrap_or_default());
    event.occurred_at = body.moment("timestamp", &mut event.warnings)?;
    Ok(event.into())
}

/// The first target is the service; the labels of all are labels.
fn add_targets(event: &mut SourceEvent, body: &Object<'_, '_>) -> Result<(), SourceError> {
    let Some(targets) = body.get("targets") else {
        return Ok(());
    };
    let place = targets.place;
    for (index, raw) in targets.list()?.into_iter().enumerate() {
        let target = Node::new(raw, Place::Item(&place, index)).object()?;
        if index == 0 {
            event.service = target.text("name")?;
        }
        for (name, value) in target.texts("labels")? {
            event.labels.entry(name).or_insert(value);
        }
    }
    event.ask_by_labels();
    Ok(())
}

fn severity(word: Option<&str>) -> Severity {
    match word {
        None => Severity::Critical,
        Some(word) => severity::of_word(word).unwrap_or(Severity::Unknown),
    }
}
