//! The site as it is shown: without keys and secrets.

use std::collections::BTreeMap;

use schemas::config::ConfigEntry;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The sections of a site document, without keys and secrets, and the revision that has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ShownSite(Map<String, Value>);

impl ShownSite {
    pub(super) fn of(revision: u64, entries: BTreeMap<String, ConfigEntry>) -> Self {
        let mut site = json!({ "revision": revision, "environments": [], "scenarios": [], "integrations": [],
            "bots": [], "rules": [], "mappings": [], "heartbeats": [] });
        for entry in entries.into_values() {
            if let ConfigEntry::Rules(rules) = entry {
                site["rules"] = json!(rules.rules);
                continue;
            }
            let Some((section, value)) = shown(entry) else {
                continue;
            };
            if let Some(section) = site[section].as_array_mut() {
                section.push(value);
            }
        }
        Self(site.as_object().cloned().unwrap_or_default())
    }
}

/// The section of an entry, and what is shown of it.
fn shown(entry: ConfigEntry) -> Option<(&'static str, Value)> {
    Some(match entry {
        ConfigEntry::Environment(environment) => ("environments", json!(environment)),
        ConfigEntry::Scenario(scenario) => ("scenarios", json!(scenario)),
        ConfigEntry::Integration(integration) => (
            "integrations",
            json!({ "name": integration.name, "type": integration.source_type,
                "environment": integration.environment, "scenario": integration.scenario,
                "keys": integration.key_hashes.len(), "limits": integration.limits,
                "signed": !integration.sealed_signing_secrets.is_empty(), "sns_topics": integration.sns_topics,
                "mqtt_topics": integration.mqtt_topics }),
        ),
        ConfigEntry::Bot(bot) => (
            "bots",
            json!({ "name": bot.name, "channel": bot.channel, "settings": bot.settings,
                "secrets": bot.sealed_secrets.keys().collect::<Vec<_>>() }),
        ),
        ConfigEntry::Mapping(mapping) => ("mappings", json!(mapping)),
        ConfigEntry::Heartbeat(heartbeat) => ("heartbeats", json!(heartbeat)),
        // Silences are no part of a site document.
        ConfigEntry::Rules(_) | ConfigEntry::Silence(_) | ConfigEntry::Revision(_) => return None,
    })
}
