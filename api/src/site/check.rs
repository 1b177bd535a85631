//! Whether a document makes sense, and the entries that it makes.

use std::collections::{BTreeMap, BTreeSet};

use chassis::secrets::SiteKey;
use schemas::config::{ConfigEntry, Environment, Integration, READY_MADE_TYPES, Rule, Rules, SOURCE_TYPES};
use serde_saphyr::Spanned;

use super::document::{Document, Problem, RuleText, items};

mod bot;
mod heartbeat;
mod integration;
mod mapping;
mod references;
mod scenario;

pub(super) use mapping::mappings;

/// The longest delay, in seconds: 400 days.
const LONGEST_DELAY: u64 = 400 * 86_400;

/// The whole site after the document, or everything that is wrong with it.
pub(super) fn resolve(
    document: &Document,
    before: &BTreeMap<String, ConfigEntry>,
    key: &SiteKey,
) -> Result<BTreeMap<String, ConfigEntry>, Vec<Problem>> {
    let mut check = Check {
        key,
        problems: Vec::new(),
        after: kept(document, before),
    };
    check.environments(document);
    check.bots(document);
    check.scenarios(document);
    check.mappings(document);
    check.integrations(document);
    check.heartbeats(document);
    check.without_heartbeats_of_clients_that_are_gone();
    check.rules(document);
    check.what_stays(document, before);
    if check.problems.is_empty() {
        Ok(check.after)
    } else {
        Err(check.problems)
    }
}

/// What the document says nothing about.
fn kept(document: &Document, before: &BTreeMap<String, ConfigEntry>) -> BTreeMap<String, ConfigEntry> {
    let kept = |entry: &ConfigEntry| match entry {
        ConfigEntry::Environment(_) => document.environments.is_none(),
        ConfigEntry::Scenario(_) => document.scenarios.is_none(),
        ConfigEntry::Integration(_) => document.integrations.is_none(),
        ConfigEntry::Bot(_) => document.bots.is_none(),
        ConfigEntry::Rules(_) => document.rules.is_none(),
        ConfigEntry::Mapping(_) => document.mappings.is_none(),
        ConfigEntry::Heartbeat(heartbeat) => document.heartbeats.is_none() || heartbeat.by_client.is_some(),
        // Operators make these, whatever a document says.
        ConfigEntry::Silence(_) => true,
        ConfigEntry::Revision(_) => false,
    };
    before
        .iter()
        .filter(|(_, entry)| kept(entry))
        .map(|(key, entry)| (key.clone(), entry.clone()))
        .collect()
}

struct Check<'a> {
    key: &'a SiteKey,
    problems: Vec<Problem>,
    after: BTreeMap<String, ConfigEntry>,
}

