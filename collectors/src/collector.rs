//! One request, from its head to where its alerts are safe. How that is answered is its door's affair.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use chassis::secrets::SiteKey;
use chassis::settings::AlertBounds;
use domain::{CompiledMapping, Site};
use jiff::Timestamp;
use pipeline::trace::{TraceParent, record_headers};
use pipeline::{Context, LogError, Record};
use schemas::config::Integration;
use schemas::{HEADER_TRACEPARENT, Topic};
use tokio::sync::watch;
use uuid::Uuid;

use crate::accept::Delivery;
use crate::body::{self, Held};
use crate::budget::{Budget, Owner};
use crate::call::{Call, Posted};
use crate::kept;
use crate::key::{self, Known};
use crate::limit::Limiter;
use crate::measure::{Counts, Measured, Measures};
use crate::open_alerts::OpenAlerts;
use crate::parsing::Parsing;
use crate::presence::LogPresence;
use crate::refusal::Refusal;
use crate::signature::{Scheme, Signing};
use crate::sns::{Proven, Sns};
use crate::sources::{self, ready_made};
use crate::work::{Arrived, Reading, Taken, Work};

/// The sources whose bodies come by SNS, besides mappings.
const SOURCES_OF_SNS: [&str; 2] = ["cloudwatch", "eventbridge"];
/// How long the log may take; senders hang up soon after.
const APPEND_TIME: Duration = Duration::from_secs(8);
/// What all requests share.
pub(crate) struct Collector {
    context: Context,
    site: watch::Receiver<Arc<Site>>,
    site_key: Option<SiteKey>,
    sns: Sns,
    bounds: AlertBounds,
    budget: Budget,
    parsing: Parsing,
    limiter: Limiter,
    open_alerts: OpenAlerts,
    measures: Measures,
    presence: LogPresence,
}

/// A request whose sender may post, but for its body.
struct Admitted {
    source: Cow<'static, str>,
    path: String,
    key: Arc<Known>,
    environment: Option<String>,
    scenario: Option<String>,
    headers: HeaderMap,
    reading: Reading,
}

impl Collector {
    pub(crate) fn new(
        context: Context,
        site: watch::Receiver<Arc<Site>>,
        site_key: Option<SiteKey>,
        bounds: AlertBounds,
        sns: Sns,
        body_memory_bytes: usize,
    ) -> Self {
        Self {
            measures: Measures::new(&context),
            presence: LogPresence::watched(&context),
            bounds,
            budget: Budget::new(body_memory_bytes, &context.metrics),
            parsing: Parsing::new(),
            limiter: Limiter::new(context.clock.clone()),
            open_alerts: OpenAlerts::new(context.clock.clone(), &context.metrics),
            context,
            site,
            site_key,
            sns,
        }
    }

    /// Tells how the keys are used, until shutdown.
    pub(crate) async fn tell_usage(&self) {
        self.measures.usage().tell_again_and_again(&self.context).await;
    }

    /// The time, for doors whose senders say when something ends.
    pub(crate) fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// Takes a request: when this is done, all its alerts are safe, or none was taken.
    pub(crate) async fn take(&self, call: Call) -> Result<Taken, Refusal> {
        let source = call.source.clone();
        let mut measured = self.measures.request(Some(source.clone()));
        match self.taken(call, &mut measured).await {
            Ok((counts, taken)) => {
                measured.accepted(counts);
                if taken.receipts.is_empty() && !taken.remarks.is_empty() {
                    // Whoever has to do something about it rarely sees the answer.
                    tracing::info!(%source, remarks = ?taken.remarks, "a body had no alert");
                }
                Ok(taken)
            }
            Err(refusal) => Err(told(measured, &source, refusal)),
        }
    }

    /// Whether a sender may post, which it asks before it does.
    pub(crate) fn consents(&self, call: Call) -> Result<(), Refusal> {
        let source = call.source;
        let mut measured = self.measures.request(Some(source.clone()));
        let known = call.posted.asked.and_then(|asked| {
            let keys = key::beside(call.keys, asked.integration_key, &call.posted.headers);
            self.key(&source, call.owner.as_deref(), &keys, &mut measured)
        });
        match known {
            Ok(_) => {
                measured.accepted(Counts::default());
                Ok(())
            }
            Err(refusal) => Err(told(measured, &source, refusal)),
        }
    }

    /// Refuses a request by its head alone.
    pub(crate) async fn refuse(
        &self,
        source: Option<Cow<'static, str>>,
        refusal: Refusal,
        body: Body,
    ) -> Refusal {
        let measured = self.measures.request(source.clone());
        told(
            measured,
            &source.unwrap_or_default(),
            drained(body, refusal).await,
        )
    }

