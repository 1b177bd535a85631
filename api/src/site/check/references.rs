//! Whether what a document leaves as it is still finds what it refers to.

use std::collections::BTreeMap;

use schemas::config::{ConfigEntry, READY_MADE_TYPES, SOURCE_TYPES};
use serde_saphyr::Location;

use super::{Check, kept};
use crate::site::document::{Document, Problem, Section};

impl Check<'_> {
    /// Entries of sections that the document does not have were checked when they were declared, but what they refer to
    /// may be gone with this one.
    pub(super) fn what_stays(&mut self, document: &Document, before: &BTreeMap<String, ConfigEntry>) {
        for (key, entry) in kept(document, before) {
            if !self.after.contains_key(&key) {
                continue;
            }
            for (kind, name) in references(&entry) {
                if !self.after.contains_key(&format!("{kind}/{name}")) {
                    let message = format!("{key}, which stays, refers to {kind} {name:?}, which is gone");
                    let remedy = format!("keep the {kind}, or declare in this document what takes its place");
                    let at = place(document, kind);
                    self.problems.push(Problem::at(at, message, remedy));
                }
            }
            self.bots_that_stay(document, &key, &entry);
        }
    }

    fn bots_that_stay(&mut self, document: &Document, key: &str, entry: &ConfigEntry) {
        let ConfigEntry::Scenario(scenario) = entry else {
            return;
        };
        for target in scenario.steps.iter().flat_map(|step| &step.targets) {
            if let Some((message, remedy)) = self.bot_of(target.channel, target.bot.as_deref()) {
                let message = format!("{key}, which stays, finds no bot: {message}");
                let at = place(document, "bot");
                self.problems.push(Problem::at(at, message, remedy));
            }
        }
    }
}

/// What an entry refers to: kind and name.
fn references(entry: &ConfigEntry) -> Vec<(&'static str, &str)> {
    match entry {
        ConfigEntry::Integration(integration) => {
            let mut references = vec![
                ("environment", integration.environment.as_str()),
                ("scenario", &integration.scenario),
            ];
            let source_type = integration.source_type.as_str();
            if !SOURCE_TYPES.contains(&source_type) && !READY_MADE_TYPES.contains(&source_type) {
                references.push(("mapping", &integration.source_type));
            }
            references
        }
        ConfigEntry::Scenario(scenario) => {
            let targets = scenario.steps.iter().flat_map(|step| &step.targets);
            let bots = targets.filter_map(|target| target.bot.as_deref());
            bots.map(|bot| ("bot", bot)).collect()
        }
        ConfigEntry::Heartbeat(heartbeat) => vec![("integration", &heartbeat.integration)],
        ConfigEntry::Environment(_)
        | ConfigEntry::Bot(_)
        | ConfigEntry::Rules(_)
        | ConfigEntry::Mapping(_)
        | ConfigEntry::Silence(_)
        | ConfigEntry::Revision(_) => Vec::new(),
    }
}

/// Where the section of this kind begins: something is missing in it.
fn place(document: &Document, kind: &str) -> Location {
    fn begins<T>(section: &Section<T>) -> Option<Location> {
        section.as_ref().map(|section| section.referenced)
    }
    let place = match kind {
        "environment" => begins(&document.environments),
        "scenario" => begins(&document.scenarios),
        "integration" => begins(&document.integrations),
        "mapping" => begins(&document.mappings),
        _ => begins(&document.bots),
    };
    place.unwrap_or(Location::UNKNOWN)
}
