//! Saves what is good of a damaged folder into a new one.
//!
//! The store does not open a damaged folder. So its parts are read one by one: the tables of each topic, on a copy, since opening
//! them changes files, and then the batches of the journals that are whole, in order, over them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lsm_tree::{AbstractTree, AnyTree, Guard, SequenceNumberCounter};
use schemas::Topic;

use super::damage::{self, Damage, TABLES};
use super::journal::{self, Item, Journal};
use super::writer::{self, Opened, POSITIONS};
use super::{StorageError, codec};

/// The store keeps the names of its parts here.
const NAMES: u64 = 0;
/// So many changes go to the new folder together.
const CHANGES_AT_ONCE: usize = 2_000;
/// How often the store is looked at until it has closed the new folder; each time takes a third of a second.
const CLOSING_TRIES: u32 = 90;
/// After a damaged block so many offsets are tried one by one, then ever larger steps.
const STEPS_OF_ONE: u64 = 4_096;
/// Lost records are told up to so many behind the last one that was saved: the offset of a damaged one may be anything.
const LOST_BEHIND_MAX: u64 = 100_000;

/// What became of a rescue.
#[derive(Debug)]
pub struct Rescue {
    /// What was damaged; nothing was changed when that is nothing.
    pub damages: Vec<Damage>,
    /// How many records were saved.
    pub records: u64,
    /// Which ones were not.
    pub lost: Vec<Lost>,
    /// Where the damaged folder is now.
    pub kept_as: Option<PathBuf>,
}

/// Records of a partition that could not be saved: from the first offset to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct Lost {
    pub topic: Topic,
    pub partition: u32,
    pub first: u64,
    pub last: u64,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            partition,
            first,
            last,
        } = self;
        write!(f, "{topic}, partition {partition}, offsets {first} to {last}")
    }
}

/// Nothing was rescued, and nothing was changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RescueError {
    #[error("{} is no folder of a log: name the data folder of `up`, or the spool of a collector", .0.display())]
    NoLog(PathBuf),
    #[error("{} is in use: stop the process first", .0.display())]
    InUse(PathBuf),
    #[error("{} cannot be read: {error}", .path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("the new folder {} cannot be written: {error}; it needs as much room as the damaged one, twice", .path.display())]
    Write { path: PathBuf, error: String },
}

