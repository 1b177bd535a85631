//! Google Cloud Monitoring: its webhook, version 1.2.
//!
//! Identity: the id of the incident.

use http::HeaderMap;
use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Node, Object, Place};
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};
use crate::text::severity;

/// The entry of this source in the registry.
pub(crate) const SOURCE: Source = Source {
    name: "gcp",
    title: "Google Cloud Monitoring webhook, version 1.2",
    documentation: "docs/sources/gcp.md",
    methods: POST,
    parse,
};

const STATES: &str = "send open or closed, as Google does";

/// Parses one incident.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    if body.text("version")?.as_deref() == Some("test") {
        return Ok(ParsedBody::nothing(
            "a test of the webhook is no incident; it has arrived",
        ));
    }
    let incident = body.required(
        "incident",
        "send the body of the webhook of Google Cloud as it is",
    )?;
    Ok(event(&incident.object()?)?.into())
}

fn event(incident: &Object<'_, '_>) -> Result<SourceEvent, SourceError> {
    let state = incident.needed(&["state"], STATES)?;
    let status = match state.to_ascii_lowercase().as_str() {
        "open" => EventStatus::Firing,
        "closed" => EventStatus::Resolved,
        _ => return Err(incident.refuse(&["state"], &state, STATES)),
    };
    let id = incident.needed(&["incident_id"], "send the incident with its id")?;
    let labels = incident.texts("policy_user_labels")?;
    // The severity of a policy without one.
    let given = incident.set("severity")?.filter(|word| !is_none(word));
    let severity = severity(given.as_deref().or(labels.get("severity").map(String::as_str)));
    let mut event = SourceEvent::new(["incident", &id], status, severity);
    event.labels = labels;
    event.name = incident
        .first(&["policy_name", "condition_name"])?
        .unwrap_or_else(|| format!("incident {id}"));
    event.service = incident.text("resource_type_display_name")?;
    event.source = "gcp".to_owned();
    if let Some(resource) = incident.member("resource") {
        event.source = resource.text("type")?.unwrap_or(event.source);
        for (name, value) in resource.texts("labels")? {
            event.labels.entry(name).or_insert(value);
        }
    }
    event.object = incident
        .first(&["resource_display_name", "resource_name", "resource_id"])?
        .unwrap_or_else(|| event.name.clone());
    event.output = incident.text("summary")?.unwrap_or_default();
    match incident.member("documentation") {
        Some(documentation) => document(&mut event, &documentation)?,
        // Incidents of the time before version 1.2 have a text.
        None => event.add_annotation("documentation", incident.flat("documentation")),
    }
    event.add_label("condition", incident.text("condition_name")?);
    event.add_label("project", incident.text("scoping_project_id")?);
    if let Some(metric) = incident.member("metric") {
        event.add_label("metric", metric.first(&["displayName", "type"])?);
    }
    event.ask_by_labels();
    event.add_link("Alert URL", incident.text("url")?.unwrap_or_default());
    let time = match status {
        EventStatus::Resolved => "ended_at",
        _ => "started_at",
    };
    event.occurred_at = incident.moment(time, &mut event.warnings)?;
    Ok(event)
}

/// The documentation of the policy: a text, a subject line, and links.
///
/// The fields are those of `AlertPolicy.Documentation`:
/// <https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#Documentation>.
fn document(event: &mut SourceEvent, documentation: &Object<'_, '_>) -> Result<(), SourceError> {
    event.add_annotation("documentation", documentation.flat("content"));
    event.add_annotation("documentation_subject", documentation.flat("subject"));
    let Some(links) = documentation.get("links").filter(Node::is_list) else {
        return Ok(());
    };
    let place = links.place;
    for (index, raw) in links.list()?.into_iter().enumerate() {
        // A bad link must not cost the alert.
        let Ok(link) = Node::new(raw, Place::Item(&place, index)).object() else {
            continue;
        };
        if let Some(address) = link.flat("url") {
            let title = link.flat("displayName").unwrap_or_else(|| address.clone());
            event.add_link(&title, address);
        }
    }
    Ok(())
}

fn severity(word: Option<&str>) -> Severity {
    match word {
        Some(word) if !is_none(word) => severity::of_word(word).unwrap_or(Severity::Unknown),
        _ => Severity::Critical,
    }
}

fn is_none(word: &str) -> bool {
    matches!(
        word.trim().to_ascii_lowercase().as_str(),
        "" | "no severity" | "severity_unspecified"
    )
}
