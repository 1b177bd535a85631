//! One request, from its head to its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Site;
use jiff::Timestamp;
use pipeline::trace::{TraceParent, record_headers};
use pipeline::{Context, LogError, Record};
use schemas::rejection::Rejected;
use schemas::{HEADER_TRACEPARENT, Topic};
use serde::Serialize;
use tokio::sync::watch;
use uuid::Uuid;

use crate::accept::{Delivery, records};
use crate::body::{self, Budget, Held};
use crate::measure::{Counts, Measured, Measures};
use crate::presence::LogPresence;
use crate::refusal::Refusal;
use crate::sources::{self, Source};
use crate::{Asked, key};

/// The type of an integration whose sender may post to any source.
const ANY_SOURCE: &str = "any";
/// How long the log may take; senders hang up soon after.
const APPEND_TIME: Duration = Duration::from_secs(8);
/// A body from this size on is worked on beside the threads that serve everybody.
const LARGE: usize = 128 * 1024;
/// How much of a refused body is kept.
const KEPT: usize = 1_000_000;

/// What all requests share.
pub(crate) struct Collector {
    context: Context,
    site: watch::Receiver<Arc<Site>>,
    budget: Budget,
    measures: Measures,
    presence: LogPresence,
}

/// Whose alerts these are.
struct Admitted {
    source: &'static Source,
    integration: String,
    environment: Option<String>,
    scenario: Option<String>,
}

/// All that is needed to make records of a body.
struct Work {
    source: &'static Source,
    headers: HeaderMap,
    delivery: Delivery,
    record_headers: Vec<(String, String)>,
    held: Held,
}

struct Prepared {
    records: Vec<Record>,
    counts: Counts,
    answer: Answer,
}

/// The answer to a body that was taken. The text of `result` is what senders of Harp look for.
#[derive(Serialize)]
struct Answer {
    result: &'static str,
    accepted: usize,
    events: Vec<Uuid>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
}

impl Collector {
    pub(crate) fn new(context: Context, site: watch::Receiver<Arc<Site>>, budget_bytes: usize) -> Self {
        Self {
            measures: Measures::new(&context.metrics),
            presence: LogPresence::watched(&context),
            budget: Budget::new(budget_bytes),
            context,
            site,
        }
    }

    pub(crate) fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Answers a request.
    pub(crate) async fn ingest(
        &self,
        source_name: &str,
        asked: Result<Asked, Refusal>,
        headers: HeaderMap,
        body: Body,
    ) -> Response {
        let measured = self
            .measures
            .request(sources::find(source_name).map(|source| source.name));
        let taken = match self.admit(source_name, asked, &headers) {
            Ok(admitted) => self.take(admitted, headers, body, &measured).await,
            Err(refusal) => {
                body::drain(body.into_data_stream()).await;
                Err(refusal)
            }
        };
        match taken {
            Ok((counts, answer)) => {
                measured.accepted(counts);
                if answer.accepted == 0 && !answer.remarks.is_empty() {
                    // Whoever has to do something about it rarely sees the answer.
                    tracing::info!(source = source_name, remarks = ?answer.remarks, "a body had no alert");
                }
                Json(answer).into_response()
            }
            Err(refusal) => {
                measured.rejected(refusal.code());
                if refusal.keeps_body() {
                    tracing::warn!(source = source_name, %refusal, "a body was refused");
                } else {
                    // Anybody can cause these, as often as they like; they are counted.
                    tracing::debug!(source = source_name, %refusal, "a request was refused");
                }
                refusal.into_response()
            }
        }
    }