    async fn taken(&self, call: Call, measured: &mut Measured) -> Result<(Counts, Taken), Refusal> {
        let begun = self.context.clock.now();
        let (admitted, held) = self.admitted(call, measured).await?;
        let key = Arc::clone(&admitted.key);
        let refused = match held {
            Ok(held) => {
                measured.body(held.bytes.len());
                let message = match self.message(&admitted.source, &key, &held).await? {
                    Some(Proven::Done(remark)) => return Ok((Counts::default(), Taken::nothing(remark))),
                    Some(Proven::Message(message)) => Some(message),
                    None => None,
                };
                match self.work(admitted, held, begun).done().await {
                    (Ok(prepared), arrived) => {
                        let counts = prepared.counts;
                        // A body that is kept costs as much as an alert, or somebody could fill the log with them.
                        let kept = usize::from(prepared.unusable.is_some());
                        let alerts = (prepared.taken.receipts.len() + kept) as u64;
                        self.limiter.take(&key, alerts, counts.important)?;
                        // It is held until its alerts are safe, as its share of the budget.
                        if let (Some(unusable), Some(arrived)) = (prepared.unusable, &arrived) {
                            let refusal = Refusal::from(unusable);
                            self.keep(&refusal, arrived).await?;
                            measured.refused(&refusal);
                        }
                        measured.shortened(&prepared.shortened);
                        let (records, refused) = self.open_alerts.admit(&key.integration, prepared.records);
                        self.append(records).await?;
                        if let Some(refusal) = refused {
                            if let (true, Some(arrived)) = (key.hears_nothing(), &arrived) {
                                self.keep(&refusal, arrived).await?;
                            }
                            return Err(refusal);
                        }
                        message.into_iter().for_each(|message| self.sns.remember(message));
                        return Ok((counts, prepared.taken));
                    }
                    (Err(refusal), arrived) => (refusal, arrived),
                }
            }
            Err((refusal, held)) => (refusal, held.map(|held| self.arrived(admitted, held).1)),
        };
        match refused {
            (refusal, Some(arrived)) if refusal.keeps_body() => {
                // This costs as much as an alert, too.
                self.limiter.take(&key, 1, false)?;
                self.keep(&refusal, &arrived).await?;
                Err(refusal)
            }
            (refusal, _) => Err(refusal),
        }
    }

    /// Reads the body of a sender that shows a key beside it, or else in it.
    async fn admitted(
        &self,
        call: Call,
        measured: &mut Measured,
    ) -> Result<(Admitted, body::Arrival), Refusal> {
        let Posted {
            asked, headers, body, ..
        } = call.posted;
        let asked = match asked {
            Ok(asked) => asked,
            Err(refusal) => return Err(drained(body, refusal).await),
        };
        let mut keys = key::beside(call.keys, asked.integration_key, &headers);
        let owner = call.owner.as_deref();
        let shown = match call.sender {
            Some(sender) => self.let_in(Known::by_topic(sender), &call.source, owner, measured),
            None => self.key(&call.source, owner, &keys, measured),
        };
        let (key, held) = match (shown, call.key_in_body) {
            (Ok(key), _) => {
                let owner = Owner::Key(key.hash.clone());
                let held = body::read(body, &headers, &self.budget, owner, body_limit(&key)).await;
                (key, held)
            }
            (Err(Refusal::Key { .. }), Some(find)) => {
                let held = body::read(body, &headers, &self.budget, Owner::Unknown, body::LARGEST).await;
                let mut held = held.map_err(|(refusal, _)| refusal)?;
                let unpacked = held.unpacked_for_key(&headers)?;
                keys.extend(find(unpacked.as_deref().unwrap_or(&held.bytes)));
                drop(unpacked);
                let key = self.key(&call.source, owner, &keys, measured)?;
                let held = held.give_to_key(&key.hash, body_limit(&key)).await;
                (key, held)
            }
            (Err(refusal), _) => return Err(drained(body, refusal).await),
        };
        let reading = Reading {
            // Whatever can call an address can call a heartbeat; its key is all that it shows.
            signing: match owner {
                Some(_) => None,
                None => self.signing(&call.source, &key)?,
            },
            read: call.read,
            alerts_limit: key.integration.limits.alerts_per_body,
            parsing: self.parsing.clone(),
        };
        // The beginning of what must be signed cannot be proven, so it is not kept either.
        let held = match reading.signing.is_some() || comes_by_sns(&call.source, &key) {
            true => held.map_err(|(refusal, _)| (refusal, None)),
            false => held,
        };
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let admitted = Admitted {
            source: call.source,
            path: call.path,
            key,
            environment: given(asked.environment_id),
            scenario: given(asked.scenario_id),
            headers,
            reading,
        };
        Ok((admitted, held))
    }

