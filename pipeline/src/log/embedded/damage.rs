//! What is damaged in the folder of a log, by file and place.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use super::journal;

/// Who has this file locked has the folder open.
const LOCK: &str = "lock";
/// The file that says which format the folder has.
const VERSION: &str = "version";
/// What it says.
const VERSION_TEXT: &[u8] = b"FJL\x03";
/// The folder of the tables, one folder in it for each topic.
pub(super) const TABLES: &str = "keyspaces";
/// A process that ends lets go of the lock a moment later.
const LOCK_TRIES: u32 = 3;
const LOCK_RETRY: Duration = Duration::from_millis(100);
/// Each block of a table begins so; a head of 33 bytes, then the data
/// (<https://github.com/fjall-rs/lsm-tree/blob/main/src/table/block/header.rs>).
const BLOCK_MARK: &[u8; 4] = b"LSM\x03";
const BLOCK_HEAD_BYTES: usize = 33;

/// A place in a file that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it, in bytes from its beginning; none when all of it is concerned.
    pub offset: Option<u64>,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, what } = self;
        match offset {
            Some(offset) => write!(f, "{}, byte {offset}: {what}", file.display()),
            None => write!(f, "{}: {what}", file.display()),
        }
    }
}

/// Takes the folder for this process; answers none when another one has it. A folder that is not there, or was never a
/// log, is nobody's.
pub(super) fn lock(folder: &Path) -> io::Result<Option<Lock>> {
    let path = folder.join(LOCK);
    if !path.exists() {
        return Ok(Some(Lock(None)));
    }
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Some(Lock(Some(file)))),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_RETRY),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// While it lives no other process opens the folder.
#[derive(Debug)]
pub(super) struct Lock(#[allow(dead_code, reason = "dropping it gives the lock back")] Option<File>);

/// The journals of a folder, oldest first.
pub(super) fn journals(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in entries(folder)? {
        let number = entry
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        journals.extend(number.map(|number| (number, entry)));
    }
    journals.sort_unstable();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

/// What is in a folder; nothing when it is not there.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Looks through what the store would read when it is opened, and would partly throw away. Cuts off what a power cut has left
/// at the end of a journal. The folder must be locked.
pub(super) fn before_opening(folder: &Path) -> io::Result<Option<Damage>> {
    let journals = journals(folder)?;
    if let Some(damage) = in_version(folder, !journals.is_empty())? {
        return Ok(Some(damage));
    }
    if let Some(damage) = without_tables(folder)? {
        return Ok(Some(damage));
    }
    for file in journals {
        let journal = journal::scan(&journal::read(&file)?);
        if let Some(place) = journal.damaged.first() {
            return Ok(Some(in_journal(file, place.start)));
        }
        if let Some(end) = journal.torn {
            cut(&file, u64::try_from(end).unwrap_or(u64::MAX))?;
        }
    }
    Ok(None)
}

/// Damage in a journal.
pub(super) fn in_journal(file: PathBuf, at: usize) -> Damage {
    Damage {
        file,
        offset: u64::try_from(at).ok(),
        what: "the journal is damaged in the batch that begins here".to_owned(),
    }
}

/// Without this file the store would begin anew in the midst of what is there.
pub(super) fn in_version(folder: &Path, has_journals: bool) -> io::Result<Option<Damage>> {
    let file = folder.join(VERSION);
    let what = match fs::read(&file) {
        Ok(text) if text == VERSION_TEXT => return Ok(None),
        Ok(_) => "it does not say which format the folder has",
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) if has_journals || folder.join(TABLES).exists() => "it is missing",
        Err(_) => return Ok(None),
    };
    Ok(Some(Damage {
        file,
        offset: None,
        what: what.to_owned(),
    }))
}

/// The store takes a part whose file of versions is missing for one that was never used, and removes it.
fn without_tables(folder: &Path) -> io::Result<Option<Damage>> {
    let parts = entries(&folder.join(TABLES))?;
    let is_used = |part: &Path| entries(&part.join("tables")).is_ok_and(|tables| !tables.is_empty());
    let names = folder.join(TABLES).join("0");
    let missing = parts
        .iter()
        .chain([&names].into_iter().filter(|_| !parts.is_empty()))
        .map(|part| (part.join("current"), *part == names || is_used(part)))
        .find(|(file, is_used)| *is_used && !file.exists());
    Ok(missing.map(|(file, _)| Damage {
        file,
        offset: None,
        what: "it is missing".to_owned(),
    }))
}

fn cut(file: &Path, end: u64) -> io::Result<()> {
    tracing::warn!(file = %file.display(), end, "the journal ends with a batch that was not written whole; it was answered to no caller, and is cut off");
    let file = OpenOptions::new().write(true).open(file)?;
    file.set_len(end)?;
    file.sync_all()
}

/// The first damaged block of each table.
pub(super) fn in_tables(folder: &Path) -> io::Result<Vec<Damage>> {
    let mut damages = Vec::new();
    for topic in entries(&folder.join(TABLES))? {
        for file in entries(&topic.join("tables"))? {
            if let Some(offset) = first_damaged_block(&fs::read(&file)?) {
                damages.push(Damage {
                    file,
                    offset: u64::try_from(offset).ok(),
                    what: "the block that begins here is damaged".to_owned(),
                });
            }
        }
    }
    Ok(damages)
}

/// Where the first block begins that is not as it was written. What follows after the blocks is not looked at.
fn first_damaged_block(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let next = rest
            .windows(BLOCK_MARK.len())
            .position(|window| window == BLOCK_MARK)?;
        // Between blocks stand a few bytes without a checksum. Where there are as many as a head has, its mark is damaged.
        if next >= BLOCK_HEAD_BYTES {
            return Some(at);
        }
        at += next;
        match block_end(&rest[next..]) {
            Some(end) => at += end,
            None => return Some(at),
        }
    }
}

/// Where a good block ends.
fn block_end(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..BLOCK_HEAD_BYTES)?;
    let (told, own) = head.split_at(BLOCK_HEAD_BYTES - 4);
    if xxh3_128(told).to_le_bytes()[..4] != *own {
        return None;
    }
    let checksum = u128::from_le_bytes(told[5..21].try_into().ok()?);
    let length = u32::from_le_bytes(told[21..25].try_into().ok()?);
    let end = BLOCK_HEAD_BYTES.checked_add(usize::try_from(length).ok()?)?;
    (xxh3_128(bytes.get(BLOCK_HEAD_BYTES..end)?) == checksum).then_some(end)
}
