//! What is said to one client, and when.

use std::sync::Arc;
use std::time::Duration;

use domain::CompiledFilter;
use schemas::live::{ClientMessage, Filter, ServerMessage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::Shared;
use crate::feed::{Feed, Wanting};
use crate::frames::{self, Frames, NO_CURSOR};
use crate::line::{End, Line};
use crate::stream::Next;
use crate::turns::{Turn, Waiting};

/// How often every client hears something.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// Beats from one ping to the next.
const PING_EVERY_BEATS: u32 = 4;
/// A client that says nothing for so long, not even to a ping, is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Who has had the turn for so long gets in line again, if others wait: so those who take a snapshot slowly hold up the
/// others for a time only.
const TURN_MAX: Duration = Duration::from_secs(10);

pub(crate) struct Session<S> {
    line: Line<S>,
    shared: Arc<Shared>,
    phase: Phase,
    /// A hello without a cursor was said, and no frame has answered it.
    is_unanswered: bool,
    heard: Instant,
    beats: u32,
    _seat: OwnedSemaphorePermit,
}

/// How far a client is.
enum Phase {
    /// It has not said hello.
    Idle,
    /// Waits until the feed is there; has seen everything up to `since`.
    Starting { wanting: Wanting, since: Option<u64> },
    /// Waits for its turn, to be sent a snapshot or the rest of what it was sent a part of.
    Queued {
        wanting: Wanting,
        waiting: Waiting,
        rest: Option<Progress>,
    },
    /// Is sent one frame after the other.
    Sending {
        wanting: Wanting,
        progress: Progress,
        turn: Option<Turn>,
    },
    /// Has everything up to `position`.
    Live { feed: Arc<Feed>, position: u64 },
}

/// Frames, and the number of the next one.
struct Progress {
    frames: Arc<Frames>,
    next: usize,
}

/// What a phase has waited for.
enum Step {
    Begin,
    Turn(Turn),
    Frame,
    News,
}

enum Event {
    Message(Result<Message, End>),
    Step(Step),
    Beat,
    Shutdown,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub async fn run(line: Line<S>, shared: Arc<Shared>, seat: OwnedSemaphorePermit) {
        let measures = Arc::clone(&shared.measures);
        measures.clients.inc();
        let mut session = Self {
            line,
            shared,
            phase: Phase::Idle,
            is_unanswered: false,
            heard: Instant::now(),
            beats: 0,
            _seat: seat,
        };
        let end = session.serve().await;
        // Nothing of the bridge waits for the goodbye.
        session.phase = Phase::Idle;
        measures.disconnects.with_label_values(&[end.name()]).inc();
        session.line.close(end).await;
        measures.clients.dec();
    }

    async fn serve(&mut self) -> End {
        let mut beat = tokio::time::interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        loop {
            let event = self.next_event(&mut beat).await;
            let done = match event {
                Event::Message(Ok(message)) => self.heard(message).await,
                Event::Message(Err(end)) => Err(end),
                Event::Step(step) => self.step(step).await,
                Event::Beat => self.beat().await,
                Event::Shutdown => Err(End::Shutdown),
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn next_event(&mut self, beat: &mut Interval) -> Event {
        tokio::select! {
            () = self.shared.context.shutdown.cancelled() => Event::Shutdown,
            message = self.line.receive() => Event::Message(message),
            _ = beat.tick() => Event::Beat,
            step = self.phase.ready() => Event::Step(step),
        }
    }

    async fn heard(&mut self, message: Message) -> Result<(), End> {
        self.heard = Instant::now();
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return self.refuse("the message is binary: send JSON text").await,
            Message::Close(_) => return Err(End::Closed),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(()),
        };
        match serde_json::from_str(&text) {
            Ok(ClientMessage::Hello { filter, cursor }) => self.hello(&filter, cursor.as_deref()).await,
            Err(error) => {
                self.refuse(&format!("the message is not understood: {error}"))
                    .await
            }
        }
    }

    async fn hello(&mut self, filter: &Filter, cursor: Option<&str>) -> Result<(), End> {
        self.answer_overtaken().await?;
        let compiled = match CompiledFilter::compile(filter) {
            Ok(compiled) => compiled,
            Err(error) => return self.refuse(&format!("filter: {error}")).await,
        };
        // A cursor says what is on the screen only together with the filter.
        let same_filter = self.phase.feed().is_none_or(|feed| feed.filter() == filter);
        self.is_unanswered = cursor.is_none();
        let since = cursor
            .filter(|_| same_filter)
            .and_then(|cursor| self.shared.encoder.sequence(cursor));
        let wanting = Wanting::new(Feed::of(&self.shared, compiled));
        self.phase = Phase::Starting { wanting, since };
        Ok(())
    }

    /// A hello that waits is answered before anything that was said after it.
    async fn answer_overtaken(&mut self) -> Result<(), End> {
        if std::mem::take(&mut self.is_unanswered) {
            self.send("snapshot", frames::overtaken().into()).await?;
        }
        Ok(())
    }

    async fn refuse(&mut self, reason: &str) -> Result<(), End> {
        self.answer_overtaken().await?;
        let refused = ServerMessage::Refused {
            reason: reason.to_owned(),
        };
        self.send("refused", frames::message(&refused).into()).await
    }

    async fn step(&mut self, step: Step) -> Result<(), End> {
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        self.phase = match (step, phase) {
            (Step::Begin, Phase::Starting { wanting, since }) => self.begin(wanting, since),
            (Step::Turn(turn), Phase::Queued { wanting, rest, .. }) => Self::take_turn(wanting, rest, turn),
            (Step::News, Phase::Live { feed, position }) => self.news(feed, position),
            (
                Step::Frame,
                Phase::Sending {
                    wanting,
                    progress,
                    turn,
                },
            ) => self.send_next(wanting, progress, turn).await?,
            (_, phase) => phase,
        };
        Ok(())
    }

    /// Answers the hello.
    fn begin(&self, wanting: Wanting, since: Option<u64>) -> Phase {
        match since.and_then(|since| wanting.feed().resume(since)) {
            Some(frames) => self.send_all(wanting, frames),
            None => self.queued(wanting, None),
        }
    }

    /// A few frames go at once; many need a turn.
    fn send_all(&self, wanting: Wanting, frames: Arc<Frames>) -> Phase {
        let progress = Progress { frames, next: 0 };
        if progress.frames.are_few() {
            Phase::Sending {
                wanting,
                progress,
                turn: None,
            }
        } else {
            self.queued(wanting, Some(progress))
        }
    }

    fn queued(&self, wanting: Wanting, rest: Option<Progress>) -> Phase {
        Phase::Queued {
            wanting,
            waiting: self.shared.turns.ask(),
            rest,
        }
    }

    fn take_turn(wanting: Wanting, rest: Option<Progress>, turn: Turn) -> Phase {
        let progress = rest.or_else(|| {
            let frames = wanting.feed().snapshot()?;
            Some(Progress { frames, next: 0 })
        });
        match progress {
            Some(progress) => Phase::Sending {
                wanting,
                progress,
                turn: Some(turn),
            },
            // The feed begins anew.
            None => Phase::Starting { wanting, since: None },
        }
    }

    fn news(&self, feed: Arc<Feed>, position: u64) -> Phase {
        match feed.after(position) {
            Next::Nothing(position) => Phase::Live { feed, position },
            Next::Frames(frames) => self.send_all(Wanting::new(feed), frames),
            Next::Lost => Phase::Starting {
                wanting: Wanting::new(feed),
                since: Some(position),
            },
        }
    }

    async fn send_next(
        &mut self,
        wanting: Wanting,
        progress: Progress,
        turn: Option<Turn>,
    ) -> Result<Phase, End> {
        let Progress { frames, next } = progress;
        let frame = frames.frame(next);
        self.is_unanswered = false;
        self.send(frames.kind(), frame.text).await?;
        if frame.is_last {
            self.note_screen(&frames);
            return Ok(Phase::Live {
                feed: Arc::clone(wanting.feed()),
                position: frames.to,
            });
        }
        let progress = Progress {
            frames,
            next: next + 1,
        };
        let is_over = turn
            .as_ref()
            .is_some_and(|turn| turn.began().elapsed() >= TURN_MAX && turn.is_wanted());
        Ok(if is_over {
            self.queued(wanting, Some(progress))
        } else {
            Phase::Sending {
                wanting,
                progress,
                turn,
            }
        })
    }

    fn note_screen(&self, frames: &Frames) {
        let now = self.shared.context.clock.now();
        for accepted_at in &frames.accepted_at {
            let delay = now.duration_since(*accepted_at).as_secs_f64();
            self.shared.measures.accept_to_screen.observe(delay.max(0.0));
        }
    }

    async fn beat(&mut self) -> Result<(), End> {
        if self.heard.elapsed() > SILENCE_MAX {
            return Err(End::Silent);
        }
        let position = self.phase.position();
        let beat = ServerMessage::Beat {
            cursor: position.map_or_else(
                || NO_CURSOR.to_owned(),
                |position| self.shared.encoder.cursor(position),
            ),
            at: self.shared.context.clock.now(),
            stale_ms: self.shared.stale_ms(),
            ahead: self.phase.ahead(),
        };
        self.send("beat", frames::message(&beat).into()).await?;
        self.beats += 1;
        if self.beats.is_multiple_of(PING_EVERY_BEATS) {
            self.line.ping().await?;
        }
        Ok(())
    }

    async fn send(&mut self, kind: &str, frame: Utf8Bytes) -> Result<(), End> {
        self.line.send(frame).await?;
        self.shared.measures.frames.with_label_values(&[kind]).inc();
        Ok(())
    }
}

impl Phase {
    /// Waits for the next step. May be dropped and called again without losing anything.
    async fn ready(&mut self) -> Step {
        match self {
            Self::Idle => std::future::pending().await,
            Self::Starting { wanting, .. } => {
                wanting.feed().ready().await;
                Step::Begin
            }
            Self::Queued { waiting, .. } => Step::Turn(waiting.come().await),
            Self::Sending { .. } => Step::Frame,
            Self::Live { feed, position } => {
                feed.moved_from(*position).await;
                Step::News
            }
        }
    }

    fn feed(&self) -> Option<&Feed> {
        match self {
            Self::Idle => None,
            Self::Starting { wanting, .. } | Self::Queued { wanting, .. } | Self::Sending { wanting, .. } => {
                Some(wanting.feed())
            }
            Self::Live { feed, .. } => Some(feed),
        }
    }

    /// The client has everything up to here.
    fn position(&self) -> Option<u64> {
        match self {
            Self::Live { position, .. } => Some(*position),
            Self::Starting { since, .. } => *since,
            Self::Queued {
                rest: Some(progress), ..
            }
            | Self::Sending { progress, .. } => {
                (!progress.frames.is_snapshot()).then_some(progress.frames.since)
            }
            Self::Idle | Self::Queued { rest: None, .. } => None,
        }
    }

    /// How many are sent a snapshot before it.
    fn ahead(&self) -> Option<u64> {
        match self {
            Self::Queued { waiting, .. } => Some(waiting.ahead()),
            _ => None,
        }
    }
}
