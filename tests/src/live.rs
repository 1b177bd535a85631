//! A console without a face: it follows the websocket and keeps what it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use schemas::live::{ClientMessage, Counters, Filter, ServerMessage};
use schemas::{Alert, Fingerprint};
use tokio::task::JoinHandle;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::recorded::Recorded;

/// A line to the bridge that is opened again whenever it breaks.
#[derive(Debug)]
pub struct WsClient {
    screen: Recorded<Screen>,
    following: JoinHandle<()>,
}

/// What the console shows.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    /// The open alerts.
    pub alerts: BTreeMap<Fingerprint, Alert>,
    /// What the server counts.
    pub counters: Counters,
    /// Whether a whole snapshot has come since the line was opened, or the line goes on where it was.
    pub complete: bool,
    /// Whether the bridge says that the view may be stale.
    pub stale: bool,
    /// How many snapshots were completed.
    pub snapshots: u64,
    /// How many deltas came.
    pub deltas: u64,
    /// How often a line was opened.
    pub connections: u64,
    /// What the server would not do.
    pub refused: Vec<String>,
    cursor: Option<String>,
}

impl Screen {
    /// The open alert of this name.
    pub fn by_name(&self, name: &str) -> Option<&Alert> {
        self.alerts.values().find(|alert| alert.name == name)
    }

    fn take(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Snapshot {
                cursor,
                alerts,
                first,
                complete,
                counters,
            } => {
                if first {
                    self.alerts.clear();
                }
                self.keep(alerts);
                self.counters = counters;
                self.complete = complete;
                if complete {
                    self.snapshots += 1;
                    self.cursor = Some(cursor);
                }
            }
            ServerMessage::Delta {
                cursor,
                changed,
                removed,
                counters,
            } => {
                self.keep(changed);
                for fingerprint in removed {
                    self.alerts.remove(&fingerprint);
                }
                self.counters = counters;
                self.deltas += 1;
                self.complete = true;
                self.cursor = Some(cursor);
            }
            ServerMessage::Beat { cursor, stale_ms, .. } => {
                self.stale = stale_ms.is_some();
                // Without a cursor the snapshot is not there yet.
                if !cursor.is_empty() {
                    self.complete = true;
                    self.cursor = Some(cursor);
                }
            }
            ServerMessage::Refused { reason } => self.refused.push(reason),
        }
    }

    /// A version that is older than the one we have is old news.
    fn keep(&mut self, alerts: Vec<Alert>) {
        for alert in alerts {
            let known = self
                .alerts
                .get(&alert.fingerprint)
                .map_or(0, |known| known.version);
            if alert.version >= known {
                self.alerts.insert(alert.fingerprint, alert);
            }
        }
    }
}

impl WsClient {
    /// Follows what passes the filter, and waits for the first snapshot.
    pub async fn open(url: &str, filter: Filter, within: Duration) -> Result<Self> {
        let screen = Recorded::default();
        let following = tokio::spawn(follow(url.to_owned(), filter, screen.clone()));
        let client = Self { screen, following };
        client
            .wait_until("the first snapshot", within, |screen| screen.complete)
            .await?;
        Ok(client)
    }

    /// Looks at the screen.
    pub fn read<R>(&self, look: impl FnOnce(&Screen) -> R) -> R {
        self.screen.read(look)
    }

    /// Waits until the screen is like this.
    pub async fn wait_until(
        &self,
        what: &str,
        within: Duration,
        like: impl Fn(&Screen) -> bool,
    ) -> Result<()> {
        self.wait_for(what, within, |screen| like(screen).then_some(()))
            .await
    }

    /// Waits until something can be found on the screen.
    pub async fn wait_for<R>(
        &self,
        what: &str,
        within: Duration,
        look: impl Fn(&Screen) -> Option<R>,
    ) -> Result<R> {
        let describe = |screen: &Screen| {
            let few: Vec<_> = screen.alerts.values().take(3).collect();
            let Screen {
                snapshots,
                deltas,
                connections,
                refused,
                ..
            } = screen;
            format!(
                "a screen of {} alerts, {snapshots} snapshots, {deltas} deltas, {connections} connections, \
                 refused {refused:?}, such as {few:#?}",
                screen.alerts.len()
            )
        };
        self.screen.wait_for(what, within, look, describe).await
    }
}

impl Drop for WsClient {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(url: String, filter: Filter, screen: Recorded<Screen>) {
    loop {
        // However the line ended, it is opened again; whoever waits for the screen has a limit.
        let _ = one_line(&url, &filter, &screen).await;
        screen.change(|screen| screen.complete = false);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn one_line(url: &str, filter: &Filter, screen: &Recorded<Screen>) -> Result<()> {
    let (mut socket, _) = connect_async(url)
        .await
        .with_context(|| format!("connecting to {url}"))?;
    let cursor = screen.change(|screen| {
        screen.connections += 1;
        screen.cursor.clone()
    });
    let hello = ClientMessage::Hello {
        filter: filter.clone(),
        cursor,
    };
    socket.send(Message::text(serde_json::to_string(&hello)?)).await?;
    while let Some(frame) = socket.next().await {
        match frame? {
            Message::Text(text) => {
                let message: ServerMessage =
                    serde_json::from_str(&text).with_context(|| format!("not a message: {text}"))?;
                screen.change(|screen| screen.take(message));
            }
            Message::Close(_) => break,
            _ => {}
        }
    }
    bail!("the line was closed")
}
