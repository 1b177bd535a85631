//! JSON bodies, read field by field, so that whatever is wrong is named by its path.
//!
//! Values are kept as the text they came as until somebody asks for them. So a number where a text is wanted keeps all
//! its digits, and what nobody asks for is never built.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{MOST_ALERTS, SourceError, lenient};

/// Where in a body a value stands.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    /// The body of a sender whose user writes it as a template: what was not filled in is as good as none.
    Body,
    /// The body that a program makes: every text in it is meant, `{disk}` and `null` too.
    Made,
    Member(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Body | Place::Made => f.write_str("body"),
            Place::Member(Place::Body | Place::Made, name) => f.write_str(name),
            Place::Member(parent, name) => write!(f, "{parent}.{name}"),
            Place::Item(Place::Body | Place::Made, index) => write!(f, "[{index}]"),
            Place::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Place<'_> {
    /// Whether a text that stands here was filled in.
    fn is_filled_in(&self, text: &str) -> bool {
        match self {
            Place::Body => !lenient::is_placeholder(text),
            Place::Made => true,
            Place::Member(parent, _) | Place::Item(parent, _) => parent.is_filled_in(text),
        }
    }

    pub(super) fn invalid(&self, reason: impl Into<String>, remedy: impl Into<String>) -> SourceError {
        SourceError::Invalid {
            field: self.to_string(),
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Node<'a, 'p> {
    raw: &'a str,
    pub(super) place: Place<'p>,
}

/// The value of a whole body that its sender's user writes.
pub(super) fn body(bytes: &[u8]) -> Result<Node<'_, 'static>, SourceError> {
    whole(bytes, Place::Body)
}

/// The value of a whole body that a program makes.
pub(super) fn made(bytes: &[u8]) -> Result<Node<'_, 'static>, SourceError> {
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

/// The value of a whole body, built.
pub(super) fn value(bytes: &[u8]) -> Result<serde_json::Value, SourceError> {
    serde_json::from_str(body(bytes)?.raw).map_err(|error| SourceError::Malformed {
        reason: format!("the body cannot be read: {error}"),
        remedy: "look at that place",
    })
}

/// A time as text: a number since 1970, or RFC 3339. Surrounding white space does not count.
pub(super) fn time_of(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    since_1970(text).or_else(|| text.parse().ok())
}

/// The value that a text of a body holds as JSON.
pub(super) fn within<'a, 'p>(text: &'a str, place: Place<'p>) -> Result<Node<'a, 'p>, SourceError> {
    let raw: &RawValue = serde_json::from_str(text)
        .map_err(|error| place.invalid(format!("is not JSON: {error}"), "send JSON inside this text"))?;
    Ok(Node::new(raw, place))
}

impl<'a, 'p> Node<'a, 'p> {
    pub(super) fn new(raw: &'a RawValue, place: Place<'p>) -> Self {
        Self {
            raw: raw.get(),
            place,
        }
    }

    /// What kind of value it is, in words.
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

    pub(super) fn is_list(&self) -> bool {
        self.kind() == "a list"
    }

    pub(super) fn is_object(self) -> bool {
        self.kind() == "an object"
    }

    /// Its members.
    pub(super) fn object(self) -> Result<Object<'a, 'p>, SourceError> {
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
    pub(super) fn list(self) -> Result<Vec<&'a RawValue>, SourceError> {
        if !self.is_list() {
            return Err(self.wrong("a list", "[…]"));
        }
        let items: Vec<&RawValue> = serde_json::from_str(self.raw).map_err(|error| {
            self.place
                .invalid(format!("cannot be read: {error}"), "send a list")
        })?;
        if items.len() > MOST_ALERTS {
            let reason = format!("has {} alerts", items.len());
            return Err(self
                .place
                .invalid(reason, format!("send at most {MOST_ALERTS} in one body")));
        }
        Ok(items)
    }

    /// Its items, if it is a list, or what it is, as texts for a person. What was not filled in is left out.
    pub(super) fn texts(self) -> Vec<String> {
        let items: Vec<&RawValue> = match self.is_list() {
            true => serde_json::from_str(self.raw).unwrap_or_default(),
            false => serde_json::from_str(self.raw).into_iter().collect(),
        };
        let items = items.into_iter().map(|item| Node::new(item, self.place));
        let texts = items.filter(|item| !item.is_null()).map(Node::for_people);
        texts.filter(|text| self.place.is_filled_in(text)).collect()
    }

    /// Its text, or the JSON that it is.
    pub(super) fn for_people(self) -> String {
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

    /// As text for a person, whatever it is: the items of a list after one another.
    pub(super) fn flat(self) -> Option<String> {
        let text = match self.is_list() {
            true => self.texts().join(", "),
            false => self.for_people(),
        };
        Some(text).filter(|text| !text.is_empty() && self.place.is_filled_in(text))
    }
}

/// The members of an object.
pub(super) struct Object<'a, 'p> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    pub(super) place: Place<'p>,
}

impl<'a> Object<'a, '_> {
    /// The member with this name; the last one, if there are several. `null` is as good as none.
    pub(super) fn get<'n>(&'n self, name: &'n str) -> Option<Node<'a, 'n>> {
        let (_, raw) = self.members.iter().rev().find(|(known, _)| known == name)?;
        let node = Node::new(raw, Place::Member(&self.place, name));
        (!node.is_null()).then_some(node)
    }

    /// The names of its members, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| name.as_ref())
    }

    /// A member that must be there.
    pub(super) fn required<'n>(&'n self, name: &'n str, remedy: &str) -> Result<Node<'a, 'n>, SourceError> {
        self.get(name)
            .ok_or_else(|| Place::Member(&self.place, name).invalid("is missing", remedy))
    }

    /// A text, if it is there and not empty.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, SourceError> {
        let text = self.get(name).map(Node::text).transpose()?;
        Ok(text.filter(|text| !text.is_empty()).map(Cow::into_owned))
    }

    /// A text that its sender filled in, if it did: neither empty nor a placeholder.
    pub(super) fn set(&self, name: &str) -> Result<Option<String>, SourceError> {
        Ok(self.text(name)?.filter(|text| self.place.is_filled_in(text)))
    }

    /// The first of these that its sender filled in.
    pub(super) fn first(&self, names: &[&str]) -> Result<Option<String>, SourceError> {
        for name in names {
            if let Some(text) = self.set(name)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// A text that its sender must fill in, under the first of these names or another.
    pub(super) fn needed(&self, names: &[&str], remedy: &str) -> Result<String, SourceError> {
        if let Some(text) = self.first(names)? {
            return Ok(text);
        }
        let here = names.iter().find(|name| self.get(name).is_some());
        let name = here.or(names.first()).copied().unwrap_or_default();
        let reason = match self.text(name)? {
            Some(text) => format!("is {}, a placeholder that was not filled in", shortened(&text)),
            None if here.is_some() => "is empty".to_owned(),
            None => "is missing".to_owned(),
        };
        Err(Place::Member(&self.place, name).invalid(reason, remedy))
    }

    /// Refuses what one of these holds, or else the first of them that is there.
    pub(super) fn refuse(&self, names: &[&str], word: &str, remedy: &str) -> SourceError {
        let holds =
            |name: &&&str| matches!(self.text(name), Ok(Some(text)) if text.eq_ignore_ascii_case(word));
        let is_there = |name: &&&str| self.get(name).is_some();
        let here = names.iter().find(holds).or(names.iter().find(is_there));
        let name = here.or(names.first()).copied().unwrap_or_default();
        Place::Member(&self.place, name).invalid(format!("is {}", shortened(word)), remedy)
    }

    /// An object inside, for what an alert can do without: anything else that stands there is not read.
    pub(super) fn member<'n>(&'n self, name: &'n str) -> Option<Object<'a, 'n>> {
        self.get(name)?.object().ok()
    }

    /// What is there as JSON of its own: what a form can only hold as a text, and the same thing where it is no text.
    pub(super) fn embedded(&self, name: &str) -> Option<Cow<'a, str>> {
        let node = self.get(name)?;
        let json = match node.kind() {
            "text" => unquoted(node.raw),
            _ => Cow::Borrowed(node.raw),
        };
        Some(json).filter(|json| !matches!(json.trim(), "" | "null"))
    }

    /// What is there, as [`flat`](Node::flat) has it.
    pub(super) fn flat(&self, name: &str) -> Option<String> {
        self.get(name)?.flat()
    }

    /// The items of a list, as texts for a person, whatever they are; `None` if there is no list.
    pub(super) fn listed(&self, name: &str) -> Option<Vec<String>> {
        let list = self.get(name).filter(Node::is_list)?;
        Some(list.texts())
    }

    /// Each member by its name, with its items if it is a list, else with the one text that it is.
    pub(super) fn each_listed(&self) -> impl Iterator<Item = (&str, Vec<String>)> {
        let members = self.members.iter();
        members.map(|(name, raw)| {
            let node = Node::new(raw, Place::Member(&self.place, name));
            (name.as_ref(), node.texts())
        })
    }

    /// A text that must be there; it may be empty.
    pub(super) fn required_text(&self, name: &str, remedy: &str) -> Result<String, SourceError> {
        self.required(name, remedy)?.text().map(Cow::into_owned)
    }

    /// Names to texts; nothing if it is not there. Lists and objects among the values become their JSON text, and what
    /// is `null` is left out.
    pub(super) fn texts(&self, name: &str) -> Result<BTreeMap<String, String>, SourceError> {
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

    /// A time as [`time`](Self::time) has it, where a placeholder that was not filled in stands for none.
    pub(super) fn moment(
        &self,
        name: &str,
        remarks: &mut Vec<String>,
    ) -> Result<Option<Timestamp>, SourceError> {
        match self.set(name)? {
            None => Ok(None),
            Some(_) => self.time(name, remarks),
        }
    }

    /// A time as RFC 3339 or as a number since 1970, if it is there. Go's zero time (year 1) and zero stand for none. What
    /// is no time must not cost the alert, so it is only remarked.
    pub(super) fn time(
        &self,
        name: &str,
        remarks: &mut Vec<String>,
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
            remarks.push(format!(
                "{place} is no time that can be used: {text}; the time of arrival counts; send RFC 3339, like \
                 \"2026-09-01T10:00:00Z\", or a number since 1970"
            ));
        }
        Ok(time)
    }
}

