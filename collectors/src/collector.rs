//! One request, from its head until its events are stored. Its endpoint makes the answer.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use chassis::secrets::SiteKey;
use domain::{AlertBounds, Site};
use jiff::Timestamp;
use pipeline::Context;
use pipeline::trace::{TraceParent, record_headers};
use schemas::HEADER_TRACEPARENT;
use sources::Delivery;
use tokio::sync::watch;
use uuid::Uuid;

use crate::intake::body::{self, BufferedBody};
use crate::intake::budget::{Budget, Owner};
use crate::intake::decode::{Accepted, DecodeJob, DecodePlan, EncodedBatch, ReceivedRequest};
use crate::intake::decode_slots::DecodeSlots;
use crate::intake::error::IngestError;
use crate::intake::key::{self, ResolvedKey};
use crate::intake::open_alerts::OpenAlerts;
use crate::intake::rate_limit::RateLimiter;
use crate::intake::request::{IncomingRequest, IngestRequest};
use crate::intake::sns::{Proven, Sns};
use crate::log_health::LogHealth;
use crate::metrics::{CollectorMetrics, Counts, RequestMetrics};

mod authorize;
mod site;
mod store;

/// What all requests share.
pub(crate) struct Collector {
    context: Context,
    site: watch::Receiver<Arc<Site>>,
    site_key: Option<SiteKey>,
    sns: Sns,
    bounds: AlertBounds,
    budget: Budget,
    decode_slots: DecodeSlots,
    rate_limiter: RateLimiter,
    open_alerts: OpenAlerts,
    metrics: CollectorMetrics,
    log_health: LogHealth,
}