    fn admit(
        &self,
        source_name: &str,
        asked: Result<Asked, Refusal>,
        headers: &HeaderMap,
    ) -> Result<Admitted, Refusal> {
        let source = sources::find(source_name).ok_or_else(|| Refusal::UnknownSource {
            name: source_name.chars().take(100).collect(),
        })?;
        let asked = asked?;
        let site = Arc::clone(&self.site.borrow());
        if site.revision.is_none() {
            return Err(Refusal::NotReady);
        }
        let integration = key::integration(&site, asked.integration_key.as_deref(), headers)?;
        if integration.source_type != ANY_SOURCE && integration.source_type != source.name {
            return Err(Refusal::OtherSource {
                integration: integration.name.clone(),
                of_type: integration.source_type.clone(),
                posted: source.name,
            });
        }
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Admitted {
            source,
            integration: integration.name.clone(),
            environment: given(asked.environment_id),
            scenario: given(asked.scenario_id),
        })
    }

    async fn take(
        &self,
        admitted: Admitted,
        headers: HeaderMap,
        body: Body,
        measured: &Measured,
    ) -> Result<(Counts, Answer), Refusal> {
        let (source, integration) = (admitted.source.name, admitted.integration.clone());
        let begun = self.context.clock.now();
        let refused = match body::read(body, &headers, &self.budget).await {
            Ok(held) => {
                measured.body(held.bytes.len());
                let work = self.work(admitted, headers, held, begun);
                match work.done().await {
                    (Ok(prepared), _share) => {
                        self.append(prepared.records).await?;
                        return Ok((prepared.counts, prepared.answer));
                    }
                    (Err(refusal), held) => (refusal, held),
                }
            }
            Err(refused) => refused,
        };
        match refused {
            (refusal, Some(held)) if refusal.keeps_body() => {
                self.keep(source, integration, &refusal, &held.bytes).await?;
                Err(refusal)
            }
            (refusal, _) => Err(refusal),
        }
    }

    fn work(&self, admitted: Admitted, headers: HeaderMap, held: Held, begun: Timestamp) -> Work {
        let accepted_at = self.context.clock.now();
        let parent = headers
            .get(HEADER_TRACEPARENT)
            .and_then(|value| value.to_str().ok());
        let parent = parent
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(TraceParent::random)
            .to_string();
        let trace = self
            .context
            .tracer
            .span("collect", Some(&parent), begun, accepted_at);
        Work {
            source: admitted.source,
            headers,
            delivery: Delivery {
                integration: admitted.integration,
                monitoring_system: admitted.source.name,
                environment: admitted.environment,
                scenario: admitted.scenario,
                accepted_at,
                first_id: first_id(accepted_at),
            },
            record_headers: record_headers(trace.as_deref()),
            held,
        }
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
    async fn keep(
        &self,
        source: &'static str,
        integration: String,
        refusal: &Refusal,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let kept = &body[..body.len().min(KEPT)];
        let mut reason = refusal.to_string();
        if kept.len() < body.len() || matches!(refusal, Refusal::TooLarge { packed: false, .. }) {
            reason.push_str(&format!(" (only its first {} bytes are kept)", kept.len()));
        }
        let rejected = Rejected {
            at: self.context.clock.now(),
            monitoring_system: source.to_owned(),
            integration: Some(integration),
            reason,
            body_base64: STANDARD.encode(kept),
        };
        let value = serde_json::to_vec(&rejected).map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let record = Record {
            key: source.to_owned(),
            value: Some(value.into()),
            headers: record_headers(None),
        };
        self.write(Topic::INGEST_REJECTED, vec![record]).await
    }
}

fn first_id(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds))
}

impl Work {
    /// Does the work, and gives the body back with its share of the budget.
    async fn done(mut self) -> (Result<Prepared, Refusal>, Option<Held>) {
        if self.held.bytes.len() < LARGE && !self.headers.contains_key(header::CONTENT_ENCODING) {
            return (self.prepare(), Some(self.held));
        }
        let working = tokio::task::spawn_blocking(move || (self.prepare(), Some(self.held)));
        // It ends early only by a panic.
        working
            .await
            .unwrap_or_else(|error| (Err(Refusal::Unavailable(error.to_string())), None))
    }

    fn prepare(&mut self) -> Result<Prepared, Refusal> {
        let unpacked = self.held.unpacked(&self.headers)?;
        let body = unpacked.as_deref().unwrap_or(&self.held.bytes);
        let accepted = self.delivery.accept((self.source.read)(&self.headers, body)?);
        let answer = Answer {
            result: "Event successfully pushed to Harp",
            accepted: accepted.events.len(),
            events: accepted.events.iter().map(|event| event.event_id).collect(),
            remarks: accepted.remarks,
        };
        Ok(Prepared {
            records: records(&accepted.events, &self.record_headers)?,
            counts: Counts::of(&accepted.events),
            answer,
        })
    }
}
