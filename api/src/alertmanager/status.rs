//! Receivers and status, in Alertmanager's shapes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemas::config::ConfigEntry;
use serde_json::{Value, json};

use super::alerts::Named;
use super::refusal::Refusal;
use super::time;
use crate::{Api, site};

/// The receiver of a site without scenarios: a configuration of Alertmanager has at least one.
const NO_RECEIVER: &str = "nobody";

/// Scenarios: they say who is notified.
pub(super) async fn receivers(State(api): State<Arc<Api>>) -> Result<Json<Vec<Named>>, Refusal> {
    Ok(Json(scenarios(&api).await?))
}

pub(super) async fn status(State(api): State<Arc<Api>>) -> Result<Json<Value>, Refusal> {
    let original = configuration(&scenarios(&api).await?);
    Ok(Json(json!({
        "cluster": { "peers": [], "status": "disabled" },
        "config": { "original": original },
        "uptime": time(api.started_at),
        "versionInfo": {
            "branch": "",
            "buildDate": "",
            "buildUser": "",
            "goVersion": "",
            "revision": format!("reveille-{}", env!("CARGO_PKG_VERSION")),
            "version": &*api.alertmanager_version,
        },
    })))
}

async fn scenarios(api: &Api) -> Result<Vec<Named>, Refusal> {
    let entries = site::entries(&api.store.site().await?).into_values();
    let scenarios = entries.filter_map(|entry| match entry {
        ConfigEntry::Scenario(scenario) => Some(Named { name: scenario.name }),
        _ => None,
    });
    Ok(scenarios.collect())
}

/// A configuration that Alertmanager's tools can read. A JSON text is one of YAML too.
fn configuration(scenarios: &[Named]) -> String {
    let first = scenarios
        .first()
        .map_or(NO_RECEIVER, |scenario| scenario.name.as_str());
    let others = scenarios.iter().skip(1).map(|scenario| scenario.name.as_str());
    let receivers: String = std::iter::once(first)
        .chain(others)
        .map(|name| format!("- name: {}\n", json!(name)))
        .collect();
    format!(
        "# The scenarios of Reveille's site. Which of them an alert has is said there.\n\
         route:\n  receiver: {}\nreceivers:\n{receivers}",
        json!(first)
    )
}
