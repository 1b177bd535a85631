//! States in brackets.

use crate::text::state_words::lexicon::{
    self, ADVERBS, ARTICLES, DEGREES, Meaning, PLACES, Rank, VERBS, meaning,
};
use crate::text::state_words::tokens::{self};

/// The state in brackets, its word, and the rest of the text in them.
pub(super) fn state_of_tag(inner: &str) -> Option<(Meaning, String, String)> {
    let joined = inner.to_lowercase().replace("no data", "no-data");
    let words: Vec<String> = joined
        .split(|character: char| character.is_whitespace() || matches!(character, ':' | ',' | '/' | '|'))
        .map(tokens::core)
        .filter(|word| !word.is_empty())
        .collect();
    let (word, found) = words
        .iter()
        .filter_map(|word| Some((word.clone(), meaning(word)?)))
        .reduce(|first, next| if next.1.rank > first.1.rank { next } else { first })?;
    // The firing alerts count more than the resolved ones.
    if let Some(firing) = words.iter().find(|word| *word == "firing").cloned() {
        let found = meaning(&firing)?;
        let over = Meaning {
            rank: Rank::Over,
            ..found
        };
        return Some((over, firing, String::new()));
    }
    let is_filler = |word: &String| {
        let is_number = word.starts_with(|first: char| first.is_ascii_digit());
        is_number
            || meaning(word).is_some()
            || lexicon::is_generic(word)
            || ARTICLES.contains(&word.as_str())
            || DEGREES.contains(&word.as_str())
            || VERBS.contains(&word.as_str())
            || ADVERBS.contains(&word.as_str())
    };
    if words.iter().all(is_filler) {
        return Some((found, word, String::new()));
    }
    // Datadog's groups.
    let (first, rest) = inner.trim().split_once(' ')?;
    let is_placed = rest
        .split_whitespace()
        .next()
        .is_some_and(|next| PLACES.contains(&next));
    let found = meaning(&tokens::core(first)).filter(|_| is_placed)?;
    Some((found, tokens::core(first), format!("[{}]", rest.trim())))
}
