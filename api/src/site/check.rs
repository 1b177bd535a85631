//! Whether a document makes sense, and the entries that it makes.

use std::collections::{BTreeMap, BTreeSet};

use chassis::secrets::SiteKey;
use domain::window::Window;
use schemas::config::{
    Bot, ConfigEntry, Environment, Integration, Rule, Rules, SOURCE_TYPES, Scenario, Step, TimeWindow,
    Weekday,
};
use schemas::{Channel, Severity};
use serde_saphyr::Spanned;

use super::document::{BotText, Document, Problem, RuleText, ScenarioText, StepText, WindowText};

mod heartbeat;
mod integration;
mod mapping;

pub(super) use mapping::mappings;

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
    check.rules(document);
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
        ConfigEntry::Heartbeat(_) => document.heartbeats.is_none(),
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
        for text in document.environments.iter().flatten() {
            let environment = Environment {
                name: text.name.value.clone(),
                description: text.description.clone(),
                number: text.number,
            };
            self.add(&text.name, ConfigEntry::Environment(environment));
        }
    }

    fn scenarios(&mut self, document: &Document) {
        for text in document.scenarios.iter().flatten() {
            let scenario = self.scenario(text);
            self.add(&text.name, ConfigEntry::Scenario(scenario));
        }
    }

    fn scenario(&mut self, text: &ScenarioText) -> Scenario {
        // A step that is not enabled is not a step.
        let steps = text.steps.iter().filter_map(|step| {
            let enabled = step.enabled.unwrap_or(true);
            self.step(step).filter(|_| enabled)
        });
        Scenario {
            steps: steps.collect(),
            name: text.name.value.clone(),
            description: text.description.clone(),
            number: text.number,
        }
    }

    fn step(&mut self, text: &StepText) -> Option<Step> {
        let channel: Option<Channel> = self.word(&text.channel);
        if let Some(channel) = channel {
            self.destination(channel, &text.destination);
        }
        if let Some(bot) = &text.bot {
            self.reference("bot", bot);
        } else if let Some(channel) = channel {
            self.only_bot(channel, &text.channel);
        }
        let delay_seconds = text.delay.as_ref().map_or(Some(0), |delay| self.delay(delay));
        let window = text.window.as_ref().map(|window| self.window(window));
        let minimum_severity = match &text.minimum_severity {
            None => Some(Severity::Information),
            Some(severity) => self.word(severity),
        };
        Some(Step {
            channel: channel?,
            destination: text.destination.value.clone(),
            bot: text.bot.as_ref().map(|bot| bot.value.clone()),
            delay_seconds: delay_seconds?,
            window,
            minimum_severity: minimum_severity?,
        })
    }

    fn destination(&mut self, channel: Channel, destination: &Spanned<String>) {
        let text = destination.value.trim();
        let (right, wanted) = match channel {
            Channel::Webhook => (
                text.starts_with("https://") || text.starts_with("http://"),
                "a URL, such as https://example.org/hook",
            ),
            Channel::Slack => (
                !text.is_empty() && !text.contains(char::is_whitespace),
                "a Slack channel, such as \"#ops\" or C024BE91L",
            ),
            Channel::Email => (
                text.split_once('@')
                    .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
                    && !text.contains(char::is_whitespace),
                "an e-mail address",
            ),
        };
        if !right {
            self.problem(
                destination,
                format!("{text:?} is no destination for {channel}"),
                format!("give {wanted}"),
            );
        }
    }

    /// Without a named bot the channel's only one is used, so there must not be two.
    fn only_bot(&mut self, channel: Channel, at: &Spanned<String>) {
        let bots = self
            .after
            .values()
            .filter(|entry| matches!(entry, ConfigEntry::Bot(bot) if bot.channel == channel));
        if bots.count() > 1 {
            self.problem(
                at,
                format!("there are several bots for {channel}"),
                "name one with `bot`",
            );
        }
    }

    fn delay(&mut self, text: &Spanned<String>) -> Option<u64> {
        let value = text.value.trim();
        let (number, unit) = value.split_at(value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len()));
        let seconds = match unit {
            "" | "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            "d" => Some(86_400),
            _ => None,
        };
        let delay = number
            .parse::<u64>()
            .ok()
            .zip(seconds)
            .and_then(|(number, unit)| number.checked_mul(unit));
        if delay.is_none() {
            self.problem(
                text,
                format!("{value:?} is not a delay"),
                "write a number and s, m, h or d, such as 5m",
            );
        }
        delay
    }

    fn window(&mut self, text: &Spanned<WindowText>) -> TimeWindow {
        let window = TimeWindow {
            from: text.value.from.clone(),
            to: text.value.to.clone(),
            days: text
                .value
                .days
                .iter()
                .filter_map(|day| self.weekday(day))
                .collect(),
            time_zone: text.value.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        };
        if let Err(error) = Window::parse(&window) {
            let error = error.to_string();
            let (message, remedy) = error.split_once(": ").unwrap_or((&error, ""));
            self.problem(text, message, remedy);
        }
        window
    }

    fn weekday(&mut self, text: &Spanned<String>) -> Option<Weekday> {
        let day = serde_json::from_value(text.value.to_lowercase().into()).ok();
        if day.is_none() {
            self.problem(
                text,
                format!("{:?} is not a day", text.value),
                "write it as monday, tuesday …",
            );
        }
        day
    }

    fn integrations(&mut self, document: &Document) {
        let (mut keys, mut topics) = (BTreeSet::new(), BTreeSet::new());
        for text in document.integrations.iter().flatten() {
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

    /// A source, or a mapping.
    fn source_type(&mut self, name: &Spanned<String>) {
        let mappings = self.after.keys().filter_map(|key| key.strip_prefix("mapping/"));
        let known: Vec<_> = SOURCE_TYPES.into_iter().chain(mappings).collect();
        if known.contains(&name.value.as_str()) {
            return;
        }
        let remedy = match nearest(&name.value, &known) {
            Some(nearest) => format!("did you mean {nearest:?}?"),
            None => format!("there are {}; declare another under `mappings`", known.join(", ")),
        };
        self.problem(name, format!("there is no source {:?}", name.value), remedy);
    }

    fn bots(&mut self, document: &Document) {
        for text in document.bots.iter().flatten() {
            let channel: Option<Channel> = self.word(&text.channel);
            let sealed_secrets = self.sealed(text);
            let Some(channel) = channel else { continue };
            for (field, place, there) in [
                (
                    "token",
                    "secrets",
                    channel == Channel::Slack && !text.secrets.contains_key("token"),
                ),
                (
                    "host",
                    "settings",
                    channel == Channel::Email && !text.settings.contains_key("host"),
                ),
                (
                    "from",
                    "settings",
                    channel == Channel::Email && !text.settings.contains_key("from"),
                ),
            ] {
                if there {
                    self.problem(
                        &text.name,
                        format!("a bot for {channel} needs {field}"),
                        format!("add it under `{place}`"),
                    );
                }
            }
            let bot = Bot {
                name: text.name.value.clone(),
                channel,
                settings: text.settings.clone(),
                sealed_secrets,
            };
            self.add(&text.name, ConfigEntry::Bot(bot));
        }
    }

    fn sealed(&mut self, text: &BotText) -> BTreeMap<String, String> {
        let mut sealed = BTreeMap::new();
        for (name, secret) in &text.secrets {
            match self.key.seal(secret) {
                Ok(secret) => drop(sealed.insert(name.clone(), secret)),
                Err(error) => self.problem(
                    &text.name,
                    error.to_string(),
                    "look at the secret key of this process",
                ),
            }
        }
        sealed
    }

    fn rules(&mut self, document: &Document) {
        let Some(texts) = &document.rules else { return };
        let rules = texts.iter().filter_map(|text| self.rule(text)).collect();
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

/// The known word that is nearest, if one is near at all.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), *known))
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .min()
        .map(|(_, known)| known)
}
