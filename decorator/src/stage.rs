//! The stage: a batch of collected events in, decorated events out.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Site;
use pipeline::log::{Batch, Received};
use pipeline::trace::record_headers;
use pipeline::{Context, Record, Stage, StageError, StageMetrics, dead_letters};
use schemas::rejection::{Rejected, RejectedKind};
use schemas::{AlertEvent, HEADER_SPOOLED, HEADER_TRACEPARENT, Origin, Topic};
use tokio::sync::watch;

use crate::STAGE;
use crate::decorations::Decorations;
use crate::measure::Measures;

pub(crate) struct Decorator {
    context: Context,
    site: watch::Receiver<Arc<Site>>,
    decorations: Option<Arc<Decorations>>,
    measures: Measures,
    metrics: StageMetrics,
}

/// What becomes of a record.
enum Outcome {
    Decorated(Record),
    Dropped(Record),
    DeadLetter(String),
}

impl Decorator {
    pub(crate) fn new(
        context: Context,
        site: watch::Receiver<Arc<Site>>,
        measures: Measures,
        metrics: StageMetrics,
    ) -> Self {
        Self {
            context,
            site,
            decorations: None,
            measures,
            metrics,
        }
    }

    /// The decorations of the site as it is now.
    fn current(&mut self) -> Arc<Decorations> {
        let site = Arc::clone(&self.site.borrow_and_update());
        let before = self.decorations.take();
        let decorations = match before {
            Some(decorations) if decorations.is_of(&site) => decorations,
            before => Arc::new(self.prepared(site, before.as_deref())),
        };
        Arc::clone(self.decorations.insert(decorations))
    }

    fn prepared(&self, site: Arc<Site>, before: Option<&Decorations>) -> Decorations {
        let (decorations, unusable) = Decorations::new(site, before);
        for (rule, error) in unusable {
            tracing::error!(rule, %error, "a rule cannot be used and is skipped");
            self.measures.rule_failures.with_label_values(&[&rule]).inc();
        }
        decorations
    }

    fn outcome(
        &self,
        decorations: &Decorations,
        batch: &Batch,
        record: &Received,
    ) -> Result<Outcome, serde_json::Error> {
        let begun = self.context.clock.now();
        let Some(value) = &record.value else {
            return Ok(Outcome::DeadLetter("the record is empty".to_owned()));
        };
        let mut event: AlertEvent = match serde_json::from_slice(value) {
            Ok(event) => event,
            Err(error) => return Ok(Outcome::DeadLetter(format!("not an event: {error}"))),
        };
        let applied = decorations.apply_rules(&mut event);
        for (rule, error) in applied.failures {
            tracing::debug!(
                rule,
                error,
                name = event.name,
                "a rule could not be evaluated and was skipped"
            );
            self.measures.rule_failures.with_label_values(&[rule]).inc();
        }
        let parent = record.header(HEADER_TRACEPARENT);
        if let Some((rule, reason)) = applied.dropped {
            self.measures.dropped.with_label_values(&[rule]).inc();
            return self
                .dropped(event, value, parent, format!("dropped by rule {rule}: {reason}"))
                .map(Outcome::Dropped);
        }
        let rules = applied.applied.into_iter().map(str::to_owned).collect();
        let accepted_at = event.accepted_at;
        let origin = Origin {
            partition: batch.partition,
            offset: record.offset,
        };
        let spooled = record.header(HEADER_SPOOLED).is_some();
        let decorated = decorations.decorate(event, (origin, spooled), rules);
        let value = serde_json::to_vec(&decorated)?;
        let now = self.context.clock.now();
        self.measures
            .since_accepted
            .observe(now.duration_since(accepted_at).as_secs_f64().max(0.0));
        let trace = self.context.tracer.span("decorate", parent, begun, now);
        Ok(Outcome::Decorated(Record {
            key: decorated.event.fingerprint.to_string(),
            value: Some(value.into()),
            headers: record_headers(trace.as_deref()),
        }))
    }

    fn dropped(
        &self,
        event: AlertEvent,
        as_received: &[u8],
        parent: Option<&str>,
        reason: String,
    ) -> Result<Record, serde_json::Error> {
        let rejected = Rejected {
            at: self.context.clock.now(),
            monitoring_system: event.monitoring_system,
            integration: Some(event.integration),
            reason,
            kind: RejectedKind::Event,
            path: None,
            headers: BTreeMap::new(),
            environment: None,
            scenario: None,
            body_base64: STANDARD.encode(as_received),
            cut: false,
        };
        Ok(Record {
            key: rejected.monitoring_system.clone(),
            value: Some(serde_json::to_vec(&rejected)?.into()),
            headers: record_headers(parent),
        })
    }

    async fn write_dead_letter(
        &self,
        batch: &Batch,
        record: &Received,
        error: &str,
    ) -> Result<(), StageError> {
        tracing::warn!(topic = %batch.topic, partition = batch.partition, offset = record.offset, error, "a message becomes a dead letter");
        if let Some((topic, record)) =
            dead_letters::dead_letter(batch, record, STAGE, error, self.context.clock.now())
        {
            self.context.log.append(topic, vec![record]).await?;
        }
        self.measures.dead_letters.inc();
        self.metrics.error("dead_letter");
        Ok(())
    }

    /// Appends what was decorated. A record that grew too large becomes a dead letter, and the others go on.
    async fn publish(&self, batch: &Batch, decorated: Vec<(&Received, Record)>) -> Result<(), StageError> {
        let count = decorated.len();
        let records = decorated.iter().map(|(_, record)| record.clone()).collect();
        match self.context.log.append(Topic::ALERTS_DECORATED, records).await {
            Ok(()) => self
                .measures
                .decorated
                .inc_by(u64::try_from(count).unwrap_or(u64::MAX)),
            Err(error) if error.is_final() => {
                for (received, record) in decorated {
                    match self
                        .context
                        .log
                        .append(Topic::ALERTS_DECORATED, vec![record])
                        .await
                    {
                        Ok(()) => self.measures.decorated.inc(),
                        Err(error) if error.is_final() => {
                            self.write_dead_letter(batch, received, &error.to_string())
                                .await?;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

#[async_trait]
impl Stage for Decorator {
    /// Done twice, it writes the same events with the same origins again, and the daemon knows those.
    async fn process(&mut self, batch: &Batch) -> Result<(), StageError> {
        let decorations = self.current();
        let mut decorated = Vec::with_capacity(batch.records.len());
        let mut dropped = Vec::new();
        let mut unusable = Vec::new();
        for record in &batch.records {
            match self.outcome(&decorations, batch, record) {
                Ok(Outcome::Decorated(out)) => decorated.push((record, out)),
                Ok(Outcome::Dropped(out)) => dropped.push(out),
                Ok(Outcome::DeadLetter(error)) => unusable.push((record, error)),
                Err(error) => unusable.push((record, error.to_string())),
            }
        }
        for (record, error) in unusable {
            self.write_dead_letter(batch, record, &error).await?;
        }
        if !dropped.is_empty() {
            self.context.log.append(Topic::INGEST_REJECTED, dropped).await?;
        }
        self.publish(batch, decorated).await
    }
}
