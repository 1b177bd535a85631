//! The websocket of one client.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::CompiledFilter;
use schemas::live::{ClientMessage, Filter, ServerMessage};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::frames::{self, Alerts};
use crate::replica::{List, Start};
use crate::subscription::{ScreenNews, Subscription};
use crate::{Bridge, Shared};

/// The largest message of a client.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// What a connection reads at once; a client says little.
const READ_BYTES: usize = 4 * 1024;
/// How often every client hears something.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// Beats from one ping to the next.
const PING_EVERY_BEATS: u32 = 4;
/// A client that says nothing for so long, not even to a ping, is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// A client that takes no frame for so long is gone.
const SEND_MAX: Duration = Duration::from_secs(30);
/// Deltas to one client are at least so far apart …
const FLUSH_EVERY: Duration = Duration::from_millis(20);
/// … and this much more for each client, so that very many of them leave room for everything else.
const FLUSH_EVERY_PER_CLIENT: Duration = Duration::from_micros(50);
/// Cursor of frames that do not complete a picture: it brings a snapshot.
const NO_CURSOR: &str = "";

/// `GET /ws`.
pub fn routes(bridge: Bridge) -> Router {
    Router::new().route("/ws", get(open)).with_state(bridge)
}

async fn open(
    State(Bridge(shared)): State<Bridge>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !same_origin(&headers) {
        return (
            StatusCode::FORBIDDEN,
            "Origin: pages of other sites may not connect\n",
        )
            .into_response();
    }
    let Ok(seat) = Arc::clone(&shared.seats).try_acquire_owned() else {
        let retry = [(header::RETRY_AFTER, HeaderValue::from_static("30"))];
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            retry,
            "too many clients; come back later\n",
        )
            .into_response();
    };
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .on_upgrade(|socket| Session::run(socket, shared, seat))
}

/// A browser says which page opens the socket. Programs need not, and others may not pretend to be a page of ours.
fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}

/// The client is gone, or is to go.
struct Gone;

struct Session {
    socket: WebSocket,
    shared: Arc<Shared>,
    head: watch::Receiver<Option<u64>>,
    /// A hello that waits for the view.
    hello: Option<(CompiledFilter, Option<String>)>,
    subscription: Option<Subscription>,
    /// When the next delta may go.
    next_flush: Instant,
    heard: Instant,
    beats: u32,
    _seat: OwnedSemaphorePermit,
}

enum Event {
    Message(Option<Result<Message, axum::Error>>),
    ViewIsThere,
    News,
    Beat,
    Shutdown,
}

impl Session {
    async fn run(socket: WebSocket, shared: Arc<Shared>, seat: OwnedSemaphorePermit) {
        let clients = shared.measures.clients.clone();
        clients.inc();
        let now = Instant::now();
        let session = Self {
            socket,
            head: shared.head.subscribe(),
            shared,
            hello: None,
            subscription: None,
            next_flush: now,
            heard: now,
            beats: 0,
            _seat: seat,
        };
        session.serve().await;
        clients.dec();
    }

