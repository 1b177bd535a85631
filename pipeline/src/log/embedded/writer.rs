//! The one thread that writes: group commit, compaction, retention.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use fjall::{Database, Keyspace, OwnedWriteBatch, PersistMode};
use jiff::{SignedDuration, Timestamp};
use schemas::Topic;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::codec::{self, Unreadable};
use super::damage::{self, Damage};
use super::{BLOCK_CACHE, Groups, JOURNALS, Shared, StorageError, failed, keyspace_options};
use crate::log::{LogError, Received, RejectedRetention};

/// One sync takes at most so many bytes, so that the first caller does not wait for an endless queue.
const COMMIT_BYTES: usize = 8 * 1024 * 1024;
/// Positions are saved at least so often, also when nothing is appended.
const IDLE: Duration = Duration::from_secs(1);
/// Retention removes so many records at a time, and lets appends pass in between.
const REMOVED_AT_ONCE: usize = 2_000;
/// A store that failed is opened anew so often until that succeeds.
const REOPEN_INTERVAL: Duration = Duration::from_secs(1);
/// A removed key of a compacted topic is remembered so long, for followers that are away.
const REMOVALS_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The part of the store that holds the positions of groups.
pub(super) const POSITIONS: &str = "positions";
/// The file that repeats the names of the parts.
const NAMES: &str = "topics";

pub(super) enum Work {
    Append(Append),
    /// Remove what is too old.
    Retain {
        now: Timestamp,
        done: Option<oneshot::Sender<()>>,
    },
    /// Remove what is before this offset.
    Forget {
        place: (Topic, u32),
        before: u64,
    },
    /// Save what is there and end.
    Close,
}

pub(super) struct Append {
    pub(super) topic: Topic,
    pub(super) records: Vec<Pending>,
    pub(super) size: usize,
    pub(super) answer: oneshot::Sender<Result<(), LogError>>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// A record that has no offset yet.
pub(super) struct Pending {
    pub(super) partition: u32,
    pub(super) encoded: Vec<u8>,
    pub(super) received: Received,
}

/// The store on disk.
pub(super) struct Opened {
    database: Database,
    pub(super) positions: Keyspace,
}

pub(super) struct Writer {
    /// None after a failure, until it could be opened anew.
    opened: Option<Opened>,
    /// When that was tried last.
    tried_at: Instant,
    shared: Arc<Shared>,
    work: Receiver<Work>,
    /// Of the compacted topics: where the newest record of each key is.
    newest: NewestRecords,
    retention: Option<Retention>,
    rejected: RejectedRetention,
    /// How many bytes the partitions have whose bytes are bounded.
    sizes: BTreeMap<(Topic, u32), u64>,
}

/// A record to write at an offset, or none to remove what is there.
type Change = ((Topic, u32, u64), Option<Vec<u8>>);

/// By partition and key.
type NewestRecords = BTreeMap<(Topic, u32), BTreeMap<String, Newest>>;

struct Newest {
    offset: u64,
    appended_at: Timestamp,
    /// It removes its key.
    removal: bool,
}

struct Retention {
    now: Timestamp,
    done: Vec<oneshot::Sender<()>>,
    remaining: Vec<(Topic, u32)>,
}

/// The positions that were on disk when the log was opened.
pub(super) fn saved_positions(positions: &Keyspace) -> Result<Groups, StorageError> {
    let mut groups = Groups::default();
    for saved in positions.iter() {
        let (key, offset) = saved.into_inner()?;
        let offset = <[u8; 8]>::try_from(&offset[..]).map_err(|_| Unreadable)?;
        let (group, topic, partition) = read_position_key(&key).ok_or(Unreadable)?;
        // A topic that this version does not know any more has no readers either.
        if let Some(topic) = Topic::from_name(topic) {
            let group = groups.by_name.entry(group.to_owned()).or_default();
            group
                .positions
                .insert((topic, partition), u64::from_be_bytes(offset));
        }
    }
    Ok(groups)
}

fn position_key(group: &str, topic: Topic, partition: u32) -> Vec<u8> {
    [
        group.as_bytes(),
        &[0],
        topic.name().as_bytes(),
        &[0],
        &partition.to_be_bytes(),
    ]
    .concat()
}

fn read_position_key(key: &[u8]) -> Option<(&str, &str, u32)> {
    let (names, partition) = key.split_last_chunk::<4>()?;
    let (group, topic) = std::str::from_utf8(names)
        .ok()?
        .strip_suffix('\0')?
        .split_once('\0')?;
    Some((group, topic, u32::from_be_bytes(*partition)))
}

/// The names that [`Opened`] has noted, by the numbers of the parts; none when it has not.
pub(super) fn noted_names(folder: &Path) -> BTreeMap<u64, String> {
    let text = fs::read_to_string(folder.join(NAMES)).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let (number, name) = line.split_once(' ')?;
            Some((number.parse().ok()?, name.to_owned()))
        })
        .collect()
}

