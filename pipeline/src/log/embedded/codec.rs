//! How a record lies on disk.
//!
//! Key: partition (4 bytes) and offset (8 bytes), big-endian, so that a scan goes in the order of the partition.
//! Value: a version byte, the time of the append, the key, the headers, the message; lengths are big-endian.

use bytes::Bytes;
use jiff::Timestamp;

use crate::log::{Received, Record};

const VERSION: u8 = 1;

/// What lies on disk is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record in the data folder cannot be read; was it written by a newer reveille?")]
pub(super) struct Unreadable;

pub(super) fn place(partition: u32, offset: u64) -> [u8; 12] {
    let mut place = [0; 12];
    place[..4].copy_from_slice(&partition.to_be_bytes());
    place[4..].copy_from_slice(&offset.to_be_bytes());
    place
}

pub(super) fn offset_of(place: &[u8]) -> Result<u64, Unreadable> {
    let offset: [u8; 8] = place
        .get(4..)
        .ok_or(Unreadable)?
        .try_into()
        .map_err(|_| Unreadable)?;
    Ok(u64::from_be_bytes(offset))
}

pub(super) fn encode(record: &Record, at: Timestamp) -> Vec<u8> {
    let headers: usize = record
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 8)
        .sum();
    let value = record.value.as_deref();
    let size = 18 + record.key.len() + headers + value.map_or(0, <[u8]>::len);
    let mut bytes = Vec::with_capacity(size);
    bytes.push(VERSION);
    bytes.extend(at.as_microsecond().to_be_bytes());
    text(&mut bytes, &record.key);
    bytes.extend(length(record.headers.len()));
    for (name, value) in &record.headers {
        text(&mut bytes, name);
        text(&mut bytes, value);
    }
    bytes.push(u8::from(value.is_some()));
    bytes.extend_from_slice(value.unwrap_or_default());
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(length(text.len()));
    bytes.extend_from_slice(text.as_bytes());
}

/// Records are checked to be far smaller than 4 GiB before they come here.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// The record, and when it was appended.
pub(super) fn decode(place: &[u8], value: &[u8]) -> Result<Received, Unreadable> {
    let (_, mut rest) = decode_time(value)?;
    let key = rest.text()?;
    let headers = (0..rest.length()?)
        .map(|_| Ok((rest.text()?, rest.text()?)))
        .collect::<Result<_, _>>()?;
    let value = match rest.take(1)? {
        [0] => None,
        _ => Some(Bytes::copy_from_slice(rest.0)),
    };
    Ok(Received {
        offset: offset_of(place)?,
        key,
        value,
        headers,
    })
}

/// When a record was appended.
pub(super) fn appended_at(value: &[u8]) -> Result<Timestamp, Unreadable> {
    decode_time(value).map(|(at, _)| at)
}

fn decode_time(value: &[u8]) -> Result<(Timestamp, Rest<'_>), Unreadable> {
    let mut rest = Rest(value);
    if rest.take(1)? != [VERSION] {
        return Err(Unreadable);
    }
    let at = i64::from_be_bytes(rest.take(8)?.try_into().map_err(|_| Unreadable)?);
    Ok((Timestamp::from_microsecond(at).map_err(|_| Unreadable)?, rest))
}

/// What was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(taken)
    }

    fn length(&mut self) -> Result<usize, Unreadable> {
        let length = self.take(4)?.try_into().map_err(|_| Unreadable)?;
        usize::try_from(u32::from_be_bytes(length)).map_err(|_| Unreadable)
    }

    fn text(&mut self) -> Result<String, Unreadable> {
        let length = self.length()?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were() {
        let at: Timestamp = "2026-09-01T10:00:00.123456Z".parse().unwrap();
        for value in [None, Some(Bytes::new()), Some(Bytes::from_static(b"{\"a\":1}"))] {
            let headers = vec![("a".to_owned(), String::new()), ("b".to_owned(), "ä".to_owned())];
            let record = Record {
                key: "schlüssel".to_owned(),
                value: value.clone(),
                headers: headers.clone(),
            };
            let encoded = encode(&record, at);
            let received = Received {
                offset: 7,
                key: record.key,
                value,
                headers,
            };
            assert_eq!(decode(&place(3, 7), &encoded), Ok(received));
            assert_eq!(appended_at(&encoded), Ok(at));
        }
    }

    #[test]
    fn a_cut_record_is_refused_at_every_length() {
        let record = Record {
            key: "k".to_owned(),
            value: None,
            headers: vec![("name".to_owned(), "value".to_owned())],
        };
        let encoded = encode(&record, Timestamp::UNIX_EPOCH);
        for length in 0..encoded.len() {
            assert_eq!(
                decode(&place(0, 0), &encoded[..length]),
                Err(Unreadable),
                "{length}"
            );
        }
    }

    #[test]
    fn places_sort_as_offsets_do() {
        assert!(place(0, 255) < place(0, 256));
        assert!(place(0, u64::MAX) < place(1, 0));
        assert_eq!(offset_of(&place(9, 300)), Ok(300));
    }
}
