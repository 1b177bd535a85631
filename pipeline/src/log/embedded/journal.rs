//! The journals of the store below, checked before it opens them.
//!
//! The store cuts a journal off where it cannot read on, so that one damaged byte would take all records behind it along.
//! Therefore a journal is looked through first: what follows after a damaged place is found, and only what a power cut leaves at
//! the end, a batch that was not written whole and so was answered to no caller, may be cut off.
//!
//! A batch is a head (tag 1, number of entries, sequence number), its entries (tag 2 with a key and a value, tag 4), and an end
//! (tag 3, XXH3 of the bytes of the entries, a mark); all numbers are little-endian:
//! <https://github.com/fjall-rs/fjall/blob/main/src/journal/entry.rs>.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

const HEAD: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const MARK: &[u8; 4] = b"FJL\x03";
/// Bytes of a head, and of an end.
const FRAME_BYTES: usize = 13;
/// Bytes of an entry that clears a keyspace.
const CLEAR_BYTES: usize = 9;
/// Bytes of an item before its key.
const ITEM_BYTES: usize = 21;
/// What a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;
/// Sequence numbers grow by one for each batch, and by some for what the store does for itself.
const SEQUENCE_STEP_MAX: u64 = 1 << 32;
/// Journals are allocated ahead, so their ends are zeros; so many bytes of them are looked at together.
const CHUNK_BYTES: u64 = 1 << 20;

/// What is in a journal.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The batches that are whole, in order.
    pub(super) batches: Vec<Batch>,
    /// The places between them that are not.
    pub(super) damaged: Vec<Range<usize>>,
    /// Where a batch begins at the end that was not written whole.
    pub(super) torn: Option<usize>,
}

/// A batch that is whole, or whose entries are.
#[derive(Debug)]
pub(super) struct Batch {
    sequence: u64,
    entries: Range<usize>,
    end: usize,
}

/// A change of one key.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) keyspace: u64,
    pub(super) key: &'a [u8],
    /// None removes the key.
    value: Option<Stored<'a>>,
    end: usize,
}

#[derive(Debug)]
struct Stored<'a> {
    bytes: &'a [u8],
    compressed: bool,
    size: usize,
}

impl Item<'_> {
    /// The value; none for a removal.
    pub(super) fn value(&self) -> Result<Option<Vec<u8>>, lz4_flex::block::DecompressError> {
        self.value
            .as_ref()
            .map(|stored| {
                if stored.compressed {
                    lz4_flex::decompress(stored.bytes, stored.size)
                } else {
                    Ok(stored.bytes.to_vec())
                }
            })
            .transpose()
    }
}

/// The bytes of a journal without the zeros at its end, but for some.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut length = file.metadata()?.len();
    let mut chunk = Vec::new();
    while length > 0 {
        let begin = length.saturating_sub(CHUNK_BYTES);
        chunk.resize(usize::try_from(length - begin).unwrap_or(0), 0);
        file.read_exact_at(&mut chunk, begin)?;
        if let Some(last) = chunk.iter().rposition(|byte| *byte != 0) {
            length = begin + u64::try_from(last).unwrap_or(0) + 1;
            break;
        }
        length = begin;
    }
    let length = usize::try_from(length).unwrap_or(0);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    // The last bytes of a damaged end may be zeros themselves.
    bytes.resize(length + FRAME_BYTES, 0);
    Ok(bytes)
}

/// Looks through a journal.
pub(super) fn scan(bytes: &[u8]) -> Journal {
    let mut journal = Journal::default();
    let (mut at, mut last) = (0, None);
    while bytes[at..].iter().any(|byte| *byte != 0) {
        if let Some(batch) = batch_at(bytes, at) {
            // The checksum does not cover the sequence number, and the order in the file is the order in which was written.
            if !comes_after(&batch, last) {
                journal.damaged.push(at..batch.end);
            }
            (at, last) = (batch.end, Some(batch.sequence));
            journal.batches.push(batch);
            continue;
        }
        let heads = (at + 1..bytes.len()).filter(|at| bytes[*at] == HEAD);
        let next = heads
            .filter_map(|head| Some((head, batch_at(bytes, head)?)))
            .find(|(_, batch)| comes_after(batch, last))
            .map(|(head, _)| head);
        let saved = without_its_frame(bytes, at);
        if next.is_none() && saved.is_none() && is_torn(bytes, at) {
            journal.torn = Some(at);
            break;
        }
        let end = next.unwrap_or(bytes.len());
        journal.damaged.push(at..end);
        journal.batches.extend(saved);
        at = end;
    }
    journal
}

/// Whether a batch can be the next one after that with this sequence number.
fn comes_after(batch: &Batch, last: Option<u64>) -> bool {
    last.is_none_or(|last| batch.sequence > last && batch.sequence - last < SEQUENCE_STEP_MAX)
}

