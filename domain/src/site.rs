//! The configuration of a site, as every stage keeps it from the `config` topic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use schemas::config::{Bot, ConfigEntry, Environment, Heartbeat, Integration, Rules, Scenario, Silence};
use schemas::{Alert, Channel, Fingerprint};

use crate::identity;
use crate::mapping::CompiledMapping;
use crate::silence::{self, CompiledSilence, SilenceIndex};
use crate::topic_filter;

/// How often what changes all the time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The time of an alert's last event, while nothing else changes.
    pub last_seen: SignedDuration,
    /// A line of the history, and a message to those who follow, while only the text of the alert changes.
    pub text: SignedDuration,
}

impl Pace {
    /// So many seconds each, where a number is given.
    pub fn of_seconds(last_seen: Option<u32>, text: Option<u32>) -> Self {
        let seconds = |seconds: u32| SignedDuration::from_secs(seconds.into());
        let usual = Self::default();
        Self {
            last_seen: last_seen.map_or(usual.last_seen, seconds),
            text: text.map_or(usual.text, seconds),
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            last_seen: SignedDuration::from_secs(60),
            text: SignedDuration::from_secs(60),
        }
    }
}

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
    /// Entries that cannot be used by this version, by key, each with the error. What was there before under the key
    /// stays in use.
    pub unusable: BTreeMap<String, String>,
    /// How often what changes all the time is written. A setting of the process, and no part of the topic.
    pub pace: Pace,
    silence_index: SilenceIndex,
    /// Integration names by the hash of their keys.
    keys: BTreeMap<String, String>,
    /// Names of the heartbeats that alerts call, by integration.
    called_by_alerts: BTreeMap<String, BTreeSet<String>>,
}

/// The alerts that a change of the site may affect, so that they are evaluated again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Affected {
    /// All that are open.
    All,
    /// Only some.
    Some(AffectedAlerts),
}

/// Some alerts that a change of the site may affect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AffectedAlerts {
    /// Those of which a step is held back by one of these silences, as they were before the change.
    pub silences: Vec<Arc<CompiledSilence>>,
    /// Those of removed heartbeats.
    pub heartbeats: BTreeSet<Fingerprint>,
}

impl Affected {
    /// Whether it is no alert.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Some(alerts) if *alerts == AffectedAlerts::default())
    }

    /// The alerts of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Some(mut alerts), Self::Some(others)) => {
                for silence in others.silences {
                    if !alerts.silences.contains(&silence) {
                        alerts.silences.push(silence);
                    }
                }
                alerts.heartbeats.extend(others.heartbeats);
                Self::Some(alerts)
            }
            _ => Self::All,
        }
    }

    /// Whether it is this alert, if that is held back by a silence or belongs to a heartbeat.
    pub fn contains(&self, alert: &Alert) -> bool {
        match self {
            Self::All => true,
            Self::Some(alerts) => {
                alerts.silences.iter().any(|silence| silence.matches(alert))
                    || alerts.heartbeats.contains(&alert.fingerprint)
            }
        }
    }
}

impl AffectedAlerts {
    /// Those that a silence holds back have a deadline that is not later: it is the end of the silence, if nothing comes
    /// before. `None` if there are no silences.
    pub fn silenced_until(&self) -> Option<Timestamp> {
        self.silences
            .iter()
            .map(|silence| silence.silence().ends_at)
            .max()
    }
}

impl Site {
    /// A site without entries, for a process that writes at this pace.
    pub fn at_pace(pace: Pace) -> Self {
        Self {
            pace,
            ..Self::default()
        }
    }

    /// Takes in one record of the topic: the entry, or the removal of the key. One that cannot be used is on record as
    /// such, and changes nothing else.
    pub fn apply(&mut self, key: &str, entry: Option<ConfigEntry>) {
        match entry {
            Some(ConfigEntry::Silence(silence)) => match CompiledSilence::compile(silence) {
                Ok(compiled) => {
                    self.remove(key);
                    self.silence_index.insert(&compiled);
                    let id = compiled.silence().id.to_string();
                    self.silences.insert(id, Arc::new(compiled));
                }
                Err(error) => self.cannot_use(key, &error),
            },
            Some(ConfigEntry::Mapping(mapping)) => match CompiledMapping::compile(*mapping) {
                Ok(compiled) => {
                    self.remove(key);
                    let name = compiled.name().to_owned();
                    self.mappings.insert(name, Arc::new(compiled));
                }
                Err(error) => self.cannot_use(key, &error),
            },
            other => {
                self.remove(key);
                self.insert(other);
            }
        }
    }

