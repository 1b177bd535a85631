//! Reads a body, with bounds on its size, its transfer rate and the memory of all bodies together.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures_util::StreamExt;
use schemas::config::Limits;

use crate::intake::budget::{Budget, Owner, SMALLEST_SHARE_BYTES, Share};
use crate::intake::error::IngestError;
use crate::intake::transfer_rate::TransferRate;

/// The largest body that is accepted, packed and unpacked.
pub(crate) const MAX_BODY_BYTES: usize = Limits::LARGEST_BODY as usize;
/// How much of a refused body is still read, so that its sender gets to reading the answer.
pub(crate) const MAX_DRAINED_BYTES: usize = 64 * 1024 * 1024;
/// How many bytes of a packed body are unpacked to find the key in it. The APIs whose keys are in the body allow 512 KiB.
const MAX_UNPACKED_BYTES_WITHOUT_KEY: usize = 1024 * 1024;
/// How long reading the rest of a refused body may take, and sending an answer.
pub(crate) const IO_TIMEOUT: Duration = Duration::from_secs(30);
/// How much is unpacked at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A body in memory, with its share of the budget.
pub(crate) struct BufferedBody {
    pub(crate) bytes: Vec<u8>,
    /// The most bytes, packed and unpacked.
    limit: usize,
    share: Share,
}

/// A body, or why it could not be read, with the part that was.
pub(crate) type ReadResult = Result<BufferedBody, (IngestError, Option<BufferedBody>)>;

/// Reads a body of at most `limit` bytes, packed and unpacked.
pub(crate) async fn read(
    body: Body,
    headers: &HeaderMap,
    budget: &Budget,
    owner: Owner,
    limit: usize,
) -> ReadResult {
    let declared = declared_length(headers);
    let mut stream = body.into_data_stream();
    let mut buffered = BufferedBody {
        bytes: Vec::new(),
        limit,
        share: budget.share(owner),
    };
    if declared.is_some_and(|length| length > limit) && waits_for_go_ahead(headers) {
        return Err((IngestError::TooLarge { limit, packed: false }, Some(buffered)));
    }
    let evicted = buffered.share.evicted();
    let expected = declared.unwrap_or(limit).min(limit);
    let filled = tokio::select! {
        filled = buffered.fill(&mut stream, expected) => filled,
        () = evicted => Err(IngestError::Overloaded),
    };
    match filled {
        Ok(()) => {
            buffered.share.complete();
            Ok(buffered)
        }
        Err(error @ IngestError::Slow(_)) => Err((error, Some(buffered))),
        Err(error @ IngestError::Overloaded) => {
            // Its memory is needed for others.
            drop(buffered);
            drain(stream).await;
            Err((error, None))
        }
        Err(error) => {
            buffered.share.complete();
            drain(stream).await;
            Err((error, Some(buffered)))
        }
    }
}

