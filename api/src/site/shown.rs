//! The site as it is shown: without keys and secrets.

use std::collections::BTreeMap;

use schemas::config::ConfigEntry;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::kinds::KINDS;

/// The sections of a site document, without keys and secrets, and the revision that has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ShownSite(Map<String, Value>);

impl ShownSite {
    pub(super) fn of(revision: u64, entries: &BTreeMap<String, ConfigEntry>) -> Self {
        let mut site = Map::from_iter([("revision".to_owned(), json!(revision))]);
        for kind in &KINDS {
            let of_kind = entries.values().filter(|entry| entry.kind() == kind.name);
            let shown: Vec<_> = of_kind.flat_map(|entry| (kind.shown)(entry)).collect();
            site.insert(kind.section.to_owned(), Value::Array(shown));
        }
        Self(site)
    }
}
