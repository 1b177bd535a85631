//! Follows the view: keeps the replica like it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pipeline::health::Task;
use pipeline::log::{Batch, Follower, From, Received};
use pipeline::{LogError, StageMetrics};
use schemas::{Fingerprint, HEADER_TRACEPARENT, Topic, ViewChanged};
use tokio::time::{Instant, MissedTickBehavior};
use view::{Entry, View, ViewError};

use crate::{NAME, Shared, Trouble};

/// How often it is looked whether the view is still there and filled.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The first wait for a dependency that is away; each further one is twice as long.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait for a dependency that is away; short, as people are looking at what is behind.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A log without an error for so long is back.
const LOG_QUIET: Duration = Duration::from_secs(5);
/// How long the log may be away before clients are told.
const LOG_TOLERATED: Duration = Duration::from_secs(10);
/// What is waited for while the daemon is not heard from, through aggregator and log.
const HEARTBEAT: &str = "heartbeat";
/// Alerts that are read from the view at once.
const READ_AT_ONCE: usize = 500;

struct Follow {
    shared: Arc<Shared>,
    view: Arc<dyn View>,
    task: Task,
    metrics: StageMetrics,
    outage: Option<Outage>,
    /// When the log last failed.
    log_failed: Option<Instant>,
    /// The view was away or not filled when it was last looked at.
    view_lost: bool,
    /// Announced, and not yet read from the view.
    wanted: HashMap<Fingerprint, Announced>,
    /// Announced, but not in the view when it was read.
    missing: HashMap<Fingerprint, Announced>,
    /// The daemon was silent for long when it was last looked.
    silent: bool,
}

struct Outage {
    dependency: &'static str,
    wait: Duration,
}

#[derive(Clone)]
struct Announced {
    accepted_at: Timestamp,
    traceparent: Option<String>,
}

pub(crate) async fn run(shared: Arc<Shared>, view: Arc<dyn View>) {
    let shutdown = shared.context.shutdown.clone();
    let mut follow = Follow {
        view,
        task: shared.context.health.task(NAME),
        metrics: StageMetrics::new(&shared.context.metrics, NAME),
        outage: None,
        log_failed: None,
        view_lost: false,
        wanted: HashMap::new(),
        missing: HashMap::new(),
        silent: false,
        shared,
    };
    shutdown.run_until_cancelled(follow.follow()).await;
    follow.task.ended();
}

