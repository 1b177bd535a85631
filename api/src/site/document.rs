//! The site document as it is written: YAML, with the place of everything that can be wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

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

/// A section that is absent leaves what is there; one that is present, even if empty, is all there is to be.
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvironmentText {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) number: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioText {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) number: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) steps: Vec<Spanned<StepText>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepText {
    pub(super) id: Option<Spanned<String>>,
    /// One target, by these three; or several.
    pub(super) channel: Option<Spanned<String>>,
    pub(super) destination: Option<Spanned<String>>,
    pub(super) bot: Option<Spanned<String>>,
    pub(super) targets: Option<Spanned<Vec<TargetText>>>,
    pub(super) delay: Option<Spanned<String>>,
    pub(super) window: Option<Spanned<WindowText>>,
    pub(super) minimum_severity: Option<Spanned<String>>,
    pub(super) enabled: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetText {
    pub(super) channel: Spanned<String>,
    pub(super) destination: Spanned<String>,
    pub(super) bot: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowText {
    pub(super) from: String,
    pub(super) to: String,
    #[serde(default)]
    pub(super) days: Vec<Spanned<String>>,
    pub(super) time_zone: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntegrationText {
    pub(super) name: Spanned<String>,
    #[serde(rename = "type")]
    pub(super) source_type: Spanned<String>,
    pub(super) environment: Spanned<String>,
    pub(super) scenario: Spanned<String>,
    pub(super) key: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) keys: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) named_keys: Vec<NamedKeyText>,
    pub(super) limits: Option<LimitsText>,
    pub(super) signing_secret: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) signing_secrets: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) sns_topics: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) mqtt_topics: Vec<Spanned<String>>,
}

impl IntegrationText {
    /// What its sender may sign with: the one secret, and those of the list.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.signing_secret.iter().chain(&self.signing_secrets)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsText {
    pub(super) rate: Option<Spanned<u32>>,
    pub(super) burst: Option<Spanned<u32>>,
    pub(super) body_bytes: Option<Spanned<u32>>,
    pub(super) alerts_per_body: Option<Spanned<u32>>,
    pub(super) open_alerts: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedKeyText {
    pub(super) name: Spanned<String>,
    pub(super) key: Spanned<String>,
    pub(super) created: Option<Spanned<String>>,
    pub(super) expires: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BotText {
    pub(super) name: Spanned<String>,
    pub(super) channel: Spanned<String>,
    #[serde(default)]
    pub(super) settings: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    pub(super) name: Spanned<String>,
    pub(super) when: Spanned<String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) severity: Option<Spanned<String>>,
    pub(super) runbook: Option<String>,
    pub(super) drop: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MappingText {
    pub(super) name: Spanned<String>,
    pub(super) each: Option<Spanned<String>>,
    pub(super) when: Option<Spanned<String>>,
    pub(super) alert: MappedAlertText,
    #[serde(default)]
    pub(super) states: StatesText,
    #[serde(default)]
    pub(super) severities: SeveritiesText,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MappedAlertText {
    pub(super) identity: Vec<Spanned<String>>,
    pub(super) name: Spanned<String>,
    pub(super) status: Spanned<String>,
    pub(super) severity: Option<Spanned<String>>,
    pub(super) object: Option<Spanned<String>>,
    pub(super) source: Option<Spanned<String>>,
    pub(super) service: Option<Spanned<String>>,
    pub(super) output: Option<Spanned<String>>,
    pub(super) labels_from: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) links: BTreeMap<String, Spanned<String>>,
    pub(super) occurred_at: Option<Spanned<String>>,
    pub(super) environment: Option<Spanned<String>>,
    pub(super) scenario: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatesText {
    #[serde(default)]
    pub(super) firing: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) resolved: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) acknowledged: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeveritiesText {
    #[serde(default)]
    pub(super) information: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) warning: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) critical: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) unknown: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) urgent: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) down: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeartbeatText {
    pub(super) name: Spanned<String>,
    pub(super) integration: Spanned<String>,
    pub(super) period: Spanned<String>,
    pub(super) grace: Option<Spanned<String>>,
    pub(super) severity: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) alert: Option<Spanned<String>>,
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
