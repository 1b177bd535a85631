//! What comes of Azure's activity log: every entry of it is a fired alert of its own, which Azure never resolves.
//! <https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-payload-samples#sample-activity-log-alerts>

use schemas::{EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::Object;

/// The stages of an incident, a maintenance or an advisory of Azure's own at which it is over.
/// <https://learn.microsoft.com/azure/service-health/service-health-notifications-properties>
const LAST_STAGES: [&str; 6] = [
    "resolved",
    "rca",
    "complete",
    "completed",
    "canceled",
    "cancelled",
];

/// Gives an entry of the activity log the identity that it has in common with the entries before it, and ends what it ends.
pub(super) fn follow(
    event: &mut SourceEvent,
    essentials: &Object<'_, '_>,
    context: &Object<'_, '_>,
) -> Result<(), SourceError> {
    if event.status != EventStatus::Firing {
        return Ok(());
    }
    let service = essentials.text("monitoringService")?.unwrap_or_default();
    let signal = essentials.text("signalType")?.unwrap_or_default();
    let is_of_log = is(&signal, "Activity Log")
        || ["ServiceHealth", "Resource Health"]
            .iter()
            .any(|known| is(&service, known))
        || service.starts_with("Activity Log");
    if !is_of_log {
        return Ok(());
    }
    let rule = essentials
        .first(&["alertRule", "alertRuleID"])?
        .unwrap_or_default();
    let properties = context.member("properties");
    let property = |name: &str| match &properties {
        Some(properties) => properties.set(name),
        None => Ok(None),
    };
    let resource = || -> Result<Option<String>, SourceError> {
        let named = context.set("resourceId")?;
        // Azure writes one id now in these, now in those letters.
        Ok(named
            .or_else(|| essentials.flat("alertTargetIDs"))
            .map(|id| id.to_ascii_lowercase()))
    };
    if let Some(id) = property("trackingId")? {
        event.add_label("trackingId", Some(id.clone()));
        for name in ["stage", "incidentType", "service", "region"] {
            event.add_label(name, property(name)?);
        }
        event.identity = vec!["service-health".to_owned(), rule, id];
        let stage = match property("stage")? {
            Some(stage) => Some(stage),
            None => context.set("status")?,
        };
        end_if(event, stage, &LAST_STAGES);
    } else if let Some(health) = property("currentHealthStatus")?
        && let Some(resource) = resource()?
    {
        event.add_label("health", Some(health.clone()));
        event.identity = vec!["resource-health".to_owned(), rule, resource];
        end_if(event, Some(health), &["available"]);
    } else if let Some(operation) = context.first(&["operationId", "correlationId"])? {
        // Started, Accepted and Succeeded are one operation.
        event.identity = vec!["operation".to_owned(), rule, operation];
    }
    Ok(())
}

fn end_if(event: &mut SourceEvent, word: Option<String>, ends: &[&str]) {
    if word.is_some_and(|word| ends.iter().any(|end| is(&word, end))) {
        event.status = EventStatus::Resolved;
        event.severity = Severity::Ok;
    }
}

fn is(word: &str, known: &str) -> bool {
    let letters = |text: &str| text.replace([' ', '-', '_'], "").to_ascii_lowercase();
    letters(word) == letters(known)
}
