//! A durable log in one folder, for `reveille up`.
//!
//! One thread writes (`writer`): it takes all appends that wait, of all topics, writes them as one batch, syncs
//! once, and only then shows them to the readers and answers the callers. So an answered record survives `kill -9` and
//! a power cut, many callers share one sync, and nobody reads what could still be lost. The positions of the groups
//! lie in the same store and ride on the next batch, so a position is never ahead of the records it counts.
//!
//! Readers (`reader`) are woken by the writer and take the newest records from memory; older ones come from disk.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions};
use schemas::Topic;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::AbortHandle;

use super::{
    Consumer, Follower, From, Log, LogError, Positions, Received, Record, check_size, partition_of,
    record_size,
};
use crate::Clock;
use codec::Unreadable;
use reader::{EmbeddedConsumer, EmbeddedFollower};
use writer::{Append, Pending, Work, Writer};

mod codec;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

/// How often old records are looked for.
const RETENTION_INTERVAL: Duration = Duration::from_secs(600);
/// How many KiB of appends may wait for the writer; callers beyond that wait before they are queued.
const QUEUE_KIB: usize = 16 * 1024;
/// Blocks of older records that are kept in memory, in bytes.
const BLOCK_CACHE: u64 = 4 * 1024 * 1024;
/// The size of one of them.
const BLOCK: u32 = 16 * 1024;
/// What each topic gathers in memory before it goes from the journal to its table, in bytes.
const MEMTABLE: u64 = 8 * 1024 * 1024;
/// The journals may take so much of the disk; they are read when the log is opened.
const JOURNALS: u64 = 128 * 1024 * 1024;
/// The newest records of a partition that are kept in memory for its readers.
const TAIL_RECORDS: usize = 4096;
/// How large these may be, in bytes.
const TAIL_BYTES: usize = 1024 * 1024;

/// A durable log in one folder.
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    clock: Clock,
    work: mpsc::Sender<Work>,
    queue: Arc<Semaphore>,
    writer: Option<JoinHandle<()>>,
    /// None for a log that keeps everything until it is told to forget it.
    retention: Option<AbortHandle>,
}

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the data folder {} is in use by another reveille", .folder.display())]
    InUse { folder: PathBuf },
    /// It cannot be read or written.
    #[error("the data folder {} cannot be used: {error}", .folder.display())]
    Storage { folder: PathBuf, error: String },
}

