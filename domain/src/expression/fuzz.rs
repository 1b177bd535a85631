//! Expressions that a hand or a program garbles: each is refused with a reason, fails with one, or has a value, within its budget.
//!
//! The expressions are the same each time; `REVEILLE_TEST_FUZZ_SECONDS=60` goes on with new ones for a minute.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::tests::value;

const SECONDS: &str = "REVEILLE_TEST_FUZZ_SECONDS";
/// An evaluation ends after a second by its own budget; a loaded machine takes its time for all around it.
const EVALUATION: Duration = Duration::from_secs(30);

/// What expressions are made of.
fn token() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "name",
        "big",
        "numbers",
        "n",
        "true",
        "false",
        "null",
        "0",
        "-1",
        "9223372036854775807",
        "1.5e308",
        "1u",
        "'a'",
        "\"\\u0000\"",
        "b'x'",
        "r'\\d'",
        "'ä'",
        "'\\ud800'",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "?",
        ".",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        " in ",
        ".size()",
        ".trim()",
        ".split(' ')",
        ".matches('(a*)*b')",
        ".contains(name)",
        ".replace('d', big)",
        "numbers.all(n, ",
        "numbers.map(n, ",
        "numbers.filter(n, ",
        "numbers.exists(n, ",
        "has(name.a)",
        "int(",
        "string(",
        "duration('1s')",
        "timestamp('2026-09-01T10:00:00Z')",
        "@step",
        "//",
        "\n",
    ]);
    prop_oneof![8 => words.prop_map(str::to_owned), 1 => any::<String>()]
}

fn holds(source: &str) -> Result<(), TestCaseError> {
    let begun = Instant::now();
    if let Err(reason) = value(source) {
        prop_assert!(!reason.is_empty(), "{source:?} is refused without a reason");
    }
    prop_assert!(
        begun.elapsed() < EVALUATION,
        "{source:?} took {:?}",
        begun.elapsed()
    );
    prop_assert_eq!(
        value("name + '!'"),
        Ok(serde_json::json!("disk full!")),
        "after {:?}",
        source
    );
    Ok(())
}

#[test]
fn any_expression_has_a_value_or_a_reason() {
    let pieces = prop::collection::vec(token(), 0..40).prop_map(|tokens| tokens.concat());
    // A piece many times over, within itself or after itself.
    let nested = (token(), token(), 1_usize..400)
        .prop_map(|(open, close, times)| format!("{}name{}", open.repeat(times), close.repeat(times)));
    let strategy = prop_oneof![3 => pieces, 1 => nested];
    let config = || Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    };
    let same = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let run = |mut runner: TestRunner| {
        if let Err(error) = runner.run(&strategy, |source| holds(&source)) {
            panic!("{error}");
        }
    };
    run(TestRunner::new_with_rng(config(), same));
    let seconds: u64 = std::env::var(SECONDS).map_or(0, |seconds| seconds.parse().expect("a number"));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        run(TestRunner::new(config()));
    }
}
