//! Changes of a body that know what a body is made of.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use crate::formats::form;

/// A change of a value somewhere in a body.
#[derive(Debug, Clone)]
pub(super) enum Mutation {
    Delete(Index),
    /// Puts an item there twice.
    Duplicate(Index),
    /// Puts a value of another type there.
    Retype(Index, Value),
    /// Puts a piece of another example there.
    Splice(Index, Index, Index),
}

/// A change of the bytes that a body is written as.
#[derive(Debug, Clone)]
pub(super) enum Damage {
    Truncate(Index),
    Overwrite(Index, Vec<u8>),
    Insert(Index, Vec<u8>),
    /// Writes a part of it once more, somewhere else.
    Repeat(Index, Index, Index),
}

/// How the fields of a body are written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Json,
    Form,
    Multipart,
}

impl Mutation {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            any::<Index>().prop_map(Self::Delete),
            any::<Index>().prop_map(Self::Duplicate),
            (any::<Index>(), value()).prop_map(|(at, value)| Self::Retype(at, value)),
            (any::<Index>(), any::<Index>(), any::<Index>())
                .prop_map(|(at, example, piece)| Self::Splice(at, example, piece)),
        ]
    }

    fn apply(&self, body: &mut Value, corpus: &[Vec<u8>]) {
        let places = places(body);
        let place = |index: &Index| -> &String { index.get(&places) };
        match self {
            Mutation::Delete(at) => remove(body, place(at)),
            Mutation::Duplicate(at) => duplicate(body, place(at)),
            Mutation::Retype(at, value) => replace(body, place(at), value.clone()),
            Mutation::Splice(at, example, piece) => {
                let example: &Vec<u8> = example.get(corpus);
                let example = fields(example).unwrap_or_default();
                let places = self::places(&example);
                let piece: &String = piece.get(&places);
                let piece = example.pointer(piece).cloned();
                replace(body, place(at), piece.unwrap_or_default());
            }
        }
    }
}

impl Damage {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let bytes = || {
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..8),
                sharp().prop_map(String::into_bytes)
            ]
        };
        prop_oneof![
            any::<Index>().prop_map(Self::Truncate),
            (any::<Index>(), bytes()).prop_map(|(at, bytes)| Self::Overwrite(at, bytes)),
            (any::<Index>(), bytes()).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            (any::<Index>(), any::<Index>(), any::<Index>())
                .prop_map(|(from, to, at)| Self::Repeat(from, to, at)),
        ]
    }

    fn apply(&self, body: &mut Vec<u8>) {
        let place = |index: &Index| index.index(body.len() + 1);
        match self {
            Damage::Truncate(at) => body.truncate(place(at)),
            Damage::Overwrite(at, bytes) => {
                let start = place(at);
                let end = (start + bytes.len()).min(body.len());
                body.splice(start..end, bytes.iter().copied());
            }
            Damage::Insert(at, bytes) => {
                let start = place(at);
                body.splice(start..start, bytes.iter().copied());
            }
            Damage::Repeat(from, to, at) => {
                let (from, to, at) = (place(from), place(to), place(at));
                let part = body[from.min(to)..from.max(to)].to_vec();
                body.splice(at..at, part);
            }
        }
    }
}

impl Shape {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        prop_oneof![8 => Just(Self::Json), 1 => Just(Self::Form), 1 => Just(Self::Multipart)]
    }

    /// The fields as a body. What a form has no way to write is in it as JSON.
    pub(super) fn of(self, fields: &Map<String, Value>) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self {
            Shape::Json => json!(fields).to_string(),
            Shape::Form => form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields.iter().map(|(name, value)| (name, text(value))))
                .finish(),
            Shape::Multipart => {
                let parts = fields.iter().map(|(name, value)| {
                    let head = format!("Content-Disposition: form-data; name=\"{name}\"");
                    format!("--x-5e1\r\n{head}\r\n\r\n{}\r\n", text(value))
                });
                parts.collect::<String>() + "--x-5e1--\r\n"
            }
        }
    }
}

/// A body after all that was done to it.
pub(super) fn mutated(
    body: &[u8],
    mutations: &[Mutation],
    shape: Shape,
    damages: &[Damage],
    corpus: &[Vec<u8>],
) -> Vec<u8> {
    let body = match fields(body) {
        Some(mut fields) => {
            for mutation in mutations {
                mutation.apply(&mut fields, corpus);
            }
            match &fields {
                Value::Object(fields) => shape.of(fields).into_bytes(),
                other => other.to_string().into_bytes(),
            }
        }
        None => body.to_vec(),
    };
    damaged(body, damages)
}

/// A body whose bytes were damaged.
pub(super) fn damaged(mut body: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        damage.apply(&mut body);
    }
    body
}

/// What is in a body that is JSON or a form.
fn fields(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    let of_form = || serde_json::from_str(&form::as_json(text)?).ok();
    serde_json::from_str(text).ok().or_else(of_form)
}

/// Where there are values, from the whole inwards.
fn places(value: &Value) -> Vec<String> {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    let inside = inside.into_iter().flat_map(|(name, value)| {
        places(value)
            .into_iter()
            .map(move |rest| format!("/{name}{rest}"))
    });
    std::iter::once(String::new()).chain(inside).collect()
}

fn replace(body: &mut Value, place: &str, value: Value) {
    if let Some(found) = body.pointer_mut(place) {
        *found = value;
    }
}

/// What holds a place, and its name there.
fn parent<'v>(body: &'v mut Value, place: &str) -> Option<(&'v mut Value, String)> {
    let (parent, name) = place.rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    Some((body.pointer_mut(parent)?, name))
}

fn remove(body: &mut Value, place: &str) {
    match parent(body, place) {
        Some((Value::Object(members), name)) => {
            members.remove(&name);
        }
        Some((Value::Array(items), index)) => {
            items.remove(index.parse().expect("an index"));
        }
        _ => *body = Value::Null,
    }
}

fn duplicate(body: &mut Value, place: &str) {
    match parent(body, place) {
        Some((Value::Object(members), name)) => {
            let value = members[&name].clone();
            members.insert(name, json!([value, value]));
        }
        Some((Value::Array(items), index)) => {
            let item = items[index.parse::<usize>().expect("an index")].clone();
            items.push(item);
        }
        _ => (),
    }
}

/// Texts that mean something to a parser.
pub(super) fn sharp() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\"\\\\{}\\[\\],: \n\r\ta-c$&=%+-]{0,24}",
        prop::sample::select(vec![
            "",
            "null",
            "$STATUS",
            "{{state}}",
            "{State}",
            "%laststatus",
            "*UNKNOWN*",
            "0",
            "-1",
            "1e999",
            "123456789012345678901234567890",
            "0001-01-01T00:00:00Z",
            "2026-09-01 10:00:00",
            "9999999999999999999",
            "firing",
            "resolved",
            "OPEN",
            "ok",
            "\\ud83d",
            "\u{feff}",
            "\u{0}",
            "[[[[",
            "{\"a\":",
            "now: ",
            "://@?",
            ":::{}",
            "[PR_ID:]",
            "--\r\n",
            " will expire in ",
        ])
        .prop_map(str::to_owned),
    ]
}

/// JSON of any kind.
pub(super) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        sharp().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(sharp(), inner, 0..6).prop_map(|members| json!(members)),
        ]
    })
}