/// Alerts and bodies are for the user alone who runs this, also in a folder that was made with other rights.
fn keep_to_owner(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut rights = fs::metadata(folder)?.permissions();
    if rights.mode() & 0o077 != 0 {
        rights.set_mode(0o700);
        fs::set_permissions(folder, rights)?;
    }
    Ok(())
}

/// Names the place when the store cannot be opened since it is damaged.
fn open_database(folder: &Path) -> Result<Database, StorageError> {
    let builder = Database::builder(folder)
        .cache_size(BLOCK_CACHE)
        .max_journaling_size(JOURNALS)
        // With two, one of them spins while the other one compacts.
        .worker_threads(1);
    // The library stops with a panic at some of what it does not expect in a file.
    let opened = catch_unwind(AssertUnwindSafe(|| builder.open()));
    let error = match opened {
        Ok(Ok(database)) => return Ok(database),
        Ok(Err(error)) => StorageError::from(error),
        Err(_) => StorageError::from(fjall::Error::Unrecoverable),
    };
    if !error.is_damage() {
        return Err(error);
    }
    let found = damage::in_tables(folder)?.into_iter().next();
    Err(StorageError::Damaged(found.unwrap_or_else(|| Damage {
        file: folder.join(damage::TABLES),
        offset: None,
        what: error.to_string(),
    })))
}

impl Opened {
    pub(super) fn open(folder: &Path) -> Result<Self, StorageError> {
        keep_to_owner(folder)?;
        {
            let _lock = damage::lock(folder)?.ok_or(StorageError::Locked)?;
            if let Some(damage) = damage::before_opening(folder)? {
                return Err(StorageError::Damaged(damage));
            }
        }
        let database = open_database(folder)?;
        let positions = database.keyspace(POSITIONS, keyspace_options)?;
        let opened = Self { database, positions };
        opened.note_names(folder)?;
        Ok(opened)
    }

    pub(super) fn keyspace(&self, topic: Topic) -> Result<Keyspace, StorageError> {
        self.named(topic.name())
    }

    fn named(&self, name: &str) -> Result<Keyspace, StorageError> {
        let is_new = !self.database.keyspace_exists(name);
        let keyspace = self.database.keyspace(name, keyspace_options)?;
        // Two levels above the folder of a keyspace is that of the log.
        if let Some(folder) = keyspace.path().ancestors().nth(2).filter(|_| is_new) {
            self.note_names(folder)?;
        }
        Ok(keyspace)
    }

    /// The store keeps the names of its parts in one of its tables; a rescue needs them also when that one is damaged.
    fn note_names(&self, folder: &Path) -> Result<(), StorageError> {
        let mut noted = BTreeMap::new();
        for name in self.database.list_keyspace_names() {
            let keyspace = self.database.keyspace(&name, keyspace_options)?;
            noted.insert(keyspace.id(), name.to_string());
        }
        if noted == noted_names(folder) {
            return Ok(());
        }
        let text: String = noted
            .iter()
            .map(|(number, name)| format!("{number} {name}\n"))
            .collect();
        let unfinished = folder.join(format!("{NAMES}.new"));
        fs::write(&unfinished, text)?;
        fs::rename(unfinished, folder.join(NAMES))?;
        Ok(())
    }

