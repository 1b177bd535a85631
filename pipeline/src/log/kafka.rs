//! Apache Kafka; the only place that names rdkafka.
//!
//! Records go out through an idempotent producer with `acks=all` to the partition that [`super::partition_of`] says,
//! so a key is in the same partition whoever writes it. Every reader has a client and a thread of its own (`reader`),
//! which keeps talking to the broker however long a batch takes; what it read waits in a bounded `inbox`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, config::RDKafkaLogLevel};
use schemas::Topic;
use tokio::sync::oneshot;

use super::{
    Consumer, Extent, Follower, From, Log, LogError, Received, Record, RejectedRetention, check_size,
    partition_of, record_size,
};
use lookup::Lookup;
use members::Members;
use reader::{KafkaConsumer, KafkaFollower, Threads};

mod inbox;
mod lookup;
mod members;
mod reader;
mod topics;

/// Requests to the broker that somebody waits for take at most so long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a record may wait inside the client for brokers that are away before the append fails.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// The wait when the client has no room for one more record.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(5);

/// How to reach the brokers.
#[derive(Debug, Clone, Default)]
pub struct KafkaSettings {
    /// The brokers to begin with, `host:port`, separated by commas.
    pub bootstrap: String,
    /// The name of this process in the brokers' logs and quotas.
    pub client_id: String,
    /// A name of this process that stays over a restart and that no other process has, in Kafka's alphabet for
    /// `group.instance.id`. With it the members of a process that is killed get their partitions back when they come
    /// again within the session timeout, and the other members go on meanwhile. None: members have no name.
    pub instance: Option<String>,
    /// Properties of librdkafka that go over ours, such as `security.protocol`.
    pub properties: BTreeMap<String, String>,
    /// How long bodies that were refused are kept.
    pub rejected: RejectedRetention,
}

/// The log on Apache Kafka.
pub struct KafkaLog {
    settings: KafkaSettings,
    producer: Mutex<Arc<LogProducer>>,
    /// How many partitions the broker says that a topic has.
    partitions: Mutex<BTreeMap<Topic, u32>>,
    threads: Threads,
    members: Members,
    lookup: Arc<Lookup>,
}

type LogProducer = ThreadedProducer<ProducerEvents>;

impl KafkaLog {
    /// Makes the clients. It does not wait for the broker, which may come later; it fails on settings that make no
    /// sense.
    pub fn connect(settings: KafkaSettings) -> Result<Self, LogError> {
        let producer = Mutex::new(Arc::new(new_producer(&settings)?));
        Ok(Self {
            settings,
            producer,
            partitions: Mutex::default(),
            threads: Threads::default(),
            members: Members::default(),
            lookup: Arc::default(),
        })
    }

    fn producer(&self) -> Arc<LogProducer> {
        Arc::clone(&self.producer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An idempotent producer that met a fatal error never sends again; a new one does.
    fn replace_if_dead(&self, producer: &Arc<LogProducer>) -> Result<(), LogError> {
        if let Some((code, reason)) = producer.client().fatal_error() {
            let mut current = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&current, producer) {
                tracing::warn!(%code, reason, "the Kafka producer is replaced");
                *current = Arc::new(new_producer(&self.settings)?);
            }
        }
        Ok(())
    }

    fn known_partitions(&self) -> MutexGuard<'_, BTreeMap<Topic, u32>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn partitions_on_broker(&self, topic: Topic) -> Result<u32, LogError> {
        let known = self.known_partitions().get(&topic).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let producer = self.producer();
        let count = blocking(move || topics::partitions(producer.client(), topic)).await?;
        self.known_partitions().insert(topic, count);
        Ok(count)
    }
}

/// What all clients have in common.
fn client_config(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.bootstrap)
        .set("client.id", &settings.client_id)
        .set("reconnect.backoff.max.ms", "2000")
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true");
    config
}

/// The settings' own properties go over ours.
fn with_properties(mut config: ClientConfig, settings: &KafkaSettings) -> ClientConfig {
    for (name, value) in &settings.properties {
        config.set(name, value);
    }
    config
}

fn new_producer(settings: &KafkaSettings) -> Result<LogProducer, LogError> {
    let mut config = client_config(settings);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", "2")
        .set("message.max.bytes", "3000000")
        .set("message.timeout.ms", MESSAGE_TIMEOUT.as_millis().to_string())
        .set("queue.buffering.max.kbytes", "65536");
    let config = with_properties(config, settings);
    LogProducer::from_config_and_context(&config, ProducerEvents).map_err(unavailable)
}

fn unavailable(error: KafkaError) -> LogError {
    LogError::Unavailable(format!("Kafka: {error}"))
}

/// What the broker's answer to an append means. Only what it says about the records themselves is final: that a topic is
/// missing or that this client may not write is put right by people.
fn not_appended(topic: Topic, records: &[Record], error: KafkaError) -> LogError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge) => {
            let size = records.iter().map(record_size).max().unwrap_or(0);
            LogError::TooLarge { topic, size }
        }
        Some(RDKafkaErrorCode::InvalidRecord | RDKafkaErrorCode::InvalidTimestamp) => LogError::Refused {
            topic,
            reason: error.to_string(),
        },
        _ => unavailable(error),
    }
}

