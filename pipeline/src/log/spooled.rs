//! A log that takes records also while its broker is away: until it is back they wait in a spool on disk.
//!
//! An append goes to the broker, as ever. When that fails, or takes too long, the records go to the spool (an
//! [`EmbeddedLog`], synced before the append is answered), and a drainer for each topic writes them to the broker in
//! order. As long as anything of a topic waits there, all of that topic goes through the spool, so no record overtakes an
//! older one; a topic whose records the broker does not take holds up no other one. What the broker will never take is
//! kept as a dead letter, with the reason. Records that are not alerts may take up half of the spool only.
//!
//! Records of compacted topics do not wait: they are refused while the broker is away.
//!
//! A record may reach the broker twice: when its first append was answered with an error, or not in time, and had its
//! effect all the same; when the process ended between the append and the note that it is drained. So what comes out
//! of the spool is marked with [`HEADER_SPOOLED`], and whoever reads it decides by what it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use prometheus::{IntCounter, IntGauge};
use schemas::{HEADER_SPOOLED, Topic};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::embedded::{EmbeddedLog, OpenError};
use super::{
    Batch, Consumer, Delivery, Extent, Follower, From, Log, LogError, Positions, Received, Record,
    check_size, record_size,
};
use crate::Clock;
use crate::dead_letters::DeadLetters;
use crate::health::Task;
use crate::metrics::Metrics;
use crate::runner::Context;

#[cfg(test)]
mod tests;

/// How long the broker may take for an append before the spool takes it: senders hang up after a few seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the drainer waits before it tries a broker again that is away.
const RETRY: Duration = Duration::from_secs(1);
/// How often the drainer says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// The drainer's name as a reader of the spool.
const GROUP: &str = "drain";
/// What a record takes beside its own bytes, roughly.
const OVERHEAD: usize = 64;

/// A log with a spool for the time when it is away.
pub struct SpooledLog {
    shared: Arc<Shared>,
}

/// The spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It cannot be opened.
    #[error("the spool: {0}")]
    Open(#[from] OpenError),
    /// What an earlier process left in it cannot be read.
    #[error("what is left in the spool cannot be read: {0}")]
    Read(#[from] LogError),
}

struct Shared {
    log: Arc<dyn Log>,
    spool: EmbeddedLog,
    folder: PathBuf,
    limit: u64,
    /// By topic.
    waiting: Mutex<BTreeMap<Topic, Amount>>,
    measures: Measures,
}

/// What of a topic is in the spool or on its way there; as long as there is anything, nothing of it may pass by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Amount {
    records: u64,
    bytes: u64,
}

impl Amount {
    fn of(records: &[Record]) -> Self {
        let bytes: usize = records.iter().map(|record| record_size(record) + OVERHEAD).sum();
        Self {
            records: u64::try_from(records.len()).unwrap_or(u64::MAX),
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        }
    }

