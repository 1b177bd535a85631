//! AppDynamics: the body of its HTTP request action, made by a template: the one of Harp.
//!
//! Identity: the id of the incident; without one, application, health rule and affected entities.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::formats::lenient;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::address::origin;
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "appdynamics",
    title: "AppDynamics HTTP request action",
    documentation: "docs/sources/appdynamics.md",
    methods: POST,
    parse,
};

const KIND: [&str; 2] = ["event_type", "event_type_key"];
const KINDS: &str = "send ${event.eventType} as it is: POLICY_OPEN_…, POLICY_CONTINUES_…, POLICY_UPGRADED, POLICY_DOWNGRADED, \
                     POLICY_CLOSE_… or POLICY_CANCELED_…";
/// An entity of this type is named by its host and its service.
const NODE: &str = "APPLICATION_COMPONENT_NODE";

/// Parses the events of one action.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(body);
    let body = json::body(&repaired.body)?.object()?;
    let place = Place::Member(&body.place, "full_events_list");
    let list = body
        .required("full_events_list", "send the list of the events of the action")?
        .list()?;
    let mut parsed = ParsedBody::default().with_warning(repaired.warning);
    let mut wrong = None;
    for (index, raw) in list.into_iter().enumerate() {
        match alert(&body, Node::new(raw, Place::Item(&place, index))) {
            Ok(alert) => parsed.events.push(alert),
            Err(NoAlert::OfNoHealthRule(kind)) => {
                let warning = format!("{kind} is not of a health rule and never ends, so it was left out");
                parsed.warnings.push(warning);
            }
            Err(NoAlert::Unreadable(error)) => parsed.skip(error),
            Err(NoAlert::Wrong(error)) => {
                wrong.get_or_insert_with(|| error.clone());
                parsed.skip(error);
            }
        }
    }
    if let Some(error) = wrong.filter(|_| parsed.events.is_empty()) {
        return Err(error);
    }
    if body.set("clamped")?.as_deref() == Some("true") {
        let warning = "AppDynamics left out events; raise the clamp limit of its HTTP request template";
        parsed.warnings.push(warning.to_owned());
    }
    Ok(parsed)
}

/// Why an event of an action is no alert.
enum NoAlert {
    /// An event that is no violation.
    OfNoHealthRule(String),
    /// Nobody can say what it is.
    Unreadable(SourceError),
    /// An event of a health rule without a required field.
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

/// By the type, else by the severity of AppDynamics.
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
            super::parse(&HeaderMap::new(), body.as_bytes())
        };
        let known = r#"{"event_type": "POLICY_OPEN_CRITICAL", "health_rule_name": "CPU", "incident_id": 1}"#;
        let unknown = r#"{"event_type": "POLICY_SLEEPS", "health_rule_name": "CPU", "incident_id": 1}"#;
        let parsed = read(&format!("{unknown}, {known}, {{}}")).unwrap();
        assert_eq!((parsed.events.len(), parsed.skipped), (1, 2));
        let kept_for = parsed.unusable.unwrap();
        assert_eq!(kept_for.field(), Some("full_events_list[0].event_type"));
        let of_others = read("{}, null").unwrap();
        assert_eq!((of_others.events.len(), of_others.skipped), (0, 2));
        assert!(of_others.unusable.is_some());
        assert!(read(unknown).is_err());
        let deployment = read(r#"{"event_type": "APPLICATION_DEPLOYMENT"}"#).unwrap();
        assert!(deployment.unusable.is_none() && !deployment.warnings.is_empty());
    }
}
