//! The log: ordered partitions of records, read by groups.
//!
//! One trait, three backings: [`kafka`] (the only place that names rdkafka), [`embedded`] (durable, in one folder, for
//! `reveille up`) and [`simulated`] (in memory, with faults, for tests). One conformance suite runs on all three.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use schemas::Topic;

pub mod embedded;
pub mod kafka;
pub mod simulated;
pub mod spooled;

/// The most records that a batch has.
const MAX_BATCH_RECORDS: usize = 500;
/// The most bytes that the records of a batch have together, unless it is one record. A stage holds a record many times over
/// until what it makes of it is committed: parsed, in each notification, in each row.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// A record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Chooses the partition: records of one key are in one partition, in the order in which they were appended.
    pub key: String,
    /// The message; `None` removes the key from a compacted topic.
    pub value: Option<Bytes>,
    /// Headers, such as the trace context.
    pub headers: Vec<(String, String)>,
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its place in the partition.
    pub offset: u64,
    /// Its key.
    pub key: String,
    /// The message; `None` is the removal of the key.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

impl Received {
    /// The header with this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Consecutive records of one partition, oldest first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Batch {
    pub topic: Topic,
    pub partition: u32,
    pub records: Vec<Received>,
}

impl Batch {
    /// The position after its last record.
    pub fn next_offset(&self) -> u64 {
        self.records.last().map_or(0, |record| record.offset + 1)
    }
}

/// Where to go on reading, by topic and partition: the offset of the next record wanted.
pub type Positions = BTreeMap<(Topic, u32), u64>;

/// What a consumer learns.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// These partitions (of every topic of the subscription) are now this consumer's. Nothing of them is delivered
    /// before [`Consumer::start`] was called.
    Assigned(Vec<u32>),
    /// These partitions are no longer this consumer's; whatever was in work for them may be finished or thrown away,
    /// as somebody else will do it again.
    Revoked(Vec<u32>),
    /// Records.
    Batch(Batch),
}

/// The log cannot be reached or did not take something. Waiting and trying again is the only answer, unless
/// [`LogError::is_final`].
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log is away.
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// The log will never take this record.
    #[error("a record of {size} bytes is too large for topic {topic}")]
    #[allow(missing_docs)]
    TooLarge { topic: Topic, size: usize },
    /// The log will never take this record, for another reason.
    #[error("topic {topic} refuses a record: {reason}")]
    #[allow(missing_docs)]
    Refused { topic: Topic, reason: String },
    /// The log goes on with records that a reader had behind it: it was put back, or lost its newest records. The reader
    /// must take its partitions anew and compare its positions with the log ([`crate::restored`]).
    #[error(
        "partition {partition} of {topic} goes on at {found}, after it was read to {expected}: the log was put back"
    )]
    #[allow(missing_docs)]
    WentBack {
        topic: Topic,
        partition: u32,
        expected: u64,
        found: u64,
    },
}

impl LogError {
    /// Whether the log will never take what was appended, however often it is tried. When several records were appended
    /// together it may hold for one of them only.
    pub fn is_final(&self) -> bool {
        match self {
            LogError::Unavailable(_) | LogError::WentBack { .. } => false,
            LogError::TooLarge { .. } | LogError::Refused { .. } => true,
        }
    }
}

/// Where to begin following a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With its first record.
    Start,
    /// With what is appended after [`Log::follow`] has answered.
    End,
}

/// How long bodies that were refused are kept (the topic `ingest.rejected`), where it is not as `schemas/topics.toml` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RejectedRetention {
    /// For so many days.
    pub days: Option<u32>,
    /// At most so many bytes in all partitions, of which each has an equal part; the oldest go first.
    pub bytes: Option<u64>,
}

impl RejectedRetention {
    /// The hours that records of this topic are kept; 0 = for ever.
    fn hours(self, topic: Topic) -> u64 {
        match self.days {
            Some(days) if topic == Topic::INGEST_REJECTED => u64::from(days) * 24,
            _ => topic.settings().retention,
        }
    }

    /// The most bytes of one of so many partitions of this topic.
    fn bytes_of_partition(self, topic: Topic, partitions: u32) -> Option<u64> {
        let bytes = self.bytes.filter(|_| topic == Topic::INGEST_REJECTED);
        bytes.map(|bytes| bytes / u64::from(partitions.max(1)))
    }
}

