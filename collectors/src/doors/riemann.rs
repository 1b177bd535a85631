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
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::tcp::{self, Pieces};
use crate::body::{LARGEST, PATIENCE};
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::pace::Pace;
use crate::refusal::Refusal;
use crate::sources::RIEMANN;
use crate::sources::riemann::integration_key;
use crate::sources::riemann::wire::Msg;

/// Where the same can be posted.
const ADDRESS: &str = "/monitoring-system/riemann";
/// How long a client may be connected before its first message is taken.
const FIRST_MESSAGE_TIME: Duration = Duration::from_secs(300);
/// How much of a message is handed over at once.
const PIECE: usize = 16 * 1024;

/// Serves Riemann's clients until shutdown. Without a key each message must show one.
pub(crate) async fn serve(
    collector: Arc<Collector>,
    context: Context,
    listener: TcpListener,
    connections: Connections,
    key: Option<String>,
) {
    tcp::serve(listener, connections, &context, |stream| {
        let conversation = Conversation {
            collector: Arc::clone(&collector),
            key: key.clone(),
            stream: BufReader::new(stream),
            is_known: false,
        };
        let shutdown = context.shutdown.clone();
        async move {
            if let Err(error) = conversation.hold(shutdown.cancelled()).await {
                // Clients come and go as they like.
                tracing::debug!(%error, "a client of Riemann is gone");
            }
        }
    })
    .await;
}

struct Conversation {
    collector: Arc<Collector>,
    key: Option<String>,
    stream: BufReader<Tracked<TcpStream>>,
    /// A message of this client has been accepted.
    is_known: bool,
}

impl Conversation {
    /// Answers one message after the other until the client goes, or the end comes between two of them.
    async fn hold(mut self, end: impl Future<Output = ()>) -> io::Result<()> {
        let mut end = std::pin::pin!(end);
        loop {
            let length = tokio::select! {
                biased;
                () = &mut end => return Ok(()),
                length = self.length() => length?,
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > LARGEST {
                // So large is only what is no message; where the next one begins is anybody's guess.
                let refusal = Refusal::TooLarge {
                    limit: LARGEST,
                    packed: false,
                };
                let refusal = self
                    .collector
                    .refuse(Some(RIEMANN.name.into()), refusal, Body::empty())
                    .await;
                return self.answer(&refused(&refusal)).await;
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
            false => tokio::time::timeout(FIRST_MESSAGE_TIME, beginning).await??,
        };
        tokio::time::timeout(PATIENCE, self.stream.read_u32()).await?
    }

    async fn message(&mut self, length: usize) -> io::Result<Msg> {
        let (pieces, body) = tcp::body();
        let mut call = Call::new(&RIEMANN, Posted::bare(ADDRESS, body, length));
        call.keys.extend(self.key.clone());
        call.key_in_body = Some(integration_key);
        let (taken, read) = tokio::join!(
            self.collector.take(call),
            tcp::handed_over(pieces.clone(), hand_over(&mut self.stream, length, pieces))
        );
        match taken {
            Ok(_) => {
                read?;
                Ok(self.taken())
            }
            Err(refusal) => {
                if refusal.is_wrong_key() {
                    let activity = self.stream.get_ref().slot().activity().clone();
                    activity.wrong_credential(WrongCredential::Sender).await;
                }
                let answer = refused(&refusal);
                if let Err(error) = read {
                    // Where the next message would begin is not known any more.
                    self.answer(&answer).await?;
                    return Err(error);
                }
                Ok(answer)
            }
        }
    }

    fn taken(&mut self) -> Msg {
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
        tokio::time::timeout(PATIENCE, self.stream.write_all(&bytes)).await?
    }
}

/// What nobody takes any more is read all the same: the next message begins behind it.
async fn hand_over(
    stream: &mut BufReader<Tracked<TcpStream>>,
    length: usize,
    pieces: Pieces,
) -> io::Result<()> {
    let mut message = stream.take(length as u64);
    let mut pace = Pace::default();
    while message.limit() > 0 {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = tcp::paced(&mut pace, message.read_buf(&mut piece)).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        pace.arrived(read);
        let _ = pieces.send(Ok(piece.freeze())).await;
    }
    Ok(())
}

/// The key has other places here.
fn refused(refusal: &Refusal) -> Msg {
    let error = match refusal {
        Refusal::Key { what } => format!(
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
