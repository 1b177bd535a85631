//! `alerts.changed` to the hot view, and `view.changed`.
//!
//! The stage puts the newest version of each alert of a batch into the [`View`] and then says so on `view.changed`.
//! Both may happen twice without harm: the view refuses what is not newer, and a reader of `view.changed` looks at the
//! version. Beside it a keeper fills a view that is empty from the store, and compares the two from time to time; see
//! [`keeper`].
//!
//! A heartbeat of the daemon is handed on after what came before it, unless the view lacks an open alert as far as this
//! process knows ([`Behind`]): then the bridges tell their consoles that they are stale.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use pipeline::dead_letters::dead_letter;
use pipeline::log::{Batch, Received, Record};
use pipeline::trace::record_headers;
use pipeline::{Context, Stage, StageError, StageMetrics};
use prometheus::{Histogram, IntCounter};
use schemas::{Alert, AlertChanged, Fingerprint, HEADER_TRACEPARENT, Status, Topic, ViewChanged};
use store::Store;
use uuid::Uuid;
use view::{View, ViewError};

mod cluster;
mod keeper;

const NAME: &str = "aggregator";
/// So far apart the clocks of two processes may be.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(1);

/// Runs the stage and its keeper until shutdown, as one of the aggregators that share the work.
pub async fn run(context: Context, store: Store, view: Arc<dyn View>) {
    run_in_group(context, (NAME, Timestamp::MIN), store, view).await;
}

/// The same for a view that this process has to itself, such as one in memory: it takes in everything, whoever else
/// does. What is older than the process the keeper finds in the store, as it has become since: read from the log, alerts
/// that have long closed would open once more.
pub async fn run_alone(context: Context, store: Store, view: Arc<dyn View>) {
    let group = format!("{NAME}.{}", Uuid::now_v7());
    let since = context.clock.now() - CLOCKS_APART;
    run_in_group(context, (&group, since), store, view).await;
}

async fn run_in_group(
    context: Context,
    (group, since): (&str, Timestamp),
    store: Store,
    view: Arc<dyn View>,
) {
    let metrics = StageMetrics::new(&context.metrics, NAME);
    let behind = Behind::default();
    let no_room = counter(
        &context,
        "reveille_aggregator_no_room_total",
        "Versions of open alerts that the view had no room for.",
    );
    let keeper = keeper::run(context.clone(), store, Arc::clone(&view), behind.clone());
    let make = {
        let (context, metrics) = (context.clone(), metrics.clone());
        move || Aggregator {
            context: context.clone(),
            view: Arc::clone(&view),
            behind: behind.clone(),
            no_room: no_room.clone(),
            since,
            metrics: metrics.clone(),
            accepted_to_view: context.metrics.hop_seconds("accepted_to_view"),
        }
    };
    let topics = &[Topic::ALERTS_CHANGED];
    let stage = pipeline::runner::run_side_by_side(context, NAME, group, topics, metrics, make);
    tokio::join!(keeper, stage);
}

struct Aggregator {
    context: Context,
    view: Arc<dyn View>,
    behind: Behind,
    no_room: IntCounter,
    /// What has changed before is not taken in.
    since: Timestamp,
    metrics: StageMetrics,
    accepted_to_view: Histogram,
}

/// What the view lacks, as far as this process knows; cheap to clone. Whoever finds that it lacks something counts it here,
/// and the keeper notes up to where all was mended.
#[derive(Clone, Default)]
struct Behind(Arc<Lacking>);

#[derive(Default)]
struct Lacking {
    found: AtomicU64,
    mended: AtomicU64,
}

impl Behind {
    /// The view lacks something.
    fn note(&self) {
        self.0.found.fetch_add(1, Ordering::SeqCst);
    }

    /// How often it was found to lack something; to be asked before it is mended.
    fn found(&self) -> u64 {
        self.0.found.load(Ordering::SeqCst)
    }

    /// All that was found until then is mended.
    fn mended(&self, found: u64) {
        self.0.mended.fetch_max(found, Ordering::SeqCst);
    }

    fn is_behind(&self) -> bool {
        self.0.mended.load(Ordering::SeqCst) < self.found()
    }
}

/// What a batch says of one alert.
struct Change {
    alert: Arc<Alert>,
    /// Of the first of the versions that the batch has, so that no delay is hidden by a later one.
    accepted_at: Timestamp,
    traceparent: Option<String>,
}

#[async_trait]
impl Stage for Aggregator {
    async fn process(&mut self, batch: &Batch) -> Result<(), StageError> {
        let start = self.context.clock.now();
        let mut changes: HashMap<Fingerprint, Change> = HashMap::new();
        let mut unusable = Vec::new();
        let mut heartbeat = None;
        for record in &batch.records {
            match parse(record) {
                // Only the newest is of use.
                Ok(changed) if changed.heartbeat => heartbeat = Some(changed),
                Ok(changed) => self.take_newest(&mut changes, changed, record),
                Err(error) => unusable.push((record, error)),
            }
        }
        self.put(&mut changes).await?;
        let mut records = self.announcements(changes.into_values(), start);
        let heartbeat = heartbeat.filter(|_| !self.behind.is_behind());
        records.extend(heartbeat.map(|heartbeat| handed_on(&heartbeat)));
        if !records.is_empty() {
            self.context.log.append(Topic::VIEW_CHANGED, records).await?;
        }
        self.write_dead_letter(batch, &unusable, start).await
    }
}

