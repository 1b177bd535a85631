//! The id of an accepted request: it says what was asked for, and of which alert, so that it can be asked later what came
//! of it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemas::Fingerprint;
use uuid::Uuid;

/// What Opsgenie calls the creation of an alert.
pub const CREATE: &str = "Create";
/// What it calls its deletion.
pub const DELETE: &str = "Delete";
/// What is said of an action that has no name of its own.
const OTHER: (&str, &str) = ("Update", "Updated alert");

/// The last segment of the path of what is done to an alert, with the method if that matters; what Opsgenie calls it, and
/// what it says when it is done.
const ACTIONS: [(&str, &str, &str); 19] = [
    ("", CREATE, "Created alert"),
    ("", DELETE, "Deleted alert"),
    ("acknowledge", "Acknowledge", "Acknowledged alert"),
    ("unacknowledge", "UnAcknowledge", "Unacknowledged alert"),
    ("close", "Close", "Closed alert"),
    ("notes", "AddNote", "Note added to alert"),
    ("snooze", "Snooze", "Snoozed alert"),
    ("assign", "AssignOwnership", "Assigned ownership of alert"),
    ("priority", "UpdatePriority", "Updated priority of alert"),
    ("message", "UpdateMessage", "Updated message of alert"),
    ("description", "UpdateDescription", "Updated description of alert"),
    ("tags", "AddTags", "Tags added to alert"),
    ("DELETE tags", "RemoveTags", "Tags removed from alert"),
    ("details", "AddDetails", "Details added to alert"),
    ("DELETE details", "RemoveDetails", "Details removed from alert"),
    ("escalate", "EscalateToNext", "Escalated alert"),
    ("teams", "AddTeam", "Team added to alert"),
    ("responders", "AddResponder", "Responder added to alert"),
    ("actions", "ExecuteCustomAction", "Custom action recorded"),
];

/// An accepted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    /// The event that it became.
    pub event_id: Uuid,
    /// What was asked for, in Opsgenie's words.
    pub action: &'static str,
    /// Of which alert.
    pub fingerprint: Fingerprint,
}

/// The text is no id of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no request with this id; give the requestId of an answer")]
pub struct UnknownRequest;

/// What Opsgenie calls what is done to an alert, by the last segment of its path.
pub fn action_of(segment: &str, removes: bool) -> &'static str {
    let removing = format!("DELETE {segment}");
    let wanted = if removes { removing.as_str() } else { segment };
    let found = ACTIONS.iter().find(|(known, ..)| *known == wanted);
    found.map_or(OTHER.0, |(_, action, _)| action)
}

impl RequestId {
    /// What Opsgenie says once it is done.
    pub fn done(&self) -> &'static str {
        let found = ACTIONS.iter().find(|(_, action, _)| *action == self.action);
        found.map_or(OTHER.1, |(_, _, done)| done)
    }

    /// When it was accepted, to a millisecond.
    pub fn accepted_at(&self) -> Option<Timestamp> {
        let (seconds, nanoseconds) = self.event_id.get_timestamp()?.to_unix();
        let nanoseconds = i32::try_from(nanoseconds).ok()?;
        Timestamp::new(i64::try_from(seconds).ok()?, nanoseconds).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.event_id, self.action, self.fingerprint)
    }
}

impl FromStr for RequestId {
    type Err = UnknownRequest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut parts = text.splitn(3, '.');
            let event_id: Uuid = parts.next()?.parse().ok()?;
            let action = parts.next()?;
            let actions = ACTIONS.iter().map(|(_, action, _)| *action);
            let id = Self {
                event_id,
                action: actions.chain([OTHER.0]).find(|known| *known == action)?,
                fingerprint: parts.next()?.parse().ok()?,
            };
            id.accepted_at().map(|_| id)
        };
        read().ok_or(UnknownRequest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c2_the_id_of_a_request_says_what_was_asked_for_and_when() {
        let at = uuid::Timestamp::from_unix(uuid::NoContext, 1_788_000_000, 5_000_000);
        let id = RequestId {
            event_id: Uuid::new_v7(at),
            action: action_of("tags", true),
            fingerprint: Fingerprint::from_bytes([7; 16]),
        };
        assert_eq!((id.action, id.done()), ("RemoveTags", "Tags removed from alert"));
        assert_eq!(
            id.accepted_at().map(|at| at.as_millisecond()),
            Some(1_788_000_000_005)
        );
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(action_of("nothing", false), "Update");
        let nil = "00000000-0000-0000-0000-000000000000.Create.07070707070707070707070707070707";
        for text in ["", "x", "a.b.c", nil, &id.to_string()[1..]] {
            assert_eq!(text.parse::<RequestId>(), Err(UnknownRequest), "{text}");
        }
    }
}
