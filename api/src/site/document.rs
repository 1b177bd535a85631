//! The site document as it is written: YAML, with the place of everything that can be wrong.

use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

use super::kinds::bot::BotText;
use super::kinds::environment::EnvironmentText;
use super::kinds::heartbeat::HeartbeatText;
use super::kinds::integration::IntegrationText;
use super::kinds::mapping::MappingText;
use super::kinds::rules::RuleText;
use super::kinds::scenario::ScenarioText;

/// A mistake in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Problem {
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    pub(super) fn at(location: Location, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            line: location.line(),
            column: location.column(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

/// A list of the document and where it begins.
pub(super) type Section<T> = Option<Spanned<Vec<T>>>;

/// The sections of the kinds. A section that is absent leaves what is there; one that is present, even if empty, is all
/// there is to be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default, deserialize_with = "section")]
    pub(super) environments: Section<EnvironmentText>,
    #[serde(default, deserialize_with = "section")]
    pub(super) scenarios: Section<ScenarioText>,
    #[serde(default, deserialize_with = "section")]
    pub(super) integrations: Section<IntegrationText>,
    #[serde(default, deserialize_with = "section")]
    pub(super) bots: Section<BotText>,
    #[serde(default, deserialize_with = "section")]
    pub(super) rules: Section<RuleText>,
    #[serde(default, deserialize_with = "section")]
    pub(super) mappings: Section<MappingText>,
    #[serde(default, deserialize_with = "section")]
    pub(super) heartbeats: Section<HeartbeatText>,
}

/// Where a section begins, if it is there.
pub(super) fn place<T>(section: &Section<T>) -> Option<Location> {
    section.as_ref().map(|section| section.referenced)
}

/// What a section lists.
pub(super) fn items<T>(section: &Section<T>) -> impl Iterator<Item = &T> {
    section.iter().flat_map(|section| &section.value)
}

/// A section that is there has a list: after `bots:` and nothing else it may be that all are to go, or that none were
/// written yet.
fn section<'de, D, T>(deserializer: D) -> Result<Section<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    let section: Spanned<Option<Vec<T>>> = Spanned::deserialize(deserializer)?;
    let (referenced, defined) = (section.referenced, section.defined);
    match section.value {
        Some(value) => Ok(Some(Spanned {
            value,
            referenced,
            defined,
        })),
        None => Err(serde::de::Error::custom(
            "the section is empty: write [] for none, or leave it out",
        )),
    }
}

/// Reads a document; what serde refuses is one problem at its place.
pub(super) fn read(text: &str) -> Result<Document, Vec<Problem>> {
    if text.trim().is_empty() {
        return Ok(Document::default());
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((1, 1), |location| (location.line(), location.column()));
        let message = first_line(&error.to_string());
        let remedy = remedy(&message);
        vec![Problem {
            line,
            column,
            message,
            remedy,
        }]
    })
}

/// The library shows the place of the mistake in the text as well; the place is given apart here.
fn first_line(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default().trim();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    match line.split_once(": ") {
        Some((place, message)) if place.starts_with("line ") => message.to_owned(),
        _ => line.to_owned(),
    }
}

/// The nearest of the names that serde lists, or where to look.
fn remedy(message: &str) -> String {
    let wrong = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'));
    let nearest = wrong.and_then(|(wrong, rest)| {
        let known = rest
            .split_once("expected one of ")?
            .1
            .split(", ")
            .map(|name| name.trim_matches('`'));
        known.min_by_key(|known| strsim::damerau_levenshtein(wrong, known))
    });
    match nearest {
        Some(known) => format!("did you mean {known:?}?"),
        None => "docs/site.md shows every field".to_owned(),
    }
}
