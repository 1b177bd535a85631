//! A call of a heartbeat: all is well, and for how long.
//!
//! Identity: the name of the heartbeat, so that it is the same however it is called.

use jiff::{SignedDuration, Timestamp};
use schemas::EventStatus;
use schemas::config::Heartbeat;

use super::SourceEvent;

/// What the alert is called that begins when no further call comes.
const MISSED: &str = "Heartbeat missed";

/// One call.
pub(crate) fn call(heartbeat: &Heartbeat) -> SourceEvent {
    let mut event = SourceEvent::new(
        [heartbeat.name.as_str()],
        EventStatus::Resolved,
        heartbeat.severity,
    );
    // How bad it is if no other follows.
    event.severity = heartbeat.severity;
    event.source.clone_from(&heartbeat.integration);
    event.object.clone_from(&heartbeat.name);
    event.name = MISSED.to_owned();
    event.output = format!("heartbeat {} was called", heartbeat.name);
    event.labels.clone_from(&heartbeat.labels);
    event.lifetime = Some(lifetime(heartbeat));
    event.heartbeat = Some(heartbeat.name.clone());
    event
}

/// By when the next call must come.
pub(crate) fn next_call_by(heartbeat: &Heartbeat, now: Timestamp) -> Timestamp {
    now.checked_add(lifetime(heartbeat)).unwrap_or(Timestamp::MAX)
}

fn lifetime(heartbeat: &Heartbeat) -> SignedDuration {
    let seconds = heartbeat.period_seconds.saturating_add(heartbeat.grace_seconds);
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}
