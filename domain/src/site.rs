//! The configuration of a site, as every stage keeps it from the `config` topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use schemas::config::{Bot, ConfigEntry, Environment, Integration, Rules, Scenario, Silence};
use schemas::{Alert, Channel};

use crate::silence::{self, CompiledSilence};

/// Everything that was configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// By name.
    pub environments: BTreeMap<String, Environment>,
    /// By name.
    pub scenarios: BTreeMap<String, Scenario>,
    /// By name.
    pub integrations: BTreeMap<String, Integration>,
    /// By name.
    pub bots: BTreeMap<String, Bot>,
    /// The decorator's rules.
    pub rules: Rules,
    /// By the text of their id.
    pub silences: BTreeMap<String, Arc<CompiledSilence>>,
    /// Grows with each change; `None` until the site has been read to its end once.
    pub revision: Option<u64>,
    /// Integration names by the hash of their keys.
    keys: BTreeMap<String, String>,
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
                self.integrations.insert(integration.name.clone(), integration);
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
            _ => {}
        }
    }

    /// The integration whose key has this SHA-256 (hexadecimal digits).
    pub fn integration_of_key(&self, key_hash: &str) -> Option<&Integration> {
        self.keys
            .get(key_hash)
            .and_then(|name| self.integrations.get(name))
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
