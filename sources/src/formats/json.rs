//! JSON bodies, read field by field, so that errors name the path of a field.
//!
//! A value stays the text that it was sent as until it is read. So a number that is read as a text keeps all its digits, and
//! a value that is not read is never built.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::SourceError;
use crate::formats::MAX_ALERTS_PER_BODY;

mod place;
mod text;
mod time;

use text::{Text, compact, unquoted};

pub(crate) use place::Place;
pub(crate) use text::shortened;
pub(crate) use time::time_of;

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a, 'p> {
    raw: &'a str,
    pub(crate) place: Place<'p>,
}

/// A whole body that the user of a sender writes as a template.
pub(crate) fn body(bytes: &[u8]) -> Result<Node<'_, 'static>, SourceError> {
    whole(bytes, Place::Body)
}

/// A whole body that a program writes.
pub(crate) fn made(bytes: &[u8]) -> Result<Node<'_, 'static>, SourceError> {
    whole(bytes, Place::Made)
}

fn whole<'a>(bytes: &'a [u8], place: Place<'static>) -> Result<Node<'a, 'static>, SourceError> {
    let text = std::str::from_utf8(bytes).map_err(|error| SourceError::Malformed {
        reason: format!(
            "the body is not UTF-8 text: its byte {} cannot be read",
            error.valid_up_to()
        ),
        remedy: "send JSON in UTF-8",
    })?;
    // Some senders on Windows begin with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(SourceError::Malformed {
            reason: "the body is empty".to_owned(),
            remedy: "send JSON",
        });
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| SourceError::Malformed {
        reason: format!("the body is not JSON: {error}"),
        remedy: "look at that place; texts need their quotes and backslashes escaped",
    })?;
    Ok(Node::new(raw, place))
}

/// A whole body as a value.
pub(crate) fn value(bytes: &[u8]) -> Result<serde_json::Value, SourceError> {
    serde_json::from_str(body(bytes)?.raw).map_err(|error| SourceError::Malformed {
        reason: format!("the body cannot be read: {error}"),
        remedy: "look at that place",
    })
}

/// The JSON inside a text of a body.
pub(crate) fn within<'a, 'p>(text: &'a str, place: Place<'p>) -> Result<Node<'a, 'p>, SourceError> {
    let raw: &RawValue = serde_json::from_str(text)
        .map_err(|error| place.invalid(format!("is not JSON: {error}"), "send JSON inside this text"))?;
    Ok(Node::new(raw, place))
}

impl<'a, 'p> Node<'a, 'p> {
    pub(crate) fn new(raw: &'a RawValue, place: Place<'p>) -> Self {
        Self {
            raw: raw.get(),
            place,
        }
    }

    /// The kind of the value, as errors name it.
    fn kind(&self) -> &'static str {
        match self.raw.as_bytes().first() {
            Some(b'"') => "text",
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    fn wrong(&self, wanted: &str, example: &str) -> SourceError {
        self.place.invalid(
            format!("must be {wanted}, not {}", self.kind()),
            format!("send something like {example}"),
        )
    }

    fn is_null(&self) -> bool {
        self.kind() == "null"
    }

    pub(crate) fn is_list(&self) -> bool {
        self.kind() == "a list"
    }

    pub(crate) fn is_object(self) -> bool {
        self.kind() == "an object"
    }

    /// Its members.
    pub(crate) fn object(self) -> Result<Object<'a, 'p>, SourceError> {
        if self.kind() != "an object" {
            return Err(self.wrong("an object", "{…}"));
        }
        match serde_json::from_str(self.raw) {
            Ok(Members(members)) => Ok(Object {
                members,
                place: self.place,
            }),
            Err(_) => Err(self
                .place
                .invalid("has a name that is not text", "send names in Unicode")),
        }
    }

    /// Its items.
    pub(crate) fn list(self) -> Result<Vec<&'a RawValue>, SourceError> {
        if !self.is_list() {
            return Err(self.wrong("a list", "[…]"));
        }
        let items: Vec<&RawValue> = serde_json::from_str(self.raw).map_err(|error| {
            self.place
                .invalid(format!("cannot be read: {error}"), "send a list")
        })?;
        if items.len() > MAX_ALERTS_PER_BODY {
            let reason = format!("has {} alerts", items.len());
            return Err(self
                .place
                .invalid(reason, format!("send at most {MAX_ALERTS_PER_BODY} in one body")));
        }
        Ok(items)
    }