/// The store below the log failed.
#[derive(Debug, thiserror::Error)]
enum StorageError {
    #[error("{0}")]
    Fjall(#[from] fjall::Error),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("no thread for the writer: {0}")]
    Thread(#[from] std::io::Error),
}

/// What readers and the writer share.
struct Shared {
    folder: PathBuf,
    topics: BTreeMap<Topic, TopicLog>,
    groups: Mutex<Groups>,
}

struct TopicLog {
    /// Made with the first record: each one costs a dozen syncs, and many topics stay empty.
    keyspace: OnceLock<Keyspace>,
    partitions: Vec<Mutex<Partition>>,
    readers: Mutex<Vec<Weak<Notify>>>,
}

/// What readers may see of a partition.
struct Partition {
    /// Nothing older is there.
    first: u64,
    /// The offset of the next record to be appended; all before it are synced.
    end: u64,
    tail: VecDeque<Received>,
    tail_bytes: usize,
}

#[derive(Default)]
struct Groups {
    by_name: BTreeMap<String, Group>,
    next_member: u64,
}

/// The member that joined last has all partitions.
#[derive(Default)]
struct Group {
    members: Vec<(u64, Arc<Notify>)>,
    positions: Positions,
    /// Committed, and not on disk yet.
    unsaved: Positions,
}

impl EmbeddedLog {
    /// Opens the log in this folder, and creates it if there is none.
    ///
    /// # Panics
    ///
    /// When it is not called on a tokio runtime.
    pub fn open(folder: impl AsRef<Path>, clock: Clock) -> Result<Self, OpenError> {
        let mut log = Self::open_for_ever(folder, clock)?;
        let retention = tokio::spawn(ask_for_retention(log.work.clone(), log.clock.clone()));
        log.retention = Some(retention.abort_handle());
        Ok(log)
    }

    /// Opens a log whose records do not go with time, but when [`EmbeddedLog::forget`] says so.
    pub fn open_for_ever(folder: impl AsRef<Path>, clock: Clock) -> Result<Self, OpenError> {
        let folder = folder.as_ref().to_owned();
        Self::open_store(folder.clone(), clock).map_err(|error| match error {
            StorageError::Fjall(fjall::Error::Locked) => OpenError::InUse { folder },
            error => OpenError::Storage {
                folder,
                error: error.to_string(),
            },
        })
    }

    fn open_store(folder: PathBuf, clock: Clock) -> Result<Self, StorageError> {
        let database = Database::builder(&folder)
            .cache_size(BLOCK_CACHE)
            .max_journaling_size(JOURNALS)
            // With two, one of them spins while the other one compacts.
            .worker_threads(1)
            .open()?;
        let mut topics = BTreeMap::new();
        for topic in Topic::ALL.iter().copied() {
            topics.insert(topic, TopicLog::read(topic, &database)?);
        }
        let positions = database.keyspace("positions", keyspace_options)?;
        let groups = Mutex::new(writer::saved_positions(&positions)?);
        let shared = Arc::new(Shared {
            folder,
            topics,
            groups,
        });

        let (work, receiver) = mpsc::channel();
        let writer = Writer::new(database, positions, Arc::clone(&shared), receiver)?;
        let writer = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run())?;
        let queue = Arc::new(Semaphore::new(QUEUE_KIB));
        Ok(Self {
            shared,
            clock,
            work,
            queue,
            writer: Some(writer),
            retention: None,
        })
    }

    /// Nobody needs the records before this offset any more. They are removed soon, apart from the last one of all.
    pub fn forget(&self, topic: Topic, partition: u32, before: u64) -> Result<(), LogError> {
        let place = (topic, partition);
        self.work
            .send(Work::Forget { place, before })
            .map_err(|_| self.unavailable())
    }

    fn pending(&self, topic: Topic, record: Record) -> Pending {
        let encoded = codec::encode(&record, self.clock.now());
        let partition = partition_of(&record.key, topic.embedded_partitions());
        let Record { key, value, headers } = record;
        Pending {
            partition,
            encoded,
            received: Received {
                offset: 0,
                key,
                value,
                headers,
            },
        }
    }

    fn unavailable(&self) -> LogError {
        LogError::Unavailable(format!(
            "the data folder {} is closed",
            self.shared.folder.display()
        ))
    }
}

/// Records are written once, in order, and read in ranges: large compressed blocks, and no filters, which serve the
/// search for single keys.
fn keyspace_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        .filter_policy(FilterPolicy::disabled())
}

/// Not at once: what was accepted before a long rest of the process is read first.
async fn ask_for_retention(work: mpsc::Sender<Work>, clock: Clock) {
    let first = tokio::time::Instant::now() + RETENTION_INTERVAL;
    let mut interval = tokio::time::interval_at(first, RETENTION_INTERVAL);
    loop {
        interval.tick().await;
        if work
            .send(Work::Retain {
                now: clock.now(),
                done: None,
            })
            .is_err()
        {
            return;
        }
    }
}

#[async_trait]
impl Log for EmbeddedLog {
    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        let mut size = 0;
        for record in &records {
            check_size(topic, record)?;
            size += record_size(record);
        }
        if records.is_empty() {
            return Ok(());
        }
        let kib = u32::try_from((size / 1024 + 1).min(QUEUE_KIB)).unwrap_or(1);
        let room = Arc::clone(&self.queue)
            .acquire_many_owned(kib)
            .await
            .map_err(|_| self.unavailable())?;
        let records = records
            .into_iter()
            .map(|record| self.pending(topic, record))
            .collect();
        let (answer, answered) = oneshot::channel();
        let append = Append {
            topic,
            records,
            size,
            answer,
            _room: room,
        };
        self.work
            .send(Work::Append(append))
            .map_err(|_| self.unavailable())?;
        answered.await.map_err(|_| self.unavailable())?
    }

    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        Ok(Box::new(EmbeddedConsumer::join(
            Arc::clone(&self.shared),
            group,
            topics,
        )))
    }

    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
        Ok(Box::new(EmbeddedFollower::follow(
            Arc::clone(&self.shared),
            topic,
            from,
        )))
    }

    fn partitions(&self, topic: Topic) -> u32 {
        topic.embedded_partitions()
    }
}

