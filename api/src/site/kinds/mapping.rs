//! Mappings: sources that a site declares.

use std::collections::BTreeMap;

use domain::CompiledMapping;
use schemas::config::{ConfigEntry, MappedAlert, Mapping, SOURCE_TYPES};
use schemas::{EventStatus, Severity};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Check, Kind};
use crate::site::document::{Document, Problem, items, place};

pub(super) const KIND: Kind = Kind {
    place: |document| place(&document.mappings),
    declare: |check, document| check.mappings(document),
    ..Kind::new("mapping", "mappings")
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::site) struct MappingText {
    name: Spanned<String>,
    each: Option<Spanned<String>>,
    when: Option<Spanned<String>>,
    alert: MappedAlertText,
    #[serde(default)]
    states: StatesText,
    #[serde(default)]
    severities: SeveritiesText,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappedAlertText {
    identity: Vec<Spanned<String>>,
    name: Spanned<String>,
    status: Spanned<String>,
    severity: Option<Spanned<String>>,
    object: Option<Spanned<String>>,
    source: Option<Spanned<String>>,
    service: Option<Spanned<String>>,
    output: Option<Spanned<String>>,
    labels_from: Option<Spanned<String>>,
    #[serde(default)]
    labels: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    annotations: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    links: BTreeMap<String, Spanned<String>>,
    occurred_at: Option<Spanned<String>>,
    environment: Option<Spanned<String>>,
    scenario: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatesText {
    #[serde(default)]
    firing: Vec<Spanned<String>>,
    #[serde(default)]
    resolved: Vec<Spanned<String>>,
    #[serde(default)]
    acknowledged: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeveritiesText {
    #[serde(default)]
    information: Vec<Spanned<String>>,
    #[serde(default)]
    warning: Vec<Spanned<String>>,
    #[serde(default)]
    critical: Vec<Spanned<String>>,
    #[serde(default)]
    unknown: Vec<Spanned<String>>,
    #[serde(default)]
    urgent: Vec<Spanned<String>>,
    #[serde(default)]
    down: Vec<Spanned<String>>,
}

/// The mappings of a document, or everything that is wrong with them.
pub(in crate::site) fn mappings(document: &Document) -> Result<Vec<Mapping>, Vec<Problem>> {
    let mut problems = Vec::new();
    let texts = items(&document.mappings);
    let mappings = texts.map(|text| mapping(text, &mut problems)).collect();
    if problems.is_empty() {
        Ok(mappings)
    } else {
        Err(problems)
    }
}

impl Check<'_> {
    fn mappings(&mut self, document: &Document) {
        for text in items(&document.mappings) {
            let mapping = mapping(text, &mut self.problems);
            self.add(&text.name, ConfigEntry::Mapping(Box::new(mapping)));
        }
    }
}

fn mapping(text: &MappingText, problems: &mut Vec<Problem>) -> Mapping {
    check_name(&text.name, problems);
    let states = [
        (&text.states.firing, EventStatus::Firing),
        (&text.states.resolved, EventStatus::Resolved),
        (&text.states.acknowledged, EventStatus::Acknowledged),
    ];
    let severities = [
        (&text.severities.information, Severity::Information),
        (&text.severities.warning, Severity::Warning),
        (&text.severities.critical, Severity::Critical),
        (&text.severities.unknown, Severity::Unknown),
        (&text.severities.urgent, Severity::Urgent),
        (&text.severities.down, Severity::Down),
    ];
    let mapping = Mapping {
        name: text.name.value.clone(),
        each: written(&text.each),
        when: written(&text.when),
        alert: alert(&text.alert),
        states: words(states, problems),
        severities: words(severities, problems),
    };
    if text.alert.identity.is_empty() {
        let remedy = "list what tells one alert from every other, such as [item.id]";
        problems.push(Problem::at(
            text.name.referenced,
            "alert.identity is empty",
            remedy,
        ));
    }
    if let Err(error) = CompiledMapping::compile(mapping.clone()) {
        let place = expression(text, &error.field).unwrap_or(&text.name);
        let remedy = "docs/sources/mapping.md shows what an expression can name";
        problems.push(Problem::at(place.referenced, error.to_string(), remedy));
    }
    mapping
}

/// It becomes a part of the path that is posted to.
fn check_name(name: &Spanned<String>, problems: &mut Vec<Problem>) {
    let good =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    if SOURCE_TYPES.contains(&name.value.as_str()) {
        let message = format!("there is a source {:?} already", name.value);
        problems.push(Problem::at(
            name.referenced,
            message,
            "give the mapping another name",
        ));
    } else if !name.value.chars().all(good) {
        let message = format!("{:?} cannot be the name of a source", name.value);
        problems.push(Problem::at(name.referenced, message, "use a-z, 0-9 and -"));
    }
}

fn alert(text: &MappedAlertText) -> MappedAlert {
    let named = |texts: &BTreeMap<String, Spanned<String>>| {
        texts
            .iter()
            .map(|(name, text)| (name.clone(), text.value.clone()))
            .collect()
    };
    MappedAlert {
        identity: text.identity.iter().map(|part| part.value.clone()).collect(),
        name: text.name.value.clone(),
        status: text.status.value.clone(),
        severity: written(&text.severity),
        object: written(&text.object),
        source: written(&text.source),
        service: written(&text.service),
        output: written(&text.output),
        labels_from: written(&text.labels_from),
        labels: named(&text.labels),
        annotations: named(&text.annotations),
        links: named(&text.links),
        occurred_at: written(&text.occurred_at),
        environment: written(&text.environment),
        scenario: written(&text.scenario),
    }
}

fn written(text: &Option<Spanned<String>>) -> Option<String> {
    text.as_ref().map(|text| text.value.clone())
}

/// What words mean; one word cannot mean two things.
fn words<'t, T: Copy>(
    meanings: impl IntoIterator<Item = (&'t Vec<Spanned<String>>, T)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, T> {
    let mut words = BTreeMap::new();
    for (written, meaning) in meanings {
        for word in written {
            if words.insert(word.value.trim().to_lowercase(), meaning).is_some() {
                let message = format!("{:?} stands twice", word.value);
                problems.push(Problem::at(
                    word.referenced,
                    message,
                    "say once what it means; case does not count",
                ));
            }
        }
    }
    words
}

/// Where an expression stands.
fn expression<'t>(text: &'t MappingText, field: &str) -> Option<&'t Spanned<String>> {
    let alert = &text.alert;
    let Some(field) = field.strip_prefix("alert.") else {
        return match field {
            "each" => text.each.as_ref(),
            _ => text.when.as_ref(),
        };
    };
    if let Some(index) = field
        .strip_prefix("identity[")
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return alert.identity.get(index.parse::<usize>().ok()?);
    }
    match field.split_once('.') {
        Some(("labels", name)) => return alert.labels.get(name),
        Some(("annotations", name)) => return alert.annotations.get(name),
        Some(("links", title)) => return alert.links.get(title),
        _ => {}
    }
    match field {
        "name" => Some(&alert.name),
        "status" => Some(&alert.status),
        "severity" => alert.severity.as_ref(),
        "object" => alert.object.as_ref(),
        "source" => alert.source.as_ref(),
        "service" => alert.service.as_ref(),
        "output" => alert.output.as_ref(),
        "labels_from" => alert.labels_from.as_ref(),
        "occurred_at" => alert.occurred_at.as_ref(),
        "environment" => alert.environment.as_ref(),
        _ => alert.scenario.as_ref(),
    }
}
