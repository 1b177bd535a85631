//! A console that only notes when which alert came onto it.
//!
//! The websocket client of the scenarios keeps whole alerts and wakes whoever waits; a measurement wants the instant
//! of each arrival and little work besides, so it reads no more of a frame than it needs.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use schemas::live::{ClientMessage, Filter};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::arrivals::{Arrivals, number};

/// The part of a server's frame that is looked at.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, default)]
    alerts: Vec<Row<'a>>,
    #[serde(borrow, default)]
    changed: Vec<Row<'a>>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
}

/// The part of an alert that is looked at.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    output: Cow<'a, str>,
}

/// A console that is connected; it ends when dropped.
pub(crate) struct Screen {
    arrivals: Shared,
    following: JoinHandle<()>,
    broken: Arc<Mutex<Option<String>>>,
}

type Shared = Arc<Mutex<Arc<Arrivals>>>;
type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Screen {
    /// Connects, asks for everything, and waits for the first frame.
    pub(crate) async fn open(bridge: SocketAddr, within: Duration) -> Result<Self> {
        let url = format!("ws://{bridge}/ws");
        let (mut socket, _) = connect_async(&url)
            .await
            .with_context(|| format!("connecting to {url}"))?;
        let hello = ClientMessage::Hello {
            filter: Filter::default(),
            cursor: None,
        };
        socket.send(Message::text(serde_json::to_string(&hello)?)).await?;
        let arrivals = Shared::new(Mutex::new(Arc::new(Arrivals::of(0..0))));
        let broken = Arc::new(Mutex::new(None));
        let (first, mut has_come) = watch::channel(false);
        let following = tokio::spawn({
            let (arrivals, broken) = (Arc::clone(&arrivals), Arc::clone(&broken));
            async move {
                if let Err(error) = follow(socket, &arrivals, &first).await {
                    *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{error:#}"));
                }
            }
        });
        let screen = Self {
            arrivals,
            following,
            broken,
        };
        let come = has_come.wait_for(|come| *come);
        match tokio::time::timeout(within, come).await {
            Ok(Ok(_)) => Ok(screen),
            _ => bail!("no snapshot from {url}: {}", screen.state()),
        }
    }

    /// Notes anew, these numbers.
    pub(crate) fn expect(&self, numbers: Range<usize>) -> Arc<Arrivals> {
        let arrivals = Arc::new(Arrivals::of(numbers));
        *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&arrivals);
        arrivals
    }

    /// Whether the line holds.
    pub(crate) fn state(&self) -> String {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.clone().unwrap_or_else(|| "the line holds".to_owned())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(mut socket: Socket, arrivals: &Shared, first: &watch::Sender<bool>) -> Result<()> {
    while let Some(message) = socket.next().await {
        let at = Instant::now();
        let Message::Text(text) = message? else {
            continue;
        };
        let frame: Frame<'_> = serde_json::from_str(&text).context("a frame is not understood")?;
        if let Some(reason) = frame.reason {
            bail!("the bridge refused: {reason}");
        }
        let arrivals = Arc::clone(&arrivals.lock().unwrap_or_else(PoisonError::into_inner));
        for row in frame.alerts.iter().chain(&frame.changed) {
            if let Some(number) = number(row.output.as_bytes()) {
                arrivals.note(number, at);
            }
        }
        first.send_replace(true);
    }
    bail!("the bridge closed the line")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_for_the_outputs_alone() {
        let text = r#"{"type":"delta","cursor":"1","changed":[{"name":"x","output":"a \"b\" sequence=7","labels":{}}],
            "removed":[],"counters":{"total":1}}"#;
        let frame: Frame<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(number(frame.changed[0].output.as_bytes()), Some(7));
        assert!(frame.alerts.is_empty() && frame.reason.is_none());
    }
}
