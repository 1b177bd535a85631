//! The configuration of a site, as every stage keeps it from the `config` topic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use schemas::config::{Bot, ConfigEntry, Environment, Heartbeat, Integration, Rules, Scenario, Silence};
use schemas::{Alert, Channel};

use crate::mapping::CompiledMapping;
use crate::silence::{self, CompiledSilence};
use crate::topic_filter;

/// Everything that was configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// By name.
    pub environments: BTreeMap<String, Environment>,
    /// By name.
    pub scenarios: BTreeMap<String, Scenario>,
    /// By name.
    pub integrations: BTreeMap<String, Arc<Integration>>,
    /// By name.
    pub bots: BTreeMap<String, Bot>,
    /// The decorator's rules.
    pub rules: Rules,
    /// By the text of their id.
    pub silences: BTreeMap<String, Arc<CompiledSilence>>,
    /// By name.
    pub mappings: BTreeMap<String, Arc<CompiledMapping>>,
    /// By name.
    pub heartbeats: BTreeMap<String, Heartbeat>,
    /// Grows with each change; `None` until the site has been read to its end once.
    pub revision: Option<u64>,
    /// Integration names by the hash of their keys.
    keys: BTreeMap<String, String>,
    /// Names of the heartbeats that alerts call, by integration.
    called_by_alerts: BTreeMap<String, BTreeSet<String>>,
}

impl Site {
    /// Takes in one record of the topic: the entry, or the removal of the key.
    pub fn apply(&mut self, key: &str, entry: Option<ConfigEntry>) {
        self.remove(key);
        match entry {
            Some(ConfigEntry::Environment(environment)) => {
                self.environments.insert(environment.name.clone(), environment);
            }
            Some(ConfigEntry::Scenario(scenario)) => {
                self.scenarios.insert(scenario.name.clone(), scenario);
            }
            Some(ConfigEntry::Integration(integration)) => {
                for hash in &integration.key_hashes {
                    self.keys.insert(hash.clone(), integration.name.clone());
                }
                self.integrations
                    .insert(integration.name.clone(), Arc::new(integration));
            }
            Some(ConfigEntry::Bot(bot)) => {
                self.bots.insert(bot.name.clone(), bot);
            }
            Some(ConfigEntry::Rules(rules)) => self.rules = rules,
            // One that cannot be used is refused when it is made; should one slip through, it silences nothing.
            Some(ConfigEntry::Silence(silence)) => {
                if let Ok(compiled) = CompiledSilence::compile(silence) {
                    self.silences
                        .insert(compiled.silence().id.to_string(), Arc::new(compiled));
                }
            }
            // As with silences: one that slips through is a source that is not there.
            Some(ConfigEntry::Mapping(mapping)) => {
                if let Ok(compiled) = CompiledMapping::compile(*mapping) {
                    self.mappings
                        .insert(compiled.name().to_owned(), Arc::new(compiled));
                }
            }
            Some(ConfigEntry::Heartbeat(heartbeat)) => {
                if heartbeat.alert.is_some() {
                    let called = self
                        .called_by_alerts
                        .entry(heartbeat.integration.clone())
                        .or_default();
                    called.insert(heartbeat.name.clone());
                }
                self.heartbeats.insert(heartbeat.name.clone(), heartbeat);
            }
            Some(ConfigEntry::Revision(revision)) => self.revision = Some(revision.revision),
            None => {}
        }
    }

    fn remove(&mut self, key: &str) {
        let Some((kind, name)) = key.split_once('/') else {
            return;
        };
        match kind {
            "environment" => drop(self.environments.remove(name)),
            "scenario" => drop(self.scenarios.remove(name)),
            "integration" => {
                self.integrations.remove(name);
                self.keys.retain(|_, integration| integration != name);
            }
            "bot" => drop(self.bots.remove(name)),
            "rules" => self.rules = Rules::default(),
            "silence" => drop(self.silences.remove(name)),
            "mapping" => drop(self.mappings.remove(name)),
            "heartbeat" => {
                self.heartbeats.remove(name);
                self.called_by_alerts.retain(|_, called| {
                    called.remove(name);
                    !called.is_empty()
                });
            }
            _ => {}
        }
    }

