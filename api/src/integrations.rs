//! The integrations, and how their keys are used.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use pipeline::Context;
use pipeline::log::{Batch, From};
use schemas::config::{ConfigEntry, Integration, Limits};
use schemas::{KeyRefusal, KeyUsage, Permission, Topic};
use serde::Serialize;
use uuid::Uuid;

use crate::following::{Followed, follow};
use crate::routes::{Method, Operation, Routes};
use crate::{Api, ApiError};

/// How long what a run has counted is kept, as in `topics.toml`.
const USAGE_RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);
/// So many digits of a key's hash tell it from the others.
const ID_DIGITS: usize = 12;

/// All integrations, by name.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct Integrations {
    integrations: Vec<IntegrationShown>,
}

/// One sender.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct IntegrationShown {
    name: String,
    #[serde(rename = "type")]
    source_type: String,
    environment: String,
    scenario: String,
    /// What it may send with each of its keys, to each collector.
    limits: Limits,
    /// Whether its sender must sign.
    signed: bool,
    /// The SNS topics that may notify it.
    sns_topics: Vec<String>,
    /// The filters of the MQTT topics whose messages are its.
    mqtt_topics: Vec<String>,
    /// Its keys; what comes by its MQTT topics is counted like a key that is named `mqtt`.
    keys: Vec<KeyShown>,
}

/// One of its keys. What a run of a collector has counted is forgotten 90 days after the key was last used with it.
#[derive(Debug, PartialEq, Serialize, schemars::JsonSchema)]
struct KeyShown {
    /// The first digits of the SHA-256 of the key.
    id: String,
    /// What it is called, if it has a name.
    name: Option<String>,
    created: Option<Timestamp>,
    /// From when on it is refused.
    expires: Option<Timestamp>,
    /// Whether it is refused by now.
    expired: bool,
    /// When it was last shown, accepted or not; known here some seconds later.
    last_used: Option<Timestamp>,
    /// Requests that were taken.
    accepted: u64,
    /// Alerts in them.
    alerts: u64,
    /// Requests that were refused, by reason.
    refused: BTreeMap<String, u64>,
    /// The last request that was refused.
    last_refusal: Option<KeyRefusal>,
}

pub(crate) fn routes() -> Routes {
    let (path, permission) = ("/api/v1/integrations", Permission::IntegrationsRead);
    let summary = "List integrations, and how their keys are used";
    let operation = Operation::of(Method::Get, path, permission, summary).answers::<Integrations>();
    Routes::new().add(operation, list)
}

async fn list(State(api): State<Arc<Api>>) -> Result<Json<Integrations>, ApiError> {
    let stored = api.store.site().await?;
    let now = api.context.clock.now();
    let integrations = crate::site::entries(&stored)
        .into_values()
        .filter_map(|entry| match entry {
            ConfigEntry::Integration(integration) => Some(api.usage.shown(integration, now)),
            _ => None,
        });
    Ok(Json(Integrations {
        integrations: integrations.collect(),
    }))
}

/// The usage of keys that the collectors report; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Usage(Arc<Mutex<Runs>>);

/// By the hash of the key, and by the run of a collector.
type Runs = HashMap<String, BTreeMap<Uuid, KeyUsage>>;

impl Usage {
    /// Follows `integrations.usage` from its start.
    pub(crate) fn start(context: &Context) -> Self {
        let usage = Self::default();
        let follower = usage.clone();
        let topic = Topic::INTEGRATIONS_USAGE;
        follow(context, "usage of keys", topic, From::Start, move |followed| {
            if let Followed::Batch(batch) = followed {
                follower.take_all(batch);
            }
        });
        usage
    }

    fn take_all(&self, batch: Batch) {
        for value in batch.records.into_iter().filter_map(|record| record.value) {
            match serde_json::from_slice(&value) {
                Ok(usage) => self.take_in(usage),
                Err(error) => tracing::error!(%error, "a usage of a key cannot be read"),
            }
        }
    }

    fn take_in(&self, usage: KeyUsage) {
        let mut runs = self.lock();
        let runs = runs.entry(usage.key_hash.clone()).or_default();
        // As the topic does, or each start of a collector would stay here for ever.
        let now = usage.last_used;
        runs.retain(|_, run| now.duration_since(run.last_used) <= USAGE_RETENTION);
        runs.insert(usage.run, usage);
    }

    fn shown(&self, integration: Integration, now: Timestamp) -> IntegrationShown {
        let keys = integration.key_hashes.iter();
        let mut keys: Vec<_> = keys.map(|hash| self.key(&integration, hash, now)).collect();
        if !integration.mqtt_topics.is_empty() {
            let name = "mqtt".to_owned();
            keys.push(KeyShown {
                id: name.clone(),
                name: Some(name),
                ..self.key(&integration, &integration.mqtt_usage(), now)
            });
        }
        IntegrationShown {
            keys,
            mqtt_topics: integration.mqtt_topics,
            name: integration.name,
            source_type: integration.source_type,
            environment: integration.environment,
            scenario: integration.scenario,
            limits: integration.limits,
            signed: !integration.sealed_signing_secrets.is_empty(),
            sns_topics: integration.sns_topics,
        }
    }

