//! E-mail: messages as they are, and messages that another program received and posts as JSON, in Harp's shape.
//!
//! Identity: sender, and what the subject is about.

use http::HeaderMap;

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::parsed::ParsedBody;
use crate::source::{POST, Source};

mod harp;
mod message;
pub(crate) mod subject;

pub(crate) use self::message::as_json;

/// The entry of this source in the registry.
pub const SOURCE: Source = Source {
    name: "email",
    title: "E-mail: messages as they are, or as JSON in Harp's shape",
    documentation: "docs/sources/email.md",
    methods: POST,
    parse,
};

/// The content type of a message as it is.
pub const MESSAGE: &str = "message/rfc822";

/// Parses one message. No header of a message begins like JSON.
fn parse(_: &HeaderMap, body: &[u8]) -> Result<ParsedBody, SourceError> {
    match body.trim_ascii_start().first() {
        None | Some(b'{' | b'[') => harp::parse(body),
        Some(_) => message::parse(body),
    }
}

/// What all mail is about.
fn about_mail(event: &mut SourceEvent) {
    event.object = "email".to_owned();
    event.service = Some("email".to_owned());
}
