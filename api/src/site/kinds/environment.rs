//! Environments: who alerts belong to.

use std::collections::BTreeSet;

use schemas::config::{ConfigEntry, Environment};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Check, Kind};
use crate::site::document::{Document, items, place};

pub(super) const KIND: Kind = Kind {
    place: |document| place(&document.environments),
    declare: |check, document| check.environments(document),
    holds_alerts: true,
    ..Kind::new("environment", "environments")
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::site) struct EnvironmentText {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    number: Option<Spanned<i64>>,
}

impl Check<'_> {
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
}
