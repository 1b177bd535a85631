//! Random bodies: any body ends as events, as a warning, or as an error that names a remedy.
//!
//! Each family of parsers has a test of its own, and one test hands mutated examples of any source to any source. They
//! run over the same bodies each time; `REVEILLE_TEST_FUZZ_SECONDS=60` lets each go on for a minute with new ones.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};
use serde_json::value::RawValue;

use super::mutation::{self, Mutation, Shape};
use super::*;
use crate::formats::json::{self, Node, Object};
use crate::formats::{form, lenient};
use crate::systems::email;

mod mail;
mod slack;

/// How many bodies one run of a test has.
const BODIES: u32 = 400;
const SECONDS: &str = "REVEILLE_TEST_FUZZ_SECONDS";

/// Runs a property over bodies that are the same each time, and then over new ones for as long as is asked for.
fn fuzz<S: Strategy>(strategy: &S, holds: impl Fn(S::Value) -> TestCaseResult) {
    let config = || Config {
        cases: BODIES,
        failure_persistence: None,
        ..Config::default()
    };
    let same = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let run = |mut runner: TestRunner| {
        if let Err(error) = runner.run(strategy, &holds) {
            panic!("{error}");
        }
    };
    run(TestRunner::new_with_rng(config(), same));
    let Ok(seconds) = std::env::var(SECONDS) else {
        return;
    };
    let seconds = seconds.parse().expect("REVEILLE_TEST_FUZZ_SECONDS is a number");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        run(TestRunner::new(config()));
    }
}

/// What must be true of whatever a source made of a body.
fn ends_well(source: &Source, body: &[u8]) -> TestCaseResult {
    let parsed = match (source.parse)(&HeaderMap::new(), body) {
        Ok(parsed) => parsed,
        Err(error) => return names_a_remedy(&error),
    };
    let accepted = delivery(source).make_events(parsed);
    prop_assert!(
        !accepted.receipts.is_empty() || !accepted.warnings.is_empty(),
        "{} neither accepted the body nor gave a reason",
        source.name
    );
    for event in &accepted.events {
        let ended = event.status() == Some(EventStatus::Resolved);
        prop_assert_eq!(event.severity == Severity::Ok, ended, "{:?}", event);
        prop_assert!(
            !event.name.is_empty() && !event.object.is_empty() && !event.source.is_empty(),
            "{event:?}"
        );
    }
    for (index, event) in accepted.events.iter().enumerate() {
        if let Err(error) = encode(index, event) {
            names_a_remedy(&error)?;
        }
    }
    Ok(())
}

fn names_a_remedy(error: &SourceError) -> TestCaseResult {
    let (what, remedy) = match error {
        SourceError::Malformed { reason, remedy } => (reason, *remedy),
        SourceError::Missing { field, remedy } | SourceError::Invalid { field, remedy, .. } => {
            (field, remedy.as_str())
        }
    };
    prop_assert!(!what.is_empty() && !remedy.is_empty(), "{error:?}");
    Ok(())
}

/// The bodies of all examples.
fn corpus() -> Vec<Vec<u8>> {
    let paths = SOURCES.iter().flat_map(examples);
    paths
        .map(|(_, path)| fs::read(path).expect("the example can be read"))
        .collect()
}

#[test]
fn any_source_ends_well_on_mutated_examples_of_any_source() {
    let corpus = corpus();
    let own: Vec<(&Source, Vec<u8>)> = SOURCES
        .iter()
        .flat_map(|source| examples(source).into_iter().map(move |(_, path)| (source, path)))
        .map(|(source, path)| (source, fs::read(path).expect("the example can be read")))
        .collect();
    let strategy = (
        any::<prop::sample::Index>(),
        prop::option::weighted(0.1, any::<prop::sample::Index>()),
        prop::collection::vec(Mutation::any(), 0..6),
        Shape::any(),
        prop::collection::vec(mutation::Damage::any(), 0..3),
    );
    fuzz(&strategy, |(example, stranger, mutations, shape, damages)| {
        let (source, body) = example.get(&own);
        let source = stranger.map_or(*source, |stranger| stranger.get(SOURCES));
        let body = mutation::mutated(body, &mutations, shape, &damages, &corpus);
        ends_well(source, &body)?;
        // And as mail that a mapping reads.
        email::as_json(&body).map_or_else(|error| names_a_remedy(&error), |_| Ok(()))
    });
}