/// A request whose sender may post, without its body.
struct Authenticated {
    source: Cow<'static, str>,
    path: String,
    key: Arc<ResolvedKey>,
    environment: Option<String>,
    scenario: Option<String>,
    headers: HeaderMap,
    plan: DecodePlan,
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
            metrics: CollectorMetrics::new(&context),
            log_health: LogHealth::watched(&context),
            bounds,
            budget: Budget::new(body_memory_bytes, &context.metrics),
            decode_slots: DecodeSlots::new(),
            rate_limiter: RateLimiter::new(context.clock.clone()),
            open_alerts: OpenAlerts::new(context.clock.clone(), &context.metrics),
            context,
            site,
            site_key,
            sns,
        }
    }

    /// Reports how the keys are used, until shutdown.
    pub(crate) async fn report_usage(&self) {
        self.metrics.usage().report_periodically(&self.context).await;
    }

    /// The time, for endpoints whose senders give the end of an alert.
    pub(crate) fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// Ingests a request: when this returns, all its events are stored, or none is.
    ///
    /// # Errors
    ///
    /// Why the request is refused. It is counted, and logged or stored where an operator must see it.
    pub(crate) async fn ingest(&self, request: IngestRequest) -> Result<Accepted, IngestError> {
        let source = request.source.clone();
        let mut metrics = self.metrics.request(Some(source.clone()));
        match self.ingest_measured(request, &mut metrics).await {
            Ok((counts, accepted)) => {
                metrics.accepted(counts);
                if accepted.receipts.is_empty() && !accepted.warnings.is_empty() {
                    // The operator rarely sees the answer to the sender.
                    tracing::info!(%source, warnings = ?accepted.warnings, "a body had no alert");
                }
                Ok(accepted)
            }
            Err(error) => Err(record_rejection(metrics, &source, error)),
        }
    }

    /// Whether a sender may post, for senders that ask before they post.
    ///
    /// # Errors
    ///
    /// Why it may not.
    pub(crate) fn authorize(&self, request: IngestRequest) -> Result<(), IngestError> {
        let source = request.source;
        let mut metrics = self.metrics.request(Some(source.clone()));
        let key = request.incoming.hints.and_then(|hints| {
            let headers = &request.incoming.headers;
            let keys = key::credentials_in(request.keys, hints.integration_key, headers);
            self.authorize_key(&source, request.owner.as_deref(), &keys, &mut metrics)
        });
        match key {
            Ok(_) => {
                metrics.accepted(Counts::default());
                Ok(())
            }
            Err(error) => Err(record_rejection(metrics, &source, error)),
        }
    }

    /// Refuses a request by its head alone.
    pub(crate) async fn reject(
        &self,
        source: Option<Cow<'static, str>>,
        error: IngestError,
        body: Body,
    ) -> IngestError {
        let metrics = self.metrics.request(source.clone());
        record_rejection(metrics, &source.unwrap_or_default(), drained(body, error).await)
    }

    async fn ingest_measured(
        &self,
        request: IngestRequest,
        metrics: &mut RequestMetrics,
    ) -> Result<(Counts, Accepted), IngestError> {
        let begun = self.context.clock.now();
        let (authenticated, body) = self.authenticate(request, metrics).await?;
        let key = Arc::clone(&authenticated.key);
        let (error, received) = match body {
            Ok(body) => {
                metrics.body(body.bytes.len());
                let message = match self.sns_message(&authenticated.source, &key, &body).await? {
                    Some(Proven::Done(warning)) => {
                        return Ok((Counts::default(), Accepted::nothing(warning)));
                    }
                    Some(Proven::Message(message)) => Some(message),
                    None => None,
                };
                match self.decode_job(authenticated, body, begun).run().await {
                    (Ok(batch), received) => {
                        let ingested = self.store_batch(batch, received.as_ref(), &key, metrics).await?;
                        message.into_iter().for_each(|message| self.sns.remember(message));
                        return Ok(ingested);
                    }
                    (Err(error), received) => (error, received),
                }
            }
            Err((error, body)) => (error, body.map(|body| self.received(authenticated, body).1)),
        };
        match received {
            Some(received) if error.is_stored() => {
                // A stored body costs as much as an alert.
                self.rate_limiter.take(&key, 1, false)?;
                self.store_rejected(&error, &received).await?;
                Err(error)
            }
            _ => Err(error),
        }
    }

    /// Stores the events of a body. The body stays in memory until then, and in the budget.
    async fn store_batch(
        &self,
        batch: EncodedBatch,
        received: Option<&ReceivedRequest>,
        key: &ResolvedKey,
        metrics: &RequestMetrics,
    ) -> Result<(Counts, Accepted), IngestError> {
        let counts = batch.counts;
        // A body that is stored costs as much as an alert, or a sender could fill the log with such bodies.
        let stored = usize::from(batch.unusable.is_some());
        let alerts = (batch.accepted.receipts.len() + stored) as u64;
        self.rate_limiter.take(key, alerts, counts.important)?;
        if let (Some(unusable), Some(received)) = (batch.unusable, received) {
            let error = IngestError::from(unusable);
            self.store_rejected(&error, received).await?;
            metrics.count_error(&error);
        }
        metrics.shortened(&batch.shortened);
        let (records, refused) = self.open_alerts.admit(&key.integration, batch.records);
        self.store_events(records).await?;
        match refused {
            None => Ok((counts, batch.accepted)),
            Some(error) => {
                if let (true, Some(received)) = (key.has_no_answer(), received) {
                    self.store_rejected(&error, received).await?;
                }
                Err(error)
            }
        }
    }

    /// Authenticates a request by its head, or else by the key in its body, and reads the body.
    async fn authenticate(
        &self,
        request: IngestRequest,
        metrics: &mut RequestMetrics,
    ) -> Result<(Authenticated, body::ReadResult), IngestError> {
        let IncomingRequest {
            hints, headers, body, ..
        } = request.incoming;
        let hints = match hints {
            Ok(hints) => hints,
            Err(error) => return Err(drained(body, error).await),
        };
        let mut keys = key::credentials_in(request.keys, hints.integration_key, &headers);
        let (source, owner) = (request.source, request.owner.as_deref());
        let by_head = match request.sender {
            Some(sender) => self.check_key(ResolvedKey::of_topic(sender), &source, owner, metrics),
            None => self.authorize_key(&source, owner, &keys, metrics),
        };
        let (key, body) = match (by_head, request.key_in_body) {
            (Ok(key), _) => {
                let owner = Owner::Key(key.hash.clone());
                let body = body::read(body, &headers, &self.budget, owner, body_limit(&key)).await;
                (key, body)
            }
            (Err(IngestError::Key { .. }), Some(find)) => {
                let limit = body::MAX_BODY_BYTES;
                let body = body::read(body, &headers, &self.budget, Owner::Unknown, limit).await;
                let mut body = body.map_err(|(error, _)| error)?;
                let unpacked = body.unpacked_for_key(&headers)?;
                keys.extend(find(unpacked.as_deref().unwrap_or(&body.bytes)));
                drop(unpacked);
                let key = self.authorize_key(&source, owner, &keys, metrics)?;
                let body = body.give_to_key(&key.hash, body_limit(&key)).await;
                (key, body)
            }
            (Err(error), _) => return Err(drained(body, error).await),
        };
        let plan = DecodePlan {
            // Many callers of a heartbeat can only call an address, so its key is all that they show.
            signature: match owner {
                Some(_) => None,
                None => self.required_signature(&source, &key)?,
            },
            parse: request.parse,
            alerts_limit: key.integration.limits.alerts_per_body,
            slots: self.decode_slots.clone(),
        };
        // The beginning of a body cannot be verified, so it is not stored where a signature is required.
        let body = match plan.signature.is_some() || authorize::comes_by_sns(&source, &key) {
            true => body.map_err(|(error, _)| (error, None)),
            false => body,
        };
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let authenticated = Authenticated {
            source,
            path: request.path,
            key,
            environment: given(hints.environment_id),
            scenario: given(hints.scenario_id),
            headers,
            plan,
        };
        Ok((authenticated, body))
    }

    fn decode_job(&self, authenticated: Authenticated, body: BufferedBody, begun: Timestamp) -> DecodeJob {
        let (plan, received) = self.received(authenticated, body);
        let parent = received
            .headers
            .get(HEADER_TRACEPARENT)
            .and_then(|value| value.to_str().ok());
        let parent = parent
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(TraceParent::random)
            .to_string();
        let accepted_at = received.delivery.accepted_at;
        let trace = self
            .context
            .tracer
            .span("collect", Some(&parent), begun, accepted_at);
        DecodeJob {
            plan,
            record_headers: record_headers(trace.as_deref()),
            received,
        }
    }

    fn received(&self, authenticated: Authenticated, body: BufferedBody) -> (DecodePlan, ReceivedRequest) {
        let accepted_at = self.context.clock.now();
        let site = Arc::clone(&self.site.borrow());
        let called_by_alerts = site.heartbeats_called_by_alerts(&authenticated.key.integration.name);
        let called_by_alerts = called_by_alerts.cloned().collect();
        let integration = &authenticated.key.integration;
        let terms = integration.key_terms.get(&authenticated.key.hash);
        let received = ReceivedRequest {
            path: authenticated.path,
            headers: authenticated.headers,
            delivery: Delivery {
                integration: integration.name.clone(),
                key: terms.map(|terms| terms.name.clone()),
                monitoring_system: authenticated.source,
                environment: authenticated.environment,
                scenario: authenticated.scenario,
                accepted_at,
                first_id: first_id(accepted_at),
                called_by_alerts,
                bounds: self.bounds,
            },
            key: authenticated.key,
            body,
        };
        (authenticated.plan, received)
    }
}

/// Counts and logs a refused request.
fn record_rejection(metrics: RequestMetrics, source: &str, error: IngestError) -> IngestError {
    metrics.rejected(&error);
    if error.is_stored() {
        tracing::warn!(source, %error, "a body was refused");
    } else {
        // Strangers can cause these at any rate, so they are counted and not logged.
        tracing::debug!(source, %error, "a request was refused");
    }
    error
}

async fn drained(body: Body, error: IngestError) -> IngestError {
    body::drain(body.into_data_stream()).await;
    error
}

fn first_id(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds))
}

/// The most bytes of a body that this key may post, at most what any collector can buffer.
fn body_limit(key: &ResolvedKey) -> usize {
    let bytes = usize::try_from(key.integration.limits.body_bytes);
    bytes.map_or(body::MAX_BODY_BYTES, |bytes| bytes.min(body::MAX_BODY_BYTES))
}
