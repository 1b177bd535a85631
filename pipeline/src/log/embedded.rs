//! A durable log in one folder, for `reveille up`.
//!
//! One thread writes (`writer`): it takes all appends that wait, of all topics, writes them as one batch, syncs
//! once, and only then shows them to the readers and answers the callers. So an answered record survives `kill -9` and
//! a power cut, many callers share one sync, and nobody reads what could still be lost. The positions of the groups
//! lie in the same store and ride on the next batch, so a position is never ahead of the records it counts.
//!
//! Readers (`reader`) are woken by the writer and take the newest records from memory; older ones come from disk.
//!
//! A store that failed (a full disk, no file descriptors) takes nothing more, since nobody can say what reached the disk.
//! The writer closes it and opens it anew, again and again until that succeeds: what was answered is there, and what was
//! not answered may be there.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Keyspace, KeyspaceCreateOptions};
use schemas::Topic;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::AbortHandle;

use super::{
    Consumer, Extent, Follower, From, Log, LogError, Positions, Received, Record, RejectedRetention,
    check_size, partition_of, received_size, record_size,
};
use crate::{Clock, Health};
use codec::Unreadable;
use reader::{EmbeddedConsumer, EmbeddedFollower};
use writer::{Append, Opened, Pending, Work, Writer};

mod codec;
mod damage;
mod journal;
mod reader;
mod rescue;
#[cfg(test)]
mod tests;
mod writer;

pub use damage::Damage;
pub use rescue::{Lost, Rescue, RescueError, is_log, rescue};

/// How often old records are looked for.
const RETENTION_INTERVAL: Duration = Duration::from_secs(600);
/// How often the health of the store is told.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// How many KiB of appends may wait for the writer; callers beyond that wait before they are queued.
const QUEUE_KIB: usize = 16 * 1024;
/// Blocks of older records that are kept in memory, in bytes.
const BLOCK_CACHE: u64 = 4 * 1024 * 1024;
/// The size of one of them.
const BLOCK: u32 = 16 * 1024;
/// What each topic gathers in memory before it goes from the journal to its table, in bytes.
const MEMTABLE: u64 = 4 * 1024 * 1024;
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
    /// What is in it is not as it was written.
    #[error("the data folder {} is damaged: {damage}; {}", .folder.display(), remedy(.folder))]
    Damaged { folder: PathBuf, damage: Damage },
    /// It cannot be read or written.
    #[error("the data folder {} cannot be used: {error}", .folder.display())]
    Storage { folder: PathBuf, error: String },
}

/// What can be done about a damaged folder.
fn remedy(folder: &Path) -> String {
    format!(
        "`reveille log rescue --data {}` saves what is good into a new folder and keeps the damaged one beside it, or put the \
         whole data folder back from a backup",
        folder.display()
    )
}

/// The store below the log failed.
#[derive(Debug, thiserror::Error)]
enum StorageError {
    #[error("{0}")]
    Fjall(#[from] fjall::Error),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It failed before, with this message.
    #[error("{0}")]
    Closed(String),
    #[error("another process has it open")]
    Locked,
    #[error("{0}")]
    Damaged(Damage),
}

impl StorageError {
    /// Whether what is on disk is not as it was written.
    fn is_damage(&self) -> bool {
        match self {
            StorageError::Damaged(_) | StorageError::Unreadable(_) => true,
            StorageError::Fjall(error) => {
                matches!(
                    error,
                    fjall::Error::JournalRecovery(_)
                        | fjall::Error::InvalidVersion(_)
                        | fjall::Error::Decompress(_)
                        | fjall::Error::InvalidTrailer
                        | fjall::Error::InvalidTag(_)
                        | fjall::Error::Unrecoverable
                ) || matches!(error, fjall::Error::Storage(error) if !matches!(error, lsm_tree::Error::Io(_)))
            }
            StorageError::Io(_) | StorageError::Closed(_) | StorageError::Locked => false,
        }
    }
}

/// What readers and the writer share.
struct Shared {
    folder: PathBuf,
    topics: BTreeMap<Topic, TopicLog>,
    groups: Mutex<Groups>,
    /// Why the store is closed at the moment, if it is.
    failure: Arc<Mutex<Option<String>>>,
}

struct TopicLog {
    /// Made with the first record: each one costs a dozen syncs, and many topics stay empty. None as well while the store
    /// is closed.
    keyspace: RwLock<Option<Keyspace>>,
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

#[derive(Default)]
struct Group {
    members: Vec<Member>,
    positions: Positions,
    /// Committed, and not on disk yet.
    unsaved: Positions,
}

/// The one that joined last has all partitions of its topics.
struct Member {
    number: u64,
    topics: Vec<Topic>,
    woken: Arc<Notify>,
}

impl Group {
    /// Whether this member has the partitions of its topics.
    fn is_owner(&self, member: u64) -> bool {
        let mut later = self
            .members
            .iter()
            .rev()
            .take_while(|other| other.number != member);
        let own = self.members.iter().find(|other| other.number == member);
        own.is_some_and(|own| !later.any(|other| other.topics.iter().any(|topic| own.topics.contains(topic))))
    }

    /// Lets all members look anew whether they have partitions.
    fn wake_members(&self) {
        for member in &self.members {
            member.woken.notify_one();
        }
    }
}

impl EmbeddedLog {
    /// Opens the log in this folder, and creates it if there is none.
    ///
    /// # Panics
    ///
    /// When it is not called on a tokio runtime.
    pub fn open(folder: impl AsRef<Path>, clock: Clock) -> Result<Self, OpenError> {
        Self::open_keeping(folder, clock, RejectedRetention::default())
    }

