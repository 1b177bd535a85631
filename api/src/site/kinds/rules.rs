//! The decorator's rules. They are one entry, as their order counts.

use std::collections::BTreeMap;

use schemas::config::{ConfigEntry, Rule, Rules};
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::{Check, Kind};
use crate::site::document::{Document, place};

pub(super) const KIND: Kind = Kind {
    place: |document| place(&document.rules),
    declare: |check, document| check.rules(document),
    shown: |entry| match entry {
        ConfigEntry::Rules(rules) => rules.rules.iter().map(|rule| json!(rule)).collect(),
        _ => Vec::new(),
    },
    ..Kind::new("rules", "rules")
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::site) struct RuleText {
    name: Spanned<String>,
    when: Spanned<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    severity: Option<Spanned<String>>,
    runbook: Option<String>,
    drop: Option<String>,
}

impl Check<'_> {
    fn rules(&mut self, document: &Document) {
        let Some(texts) = &document.rules else { return };
        let rules: Vec<_> = texts.value.iter().filter_map(|text| self.rule(text)).collect();
        // No rules are no entry.
        if !rules.is_empty() {
            let rules = ConfigEntry::Rules(Rules { rules });
            self.after.insert(rules.key(), rules);
        }
    }

    fn rule(&mut self, text: &RuleText) -> Option<Rule> {
        let severity = match &text.severity {
            None => None,
            Some(severity) => Some(self.parse_enum(severity)?),
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