    fn add(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn subtract(&mut self, other: Self) {
        self.records = self.records.saturating_sub(other.records);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

struct Measures {
    metrics: Metrics,
    records: IntGauge,
    bytes: IntGauge,
    spooled: IntCounter,
    drained: IntCounter,
    refused: IntCounter,
}

impl Measures {
    fn new(context: &Context) -> Self {
        let gauge = |name: &str, help: &str| context.metrics.register(IntGauge::new(name, help));
        let counter = |name: &str, help: &str| context.metrics.register(IntCounter::new(name, help));
        Self {
            metrics: context.metrics.clone(),
            records: gauge("reveille_spool_records", "Records that wait in the spool."),
            bytes: gauge(
                "reveille_spool_bytes",
                "Bytes of the records that wait in the spool.",
            ),
            spooled: counter(
                "reveille_spool_spooled_total",
                "Records that the spool has taken since the log was away.",
            ),
            drained: counter(
                "reveille_spool_drained_total",
                "Records that went from the spool to the log.",
            ),
            refused: counter(
                "reveille_spool_refused_total",
                "Records that were not taken, since the spool was full.",
            ),
        }
    }
}

impl SpooledLog {
    /// Puts a spool before the log of this context. It lies in this folder, takes at most so many bytes, and what an
    /// earlier process left in it is drained first. To be called once per process.
    pub async fn open(context: &Context, folder: &Path, limit: u64) -> Result<Self, SpoolError> {
        let spool = EmbeddedLog::open_for_ever(folder, context.clock.clone())?;
        spool.report_to(&context.health, "spool folder");
        let (mut consumers, mut left) = (Vec::new(), BTreeMap::new());
        for topic in Topic::ALL.iter().filter(|topic| !topic.settings().compacted) {
            let mut consumer = spool.join(GROUP, &[*topic]).await?;
            left.insert(*topic, left_in(&mut *consumer).await?);
            consumers.push((*topic, consumer));
        }
        let shared = Arc::new(Shared {
            log: Arc::clone(&context.log),
            spool,
            folder: folder.to_owned(),
            limit,
            waiting: Mutex::default(),
            measures: Measures::new(context),
        });
        shared.change(|waiting| *waiting = left);
        let records = shared.total().records;
        if records > 0 {
            tracing::info!(records, "the spool is not empty and is drained first");
        }
        let drainer = Arc::new(Drainer {
            shared: Arc::clone(&shared),
            clock: context.clock.clone(),
            task: context.health.task("spool"),
            blocked: Mutex::default(),
        });
        tokio::spawn(drainer.run(consumers, context.shutdown.clone()));
        Ok(Self { shared })
    }
}

/// How much of a topic nobody has drained yet. Afterwards the consumer begins with the first of it again.
async fn left_in(consumer: &mut dyn Consumer) -> Result<Amount, LogError> {
    let mut left = Amount::default();
    consumer.next().await?;
    consumer.start(&Positions::new()).await?;
    while consumer.lag().values().any(|records| *records > 0) {
        if let Delivery::Batch(batch) = consumer.next().await? {
            left.add(Amount::of(&records_of(&batch)));
        }
    }
    consumer.start(&Positions::new()).await?;
    Ok(left)
}

/// The records of a batch, to be appended again.
fn records_of(batch: &Batch) -> Vec<Record> {
    let records = batch.records.iter().cloned();
    records
        .map(|received| Record {
            key: received.key,
            value: received.value,
            headers: received.headers,
        })
        .collect()
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Topic, Amount>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Topic, Amount>)) {
        let mut waiting = self.waiting();
        change(&mut waiting);
        self.measures.show(sum(waiting.values()));
    }

    fn total(&self) -> Amount {
        sum(self.waiting().values())
    }

    fn is_empty(&self, topic: Topic) -> bool {
        self.waiting()
            .get(&topic)
            .is_none_or(|amount| amount.records == 0)
    }

    /// How many bytes of the spool records of this topic and of others like it may take.
    fn limit(&self, topic: Topic) -> u64 {
        if topic == Topic::ALERTS_COLLECTED {
            self.limit
        } else {
            self.limit / 2
        }
    }

    /// Takes room in the spool before anything is written to it: from now on nothing of the topic passes it by.
    fn reserve(&self, topic: Topic, amount: Amount) -> Result<(), LogError> {
        let mut waiting = self.waiting();
        let total = sum(waiting.values()).bytes;
        if total.saturating_add(amount.bytes) > self.limit(topic) {
            self.measures.refused.inc_by(amount.records);
            return Err(LogError::Unavailable(format!(
                "the spool {} is full with {total} bytes of {}",
                self.folder.display(),
                self.limit(topic)
            )));
        }
        waiting.entry(topic).or_default().add(amount);
        self.measures.show(sum(waiting.values()));
        Ok(())
    }

    fn release(&self, topic: Topic, amount: Amount) {
        self.change(|waiting| waiting.entry(topic).or_default().subtract(amount));
    }

    async fn put(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        let amount = Amount::of(&records);
        self.reserve(topic, amount)?;
        let put = self.spool.append(topic, records).await;
        match put {
            Ok(()) => self.measures.spooled.inc_by(amount.records),
            Err(_) => self.release(topic, amount),
        }
        put
    }

    /// Appends to the broker, unless something of the topic waits in the spool; answers whether it did.
    async fn passed_by(&self, topic: Topic, records: &[Record]) -> Result<bool, LogError> {
        if !self.is_empty(topic) {
            return Ok(false);
        }
        let append = self.log.append(topic, records.to_vec());
        match tokio::time::timeout(PATIENCE, append).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) if error.is_final() => Err(error),
            Ok(Err(error)) => {
                tracing::debug!(%error, "records go to the spool");
                Ok(false)
            }
            Err(_) => {
                tracing::debug!("records go to the spool, as the log takes its time");
                Ok(false)
            }
        }
    }
}

fn sum<'a>(amounts: impl Iterator<Item = &'a Amount>) -> Amount {
    amounts.fold(Amount::default(), |mut sum, amount| {
        sum.add(*amount);
        sum
    })
}

impl Measures {
    fn show(&self, waiting: Amount) {
        self.records
            .set(i64::try_from(waiting.records).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(waiting.bytes).unwrap_or(i64::MAX));
    }
}

