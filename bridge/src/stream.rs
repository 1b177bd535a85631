//! What clients with one filter are sent: the same frames for all of them, whatever each has seen.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::frames::{Encoder, Frames};
use crate::replica::{List, Replica};
use crate::subscription::Subscription;

/// Alerts in the deltas that are kept, for clients that are a little late.
const RECENT_ALERTS_MAX: usize = 2_000;
/// Bytes of them.
const RECENT_BYTES_MAX: usize = 1024 * 1024;
/// Deltas that are kept.
const RECENT_MAX: usize = 256;
/// A snapshot that so many changes have overtaken is made anew for the next client.
const SNAPSHOT_CHANGES_MAX: u64 = 5_000;

/// The frames of one filter.
pub(crate) struct Stream {
    encoder: Arc<Encoder>,
    screen: Subscription,
    /// Whatever changed after this is in `recent`.
    recent_since: u64,
    /// The last deltas, the oldest first.
    recent: VecDeque<Arc<Frames>>,
    snapshot: Option<Arc<Frames>>,
    /// What brought a client that was late to the present.
    catch_up: Option<Arc<Frames>>,
}

/// What comes next for a client.
pub(crate) enum Next {
    Frames(Arc<Frames>),
    /// Nothing up to this place in the stream.
    Nothing(u64),
    /// More than is remembered: it needs a snapshot.
    Lost,
}

impl Stream {
    /// Begins with what passes the filter now.
    pub const fn new(encoder: Arc<Encoder>, screen: Subscription) -> Self {
        Self {
            encoder,
            recent_since: screen.position(),
            screen,
            recent: VecDeque::new(),
            snapshot: None,
            catch_up: None,
        }
    }

    pub const fn position(&self) -> u64 {
        self.screen.position()
    }

    /// Goes on to the present; `false` when too much has changed since, and a new stream is needed.
    #[must_use]
    pub fn advance(&mut self, replica: &Replica) -> bool {
        let (since, to) = (self.position(), replica.head());
        if since == to {
            return true;
        }
        let Some(news) = replica.news(since, self.screen.filter()) else {
            return false;
        };
        let changes = self.screen.take(&news, to);
        if !changes.is_empty() {
            let delta = Frames::delta(&self.encoder, since..to, changes, self.screen.counters());
            self.recent.push_back(Arc::new(delta));
            self.forget_old_deltas();
        }
        true
    }

    fn forget_old_deltas(&mut self) {
        let (mut alerts, mut bytes, mut kept) = (0, 0, 0);
        // The newest one stays, however large it is.
        for delta in self.recent.iter().rev() {
            alerts += delta.len();
            bytes += delta.bytes();
            let is_too_much = alerts > RECENT_ALERTS_MAX || bytes > RECENT_BYTES_MAX || kept == RECENT_MAX;
            if kept > 0 && is_too_much {
                break;
            }
            kept += 1;
        }
        for delta in self.recent.drain(..self.recent.len() - kept) {
            self.recent_since = delta.to;
        }
    }

    /// A snapshot that clients can begin with; `None` when a new stream is needed.
    pub fn snapshot(&mut self, replica: &Replica) -> Option<Arc<Frames>> {
        if let Some(snapshot) = &self.snapshot
            && replica.head().saturating_sub(snapshot.to) <= SNAPSHOT_CHANGES_MAX
        {
            return Some(Arc::clone(snapshot));
        }
        if !self.advance(replica) {
            return None;
        }
        Some(self.snapshot_of(&replica.list()))
    }

    /// A snapshot of the alerts as they are at the position.
    fn snapshot_of(&mut self, list: &List) -> Arc<Frames> {
        let alerts = list
            .parts()
            .flatten()
            .filter(|alert| self.screen.shows(alert))
            .cloned()
            .collect();
        let snapshot = Frames::snapshot(&self.encoder, self.position(), alerts, self.screen.counters());
        let snapshot = Arc::new(snapshot);
        self.snapshot = Some(Arc::clone(&snapshot));
        snapshot
    }

    /// No client begins any more.
    pub fn forget_beginnings(&mut self) {
        self.snapshot = None;
        self.catch_up = None;
    }

    /// What comes next for a client that has seen everything up to `since`.
    pub fn after(&mut self, replica: &Replica, since: u64) -> Next {
        if since < self.recent_since {
            return self.resume(replica, since).map_or(Next::Lost, Next::Frames);
        }
        // A delta may begin before `since`: what it repeats does no harm.
        match self.recent.iter().find(|delta| delta.to > since) {
            Some(delta) => Next::Frames(Arc::clone(delta)),
            None => Next::Nothing(self.position()),
        }
    }

    /// All that a client has missed that has seen everything up to `since`, with the latest state of each alert; `None`
    /// when that is no longer known.
    pub fn resume(&mut self, replica: &Replica, since: u64) -> Option<Arc<Frames>> {
        if let Some(frames) = &self.catch_up
            && frames.since == since
            && frames.to >= self.recent_since
        {
            return Some(Arc::clone(frames));
        }
        // The client must not be ahead of the stream, which says what is gone only of what it has had itself.
        if !self.advance(replica) {
            return None;
        }
        let news = replica.news(since, self.screen.filter())?;
        let missed = self.screen.missed(&news);
        let to = self.position();
        let frames = Frames::delta(&self.encoder, since..to, missed, self.screen.counters());
        let frames = Arc::new(frames);
        self.catch_up = Some(Arc::clone(&frames));
        Some(frames)
    }
}

#[cfg(test)]
mod tests;
