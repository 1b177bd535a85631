//! Reading a body, with bounds on its size, its time and the memory of all bodies together.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures_util::StreamExt;
use schemas::config::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal::Refusal;

/// The largest body that is taken, as it comes and unpacked.
pub(crate) const LARGEST: usize = Limits::LARGEST_BODY as usize;
/// How much of a body that is too large is still read, so that its sender gets to reading our answer.
const DRAINED: usize = 64 * 1024 * 1024;
/// How long a body may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long a request waits for memory.
const QUEUE_TIME: Duration = Duration::from_secs(2);
/// What is reserved for a body whose size nobody tells, and the least for any body.
const SMALLEST_SHARE: usize = 16 * 1024;

/// The memory that all bodies in work may take together.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / 1024)))
    }

    async fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let reserved = Arc::clone(&self.0).acquire_many_owned(kib(bytes));
        match tokio::time::timeout(QUEUE_TIME, reserved).await {
            Ok(Ok(share)) => Ok(share),
            _ => Err(Refusal::Overloaded),
        }
    }

    fn enlarge(&self, share: &mut OwnedSemaphorePermit, bytes: usize) -> Result<(), Refusal> {
        let more = kib(bytes).saturating_sub(u32::try_from(share.num_permits()).unwrap_or(u32::MAX));
        if more > 0 {
            let more = Arc::clone(&self.0)
                .try_acquire_many_owned(more)
                .map_err(|_| Refusal::Overloaded)?;
            share.merge(more);
        }
        Ok(())
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.max(SMALLEST_SHARE).div_ceil(1024)).unwrap_or(u32::MAX)
}

/// A body in memory, and its share of the budget.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    /// How large it may be, as it comes and unpacked.
    limit: usize,
    share: OwnedSemaphorePermit,
    budget: Budget,
}

/// What was read of a body. When that ended early, what was there until then is held too.
pub(crate) type Arrival = Result<Held, (Refusal, Option<Held>)>;

/// Reads a body that may have so many bytes, as it comes and unpacked.
pub(crate) async fn read(body: Body, headers: &HeaderMap, budget: &Budget, limit: usize) -> Arrival {
    let declared = declared_length(headers);
    let wanted = declared.unwrap_or(0).min(limit);
    let mut stream = body.into_data_stream();
    let share = match budget.reserve(wanted).await {
        Ok(share) => share,
        Err(refusal) => {
            drain(stream).await;
            return Err((refusal, None));
        }
    };
    let mut held = Held {
        bytes: Vec::with_capacity(wanted),
        limit,
        share,
        budget: budget.clone(),
    };
    if declared.is_some_and(|length| length > limit) && waits_for_go_ahead(headers) {
        return Err((Refusal::TooLarge { limit, packed: false }, Some(held)));
    }
    let refusal = match tokio::time::timeout(PATIENCE, held.fill(&mut stream)).await {
        Ok(Ok(())) => return Ok(held),
        Ok(Err(refusal)) => refusal,
        Err(_) => Refusal::Slow {
            seconds: PATIENCE.as_secs(),
        },
    };
    if !matches!(refusal, Refusal::Slow { .. }) {
        drain(stream).await;
    }
    Err((refusal, Some(held)))
}

/// Reads what a sender still sends and throws it away: a connection that is closed before would be reset, and the
/// answer with it.
pub(crate) async fn drain(mut stream: BodyDataStream) {
    let draining = async {
        let mut drained = 0;
        while let Some(Ok(chunk)) = stream.next().await {
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
    /// It may only have so many bytes after all.
    pub(crate) fn restrict(&mut self, limit: usize) -> Result<(), Refusal> {
        self.limit = limit;
        match self.bytes.len() > limit {
            true => Err(Refusal::TooLarge { limit, packed: false }),
            false => Ok(()),
        }
    }

    async fn fill(&mut self, stream: &mut BodyDataStream) -> Result<(), Refusal> {
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| Refusal::Broken(error.to_string()))?;
            let size = self.bytes.len() + chunk.len();
            if size > self.limit {
                return Err(Refusal::TooLarge {
                    limit: self.limit,
                    packed: false,
                });
            }
            self.budget.enlarge(&mut self.share, size)?;
            self.bytes.extend_from_slice(&chunk);
        }
        Ok(())
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
        let unpacked = read_up_to(self.limit, MultiGzDecoder::new(self.bytes.as_slice()));
        self.accounted(unpacked.map_err(Refusal::Gzip)?)
    }

    /// `deflate` is the zlib format (<https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2>), but some senders leave its frame
    /// out.
    fn inflate(&mut self) -> Result<Vec<u8>, Refusal> {
        let packed = self.bytes.as_slice();
        let bare = || read_up_to(self.limit, DeflateDecoder::new(packed));
        let unpacked = match has_zlib_header(packed) {
            true => {
                read_up_to(self.limit, ZlibDecoder::new(packed)).or_else(|error| bare().map_err(|_| error))
            }
            false => bare(),
        };
        self.accounted(unpacked.map_err(Refusal::Deflate)?)
    }

    /// What was unpacked, if it is not too large and there is memory for it.
    fn accounted(&mut self, unpacked: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        if unpacked.len() > self.limit {
            return Err(Refusal::TooLarge {
                limit: self.limit,
                packed: true,
            });
        }
        self.budget
            .enlarge(&mut self.share, self.bytes.len() + unpacked.len())?;
        Ok(unpacked)
    }
}

/// At most one byte more than the limit, which shows that there is more.
fn read_up_to(limit: usize, unpacking: impl Read) -> std::io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let most = u64::try_from(limit + 1).unwrap_or(u64::MAX);
    unpacking.take(most).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

/// <https://www.rfc-editor.org/rfc/rfc1950#section-2.2>: method 8, and a checksum over both bytes.
fn has_zlib_header(packed: &[u8]) -> bool {
    let [method, flags, ..] = packed else { return false };
    method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0
}