impl Aggregator {
    /// Puts the alerts into the view. Those that it has no room for are taken out of the changes: the keeper puts them when
    /// there is room, and what closes meanwhile, and makes room, is not held up.
    async fn put(&self, changes: &mut HashMap<Fingerprint, Change>) -> Result<(), StageError> {
        if changes.is_empty() {
            return Ok(());
        }
        let alerts = changes.values().map(|change| Arc::clone(&change.alert)).collect();
        let written = self.view.put(shown(alerts)).await.map_err(view_error)?;
        if !written.no_room.is_empty() {
            self.behind.note();
            self.no_room.inc_by(written.no_room.len() as u64);
        }
        for fingerprint in written.no_room {
            changes.remove(&fingerprint);
        }
        Ok(())
    }

    fn announcements(&self, changes: impl Iterator<Item = Change>, start: Timestamp) -> Vec<Record> {
        let now = self.context.clock.now();
        changes
            .map(|change| {
                let delay = now.duration_since(change.accepted_at);
                self.accepted_to_view.observe(delay.as_secs_f64().max(0.0));
                let traceparent = self
                    .context
                    .tracer
                    .span(NAME, change.traceparent.as_deref(), start, now);
                view_changed(&change.alert, change.accepted_at, traceparent.as_deref())
            })
            .collect()
    }

    fn take_newest(
        &self,
        changes: &mut HashMap<Fingerprint, Change>,
        changed: AlertChanged,
        record: &Received,
    ) {
        // Without an alert it only answers commands.
        let alert = changed.alert.filter(|alert| alert.changed_at >= self.since);
        let Some(alert) = alert else { return };
        let traceparent = record.header(HEADER_TRACEPARENT).map(str::to_owned);
        let change = Change {
            alert: Arc::new(alert),
            accepted_at: changed.accepted_at,
            traceparent,
        };
        match changes.entry(change.alert.fingerprint) {
            Entry::Vacant(entry) => {
                entry.insert(change);
            }
            Entry::Occupied(mut entry) if entry.get().alert.version < change.alert.version => {
                let accepted_at = entry.get().accepted_at.min(change.accepted_at);
                entry.insert(Change {
                    accepted_at,
                    ..change
                });
            }
            Entry::Occupied(_) => {}
        }
    }

    async fn write_dead_letter(
        &self,
        batch: &Batch,
        unusable: &[(&Received, String)],
        now: Timestamp,
    ) -> Result<(), StageError> {
        let mut records = Vec::new();
        for (record, error) in unusable {
            tracing::warn!(topic = %batch.topic, offset = record.offset, error, "a message becomes a dead letter");
            self.metrics.error("dead_letter");
            records.extend(dead_letter(batch, record, NAME, error, now).map(|(_, record)| record));
        }
        if !records.is_empty() {
            self.context
                .log
                .append(Topic::ALERTS_CHANGED_DLQ, records)
                .await?;
        }
        Ok(())
    }
}

fn parse(record: &Received) -> Result<AlertChanged, String> {
    let value = record
        .value
        .as_deref()
        .ok_or("the message is empty: expected an alert that has changed")?;
    serde_json::from_slice(value)
        .map_err(|error| format!("the message is not an alert that has changed: {error}"))
}

fn view_changed(alert: &Alert, accepted_at: Timestamp, traceparent: Option<&str>) -> Record {
    let changed = ViewChanged {
        fingerprint: alert.fingerprint,
        version: alert.version,
        accepted_at,
        closed: alert.status == Status::Closed,
        heartbeat: false,
    };
    record(&changed, traceparent)
}

/// The daemon's heartbeat, for the bridges. With the same key, so it stays in its partition.
fn handed_on(heartbeat: &AlertChanged) -> Record {
    let changed = ViewChanged {
        fingerprint: heartbeat.fingerprint,
        version: 0,
        accepted_at: heartbeat.accepted_at,
        closed: false,
        heartbeat: true,
    };
    record(&changed, None)
}

fn record(changed: &ViewChanged, traceparent: Option<&str>) -> Record {
    #[expect(
        clippy::expect_used,
        reason = "a fingerprint, a number, a time and switches always have a JSON form"
    )]
    let value = serde_json::to_vec(changed).expect("a change of the view has a JSON form");
    Record {
        key: changed.fingerprint.to_string(),
        value: Some(value.into()),
        headers: record_headers(traceparent),
    }
}

/// As the view holds them.
fn shown(alerts: Vec<Arc<Alert>>) -> Vec<Arc<Alert>> {
    alerts.into_iter().map(view::without_long_texts).collect()
}

fn view_error(error: ViewError) -> StageError {
    StageError::Unavailable {
        dependency: error.dependency(),
        error: error.to_string(),
    }
}

fn counter(context: &Context, name: &str, help: &str) -> IntCounter {
    #[expect(clippy::expect_used, reason = "the name is a constant of this file")]
    let counter = IntCounter::new(name, help).expect("the name is well-formed");
    if let Err(error) = context.metrics.registry().register(Box::new(counter.clone())) {
        tracing::warn!(name, %error, "is not measured");
    }
    counter
}