/// Runs a call of the client that waits for the broker.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, LogError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(answer) => answer.map_err(unavailable),
        Err(error) => Err(LogError::Unavailable(format!(
            "Kafka: the call was broken off: {error}"
        ))),
    }
}

#[async_trait]
impl Log for KafkaLog {
    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        for record in &records {
            check_size(topic, record)?;
        }
        let partitions = self.partitions_on_broker(topic).await?;
        let producer = self.producer();
        let (delivery, delivered) = Delivery::new();
        let mut result = Ok(());
        for record in &records {
            result = enqueue(&producer, topic, partitions, record, &delivery).await;
            if result.is_err() {
                break;
            }
        }
        drop(delivery);
        let delivered = delivered.await.unwrap_or(Err(KafkaError::Canceled));
        let Err(error) = result.and(delivered) else {
            return Ok(());
        };
        self.replace_if_dead(&producer)?;
        Err(not_appended(topic, &records, error))
    }

    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        let number = self.members.take(group);
        let consumer = KafkaConsumer::join(&self.settings, &self.threads, group, number, topics)?;
        Ok(Box::new(consumer))
    }

    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
        let partitions = self.partitions_on_broker(topic).await?;
        let (settings, threads) = (self.settings.clone(), self.threads.clone());
        let follower =
            blocking(move || KafkaFollower::follow(&settings, &threads, topic, partitions, from)).await?;
        Ok(Box::new(follower))
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.known_partitions()
            .get(&topic)
            .copied()
            .unwrap_or_else(|| topic.kafka_partitions())
    }

    async fn extent(&self, topic: Topic, partition: u32) -> Result<Extent, LogError> {
        let producer = self.producer();
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let ends = move || {
            producer
                .client()
                .fetch_watermarks(topic.name(), number, REQUEST_TIMEOUT)
        };
        let (first, end) = blocking(ends).await?;
        Ok(Extent {
            first: u64::try_from(first).unwrap_or(0),
            end: u64::try_from(end).unwrap_or(0),
        })
    }

    async fn record_at(
        &self,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Received>, LogError> {
        let (settings, lookup) = (self.settings.clone(), Arc::clone(&self.lookup));
        blocking(move || lookup.record_at(&settings, topic, partition, offset)).await
    }
}

impl Drop for KafkaLog {
    /// Waits a little for readers that are leaving their groups, so that others get their partitions at once.
    fn drop(&mut self) {
        self.threads.wait_for_leavers();
    }
}

async fn enqueue(
    producer: &LogProducer,
    topic: Topic,
    partitions: u32,
    record: &Record,
    delivery: &Arc<Delivery>,
) -> Result<(), KafkaError> {
    let partition = partition_of(&record.key, partitions);
    loop {
        match send(producer, topic, partition, record, Arc::clone(delivery)) {
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => {
                tokio::time::sleep(QUEUE_FULL_WAIT).await;
            }
            result => return result,
        }
    }
}

fn send(
    producer: &LogProducer,
    topic: Topic,
    partition: u32,
    record: &Record,
    delivery: Arc<Delivery>,
) -> Result<(), KafkaError> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in &record.headers {
        headers = headers.insert(Header {
            key,
            value: Some(value),
        });
    }
    let mut message = BaseRecord::with_opaque_to(topic.name(), delivery)
        .key(record.key.as_bytes())
        .partition(i32::try_from(partition).unwrap_or(0))
        .headers(headers);
    message.payload = record.value.as_deref();
    producer.send(message).map_err(|(error, _)| error)
}

/// The fate of the records of one append. It is told when the last of them has its answer, since then the last
/// reference to it goes.
struct Delivery {
    error: Mutex<Option<KafkaError>>,
    told: Mutex<Option<oneshot::Sender<Result<(), KafkaError>>>>,
}

impl Delivery {
    fn new() -> (Arc<Self>, oneshot::Receiver<Result<(), KafkaError>>) {
        let (tell, told) = oneshot::channel();
        (
            Arc::new(Self {
                error: Mutex::default(),
                told: Mutex::new(Some(tell)),
            }),
            told,
        )
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let error = self
            .error
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(tell) = self.told.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // The caller of the append may have gone away.
            let _ = tell.send(error.map_or(Ok(()), Err));
        }
    }
}

struct ProducerEvents;

impl ClientContext for ProducerEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_client(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka producer");
    }
}

impl ProducerContext for ProducerEvents {
    type DeliveryOpaque = Arc<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Arc<Delivery>) {
        if let Err((error, _)) = result {
            *delivery.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
    }
}

/// librdkafka says a lot while a broker is away; the outage itself is told by whoever waits.
fn log_client(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, message, "librdkafka");
        }
        _ => tracing::debug!(facility, message, "librdkafka"),
    }
}
