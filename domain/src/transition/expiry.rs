//! For how long what a source says holds, if it does not hold until the source says otherwise.

use jiff::{SignedDuration, Timestamp};
use schemas::{AlertEvent, EventKind};

use super::change::Change;
use super::outcome::Effect;
use crate::state::Expiry;

/// How far the kept time may lag behind the true one, at the most and at the least: a word that only says the same
/// again is not written each time.
const SLACK: (i64, i64) = (10, 60);

/// A question without an answer is put again.
const ASKED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// How much time a heartbeat has again then, at the most: who calls once a day is not to be missed a day later.
const ANEW_MOST_SECONDS: u64 = 3600;

/// What the event says of its own end. The time that it was on its way is no silence.
pub(super) fn of(event: &AlertEvent, now: Timestamp) -> Option<Expiry> {
    let lifetime = event.expires_at?.duration_since(event.accepted_at);
    let lifetime_seconds = u64::try_from(lifetime.as_millis()).unwrap_or(0).div_ceil(1000);
    Some(Expiry {
        heard_at: event.accepted_at,
        lifetime_seconds,
        expires_at: after(now, lifetime_seconds),
        asked_at: None,
        heartbeat: match &event.kind {
            EventKind::HeartbeatCall { heartbeat, .. } => Some(heartbeat.clone()),
            _ => None,
        },
    })
}

/// Takes over what a further event says of its end. It is kept if anything else is, or if it has moved too far.
pub(super) fn refresh(change: &mut Change<'_>, event: &AlertEvent) {
    let newer = of(event, change.now);
    let (moved, only_moved) = match (&change.state.expiry, &newer) {
        (Some(known), Some(newer)) => (known.moves_to(newer), known.only_moves_to(newer)),
        (None, None) => (false, true),
        _ => (true, false),
    };
    if !moved && change.effect == Effect::Nothing {
        return;
    }
    change.state.expiry = newer;
    if only_moved {
        change.seen();
    } else {
        change.keep();
    }
}

impl Expiry {
    /// When something is to be done about it: the question put, or put again.
    pub(crate) fn due_at(&self) -> Timestamp {
        match self.asked_at {
            Some(asked_at) => asked_at.checked_add(ASKED_EVERY),
            None => self.expires_at.checked_add(self.slack()),
        }
        .unwrap_or(Timestamp::MAX)
    }

    fn slack(&self) -> SignedDuration {
        let (least, most) = SLACK;
        let quarter = i64::try_from(self.lifetime_seconds / 4).unwrap_or(most);
        SignedDuration::from_secs(quarter.clamp(least, most))
    }

    fn moves_to(&self, newer: &Expiry) -> bool {
        self.asked_at.is_some() || newer.expires_at.duration_since(self.expires_at).abs() >= self.slack()
    }

    /// Whether nothing but the time of the last word changes: the deadline that is kept comes too early, and is another one
    /// then.
    fn only_moves_to(&self, newer: &Expiry) -> bool {
        newer.expires_at >= self.expires_at
            && *self
                == Expiry {
                    heard_at: self.heard_at,
                    expires_at: self.expires_at,
                    ..newer.clone()
                }
    }

    pub(super) fn begin_anew(&mut self, now: Timestamp) {
        let seconds = match self.heartbeat {
            Some(_) => self.lifetime_seconds.min(ANEW_MOST_SECONDS),
            None => self.lifetime_seconds,
        };
        self.expires_at = after(now, seconds);
        self.asked_at = None;
    }
}

fn after(now: Timestamp, seconds: u64) -> Timestamp {
    let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    now.checked_add(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