impl Check<'_> {
    fn problem<T>(&mut self, at: &Spanned<T>, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem::at(at.referenced, message, remedy));
    }

    /// Adds an entry under its name, which must be a good one and not be taken.
    fn add(&mut self, name: &Spanned<String>, entry: ConfigEntry) {
        let good = |character: char| character.is_alphanumeric() || "-_. ".contains(character);
        if name.value.trim().is_empty() || !name.value.chars().all(good) {
            self.problem(
                name,
                format!("{:?} is not a name", name.value),
                "use letters, digits, spaces and - _ .",
            );
        }
        let key = entry.key();
        if self.after.contains_key(&key) {
            self.problem(
                name,
                format!("there are two of {key}"),
                "give each a name of its own",
            );
        }
        self.after.insert(key, entry);
    }

    /// The reference must name something that will be there.
    fn reference(&mut self, kind: &str, name: &Spanned<String>) {
        let prefix = format!("{kind}/");
        if self.after.contains_key(&format!("{prefix}{}", name.value)) {
            return;
        }
        let known: Vec<_> = self
            .after
            .keys()
            .filter_map(|key| key.strip_prefix(&prefix))
            .collect();
        let remedy = match nearest(&name.value, &known) {
            Some(nearest) => format!("did you mean {nearest:?}?"),
            None => format!("declare it under `{kind}s`"),
        };
        let message = format!("there is no {kind} {:?}", name.value);
        self.problem(name, message, remedy);
    }

    fn word<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, text: &Spanned<String>) -> Option<T> {
        match text.value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let error: T::Err = error;
                let error = error.to_string();
                let (message, remedy) = error
                    .split_once(": ")
                    .unwrap_or((&error, "docs/site.md shows every value"));
                self.problem(text, message, remedy);
                None
            }
        }
    }

    fn environments(&mut self, document: &Document) {
        let mut numbers = BTreeSet::new();
        for text in items(&document.environments) {
            let number = self.number_of_its_own(text.number.as_ref(), &mut numbers);
            let environment = Environment {
                name: text.name.value.clone(),
                description: text.description.clone(),
                number,
            };
            self.add(&text.name, ConfigEntry::Environment(environment));
        }
    }

    /// Harp's senders name environments and scenarios by number.
    fn number_of_its_own(&mut self, number: Option<&Spanned<i64>>, taken: &mut BTreeSet<i64>) -> Option<i64> {
        let number = number?;
        if !taken.insert(number.value) {
            self.problem(
                number,
                format!("the number {} stands twice", number.value),
                "give each a number of its own",
            );
        }
        Some(number.value)
    }

    fn delay(&mut self, text: &Spanned<String>) -> Option<u64> {
        let value = text.value.trim();
        let delay = seconds(value).filter(|delay| *delay <= LONGEST_DELAY);
        if delay.is_none() {
            self.problem(
                text,
                format!("{value:?} is not a delay"),
                "write numbers and s, m, h or d, such as 5m or 1h30m, and at most 400d",
            );
        }
        delay
    }

    fn integrations(&mut self, document: &Document) {
        let (mut keys, mut topics) = (BTreeSet::new(), BTreeSet::new());
        for text in items(&document.integrations) {
            self.reference("environment", &text.environment);
            self.reference("scenario", &text.scenario);
            self.source_type(&text.source_type);
            let named_keys = text.named_keys.iter();
            let integration = Integration {
                name: text.name.value.clone(),
                source_type: text.source_type.value.clone(),
                environment: text.environment.value.clone(),
                scenario: text.scenario.value.clone(),
                key_hashes: self.keys(text, &mut keys),
                key_terms: named_keys.map(|key| self.key_terms(key)).collect(),
                limits: self.limits(text.limits.as_ref()),
                sealed_signing_secrets: self.signing_secrets(text),
                sns_topics: self.sns_topics(text),
                mqtt_topics: self.mqtt_topics(text, &mut topics),
            };
            self.add(&text.name, ConfigEntry::Integration(integration));
        }
    }

    /// A source, or a mapping of the site or a ready-made one.
    fn source_type(&mut self, name: &Spanned<String>) {
        let mappings = self.after.keys().filter_map(|key| key.strip_prefix("mapping/"));
        let ready_made = READY_MADE_TYPES.into_iter();
        let known: Vec<_> = SOURCE_TYPES
            .into_iter()
            .chain(ready_made)
            .chain(mappings)
            .collect();
        if known.contains(&name.value.as_str()) {
            return;
        }
        let remedy = match nearest(&name.value, &known) {
            Some(nearest) => format!("did you mean {nearest:?}?"),
            None => format!("there are {}; declare another under `mappings`", known.join(", ")),
        };
        self.problem(name, format!("there is no source {:?}", name.value), remedy);
    }

    fn rules(&mut self, document: &Document) {
        let Some(texts) = &document.rules else { return };
        let rules = texts.value.iter().filter_map(|text| self.rule(text)).collect();
        let rules = ConfigEntry::Rules(Rules { rules });
        self.after.insert(rules.key(), rules);
    }

    fn rule(&mut self, text: &RuleText) -> Option<Rule> {
        let severity = match &text.severity {
            None => None,
            Some(severity) => Some(self.word(severity)?),
        };
        let rule = Rule {
            name: text.name.value.clone(),
            when: text.when.value.clone(),
            labels: text.labels.clone(),
            severity,
            runbook: text.runbook.clone(),
            drop: text.drop.clone(),
        };
        if let Err(error) = domain::rules::check(&rule) {
            self.problem(
                &text.when,
                error.to_string(),
                "docs/site.md lists what an expression can name",
            );
        }
        Some(rule)
    }
}

/// The seconds of a text such as `90`, `5m` or `1h30m`.
fn seconds(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let mut rest = text;
    let mut whole: u64 = 0;
    while !rest.is_empty() {
        let (number, more) = rest.split_at(rest.find(|character: char| !character.is_ascii_digit())?);
        let unit = match more.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        whole = whole.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = &more[1..];
    }
    (!text.is_empty()).then_some(whole)
}

/// The known word that is nearest, if one is near at all.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), *known))
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .min()
        .map(|(_, known)| known)
}