    fn key(&self, integration: &Integration, hash: &str, now: Timestamp) -> KeyShown {
        let terms = integration.key_terms.get(hash);
        let mut key = KeyShown {
            id: hash.chars().take(ID_DIGITS).collect(),
            name: terms.map(|terms| terms.name.clone()),
            created: terms.and_then(|terms| terms.created),
            expires: terms.and_then(|terms| terms.expires),
            expired: integration.expired_key(hash, now).is_some(),
            last_used: None,
            accepted: 0,
            alerts: 0,
            refused: BTreeMap::new(),
            last_refusal: None,
        };
        for run in self.lock().get(hash).into_iter().flat_map(BTreeMap::values) {
            key.add(run);
        }
        key
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyShown {
    /// Adds what one run of a collector has seen.
    fn add(&mut self, run: &KeyUsage) {
        self.last_used = self.last_used.max(Some(run.last_used));
        self.accepted += run.accepted;
        self.alerts += run.alerts;
        for (reason, count) in &run.refused {
            *self.refused.entry(reason.clone()).or_default() += count;
        }
        let newer = |refusal: &KeyRefusal| {
            self.last_refusal
                .as_ref()
                .is_none_or(|known| known.at < refusal.at)
        };
        if let Some(refusal) = run.last_refusal.as_ref().filter(|refusal| newer(refusal)) {
            self.last_refusal = Some(refusal.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::config::KeyTerms;
    use serde_json::json;

    use super::*;

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn run(number: u128, last_used: &str, refusal: Option<&str>) -> KeyUsage {
        KeyUsage {
            key_hash: HASH.to_owned(),
            run: Uuid::from_u128(number),
            last_used: at(last_used),
            accepted: 2,
            alerts: 5,
            refused: refusal.map(|reason| (reason.to_owned(), 1)).into_iter().collect(),
            last_refusal: refusal.map(|reason| KeyRefusal {
                at: at(last_used),
                reason: reason.to_owned(),
                message: reason.to_owned(),
            }),
        }
    }

    fn integration() -> Integration {
        let terms = KeyTerms {
            name: "2026".to_owned(),
            created: None,
            expires: Some(at("2027-01-31T00:00:00Z")),
        };
        Integration {
            name: "main".to_owned(),
            key_hashes: vec![HASH.to_owned(), "ab".repeat(32)],
            key_terms: [(HASH.to_owned(), terms)].into(),
            ..Integration::default()
        }
    }

    #[test]
    fn what_the_runs_of_the_collectors_have_seen_is_added_up() {
        let usage = Usage::default();
        for seen in [
            run(1, "2027-01-01T10:00:00Z", Some("malformed")),
            run(2, "2027-01-01T09:00:00Z", Some("rate_limited")),
            // The same run again, later: its counts have grown, and count once.
            run(1, "2027-01-01T11:00:00Z", Some("malformed")),
        ] {
            usage.take_in(seen);
        }
        let shown = usage.shown(integration(), at("2027-01-30T00:00:00Z"));
        let key = &shown.keys[0];
        assert_eq!(
            (key.id.as_str(), key.name.as_deref()),
            ("9f86d081884c", Some("2026"))
        );
        assert_eq!((key.accepted, key.alerts), (4, 10));
        assert_eq!(key.last_used, Some(at("2027-01-01T11:00:00Z")));
        assert_eq!(json!(key.refused), json!({ "malformed": 1, "rate_limited": 1 }));
        let refusal = key.last_refusal.as_ref().unwrap();
        assert_eq!(
            (refusal.at, refusal.reason.as_str()),
            (at("2027-01-01T11:00:00Z"), "malformed")
        );
        let unused = &shown.keys[1];
        assert_eq!((unused.last_used, unused.accepted), (None, 0));
    }

    #[test]
    fn a_run_that_has_long_ended_is_forgotten() {
        let usage = Usage::default();
        usage.take_in(run(1, "2027-01-01T10:00:00Z", None));
        usage.take_in(run(2, "2027-04-01T10:00:00Z", None));
        assert_eq!(
            usage.shown(integration(), at("2027-04-02T00:00:00Z")).keys[0].accepted,
            4
        );
        usage.take_in(run(2, "2027-04-01T10:00:01Z", None));
        assert_eq!(
            usage.shown(integration(), at("2027-04-02T00:00:00Z")).keys[0].accepted,
            2
        );
    }

    #[test]
    fn a_key_is_expired_from_its_very_end_on() {
        let usage = Usage::default();
        for (now, expired) in [("2027-01-30T23:59:59Z", false), ("2027-01-31T00:00:00Z", true)] {
            let shown = usage.shown(integration(), at(now));
            assert_eq!(
                shown.keys.iter().map(|key| key.expired).collect::<Vec<_>>(),
                [expired, false]
            );
        }
    }
}
