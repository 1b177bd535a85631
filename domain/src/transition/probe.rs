//! When a source is silent: what it said ends by itself.
//!
//! Whether a source is silent cannot be told from what was read so far: its last word may still be on the way. So a
//! question is sent the way of the events, to arrive after everything that was accepted before it, and only its answer
//! ends anything. Whenever something took so long that senders may have been unable to speak, they get their whole
//! time again.

use jiff::{SignedDuration, Timestamp};
use schemas::{Actor, AlertEvent, EventKind, Happening, Reason, What};

use super::change::Change;
use super::outcome::Ignored;
use super::{heartbeat, lifecycle};
use crate::state::{AlertState, Expiry};

/// What is later than this was held up, and proves nothing about the source.
const PROBE_LATE_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Puts the question if it is due.
pub(super) fn advance(change: &mut Change<'_>) {
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
    if overdue > PROBE_LATE_AFTER {
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
    if now.duration_since(asked_at) > PROBE_LATE_AFTER {
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
    lifecycle::close(change, happening, None);
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
        kind: EventKind::Probe { silent_since: since },
        outcome_wanted: false,
        key: None,
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