    /// The same, with another retention of what was refused.
    ///
    /// # Panics
    ///
    /// When it is not called on a tokio runtime.
    pub fn open_keeping(
        folder: impl AsRef<Path>,
        clock: Clock,
        rejected: RejectedRetention,
    ) -> Result<Self, OpenError> {
        let mut log = Self::open_in(folder, clock, rejected)?;
        let retention = tokio::spawn(ask_for_retention(log.work.clone(), log.clock.clone()));
        log.retention = Some(retention.abort_handle());
        Ok(log)
    }

    /// Opens a log whose records do not go with time, but when [`EmbeddedLog::forget`] says so.
    pub fn open_for_ever(folder: impl AsRef<Path>, clock: Clock) -> Result<Self, OpenError> {
        Self::open_in(folder, clock, RejectedRetention::default())
    }

    fn open_in(
        folder: impl AsRef<Path>,
        clock: Clock,
        rejected: RejectedRetention,
    ) -> Result<Self, OpenError> {
        let folder = folder.as_ref().to_owned();
        Self::open_store(folder.clone(), clock, rejected).map_err(|error| match error {
            StorageError::Fjall(fjall::Error::Locked) | StorageError::Locked => OpenError::InUse { folder },
            StorageError::Damaged(damage) => OpenError::Damaged { folder, damage },
            error => OpenError::Storage {
                folder,
                error: error.to_string(),
            },
        })
    }

    fn open_store(folder: PathBuf, clock: Clock, rejected: RejectedRetention) -> Result<Self, StorageError> {
        let opened = Opened::open(&folder)?;
        let mut topics = BTreeMap::new();
        for topic in Topic::ALL.iter().copied() {
            topics.insert(topic, TopicLog::read(topic, &opened)?);
        }
        let groups = Mutex::new(writer::saved_positions(&opened.positions)?);
        let shared = Arc::new(Shared {
            folder,
            topics,
            groups,
            failure: Arc::default(),
        });

        let (work, receiver) = mpsc::channel();
        let writer = Writer::new(opened, Arc::clone(&shared), receiver, rejected)?;
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

    /// Shows under this name in `/readyz` whether the store works, for as long as the log is open.
    ///
    /// # Panics
    ///
    /// When it is not called on a tokio runtime.
    pub fn report_to(&self, health: &Health, name: &str) {
        let (task, failure) = (health.task(name), Arc::clone(&self.shared.failure));
        let open = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            // Nothing of the store is held here, so that the folder can be opened again when the log is dropped.
            while open.strong_count() > 0 {
                match failure.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
                    Some(failure) => task.waiting(failure),
                    None => task.progress(),
                }
                tokio::time::sleep(REPORT_INTERVAL).await;
            }
            task.ended();
        });
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

fn failed(folder: &Path, error: &StorageError) -> String {
    if let StorageError::Closed(failure) = error {
        return failure.clone();
    }
    let remedy = if error.is_damage() {
        format!("stop the process; then {}", remedy(folder))
    } else {
        "free space or repair the disk: it is opened again every second".to_owned()
    };
    format!("the data folder {} failed: {error}; {remedy}", folder.display())
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

    async fn extent(&self, topic: Topic, partition: u32) -> Result<Extent, LogError> {
        let extent = self.shared.partition(topic, partition).map(|partition| Extent {
            first: partition.first,
            end: partition.end,
        });
        Ok(extent.unwrap_or(Extent { first: 0, end: 0 }))
    }

    async fn record_at(
        &self,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Received>, LogError> {
        reader::record_at(&self.shared, topic, partition, offset).await
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
    /// What every reader and writer gets while the store fails.
    fn failed(&self, error: &StorageError) -> LogError {
        LogError::Unavailable(failed(&self.folder, error))
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn read(topic: Topic, opened: &Opened) -> Result<Self, StorageError> {
        let keyspace = opened.keyspace_if_there(topic)?;
        let partitions = (0..topic.embedded_partitions())
            .map(|number| Ok(Mutex::new(Partition::read(keyspace.as_ref(), number)?)))
            .collect::<Result<_, StorageError>>()?;
        Ok(Self {
            keyspace: RwLock::new(keyspace),
            partitions,
            readers: Mutex::default(),
        })
    }

    /// What is there after the store was opened anew.
    fn read_again(&self, topic: Topic, opened: &Opened) -> Result<(), StorageError> {
        let keyspace = opened.keyspace_if_there(topic)?;
        for (number, partition) in (0..).zip(&self.partitions) {
            let found = Partition::read(keyspace.as_ref(), number)?;
            let mut partition = partition.lock().unwrap_or_else(PoisonError::into_inner);
            // What was written and not answered may be there, and no offset is given twice.
            let end = partition.end.max(found.end);
            *partition = Partition { end, ..found };
        }
        self.set_keyspace(keyspace);
        Ok(())
    }

    fn keyspace(&self) -> Option<Keyspace> {
        self.keyspace
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_keyspace(&self, keyspace: Option<Keyspace>) {
        *self.keyspace.write().unwrap_or_else(PoisonError::into_inner) = keyspace;
    }

    /// The keyspace to write into. Only the writer calls it.
    fn keyspace_to_write(&self, topic: Topic, opened: &Opened) -> Result<Keyspace, StorageError> {
        if let Some(keyspace) = self.keyspace() {
            return Ok(keyspace);
        }
        let keyspace = opened.keyspace(topic)?;
        self.set_keyspace(Some(keyspace.clone()));
        Ok(keyspace)
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