/// Whether the rest is what a power cut has left of a last batch: its end is missing, or parts of it were never written.
fn is_torn(bytes: &[u8], at: usize) -> bool {
    let has_end = bytes[at..].windows(MARK.len()).any(|window| window == MARK);
    let mut sectors = bytes.chunks_exact(SECTOR_BYTES).skip(at.div_ceil(SECTOR_BYTES));
    !has_end || sectors.any(|sector| sector.iter().all(|byte| *byte == 0))
}

impl Journal {
    /// The changes that are good, in order.
    pub(super) fn items<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = Item<'a>> {
        self.batches
            .iter()
            .flat_map(|batch| items(bytes, batch.entries.clone()))
    }

    /// The changes that lay in damaged places, as far as they can be told. What they say may be wrong.
    pub(super) fn lost_items<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = Item<'a>> {
        self.damaged
            .iter()
            .flat_map(|place| items(bytes, place.start + FRAME_BYTES..place.end))
    }
}

/// The changes in this range, over the frames of batches between them, as far as it can be read.
fn items(bytes: &[u8], range: Range<usize>) -> impl Iterator<Item = Item<'_>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        while at < range.end {
            match bytes.get(at) {
                Some(&CLEAR) => at += CLEAR_BYTES,
                Some(&(HEAD | END)) => at += FRAME_BYTES,
                _ => {
                    let item = item_at(bytes, at)?;
                    at = item.end;
                    return Some(item);
                }
            }
        }
        None
    })
}

fn item_at(bytes: &[u8], at: usize) -> Option<Item<'_>> {
    let head = bytes.get(at..at.checked_add(ITEM_BYTES)?)?;
    let (kind, compression) = (head[1], head[2]);
    if head[0] != ITEM || kind > 2 || compression > 1 {
        return None;
    }
    let number = |range: Range<usize>| -> Option<usize> {
        let bytes = head.get(range)?;
        let number = bytes
            .iter()
            .rev()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number).ok()
    };
    let keyspace = u64::from_le_bytes(head[3..11].try_into().ok()?);
    let (key_length, size, stored_length) = (number(11..13)?, number(13..17)?, number(17..21)?);
    let key_at = at + ITEM_BYTES;
    let value_at = key_at.checked_add(key_length)?;
    let end = value_at.checked_add(stored_length)?;
    let stored = Stored {
        bytes: bytes.get(value_at..end)?,
        compressed: compression == 1,
        size,
    };
    Some(Item {
        keyspace,
        key: bytes.get(key_at..value_at)?,
        value: (kind == 0).then_some(stored),
        end,
    })
}

/// The batch that begins here, if it is whole.
fn batch_at(bytes: &[u8], at: usize) -> Option<Batch> {
    let head = bytes.get(at..at.checked_add(FRAME_BYTES)?)?;
    if head[0] != HEAD {
        return None;
    }
    let count = u32::from_le_bytes(head[1..5].try_into().ok()?);
    let sequence = u64::from_le_bytes(head[5..13].try_into().ok()?);
    let begin = at + FRAME_BYTES;
    let (end, found) = entries_from(bytes, begin);
    let frame = frame_at(bytes, end)?;
    let whole =
        count == found && frame.tag == END && frame.has_mark && frame.checksum == xxh3_64(&bytes[begin..end]);
    whole.then_some(Batch {
        sequence,
        entries: begin..end,
        end: end + FRAME_BYTES,
    })
}

/// The batch that begins here, if its entries are good though its head or its end is not: they are when their checksum is the
/// one that is stored, but for one byte.
fn without_its_frame(bytes: &[u8], at: usize) -> Option<Batch> {
    let begin = at + FRAME_BYTES;
    let (end, found) = entries_from(bytes, begin);
    let stored = frame_at(bytes, end)?.checksum.to_le_bytes();
    let real = xxh3_64(bytes.get(begin..end)?).to_le_bytes();
    let differing = stored.iter().zip(real).filter(|(stored, real)| **stored != *real);
    (found > 0 && differing.count() <= 1).then_some(Batch {
        sequence: 0,
        entries: begin..end,
        end: end + FRAME_BYTES,
    })
}

/// Where the entries end that begin here, and how many there are.
fn entries_from(bytes: &[u8], begin: usize) -> (usize, u32) {
    let (mut at, mut count) = (begin, 0);
    loop {
        at = match bytes.get(at) {
            Some(&CLEAR) => at + CLEAR_BYTES,
            _ => match item_at(bytes, at) {
                Some(item) => item.end,
                None => return (at, count),
            },
        };
        count += 1;
    }
}

struct Frame {
    tag: u8,
    checksum: u64,
    has_mark: bool,
}

fn frame_at(bytes: &[u8], at: usize) -> Option<Frame> {
    let frame = bytes.get(at..at.checked_add(FRAME_BYTES)?)?;
    Some(Frame {
        tag: frame[0],
        checksum: u64::from_le_bytes(frame[1..9].try_into().ok()?),
        has_mark: &frame[9..] == MARK,
    })
}