    /// The one of these keys that the site knows, if it may post to this source now.
    fn key(
        &self,
        source: &str,
        owner: Option<&str>,
        keys: &[String],
        measured: &mut Measured,
    ) -> Result<Arc<Known>, Refusal> {
        let site = self.site()?;
        let known = key::known(&site, keys, self.context.clock.now())?;
        self.let_in(known, source, owner, measured)
    }

    /// The same key, if it may post to this source now.
    fn let_in(
        &self,
        known: Known,
        source: &str,
        owner: Option<&str>,
        measured: &mut Measured,
    ) -> Result<Arc<Known>, Refusal> {
        let key = Arc::new(known);
        measured.key(Arc::clone(&key));
        key.check(self.context.clock.now())?;
        admits(&key.integration, source, owner)?;
        self.limiter.check(&key)?;
        Ok(key)
    }

    /// What is configured, once that is known.
    pub(crate) fn site(&self) -> Result<Arc<Site>, Refusal> {
        let site = Arc::clone(&self.site.borrow());
        match site.revision {
            Some(_) => Ok(site),
            None => Err(Refusal::NotReady),
        }
    }

    /// The mapping that is the type of the integration of one of these keys, for doors with one address for all.
    pub(crate) fn mapping_of(&self, keys: &[String]) -> Option<Arc<CompiledMapping>> {
        let site = self.site().ok()?;
        let known = key::known(&site, keys, self.context.clock.now()).ok()?;
        self.mapping(&known.integration.source_type).ok()?
    }

    /// The mapping of this name: the site's own, else the ready-made one.
    pub(crate) fn mapping(&self, name: &str) -> Result<Option<Arc<CompiledMapping>>, Refusal> {
        let own = self.site()?.mappings.get(name).cloned();
        Ok(own.or_else(|| ready_made::find(name)))
    }

    /// The type of the integration of one of these keys, for doors with addresses for several types.
    pub(crate) fn type_of(&self, keys: &[String]) -> Option<String> {
        let site = self.site().ok()?;
        let known = key::known(&site, keys, self.context.clock.now()).ok()?;
        Some(known.integration.source_type.clone())
    }

    /// The heartbeats that the integration of one of these keys owns and that are called, not told by alerts.
    pub(crate) fn heartbeats_of(&self, keys: &[String]) -> Vec<String> {
        let Ok(site) = self.site() else { return Vec::new() };
        let Ok(known) = key::known(&site, keys, self.context.clock.now()) else {
            return Vec::new();
        };
        let own = site.heartbeats.values();
        let own = own.filter(|heartbeat| heartbeat.integration == known.integration.name);
        own.filter(|heartbeat| heartbeat.alert.is_none())
            .map(|heartbeat| heartbeat.name.clone())
            .collect()
    }

    /// The message that SNS has signed, if the body must be one.
    async fn message(&self, source: &str, key: &Known, held: &Held) -> Result<Option<Proven>, Refusal> {
        if !comes_by_sns(source, key) {
            return Ok(None);
        }
        let integration = &key.integration;
        let proving = self
            .sns
            .prove(&integration.name, &integration.sns_topics, &held.bytes);
        Ok(Some(proving.await?))
    }

