//! Readers of Kafka: members of groups, and followers. Each has a client and a thread that polls it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::Topic;

use super::inbox::{Events, Inbox};
use super::members::MemberNumber;
use super::{KafkaSettings, REQUEST_TIMEOUT, client_config, unavailable, with_properties};
use crate::log::{Batch, Consumer, Delivery, Follower, From, LogError, MAX_BATCH_RECORDS, Positions};

type Client = BaseConsumer<Events>;

/// The thread looks for other duties so often.
const POLL: Duration = Duration::from_millis(50);
/// A full inbox is waited for so long before the partitions are paused and the polling goes on.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a reader that leaves waits for its partitions to be unassigned.
const UNASSIGNING: Duration = Duration::from_secs(1);
/// How long the end of the process waits for readers that leave.
const LEAVING: Duration = Duration::from_secs(5);

/// The threads of all readers of a log.
#[derive(Clone, Default)]
pub(super) struct Threads(Arc<Mutex<Vec<Polling>>>);

type Polling = (Arc<Inbox>, JoinHandle<()>);

impl Threads {
    fn poll(&self, client: Arc<Client>, inbox: Arc<Inbox>) -> Result<(), std::io::Error> {
        let shared = Arc::clone(&inbox);
        let thread = std::thread::Builder::new()
            .name("kafka-reader".to_owned())
            .spawn(move || poll_until_closed(&client, &shared))?;
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|(_, thread)| !thread.is_finished());
        threads.push((inbox, thread));
        Ok(())
    }

    pub(super) fn wait_for_leavers(&self) {
        let deadline = Instant::now() + LEAVING;
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, thread) in threads.into_iter().filter(|(inbox, _)| inbox.is_closed()) {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Low latency, and not much memory.
pub(super) fn reader_config(settings: &KafkaSettings, group: &str) -> ClientConfig {
    let mut config = client_config(settings);
    config
        .set("group.id", group)
        .set("group.protocol", "classic")
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "1000")
        .set("auto.offset.reset", "earliest")
        .set("fetch.min.bytes", "1")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.error.backoff.ms", "100")
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.min.messages", "5000")
        .set("queued.max.messages.kbytes", "16384")
        .set("statistics.interval.ms", "2000");
    config
}

fn poll_until_closed(client: &Client, inbox: &Inbox) {
    let mut paused: Option<TopicPartitionList> = None;
    while !inbox.is_closed() {
        let has_room = inbox.wait_for_room(if paused.is_some() {
            Duration::ZERO
        } else {
            PATIENCE
        });
        let result = match (has_room, &paused) {
            (true, Some(partitions)) => client.resume(partitions).map(|()| paused = None),
            // The stage takes its time; without a poll the broker would take the partitions away.
            (false, None) => client
                .assignment()
                .and_then(|partitions| client.pause(&partitions).map(|()| paused = Some(partitions))),
            _ => Ok(()),
        };
        if let Err(error) = result {
            inbox.error(&error);
        }
        read(client, inbox);
    }
    leave(client, inbox);
}

/// Waits for a record, and takes all that have come with it, so that the stage has them in one batch: with the first one alone
/// it would make a request and a transaction, and the others would wait for it.
fn read(client: &Client, inbox: &Inbox) {
    let mut wait = POLL;
    for _ in 0..MAX_BATCH_RECORDS {
        match client.poll(wait) {
            Some(Ok(message)) => {
                if let Some(topic) = Topic::from_name(message.topic())
                    && !inbox.push(topic, &message)
                {
                    break;
                }
            }
            Some(Err(error)) => {
                inbox.flush();
                return inbox.error(&error);
            }
            None => break,
        }
        wait = Duration::ZERO;
    }
    inbox.flush();
}

/// A static member that only closes keeps its partitions until its session times out. One that unsubscribes before
/// leaves the group, so that the others have its partitions at once. It is sent when the partitions are unassigned,
/// which the client does in the background.
fn leave(client: &Client, inbox: &Inbox) {
    client.unsubscribe();
    let deadline = Instant::now() + UNASSIGNING;
    while inbox.state().has_partitions() && Instant::now() < deadline {
        client.poll(POLL);
    }
    client.poll(POLL);
}

pub(super) fn raw_offset(offset: u64) -> Offset {
    i64::try_from(offset).map_or(Offset::End, Offset::Offset)
}

pub(super) fn partition_number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// A member of a group.
pub(super) struct KafkaConsumer {
    inbox: Arc<Inbox>,
    /// The thread owns the client, so that the wait of its end is the thread's.
    client: Weak<Client>,
    topics: Vec<Topic>,
    positions: Positions,
    /// Free for another member when this one is gone.
    _number: MemberNumber,
}

impl KafkaConsumer {
    pub(super) fn join(
        settings: &KafkaSettings,
        threads: &Threads,
        group: &str,
        number: MemberNumber,
        topics: &[Topic],
    ) -> Result<Self, LogError> {
        let mut config = reader_config(settings, group);
        if let Some(instance) = &settings.instance {
            config.set("group.instance.id", number.name(instance));
        }
        // Only what the stage has done is stored for the next commit; the client sends commits together, and the last
        // ones before it gives its partitions away.
        config
            .set("enable.auto.offset.store", "false")
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "200");
        let config = with_properties(config, settings);
        let inbox = Arc::<Inbox>::default();
        let client =
            Client::from_config_and_context(&config, Events(Arc::clone(&inbox))).map_err(unavailable)?;
        let names: Vec<_> = topics.iter().map(|topic| topic.name()).collect();
        client.subscribe(&names).map_err(unavailable)?;
        let client = Arc::new(client);
        let weak = Arc::downgrade(&client);
        threads
            .poll(client, Arc::clone(&inbox))
            .map_err(|error| LogError::Unavailable(format!("no thread for a reader: {error}")))?;
        Ok(Self {
            inbox,
            client: weak,
            topics: topics.to_vec(),
            positions: Positions::new(),
            _number: number,
        })
    }

    fn client(&self) -> Result<Arc<Client>, LogError> {
        self.client
            .upgrade()
            .ok_or_else(|| LogError::Unavailable("Kafka: the reader's thread has died".to_owned()))
    }
}

