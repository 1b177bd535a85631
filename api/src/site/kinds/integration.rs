//! Integrations: senders, with their keys, limits, signatures and topics.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chassis::secrets::key_hash;
use domain::topic_filter;
use jiff::Timestamp;
use schemas::config::{
    ANY_SOURCE, ConfigEntry, Integration, KeyTerms, Limits, READY_MADE_TYPES, SOURCE_TYPES,
};
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::{Check, Kind, Reference, nearest};
use crate::site::document::{Document, items, place};

/// Shorter keys can be guessed.
const KEY_LENGTH_MIN: usize = 16;
/// Less would refuse the alerts of every sender.
const SMALLEST_BODY: u32 = 1024;
/// The types whose bodies come by SNS.
const SNS_TYPES: [&str; 3] = ["cloudwatch", "eventbridge", ANY_SOURCE];
/// The types that say nothing of how a body is understood.
const NOT_BY_MQTT: [&str; 2] = [ANY_SOURCE, "heartbeat"];
/// So many parts an ARN has, with colons between them.
const ARN_PARTS: usize = 6;

pub(super) const KIND: Kind = Kind {
    place: |document| place(&document.integrations),
    declare: |check, document| check.integrations(document),
    references,
    shown,
    holds_alerts: true,
    ..Kind::new("integration", "integrations")
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::site) struct IntegrationText {
    name: Spanned<String>,
    #[serde(rename = "type")]
    source_type: Spanned<String>,
    environment: Spanned<String>,
    scenario: Spanned<String>,
    key: Option<Spanned<String>>,
    #[serde(default)]
    keys: Vec<Spanned<String>>,
    #[serde(default)]
    named_keys: Vec<NamedKeyText>,
    limits: Option<LimitsText>,
    signing_secret: Option<Spanned<String>>,
    #[serde(default)]
    signing_secrets: Vec<Spanned<String>>,
    #[serde(default)]
    sns_topics: Vec<Spanned<String>>,
    #[serde(default)]
    mqtt_topics: Vec<Spanned<String>>,
}