/// A number since 1970, whole, with a fraction or with an exponent: of seconds up to the year 5138, else of milliseconds,
/// microseconds or nanoseconds up to the same year, told apart by its size. `None` of what lies before 1970.
fn since_1970(text: &str) -> Option<Timestamp> {
    /// 3 March 5138 in seconds.
    const MOST_SECONDS: i128 = 100_000_000_000;
    let number = decimal(text)?;
    let nanoseconds = match number.whole {
        0..MOST_SECONDS => number.in_parts_of(9),
        whole if whole < MOST_SECONDS * 1_000 => number.in_parts_of(6),
        whole if whole < MOST_SECONDS * 1_000_000 => number.in_parts_of(3),
        whole => whole,
    };
    Timestamp::from_nanosecond(nanoseconds).ok()
}

/// A decimal number that is not negative.
struct Decimal<'t> {
    whole: i128,
    /// The digits behind the point.
    fraction: Cow<'t, str>,
}

impl Decimal<'_> {
    /// The number times ten to this power, without what is left behind the point then.
    fn in_parts_of(&self, power: usize) -> i128 {
        let digits = self.fraction.bytes().chain(std::iter::repeat(b'0')).take(power);
        digits.fold(self.whole, |number, digit| number * 10 + i128::from(digit - b'0'))
    }
}

