//! AppDynamics: the body of its HTTP request action, made by a template; Harp's is understood.
//!
//! Identity: the id of the incident; without one, application, health rule and affected entities.

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::address::origin;
use super::json::{self, Node, Object, Place};
use super::{SourceError, SourceEvent, Understood, lenient, severity};

const KIND: [&str; 2] = ["event_type", "event_type_key"];
const KINDS: &str = "send ${event.eventType} as it is: POLICY_OPEN_…, POLICY_CONTINUES_…, POLICY_UPGRADED, POLICY_DOWNGRADED, \
                     POLICY_CLOSE_… or POLICY_CANCELED_…";
/// An entity of this type is named by its host and its service.
const NODE: &str = "APPLICATION_COMPONENT_NODE";

/// Reads the events of one action.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let mended = lenient::body(body);
    let body = json::body(&mended.body)?.object()?;
    let place = Place::Member(&body.place, "full_events_list");
    let list = body
        .required("full_events_list", "send the list of the events of the action")?
        .list()?;
    let mut understood = Understood::default().with_remark(mended.remark);
    for (index, raw) in list.into_iter().enumerate() {
        let event = Node::new(raw, Place::Item(&place, index)).object()?;
        let kind = event.needed(&KIND, KINDS)?.to_ascii_uppercase();
        if kind.starts_with("POLICY_") {
            understood.events.push(of_health_rule(&body, &event, &kind)?);
        } else {
            let remark = format!("{kind} is not of a health rule and never ends, so it was left out");
            understood.remarks.push(remark);
        }
    }
    if body.set("clamped")?.as_deref() == Some("true") {
        let remark = "AppDynamics left out events; raise the clamp limit of its HTTP request template";
        understood.remarks.push(remark.to_owned());
    }
    Ok(understood)
}

fn of_health_rule(
    body: &Object<'_, '_>,
    event: &Object<'_, '_>,
    kind: &str,
) -> Result<SourceEvent, SourceError> {
    let word = kind
        .trim_start_matches("POLICY_")
        .split('_')
        .next()
        .unwrap_or_default();
    let status = match word {
        "OPEN" | "CONTINUES" | "UPGRADED" | "DOWNGRADED" => EventStatus::Firing,
        "CLOSE" | "CANCELED" => EventStatus::Resolved,
        _ => return Err(event.refuse(&KIND, kind, KINDS)),
    };
    let severity = severity(kind, event.set("severity")?.as_deref());
    let rule = event.needed(
        &["health_rule_name", "display_name"],
        "send ${event.healthRule.name}",
    )?;
    let application = event.set("app_name")?;
    let entities = entities(event)?;
    let mut alert = match event.set("incident_id")? {
        Some(id) => SourceEvent::new(["incident", &id], status, severity),
        None => {
            let application = application.as_deref().unwrap_or_default();
            let parts = entities.iter().flat_map(|(kind, name)| [kind.as_str(), name]);
            let identity = ["rule", application, &rule].into_iter().chain(parts);
            SourceEvent::new(identity, status, severity)
        }
    };
    alert.service = application.clone();
    alert.object = rule.clone();
    if let Some((kind, name)) = entities.first() {
        let host_and_service = name.split_once('-').filter(|_| kind == NODE);
        match host_and_service {
            Some((host, service)) => {
                alert.object = host.to_owned();
                alert.service = Some(service.to_owned());
            }
            None => alert.object.clone_from(name),
        }
        alert.add_label("entity", Some(name.clone()));
        alert.add_label("entity_type", Some(kind.clone()));
    }
    alert.name = rule;
    alert.output = event
        .first(&["event_message", "summary_message"])?
        .unwrap_or_default();
    alert.add_label("application", application);
    alert.add_label("tier", event.set("tier_name")?);
    alert.add_label("node", event.set("node_name")?);
    alert.add_label("policy", body.set("policy_name")?);
    alert.ask_by_name();
    let address = event.set("deep_link_url")?.unwrap_or_default();
    let controller = body.set("controller_link_url")?.unwrap_or_default();
    alert.source = origin(&address)
        .or_else(|| origin(&controller))
        .unwrap_or_else(|| "appdynamics".to_owned());
    alert.add_link("Details URL", address);
    Ok(alert)
}

/// Type and name of each.
fn entities(event: &Object<'_, '_>) -> Result<Vec<(String, String)>, SourceError> {
    let Some(list) = event.get("affected_entities") else {
        return Ok(Vec::new());
    };
    let place = list.place;
    let mut entities = Vec::new();
    for (index, raw) in list.list()?.into_iter().enumerate() {
        let entity = Node::new(raw, Place::Item(&place, index)).object()?;
        if let Some(name) = entity.first(&["name", "id"])? {
            entities.push((entity.set("type")?.unwrap_or_default(), name));
        }
    }
    Ok(entities)
}

/// What the type says, else the word of AppDynamics for how bad it is.
fn severity(kind: &str, word: Option<&str>) -> Severity {
    if kind.ends_with("_WARNING") {
        Severity::Warning
    } else if kind.ends_with("_CRITICAL") {
        Severity::Critical
    } else {
        word.and_then(severity::of_word).unwrap_or(Severity::Unknown)
    }
}