impl IntegrationText {
    /// What its sender may sign with: the one secret, and those of the list.
    fn secrets(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.signing_secret.iter().chain(&self.signing_secrets)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsText {
    rate: Option<Spanned<u32>>,
    burst: Option<Spanned<u32>>,
    body_bytes: Option<Spanned<u32>>,
    alerts_per_body: Option<Spanned<u32>>,
    open_alerts: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedKeyText {
    name: Spanned<String>,
    key: Spanned<String>,
    created: Option<Spanned<String>>,
    expires: Option<Spanned<String>>,
}

fn references(entry: &ConfigEntry) -> Vec<Reference<'_>> {
    let ConfigEntry::Integration(integration) = entry else {
        return Vec::new();
    };
    let source_type = integration.source_type.as_str();
    let is_mapping = !SOURCE_TYPES.contains(&source_type) && !READY_MADE_TYPES.contains(&source_type);
    let mapping = is_mapping.then_some(("mapping", source_type));
    let environment = ("environment", integration.environment.as_str());
    let scenario = ("scenario", integration.scenario.as_str());
    [environment, scenario].into_iter().chain(mapping).collect()
}

/// How many keys it has is shown, and no key.
fn shown(entry: &ConfigEntry) -> Vec<Value> {
    let ConfigEntry::Integration(integration) = entry else {
        return Vec::new();
    };
    vec![json!({
        "name": integration.name,
        "type": integration.source_type,
        "environment": integration.environment,
        "scenario": integration.scenario,
        "keys": integration.key_hashes.len(),
        "limits": integration.limits,
        "signed": !integration.sealed_signing_secrets.is_empty(),
        "sns_topics": integration.sns_topics,
        "mqtt_topics": integration.mqtt_topics,
    })]
}

impl Check<'_> {
    fn integrations(&mut self, document: &Document) {
        let (mut keys, mut topics) = (BTreeSet::new(), BTreeSet::new());
        for text in items(&document.integrations) {
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

    /// A source, or a mapping of the site or a ready-made one.
    fn source_type(&mut self, name: &Spanned<String>) {
        let mappings = self.after.keys().filter_map(|key| key.strip_prefix("mapping/"));
        let ready_made = READY_MADE_TYPES.into_iter();
        let known: Vec<_> = SOURCE_TYPES
            .into_iter()
            .chain(ready_made)
            .chain(mappings)
            .collect();
        if known.contains(&name.value.as_str()) {
            return;
        }
        let remedy = match nearest(&name.value, &known) {
            Some(nearest) => format!("did you mean {nearest:?}?"),
            None => format!("there are {}; declare another under `mappings`", known.join(", ")),
        };
        self.problem(name, format!("there is no source {:?}", name.value), remedy);
    }

    fn keys(&mut self, text: &IntegrationText, taken: &mut BTreeSet<String>) -> Vec<String> {
        let mut hashes = Vec::new();
        let named = text.named_keys.iter().map(|named| &named.key);
        for key in text.key.iter().chain(&text.keys).chain(named) {
            if key.value.len() < KEY_LENGTH_MIN {
                let remedy = "make a long one, for example with `head -c 24 /dev/urandom | base64`";
                self.problem(
                    key,
                    format!("the key is shorter than {KEY_LENGTH_MIN} characters"),
                    remedy,
                );
            }
            let hash = key_hash(&key.value);
            if !taken.insert(hash.clone()) {
                self.problem(
                    key,
                    "the key stands twice",
                    "give each integration a key of its own",
                );
            }
            hashes.push(hash);
        }
        if hashes.is_empty() && text.mqtt_topics.is_empty() {
            self.problem(
                &text.name,
                "the integration has no key",
                "add `key:`, which its sender shows, or `mqtt_topics:`",
            );
        }
        hashes
    }

    /// What is known of a key that has a name, by its hash.
    fn key_terms(&mut self, text: &NamedKeyText) -> (String, KeyTerms) {
        if text.name.value.trim().is_empty() {
            self.problem(
                &text.name,
                "the name is empty",
                "give the key a name, or list it under `keys`",
            );
        }
        // A time that cannot be read is a problem already, and nothing is applied then.
        let terms = KeyTerms {
            name: text.name.value.clone(),
            created: text.created.as_ref().and_then(|time| self.time(time)),
            expires: text.expires.as_ref().and_then(|time| self.time(time)),
        };
        (key_hash(&text.key.value), terms)
    }

    fn time(&mut self, text: &Spanned<String>) -> Option<Timestamp> {
        let time = text.value.parse().ok();
        if time.is_none() {
            self.problem(
                text,
                format!("{:?} is not a time", text.value),
                "write it as 2027-01-31T00:00:00Z",
            );
        }
        time
    }

    /// What is not given is as usual; the burst follows the rate.
    fn limits(&mut self, text: Option<&LimitsText>) -> Limits {
        let usual = Limits::default();
        let Some(text) = text else { return usual };
        let any = (1, u32::MAX);
        let rate = self.number(text.rate.as_ref(), any, usual.rate);
        let burst = rate.saturating_mul(Limits::BURST_SECONDS);
        let sizes = (SMALLEST_BODY, Limits::LARGEST_BODY);
        Limits {
            rate,
            burst: self.number(text.burst.as_ref(), any, burst),
            body_bytes: self.number(text.body_bytes.as_ref(), sizes, usual.body_bytes),
            alerts_per_body: self.number(text.alerts_per_body.as_ref(), any, usual.alerts_per_body),
            open_alerts: self.number(text.open_alerts.as_ref(), any, usual.open_alerts),
        }
    }

    fn number(&mut self, text: Option<&Spanned<u32>>, (least, most): (u32, u32), usual: u32) -> u32 {
        let Some(text) = text else { return usual };
        if text.value < least || text.value > most {
            let remedy = format!("give a number from {least} to {most}, or leave it out");
            self.problem(text, format!("{} is no such limit", text.value), remedy);
        }
        text.value
    }

    /// The secrets that the sender may sign with, encrypted.
    fn signing_secrets(&mut self, text: &IntegrationText) -> Vec<String> {
        text.secrets()
            .filter_map(|secret| self.signing_secret(secret))
            .collect()
    }

    fn signing_secret(&mut self, secret: &Spanned<String>) -> Option<String> {
        let encoded = secret.value.strip_prefix("whsec_");
        let unreadable = encoded.is_some_and(|encoded| STANDARD.decode(encoded).is_err());
        if secret.value.trim().is_empty() || unreadable {
            self.problem(
                secret,
                "the signing secret is empty, or not base64 after whsec_",
                "copy it from the sender as it is shown there",
            );
        }
        match self.key.seal(&secret.value) {
            Ok(sealed) => Some(sealed),
            Err(error) => {
                let remedy = "look at the secret key of this process";
                self.problem(secret, error.to_string(), remedy);
                None
            }
        }
    }

    /// The filters of its MQTT topics. What a topic says is all that is known of a sender there.
    fn mqtt_topics(&mut self, text: &IntegrationText, taken: &mut BTreeSet<String>) -> Vec<String> {
        let source_type = text.source_type.value.as_str();
        for filter in &text.mqtt_topics {
            if let Err(invalid) = topic_filter::check(&filter.value) {
                let remedy = "write it as alerts/db or alerts/+/disk, or alerts/# for all that begin so";
                self.problem(filter, format!("the filter {invalid}"), remedy);
            } else if NOT_BY_MQTT.contains(&source_type) {
                let message = format!("what is published cannot be understood by type {source_type:?}");
                self.problem(
                    filter,
                    message,
                    "give the integration the type of one source, or of a mapping",
                );
            } else if text.secrets().next().is_some() {
                self.problem(
                    filter,
                    "nothing that is published is signed",
                    "leave out signing_secret, or make an integration of its own for the topics",
                );
            } else if !taken.insert(filter.value.clone()) {
                let remedy = "give each integration topics of its own";
                self.problem(filter, "the filter stands twice", remedy);
            }
        }
        text.mqtt_topics
            .iter()
            .map(|filter| filter.value.clone())
            .collect()
    }

    fn sns_topics(&mut self, text: &IntegrationText) -> Vec<String> {
        let source_type = text.source_type.value.as_str();
        for topic in &text.sns_topics {
            if !topic.value.starts_with("arn:aws") || topic.value.split(':').count() != ARN_PARTS {
                let message = format!("{:?} is not the ARN of a topic", topic.value);
                let remedy =
                    "write it as arn:aws:sns:eu-west-1:123456789012:name, with * for any text in a part";
                self.problem(topic, message, remedy);
            } else if SOURCE_TYPES.contains(&source_type) && !SNS_TYPES.contains(&source_type) {
                let message = format!("nothing comes by SNS to type {source_type:?}");
                self.problem(
                    topic,
                    message,
                    "leave sns_topics out, or use type cloudwatch, eventbridge or a mapping",
                );
            }
        }
        text.sns_topics.iter().map(|topic| topic.value.clone()).collect()
    }
}
