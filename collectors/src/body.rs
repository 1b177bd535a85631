//! Reading a body, with bounds on its size, its pace and the memory of all bodies together.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures_util::StreamExt;
use schemas::config::Limits;

use crate::budget::{Budget, Owner, SMALLEST_SHARE_BYTES, Share};
use crate::pace::Pace;
use crate::refusal::Refusal;

/// The largest body that is taken, as it comes and unpacked.
pub(crate) const LARGEST: usize = Limits::LARGEST_BODY as usize;
/// How much of a body that is refused is still read, so that its sender gets to reading our answer.
pub(crate) const DRAINED: usize = 64 * 1024 * 1024;
/// How many bytes of a packed body are unpacked to find the key in it; senders whose keys are there send 512 KiB at the most.
const UNPACKED_WITHOUT_KEY: usize = 1024 * 1024;
/// How long that may take, and how long an answer may.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How much is unpacked at once.
const PIECE: usize = 64 * 1024;

/// A body in memory, and its share of the budget.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    /// How large it may be, as it comes and unpacked.
    limit: usize,
    share: Share,
}

/// What was read of a body. When that ended early, what was there until then is held too.
pub(crate) type Arrival = Result<Held, (Refusal, Option<Held>)>;

/// Reads a body that may have so many bytes, as it comes and unpacked.
pub(crate) async fn read(
    body: Body,
    headers: &HeaderMap,
    budget: &Budget,
    owner: Owner,
    limit: usize,
) -> Arrival {
    let declared = declared_length(headers);
    let mut stream = body.into_data_stream();
    let mut held = Held {
        bytes: Vec::new(),
        limit,
        share: budget.share(owner),
    };
    if declared.is_some_and(|length| length > limit) && waits_for_go_ahead(headers) {
        return Err((Refusal::TooLarge { limit, packed: false }, Some(held)));
    }
    let evicted = held.share.evicted();
    let expected = declared.unwrap_or(limit).min(limit);
    let filled = tokio::select! {
        filled = held.fill(&mut stream, expected) => filled,
        () = evicted => Err(Refusal::Overloaded),
    };
    match filled {
        Ok(()) => {
            held.share.complete();
            Ok(held)
        }
        Err(refusal @ Refusal::Slow) => Err((refusal, Some(held))),
        Err(refusal @ Refusal::Overloaded) => {
            // Its memory is for others now.
            drop(held);
            drain(stream).await;
            Err((refusal, None))
        }
        Err(refusal) => {
            held.share.complete();
            drain(stream).await;
            Err((refusal, Some(held)))
        }
    }
}

