//! A message as it is: headers, and a body of one or several parts.

use std::collections::BTreeMap;
use std::ops::Deref;

use jiff::Timestamp;
use mail_parser::{Message, MessageParser, PartType};
use serde_json::{Map, Value, json};

use super::about_mail;
use super::subject::{self, Unclear};
use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::parsed::ParsedBody;

/// How often the word may be in a message: a monitoring system sends one part of several, or two.
const MULTIPARTS_MAX: usize = 200;
/// Encodings of what is not encoded.
const NO_ENCODINGS: [&str; 3] = ["7bit", "8bit", "binary"];
const BEGINNINGS: &str = "begin it with PROBLEM, FIRING, ALARM, CRITICAL, WARNING or DOWN to open an alert, with RECOVERY, \
                          RESOLVED, OK or UP to end it, and then say what it is about";

pub(super) fn parse(body: &[u8]) -> Result<ParsedBody, SourceError> {
    let message = parsed(body).ok_or(SourceError::Malformed {
        reason: "the body is neither JSON nor a message, or its parts are nested too deeply".to_owned(),
        remedy: "send a message with its headers and a text, or JSON with subject and sender",
    })?;
    let refused = |field: &str, reason: String, remedy: &str| SourceError::Invalid {
        field: field.to_owned(),
        reason,
        remedy: remedy.to_owned(),
    };
    let text = message.subject().unwrap_or_default();
    let found = subject::parse_subject(text).map_err(|unclear| {
        let reason = match unclear {
            Unclear::State => format!("{text:?} does not begin with a state"),
            Unclear::Contradiction => format!("{text:?} contradicts itself"),
            Unclear::Name => format!("{text:?} does not say what it is about"),
        };
        refused("subject", reason, BEGINNINGS)
    })?;
    let sender =
        sender(&message).ok_or_else(|| refused("from", "is missing".to_owned(), "send the header From"))?;
    let mut event = SourceEvent::new(["mail", &sender, &found.about], found.status, found.severity);
    about_mail(&mut event);
    event.output = text_of(&message).unwrap_or_else(|| text.trim().to_owned());
    event.occurred_at = sent_at(&message);
    (event.name, event.source) = (found.about, sender);
    Ok(event.into())
}

/// A message as the JSON that a mapping of the site reads. What the message does not have is not in it; of a header that
/// it has twice, the first one is.
pub(crate) fn as_json(body: &[u8]) -> Result<Value, SourceError> {
    let message = parsed(body).ok_or(SourceError::Malformed {
        reason: "the body is no message, or its parts are nested too deeply".to_owned(),
        remedy: "send a message with its headers and a text",
    })?;
    let from_name = message.from().and_then(|from| from.first()?.name());
    let members = [
        ("from", sender(&message)),
        ("from_name", from_name.map(str::to_owned)),
        (
            "subject",
            message.subject().map(|subject| subject.trim().to_owned()),
        ),
        ("text", text_of(&message)),
        ("date", sent_at(&message).map(|date| date.to_string())),
    ];
    let mut value: Map<_, _> = members
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text?.into())))
        .collect();
    value.insert("headers".to_owned(), json!(headers(&message)));
    Ok(value.into())
}

fn parsed(body: &[u8]) -> Option<Parsed<'_>> {
    if is_too_nested(body) {
        return None;
    }
    // Headers that no standard knows are encoded like those that one does.
    let parser = MessageParser::new().with_minimal_headers().default_header_text();
    parser.parse(body).map(Parsed)
}

/// Whether the parser would look for the ends of too many parts, each in all of the rest, or would copy messages that are
/// in one another each within the copy of another. A message in a message is not encoded
/// (<https://www.rfc-editor.org/rfc/rfc2046#section-5.2.1>).
fn is_too_nested(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    if text.matches("multipart").count() > MULTIPARTS_MAX {
        return true;
    }
    let text = text.replace('\r', "");
    let is_digest = |kind: &str| kind.starts_with(['m', '(']) && kind.contains("digest");
    let has_digests = values(&text, "content-type").any(is_digest);
    let is_message = |kind: &str| kind.starts_with("message") || kind.starts_with('(');
    let may_be_message = |block: &str| has_digests || values(block, "content-type").any(is_message);
    let is_encoded = |block: &str| {
        let mut encodings = values(block, "content-transfer-encoding");
        encodings.any(|encoding| !NO_ENCODINGS.iter().any(|known| encoding.starts_with(known)))
    };
    text.split("\n\n")
        .any(|block| may_be_message(block) && is_encoded(block))
}

/// The first lines of the values of the headers of this name.
fn values<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(name).filter_map(move |(at, _)| {
        let value = text
            .get(at + name.len()..)?
            .trim_start()
            .strip_prefix(':')?
            .trim_start();
        value.lines().next()
    })
}

/// A message that is dropped without recursion, however many others are in one another in it.
struct Parsed<'x>(Message<'x>);

impl<'x> Deref for Parsed<'x> {
    type Target = Message<'x>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Parsed<'_> {
    fn drop(&mut self) {
        let mut parts = std::mem::take(&mut self.0.parts);
        while let Some(part) = parts.pop() {
            if let PartType::Message(mut inner) = part.body {
                parts.append(&mut inner.parts);
            }
        }
    }
}

fn sender(message: &Message<'_>) -> Option<String> {
    let address = message.from()?.first()?.address()?;
    (!address.is_empty()).then(|| address.to_lowercase())
}

/// The first part that is text.
fn text_of(message: &Message<'_>) -> Option<String> {
    let text = message.body_text(0)?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn sent_at(message: &Message<'_>) -> Option<Timestamp> {
    let date = message.date().filter(|date| date.is_valid())?;
    Timestamp::from_second(date.to_timestamp()).ok()
}

/// The headers by their names in small letters; as they stand there where they are more than a text.
fn headers(message: &Message<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (header, (name, raw)) in message.headers().iter().zip(message.headers_raw()) {
        let text = header.value().as_text().unwrap_or(raw).trim().to_owned();
        headers.entry(name.to_ascii_lowercase()).or_insert(text);
    }
    headers
}