/// Saves what is good in this folder of a log. A new folder takes its place, and the damaged one is kept beside it.
///
/// # Errors
///
/// When the folder is in use, cannot be read, or there is no room for the new one.
pub fn rescue(folder: &Path, now: Timestamp) -> Result<Rescue, RescueError> {
    if !is_log(folder) {
        return Err(RescueError::NoLog(folder.to_owned()));
    }
    let unreadable = |error| RescueError::Read {
        path: folder.to_owned(),
        error,
    };
    let mut copies = damage::entries(folder).map_err(unreadable)?;
    copies.retain(|path| is_copy(path));
    let mut locks = Vec::new();
    for used in copies.iter().map(PathBuf::as_path).chain([folder]) {
        let lock = damage::lock(used).map_err(unreadable)?;
        locks.push(lock.ok_or_else(|| RescueError::InUse(used.to_owned()))?);
    }
    let (trees, fresh) = (beside(folder, "tables"), beside(folder, "rescued"));
    let unwritable = |error: io::Error| RescueError::Write {
        path: fresh.clone(),
        error: error.to_string(),
    };
    for left in [&trees, &fresh] {
        remove(left).map_err(unwritable)?;
    }
    let done = Source::read(folder, &trees)
        .map_err(unreadable)
        .and_then(|mut source| {
            let saved = source.save_to(&fresh);
            let saved = saved.map_err(|error| unwritable(io::Error::other(error.to_string())))?;
            closed(&fresh).map_err(unwritable)?;
            Ok((source.damages, saved))
        });
    let tidied = remove(&trees);
    let (damages, saved) = done.inspect_err(|_| drop(remove(&fresh)))?;
    tidied.map_err(unwritable)?;
    if damages.is_empty() {
        remove(&fresh).map_err(unwritable)?;
        return Ok(Rescue {
            damages,
            records: saved.records,
            lost: Vec::new(),
            kept_as: None,
        });
    }
    let kept = beside(folder, &format!("damaged-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    replace(folder, &fresh, &kept).map_err(unwritable)?;
    Ok(Rescue {
        damages,
        records: saved.records,
        lost: saved.lost,
        kept_as: Some(kept),
    })
}

/// Whether there is a log in this folder.
pub fn is_log(folder: &Path) -> bool {
    folder.join(TABLES).is_dir() || damage::journals(folder).is_ok_and(|journals| !journals.is_empty())
}

/// The folder of another copy of a collector, which lies in the first one's.
fn is_copy(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("copy-")) && path.is_dir()
}

fn beside(folder: &Path, what: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    folder.with_file_name(name)
}

/// Waits until the store has closed the folder, which its threads do in the background.
fn closed(folder: &Path) -> io::Result<()> {
    for _ in 0..CLOSING_TRIES {
        if damage::lock(folder)?.is_some() {
            return Ok(());
        }
    }
    Err(io::Error::other("it is not closed"))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts the new folder in the place of the damaged one, with what is not of the log: the site that a collector remembers, the
/// folders of other copies.
fn replace(folder: &Path, fresh: &Path, kept: &Path) -> io::Result<()> {
    fs::rename(folder, kept)?;
    fs::rename(fresh, folder)?;
    for path in damage::entries(kept)? {
        let Some(name) = path.file_name() else { continue };
        let place = folder.join(name);
        if is_copy(&path) {
            fs::rename(&path, place)?;
        } else if path.is_file() && !place.exists() && path.extension().is_none_or(|end| end != "jnl") {
            fs::copy(&path, place)?;
        }
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// What can be read of a damaged folder.
struct Source {
    damages: Vec<Damage>,
    /// By the number that the store has given each part.
    trees: BTreeMap<u64, AnyTree>,
    names: BTreeMap<u64, String>,
    journals: Vec<(Vec<u8>, Journal)>,
}

/// What was saved of it.
struct Saved {
    records: u64,
    lost: Vec<Lost>,
}

impl Source {
    fn read(folder: &Path, copy: &Path) -> io::Result<Self> {
        let mut damages = damage::in_tables(folder)?;
        let mut journals = Vec::new();
        for file in damage::journals(folder)? {
            let bytes = journal::read(&file)?;
            let journal = journal::scan(&bytes);
            let places = journal.damaged.iter();
            damages.extend(places.map(|place| damage::in_journal(file.clone(), place.start)));
            journals.push((bytes, journal));
        }
        damages.extend(damage::in_version(folder, !journals.is_empty())?);
        copy_folder(&folder.join(TABLES), copy)?;
        let mut trees = BTreeMap::new();
        for path in damage::entries(copy)? {
            let number = path
                .file_name()
                .and_then(|name| name.to_str()?.parse::<u64>().ok());
            let Some(number) = number else { continue };
            match open_tree(&path) {
                Ok(tree) => drop(trees.insert(number, tree)),
                Err(error) => damages.push(Damage {
                    file: folder.join(TABLES).join(number.to_string()),
                    offset: None,
                    what: format!("the tables cannot be opened: {error}"),
                }),
            }
        }
        let mut names = writer::noted_names(folder);
        if let Some(tree) = trees.remove(&NAMES) {
            names.extend(names_in(&tree));
        }
        Ok(Self {
            damages,
            trees,
            names,
            journals,
        })
    }

    fn save_to(&mut self, fresh: &Path) -> Result<Saved, StorageError> {
        let opened = Opened::open(fresh)?;
        let mut ends = BTreeMap::new();
        let (mut records, mut lost) = (0, Vec::new());
        let (trees, journals) = (&self.trees, &self.journals);
        for (number, name) in &self.names {
            let topic = Topic::from_name(name);
            if topic.is_none() && name != POSITIONS {
                continue;
            }
            let mut target = Target {
                opened: &opened,
                topic,
                name,
                changes: Vec::new(),
            };
            if let Some(tree) = trees.get(number) {
                all_of(tree, |key, value| target.change(key, Some(value.to_vec())))?;
            }
            let items = journals.iter().flat_map(|(bytes, journal)| journal.items(bytes));
            for item in items.filter(|item| item.keyspace == *number) {
                // The checksum is good, so is what can be read; a removal has no value.
                if let Ok(value) = item.value() {
                    target.change(item.key, value)?;
                }
            }
            target.write()?;
            if let Some(topic) = topic {
                let behind = journals
                    .iter()
                    .flat_map(|(bytes, journal)| journal.lost_items(bytes));
                let behind: Vec<_> = behind.filter(|item| item.keyspace == *number).collect();
                let counted = count(&opened, topic, &behind, &mut ends)?;
                records += counted.records;
                lost.extend(counted.lost);
            }
        }
        opened.cut_positions(&ends)?;
        opened.sync()?;
        lost.sort_unstable();
        Ok(Saved { records, lost })
    }
}

/// A part of the new folder.
struct Target<'a> {
    opened: &'a Opened,
    topic: Option<Topic>,
    name: &'a str,
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Target<'_> {
    fn change(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), StorageError> {
        let readable = |value: &Vec<u8>| codec::decode(key, value).is_ok();
        if self.topic.is_some() && !value.as_ref().is_none_or(readable) {
            return Ok(());
        }
        self.changes.push((key.to_vec(), value));
        if self.changes.len() >= CHANGES_AT_ONCE {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), StorageError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        self.opened.change(self.name, std::mem::take(&mut self.changes))
    }
}

/// Counts the records of a topic and tells which are missing between them, and behind them by what damaged places say.
fn count(
    opened: &Opened,
    topic: Topic,
    behind: &[Item<'_>],
    ends: &mut BTreeMap<(Topic, u32), u64>,
) -> Result<Saved, StorageError> {
    let mut saved = Saved {
        records: 0,
        lost: Vec::new(),
    };
    let keyspace = opened.keyspace_if_there(topic)?;
    for partition in 0..topic.embedded_partitions() {
        let mut end = None;
        let mut lose = |first: u64, next: u64| {
            if first < next && !topic.settings().compacted {
                saved.lost.push(Lost {
                    topic,
                    partition,
                    first,
                    last: next - 1,
                });
            }
        };
        for record in keyspace
            .iter()
            .flat_map(|keyspace| keyspace.prefix(partition.to_be_bytes()))
        {
            let offset = codec::offset_of(&record.key()?)?;
            lose(end.unwrap_or(offset), offset);
            end = Some(offset + 1);
            saved.records += 1;
        }
        let end = end.unwrap_or(0);
        let offsets = behind
            .iter()
            .filter(|item| item.key.len() == 12 && item.key.starts_with(&partition.to_be_bytes()));
        let offsets = offsets.filter_map(|item| codec::offset_of(item.key).ok());
        let near = offsets.filter(|offset| (end..end.saturating_add(LOST_BEHIND_MAX)).contains(offset));
        if let Some(last) = near.max() {
            lose(end, last + 1);
        }
        ends.insert((topic, partition), end);
    }
    Ok(saved)
}

/// The library may stop with a panic at what it does not expect in a file.
fn open_tree(path: &Path) -> Result<AnyTree, String> {
    let counter = SequenceNumberCounter::default;
    let config = lsm_tree::Config::new(path, counter(), counter());
    if !path.join("current").exists() {
        return Err("the file `current` is missing".to_owned());
    }
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(tree)) => Ok(tree),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("they hold what cannot be".to_owned()),
    }
}

fn names_in(tree: &AnyTree) -> BTreeMap<u64, String> {
    let mut names = BTreeMap::new();
    let named = all_of(tree, |key, value| {
        let number = key.strip_prefix(b"n").and_then(|number| number.try_into().ok());
        if let (Some(number), Ok(name)) = (number, std::str::from_utf8(value)) {
            names.insert(u64::from_be_bytes(number), name.to_owned());
        }
        Ok::<_, std::convert::Infallible>(())
    });
    match named {
        Ok(()) => names,
    }
}

/// Everything in a tree that can be read, in order of its keys.
fn all_of<E>(tree: &AnyTree, mut take: impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
    let mut from = Vec::new();
    loop {
        let mut last = None;
        let mut failed = false;
        for entry in tree.range(from.clone().., lsm_tree::SeqNo::MAX, None) {
            match entry.into_inner() {
                Ok((key, value)) => {
                    take(&key, &value)?;
                    last = Some(key.to_vec());
                }
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        let next = last.as_deref().map(after).unwrap_or(from);
        match failed.then(|| next_readable(tree, &next)).flatten() {
            Some(readable) => from = readable,
            None => return Ok(()),
        }
    }
}

/// The next key of a record behind this one, which is a place (see `codec`).
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// Where reading goes on behind a damaged block: the first place from this one on at which it succeeds.
fn next_readable(tree: &AnyTree, from: &[u8]) -> Option<Vec<u8>> {
    let begin = from.iter().copied().chain(std::iter::repeat(0)).take(12);
    let place = begin.fold(0_u128, |number, byte| number << 8 | u128::from(byte));
    let at = |place: u128| place.to_be_bytes()[4..].to_vec();
    let is_readable = |place: u128| {
        let mut entries = tree.range(at(place).., lsm_tree::SeqNo::MAX, None);
        entries.next().is_none_or(|entry| entry.key().is_ok())
    };
    let (mut failed, mut step) = (place, 1);
    loop {
        let next = failed + step;
        if next >> 96 != 0 {
            return None;
        }
        if is_readable(next) {
            break;
        }
        failed = next;
        if failed - place >= u128::from(STEPS_OF_ONE) {
            step *= 2;
        }
    }
    // Between the last place that failed and the first one that did not.
    let mut good = failed + step;
    while good - failed > 1 {
        let middle = failed + (good - failed) / 2;
        if is_readable(middle) {
            good = middle;
        } else {
            failed = middle;
        }
    }
    Some(at(good))
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for path in damage::entries(from)? {
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
