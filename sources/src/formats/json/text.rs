//! The texts of a body.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// JSON without the white space between its tokens, so that its layout is no part of a label.
pub(super) fn compact(raw: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let mut keep = |character: &char| {
        let kept = in_text || !character.is_ascii_whitespace();
        if *character == '"' && !escaped {
            in_text = !in_text;
        }
        escaped = *character == '\\' && !escaped;
        kept
    };
    raw.chars().filter(|character| keep(character)).collect()
}

/// A value in quotes for a message, cut to 60 characters.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(MOST).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    format!("{short:?}")
}

/// The text of a JSON string. Half a surrogate pair, which remains where a sender has cut a text, becomes U+FFFD
/// rather than costing the alert.
pub(super) fn unquoted(raw: &str) -> Cow<'_, str> {
    match serde_json::from_str::<Text<'_>>(raw) {
        Ok(Text(text)) => text,
        Err(_) => {
            let Bytes(bytes) = serde_json::from_str(raw).unwrap_or_default();
            Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
        }
    }
}

/// Borrowed where nothing is escaped.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A JSON string as bytes, which need not be UTF-8.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Reader)
    }
}
