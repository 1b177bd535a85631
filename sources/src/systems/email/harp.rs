//! JSON in Harp's shape. It opens alerts; people end them.

use schemas::{EventStatus, Severity};

use super::about_mail;
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json;
use crate::parsed::ParsedBody;

pub(super) fn parse(body: &[u8]) -> Result<ParsedBody, SourceError> {
    let body = json::body(body)?.object()?;
    let subject = body.needed(&["subject"], "send the subject of the message")?;
    let sender = body.needed(&["sender", "from"], "send the sender of the message")?;
    let mut event = SourceEvent::new(
        ["message", &sender, &subject],
        EventStatus::Firing,
        Severity::Critical,
    );
    about_mail(&mut event);
    event.output = body
        .first(&["body", "text", "content", "message"])?
        .unwrap_or_else(|| subject.clone());
    (event.name, event.source) = (subject, sender);
    Ok(event.into())
}
