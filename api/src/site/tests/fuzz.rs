//! Site documents that a hand or a program garbles: each is applied, or refused with at least one problem that says what is wrong.
//!
//! The documents are the same each time; `REVEILLE_TEST_FUZZ_SECONDS=60` goes on with new ones for a minute.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::ApiError;

const DOCUMENTS: usize = 300;
const SECONDS: &str = "REVEILLE_TEST_FUZZ_SECONDS";

#[derive(Debug, Clone)]
enum Damage {
    Remove(Index, u8),
    Insert(Index, String),
    Repeat(Index, u8, u16),
}

fn damage() -> impl Strategy<Value = Damage> {
    let sharp = prop::sample::select(vec![
        "&a ",
        "*a",
        "<<: *a",
        "!!binary ",
        "!x ",
        "{",
        "}",
        "[",
        "]",
        "- ",
        ": ",
        "? ",
        "|\n",
        ">-\n",
        "\t",
        "\n",
        "'",
        "\"",
        "\"\\x",
        "#",
        "%",
        "---\n",
        "...\n",
        "~",
        "null",
        "1e999",
        "0x7fffffffffffffffffff",
        "2026-09-01",
        "24:00",
        "-1",
        "\u{0}",
        "\u{feff}",
        "\u{85}",
        "\u{202e}",
        "a: [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n",
        "environments:\n",
        "when: 'name+name'\n",
    ]);
    let text = prop_oneof![5 => sharp.prop_map(str::to_owned), 1 => any::<String>()];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Damage::Remove(at, length)),
        (any::<Index>(), text).prop_map(|(at, text)| Damage::Insert(at, text)),
        (any::<Index>(), 1..40_u8, 1..400_u16)
            .prop_map(|(at, length, times)| Damage::Repeat(at, length, times)),
    ]
}

fn damaged(text: &str, damages: &[Damage]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for damage in damages {
        let count = characters.len();
        let place = |index: &Index| index.index(count + 1);
        match damage {
            Damage::Remove(at, length) => {
                let start = place(at);
                let end = (start + usize::from(*length)).min(count);
                characters.drain(start..end);
            }
            Damage::Insert(at, text) => {
                let start = place(at);
                characters.splice(start..start, text.chars());
            }
            Damage::Repeat(at, length, times) => {
                let start = place(at);
                let end = (start + usize::from(*length)).min(count);
                let part = characters[start..end].repeat(usize::from(*times));
                characters.splice(start..start, part);
            }
        }
    }
    characters.into_iter().collect()
}

#[tokio::test]
async fn any_document_is_applied_or_refused_with_its_problems() {
    let world = World::new().await;
    let whole = format!("{DOCUMENT}{MORE}");
    let strategy = prop::collection::vec(damage(), 1..5);
    let same = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), same);
    let seconds: u64 = std::env::var(SECONDS).map_or(0, |seconds| seconds.parse().expect("a number"));
    let begun = Instant::now();
    let mut read = 0;
    while read < DOCUMENTS || begun.elapsed() < Duration::from_secs(seconds) {
        if read == DOCUMENTS {
            runner = TestRunner::new(Config::default());
        }
        let damages = strategy.new_tree(&mut runner).expect("a case").current();
        let document = damaged(&whole, &damages);
        match world
            .api
            .apply(&document, true, &schemas::Principal::anonymous())
            .await
        {
            Ok(applied) => assert!(!applied.applied, "{document}"),
            Err(ApiError::Site(problems)) => {
                let told = problems.iter().all(|problem| !problem.message.is_empty());
                assert!(told && !problems.is_empty(), "{problems:?} for {document}");
            }
            Err(other) => panic!("{other} for {document}"),
        }
        read += 1;
    }
    let good = world
        .api
        .apply(&whole, false, &schemas::Principal::anonymous())
        .await
        .unwrap();
    assert!(good.applied);
}