impl Follow {
    async fn follow(&mut self) {
        // Opened first, so that what changes while the view is read is not missed.
        let mut log = self.open_log().await;
        self.load().await;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                batch = log.next() => match batch {
                    Ok(batch) => {
                        self.log_failed = None;
                        self.note(&batch);
                    }
                    Err(error) => self.log_is_away(&error).await,
                },
                _ = look.tick() => self.look().await,
            }
            while !self.wanted.is_empty() {
                if let Err(error) = self.read_wanted().await {
                    self.view_is_away(&error).await;
                }
            }
        }
    }

    async fn open_log(&mut self) -> Box<dyn Follower> {
        loop {
            match self
                .shared
                .context
                .log
                .follow(Topic::VIEW_CHANGED, From::End)
                .await
            {
                Ok(log) => return log,
                Err(error) => self.log_is_away(&error).await,
            }
        }
    }

    /// Reads the whole view for the first time.
    async fn load(&mut self) {
        let alerts = loop {
            let filled = self.view.is_filled().await;
            match filled {
                Ok(true) => match self.view.open().await {
                    Ok(alerts) => break alerts,
                    Err(error) => self.view_is_away(&error).await,
                },
                Ok(false) => match self.view.cluster().await {
                    // It is not filled soon, so what is in it is shown, and that it is not all.
                    Ok(cluster) if cluster.full => match self.view.open().await {
                        Ok(alerts) => {
                            self.view_lost = true;
                            break alerts;
                        }
                        Err(error) => self.view_is_away(&error).await,
                    },
                    Ok(_) => self.wait_for("view rebuild").await,
                    Err(error) => self.view_is_away(&error).await,
                },
                Err(error) => self.view_is_away(&error).await,
            }
        };
        tracing::info!(alerts = alerts.len(), "the view was read");
        let mut replica = self.shared.write();
        for alert in alerts {
            replica.apply(alert, None);
        }
        let head = replica.head();
        drop(replica);
        self.shared.head.send_replace(Some(head));
        self.works();
    }

    fn note(&mut self, batch: &Batch) {
        let mut closed = Vec::new();
        for record in &batch.records {
            match parse(record) {
                Ok(changed) if changed.heartbeat => {
                    self.shared.heartbeats.note(batch.partition, changed.accepted_at);
                }
                Ok(changed) if self.shared.read().version(changed.fingerprint) >= Some(changed.version) => {}
                Ok(changed) if changed.closed => closed.push(changed),
                Ok(changed) => {
                    let traceparent = record.header(HEADER_TRACEPARENT).map(str::to_owned);
                    let announced = Announced {
                        accepted_at: changed.accepted_at,
                        traceparent,
                    };
                    // The first one stays: it has waited longest.
                    self.wanted.entry(changed.fingerprint).or_insert(announced);
                }
                Err(error) => {
                    tracing::warn!(offset = record.offset, error, "a message was passed over");
                    self.metrics.error("unreadable");
                }
            }
        }
        self.close(&closed);
        self.metrics.records(batch.topic, batch.records.len());
    }

    /// What has closed need not be read, and is not there to be read when the view is full.
    fn close(&self, closed: &[ViewChanged]) {
        if closed.is_empty() {
            return;
        }
        let mut replica = self.shared.write();
        let before = replica.head();
        for changed in closed {
            replica.close(changed.fingerprint, changed.version, Some(changed.accepted_at));
        }
        let head = replica.head();
        drop(replica);
        self.tell(before, head);
    }

    /// Reads what was announced; what was read is no longer wanted.
    async fn read_wanted(&mut self) -> Result<(), ViewError> {
        let start = self.shared.context.clock.now();
        let fingerprints: Vec<_> = self.wanted.keys().copied().take(READ_AT_ONCE).collect();
        let entries = self.view.get(&fingerprints).await?;
        let mut announced: HashMap<_, _> = fingerprints
            .iter()
            .filter_map(|wanted| self.wanted.remove_entry(wanted))
            .collect();
        self.works();
        self.apply(
            entries.into_iter().map(|entry| {
                let announced = announced.remove(&entry.fingerprint());
                (entry, announced)
            }),
            start,
        );
        self.missing.extend(announced);
        Ok(())
    }

    fn apply(&self, entries: impl Iterator<Item = (Entry, Option<Announced>)>, start: Timestamp) {
        let mut announced = Vec::new();
        let mut replica = self.shared.write();
        let before = replica.head();
        for (entry, by) in entries {
            let accepted_at = by.as_ref().map(|by| by.accepted_at);
            let is_news = match entry {
                Entry::Open(alert) => replica.apply(alert, accepted_at),
                Entry::Closed { fingerprint, version } => replica.close(fingerprint, version, accepted_at),
            };
            if is_news {
                announced.extend(by);
            }
        }
        let head = replica.head();
        drop(replica);
        self.tell(before, head);
        let context = &self.shared.context;
        let now = context.clock.now();
        for by in announced {
            context.tracer.span(NAME, by.traceparent.as_deref(), start, now);
        }
    }

    fn tell(&self, before: u64, head: u64) {
        if head > before {
            self.shared.measures.changes.inc_by(head - before);
            self.shared.head.send_replace(Some(head));
        }
    }

    async fn look(&mut self) {
        let age = self.shared.heartbeats.age(self.shared.context.clock.now());
        self.shared.measures.heartbeat_age.set(age.as_secs_f64());
        if self.log_failed.is_some_and(|at| at.elapsed() >= LOG_QUIET) {
            self.log_failed = None;
        }
        match self.view.is_filled().await {
            Ok(true) => {
                if let Err(error) = self.see_to_the_missing().await {
                    self.view_lost = true;
                    self.view_is_away(&error).await;
                } else {
                    self.view_lost = false;
                    self.works();
                }
            }
            Ok(false) => {
                self.view_lost = true;
                self.wait_for("view rebuild").await;
            }
            Err(error) => {
                self.view_lost = true;
                self.view_is_away(&error).await;
            }
        }
    }

    /// The view is filled: what is still not in it is no longer open.
    async fn see_to_the_missing(&mut self) -> Result<(), ViewError> {
        let start = self.shared.context.clock.now();
        if self.view_lost {
            let open = self.view.open().await?;
            let found: HashSet<_> = open.iter().map(|alert| alert.fingerprint).collect();
            self.apply(open.into_iter().map(|alert| (Entry::Open(alert), None)), start);
            let gone: Vec<_> = self
                .shared
                .read()
                .fingerprints()
                .filter(|alert| !found.contains(alert))
                .collect();
            let since = Announced {
                accepted_at: start,
                traceparent: None,
            };
            for fingerprint in gone {
                self.missing.entry(fingerprint).or_insert_with(|| since.clone());
            }
        }
        let fingerprints: Vec<_> = self.missing.keys().copied().collect();
        for fingerprints in fingerprints.chunks(READ_AT_ONCE) {
            let entries = self.view.get(fingerprints).await?;
            let mut announced: HashMap<_, _> = fingerprints
                .iter()
                .filter_map(|missing| self.missing.remove_entry(missing))
                .collect();
            let found: Vec<_> = entries
                .into_iter()
                .map(|entry| {
                    let announced = announced.remove(&entry.fingerprint());
                    (entry, announced)
                })
                .collect();
            self.apply(found.into_iter(), start);
            let mut replica = self.shared.write();
            let before = replica.head();
            for (fingerprint, by) in announced {
                replica.remove(fingerprint, Some(by.accepted_at));
            }
            let head = replica.head();
            drop(replica);
            self.tell(before, head);
        }
        Ok(())
    }

    async fn log_is_away(&mut self, error: &LogError) {
        self.log_failed = Some(Instant::now());
        self.trouble(LOG_TOLERATED);
        if self.outage.is_none() {
            tracing::warn!(%error, "the bridge cannot read what changes");
        }
        self.wait_for("log").await;
    }

    async fn view_is_away(&mut self, error: &ViewError) {
        if self.outage.is_none() {
            tracing::warn!(%error, "the bridge waits for the view");
        }
        self.wait_for("view").await;
    }

    async fn wait_for(&mut self, dependency: &'static str) {
        if dependency != "log" {
            self.trouble(Duration::ZERO);
        }
        if self
            .outage
            .as_ref()
            .is_none_or(|outage| outage.dependency != dependency)
        {
            self.end_outage();
            self.outage = Some(Outage {
                dependency,
                wait: SHORTEST_WAIT,
            });
            self.metrics.waiting(dependency, true);
        }
        self.metrics.error(dependency);
        self.task.waiting(dependency);
        if let Some(outage) = &mut self.outage {
            let wait = outage.wait;
            outage.wait = (wait * 2).min(LONGEST_WAIT);
            tokio::time::sleep(wait).await;
        }
    }

    /// The replica may be behind from now on, if it was not already.
    fn trouble(&self, tolerated: Duration) {
        let since = self.shared.context.clock.steady();
        let mut trouble = self.shared.trouble();
        let since = trouble.map_or(since, |trouble| trouble.since);
        *trouble = Some(Trouble { since, tolerated });
    }

    /// The view answers; all is well if it is filled, and the log answers too.
    fn works(&mut self) {
        if self.log_failed.is_some() || self.view_lost {
            return;
        }
        self.end_outage();
        *self.shared.trouble() = None;
        let silent = self.shared.silent_ms().is_some();
        if silent != self.silent {
            self.silent = silent;
            self.metrics.waiting(HEARTBEAT, silent);
            if silent {
                tracing::warn!("the daemon is not heard from: consoles are told that they may be stale");
            } else {
                tracing::info!("the daemon is heard from again");
            }
        }
        if silent {
            self.task.waiting(HEARTBEAT);
        } else {
            self.task.progress();
        }
    }

    fn end_outage(&mut self) {
        if let Some(outage) = self.outage.take() {
            tracing::info!(dependency = outage.dependency, "going on");
            self.metrics.waiting(outage.dependency, false);
        }
    }
}

fn parse(record: &Received) -> Result<ViewChanged, String> {
    let value = record
        .value
        .as_deref()
        .ok_or("the message is empty: expected a change of the view")?;
    serde_json::from_slice(value).map_err(|error| format!("the message is not a change of the view: {error}"))
}

#[cfg(test)]
mod tests;
