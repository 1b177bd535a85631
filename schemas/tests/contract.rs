//! The types, the schema files and the examples say the same.
//!
//! `make schemas` (or `UPDATE_SCHEMAS=1 cargo test -p schemas`) writes the schema files anew after a change of a type.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of it is test code, also what is outside the test functions"
)]

use std::fs;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, schema_for};
use schemas::config::ConfigEntry;
use schemas::live::{ClientMessage, ServerMessage};
use schemas::rejection::{DeadLetter, Rejected};
use schemas::{
    AlertChanged, AlertEvent, Channel, Command, DecoratedEvent, KeyUsage, Notification, Receipt, Topic,
    ViewChanged,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A kind of message: where its schema and examples are, and how its type sees them.
struct Kind {
    folder: &'static str,
    schema: Value,
    round_trip: fn(Value) -> Result<Value, serde_json::Error>,
}

fn kind<T: JsonSchema + Serialize + DeserializeOwned>(folder: &'static str) -> Kind {
    Kind {
        folder,
        schema: schema_for!(T).to_value(),
        round_trip: |value| serde_json::to_value(serde_json::from_value::<T>(value)?),
    }
}

fn kinds() -> Vec<Kind> {
    vec![
        kind::<AlertEvent>("alerts.collected"),
        kind::<DecoratedEvent>("alerts.decorated"),
        kind::<Command>("alerts.commands"),
        kind::<AlertChanged>("alerts.changed"),
        kind::<Notification>("notifications"),
        kind::<Receipt>("notifications.receipts"),
        kind::<ViewChanged>("view.changed"),
        kind::<ConfigEntry>("config"),
        kind::<KeyUsage>("integrations.usage"),
        kind::<Rejected>("ingest.rejected"),
        kind::<DeadLetter>("dlq"),
        kind::<ClientMessage>("live/client"),
        kind::<ServerMessage>("live/server"),
    ]
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn examples(folder: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(root().join(folder).join("examples"))
        .unwrap_or_else(|error| panic!("{folder} has no examples: {error}"))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no examples");
    paths
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn schema_files_are_what_the_types_say() {
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    for kind in kinds() {
        let path = root().join(kind.folder).join("v1.schema.json");
        if update {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("{:#}\n", kind.schema)).unwrap();
        }
        assert_eq!(
            read(&path),
            kind.schema,
            "{} is out of date: run `make schemas`",
            path.display()
        );
    }
}

#[test]
fn every_example_is_valid_and_comes_back_whole() {
    for kind in kinds() {
        let validator = jsonschema::validator_for(&kind.schema).unwrap();
        for path in examples(kind.folder) {
            let example = read(&path);
            let errors: Vec<_> = validator
                .iter_errors(&example)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            let back =
                (kind.round_trip)(example.clone()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert_eq!(back, example, "{}", path.display());
        }
    }
}

#[test]
fn every_topic_has_a_schema() {
    for topic in Topic::ALL {
        let name = topic.name();
        let folder = match name {
            _ if name.ends_with(".dlq") => "dlq",
            _ if Channel::ALL.iter().any(|channel| channel.topic() == *topic) => "notifications",
            other => other,
        };
        assert!(
            kinds().iter().any(|kind| kind.folder == folder),
            "{name} has no schema"
        );
    }
}
