//! Configuration as the stages see it. Topic `config` (compacted), key [`ConfigEntry::key`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Channel, Endpoint, EventStatus, Severity};

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
    Mapping(Box<Mapping>),
    Heartbeat(Heartbeat),
    /// Written last: whoever has read it has read the whole site.
    Revision(Revision),
}

impl ConfigEntry {
    /// Key on the topic: `kind/name`.
    pub fn key(&self) -> String {
        let kind = self.kind();
        match self {
            ConfigEntry::Environment(Environment { name, .. })
            | ConfigEntry::Scenario(Scenario { name, .. })
            | ConfigEntry::Integration(Integration { name, .. })
            | ConfigEntry::Bot(Bot { name, .. })
            | ConfigEntry::Heartbeat(Heartbeat { name, .. }) => format!("{kind}/{name}"),
            ConfigEntry::Mapping(mapping) => format!("{kind}/{}", mapping.name),
            ConfigEntry::Silence(silence) => format!("{kind}/{}", silence.id),
            ConfigEntry::Rules(_) => format!("{kind}/all"),
            ConfigEntry::Revision(_) => format!("{kind}/site"),
        }
    }

    /// The word for its kind, as in the field `kind` and in its key.
    pub const fn kind(&self) -> &'static str {
        match self {
            ConfigEntry::Environment(_) => "environment",
            ConfigEntry::Scenario(_) => "scenario",
            ConfigEntry::Integration(_) => "integration",
            ConfigEntry::Bot(_) => "bot",
            ConfigEntry::Rules(_) => "rules",
            ConfigEntry::Silence(_) => "silence",
            ConfigEntry::Mapping(_) => "mapping",
            ConfigEntry::Heartbeat(_) => "heartbeat",
            ConfigEntry::Revision(_) => "revision",
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

/// One step: what is notified, when and on which condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Names the step within its scenario: what is done of it stays done when the scenario changes.
    pub id: String,
    /// What is notified.
    pub targets: Vec<Endpoint>,
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
    /// End, `HH:MM` or `24:00`, not included; before `from` it lies on the next day.
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

/// The type of an integration whose sender may post to any source.
pub const ANY_SOURCE: &str = "any";

/// The types of integrations: the sources of the collectors; `any`, which takes what any of them does; and `heartbeat`,
/// which only calls.
pub const SOURCE_TYPES: [&str; 45] = [
    ANY_SOURCE,
    "airbrake",
    "alerta",
    "anodot",
    "api",
    "appdynamics",
    "apprise",
    "atatus",
    "azure",
    "cloudevents",
    "cloudwatch",
    "crashlytics",
    "datadog",
    "dynatrace",
    "email",
    "eventbridge",
    "gcp",
    "goalert",
    "grafana",
    "healthchecks",
    "heartbeat",
    "icinga",
    "ilert",
    "kibana",
    "nagios",
    "netdata",
    "netdata-agent",
    "newrelic",
    "oncall",
    "opsgenie",
    "otlp",
    "pagerduty",
    "pagerduty-events",
    "pingdom",
    "prometheus",
    "prtg",
    "riemann",
    "sentry",
    "signalfx",
    "site24x7",
    "slack",
    "splunk-oncall",
    "statuscake",
    "uptime-kuma",
    "zabbix",
];

/// Further types of integrations: the ready-made mappings, each a folder in `sources/mappings`. A mapping of the site that has
/// the same name goes before it.
pub const READY_MADE_TYPES: [&str; 31] = [
    "argocd",
    "azure-activity-log",
    "azure-classic",
    "azure-metric",
    "betterstack",
    "checkly",
    "checkmk",
    "coralogix",
    "elastalert2",
    "elastic-watcher",
    "falco",
    "flux",
    "gitlab",
    "graylog",
    "influxdb",
    "instana",
    "jenkins",
    "kapacitor",
    "librenms",
    "librenms-mail",
    "mdadm",
    "monit",
    "oci",
    "rollbar",
    "sensu",
    "sentry-legacy",
    "smartd",
    "splunk",
    "thousandeyes",
    "updown",
    "uptimerobot",
];

/// One sender.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Integration {
    /// Its name, which is its id.
    pub name: String,
    /// Type of the monitoring system: a name of the registry in `sources`.
    #[serde(rename = "type")]
    pub source_type: String,
    /// Where its alerts belong.
    pub environment: String,
    /// What is done about them.
    pub scenario: String,
    /// SHA-256 of each of its keys, in hexadecimal digits.
    pub key_hashes: Vec<String>,
    /// What else is known of those of its keys that have a name, by their hash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key_terms: BTreeMap<String, KeyTerms>,
    /// How much it may send with each of its keys.
    #[serde(default, skip_serializing_if = "Limits::are_usual")]
    pub limits: Limits,
    /// What its sender may sign with, each encrypted with the site's key: several while one replaces another. Nothing needs
    /// to be signed when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealed_signing_secrets: Vec<String>,
    /// The SNS topics that may notify it, with `*` for any text. Their messages must be signed by SNS then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sns_topics: Vec<String>,
    /// The filters of the MQTT topics whose messages are its; they need no key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mqtt_topics: Vec<String>,
}

impl Integration {
    /// What stands for a key where how its MQTT topics are used is told.
    pub fn mqtt_usage(&self) -> String {
        format!("mqtt/{}", self.name)
    }