    /// The items of a list, or the value itself, as texts for a person. Unfilled placeholders are left out.
    pub(crate) fn texts(self) -> Vec<String> {
        let items: Vec<&RawValue> = match self.is_list() {
            true => serde_json::from_str(self.raw).unwrap_or_default(),
            false => serde_json::from_str(self.raw).into_iter().collect(),
        };
        let items = items.into_iter().map(|item| Node::new(item, self.place));
        let texts = items.filter(|item| !item.is_null()).map(Node::for_people);
        texts.filter(|text| self.place.is_filled_in(text)).collect()
    }

    /// Its text, or the JSON that it is.
    pub(crate) fn for_people(self) -> String {
        match self.kind() {
            "text" => unquoted(self.raw).into_owned(),
            _ => compact(self.raw),
        }
    }

    /// Its text. Numbers and truth values are taken as they are written.
    fn text(self) -> Result<Cow<'a, str>, SourceError> {
        match self.kind() {
            "text" => Ok(unquoted(self.raw)),
            "an object" | "a list" | "null" => Err(self.wrong("text", "\"some text\"")),
            _ => Ok(Cow::Borrowed(self.raw)),
        }
    }

    /// Its text, where nothing else may stand for one.
    pub(crate) fn only_text(self) -> Result<Cow<'a, str>, SourceError> {
        match self.kind() {
            "text" => Ok(unquoted(self.raw)),
            _ => Err(self.wrong("text", "\"some text\"")),
        }
    }

    /// As text for a person, of any kind: the items of a list after one another.
    pub(crate) fn flat(self) -> Option<String> {
        let text = match self.is_list() {
            true => self.texts().join(", "),
            false => self.for_people(),
        };
        Some(text).filter(|text| !text.is_empty() && self.place.is_filled_in(text))
    }
}

/// The members of an object.
pub(crate) struct Object<'a, 'p> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    pub(crate) place: Place<'p>,
}

