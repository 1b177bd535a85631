//! Whether an access token would be found by a program that guesses.

use std::collections::BTreeSet;

/// A token of fewer different characters can be guessed: random ones of 16 hexadecimal digits have some ten.
const CHARACTERS_MIN: usize = 5;
/// Words that stand in every list of passwords. A token of these and digits only is one of the first attempts.
const COMMON_WORDS: &[&str] = &[
    "password",
    "passw0rd",
    "p@ssw0rd",
    "changeme",
    "changeit",
    "secret",
    "access",
    "token",
    "admin",
    "reveille",
    "letmein",
    "iloveyou",
    "default",
    "welcome",
    "example",
    "monitoring",
    "monitor",
    "alerts",
    "alert",
    "login",
    "test",
    "root",
    "user",
    "pass",
    "key",
    "abc",
    "my",
    "the",
];
/// The letters of a keyboard, in the order of their rows.
const KEYBOARD: &str = "qwertyuiopasdfghjklzxcvbnm";

/// Whether the first attempts of a program that guesses find this token: one character or a short piece again and again,
/// characters in a row, or words of every list with digits behind them.
pub(super) fn is_guessable(token: &str) -> bool {
    let text = token.trim().to_lowercase();
    let letters: String = text
        .chars()
        .filter(|character| character.is_alphabetic())
        .collect();
    text.chars().collect::<BTreeSet<_>>().len() < CHARACTERS_MIN
        || is_repeated(text.as_bytes())
        || is_in_order(text.as_bytes())
        || (letters.len() * 2 >= text.len() && is_keyboard_walk(&letters))
        || is_common_words(&letters)
}

/// A piece of at most half the token, again and again.
fn is_repeated(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).any(|period| bytes[period..] == bytes[..bytes.len() - period])
}

/// Three quarters of the characters are each next to the one before.
fn is_in_order(bytes: &[u8]) -> bool {
    [1, -1].into_iter().any(|step| {
        let steps = bytes.windows(2);
        let in_order = steps.filter(|pair| i16::from(pair[1]) - i16::from(pair[0]) == step);
        in_order.count() * 4 >= bytes.len() * 3
    })
}

fn is_keyboard_walk(letters: &str) -> bool {
    let characters: Vec<_> = letters.chars().collect();
    let pairs = characters.windows(2);
    let beside = pairs.filter(|pair| KEYBOARD.contains(&String::from_iter(*pair)));
    beside.count() * 4 >= characters.len() * 3
}

fn is_common_words(letters: &str) -> bool {
    let mut rest = letters.to_owned();
    for word in COMMON_WORDS {
        rest = rest.replace(word, "");
    }
    rest.is_empty() && !letters.is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_guessable;
    use crate::settings::Settings;

    #[test]
    fn s6_a_token_that_is_guessed_at_once_is_refused() {
        for weak in [
            "1111111111111111",
            "abababababababab",
            "0123456789abcdef",
            "fedcba9876543210",
            "1234567890123456",
            "passwordpassword",
            "Password12345678",
            "changeme12345678",
            "reveille-access-token",
            "secretsecret1234",
            "qwertyuiop123456",
            "qwertyuiopasdfgh",
            "1q2w3e4r5t6y7u8i",
        ] {
            assert!(is_guessable(weak), "{weak}");
            let variable = ("REVEILLE_ACCESS_TOKEN".to_owned(), weak.to_owned());
            let error = Settings::load(None, [variable].into_iter())
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("can be guessed") && !error.contains(weak),
                "{weak}: {error}"
            );
        }
        for good in [
            "sixteen letters!",
            "9f86d081884c7d65",
            "correct horse battery",
            "mO4v2Yc1kqPz7Rw3",
            "84620174620193857",
        ] {
            assert!(!is_guessable(good), "{good}");
        }
    }
}
