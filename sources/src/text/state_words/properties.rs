//! What holds for all lines.

use proptest::prelude::*;
use schemas::EventStatus;

use super::*;

/// How titles say a state around what they are about, at the beginning and at the end of a problem.
const SHAPES: [(&str, &str); 23] = [
    ("[FIRING:1] NAME", "[RESOLVED] NAME"),
    ("[NAME] [🔴 Down] timeout", "[NAME] [✅ Up] 200 - OK"),
    ("NAME is DOWN.", "NAME is UP."),
    ("NAME went down", "NAME is back up"),
    ("“NAME” is down", "“NAME” is up"),
    ("NAME: CRITICAL", "NAME: OK"),
    ("NAME - Down", "NAME - Up"),
    ("Problem: NAME", "Resolved in 5m 3s: NAME"),
    (
        "** PROBLEM Service Alert: NAME is CRITICAL **",
        "** RECOVERY Service Alert: NAME is OK **",
    ),
    (
        "An alert for *NAME* has been triggered",
        "An alert for *NAME* has been resolved",
    ),
    ("NAME OK -> CRIT", "NAME CRIT -> OK"),
    ("NAME has failed", "NAME has recovered"),
    ("🔥 Firing: NAME", "✅ Resolved - NAME"),
    ("Monitor is DOWN: NAME", "Monitor is UP: NAME"),
    ("DOWN NAME", "UP NAME"),
    ("DOWN | NAME | 500", "UP | NAME | 200"),
    ("NAME | DOWN | 503 Service Unavailable", "NAME | UP | 200 OK"),
    ("prod - DOWN - NAME", "prod - UP - NAME"),
    ("Oh no! NAME is down", "Yay! NAME is up again"),
    ("NAME is down, oh no!", "NAME is back :)"),
    ("NAME is degraded", "NAME is operational"),
    ("Degraded performance: NAME", "Operational: NAME"),
    ("DOWN: NAME (500)", "UP: NAME (200)"),
];

/// A name of words that say no state and no more than any other word does.
fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-z]{2,6}[0-9]{1,2}", 1..4).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn only_the_state_word_changes(name in name(), shape in proptest::sample::select(&SHAPES[..])) {
        let (begun, ended) = (shape.0.replace("NAME", &name), shape.1.replace("NAME", &name));
        let (begun, ended) = (state_of_line(&begun, None), state_of_line(&ended, None));
        prop_assert_eq!(begun.status, Some(EventStatus::Firing));
        prop_assert_eq!(ended.status, Some(EventStatus::Resolved));
        prop_assert_eq!(&begun.about, &ended.about);
        prop_assert!(begun.about.contains(&name), "{:?}", begun);
    }

    #[test]
    fn another_name_is_another_thing(
        one in name(),
        other in name(),
        shape in proptest::sample::select(&SHAPES[..]),
    ) {
        prop_assume!(one != other);
        let (begun, ended) = (shape.0.replace("NAME", &one), shape.1.replace("NAME", &other));
        prop_assert_ne!(state_of_line(&begun, None).about, state_of_line(&ended, None).about);
    }

    /// Whatever a line says beside its states, it is not lost.
    #[test]
    fn no_other_word_is_left_out(words in proptest::collection::vec("[a-z]{2,5}[0-9]|FIRING|OK|down|up|\\[DOWN\\]|:", 1..8)) {
        let line = words.join(" ");
        let about = state_of_line(&line, None).about;
        for word in words.iter().filter(|word| word.ends_with(|last: char| last.is_ascii_digit())) {
            prop_assert!(about.split(' ').any(|kept| kept == word), "{line:?} became {about:?}");
        }
    }

    #[test]
    fn nothing_panics(line in "(\\PC|[\\[\\]:|> -]|🔴|is |up|down|OK|not |<http|->){0,40}") {
        for hint in [None, Some(EventStatus::Firing), Some(EventStatus::Resolved)] {
            let found = state_of_line(&line, hint);
            found.is_generic();
            found.about_or(&line);
            without_states(&line, hint);
            without_measures(&line);
        }
    }
}