impl Drop for EmbeddedLog {
    /// Waits for the writer, so that the folder can be opened again at once when no reader is left either.
    fn drop(&mut self) {
        if let Some(retention) = &self.retention {
            retention.abort();
        }
        // It fails only when the writer is gone already.
        let _ = self.work.send(Work::Close);
        if let Some(Err(_)) = self.writer.take().map(JoinHandle::join) {
            tracing::error!("the writer of the log has died");
        }
    }
}

impl Shared {
    /// What every reader and writer is told when the store fails. It stays so until the process is started anew, as
    /// nobody can say what reached the disk.
    fn failed(&self, error: &StorageError) -> LogError {
        let folder = self.folder.display();
        LogError::Unavailable(format!(
            "the data folder {folder} failed: {error}; free space or repair the disk, then restart"
        ))
    }

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn partition(&self, topic: Topic, number: u32) -> Option<MutexGuard<'_, Partition>> {
        let partition = self
            .topics
            .get(&topic)?
            .partitions
            .get(usize::try_from(number).ok()?)?;
        Some(partition.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TopicLog {
    /// What an earlier process has left.
    fn read(topic: Topic, database: &Database) -> Result<Self, StorageError> {
        let exists = database.keyspace_exists(topic.name());
        let keyspace = exists
            .then(|| database.keyspace(topic.name(), keyspace_options))
            .transpose()?;
        let keyspace = keyspace.map_or_else(OnceLock::new, OnceLock::from);
        let partitions = (0..topic.embedded_partitions())
            .map(|number| Ok(Mutex::new(Partition::read(keyspace.get(), number)?)))
            .collect::<Result<_, StorageError>>()?;
        Ok(Self {
            keyspace,
            partitions,
            readers: Mutex::default(),
        })
    }

    /// The keyspace to write into. Only the writer calls it.
    fn keyspace_to_write(&self, topic: Topic, database: &Database) -> Result<&Keyspace, StorageError> {
        match self.keyspace.get() {
            Some(keyspace) => Ok(keyspace),
            None => {
                let keyspace = database.keyspace(topic.name(), keyspace_options)?;
                Ok(self.keyspace.get_or_init(|| keyspace))
            }
        }
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Weak<Notify>>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_readers(&self) {
        self.readers()
            .retain(|reader| reader.upgrade().inspect(|reader| reader.notify_one()).is_some());
    }
}

impl Partition {
    fn read(keyspace: Option<&Keyspace>, number: u32) -> Result<Self, StorageError> {
        let mut places = keyspace.map(|keyspace| keyspace.prefix(number.to_be_bytes()));
        let mut offset = |last: bool| {
            let place = places
                .as_mut()
                .and_then(|places| if last { places.next_back() } else { places.next() });
            place
                .map(|place| Ok::<_, StorageError>(codec::offset_of(&place.key()?)?))
                .transpose()
        };
        let first = offset(false)?;
        // With one record only, nothing is left at the back.
        let last = offset(true)?.or(first);
        let end = last.map_or(0, |last| last + 1);
        Ok(Self {
            first: first.unwrap_or(0),
            end,
            tail: VecDeque::new(),
            tail_bytes: 0,
        })
    }

    fn push(&mut self, record: Received) {
        self.tail_bytes += received_size(&record);
        self.end = record.offset + 1;
        self.tail.push_back(record);
        self.shorten(|partition, _| partition.tail.len() > TAIL_RECORDS || partition.tail_bytes > TAIL_BYTES);
    }

    /// Everything before this offset was removed.
    fn begin_with(&mut self, first: u64) {
        self.first = first;
        self.shorten(|_, oldest| oldest.offset < first);
    }

    fn shorten(&mut self, is_too_much: impl Fn(&Self, &Received) -> bool) {
        while self.tail.front().is_some_and(|oldest| is_too_much(self, oldest)) {
            let removed = self.tail.pop_front();
            self.tail_bytes -= removed.as_ref().map_or(0, received_size);
        }
    }
}

fn received_size(record: &Received) -> usize {
    let headers: usize = record
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    record.key.len() + headers + record.value.as_ref().map_or(0, bytes::Bytes::len)
}