/// Reads and drops the rest of a body: a connection that is closed before the sender has sent all is reset, and the answer
/// is lost.
pub(crate) async fn drain(mut stream: BodyDataStream) {
    let draining = async {
        let (mut drained, mut rate) = (0, TransferRate::default());
        while let Ok(Some(Ok(chunk))) = rate.next(stream.next()).await {
            drained += chunk.len();
            if drained > MAX_DRAINED_BYTES {
                break;
            }
        }
    };
    // The answer is sent after that time in any case.
    let _ = tokio::time::timeout(IO_TIMEOUT, draining).await;
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the sender waits for `100 Continue` before it sends the body.
fn waits_for_go_ahead(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl BufferedBody {
    /// Charges the body to the key that was found in it, whose limit applies from now on.
    pub(crate) async fn give_to_key(mut self, hash: &str, limit: usize) -> ReadResult {
        if let Err(error) = self.share.give_to_key(hash).await {
            return Err((error, None));
        }
        self.limit = limit;
        match self.bytes.len() > limit {
            true => Err((IngestError::TooLarge { limit, packed: false }, Some(self))),
            false => Ok(self),
        }
    }

    async fn fill(&mut self, stream: &mut BodyDataStream, expected: usize) -> Result<(), IngestError> {
        let mut rate = TransferRate::default();
        while let Some(chunk) = rate.next(stream.next()).await? {
            let chunk = chunk.map_err(|error| IngestError::Broken(error.to_string()))?;
            rate.received(chunk.len());
            let size = self.bytes.len() + chunk.len();
            if size > self.limit {
                return Err(IngestError::TooLarge {
                    limit: self.limit,
                    packed: false,
                });
            }
            if size > self.bytes.capacity() {
                let capacity = enlarged(self.bytes.capacity(), size, expected);
                self.share.grow(capacity).await?;
                self.bytes.reserve_exact(capacity - self.bytes.len());
            }
            self.share.received(chunk.len());
            self.bytes.extend_from_slice(&chunk);
        }
        Ok(())
    }

    /// The unpacked body, to find the key in it. As its sender is unknown, the bound is lower.
    pub(crate) fn unpacked_for_key(&mut self, headers: &HeaderMap) -> Result<Option<Vec<u8>>, IngestError> {
        let limit = std::mem::replace(&mut self.limit, MAX_UNPACKED_BYTES_WITHOUT_KEY);
        let unpacked = self.unpacked(headers);
        self.limit = limit;
        unpacked
    }

    /// The unpacked body; `None` if it is not packed.
    pub(crate) fn unpacked(&mut self, headers: &HeaderMap) -> Result<Option<Vec<u8>>, IngestError> {
        let Some(encoding) = headers.get(header::CONTENT_ENCODING) else {
            return Ok(None);
        };
        match encoding.as_bytes().to_ascii_lowercase().as_slice() {
            b"identity" | b"" => Ok(None),
            b"gzip" | b"x-gzip" => self.gunzip().map(Some),
            b"deflate" => self.inflate().map(Some),
            other => Err(IngestError::Encoding(String::from_utf8_lossy(other).into_owned())),
        }
    }

    fn gunzip(&mut self) -> Result<Vec<u8>, IngestError> {
        let packed = self.bytes.as_slice();
        let room = |bytes: usize| self.share.grow_now(self.bytes.capacity() + bytes);
        unpack(MultiGzDecoder::new(packed), self.limit, IngestError::Gzip, room)
    }

    /// `deflate` is the zlib format (<https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2>), but some senders omit its
    /// frame.
    fn inflate(&mut self) -> Result<Vec<u8>, IngestError> {
        let packed = self.bytes.as_slice();
        let mut room = |bytes: usize| self.share.grow_now(self.bytes.capacity() + bytes);
        let framed = match has_zlib_header(packed) {
            true => Some(unpack(
                ZlibDecoder::new(packed),
                self.limit,
                IngestError::Deflate,
                &mut room,
            )),
            false => None,
        };
        let not_framed = match framed {
            Some(Err(IngestError::Deflate(error))) => Some(error),
            Some(unpacked) => return unpacked,
            None => None,
        };
        let bare = unpack(
            DeflateDecoder::new(packed),
            self.limit,
            IngestError::Deflate,
            room,
        );
        match (bare, not_framed) {
            (Err(IngestError::Deflate(_)), Some(error)) => Err(IngestError::Deflate(error)),
            (bare, _) => bare,
        }
    }
}

/// Unpacks in chunks, up to the limit, while there is `room` in the budget.
fn unpack(
    mut unpacking: impl Read,
    limit: usize,
    wrong: impl FnOnce(io::Error) -> IngestError,
    mut room: impl FnMut(usize) -> Result<(), IngestError>,
) -> Result<Vec<u8>, IngestError> {
    let (mut unpacked, mut chunk) = (Vec::new(), vec![0; CHUNK_BYTES]);
    loop {
        let read = match unpacking.read(&mut chunk) {
            Ok(0) => return Ok(unpacked),
            Ok(read) => read,
            Err(error) => return Err(wrong(error)),
        };
        let size = unpacked.len() + read;
        if size > limit {
            return Err(IngestError::TooLarge { limit, packed: true });
        }
        if size > unpacked.capacity() {
            let capacity = enlarged(unpacked.capacity(), size, limit);
            room(capacity)?;
            unpacked.reserve_exact(capacity - unpacked.len());
        }
        unpacked.extend_from_slice(&chunk[..read]);
    }
}

/// <https://www.rfc-editor.org/rfc/rfc1950#section-2.2>: method 8, and a checksum over both bytes.
fn has_zlib_header(packed: &[u8]) -> bool {
    let [method, flags, ..] = packed else { return false };
    method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0
}

/// The capacity for the bytes that have arrived, and as many again, up to what is expected.
fn enlarged(capacity: usize, size: usize, expected: usize) -> usize {
    (capacity * 2).max(SMALLEST_SHARE_BYTES).min(expected).max(size)
}
