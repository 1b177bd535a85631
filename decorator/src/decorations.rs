//! What a site says of its events: where they belong, what is done about them, and the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Site;
use domain::rules::{Applied, CompiledRules, RuleError};
use schemas::config::Rules;
use schemas::{AlertEvent, DecoratedEvent, Origin};

/// Where events go that nobody says more about.
const DEFAULT: &str = "default";

/// Everything that is needed to decorate, prepared once for each state of the site.
pub(crate) struct Decorations {
    site: Arc<Site>,
    environments: Names,
    scenarios: Names,
    rules: Arc<CompiledRules>,
    compiled_from: Rules,
}

/// Names by themselves and by the numbers that Harp's senders use.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn of<'a>(entries: impl Iterator<Item = (&'a String, Option<i64>)> + Clone) -> Self {
        let numbers = entries
            .clone()
            .filter_map(|(name, number)| Some((number?.to_string(), name.clone())));
        let names = entries.map(|(name, _)| (name.clone(), name.clone()));
        // A name that looks like a number is first of all a name.
        Self(numbers.chain(names).collect())
    }

    /// What the integration says, else what the event asks for, else the default.
    fn choose(&self, of_integration: Option<&str>, asked_for: Option<&str>) -> String {
        let of_integration = of_integration.filter(|name| !name.is_empty());
        let asked_for = || asked_for.and_then(|asked| self.0.get(asked)).map(String::as_str);
        of_integration.or_else(asked_for).unwrap_or(DEFAULT).to_owned()
    }
}

/// A rule that cannot be used, with the reason.
pub(crate) type UnusableRule = (String, RuleError);

impl Decorations {
    /// Prepares for this state of the site. Rules are compiled anew only when they differ from those of `before`.
    pub(crate) fn new(site: Arc<Site>, before: Option<&Decorations>) -> (Self, Vec<UnusableRule>) {
        let environments = Names::of(site.environments.iter().map(|(name, entry)| (name, entry.number)));
        let scenarios = Names::of(site.scenarios.iter().map(|(name, entry)| (name, entry.number)));
        let same = before
            .filter(|before| before.compiled_from == site.rules)
            .map(|before| Arc::clone(&before.rules));
        let (rules, unusable) = match same {
            Some(rules) => (rules, Vec::new()),
            None => {
                let (rules, unusable) = CompiledRules::new(&site.rules);
                (Arc::new(rules), unusable)
            }
        };
        let compiled_from = site.rules.clone();
        (
            Self {
                site,
                environments,
                scenarios,
                rules,
                compiled_from,
            },
            unusable,
        )
    }

    /// Whether this is still the state of the site.
    pub(crate) fn is_of(&self, site: &Arc<Site>) -> bool {
        Arc::ptr_eq(&self.site, site)
    }

    /// Applies the rules to the event.
    pub(crate) fn apply_rules(&self, event: &mut AlertEvent) -> Applied<'_> {
        self.rules.apply(event)
    }

    /// Says where the event belongs and what is done about it. An integration that was removed meanwhile is no reason
    /// to lose an alert.
    pub(crate) fn decorate(
        &self,
        event: AlertEvent,
        (origin, spooled): (Origin, bool),
        rules: Vec<String>,
    ) -> DecoratedEvent {
        let integration = self.site.integrations.get(&event.integration);
        let environment = self.environments.choose(
            integration.map(|integration| integration.environment.as_str()),
            event.environment.as_deref(),
        );
        let scenario = self.scenarios.choose(
            integration.map(|integration| integration.scenario.as_str()),
            event.scenario.as_deref(),
        );
        DecoratedEvent {
            event,
            origin,
            spooled,
            environment,
            scenario,
            rules,
        }
    }
}