    /// Changes these keys of a part, with the next sync.
    pub(super) fn change(
        &self,
        name: &str,
        changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StorageError> {
        let keyspace = self.named(name)?;
        let mut batch = self.database.batch();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(&keyspace, key, value),
                None => batch.remove(&keyspace, key),
            }
        }
        Ok(batch.commit()?)
    }

    /// Positions behind these ends would pass over what is appended next.
    pub(super) fn cut_positions(&self, ends: &BTreeMap<(Topic, u32), u64>) -> Result<(), StorageError> {
        for (name, group) in saved_positions(&self.positions)?.by_name {
            for ((topic, partition), position) in group.positions {
                let end = ends.get(&(topic, partition)).copied().unwrap_or(0);
                if position > end {
                    let key = position_key(&name, topic, partition);
                    self.positions.insert(key, end.to_be_bytes())?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), StorageError> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    pub(super) fn keyspace_if_there(&self, topic: Topic) -> Result<Option<Keyspace>, StorageError> {
        let there = self.database.keyspace_exists(topic.name());
        there.then(|| self.keyspace(topic)).transpose()
    }
}

impl Writer {
    pub(super) fn new(
        opened: Opened,
        shared: Arc<Shared>,
        work: Receiver<Work>,
        rejected: RejectedRetention,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            opened: Some(opened),
            tried_at: Instant::now(),
            newest: newest_of_all(&shared)?,
            sizes: sizes_of_bounded(&shared, rejected)?,
            shared,
            work,
            retention: None,
            rejected,
        })
    }

    pub(super) fn run(mut self) {
        let mut open = true;
        while open {
            let mut appends = Vec::new();
            let mut size = 0;
            let wait = if self.retention.is_some() {
                Duration::ZERO
            } else {
                IDLE
            };
            let mut next = self.work.recv_timeout(wait);
            // Whatever came during the last sync shares the next one.
            loop {
                match next {
                    Ok(Work::Append(append)) => {
                        size += append.size;
                        appends.push(append);
                    }
                    Ok(Work::Retain { now, done }) => self.begin_retention(now, done),
                    Ok(Work::Forget { place, before }) => self.forget(place, before),
                    Ok(Work::Close) | Err(RecvTimeoutError::Disconnected) => open = false,
                    Err(RecvTimeoutError::Timeout) => break,
                }
                if !open || size >= COMMIT_BYTES {
                    break;
                }
                next = self.work.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
            self.reopen_if_closed();
            self.commit(appends);
            self.go_on_with_retention();
        }
    }

    /// Writes and syncs all of it at once, then shows it to the readers, then answers.
    fn commit(&mut self, appends: Vec<Append>) {
        let (mut places, mut answers) = (Vec::new(), Vec::new());
        for append in appends {
            places.extend(append.records.into_iter().map(|pending| (append.topic, pending)));
            answers.push((append.answer, append._room));
        }
        let result = self.write(&mut places);
        match &result {
            Ok(()) => self.publish(places),
            Err(error) => self.close(error),
        }
        for (answer, _room) in answers {
            // A caller that is gone does not need its answer.
            let _ = answer.send(match &result {
                Ok(()) => Ok(()),
                Err(error) => Err(self.shared.failed(error)),
            });
        }
    }

    fn write(&mut self, records: &mut [(Topic, Pending)]) -> Result<(), StorageError> {
        let unsaved = self.take_unsaved_positions();
        if records.is_empty() && unsaved.is_empty() {
            return Ok(());
        }
        self.opened()?;
        let changes = self.give_offsets(records)?;
        let opened = self.opened()?;
        let mut batch =
            OwnedWriteBatch::with_capacity(opened.database.clone(), changes.len() + unsaved.len())
                .durability(Some(PersistMode::SyncData));
        for (key, offset) in unsaved {
            batch.insert(&opened.positions, key, offset.to_be_bytes());
        }
        let mut added: Vec<((Topic, u32), u64)> = Vec::new();
        for ((topic, number, offset), encoded) in changes {
            if let (Some(encoded), true) = (&encoded, self.sizes.contains_key(&(topic, number))) {
                added.push(((topic, number), size(encoded)));
            }
            let Some(log) = self.shared.topics.get(&topic) else {
                continue;
            };
            let (keyspace, place) = (
                log.keyspace_to_write(topic, opened)?,
                codec::place(number, offset),
            );
            match encoded {
                Some(encoded) => batch.insert(&keyspace, place, encoded),
                None => batch.remove(&keyspace, place),
            }
        }
        batch.commit()?;
        for (place, bytes) in added {
            *self.sizes.entry(place).or_default() += bytes;
        }
        Ok(())
    }

    fn opened(&self) -> Result<&Opened, StorageError> {
        self.opened.as_ref().ok_or_else(|| {
            let failure = self.shared.failure().clone();
            StorageError::Closed(failure.unwrap_or_default())
        })
    }

    /// Lets go of a store that failed.
    fn close(&mut self, error: &StorageError) {
        if self.opened.take().is_none() {
            return;
        }
        tracing::error!(folder = %self.shared.folder.display(), %error, "the data folder failed and is opened anew");
        *self.shared.failure() = Some(failed(&self.shared.folder, error));
        self.let_go_of_keyspaces();
        self.tried_at = Instant::now();
    }

    fn reopen_if_closed(&mut self) {
        if self.opened.is_some() || self.tried_at.elapsed() < REOPEN_INTERVAL {
            return;
        }
        self.tried_at = Instant::now();
        match self.reopen() {
            Ok(()) => {
                *self.shared.failure() = None;
                tracing::info!(folder = %self.shared.folder.display(), "the data folder works again");
            }
            Err(error) => {
                *self.shared.failure() = Some(failed(&self.shared.folder, &error));
                self.let_go_of_keyspaces();
            }
        }
    }

    /// As long as one of them is there the store cannot be opened anew.
    fn let_go_of_keyspaces(&self) {
        for log in self.shared.topics.values() {
            log.set_keyspace(None);
        }
    }

    fn reopen(&mut self) -> Result<(), StorageError> {
        let opened = Opened::open(&self.shared.folder)?;
        for (topic, log) in &self.shared.topics {
            log.read_again(*topic, &opened)?;
        }
        self.newest = newest_of_all(&self.shared)?;
        self.sizes = sizes_of_bounded(&self.shared, self.rejected)?;
        // What was to be saved with the write that failed.
        for group in self.shared.groups().by_name.values_mut() {
            group.unsaved = group.positions.clone();
        }
        self.opened = Some(opened);
        for log in self.shared.topics.values() {
            log.wake_readers();
        }
        Ok(())
    }

    /// Gives each record its offset, and tells what is to be written, or removed since it was superseded.
    fn give_offsets(&mut self, records: &mut [(Topic, Pending)]) -> Result<Vec<Change>, StorageError> {
        let mut changes = Vec::with_capacity(records.len());
        let mut compacted = BTreeMap::new();
        let mut ends: BTreeMap<(Topic, u32), u64> = BTreeMap::new();
        for (topic, pending) in records {
            let (topic, number) = (*topic, pending.partition);
            let end = ends
                .entry((topic, number))
                .or_insert_with(|| self.end(topic, number));
            let offset = std::mem::replace(end, *end + 1);
            pending.received.offset = offset;
            let encoded = std::mem::take(&mut pending.encoded);
            let Some(newest) = self.newest.get_mut(&(topic, number)) else {
                changes.push(((topic, number, offset), Some(encoded)));
                continue;
            };
            let older = supersede(newest, &pending.received, &encoded)?;
            compacted.insert((topic, number, offset), Some(encoded));
            if let Some(older) = older {
                // What this batch itself brings must not be written and removed in one go.
                if compacted.remove(&(topic, number, older)).is_none() {
                    compacted.insert((topic, number, older), None);
                }
            }
        }
        changes.extend(compacted);
        Ok(changes)
    }

    fn end(&self, topic: Topic, number: u32) -> u64 {
        self.shared
            .partition(topic, number)
            .map_or(0, |partition| partition.end)
    }

    fn take_unsaved_positions(&self) -> Vec<(Vec<u8>, u64)> {
        let mut unsaved = Vec::new();
        for (name, group) in &mut self.shared.groups().by_name {
            for ((topic, partition), offset) in std::mem::take(&mut group.unsaved) {
                unsaved.push((position_key(name, topic, partition), offset));
            }
        }
        unsaved
    }

    fn publish(&self, records: Vec<(Topic, Pending)>) {
        let mut changed: Vec<Topic> = Vec::new();
        for (topic, pending) in records {
            if let Some(mut partition) = self.shared.partition(topic, pending.partition) {
                // A compacted topic loses records in its middle, so it is always read from disk.
                if topic.settings().compacted {
                    partition.end = pending.received.offset + 1;
                } else {
                    partition.push(pending.received);
                }
            }
            if changed.last() != Some(&topic) {
                changed.push(topic);
            }
        }
        changed.sort_unstable();
        changed.dedup();
        for log in changed.iter().filter_map(|topic| self.shared.topics.get(topic)) {
            log.wake_readers();
        }
    }

    /// A round that goes on already is not begun again, but whoever asked hears of its end.
    fn begin_retention(&mut self, now: Timestamp, done: Option<oneshot::Sender<()>>) {
        let partitions = |topic: Topic| (0..topic.embedded_partitions()).map(move |number| (topic, number));
        let retention = self.retention.get_or_insert_with(|| Retention {
            now,
            done: Vec::new(),
            remaining: Topic::ALL.iter().copied().flat_map(partitions).collect(),
        });
        retention.done.extend(done);
    }

    /// Removes one portion.
    fn go_on_with_retention(&mut self) {
        let Some(mut retention) = self.retention.take() else {
            return;
        };
        if let Some(place) = retention.remaining.pop() {
            match self.remove_old(place, retention.now) {
                Ok(removed) if removed >= REMOVED_AT_ONCE => retention.remaining.push(place),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(topic = %place.0, %error, "old records could not be removed");
                    self.close(&error);
                }
            }
            self.retention = Some(retention);
        } else {
            for done in retention.done {
                // Whoever asked may be gone.
                let _ = done.send(());
            }
        }
    }

    fn remove_old(&mut self, place: (Topic, u32), now: Timestamp) -> Result<usize, StorageError> {
        let (topic, number) = place;
        let Some(keyspace) = self.shared.topics.get(&topic).and_then(super::TopicLog::keyspace) else {
            return Ok(0);
        };
        let (kept, bound) = (kept(topic, self.rejected), bound(topic, self.rejected));
        let (old, bytes) = if let Some(newest) = self.newest.get_mut(&place) {
            (old_of_keys(kept, newest, now), 0)
        } else {
            let partition = self.shared.partition(topic, number);
            let extent = partition.map_or((0, 0), |partition| (partition.first, partition.end));
            let excess = bound.zip(self.sizes.get(&place));
            let excess = excess.map_or(0, |(bound, size)| size.saturating_sub(bound));
            old_records(&keyspace, number, extent, (kept, now), excess)?
        };
        self.remove(place, &keyspace, &old)?;
        if let Some(size) = self.sizes.get_mut(&place) {
            *size = size.saturating_sub(bytes);
        }
        Ok(old.len())
    }

    /// Offsets go on from the last record, so that one stays.
    fn forget(&mut self, place: (Topic, u32), before: u64) {
        let (topic, number) = place;
        let Some(keyspace) = self.shared.topics.get(&topic).and_then(super::TopicLog::keyspace) else {
            return;
        };
        let (first, end) = self
            .shared
            .partition(topic, number)
            .map_or((0, 0), |partition| (partition.first, partition.end));
        let forgotten: Vec<u64> = (first..before.min(end.saturating_sub(1))).collect();
        if let Err(error) = self.remove(place, &keyspace, &forgotten) {
            tracing::error!(%topic, %error, "records could not be removed");
            self.close(&error);
        }
    }

    fn remove(
        &self,
        (topic, number): (Topic, u32),
        keyspace: &Keyspace,
        old: &[u64],
    ) -> Result<(), StorageError> {
        if old.is_empty() {
            return Ok(());
        }
        // Nobody waits for it, so it goes to disk with the next append.
        let mut batch = self.opened()?.database.batch();
        for offset in old {
            batch.remove(keyspace, codec::place(number, *offset));
        }
        batch.commit()?;
        if let (Some(mut partition), Some(last)) = (self.shared.partition(topic, number), old.last())
            && !topic.settings().compacted
        {
            partition.begin_with(last + 1);
        }
        Ok(())
    }
}

