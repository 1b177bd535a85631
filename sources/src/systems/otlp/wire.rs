//! The messages of OTLP, as far as an alert needs them: one shape for protobuf and for JSON, in which `null` counts as
//! absent.

use std::collections::BTreeMap;

use prost::{Message, Oneof};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::json;

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Export {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    pub(super) resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "or_default")]
    pub(super) scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ScopeLogs {
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "or_default")]
    pub(super) log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogRecord {
    #[prost(fixed64, tag = "1")]
    #[serde(deserialize_with = "number_or_none")]
    pub(super) time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    #[serde(deserialize_with = "or_default")]
    pub(super) severity_number: i32,
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "or_default")]
    pub(super) severity_text: String,
    #[prost(message, optional, tag = "5")]
    pub(super) body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    #[serde(deserialize_with = "or_default")]
    pub(super) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "11")]
    #[serde(deserialize_with = "number_or_none")]
    pub(super) observed_time_unix_nano: u64,
    #[prost(string, tag = "12")]
    #[serde(deserialize_with = "or_default")]
    pub(super) event_name: String,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(super) value: Option<Value>,
}

/// Some senders write all members, of which all but one are `null`.
impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = serde_json::Map::deserialize(deserializer)?.into_iter();
        let said = members.filter(|(_, member)| !member.is_null());
        let value = said
            .into_iter()
            .find_map(|(name, member)| serde_json::from_value(json!({ name: member })).ok());
        Ok(Self { value })
    }
}

#[derive(Clone, PartialEq, Oneof, Deserialize)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    #[serde(rename = "stringValue")]
    Text(String),
    #[prost(bool, tag = "2")]
    #[serde(rename = "boolValue")]
    Truth(bool),
    #[prost(int64, tag = "3")]
    #[serde(deserialize_with = "number")]
    #[serde(rename = "intValue")]
    Integer(i64),
    #[prost(double, tag = "4")]
    #[serde(rename = "doubleValue")]
    Number(f64),
    #[prost(message, tag = "5")]
    #[serde(rename = "arrayValue")]
    List(ArrayValue),
    #[prost(message, tag = "6")]
    #[serde(rename = "kvlistValue")]
    Members(KeyValueList),
    /// In JSON they are text in base64, which is left as it is.
    #[prost(bytes = "vec", tag = "7")]
    #[serde(deserialize_with = "letters")]
    #[serde(rename = "bytesValue")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(super) struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(super) struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    values: Vec<KeyValue>,
}

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + DeserializeOwned,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Whole numbers of 64 bits are texts in JSON, though some senders write them as numbers.
fn number<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: std::str::FromStr,
{
    whole(serde_json::Value::deserialize(deserializer)?)
}

fn number_or_none<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: std::str::FromStr + Default,
{
    match Option::deserialize(deserializer)? {
        Some(value) => whole(value),
        None => Ok(N::default()),
    }
}

fn whole<N: std::str::FromStr, E: Error>(value: serde_json::Value) -> Result<N, E> {
    let text = match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    text.parse()
        .map_err(|_| E::custom(format!("{text:?} is no whole number")))
}

fn letters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(deserializer).map(String::into_bytes)
}

/// Names to texts.
pub(super) fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let pairs = attributes.iter().map(|attribute| {
        let value = attribute.value.as_ref().map(text).unwrap_or_default();
        (attribute.key.clone(), value)
    });
    pairs.collect()
}

/// A value as text: composite values as JSON.
pub(super) fn text(value: &AnyValue) -> String {
    match plain(value) {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn plain(value: &AnyValue) -> serde_json::Value {
    match &value.value {
        None => serde_json::Value::Null,
        Some(Value::Text(text)) => json!(text),
        Some(Value::Truth(truth)) => json!(truth),
        Some(Value::Integer(number)) => json!(number),
        Some(Value::Number(number)) => json!(number),
        Some(Value::Bytes(bytes)) => json!(String::from_utf8_lossy(bytes)),
        Some(Value::List(list)) => list.values.iter().map(plain).collect(),
        Some(Value::Members(list)) => {
            let pairs = list.values.iter().map(|pair| {
                let value = pair.value.as_ref().map_or(serde_json::Value::Null, plain);
                (pair.key.clone(), value)
            });
            serde_json::Value::Object(pairs.collect())
        }
    }
}
