//! When a source is silent: what it said ends by itself.
//!
//! Whether a source is silent cannot be told from what was read so far: its last word may still be on the way. So a
//! question is sent the way of the events, to arrive after everything that was accepted before it, and only its answer
//! ends anything. Whenever something took so long that senders may have been unable to speak, they get their whole
//! time again.

use jiff::{SignedDuration, Timestamp};
use schemas::{Actor, AlertEvent, EventStatus, Happening, Reason, What};

use super::{Change, Effect, Ignored, events, heartbeat};
use crate::state::{AlertState, Expiry};

/// How far the kept time may lag behind the true one, at the most and at the least: a word that only says the same
/// again is not written each time.
const SLACK: (i64, i64) = (10, 60);
/// A question without an answer is put again.
const ASKED_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// What is later than this was held up, and proves nothing about the source.
const LATE: SignedDuration = SignedDuration::from_secs(60);
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
        heartbeat: event.heartbeat.clone(),
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

/// Puts the question if it is due.
pub(crate) fn advance(change: &mut Change<'_>) {
    let now = change.now;
    let due = change
        .state
        .expiry
        .as_ref()
        .is_some_and(|expiry| expiry.due_at() <= now);
    if due && !heartbeat::is_awaited(change) {
        change.state.expiry = None;
        change.keep();
    }
    let Some(expiry) = change.state.expiry.as_mut() else {
        return;
    };
    let overdue = now.duration_since(expiry.due_at());
    if overdue.is_negative() {
        return;
    }
    if overdue > LATE {
        // Nobody was here to listen.
        expiry.begin_anew(now);
    } else {
        expiry.asked_at = Some(now);
        let since = expiry.heard_at;
        change.question = Some(question(&change.state, since, now));
    }
    change.keep();
}

/// The question has come back.
pub(super) fn answer(change: &mut Change<'_>, asked_at: Timestamp, since: Timestamp) {
    let now = change.now;
    let asked = |expiry: &&mut Expiry| expiry.heard_at == since && expiry.asked_at.is_some();
    let Some(expiry) = change.state.expiry.as_mut().filter(asked) else {
        change.ignored = Some(Ignored::Overtaken);
        return;
    };
    if now.duration_since(asked_at) > LATE {
        expiry.begin_anew(now);
        change.keep();
        return;
    }
    if let Some(name) = expiry.heartbeat.clone() {
        if !heartbeat::is_awaited(change) {
            change.state.expiry = None;
            change.keep();
            return;
        }
        heartbeat::missed(change, &name, since);
        return;
    }
    let happening = Happening {
        actor: Actor::System,
        what: What::Closed { output: None },
        reasons: vec![Reason::SourceSilent { since }],
    };
    change.state.ended = None;
    events::close(change, happening, None);
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

    fn begin_anew(&mut self, now: Timestamp) {
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

/// The same question always has the same id.
fn question(state: &AlertState, since: Timestamp, now: Timestamp) -> AlertEvent {
    let alert = &state.alert;
    let id = crate::fingerprint([
        alert.fingerprint.to_string().as_str(),
        "unheard",
        &since.to_string(),
        &now.to_string(),
    ]);
    AlertEvent {
        event_id: uuid::Builder::from_custom_bytes(*id.as_bytes()).into_uuid(),
        fingerprint: alert.fingerprint,
        accepted_at: now,
        occurred_at: None,
        expires_at: None,
        unheard_since: Some(since),
        acknowledged: false,
        began_at: None,
        opens_as: None,
        outcome_wanted: false,
        heartbeat: None,
        wish: None,
        status: EventStatus::Resolved,
        severity: alert.severity,
        integration: alert.integration.clone(),
        monitoring_system: alert.monitoring_system.clone(),
        source: alert.source.clone(),
        service: alert.service.clone(),
        object: alert.object.clone(),
        name: alert.name.clone(),
        output: String::new(),
        labels: [].into(),
        annotations: [].into(),
        links: [].into(),
        environment: None,
        scenario: None,
    }
}

#[cfg(test)]
mod tests;