/// The newest records of the compacted topics.
fn newest_of_all(shared: &Shared) -> Result<NewestRecords, StorageError> {
    let mut newest = NewestRecords::new();
    for (topic, log) in &shared.topics {
        if topic.settings().compacted {
            for number in 0..topic.embedded_partitions() {
                newest.insert((*topic, number), newest_of(log.keyspace().as_ref(), number)?);
            }
        }
    }
    Ok(newest)
}

/// The newest record of each key.
fn newest_of(keyspace: Option<&Keyspace>, number: u32) -> Result<BTreeMap<String, Newest>, StorageError> {
    let mut newest = BTreeMap::new();
    for record in keyspace
        .into_iter()
        .flat_map(|keyspace| keyspace.prefix(number.to_be_bytes()))
    {
        let (place, value) = record.into_inner()?;
        supersede(&mut newest, &codec::decode(&place, &value)?, &value)?;
    }
    Ok(newest)
}

/// Takes note of a record, and tells the offset of the one it replaces.
fn supersede(
    newest: &mut BTreeMap<String, Newest>,
    record: &Received,
    encoded: &[u8],
) -> Result<Option<u64>, StorageError> {
    let entry = Newest {
        offset: record.offset,
        appended_at: codec::appended_at(encoded)?,
        removal: record.value.is_none(),
    };
    Ok(newest.insert(record.key.clone(), entry).map(|older| older.offset))
}