    async fn serve(mut self) {
        let mut beat = tokio::time::interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        loop {
            let event = self.next_event(&mut beat).await;
            let done = match event {
                Event::Message(Some(Ok(message))) => self.heard(message).await,
                Event::Message(Some(Err(_)) | None) => Err(Gone),
                Event::ViewIsThere => self.begin().await,
                Event::News => self.flush().await,
                Event::Beat => self.beat().await,
                Event::Shutdown => self.say_goodbye().await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn next_event(&mut self, beat: &mut Interval) -> Event {
        let position = self.subscription.as_ref().map(Subscription::position);
        let next_flush = self.next_flush;
        let (mut head, waits) = (self.head.clone(), self.hello.is_some());
        let mut there = self.head.clone();
        tokio::select! {
            () = self.shared.context.shutdown.cancelled() => Event::Shutdown,
            message = self.socket.recv() => Event::Message(message),
            _ = there.wait_for(Option::is_some), if waits => Event::ViewIsThere,
            () = news_after(&mut head, position, next_flush), if position.is_some() => Event::News,
            _ = beat.tick() => Event::Beat,
        }
    }

    async fn heard(&mut self, message: Message) -> Result<(), Gone> {
        self.heard = Instant::now();
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return self.refuse("the message is binary: send JSON text").await,
            Message::Close(_) => return Err(Gone),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        match serde_json::from_str(&text) {
            Ok(ClientMessage::Hello { filter, cursor }) => self.hello(&filter, cursor).await,
            Err(error) => {
                self.refuse(&format!("the message is not understood: {error}"))
                    .await
            }
        }
    }

    async fn hello(&mut self, filter: &Filter, cursor: Option<String>) -> Result<(), Gone> {
        match CompiledFilter::compile(filter) {
            Ok(compiled) => {
                // A cursor says what is on the screen only together with the filter.
                let same_filter = self
                    .subscription
                    .as_ref()
                    .is_none_or(|screen| screen.filter() == filter);
                self.subscription = None;
                self.hello = Some((compiled, cursor.filter(|_| same_filter)));
                Ok(())
            }
            Err(error) => self.refuse(&format!("filter: {error}")).await,
        }
    }

    async fn refuse(&mut self, reason: &str) -> Result<(), Gone> {
        let refused = ServerMessage::Refused {
            reason: reason.to_owned(),
        };
        self.send("refused", frames::message(&refused)).await
    }

    /// Answers the hello.
    async fn begin(&mut self) -> Result<(), Gone> {
        let Some((filter, cursor)) = self.hello.take() else {
            return Ok(());
        };
        let sequence = cursor.as_deref().and_then(|cursor| self.shared.sequence(cursor));
        let Start {
            list,
            position,
            missed,
        } = self.shared.read().start(sequence, filter.filter());
        let screen = Subscription::begin(filter, &list, position).await;
        match (missed, cursor) {
            (Some(missed), Some(cursor)) => {
                let news = screen.missed(&missed);
                self.send_delta(&screen, &news, &cursor).await?;
            }
            _ => self.send_snapshot(&screen, &list).await?,
        }
        self.subscription = Some(screen);
        Ok(())
    }

    async fn send_snapshot(&mut self, screen: &Subscription, list: &List) -> Result<(), Gone> {
        let mut part = Alerts::default();
        let mut first = true;
        for alert in list.parts().flatten().filter(|alert| screen.shows(alert)) {
            if part.is_full() {
                let full = std::mem::take(&mut part);
                self.send(
                    "snapshot",
                    frames::snapshot(NO_CURSOR, &full, first, false, screen.counters()),
                )
                .await?;
                first = false;
            }
            part.push(&alert.text_once());
        }
        let cursor = self.shared.cursor(screen.position());
        self.send(
            "snapshot",
            frames::snapshot(&cursor, &part, first, true, screen.counters()),
        )
        .await
    }

    /// Brings the screen to the latest state of everything.
    async fn flush(&mut self) -> Result<(), Gone> {
        let Some(mut screen) = self.subscription.take() else {
            return Ok(());
        };
        let (news, head) = {
            let replica = self.shared.read();
            (replica.news(screen.position(), screen.filter()), replica.head())
        };
        let Some(news) = news else {
            // It missed more than is remembered.
            self.hello(&screen.filter().clone(), None).await?;
            return self.begin().await;
        };
        let before = self.shared.cursor(screen.position());
        let news = screen.take(&news, head);
        if !news.is_empty() {
            self.send_delta(&screen, &news, &before).await?;
        }
        let clients = u32::try_from(self.shared.clients()).unwrap_or(u32::MAX);
        self.next_flush = Instant::now() + FLUSH_EVERY.max(FLUSH_EVERY_PER_CLIENT.saturating_mul(clients));
        self.subscription = Some(screen);
        Ok(())
    }

    /// In one frame, or in several of which only the last has the new cursor.
    async fn send_delta(
        &mut self,
        screen: &Subscription,
        news: &ScreenNews,
        before: &str,
    ) -> Result<(), Gone> {
        let mut part = Alerts::default();
        for alert in &news.changed {
            if part.is_full() {
                let full = std::mem::take(&mut part);
                self.send("delta", frames::delta(before, &full, &[], screen.counters()))
                    .await?;
            }
            let head = *self.head.borrow();
            part.push(&alert.text(head.unwrap_or_default()));
        }
        let cursor = self.shared.cursor(screen.position());
        self.send(
            "delta",
            frames::delta(&cursor, &part, &news.removed, screen.counters()),
        )
        .await?;
        let now = self.shared.context.clock.now();
        for accepted_at in &news.accepted_at {
            let delay = now.duration_since(*accepted_at).as_secs_f64();
            self.shared.measures.accept_to_screen.observe(delay.max(0.0));
        }
        Ok(())
    }

    async fn beat(&mut self) -> Result<(), Gone> {
        if self.heard.elapsed() > SILENCE_MAX {
            return Err(Gone);
        }
        let position = self.subscription.as_ref().map(Subscription::position);
        let beat = ServerMessage::Beat {
            cursor: position.map_or_else(|| NO_CURSOR.to_owned(), |position| self.shared.cursor(position)),
            at: self.shared.context.clock.now(),
            stale_ms: self.shared.stale_ms(),
        };
        self.send("beat", frames::message(&beat)).await?;
        self.beats += 1;
        if self.beats.is_multiple_of(PING_EVERY_BEATS) {
            self.send_message(Message::Ping(Vec::new().into())).await?;
        }
        Ok(())
    }

    async fn say_goodbye(&mut self) -> Result<(), Gone> {
        let reason = CloseFrame {
            code: close_code::RESTART,
            reason: "the bridge ends; connect again".into(),
        };
        self.send_message(Message::Close(Some(reason))).await?;
        Err(Gone)
    }

    async fn send(&mut self, kind: &str, frame: String) -> Result<(), Gone> {
        self.send_message(Message::Text(frame.into())).await?;
        self.shared.measures.frames.with_label_values(&[kind]).inc();
        Ok(())
    }

    async fn send_message(&mut self, message: Message) -> Result<(), Gone> {
        match tokio::time::timeout(SEND_MAX, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

/// Waits until there is something after `position` and a delta may go.
async fn news_after(head: &mut watch::Receiver<Option<u64>>, position: Option<u64>, next_flush: Instant) {
    // The sender lives as long as the session's share of the bridge.
    let _ = head.wait_for(|head| *head > position).await;
    tokio::time::sleep_until(next_flush).await;
}
