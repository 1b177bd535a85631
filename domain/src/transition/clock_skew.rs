//! Senders whose clock is wrong.
//!
//! Prometheus says of an alert that fires until when it holds, a few minutes ahead, and of one that has ended when that was:
//! both are `endsAt`. By a clock that is some minutes slow both have passed on arrival, and only what is known of the alert
//! tells them apart. While it fires, its end stays as far behind the time of arrival as it was when it opened, since both
//! move on with each message. Once it has ended the end moves no more, so it falls further behind.

use jiff::{SignedDuration, Timestamp};
use schemas::{AlertEvent, DecoratedEvent, EndEvidence, EventKind, Reason, Status};

use crate::state::AlertState;

/// By how much more than at the opening an end may be behind while the alert fires. Messages are not sent and taken at an even
/// pace; Prometheus repeats itself after a minute unless it is configured otherwise.
const LAG_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);
/// A difference of less than this is no fault of a clock worth a remark.
const SKEW_SHOWN_FROM: SignedDuration = SignedDuration::from_secs(60);

/// By how much the end that an event names has passed when it arrived, if it rests on nothing but the sender's clock.
pub(super) fn end_lag(event: &AlertEvent) -> Option<SignedDuration> {
    began_at(event)?;
    let ended_at = event.occurred_at?;
    Some(event.accepted_at.duration_since(ended_at))
}

/// When the problem began, if its end rests on nothing but the sender's clock.
fn began_at(event: &AlertEvent) -> Option<Timestamp> {
    match event.kind {
        EventKind::Resolved {
            evidence: EndEvidence::Clock { began_at },
        } => Some(began_at),
        _ => None,
    }
}

/// The event as one that fires, if its end has passed only by a clock that is slow: of an alert that is not known, of a new
/// problem after the last one has ended, and of one that was opened so and whose end is no further behind.
pub(super) fn as_firing(known: Option<&AlertState>, decorated: &DecoratedEvent) -> Option<DecoratedEvent> {
    let event = &decorated.event;
    let (began_at, lag) = (began_at(event)?, end_lag(event)?);
    let fires = known.is_none_or(|state| {
        let keeps_pace = state
            .end_lag_seconds
            .is_some_and(|known| lag <= SignedDuration::from_secs(known) + LAG_TOLERANCE);
        let is_new_problem = state.alert.status == Status::Closed
            && state.alert.closed_at.is_none_or(|closed_at| began_at > closed_at);
        keeps_pace || is_new_problem
    });
    fires.then(|| {
        let mut decorated = decorated.clone();
        decorated.event.kind = EventKind::Firing { acknowledged: false };
        decorated.event.occurred_at = Some(began_at);
        decorated
    })
}

/// What is wrong with the clock of the sender of an event that opens an alert, for its history.
pub(super) fn remark(event: &AlertEvent, end_lag: Option<SignedDuration>) -> Option<Reason> {
    let said_at = event.occurred_at?;
    let ahead = said_at.duration_since(event.accepted_at);
    if let Some(lag) = end_lag {
        return Some(Reason::SenderClockBehind {
            at_least_seconds: lag.as_secs(),
            at_most_seconds: event.accepted_at.duration_since(said_at).as_secs(),
        });
    }
    (ahead >= SKEW_SHOWN_FROM).then(|| Reason::SenderClockAhead {
        at_least_seconds: ahead.as_secs(),
        began_at: said_at,
    })
}

/// The lag of the end by which an alert is opened, or kept open.
pub(super) fn remember(state: &mut AlertState, end_lag: Option<SignedDuration>) -> bool {
    let lag = end_lag.map(|lag| lag.as_secs().max(0));
    let lag = match (state.end_lag_seconds, lag) {
        (Some(known), Some(lag)) if state.is_open() => Some(known.min(lag)),
        (_, lag) => lag,
    };
    std::mem::replace(&mut state.end_lag_seconds, lag) != lag
}

#[cfg(test)]
mod tests;