#[async_trait]
impl Log for SpooledLog {
    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        for record in &records {
            check_size(topic, record)?;
        }
        // A compacted topic's record makes the one before superfluous, so none waits: whoever writes it writes it again.
        if topic.settings().compacted {
            return self.shared.log.append(topic, records).await;
        }
        if records.is_empty() || self.shared.passed_by(topic, &records).await? {
            return Ok(());
        }
        // The caller may go away, but what was counted must get to the spool all the same.
        let shared = Arc::clone(&self.shared);
        let put = tokio::spawn(async move { shared.put(topic, records).await });
        put.await
            .unwrap_or_else(|error| Err(LogError::Unavailable(format!("the spool has died: {error}"))))
    }

    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        self.shared.log.join(group, topics).await
    }

    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
        self.shared.log.follow(topic, from).await
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.shared.log.partitions(topic)
    }

    async fn extent(&self, topic: Topic, partition: u32) -> Result<Extent, LogError> {
        self.shared.log.extent(topic, partition).await
    }

    async fn record_at(
        &self,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Received>, LogError> {
        self.shared.log.record_at(topic, partition, offset).await
    }
}

/// Writes what is in the spool to the broker.
struct Drainer {
    shared: Arc<Shared>,
    clock: Clock,
    task: Task,
    /// What drainers of topics wait for at the moment.
    blocked: Mutex<BTreeMap<Topic, &'static str>>,
}

impl Drainer {
    async fn run(self: Arc<Self>, consumers: Vec<(Topic, Box<dyn Consumer>)>, shutdown: CancellationToken) {
        let drain = consumers.into_iter().map(|(topic, consumer)| {
            let drainer = Arc::clone(&self);
            async move { drainer.drain(topic, consumer).await }
        });
        let mut draining: JoinSet<()> = drain.collect();
        let mut sign_of_life = tokio::time::interval(SIGN_OF_LIFE);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = sign_of_life.tick() => self.report(),
                ended = draining.join_next() => match ended {
                    Some(Err(error)) => {
                        // The task is dropped without its end: `/healthz` is red from now on.
                        tracing::error!(%error, "a drainer of the spool has died");
                        return;
                    }
                    Some(Ok(())) => {}
                    None => break,
                },
            }
        }
        // What is broken off here is done again by the next process.
        draining.shutdown().await;
        if let Some(drainer) = Arc::into_inner(self) {
            drainer.task.ended();
        }
    }

    fn report(&self) {
        let blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        match blocked.values().next() {
            Some(dependency) => self.task.waiting(dependency),
            None => self.task.progress(),
        }
    }

    /// This topic waits for a dependency, or goes on.
    fn set_blocked(&self, topic: Topic, dependency: Option<&'static str>) {
        {
            let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
            match dependency {
                Some(dependency) => blocked.insert(topic, dependency),
                None => blocked.remove(&topic),
            };
        }
        self.report();
    }

    async fn drain(&self, topic: Topic, mut consumer: Box<dyn Consumer>) {
        loop {
            match consumer.next().await {
                Ok(Delivery::Batch(batch)) => {
                    self.deliver(&batch, consumer.as_mut()).await;
                }
                Ok(Delivery::Assigned(_) | Delivery::Revoked(_)) => {}
                Err(error) => {
                    tracing::error!(%topic, %error, "the spool cannot be read");
                    self.set_blocked(topic, Some("spool"));
                    tokio::time::sleep(RETRY).await;
                    self.set_blocked(topic, None);
                }
            }
        }
    }

    /// Appends a batch to the broker, however long that is away, and then lets it go.
    async fn deliver(&self, batch: &Batch, consumer: &mut dyn Consumer) {
        let mut records = records_of(batch);
        let amount = Amount::of(&records);
        for record in &mut records {
            record.headers.push((HEADER_SPOOLED.to_owned(), "1".to_owned()));
        }
        let mut told = false;
        while let Err(error) = self.append(batch.topic, records.clone()).await {
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(topic = %batch.topic, %error, "what was accepted waits in the spool");
            }
            self.set_blocked(batch.topic, Some("log"));
            tokio::time::sleep(RETRY).await;
        }
        let drained = batch.next_offset();
        let committed = consumer.commit(batch.topic, batch.partition, drained).await;
        let forgotten = self.shared.spool.forget(batch.topic, batch.partition, drained);
        if let Err(error) = committed.and(forgotten) {
            tracing::warn!(%error, "what was drained stays in the spool");
        }
        self.shared.measures.drained.inc_by(amount.records);
        self.shared.release(batch.topic, amount);
        self.set_blocked(batch.topic, None);
        if told {
            tracing::info!(topic = %batch.topic, "the log is back, and the spool is drained");
        }
    }

    /// Appends to the broker, which may take its time. What it will never take becomes a dead letter.
    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        let dead_letters = DeadLetters {
            log: self.shared.log.as_ref(),
            metrics: &self.shared.measures.metrics,
            stage: "spool",
            now: self.clock.now(),
        };
        let mut append = std::pin::pin!(dead_letters.append(topic, records));
        match tokio::time::timeout(SIGN_OF_LIFE, &mut append).await {
            Ok(appended) => appended,
            Err(_) => {
                self.set_blocked(topic, Some("log"));
                append.await
            }
        }
    }
}