    /// The entry under this key cannot be used.
    pub fn cannot_use(&mut self, key: &str, error: &impl ToString) {
        self.unusable.insert(key.to_owned(), error.to_string());
    }

    fn insert(&mut self, entry: Option<ConfigEntry>) {
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
            Some(ConfigEntry::Silence(_) | ConfigEntry::Mapping(_)) | None => {}
        }
    }

    fn remove(&mut self, key: &str) {
        self.unusable.remove(key);
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
            "silence" => {
                if let Some(silence) = self.silences.remove(name) {
                    self.silence_index.remove(&silence);
                }
            }
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
        let candidates = self.silence_index.candidates(alert).into_iter();
        let candidates = candidates.filter_map(|id| self.silences.get(id));
        let silencing = candidates.filter(move |silence| silence.silences(alert, now));
        // Few, and so nothing of the alert is kept.
        let silencing: Vec<_> = silencing.map(|silence| silence.silence()).collect();
        silencing.into_iter()
    }

    /// The alerts that are to be evaluated again after a change of the site: people may be notified of them now, or their
    /// heartbeat is gone.
    pub fn affected_since(&self, before: &Site, now: Timestamp) -> Affected {
        if self.scenarios != before.scenarios || self.bots != before.bots {
            return Affected::All;
        }
        let is_removed = |heartbeat: &&Heartbeat| {
            let declared = self.heartbeats.get(&heartbeat.name);
            declared.is_none_or(|declared| declared.integration != heartbeat.integration)
        };
        let removed = before.heartbeats.values().filter(is_removed);
        let heartbeats =
            removed.map(|heartbeat| identity::of_heartbeat(&heartbeat.integration, &heartbeat.name));
        Affected::Some(AffectedAlerts {
            silences: silence::lifted(&before.silences, &self.silences, now),
            heartbeats: heartbeats.collect(),
        })
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
    use crate::transition::examples::{at, open_alert, silence};

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
    fn l19_a_silence_or_mapping_that_cannot_be_used_is_on_record_and_the_one_before_stays() {
        let good = silence(1, &["team=pay"], 0, 100);
        let key = ConfigEntry::Silence(good.clone()).key();
        let mut site = Site::default();
        site.apply(&key, Some(ConfigEntry::Silence(good.clone())));
        let bad = silence(1, &["team=~("], 0, 100);
        site.apply(&key, Some(ConfigEntry::Silence(bad)));
        assert!(
            site.unusable[&key].contains("regular expression"),
            "{:?}",
            site.unusable
        );
        let alert = open_alert().alert;
        assert_eq!(site.silencing(&alert, at(50)).count(), 1);

        site.apply(&key, Some(ConfigEntry::Silence(good)));
        assert!(site.unusable.is_empty());
        site.cannot_use("mapping/x", &"no");
        site.apply("mapping/x", None);
        assert!(site.unusable.is_empty(), "it is gone");
    }

    #[test]
    fn silences_are_found_by_what_they_require_and_all_others_too() {
        let alert = open_alert().alert;
        let mut site = Site::default();
        let of = [
            &["team=pay", "severity=critical"][..],
            &["team=shop"],
            &["severity=critical"],
            &["alertname=~disk.*"],
            &["host=", "object=host-1"],
            &["team!=pay", "alertname=~.+"],
        ];
        for (number, matchers) in (1..).zip(of) {
            let entry = ConfigEntry::Silence(silence(number, matchers, 0, 100));
            site.apply(&entry.key(), Some(entry));
        }
        let found = |site: &Site| -> Vec<u128> {
            let silencing = site.silencing(&alert, at(50));
            silencing.map(|silence| silence.id.as_u128()).collect()
        };
        assert_eq!(found(&site), [1, 3, 4, 5]);
        for number in [1, 4] {
            let key = ConfigEntry::Silence(silence(number, &["a=b"], 0, 100)).key();
            site.apply(&key, None);
        }
        // It concerns others now.
        let entry = ConfigEntry::Silence(silence(3, &["severity=warning"], 0, 100));
        site.apply(&entry.key(), Some(entry));
        assert_eq!(found(&site), [5]);
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
