//! Riemann's protocol over TCP: messages with their length before them, each answered in its turn.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use bytes::BytesMut;
use pipeline::Context;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::tcp::{self, Pieces};
use crate::body::LARGEST;
use crate::call::{Call, Posted};
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::RIEMANN;
use crate::sources::riemann::integration_key;
use crate::sources::riemann::wire::Msg;

/// Where the same can be posted.
const ADDRESS: &str = "/monitoring-system/riemann";
/// How much of a message is handed over at once.
const PIECE: usize = 16 * 1024;

/// Serves Riemann's clients until shutdown. Without a key each message must show one.
pub(crate) async fn serve(
    collector: Arc<Collector>,
    context: Context,
    listener: TcpListener,
    key: Option<String>,
) {
    tcp::serve(listener, &context, |stream| {
        let conversation = Conversation {
            collector: Arc::clone(&collector),
            key: key.clone(),
            stream: BufReader::new(stream),
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
    stream: BufReader<TcpStream>,
}

impl Conversation {
    /// Answers one message after the other until the client goes, or the end comes between two of them.
    async fn hold(mut self, end: impl Future<Output = ()>) -> io::Result<()> {
        let mut end = std::pin::pin!(end);
        loop {
            let length = tokio::select! {
                biased;
                () = &mut end => return Ok(()),
                length = self.stream.read_u32() => length?,
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

    async fn message(&mut self, length: usize) -> io::Result<Msg> {
        let (pieces, body) = tcp::body();
        let mut call = Call::new(&RIEMANN, Posted::bare(ADDRESS, body, length));
        call.keys.extend(self.key.clone());
        call.key_in_body = Some(integration_key);
        let (taken, read) = tokio::join!(
            self.collector.take(call),
            tcp::handed_over(pieces.clone(), hand_over(&mut self.stream, length, pieces))
        );
        read?;
        Ok(match taken {
            Ok(_) => Msg {
                ok: Some(true),
                ..Msg::default()
            },
            Err(refusal) => refused(&refusal),
        })
    }

    async fn answer(&mut self, answer: &Msg) -> io::Result<()> {
        let mut bytes = vec![0; 4];
        bytes.extend(answer.encode_to_vec());
        let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&bytes).await
    }
}

/// What nobody takes any more is read all the same: the next message begins behind it.
async fn hand_over(stream: &mut BufReader<TcpStream>, length: usize, pieces: Pieces) -> io::Result<()> {
    let mut message = stream.take(length as u64);
    while message.limit() > 0 {
        let mut piece = BytesMut::with_capacity(PIECE);
        if message.read_buf(&mut piece).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
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
