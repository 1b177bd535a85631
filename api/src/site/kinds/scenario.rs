//! Scenarios: what is notified, when and on which condition.

use std::collections::BTreeSet;

use domain::identity;
use domain::window::Window;
use schemas::config::{ConfigEntry, Scenario, Step, TimeWindow, Weekday};
use schemas::{Channel, Endpoint, Severity};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Check, Kind, Reference, RetainedProblem};
use crate::site::document::{Document, items, place};

/// Targets of one step.
const TARGETS_MAX: usize = 50;
/// Characters of the id of a step.
const STEP_ID_MAX: usize = 50;

pub(super) const KIND: Kind = Kind {
    place: |document| place(&document.scenarios),
    declare: |check, document| check.scenarios(document),
    references,
    check_retained: |check, entry| check.bots_of_retained(entry),
    ..Kind::new("scenario", "scenarios")
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::site) struct ScenarioText {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    number: Option<Spanned<i64>>,
    #[serde(default)]
    steps: Vec<Spanned<StepText>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    id: Option<Spanned<String>>,
    /// One target, by these three; or several.
    channel: Option<Spanned<String>>,
    destination: Option<Spanned<String>>,
    bot: Option<Spanned<String>>,
    targets: Option<Spanned<Vec<TargetText>>>,
    delay: Option<Spanned<String>>,
    window: Option<Spanned<WindowText>>,
    minimum_severity: Option<Spanned<String>>,
    enabled: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetText {
    channel: Spanned<String>,
    destination: Spanned<String>,
    bot: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowText {
    from: String,
    to: String,
    #[serde(default)]
    days: Vec<Spanned<String>>,
    time_zone: Option<String>,
}

fn references(entry: &ConfigEntry) -> Vec<Reference<'_>> {
    let ConfigEntry::Scenario(scenario) = entry else {
        return Vec::new();
    };
    let targets = scenario.steps.iter().flat_map(|step| &step.targets);
    let bots = targets.filter_map(|target| target.bot.as_deref());
    bots.map(|bot| ("bot", bot)).collect()
}

impl Check<'_> {
    fn scenarios(&mut self, document: &Document) {
        let mut numbers = BTreeSet::new();
        for text in items(&document.scenarios) {
            let number = self.number_of_its_own(text.number.as_ref(), &mut numbers);
            let scenario = self.scenario(text, number);
            self.add(&text.name, ConfigEntry::Scenario(scenario));
        }
    }

    fn scenario(&mut self, text: &ScenarioText, number: Option<i64>) -> Scenario {
        let mut steps: Vec<Step> = Vec::new();
        for step in &text.steps {
            // A step that is not enabled is not a step.
            let enabled = step.value.enabled.unwrap_or(true);
            if let Some(checked) = self.step(step, &steps).filter(|_| enabled) {
                self.check_conflicts(&steps, &checked, step);
                steps.push(checked);
            }
        }
        Scenario {
            steps,
            name: text.name.value.clone(),
            description: text.description.clone(),
            number,
        }
    }

    fn check_conflicts(&mut self, others: &[Step], step: &Step, text: &Spanned<StepText>) {
        let is_same = |other: &&Step| {
            (
                &other.targets,
                other.delay_seconds,
                &other.window,
                other.minimum_severity,
            ) == (
                &step.targets,
                step.delay_seconds,
                &step.window,
                step.minimum_severity,
            )
        };
        if others.iter().any(|other| is_same(&other)) {
            self.problem(
                text,
                "the step stands twice",
                "leave one out, or let them differ in delay, window or severity",
            );
        } else if others.iter().any(|other| other.id == step.id) {
            self.problem(
                text,
                format!("there are two steps with the id {:?}", step.id),
                "give each an id of its own, or leave the ids out",
            );
        }
    }

    fn step(&mut self, spanned: &Spanned<StepText>, before: &[Step]) -> Option<Step> {
        let text = &spanned.value;
        let enabled = text.enabled.unwrap_or(true);
        // All of them are checked, so that each problem is reported.
        let checked: Vec<_> = self
            .targets(spanned)
            .iter()
            .map(|target| self.target(target, enabled))
            .collect();
        let targets: Option<Vec<_>> = checked.into_iter().collect();
        let delay_seconds = text.delay.as_ref().map_or(Some(0), |delay| self.delay(delay));
        let window = text.window.as_ref().map(|window| self.window(window));
        let minimum_severity = match &text.minimum_severity {
            None => Some(Severity::Information),
            Some(severity) => self.parse_enum(severity),
        };
        let (targets, delay_seconds) = (targets?, delay_seconds?);
        if targets.is_empty() {
            return None;
        }
        let id = match &text.id {
            Some(id) => self.step_id(id)?,
            None => identity::of_step(&targets, delay_seconds, before),
        };
        Some(Step {
            id,
            targets,
            delay_seconds,
            window,
            minimum_severity: minimum_severity?,
        })
    }

    fn step_id(&mut self, id: &Spanned<String>) -> Option<String> {
        let length = id.value.trim().chars().count();
        if (1..=STEP_ID_MAX).contains(&length) {
            return Some(id.value.trim().to_owned());
        }
        let message = format!("{:?} is no id of a step", id.value);
        let remedy = format!("give 1 to {STEP_ID_MAX} characters, or leave it out");
        self.problem(id, message, remedy);
        None
    }

    /// The targets of a step, whether it names one or several; none when that is wrong.
    fn targets(&mut self, step: &Spanned<StepText>) -> Vec<TargetText> {
        let text = &step.value;
        match (&text.targets, &text.channel, &text.destination) {
            (None, Some(channel), Some(destination)) => vec![TargetText {
                channel: channel.clone(),
                destination: destination.clone(),
                bot: text.bot.clone(),
            }],
            (Some(targets), None, None) if text.bot.is_none() => {
                let mut seen = BTreeSet::new();
                for target in &targets.value {
                    let bot = target.bot.as_ref().map(|bot| &bot.value);
                    if !seen.insert((&target.channel.value, &target.destination.value, bot)) {
                        self.problem(&target.destination, "the target stands twice", "leave one out");
                    }
                }
                if targets.value.is_empty() || targets.value.len() > TARGETS_MAX {
                    let message = format!("{} targets", targets.value.len());
                    self.problem(targets, message, format!("give 1 to {TARGETS_MAX}"));
                    return Vec::new();
                }
                targets.value.clone()
            }
            (None, Some(channel), None) => {
                self.problem(channel, "the step has no `destination`", "add one");
                Vec::new()
            }
            (None, None, Some(destination)) => {
                self.problem(destination, "the step has no `channel`", "add one");
                Vec::new()
            }
            (None, None, None) => {
                let remedy = "give `channel` and `destination`, or a list of them under `targets`";
                self.problem(step, "the step notifies nothing", remedy);
                Vec::new()
            }
            (Some(targets), ..) => {
                let remedy = "move `channel`, `destination` and `bot` into the list, or leave the list out";
                self.problem(
                    targets,
                    "the step has `targets` and names one beside them",
                    remedy,
                );
                Vec::new()
            }
        }
    }

    fn target(&mut self, text: &TargetText, is_enabled: bool) -> Option<Endpoint> {
        let channel: Option<Channel> = self.parse_enum(&text.channel);
        if let Some(channel) = channel {
            self.destination(channel, &text.destination);
        }
        if let Some(bot) = &text.bot {
            self.reference("bot", bot);
        }
        if let Some(channel) = channel.filter(|_| is_enabled) {
            let bot = text.bot.as_ref();
            if let Some((message, remedy)) = self.bot_of(channel, bot.map(|bot| bot.value.as_str())) {
                self.problem(bot.unwrap_or(&text.channel), message, remedy);
            }
        }
        Some(Endpoint {
            channel: channel?,
            destination: text.destination.value.clone(),
            bot: text.bot.as_ref().map(|bot| bot.value.clone()),
        })
    }

    fn destination(&mut self, channel: Channel, destination: &Spanned<String>) {
        let text = destination.value.trim();
        let spec = &channel.spec().destination;
        if !(spec.check)(text) {
            self.problem(
                destination,
                format!("{text:?} is no destination for {channel}"),
                format!("give {}", spec.expected),
            );
        }
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

    /// The steps of a scenario that stays still need a bot each.
    fn bots_of_retained(&self, entry: &ConfigEntry) -> Vec<RetainedProblem> {
        let ConfigEntry::Scenario(scenario) = entry else {
            return Vec::new();
        };
        let targets = scenario.steps.iter().flat_map(|step| &step.targets);
        let problems = targets.filter_map(|target| self.bot_of(target.channel, target.bot.as_deref()));
        let finds_none = |(message, remedy)| ("bot", format!("finds no bot: {message}"), remedy);
        problems.map(finds_none).collect()
    }
}
