//! E-mail: messages as they are, and messages that somebody else received and posts as JSON, in Harp's shape.
//!
//! Identity: sender, and what the subject is about.

use axum::http::HeaderMap;

use super::{SourceError, SourceEvent, Understood};

mod harp;
mod message;
pub(super) mod subject;

pub(super) use self::message::as_json;

/// The type of the content of a message as it is.
pub(crate) const MESSAGE: &str = "message/rfc822";

/// Reads one message. No header of a message begins like JSON.
pub(super) fn read(_: &HeaderMap, body: &[u8]) -> Result<Understood, SourceError> {
    match body.trim_ascii_start().first() {
        None | Some(b'{' | b'[') => harp::read(body),
        Some(_) => message::read(body),
    }
}

/// What all mail is about.
fn about_mail(event: &mut SourceEvent) {
    event.object = "email".to_owned();
    event.service = Some("email".to_owned());
}
