//! Riemann's protocol over TCP: messages with their length before them, each answered in its turn.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::BytesMut;
use chassis::attempts::WrongCredential;
use chassis::connections::{Connections, Tracked};
use pipeline::Context;
use prost::Message;
use sources::systems::riemann;
use sources::systems::riemann::wire::Msg;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::tcp::{self, BodyChunks};
use crate::collector::Collector;
use crate::intake::body::{IO_TIMEOUT, MAX_BODY_BYTES};
use crate::intake::error::IngestError;
use crate::intake::request::{IncomingRequest, IngestRequest};
use crate::intake::transfer_rate::TransferRate;

/// Where a stored message can be posted again.
const ADDRESS: &str = "/monitoring-system/riemann";
/// How long a client may be connected before its first message is accepted.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(300);
/// How much of a message is read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Serves Riemann's clients until shutdown. Without a key each message must show one.
pub(crate) async fn serve(
    collector: Arc<Collector>,
    context: Context,
    listener: TcpListener,
    connections: Connections,
    key: Option<String>,
) {
    tcp::serve(listener, connections, &context, |stream| {
        let session = Session {
            collector: Arc::clone(&collector),
            key: key.clone(),
            stream: BufReader::new(stream),
            is_known: false,
        };
        let shutdown = context.shutdown.clone();
        async move {
            if let Err(error) = session.run(shutdown.cancelled()).await {
                // Clients disconnect at any time.
                tracing::debug!(%error, "a client of Riemann has disconnected");
            }
        }
    })
    .await;
}

struct Session {
    collector: Arc<Collector>,
    key: Option<String>,
    stream: BufReader<Tracked<TcpStream>>,
    /// A message of this client has been accepted.
    is_known: bool,
}

impl Session {
    /// Answers one message after the other until the client goes, or the end comes between two of them.
    async fn run(mut self, end: impl Future<Output = ()>) -> io::Result<()> {
        let mut end = std::pin::pin!(end);
        loop {
            let length = tokio::select! {
                biased;
                () = &mut end => return Ok(()),
                length = self.length() => length?,
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > MAX_BODY_BYTES {
                // The length is not that of a message, so the start of the next one is unknown.
                let error = IngestError::TooLarge {
                    limit: MAX_BODY_BYTES,
                    packed: false,
                };
                let error = self
                    .collector
                    .reject(Some(riemann::SOURCE.name.into()), error, Body::empty())
                    .await;
                return self.answer(&error_message(&error)).await;
            }
            let answer = self.message(length).await?;
            self.answer(&answer).await?;
        }
    }

    /// The length of the next message. Clients stay connected for days between two messages, but not before their first
    /// one, and not within one.
    async fn length(&mut self) -> io::Result<u32> {
        let is_known = self.is_known;
        let beginning = self.stream.fill_buf();
        match is_known {
            true => beginning.await?,
            false => tokio::time::timeout(FIRST_MESSAGE_TIMEOUT, beginning).await??,
        };
        tokio::time::timeout(IO_TIMEOUT, self.stream.read_u32()).await?
    }

    async fn message(&mut self, length: usize) -> io::Result<Msg> {
        let (chunks, body) = tcp::body();
        let mut request = IngestRequest::new(&riemann::SOURCE, IncomingRequest::bare(ADDRESS, body, length));
        request.keys.extend(self.key.clone());
        request.key_in_body = Some(riemann::integration_key);
        let (ingested, read) = tokio::join!(
            self.collector.ingest(request),
            tcp::forward_body(chunks.clone(), forward(&mut self.stream, length, chunks))
        );
        match ingested {
            Ok(_) => {
                read?;
                Ok(self.accepted())
            }
            Err(error) => {
                if error.is_wrong_key() {
                    let activity = self.stream.get_ref().slot().activity().clone();
                    activity.wrong_credential(WrongCredential::Sender).await;
                }
                let answer = error_message(&error);
                if let Err(error) = read {
                    // The start of the next message is unknown.
                    self.answer(&answer).await?;
                    return Err(error);
                }
                Ok(answer)
            }
        }
    }

    fn accepted(&mut self) -> Msg {
        self.is_known = true;
        self.stream.get_ref().slot().activity().succeeded();
        Msg {
            ok: Some(true),
            ..Msg::default()
        }
    }

    async fn answer(&mut self, answer: &Msg) -> io::Result<()> {
        let mut bytes = vec![0; 4];
        bytes.extend(answer.encode_to_vec());
        let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        tokio::time::timeout(IO_TIMEOUT, self.stream.write_all(&bytes)).await?
    }
}

/// Forwards a message as it arrives. It is read to its end even if it is refused, as the next message starts behind it.
async fn forward(
    stream: &mut BufReader<Tracked<TcpStream>>,
    length: usize,
    chunks: BodyChunks,
) -> io::Result<()> {
    let mut message = stream.take(length as u64);
    let mut rate = TransferRate::default();
    while message.limit() > 0 {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        let read = tcp::read_at_rate(&mut rate, message.read_buf(&mut chunk)).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        rate.received(read);
        let _ = chunks.send(Ok(chunk.freeze())).await;
    }
    Ok(())
}

/// The text names the places that the key can have here.
fn error_message(error: &IngestError) -> Msg {
    let error = match error {
        IngestError::Key { what } => format!(
            "the integration key is {what}; set riemann_integration_key, or give all events of a message the \
             attribute integration_key"
        ),
        other => other.to_string(),
    };
    Msg {
        ok: Some(false),
        error: Some(error),
        ..Msg::default()
    }
}
