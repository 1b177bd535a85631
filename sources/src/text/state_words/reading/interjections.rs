//! What people say around a message: `Oh no! shop is down`, `shop is up again :)`.

use crate::text::state_words::lexicon::{INTERJECTIONS, VERBS, meaning};
use crate::text::state_words::tokens::{Kind, Token};

/// The most words of an interjection.
const WORDS_MAX: usize = 5;

/// The tokens without the interjections in front of them and behind them.
pub(super) fn without<'a, 't>(tokens: &'a [Token<'t>]) -> &'a [Token<'t>] {
    let mut rest = tokens;
    while rest.len() > 1 && rest.last().is_some_and(Token::is_emoticon) {
        rest = &rest[..rest.len() - 1];
    }
    if let Some(length) = (1..=WORDS_MAX).rev().find(|length| is_in_front(rest, *length)) {
        rest = &rest[length..];
    }
    if let Some(length) = (1..=WORDS_MAX).rev().find(|length| is_behind(rest, *length)) {
        rest = &rest[..rest.len() - length];
    }
    rest
}

fn is_in_front(tokens: &[Token<'_>], length: usize) -> bool {
    let Some((said, behind)) = tokens.split_at_checked(length) else {
        return false;
    };
    let is_apart = said.last().is_some_and(Token::ends_clause)
        || behind.first().is_some_and(|token| token.kind == Kind::Mark);
    let is_said = is_interjection(said) || is_exclamation(said);
    // `Yahoo! is down` is about what is in front.
    let is_subject = behind
        .first()
        .is_some_and(|token| VERBS.contains(&token.word.as_str()));
    is_apart && is_said && !is_subject && behind.iter().any(|token| !token.word.is_empty())
}

fn is_behind(tokens: &[Token<'_>], length: usize) -> bool {
    let Some((before, said)) = tokens
        .len()
        .checked_sub(length)
        .and_then(|at| tokens.split_at_checked(at))
    else {
        return false;
    };
    let is_apart = before
        .last()
        .is_some_and(|token| token.ends_clause() || token.kind == Kind::Mark);
    is_apart && is_interjection(said)
}

/// Whether these are a few words with an exclamation mark, and no state. What is in capitals may be a name.
fn is_exclamation(said: &[Token<'_>]) -> bool {
    let is_plain = |token: &Token<'_>| {
        let is_letter = |letter: char| letter.is_alphabetic() || "'’-".contains(letter);
        let is_word = token.kind == Kind::Word && token.word.chars().all(is_letter);
        is_word && !token.is_loud() && meaning(&token.word).is_none()
    };
    said.last().is_some_and(Token::is_exclaimed) && said.iter().all(is_plain)
}

fn is_interjection(said: &[Token<'_>]) -> bool {
    let words: Vec<_> = said.iter().map(|token| token.word.as_str()).collect();
    said.iter().all(|token| token.kind == Kind::Word) && INTERJECTIONS.contains(&words.join(" ").as_str())
}