impl<'a> Object<'a, '_> {
    /// The member with this name; the last one, if there are several. `null` counts as absent.
    pub(crate) fn get<'n>(&'n self, name: &'n str) -> Option<Node<'a, 'n>> {
        let (_, raw) = self.members.iter().rev().find(|(known, _)| known == name)?;
        let node = Node::new(raw, Place::Member(&self.place, name));
        (!node.is_null()).then_some(node)
    }

    /// The names of its members, in their order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| name.as_ref())
    }

    /// A member that must be there.
    pub(crate) fn required<'n>(&'n self, name: &'n str, remedy: &str) -> Result<Node<'a, 'n>, SourceError> {
        self.get(name)
            .ok_or_else(|| Place::Member(&self.place, name).missing(remedy))
    }

    /// A text, unless it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, SourceError> {
        let text = self.get(name).map(Node::text).transpose()?;
        Ok(text.filter(|text| !text.is_empty()).map(Cow::into_owned))
    }

    /// A text that its sender filled in, if it did: neither empty nor a placeholder.
    pub(crate) fn set(&self, name: &str) -> Result<Option<String>, SourceError> {
        Ok(self.text(name)?.filter(|text| self.place.is_filled_in(text)))
    }

    /// The first of these that its sender filled in.
    pub(crate) fn first(&self, names: &[&str]) -> Result<Option<String>, SourceError> {
        for name in names {
            if let Some(text) = self.set(name)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// A text that its sender must fill in, under the first of these names or another.
    pub(crate) fn needed(&self, names: &[&str], remedy: &str) -> Result<String, SourceError> {
        if let Some(text) = self.first(names)? {
            return Ok(text);
        }
        let here = names.iter().find(|name| self.get(name).is_some());
        let name = here.or(names.first()).copied().unwrap_or_default();
        let place = Place::Member(&self.place, name);
        let reason = match self.text(name)? {
            Some(text) => format!("is {}, a placeholder that was not filled in", shortened(&text)),
            None if here.is_some() => "is empty".to_owned(),
            None => return Err(place.missing(remedy)),
        };
        Err(place.invalid(reason, remedy))
    }

    /// The error for this value of one of these fields, or else of the first of them that exists.
    pub(crate) fn refuse(&self, names: &[&str], word: &str, remedy: &str) -> SourceError {
        let holds =
            |name: &&&str| matches!(self.text(name), Ok(Some(text)) if text.eq_ignore_ascii_case(word));
        let is_there = |name: &&&str| self.get(name).is_some();
        let here = names.iter().find(holds).or(names.iter().find(is_there));
        let name = here.or(names.first()).copied().unwrap_or_default();
        Place::Member(&self.place, name).invalid(format!("is {}", shortened(word)), remedy)
    }

    /// An optional object; a value of another kind is ignored.
    pub(crate) fn member<'n>(&'n self, name: &'n str) -> Option<Object<'a, 'n>> {
        self.get(name)?.object().ok()
    }

    /// A value as JSON: inside a text, as forms hold it, or as it is.
    pub(crate) fn embedded(&self, name: &str) -> Option<Cow<'a, str>> {
        let node = self.get(name)?;
        let json = match node.kind() {
            "text" => unquoted(node.raw),
            _ => Cow::Borrowed(node.raw),
        };
        Some(json).filter(|json| !matches!(json.trim(), "" | "null"))
    }

    /// A value as [`flat`](Node::flat) has it.
    pub(crate) fn flat(&self, name: &str) -> Option<String> {
        self.get(name)?.flat()
    }

    /// The items of a list, as texts for a person, of any kind; `None` if there is no list.
    pub(crate) fn listed(&self, name: &str) -> Option<Vec<String>> {
        let list = self.get(name).filter(Node::is_list)?;
        Some(list.texts())
    }

    /// Each member by its name, with its items if it is a list, else with the one text that it is.
    pub(crate) fn each_listed(&self) -> impl Iterator<Item = (&str, Vec<String>)> {
        let members = self.members.iter();
        members.map(|(name, raw)| {
            let node = Node::new(raw, Place::Member(&self.place, name));
            (name.as_ref(), node.texts())
        })
    }

    /// A text that must be there; it may be empty.
    pub(crate) fn required_text(&self, name: &str, remedy: &str) -> Result<String, SourceError> {
        self.required(name, remedy)?.text().map(Cow::into_owned)
    }

    /// Names to texts; nothing if it is not there. Lists and objects among the values become their JSON text, and what
    /// is `null` is left out.
    pub(crate) fn texts(&self, name: &str) -> Result<BTreeMap<String, String>, SourceError> {
        let Some(node) = self.get(name) else {
            return Ok(BTreeMap::new());
        };
        let texts = node.object()?.members.into_iter().filter_map(|(name, raw)| {
            let value = Node::new(raw, Place::Body);
            let text = match value.kind() {
                "null" => return None,
                "text" => unquoted(value.raw).into_owned(),
                _ => compact(value.raw),
            };
            Some((name.into_owned(), text))
        });
        Ok(texts.collect())
    }

    /// Refuses a value that is no object of texts, for senders whose receiver has strict types; `null` counts as absent.
    pub(crate) fn check_texts(&self, name: &str) -> Result<(), SourceError> {
        let Some(node) = self.get(name) else {
            return Ok(());
        };
        let texts = node.object()?;
        for (name, raw) in &texts.members {
            let value = Node::new(raw, Place::Member(&texts.place, name));
            if !value.is_null() {
                value.only_text()?;
            }
        }
        Ok(())
    }

    /// A time as [`time`](Self::time) has it, where a placeholder that was not filled in counts as absent.
    pub(crate) fn moment(
        &self,
        name: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Timestamp>, SourceError> {
        match self.set(name)? {
            None => Ok(None),
            Some(_) => self.time(name, warnings),
        }
    }

    /// A time as RFC 3339 or as a number since 1970. Go's zero time (year 1) and zero count as absent. A
    /// value that is no time must not cost the alert, so it gives a warning.
    pub(crate) fn time(
        &self,
        name: &str,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Timestamp>, SourceError> {
        let Some(node) = self.get(name) else {
            return Ok(None);
        };
        let text = node.text()?;
        let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.' | b' '));
        if is_zero || text.starts_with("0001-01-01T00:00:00") {
            return Ok(None);
        }
        let time = time_of(&text);
        if time.is_none() {
            let (place, text) = (node.place, shortened(&text));
            warnings.push(format!(
                "{place} is no time that can be used: {text}; the time of arrival counts; send RFC 3339, like \
                 \"2026-09-01T10:00:00Z\", or a number since 1970"
            ));
        }
        Ok(time)
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), raw)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name, raw));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests;
