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
    let mut wrong = None;
    for (index, raw) in list.into_iter().enumerate() {
        match alert(&body, Node::new(raw, Place::Item(&place, index))) {
            Ok(alert) => understood.events.push(alert),
            Err(NoAlert::OfNoHealthRule(kind)) => {
                let remark = format!("{kind} is not of a health rule and never ends, so it was left out");
                understood.remarks.push(remark);
            }
            Err(NoAlert::Unreadable(error)) => understood.leave_out(error),
            Err(NoAlert::Wrong(error)) => {
                wrong.get_or_insert_with(|| error.clone());
                understood.leave_out(error);
            }
        }
    }
    if let Some(error) = wrong.filter(|_| understood.events.is_empty()) {
        return Err(error);
    }
    if body.set("clamped")?.as_deref() == Some("true") {
        let remark = "AppDynamics left out events; raise the clamp limit of its HTTP request template";
        understood.remarks.push(remark.to_owned());
    }
    Ok(understood)
}

/// Why an event of an action is no alert.
enum NoAlert {
    /// It tells of something that happened.
    OfNoHealthRule(String),
    /// Nobody can say what it is.
    Unreadable(SourceError),
    /// It is of a health rule, but lacks what it needs.
    Wrong(SourceError),
}

fn alert(body: &Object<'_, '_>, event: Node<'_, '_>) -> Result<SourceEvent, NoAlert> {
    let event = event.object().map_err(NoAlert::Unreadable)?;
    let kind = event.needed(&KIND, KINDS).map_err(NoAlert::Unreadable)?;
    let kind = kind.to_ascii_uppercase();
    if !kind.starts_with("POLICY_") {
        return Err(NoAlert::OfNoHealthRule(kind));
    }
    of_health_rule(body, &event, &kind).map_err(NoAlert::Wrong)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_nobody_understands_keeps_the_body_and_costs_no_other() {
        let read = |events: &str| {
            let body = format!("{{\"full_events_list\": [{events}]}}");
            super::read(&HeaderMap::new(), body.as_bytes())
        };
        let known = r#"{"event_type": "POLICY_OPEN_CRITICAL", "health_rule_name": "CPU", "incident_id": 1}"#;
        let unknown = r#"{"event_type": "POLICY_SLEEPS", "health_rule_name": "CPU", "incident_id": 1}"#;
        let understood = read(&format!("{unknown}, {known}, {{}}")).unwrap();
        assert_eq!((understood.events.len(), understood.left_out), (1, 2));
        let kept_for = understood.unusable.unwrap();
        assert_eq!(kept_for.field(), Some("full_events_list[0].event_type"));
        let of_others = read("{}, null").unwrap();
        assert_eq!((of_others.events.len(), of_others.left_out), (0, 2));
        assert!(of_others.unusable.is_some());
        assert!(read(unknown).is_err());
        let deployment = read(r#"{"event_type": "APPLICATION_DEPLOYMENT"}"#).unwrap();
        assert!(deployment.unusable.is_none() && !deployment.remarks.is_empty());
    }
}