/// Which records a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Nothing older is there.
    pub first: u64,
    /// The offset of the next record to be appended.
    pub end: u64,
}

/// A log of topics.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Appends the records, in order, and answers when all of them are safe: on Kafka all in-sync replicas have
    /// them, on the embedded log they are synced to disk. On an error some of them may have been written.
    /// Several calls may be under way at once.
    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError>;

    /// Reads these topics as a member of a group: each partition is read by one member. Partition `n` of all the
    /// topics always goes to the same member.
    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError>;

    /// Reads all partitions of a topic, without a group and without positions.
    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError>;

    /// How many partitions the topic has.
    fn partitions(&self, topic: Topic) -> u32;

    /// Which records the partition holds now.
    async fn extent(&self, topic: Topic, partition: u32) -> Result<Extent, LogError>;

    /// The record at this offset, if there is one.
    async fn record_at(
        &self,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Received>, LogError>;
}

/// A member of a group. Dropping it leaves the group.
#[async_trait]
pub trait Consumer: Send {
    /// What comes next. Cancel-safe.
    async fn next(&mut self) -> Result<Delivery, LogError>;

    /// Begins delivery of all partitions of the last [`Delivery::Assigned`]: at the given positions; those not given
    /// begin where [`Consumer::commit`] said last, or at the oldest record.
    async fn start(&mut self, positions: &Positions) -> Result<(), LogError>;

    /// Stores that everything before `offset` is done. Readers whose positions live with their state never call it.
    async fn commit(&mut self, topic: Topic, partition: u32, offset: u64) -> Result<(), LogError>;

    /// How many records are in the partitions of this member that were not delivered yet, by topic.
    fn lag(&self) -> BTreeMap<Topic, u64>;
}

/// Reads a whole topic.
#[async_trait]
pub trait Follower: Send {
    /// The next records. Cancel-safe.
    async fn next(&mut self) -> Result<Batch, LogError>;

    /// Whether everything has been delivered that was in the topic when [`Log::follow`] was called.
    fn caught_up(&self) -> bool;
}

/// How many bytes a record of this topic may have. Topics that only an operator reads hold other records whole, in
/// base64, so they take twice as much.
fn max_record_bytes(topic: Topic) -> usize {
    const READ_BY_STAGES: usize = 1_000_000;
    if topic.settings().read_by.is_empty() {
        2 * READ_BY_STAGES
    } else {
        READ_BY_STAGES
    }
}

/// The bytes of a record that was read.
fn received_size(record: &Received) -> usize {
    size(&record.key, record.value.as_ref(), &record.headers)
}

/// How full a batch is.
#[derive(Debug, Default)]
struct Fill {
    records: usize,
    bytes: usize,
}

impl Fill {
    /// Counts a record if the batch has room for it, as it always has for the first one.
    fn takes(&mut self, record: &Received) -> bool {
        let bytes = self.bytes + received_size(record);
        let fits = self.records < MAX_BATCH_RECORDS && bytes <= MAX_BATCH_BYTES;
        if !fits && self.records > 0 {
            return false;
        }
        self.records += 1;
        self.bytes = bytes;
        true
    }
}

/// What counts against the limit of a record.
fn record_size(record: &Record) -> usize {
    size(&record.key, record.value.as_ref(), &record.headers)
}

fn size(key: &str, value: Option<&Bytes>, headers: &[(String, String)]) -> usize {
    let headers: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    key.len() + value.map_or(0, Bytes::len) + headers
}

fn check_size(topic: Topic, record: &Record) -> Result<(), LogError> {
    let size = record_size(record);
    if size > max_record_bytes(topic) {
        Err(LogError::TooLarge { topic, size })
    } else {
        Ok(())
    }
}

/// The partition of a key: the same on every log.
pub fn partition_of(key: &str, partitions: u32) -> u32 {
    let hash = fnv1a(key.bytes());
    u32::try_from(hash % u64::from(partitions.max(1))).unwrap_or(0)
}

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>); it must not change, since the daemon's rows are owned by
/// partition and marks of records are stored.
pub(crate) fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
