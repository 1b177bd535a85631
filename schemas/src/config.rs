//! Configuration as the stages see it. Topic `config` (compacted), key [`ConfigEntry::key`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Channel, Severity};

/// One thing that can be configured. A record without a value removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ConfigEntry {
    Environment(Environment),
    Scenario(Scenario),
    Integration(Integration),
    Bot(Bot),
    Rules(Rules),
    Silence(Silence),
    /// Written last: whoever has read it has read the whole site.
    Revision(Revision),
}

impl ConfigEntry {
    /// Key on the topic: `kind/name`.
    pub fn key(&self) -> String {
        match self {
            ConfigEntry::Environment(environment) => format!("environment/{}", environment.name),
            ConfigEntry::Scenario(scenario) => format!("scenario/{}", scenario.name),
            ConfigEntry::Integration(integration) => format!("integration/{}", integration.name),
            ConfigEntry::Bot(bot) => format!("bot/{}", bot.name),
            ConfigEntry::Rules(_) => "rules/all".to_owned(),
            ConfigEntry::Silence(silence) => format!("silence/{}", silence.id),
            ConfigEntry::Revision(_) => "revision/site".to_owned(),
        }
    }
}

/// Who alerts belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Its name, which is its id.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The number that Harp's senders put into `environment_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
}

/// What is done about an alert: steps in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Its name, which is its id.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The number that Harp's senders put into `scenario_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// What is done.
    pub steps: Vec<Step>,
}

/// One step: who is told, when and on which condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Where people are told.
    pub channel: Channel,
    /// URL, Slack channel or e-mail address.
    pub destination: String,
    /// Whose credentials; the channel's only bot when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// Seconds after the opening.
    #[serde(default)]
    pub delay_seconds: u64,
    /// When it may be done; always when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<TimeWindow>,
    /// Not below this severity.
    pub minimum_severity: Severity,
}

/// A daily span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeWindow {
    /// Beginning, `HH:MM`.
    pub from: String,
    /// End, `HH:MM`, not included; before `from` it lies on the next day.
    pub to: String,
    /// Days of the week on which the window begins (`monday` …); every day when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// IANA name of the time zone.
    pub time_zone: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// The types of integrations: the sources of the collectors, and `any`, which takes what any of them does.
pub const SOURCE_TYPES: [&str; 31] = [
    "any",
    "airbrake",
    "anodot",
    "api",
    "appdynamics",
    "atatus",
    "azure",
    "cloudwatch",
    "crashlytics",
    "datadog",
    "dynatrace",
    "email",
    "gcp",
    "grafana",
    "healthchecks",
    "icinga",
    "kibana",
    "nagios",
    "netdata",
    "netdata-agent",
    "newrelic",
    "pagerduty",
    "pingdom",
    "prometheus",
    "prtg",
    "sentry",
    "signalfx",
    "site24x7",
    "statuscake",
    "uptime-kuma",
    "zabbix",
];

/// One sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Integration {
    /// Its name, which is its id.
    pub name: String,
    /// Type of the monitoring system: a name of `collectors/src/sources`.
    #[serde(rename = "type")]
    pub source_type: String,
    /// Where its alerts belong.
    pub environment: String,
    /// What is done about them.
    pub scenario: String,
    /// SHA-256 of each of its keys, in hexadecimal digits.
    pub key_hashes: Vec<String>,
}

/// Credentials of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bot {
    /// Its name, which is its id.
    pub name: String,
    /// Of which channel.
    pub channel: Channel,
    /// Settings that are no secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The secret settings, each encrypted with the site's key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sealed_secrets: BTreeMap<String, String>,
}

/// All the decorator's rules, in the order in which they are tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Rules {
    pub rules: Vec<Rule>,
}

/// What is done to an event before anybody decides about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// CEL expression over `name`, `object`, `source`, `service`, `output`, `severity`, `monitoring_system`,
    /// `integration` and `labels`; true when the rule applies.
    pub when: String,
    /// Labels to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The severity instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// A runbook to link to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// Drop the event, for this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<String>,
}

/// For a time nobody is told anew of the alerts that all its matchers match. What is open stays open until it ends.
/// Operators make these one by one, so a site document neither holds nor changes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Silence {
    /// Its id.
    pub id: Uuid,
    /// All of them must match, and one at least must not match the empty text.
    pub matchers: Vec<LabelMatcher>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends; the end is not a part of it.
    pub ends_at: Timestamp,
    /// Who made it, or changed it last.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was made or changed last.
    pub updated_at: Timestamp,
}

/// What a label must be like. A label that is not there is the empty text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelMatcher {
    /// Name of the label, or of a field of the alert: `alertname`, `object`, `source`, `service`, `integration`,
    /// `monitoring_system`, `environment`, `severity`.
    pub name: String,
    /// How it is compared.
    pub operator: MatchOperator,
    /// With what: text, or a regular expression that is anchored at both ends.
    pub value: String,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum MatchOperator {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "=~")]
    Matches,
    #[serde(rename = "!~")]
    MatchesNot,
}

impl MatchOperator {
    /// All of them, each before what it begins with.
    pub const ALL: [MatchOperator; 4] = [
        MatchOperator::Matches,
        MatchOperator::MatchesNot,
        MatchOperator::NotEqual,
        MatchOperator::Equal,
    ];

    /// How it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            MatchOperator::Equal => "=",
            MatchOperator::NotEqual => "!=",
            MatchOperator::Matches => "=~",
            MatchOperator::MatchesNot => "!~",
        }
    }

    /// Whether the value is a regular expression.
    pub const fn is_expression(self) -> bool {
        matches!(self, MatchOperator::Matches | MatchOperator::MatchesNot)
    }

    /// Whether what is alike passes, and not what is different.
    pub const fn wants_alike(self) -> bool {
        matches!(self, MatchOperator::Equal | MatchOperator::Matches)
    }
}

/// Which state of the site this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Revision {
    pub revision: u64,
}
