//! The frames of [`schemas::live::ServerMessage`], put together from JSON that is already there, and shared by all
//! clients with the same filter.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus::IntCounterVec;
use schemas::Fingerprint;
use schemas::live::{Counters, ServerMessage};
use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::memory::FrameMemory;
use crate::replica::{Shown, Texts};

/// Alerts in one frame at most.
const FRAME_ALERTS_MAX: usize = 500;
/// Bytes of alerts in one frame, unless one alert is larger.
const FRAME_BYTES_MAX: usize = 28 * 1024;
/// Alerts up to which frames are few, and are sent without waiting for a turn.
const FEW_ALERTS: usize = 1_000;
/// Cursor of frames that do not complete a picture: it brings a snapshot.
pub(crate) const NO_CURSOR: &str = "";

/// What all frames of a bridge are made with.
pub(crate) struct Encoder {
    /// Tells the cursors of this bridge from those of others, and of itself before a restart.
    pub id: String,
    pub texts: Texts,
    pub memory: FrameMemory,
    /// Frames that were encoded, by type.
    pub encoded: IntCounterVec,
}

/// All frames that take clients with the same filter from one place in the stream to another. Each is encoded when the
/// first client wants it.
pub(crate) struct Frames {
    encoder: Arc<Encoder>,
    content: Content,
    /// The client has seen everything up to here.
    pub since: u64,
    /// After the last frame the client has seen everything up to here.
    pub to: u64,
    alerts: Vec<Arc<Shown>>,
    removed: Vec<Fingerprint>,
    /// As JSON.
    counters: String,
    /// When what led to them was accepted.
    pub accepted_at: Vec<Timestamp>,
    parts: Mutex<Vec<Part>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Snapshot,
    Delta,
}

/// One frame that was encoded.
struct Part {
    /// The number of alerts in this frame and those before it.
    end: usize,
    /// Kept if there was room.
    text: Option<Utf8Bytes>,
}

/// One of the frames.
pub(crate) struct Frame {
    pub text: Utf8Bytes,
    pub is_last: bool,
}

/// What goes into [`Frames`].
#[derive(Default)]
pub(crate) struct Changes {
    pub changed: Vec<Arc<Shown>>,
    pub removed: Vec<Fingerprint>,
    /// When what led to it was accepted.
    pub accepted_at: Vec<Timestamp>,
}

impl Encoder {
    pub fn cursor(&self, sequence: u64) -> String {
        format!("{}-{sequence}", self.id)
    }

    /// The sequence in a cursor that this bridge gave.
    pub fn sequence(&self, cursor: &str) -> Option<u64> {
        let (id, sequence) = cursor.rsplit_once('-')?;
        if id == self.id {
            sequence.parse().ok()
        } else {
            None
        }
    }
}

impl Frames {
    /// All the alerts that pass a filter.
    pub fn snapshot(encoder: &Arc<Encoder>, to: u64, alerts: Vec<Arc<Shown>>, counters: &Counters) -> Self {
        let changes = Changes {
            changed: alerts,
            ..Changes::default()
        };
        Self::new(encoder, Content::Snapshot, 0..to, changes, counters)
    }

    /// What changed in a part of the stream.
    pub fn delta(encoder: &Arc<Encoder>, part: Range<u64>, changes: Changes, counters: &Counters) -> Self {
        Self::new(encoder, Content::Delta, part, changes, counters)
    }

    fn new(
        encoder: &Arc<Encoder>,
        content: Content,
        part: Range<u64>,
        changes: Changes,
        counters: &Counters,
    ) -> Self {
        Self {
            encoder: Arc::clone(encoder),
            content,
            since: part.start,
            to: part.end,
            alerts: changes.changed,
            removed: changes.removed,
            counters: json(counters),
            accepted_at: changes.accepted_at,
            parts: Mutex::default(),
        }
    }