/// Reads what a sender still sends and throws it away: a connection that is closed before would be reset, and the
/// answer with it.
pub(crate) async fn drain(mut stream: BodyDataStream) {
    let draining = async {
        let (mut drained, mut pace) = (0, Pace::default());
        while let Ok(Some(Ok(chunk))) = pace.next(stream.next()).await {
            drained += chunk.len();
            if drained > DRAINED {
                break;
            }
        }
    };
    // However far it got, the answer is sent now.
    let _ = tokio::time::timeout(PATIENCE, draining).await;
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The sender has not sent the body yet, and will not if it is told why.
fn waits_for_go_ahead(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl Held {
    /// It is this key's sender's, and may only have so many bytes after all.
    pub(crate) async fn give_to_key(mut self, hash: &str, limit: usize) -> Arrival {
        if let Err(refusal) = self.share.give_to_key(hash).await {
            return Err((refusal, None));
        }
        self.limit = limit;
        match self.bytes.len() > limit {
            true => Err((Refusal::TooLarge { limit, packed: false }, Some(self))),
            false => Ok(self),
        }
    }

    async fn fill(&mut self, stream: &mut BodyDataStream, expected: usize) -> Result<(), Refusal> {
        let mut pace = Pace::default();
        while let Some(chunk) = pace.next(stream.next()).await? {
            let chunk = chunk.map_err(|error| Refusal::Broken(error.to_string()))?;
            pace.arrived(chunk.len());
            let size = self.bytes.len() + chunk.len();
            if size > self.limit {
                return Err(Refusal::TooLarge {
                    limit: self.limit,
                    packed: false,
                });
            }
            if size > self.bytes.capacity() {
                let capacity = enlarged(self.bytes.capacity(), size, expected);
                self.share.grow(capacity).await?;
                self.bytes.reserve_exact(capacity - self.bytes.len());
            }
            self.share.arrived(chunk.len());
            self.bytes.extend_from_slice(&chunk);
        }
        Ok(())
    }

    /// The same to look for the key in it. As anybody can send it, little is unpacked.
    pub(crate) fn unpacked_for_key(&mut self, headers: &HeaderMap) -> Result<Option<Vec<u8>>, Refusal> {
        let limit = std::mem::replace(&mut self.limit, UNPACKED_WITHOUT_KEY);
        let unpacked = self.unpacked(headers);
        self.limit = limit;
        unpacked
    }

    /// The body as its sender meant it: unpacked, if it is packed.
    pub(crate) fn unpacked(&mut self, headers: &HeaderMap) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(encoding) = headers.get(header::CONTENT_ENCODING) else {
            return Ok(None);
        };
        match encoding.as_bytes().to_ascii_lowercase().as_slice() {
            b"identity" | b"" => Ok(None),
            b"gzip" | b"x-gzip" => self.gunzip().map(Some),
            b"deflate" => self.inflate().map(Some),
            other => Err(Refusal::Encoding(String::from_utf8_lossy(other).into_owned())),
        }
    }

    fn gunzip(&mut self) -> Result<Vec<u8>, Refusal> {
        let packed = self.bytes.as_slice();
        let room = |bytes: usize| self.share.grow_now(self.bytes.capacity() + bytes);
        unpack(MultiGzDecoder::new(packed), self.limit, Refusal::Gzip, room)
    }

    /// `deflate` is the zlib format (<https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2>), but some senders leave its frame
    /// out.
    fn inflate(&mut self) -> Result<Vec<u8>, Refusal> {
        let packed = self.bytes.as_slice();
        let mut room = |bytes: usize| self.share.grow_now(self.bytes.capacity() + bytes);
        let framed = match has_zlib_header(packed) {
            true => Some(unpack(
                ZlibDecoder::new(packed),
                self.limit,
                Refusal::Deflate,
                &mut room,
            )),
            false => None,
        };
        let not_framed = match framed {
            Some(Err(Refusal::Deflate(error))) => Some(error),
            Some(unpacked) => return unpacked,
            None => None,
        };
        let bare = unpack(DeflateDecoder::new(packed), self.limit, Refusal::Deflate, room);
        match (bare, not_framed) {
            (Err(Refusal::Deflate(_)), Some(error)) => Err(Refusal::Deflate(error)),
            (bare, _) => bare,
        }
    }
}

/// Unpacks piece by piece, so far as it may and as there is `room` for so many bytes.
fn unpack(
    mut unpacking: impl Read,
    limit: usize,
    wrong: impl FnOnce(io::Error) -> Refusal,
    mut room: impl FnMut(usize) -> Result<(), Refusal>,
) -> Result<Vec<u8>, Refusal> {
    let (mut unpacked, mut piece) = (Vec::new(), vec![0; PIECE]);
    loop {
        let read = match unpacking.read(&mut piece) {
            Ok(0) => return Ok(unpacked),
            Ok(read) => read,
            Err(error) => return Err(wrong(error)),
        };
        let size = unpacked.len() + read;
        if size > limit {
            return Err(Refusal::TooLarge { limit, packed: true });
        }
        if size > unpacked.capacity() {
            let capacity = enlarged(unpacked.capacity(), size, limit);
            room(capacity)?;
            unpacked.reserve_exact(capacity - unpacked.len());
        }
        unpacked.extend_from_slice(&piece[..read]);
    }
}

/// <https://www.rfc-editor.org/rfc/rfc1950#section-2.2>: method 8, and a checksum over both bytes.
fn has_zlib_header(packed: &[u8]) -> bool {
    let [method, flags, ..] = packed else { return false };
    method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0
}

/// The capacity for what has come, and for as much again as it may become.
fn enlarged(capacity: usize, size: usize, expected: usize) -> usize {
    (capacity * 2).max(SMALLEST_SHARE_BYTES).min(expected).max(size)
}
