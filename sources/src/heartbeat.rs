//! Calls of heartbeats: a run succeeded, failed, or began.
//!
//! The words are those of Healthchecks (<https://healthchecks.io/docs/http_api/>) and of Cronitor
//! (<https://cronitor.io/docs/telemetry-api>).
//!
//! Identity: the name of the heartbeat, so that it is the same however it is called.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemas::EventStatus;
use schemas::config::Heartbeat;

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json;
use crate::parsed::ParsedBody;

/// The type of an integration that only calls heartbeats, and what the events of calls have for their monitoring system.
pub const HEARTBEAT: &str = "heartbeat";
/// The name of the alert that begins when no further call comes.
const MISSED: &str = "Heartbeat missed";
/// The name of the alert after a call that reports a failed run.
const FAILED: &str = "Heartbeat failed";

/// A call that succeeded, as an event.
pub fn call(heartbeat: &Heartbeat) -> SourceEvent {
    let mut event = SourceEvent::new(
        [heartbeat.name.as_str()],
        EventStatus::Resolved,
        heartbeat.severity,
    );
    // The severity of the alert that begins if no further call comes.
    event.severity = heartbeat.severity;
    event.source.clone_from(&heartbeat.integration);
    event.object.clone_from(&heartbeat.name);
    let client = heartbeat.by_client.as_ref();
    let message = client.and_then(|client| client.alert_message.clone());
    event.name = message.unwrap_or_else(|| MISSED.to_owned());
    event.output = format!("heartbeat {} was called", heartbeat.name);
    event.labels.clone_from(&heartbeat.labels);
    event.lifetime = Some(lifetime(heartbeat));
    event.heartbeat = Some(heartbeat.name.clone());
    event
}

/// What a call reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A run succeeded.
    Succeeded,
    /// A run failed, with its exit code if that is known.
    Failed(Option<u8>),
    /// A run began.
    Began,
    /// A note, which changes nothing.
    Logged,
}

impl Signal {
    /// The signal of a word, or of an exit code.
    pub fn of(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "success" | "succeeded" | "complete" | "completed" | "ok" | "up" | "0" => Some(Self::Succeeded),
            "fail" | "failed" | "failure" | "error" | "down" => Some(Self::Failed(None)),
            "start" | "started" | "run" | "running" => Some(Self::Began),
            "log" => Some(Self::Logged),
            // A key is longer.
            code => code.parse().ok().map(|code| Self::Failed(Some(code))),
        }
    }
}

/// The signal of a call, by its path or else by its query; without one the run succeeded.
///
/// # Errors
///
/// A word that is no signal.
pub fn signal(in_path: Option<&str>, query: &BTreeMap<String, String>) -> Result<Signal, SourceError> {
    let asked = ["state", "status", "exit_code", "status_code"];
    let in_query = asked
        .iter()
        .find_map(|name| Some((*name, query.get(*name)?.as_str())));
    let given = in_path.map(|word| ("the last segment", word)).or(in_query);
    let Some((field, word)) = given.filter(|(_, word)| !word.is_empty()) else {
        return Ok(Signal::Succeeded);
    };
    Signal::of(word).ok_or_else(|| SourceError::Invalid {
        field: field.to_owned(),
        reason: format!("is {}", json::shortened(word)),
        remedy: "call with success, fail, start, log or an exit code from 0 to 255".to_owned(),
    })
}

/// The event of a call, with the message that came with it.
///
/// # Errors
///
/// None today; the type is that of all parsers.
pub fn parse_call(
    heartbeat: &Heartbeat,
    signal: Signal,
    message: Option<&str>,
) -> Result<ParsedBody, SourceError> {
    let mut event = call(heartbeat);
    let name = &heartbeat.name;
    if heartbeat.is_disabled() {
        return Ok(ParsedBody::nothing(
            "the heartbeat is disabled, so its calls change nothing",
        ));
    }
    match signal {
        Signal::Succeeded => {}
        Signal::Logged => return Ok(ParsedBody::nothing("a note changes nothing")),
        Signal::Began => {
            event.status = EventStatus::Acknowledged;
            event.output = format!("a run of heartbeat {name} has begun");
            event.lifetime = Some(seconds(heartbeat.grace_seconds));
        }
        Signal::Failed(code) => {
            event.status = EventStatus::Firing;
            FAILED.clone_into(&mut event.name);
            event.output = match code {
                Some(code) => format!("heartbeat {name} has failed with exit code {code}"),
                None => format!("heartbeat {name} has failed"),
            };
            event.lifetime = None;
        }
    }
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        event.output = format!("{}: {message}", event.output);
    }
    Ok(event.into())
}

/// When the next call is due, if one is.
pub fn next_call_by(heartbeat: &Heartbeat, signal: Signal, now: Timestamp) -> Option<Timestamp> {
    let lasting = match signal {
        Signal::Succeeded => lifetime(heartbeat),
        Signal::Began => seconds(heartbeat.grace_seconds),
        Signal::Failed(_) | Signal::Logged => return None,
    };
    Some(now.checked_add(lasting).unwrap_or(Timestamp::MAX))
}

fn lifetime(heartbeat: &Heartbeat) -> SignedDuration {
    seconds(heartbeat.period_seconds.saturating_add(heartbeat.grace_seconds))
}

fn seconds(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}
