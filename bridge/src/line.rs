//! The websocket of one client: what goes over it, and how much of that waits in memory.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

/// The largest message of a client.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// What a connection reads at once; a client says little.
const READ_BYTES: usize = 4 * 1024;
/// Bytes that wait for one client to take them. What is larger is sent in so many pieces, each when the one before is gone.
const QUEUE_BYTES_MAX: usize = 32 * 1024;
/// What the pieces are wrapped in, and answers to pings.
const OVERHEAD_BYTES: usize = 1024;
/// A client that takes no piece for so long is gone.
const SEND_MAX: Duration = Duration::from_secs(30);
/// How long it is tried to say why the line is closed.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client has closed it, or the network has.
    Closed,
    /// The client takes nothing.
    Slow,
    /// The client says nothing, not even to a ping.
    Silent,
    /// The client says too much at once.
    TooLarge,
    /// What the client sends is not the websocket protocol.
    Protocol,
    /// The bridge ends.
    Shutdown,
}

/// A websocket.
pub(crate) struct Line<S>(WebSocketStream<S>);

impl End {
    /// As the metric names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Slow => "slow",
            Self::Silent => "silent",
            Self::TooLarge => "too_large",
            Self::Protocol => "protocol",
            Self::Shutdown => "shutdown",
        }
    }

    /// What the client hears about it, if it is there to hear it.
    fn close_frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Closed => return None,
            Self::Slow => (
                CloseCode::Again,
                "the client takes too little; connect again with the cursor",
            ),
            Self::Silent => (
                CloseCode::Again,
                "the client was silent; connect again with the cursor",
            ),
            Self::TooLarge => (CloseCode::Size, "a message has 65,536 bytes at most"),
            Self::Protocol => (CloseCode::Protocol, "this is not the websocket protocol"),
            Self::Shutdown => (CloseCode::Restart, "the bridge ends; connect again"),
        };
        let reason = Utf8Bytes::from_static(reason);
        Some(CloseFrame { code, reason })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Over a connection whose handshake is done.
    pub async fn over(connection: S) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(QUEUE_BYTES_MAX + OVERHEAD_BYTES)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        Self(WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await)
    }

    /// The next message of the client. Loses nothing when it is dropped before it is done.
    ///
    /// # Errors
    /// When there is none any more.
    pub async fn receive(&mut self) -> Result<Message, End> {
        match self.0.next().await {
            Some(Ok(message)) => Ok(message),
            Some(Err(Error::Capacity(_))) => Err(End::TooLarge),
            Some(Err(Error::Protocol(error))) if !is_gone(&error) => Err(End::Protocol),
            Some(Err(Error::Utf8(_))) => Err(End::Protocol),
            Some(Err(_)) | None => Err(End::Closed),
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// When the client is gone or takes nothing.
    pub async fn send(&mut self, text: Utf8Bytes) -> Result<(), End> {
        if text.len() <= QUEUE_BYTES_MAX {
            return self.send_message(Message::Text(text)).await;
        }
        let mut rest = Bytes::from(text);
        let mut kind = Data::Text;
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(QUEUE_BYTES_MAX));
            let frame = Frame::message(piece, OpCode::Data(kind), rest.is_empty());
            self.send_message(Message::Frame(frame)).await?;
            kind = Data::Continue;
        }
        Ok(())
    }

    /// Asks the client for a sign of life.
    ///
    /// # Errors
    /// When the client is gone or takes nothing.
    pub async fn ping(&mut self) -> Result<(), End> {
        self.send_message(Message::Ping(Bytes::new())).await
    }

    /// Closes the line, and says why if the client takes that.
    pub async fn close(mut self, end: End) {
        if let Some(reason) = end.close_frame() {
            let saying = self.0.send(Message::Close(Some(reason)));
            // It is closed in any case.
            let _ = tokio::time::timeout(GOODBYE_MAX, saying).await;
        }
    }

    async fn send_message(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(SEND_MAX, self.0.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Closed),
            Err(_) => Err(End::Slow),
        }
    }
}

/// Whether the client went without a close.
const fn is_gone(error: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    matches!(error, ResetWithoutClosingHandshake)
}