    /// The type of the frames, as in the schema.
    pub const fn kind(&self) -> &'static str {
        match self.content {
            Content::Snapshot => "snapshot",
            Content::Delta => "delta",
        }
    }

    pub fn is_snapshot(&self) -> bool {
        self.content == Content::Snapshot
    }

    pub fn len(&self) -> usize {
        self.alerts.len()
    }

    /// Whether there are so few of them that they need no turn.
    pub fn are_few(&self) -> bool {
        self.content == Content::Delta && self.len() <= FEW_ALERTS
    }

    /// Bytes of the frames that are kept.
    pub fn bytes(&self) -> usize {
        self.parts().iter().map(Part::bytes).sum()
    }

    /// A frame by its number, counted from 0; those before it must have been asked for before.
    pub fn frame(&self, number: usize) -> Frame {
        let mut parts = self.parts();
        if let Some(part) = parts.get(number)
            && let Some(text) = &part.text
        {
            return Frame {
                text: text.clone(),
                is_last: part.end == self.len(),
            };
        }
        let before = number.checked_sub(1).and_then(|before| parts.get(before));
        let (text, end) = self.encode(before.map_or(0, |before| before.end), number == 0);
        let is_last = end == self.len();
        if number == parts.len() {
            let kept = self.encoder.memory.take(text.len());
            let text = kept.then(|| text.clone());
            parts.push(Part { end, text });
        }
        Frame { text, is_last }
    }

    /// The frame whose first alert is `start`, and where it ends.
    fn encode(&self, start: usize, is_first: bool) -> (Utf8Bytes, usize) {
        self.encoder.encoded.with_label_values(&[self.kind()]).inc();
        let mut alerts = String::new();
        let mut end = start;
        for alert in self.alerts.iter().skip(start).take(FRAME_ALERTS_MAX) {
            let text = self.text(alert);
            if end > start {
                if alerts.len() + text.len() >= FRAME_BYTES_MAX {
                    break;
                }
                alerts.push(',');
            }
            alerts.push_str(&text);
            end += 1;
        }
        let is_last = end == self.len();
        let frame = match self.content {
            Content::Snapshot => {
                let cursor = if is_last {
                    self.encoder.cursor(self.to)
                } else {
                    NO_CURSOR.to_owned()
                };
                snapshot(&cursor, &alerts, is_first, is_last, &self.counters)
            }
            // Only the last one has the new cursor, and says what is gone.
            Content::Delta if is_last => delta(
                &self.encoder.cursor(self.to),
                &alerts,
                &self.removed,
                &self.counters,
            ),
            Content::Delta => delta(&self.encoder.cursor(self.since), &alerts, &[], &self.counters),
        };
        (frame.into(), end)
    }

    fn text(&self, alert: &Arc<Shown>) -> Arc<str> {
        match self.content {
            Content::Snapshot => alert.text_once(),
            Content::Delta => alert.text(&self.encoder.texts),
        }
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        let bytes = self.bytes();
        self.encoder.memory.give_back(bytes);
    }
}

impl Part {
    fn bytes(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.len())
    }
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}

/// A snapshot of nothing that is to be followed by the real one: the answer to a hello that another one has overtaken, so
/// that a client can count its answers.
pub(crate) fn overtaken() -> String {
    snapshot(NO_CURSOR, "", true, false, &json(&Counters::default()))
}

fn snapshot(cursor: &str, alerts: &str, first: bool, complete: bool, counters: &str) -> String {
    let cursor = json(cursor);
    format!(
        r#"{{"type":"snapshot","cursor":{cursor},"alerts":[{alerts}],"first":{first},"complete":{complete},"counters":{counters}}}"#
    )
}

fn delta(cursor: &str, changed: &str, removed: &[Fingerprint], counters: &str) -> String {
    let (cursor, removed) = (json(cursor), json(removed));
    format!(
        r#"{{"type":"delta","cursor":{cursor},"changed":[{changed}],"removed":{removed},"counters":{counters}}}"#
    )
}

pub(crate) fn message(message: &ServerMessage) -> String {
    json(message)
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    #[expect(
        clippy::expect_used,
        reason = "text, numbers, times and maps by text always have a JSON form"
    )]
    let text = serde_json::to_string(value).expect("a message has a JSON form");
    text
}

#[cfg(test)]
pub(crate) mod tests;