/// Old removals of keys, and what is too old for its topic, in order; not the last record, as offsets go on from there.
fn old_of_keys(
    kept: Option<SignedDuration>,
    newest: &mut BTreeMap<String, Newest>,
    now: Timestamp,
) -> Vec<u64> {
    let last = newest.values().map(|entry| entry.offset).max();
    let is_old = |entry: &Newest| {
        let age = now.duration_since(entry.appended_at);
        let too_old = entry.removal && age > REMOVALS_KEPT || kept.is_some_and(|kept| age > kept);
        too_old && Some(entry.offset) != last
    };
    let mut old: Vec<u64> = newest
        .values()
        .filter(|entry| is_old(entry))
        .map(|entry| entry.offset)
        .take(REMOVED_AT_ONCE)
        .collect();
    old.sort_unstable();
    newest.retain(|_, entry| old.binary_search(&entry.offset).is_err());
    old
}

/// How long the topic's records are kept; for ever when none.
fn kept(topic: Topic, rejected: RejectedRetention) -> Option<SignedDuration> {
    let hours = i64::try_from(rejected.hours(topic)).unwrap_or(i64::MAX);
    (hours > 0).then(|| SignedDuration::from_hours(hours))
}

/// The most bytes of one partition of the topic, if there is a bound.
fn bound(topic: Topic, rejected: RejectedRetention) -> Option<u64> {
    rejected.bytes_of_partition(topic, topic.embedded_partitions())
}

