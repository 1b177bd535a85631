//! The usage of the keys, published on `integrations.usage`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use pipeline::trace::record_headers;
use pipeline::{Clock, Context, Record};
use schemas::{KeyRefusal, KeyUsage, Topic};
use uuid::Uuid;

use crate::intake::error::IngestError;

/// How often it is published.
const REPORT_EVERY: Duration = Duration::from_secs(20);
/// How long the log may take.
const APPEND_TIMEOUT: Duration = Duration::from_secs(8);
/// How much of the last error is published.
const MAX_MESSAGE_CHARACTERS: usize = 500;

/// The usage of each key since this collector started.
pub(crate) struct Usage {
    run: Uuid,
    clock: Clock,
    keys: Mutex<HashMap<String, Seen>>,
}

/// The usage of one key.
struct Seen {
    usage: KeyUsage,
    /// Whether the log has this usage.
    published: bool,
}

impl Usage {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            run: Uuid::now_v7(),
            clock,
            keys: Mutex::default(),
        }
    }

    /// Publishes the usage until shutdown. What the log does not accept is published the next time.
    pub(crate) async fn report_periodically(&self, context: &Context) {
        let task = context.health.task("usage of keys");
        let reporting = async {
            let mut interval = tokio::time::interval(REPORT_EVERY);
            loop {
                interval.tick().await;
                self.publish(context).await;
                task.progress();
            }
        };
        context.shutdown.run_until_cancelled(reporting).await;
        // The usage since the last report.
        self.publish(context).await;
        task.ended();
    }

    /// A request with this key was accepted.
    pub(crate) fn accepted(&self, key_hash: &str, alerts: u64) {
        self.see(key_hash, |usage, _| {
            usage.accepted += 1;
            usage.alerts += alerts;
        });
    }

    /// A request with this key was refused.
    pub(crate) fn rejected(&self, key_hash: &str, error: &IngestError) {
        self.see(key_hash, |usage, now| {
            let reason = error.code();
            *usage.refused.entry(reason.to_owned()).or_default() += 1;
            usage.last_refusal = Some(KeyRefusal {
                at: now,
                reason: reason.to_owned(),
                message: error.to_string().chars().take(MAX_MESSAGE_CHARACTERS).collect(),
            });
        });
    }

    fn see(&self, key_hash: &str, change: impl FnOnce(&mut KeyUsage, Timestamp)) {
        let now = self.clock.now();
        let mut keys = self.lock();
        let seen = keys
            .entry(key_hash.to_owned())
            .or_insert_with(|| Seen::nothing(key_hash, self.run, now));
        seen.usage.last_used = now;
        seen.published = false;
        change(&mut seen.usage, now);
    }

    /// Publishes what has changed since the last time.
    async fn publish(&self, context: &Context) {
        let changed = self.changed();
        if changed.is_empty() {
            return;
        }
        let records = changed.iter().filter_map(record).collect();
        let appending = context.log.append(Topic::INTEGRATIONS_USAGE, records);
        match tokio::time::timeout(APPEND_TIMEOUT, appending).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::debug!(%error, "the usage of keys is published later"),
            Err(_) => {
                tracing::debug!("the usage of keys is published later, as the log did not answer in time")
            }
        }
        let mut keys = self.lock();
        for usage in changed {
            if let Some(seen) = keys.get_mut(&usage.key_hash) {
                seen.published = false;
            }
        }
    }

    /// The usage that is not published yet; it counts as published from now on.
    fn changed(&self) -> Vec<KeyUsage> {
        let mut keys = self.lock();
        let changed = keys.values_mut().filter(|seen| !seen.published);
        changed
            .map(|seen| {
                seen.published = true;
                seen.usage.clone()
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn nothing(key_hash: &str, run: Uuid, now: Timestamp) -> Self {
        Self {
            usage: KeyUsage {
                key_hash: key_hash.to_owned(),
                run,
                last_used: now,
                accepted: 0,
                alerts: 0,
                refused: Default::default(),
                last_refusal: None,
            },
            published: false,
        }
    }
}

fn record(usage: &KeyUsage) -> Option<Record> {
    let value = serde_json::to_vec(usage)
        .inspect_err(|error| tracing::error!(%error, "the usage of a key cannot be encoded"))
        .ok()?;
    Some(Record {
        key: usage.key(),
        value: Some(value.into()),
        headers: record_headers(None),
    })
}
