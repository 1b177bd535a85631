//! E-mail that somebody else received and posts as JSON, in Harp's shape. It opens alerts; people end them.
//!
//! Identity: sender and subject.

use axum::http::HeaderMap;
use schemas::{EventStatus, Severity};

use super::json;
use super::{SourceError, SourceEvent, Understood};

/// Reads one message.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    let body = json::body(body)?.object()?;
    let subject = body.needed(&["subject"], "send the subject of the message")?;
    let sender = body.needed(&["sender", "from"], "send the sender of the message")?;
    let mut event = SourceEvent::new(
        ["message", &sender, &subject],
        EventStatus::Firing,
        Severity::Critical,
    );
    event.object = "email".to_owned();
    event.service = Some("email".to_owned());
    event.output = body
        .first(&["body", "text", "content", "message"])?
        .unwrap_or_else(|| subject.clone());
    (event.name, event.source) = (subject, sender);
    Ok(event.into())
}