/// The partitions to read, each with where to begin: as given, or else where the group stands.
fn with_offsets(partitions: &TopicPartitionList, positions: &Positions) -> KafkaResult<TopicPartitionList> {
    let mut with_offsets = TopicPartitionList::with_capacity(partitions.count());
    for element in partitions.elements() {
        let place = Topic::from_name(element.topic()).zip(u32::try_from(element.partition()).ok());
        let given = place.and_then(|place| positions.get(&place));
        let offset = given.map_or(Offset::Invalid, |offset| raw_offset(*offset));
        with_offsets.add_partition_offset(element.topic(), element.partition(), offset)?;
    }
    Ok(with_offsets)
}

#[async_trait]
impl Consumer for KafkaConsumer {
    async fn next(&mut self) -> Result<Delivery, LogError> {
        let delivery = self.inbox.take().await?;
        match &delivery {
            Delivery::Batch(batch) => {
                self.positions
                    .insert((batch.topic, batch.partition), batch.next_offset());
            }
            Delivery::Assigned(_) | Delivery::Revoked(_) => self.positions.clear(),
        }
        Ok(delivery)
    }

    async fn start(&mut self, positions: &Positions) -> Result<(), LogError> {
        let client = self.client()?;
        let mut state = self.inbox.state();
        // None when the partitions were taken away meanwhile; the stage hears of it next.
        let Some(partitions) = &state.to_start else {
            return Ok(());
        };
        let partitions = with_offsets(partitions, positions).map_err(unavailable)?;
        client.assign(&partitions).map_err(unavailable)?;
        state.to_start = None;
        state.expected = positions.clone();
        Ok(())
    }

    async fn commit(&mut self, topic: Topic, partition: u32, offset: u64) -> Result<(), LogError> {
        let mut done = TopicPartitionList::with_capacity(1);
        done.add_partition_offset(topic.name(), partition_number(partition), raw_offset(offset))
            .map_err(unavailable)?;
        // It is refused when the partition is no longer ours; then somebody else does the records again.
        if let Err(error) = self.client()?.store_offsets(&done) {
            tracing::debug!(%topic, partition, %error, "the position was not stored");
        }
        Ok(())
    }

    fn lag(&self) -> BTreeMap<Topic, u64> {
        let mut lag: BTreeMap<Topic, u64> = self.topics.iter().map(|topic| (*topic, 0)).collect();
        let state = self.inbox.state();
        for (place, position) in &self.positions {
            let end = state.ends.get(place).copied().unwrap_or(0);
            *lag.entry(place.0).or_default() += end.saturating_sub(*position);
        }
        lag
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// Reads a whole topic.
pub(super) struct KafkaFollower {
    inbox: Arc<Inbox>,
    positions: BTreeMap<u32, u64>,
    /// The ends when it began.
    ends: BTreeMap<u32, u64>,
}

impl KafkaFollower {
    /// Waits for the broker's answers.
    pub(super) fn follow(
        settings: &KafkaSettings,
        threads: &Threads,
        topic: Topic,
        partitions: u32,
        from: From,
    ) -> Result<Self, KafkaError> {
        // The client wants a group, but nobody joins it and nothing is committed.
        let mut config = reader_config(settings, &format!("{}-follower", settings.client_id));
        config
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true");
        let config = with_properties(config, settings);
        let inbox = Arc::<Inbox>::default();
        inbox.state().follows = true;
        let client = Client::from_config_and_context(&config, Events(Arc::clone(&inbox)))?;
        let (mut positions, mut ends) = (BTreeMap::new(), BTreeMap::new());
        let mut assignment = TopicPartitionList::new();
        for number in 0..partitions {
            let (low, high) =
                client.fetch_watermarks(topic.name(), partition_number(number), REQUEST_TIMEOUT)?;
            let begin = if from == From::Start { low } else { high };
            positions.insert(number, u64::try_from(begin).unwrap_or(0));
            ends.insert(number, u64::try_from(high).unwrap_or(0));
            assignment.add_partition_offset(topic.name(), partition_number(number), Offset::Offset(begin))?;
        }
        client.assign(&assignment)?;
        threads
            .poll(Arc::new(client), Arc::clone(&inbox))
            .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self {
            inbox,
            positions,
            ends,
        })
    }
}

#[async_trait]
impl Follower for KafkaFollower {
    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            if let Delivery::Batch(batch) = self.inbox.take().await? {
                self.positions.insert(batch.partition, batch.next_offset());
                return Ok(batch);
            }
        }
    }

    /// A compacted topic may end with offsets that are gone, so the broker's word that the end was reached counts too.
    fn caught_up(&self) -> bool {
        let state = self.inbox.state();
        self.ends.iter().all(|(partition, end)| {
            self.positions
                .get(partition)
                .is_some_and(|position| position >= end)
                || (state.finished.contains(partition) && state.has_none_of(*partition))
        })
    }
}

impl Drop for KafkaFollower {
    fn drop(&mut self) {
        self.inbox.close();
    }
}