    /// The integration whose key has this SHA-256 (hexadecimal digits).
    pub fn integration_of_key(&self, key_hash: &str) -> Option<&Arc<Integration>> {
        self.keys
            .get(key_hash)
            .and_then(|name| self.integrations.get(name))
    }

    /// The integrations to which messages of this MQTT topic belong.
    pub fn integrations_of_topic(&self, topic: &str) -> impl Iterator<Item = &Arc<Integration>> {
        self.integrations.values().filter(move |integration| {
            let mut filters = integration.mqtt_topics.iter();
            filters.any(|filter| topic_filter::matches(filter, topic))
        })
    }

    /// The heartbeats that alerts of this integration call.
    pub fn heartbeats_called_by_alerts(&self, integration: &str) -> impl Iterator<Item = &Heartbeat> {
        let called = self.called_by_alerts.get(integration).into_iter().flatten();
        called.filter_map(|name| self.heartbeats.get(name))
    }

    /// The silences that hold the alert back at this time.
    pub fn silencing(&self, alert: &Alert, now: Timestamp) -> impl Iterator<Item = &Silence> {
        self.silences
            .values()
            .filter(move |silence| silence.silences(alert, now))
            .map(|silence| silence.silence())
    }

    /// Whether somebody who was not told under the site before might be under this one.
    pub fn may_tell_more_than(&self, before: &Site, now: Timestamp) -> bool {
        self.scenarios != before.scenarios || silence::lifted(&before.silences, &self.silences, now)
    }

    /// The bot of a channel: the named one, or the only one there is.
    pub fn bot(&self, channel: Channel, name: Option<&str>) -> Option<&Bot> {
        match name {
            Some(name) => self.bots.get(name).filter(|bot| bot.channel == channel),
            None => {
                let mut bots = self.bots.values().filter(|bot| bot.channel == channel);
                bots.next().filter(|_| bots.next().is_none())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integration(name: &str, hashes: &[&str]) -> ConfigEntry {
        ConfigEntry::Integration(Integration {
            name: name.to_owned(),
            source_type: "api".to_owned(),
            environment: "default".to_owned(),
            scenario: "default".to_owned(),
            key_hashes: hashes.iter().map(|hash| (*hash).to_owned()).collect(),
            ..Integration::default()
        })
    }

    #[test]
    fn a_key_that_was_taken_away_is_unknown() {
        let mut site = Site::default();
        site.apply("integration/a", Some(integration("a", &["1", "2"])));
        assert_eq!(site.integration_of_key("2").map(|i| i.name.as_str()), Some("a"));
        site.apply("integration/a", Some(integration("a", &["1"])));
        assert_eq!(site.integration_of_key("2"), None);
        site.apply("integration/a", None);
        assert_eq!(site.integration_of_key("1"), None);
    }

    #[test]
    fn a_channel_with_two_bots_needs_a_name() {
        let bot = |name: &str| Bot {
            name: name.to_owned(),
            channel: Channel::Slack,
            settings: BTreeMap::new(),
            sealed_secrets: BTreeMap::new(),
        };
        let mut site = Site::default();
        site.apply("bot/a", Some(ConfigEntry::Bot(bot("a"))));
        assert_eq!(site.bot(Channel::Slack, None).map(|b| b.name.as_str()), Some("a"));
        assert_eq!(site.bot(Channel::Email, None), None);
        site.apply("bot/b", Some(ConfigEntry::Bot(bot("b"))));
        assert_eq!(site.bot(Channel::Slack, None), None);
        assert_eq!(
            site.bot(Channel::Slack, Some("b")).map(|b| b.name.as_str()),
            Some("b")
        );
        assert_eq!(site.bot(Channel::Email, Some("b")), None);
    }
}