#[test]
fn json_of_any_kind_can_be_asked_for_anything() {
    fuzz(&mutation::value(), |value| {
        let body = json!({ "member": value }).to_string();
        let body = json::body(body.as_bytes())
            .map_err(failed)?
            .object()
            .map_err(failed)?;
        ask(&body)?;
        if let Ok(items) = body.required("member", "a remedy").and_then(Node::list) {
            for (index, raw) in items.into_iter().enumerate() {
                if let Ok(item) = Node::new(raw, json::Place::Item(&body.place, index)).object() {
                    ask(&item)?;
                }
            }
        }
        Ok(())
    });
}

/// Asks an object for each of its members in every way that there is.
fn ask(object: &Object<'_, '_>) -> TestCaseResult {
    for name in object.names() {
        let mut warnings = Vec::new();
        let asked = [
            object.text(name).err(),
            object.set(name).err(),
            object.needed(&[name], "a remedy").err(),
            object.required_text(name, "a remedy").err(),
            object.texts(name).err(),
            object.moment(name, &mut warnings).err(),
            object.time(name, &mut warnings).err(),
        ];
        for error in asked.iter().flatten() {
            names_a_remedy(error)?;
        }
        let (flat, embedded) = (object.flat(name), object.embedded(name));
        let empty = [flat, embedded.map(|json| json.into_owned())]
            .into_iter()
            .flatten()
            .any(|text| text.is_empty());
        prop_assert!(!empty, "{name} is there, so it is not empty");
        if let Some(member) = object.member(name) {
            ask(&member)?;
        }
    }
    Ok(())
}

fn failed(error: SourceError) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

#[test]
fn text_put_into_json_raw_is_repaired_to_json_or_left_as_it_is() {
    let text = || prop_oneof![any::<String>(), mutation::sharp()];
    fuzz(&(text(), text()), |(first, second)| {
        let body = format!(
            "{{\"a\": \"{first}\", \"list\": [\"x\", {second}], \"b\": {second}, \"c\": \"{first}\"}}"
        );
        let repaired = lenient::body(body.as_bytes());
        // Half a surrogate pair is no text of Rust's but is JSON.
        let is_json = serde_json::from_slice::<&RawValue>(&repaired.body).is_ok();
        prop_assert!(is_json || repaired.body == body.as_bytes(), "{body}");
        // What is JSON by now is not touched again.
        let again = lenient::body(&repaired.body);
        prop_assert!(
            !is_json || (again.body == repaired.body && again.warning.is_none()),
            "{body}"
        );
        Ok(())
    });
}

#[test]
fn a_path_put_into_json_raw_is_the_same_text_whatever_stands_beside_it() {
    fuzz(&r"[\\bfnrtua0:/ ]{0,16}", |path| {
        let of = |beside: &str| {
            let body = format!("{{\"path\": \"{path}\", \"text\": \"{beside}\"}}");
            let repaired = lenient::body(body.as_bytes());
            let value: Value = serde_json::from_slice(&repaired.body)
                .map_err(|error| TestCaseError::fail(format!("{body}: {error}")))?;
            Ok::<_, TestCaseError>((value["path"].clone(), value["text"].clone()))
        };
        let (strict, repaired) = (of("x")?, of("x\ny \"z\"")?);
        prop_assert_eq!(&strict.0, &repaired.0);
        prop_assert_eq!((strict.1, repaired.1), (json!("x"), json!("x\ny \"z\"")));
        Ok(())
    });
}

#[test]
fn forms_of_both_kinds_give_back_what_was_put_into_them() {
    let fields = prop::collection::btree_map("[a-zA-Z_]{1,12}", any::<String>(), 1..8);
    fuzz(&fields, |fields| {
        let expected = json!(fields);
        let object = expected.as_object().ok_or(TestCaseError::reject("no object"))?;
        for shape in [Shape::Form, Shape::Multipart] {
            let body = shape.of(object);
            let json = form::as_json(&body).ok_or_else(|| TestCaseError::fail(body.clone()))?;
            let fields: Value =
                serde_json::from_str(&json).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&fields, &expected, "{}", body);
        }
        Ok(())
    });
}