    /// Whether its sender may post to this source.
    pub fn takes(&self, source: &str) -> bool {
        self.source_type == source || self.source_type == ANY_SOURCE
    }

    /// The name of the key with this hash, and when it has expired, if it has by now.
    pub fn expired_key(&self, hash: &str, now: Timestamp) -> Option<(&str, Timestamp)> {
        let terms = self.key_terms.get(hash)?;
        let expired = terms.expires.filter(|expires| *expires <= now)?;
        Some((&terms.name, expired))
    }
}

/// How much an integration may send with each of its keys, to each collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Limits {
    /// Alerts per second, on average.
    pub rate: u32,
    /// Alerts at once. A fifth of it is only for bodies with something critical, worse, or over in them.
    pub burst: u32,
    /// Bytes of a body, as it comes and unpacked.
    pub body_bytes: u32,
    /// Alerts in one body.
    pub alerts_per_body: u32,
    /// Alerts that the integration has open at once, with all of its keys. One of which nothing is heard for an hour is not
    /// counted any more.
    pub open_alerts: u32,
}

impl Limits {
    /// The largest body that is ever taken.
    pub const LARGEST_BODY: u32 = 8 * 1024 * 1024;
    /// The burst when only a rate is given, in seconds of the rate.
    pub const BURST_SECONDS: u32 = 10;

    fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Far beyond what a site sends that is well: they end what runs wild, and nothing else.
impl Default for Limits {
    fn default() -> Self {
        let rate = 100_000;
        Self {
            rate,
            burst: rate * Self::BURST_SECONDS,
            body_bytes: Self::LARGEST_BODY,
            alerts_per_body: 50_000,
            open_alerts: 250_000,
        }
    }
}

/// What is known of a key that has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyTerms {
    /// What people call it.
    pub name: String,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// From when on it is refused; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
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
    /// `integration`, `labels` and `annotations`; true when the rule applies.
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

/// How JSON of any shape is understood: a source that a site declares. All texts of [`MappedAlert`], `each` and `when` are
/// expressions in CEL over `body`, the whole body, `item`, the part of it that is one alert, and `topic`, the MQTT topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mapping {
    /// Its name: the last part of the path that is posted to, and the type of an integration.
    pub name: String,
    /// The list whose items are alerts; the body is one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
    /// Whether an item is an alert at all; each is when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What the alert is.
    pub alert: MappedAlert,
    /// What the words of the sender say of the problem, in lower case. What is not among them must be `firing`, `resolved`
    /// or `acknowledged`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub states: BTreeMap<String, EventStatus>,
    /// What the words of the sender say of the severity, in lower case; the words that all sources know need not be here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub severities: BTreeMap<String, Severity>,
}

/// Where the fields of an alert come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MappedAlert {
    /// The parts that tell it from every other alert.
    pub identity: Vec<String>,
    /// The rule or trigger.
    pub name: String,
    /// Whether the problem is there, as one of the words in `states`.
    pub status: String,
    /// How bad it is; critical when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The thing that is ill; the name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Which server of the monitoring system; the name of the mapping when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Service or host group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Text of the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// An object whose members all become labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels_from: Option<String>,
    /// Labels, each by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What is said beside the text, each by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Links, each by its title.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
    /// When it happened: RFC 3339, or a number since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
    /// The environment that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The scenario that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
}

/// Somebody who calls again and again while all is well; when the calls stop, an alert begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heartbeat {
    /// Its name, which is its id: a part of the path that is called.
    pub name: String,
    /// Whose keys may call, and whose environment and scenario its alert has.
    pub integration: String,
    /// How long after a call the next one comes.
    pub period_seconds: u64,
    /// How much later it may come.
    pub grace_seconds: u64,
    /// How bad it is when none comes.
    pub severity: Severity,
    /// Labels of its alert.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The name of an alert of the integration that always fires, such as `Watchdog`: each time that it is told is a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// Present when a client of Opsgenie's API has created it; absent when the site document declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_client: Option<ClientHeartbeat>,
}

impl Heartbeat {
    /// Whether its client has switched it off: its calls change nothing, and none is waited for.
    pub fn is_disabled(&self) -> bool {
        self.by_client.as_ref().is_some_and(|client| client.disabled)
    }
}

/// What a heartbeat has besides when a client has created it. A site document neither holds nor changes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientHeartbeat {
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The unit in which the client gave the period: `minutes`, `hours` or `days`.
    pub interval_unit: String,
    /// The name of its alert, if it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_message: Option<String>,
    /// To which team it belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_team: Option<String>,
    /// Its calls change nothing, and none is waited for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
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