    /// How what is posted to this source with this key must be signed, if it must; by SNS in its own way.
    fn signing(&self, source: &str, key: &Known) -> Result<Option<Signing>, Refusal> {
        let integration = &key.integration;
        let sealed = &integration.sealed_signing_secrets;
        if sealed.is_empty() || comes_by_sns(source, key) {
            return Ok(None);
        }
        let unusable = |error: String| Refusal::SigningSecret {
            integration: integration.name.clone(),
            error,
        };
        let site_key = self.site_key.as_ref();
        let site_key = site_key.ok_or_else(|| unusable("secret_key is not set".to_owned()))?;
        let secrets = sealed.iter().map(|sealed| site_key.open(sealed));
        let secrets = secrets
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Some(Signing {
            integration: integration.name.clone(),
            site_key: site_key.clone(),
            scheme: Scheme::of(source),
            secrets,
            now: self.context.clock.now(),
        }))
    }

    fn work(&self, admitted: Admitted, held: Held, begun: Timestamp) -> Work {
        let (reading, arrived) = self.arrived(admitted, held);
        let parent = arrived
            .headers
            .get(HEADER_TRACEPARENT)
            .and_then(|value| value.to_str().ok());
        let parent = parent
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(TraceParent::random)
            .to_string();
        let accepted_at = arrived.delivery.accepted_at;
        let trace = self
            .context
            .tracer
            .span("collect", Some(&parent), begun, accepted_at);
        Work {
            reading,
            record_headers: record_headers(trace.as_deref()),
            arrived,
        }
    }

    fn arrived(&self, admitted: Admitted, held: Held) -> (Reading, Arrived) {
        let accepted_at = self.context.clock.now();
        let site = Arc::clone(&self.site.borrow());
        let called_by_alerts = site.heartbeats_called_by_alerts(&admitted.key.integration.name);
        let called_by_alerts = called_by_alerts.cloned().collect();
        let arrived = Arrived {
            path: admitted.path,
            headers: admitted.headers,
            delivery: Delivery {
                integration: admitted.key.integration.name.clone(),
                monitoring_system: admitted.source,
                environment: admitted.environment,
                scenario: admitted.scenario,
                accepted_at,
                first_id: first_id(accepted_at),
                called_by_alerts,
                bounds: self.bounds,
            },
            key: admitted.key,
            held,
        };
        (admitted.reading, arrived)
    }

    /// Answers when the alerts are safe.
    async fn append(&self, records: Vec<Record>) -> Result<(), Refusal> {
        if records.is_empty() {
            return Ok(());
        }
        self.write(Topic::ALERTS_COLLECTED, records).await
    }

    async fn write(&self, topic: Topic, records: Vec<Record>) -> Result<(), Refusal> {
        let appended = tokio::time::timeout(APPEND_TIME, self.context.log.append(topic, records)).await;
        let appended = appended.unwrap_or_else(|_| {
            Err(LogError::Unavailable(format!(
                "no answer for {} seconds",
                APPEND_TIME.as_secs()
            )))
        });
        match appended {
            Ok(()) => {
                self.presence.worked();
                Ok(())
            }
            Err(error) => {
                if matches!(error, LogError::Unavailable(_)) {
                    self.presence.failed(&error);
                }
                Err(Refusal::Unavailable(error.to_string()))
            }
        }
    }

    /// Keeps a body that was refused. If that is not possible now, the sender is asked to come again, since it would
    /// take the refusal itself for the end of it.
    async fn keep(&self, refusal: &Refusal, arrived: &Arrived) -> Result<(), Refusal> {
        let rejected = kept::rejected(refusal, arrived);
        let value = serde_json::to_vec(&rejected).map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let record = Record {
            key: rejected.monitoring_system,
            value: Some(value.into()),
            headers: record_headers(None),
        };
        self.write(Topic::INGEST_REJECTED, vec![record]).await
    }
}

/// Counts a refusal and logs it.
fn told(measured: Measured, source: &str, refusal: Refusal) -> Refusal {
    measured.rejected(&refusal);
    if refusal.keeps_body() {
        tracing::warn!(source, %refusal, "a body was refused");
    } else {
        // Anybody can cause these, as often as they like; they are counted.
        tracing::debug!(source, %refusal, "a request was refused");
    }
    refusal
}

async fn drained(body: Body, refusal: Refusal) -> Refusal {
    body::drain(body.into_data_stream()).await;
    refusal
}

fn first_id(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds))
}

/// Whether an integration may post to a source; to what another owns, it may not.
fn admits(integration: &Integration, source: &str, owner: Option<&str>) -> Result<(), Refusal> {
    let name = &integration.name;
    match owner {
        Some(owner) if owner != name => Err(Refusal::OtherOwner {
            integration: name.clone(),
        }),
        None if !integration.takes(source) => Err(Refusal::OtherSource {
            integration: name.clone(),
            of_type: integration.source_type.clone(),
            posted: source.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Whether only SNS may post to this source with this key.
fn comes_by_sns(source: &str, key: &Known) -> bool {
    let can = SOURCES_OF_SNS.contains(&source) || sources::find(source).is_none();
    can && !key.integration.sns_topics.is_empty()
}

/// How large a body of this key's sender may be; what every collector can hold is the bound.
fn body_limit(key: &Known) -> usize {
    let bytes = usize::try_from(key.integration.limits.body_bytes);
    bytes.map_or(body::LARGEST, |bytes| bytes.min(body::LARGEST))
}