/// Reads a number as JSON and templates write it, such as `1788256800`, `1788256800.25` or `1.7882568e+09`.
fn decimal(text: &str) -> Option<Decimal<'_>> {
    /// Digits of a nanosecond in the year 5138, and some more.
    const MOST_DIGITS: usize = 25;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > MOST_DIGITS || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let exponent: usize = exponent
        .parse()
        .ok()
        .filter(|exponent| *exponent <= MOST_DIGITS)?;
    if exponent == 0 {
        return Some(Decimal {
            whole: whole.parse().ok()?,
            fraction: Cow::Borrowed(fraction),
        });
    }
    let moved = fraction.chars().chain(std::iter::repeat('0')).take(exponent);
    let whole: String = whole.chars().chain(moved).collect();
    Some(Decimal {
        whole: whole.parse().ok()?,
        fraction: Cow::Owned(fraction.chars().skip(exponent).collect()),
    })
}

/// JSON without the white space between its tokens, so that a sender's layout is no part of a label.
fn compact(raw: &str) -> String {
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

/// A value for a message to a person: not longer than a line.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(MOST).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    format!("{short:?}")
}

/// The text of a JSON string. Half a surrogate pair, which senders leave behind when they cut a text, becomes U+FFFD
/// rather than costing the alert.
fn unquoted(raw: &str) -> Cow<'_, str> {
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
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

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

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object<'_, 'static> {
        body(text.as_bytes()).unwrap().object().unwrap()
    }

    #[test]
    fn numbers_keep_all_their_digits_where_text_is_wanted() {
        let body =
            object(r#"{"id": 123456789012345678901234567890, "value": 1.10, "flag": true, "none": null}"#);
        assert_eq!(
            body.text("id").unwrap().as_deref(),
            Some("123456789012345678901234567890")
        );
        assert_eq!(body.text("value").unwrap().as_deref(), Some("1.10"));
        assert_eq!(body.text("flag").unwrap().as_deref(), Some("true"));
        assert_eq!(body.text("none").unwrap(), None);
    }

    #[test]
    fn moments_are_seconds_milliseconds_or_text_and_zero_is_none() {
        let body = object(
            r#"{"s": 1788256800, "ms": "1788256800123", "text": "2026-09-01T10:00:00.093+0000", "zero": 0, "odd": "soon"}"#,
        );
        let mut remarks = Vec::new();
        let mut moment = |name| {
            body.moment(name, &mut remarks)
                .unwrap()
                .map(|time| time.to_string())
        };
        assert_eq!(moment("s").as_deref(), Some("2026-09-01T10:00:00Z"));
        assert_eq!(moment("ms").as_deref(), Some("2026-09-01T10:00:00.123Z"));
        assert_eq!(moment("text").as_deref(), Some("2026-09-01T10:00:00.093Z"));
        assert_eq!(
            (moment("zero"), moment("none"), moment("odd")),
            (None, None, None)
        );
        assert_eq!(remarks.len(), 1, "{remarks:?}");
    }

    #[test]
    fn i10_times_are_numbers_of_any_unit_as_numbers_and_as_texts() {
        for (text, time) in [
            ("1788256800", "2026-09-01T10:00:00Z"),
            (" 1788256800.25 ", "2026-09-01T10:00:00.25Z"),
            ("1788256800123", "2026-09-01T10:00:00.123Z"),
            ("1788256800123.5", "2026-09-01T10:00:00.1235Z"),
            ("1788256800123456", "2026-09-01T10:00:00.123456Z"),
            ("1788256800123456789", "2026-09-01T10:00:00.123456789Z"),
            ("1.7882568e+09", "2026-09-01T10:00:00Z"),
            ("1.788256800123E12", "2026-09-01T10:00:00.123Z"),
            ("1.788256800123456789E18", "2026-09-01T10:00:00.123456789Z"),
        ] {
            let bodies = [format!(r#"{{"at": "{text}"}}"#), format!(r#"{{"at": {text}}}"#)];
            for body in &bodies {
                let (body, mut remarks) = (object(body), Vec::new());
                let by_time = body.time("at", &mut remarks).unwrap();
                let by_moment = body.moment("at", &mut remarks).unwrap();
                for read in [by_time, by_moment] {
                    assert_eq!(read.map(|read| read.to_string()).as_deref(), Some(time), "{text}");
                }
                assert!(remarks.is_empty(), "{remarks:?}");
            }
            assert_eq!(time_of(text).map(|time| time.to_string()).as_deref(), Some(time));
        }
        for text in [
            "-5",
            "1e99",
            "1e",
            "1.2.3",
            "12345678901234567890123456",
            "1788256800s",
            "soon",
        ] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_of_two_members_of_one_name_counts() {
        assert_eq!(
            object(r#"{"a": "1", "a": "2"}"#).text("a").unwrap().as_deref(),
            Some("2")
        );
    }

    #[test]
    fn what_looks_like_a_placeholder_is_one_only_where_a_user_writes_the_body() {
        let text = br#"{"inner": {"a": "{disk}", "b": "null", "c": ["{{x}}"]}}"#;
        for (root, meant) in [(body(text), false), (made(text), true)] {
            let root = root.unwrap().object().unwrap();
            let inner = root.member("inner").unwrap();
            assert_eq!(inner.set("a").unwrap().is_some(), meant);
            assert_eq!(inner.first(&["b"]).unwrap().is_some(), meant);
            assert_eq!(inner.needed(&["b"], "").is_ok(), meant);
            assert_eq!(inner.flat("c").is_some(), meant);
            assert_eq!(inner.place.to_string(), "inner");
        }
    }

    #[test]
    fn half_a_character_at_a_cut_does_not_cost_the_text() {
        let body = object(r#"{"a": "fire \ud83d", "b": "fire \ud83d\udd25\n"}"#);
        let cut = body.text("a").unwrap().unwrap();
        assert!(cut.starts_with("fire \u{fffd}"), "{cut:?}");
        assert_eq!(body.text("b").unwrap().as_deref(), Some("fire 🔥\n"));
    }

    #[test]
    fn nested_values_become_their_json_text_without_its_layout() {
        let body = object("{\"a\": {\"b\": [ 1.10,\n \"x \\\" y\", {\"c\" : null} ]}}");
        assert_eq!(body.texts("a").unwrap()["b"], r#"[1.10,"x \" y",{"c":null}]"#);
    }

    #[test]
    fn deep_nesting_is_only_text() {
        let deep = format!(
            r#"{{"a": {{"b": {}1{}}}}}"#,
            "[".repeat(200_000),
            "]".repeat(200_000)
        );
        assert_eq!(object(&deep).texts("a").unwrap()["b"].len(), 400_001);
    }
}
