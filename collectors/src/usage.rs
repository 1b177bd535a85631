//! How the keys are used, told on `integrations.usage`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use pipeline::trace::record_headers;
use pipeline::{Clock, Context, Record};
use schemas::{KeyRefusal, KeyUsage, Topic};
use uuid::Uuid;

use crate::refusal::Refusal;

/// How often it is told.
const TELL_EVERY: Duration = Duration::from_secs(20);
/// How long the log may take for it.
const APPEND_TIME: Duration = Duration::from_secs(8);
/// So much of what a sender was told is kept.
const MESSAGE_LENGTH: usize = 500;

/// What this run of the collector has seen of each key.
pub(crate) struct Usage {
    run: Uuid,
    clock: Clock,
    keys: Mutex<HashMap<String, Seen>>,
}

/// What was seen of one key, and whether that has been told.
struct Seen {
    usage: KeyUsage,
    told: bool,
}

impl Usage {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            run: Uuid::now_v7(),
            clock,
            keys: Mutex::default(),
        }
    }

    /// Tells what is seen, until shutdown. What the log does not take is told the next time, with what is new.
    pub(crate) async fn tell_again_and_again(&self, context: &Context) {
        let task = context.health.task("usage of keys");
        let telling = async {
            let mut interval = tokio::time::interval(TELL_EVERY);
            loop {
                interval.tick().await;
                self.tell(context).await;
                task.progress();
            }
        };
        context.shutdown.run_until_cancelled(telling).await;
        // What was seen since it was told last.
        self.tell(context).await;
        task.ended();
    }

    /// A request with this key was taken.
    pub(crate) fn accepted(&self, key_hash: &str, alerts: u64) {
        self.see(key_hash, |usage, _| {
            usage.accepted += 1;
            usage.alerts += alerts;
        });
    }

    /// A request with this key was refused.
    pub(crate) fn refused(&self, key_hash: &str, refusal: &Refusal) {
        self.see(key_hash, |usage, now| {
            let reason = refusal.code();
            *usage.refused.entry(reason.to_owned()).or_default() += 1;
            usage.last_refusal = Some(KeyRefusal {
                at: now,
                reason: reason.to_owned(),
                message: refusal.to_string().chars().take(MESSAGE_LENGTH).collect(),
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
        seen.told = false;
        change(&mut seen.usage, now);
    }

    /// Tells what has changed since it was told last.
    async fn tell(&self, context: &Context) {
        let changed = self.changed();
        if changed.is_empty() {
            return;
        }
        let records = changed.iter().filter_map(record).collect();
        let appending = context.log.append(Topic::INTEGRATIONS_USAGE, records);
        match tokio::time::timeout(APPEND_TIME, appending).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::debug!(%error, "the usage of keys is told later"),
            Err(_) => tracing::debug!("the usage of keys is told later, as the log takes its time"),
        }
        let mut keys = self.lock();
        for usage in changed {
            if let Some(seen) = keys.get_mut(&usage.key_hash) {
                seen.told = false;
            }
        }
    }

    /// What is to be told; from now on it counts as told.
    fn changed(&self) -> Vec<KeyUsage> {
        let mut keys = self.lock();
        let changed = keys.values_mut().filter(|seen| !seen.told);
        changed
            .map(|seen| {
                seen.told = true;
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
            told: false,
        }
    }
}

fn record(usage: &KeyUsage) -> Option<Record> {
    let value = serde_json::to_vec(usage)
        .inspect_err(|error| tracing::error!(%error, "the usage of a key cannot be written"))
        .ok()?;
    Some(Record {
        key: usage.key(),
        value: Some(value.into()),
        headers: record_headers(None),
    })
}