/// What a record counts for against a bound of bytes.
fn size(encoded: &[u8]) -> u64 {
    u64::try_from(encoded.len()).unwrap_or(u64::MAX)
}

/// How many bytes each partition has whose bytes are bounded; reads these topics.
fn sizes_of_bounded(
    shared: &Shared,
    rejected: RejectedRetention,
) -> Result<BTreeMap<(Topic, u32), u64>, StorageError> {
    let mut sizes = BTreeMap::new();
    for (topic, log) in &shared.topics {
        if bound(*topic, rejected).is_none() {
            continue;
        }
        let keyspace = log.keyspace();
        for number in 0..topic.embedded_partitions() {
            let mut bytes = 0;
            let records = keyspace
                .iter()
                .flat_map(|keyspace| keyspace.prefix(number.to_be_bytes()));
            for record in records {
                bytes += size(&record.into_inner()?.1);
            }
            sizes.insert((*topic, number), bytes);
        }
    }
    Ok(sizes)
}

/// The oldest records, as far as they are too old or there are so many bytes too much, and how many bytes they have; not
/// the last one, as offsets go on from there.
fn old_records(
    keyspace: &Keyspace,
    number: u32,
    (first, end): (u64, u64),
    (kept, now): (Option<SignedDuration>, Timestamp),
    excess: u64,
) -> Result<(Vec<u64>, u64), StorageError> {
    let (mut old, mut bytes) = (Vec::new(), 0);
    if kept.is_none() && excess == 0 {
        return Ok((old, bytes));
    }
    let range = codec::place(number, first)..codec::place(number, end.saturating_sub(1).max(first));
    for record in keyspace.range(range).take(REMOVED_AT_ONCE) {
        let (place, value) = record.into_inner()?;
        let age = now.duration_since(codec::appended_at(&value)?);
        if bytes >= excess && kept.is_none_or(|kept| age <= kept) {
            break;
        }
        bytes += size(&value);
        old.push(codec::offset_of(&place)?);
    }
    Ok((old, bytes))
}
