//! What people say around a message: `Oh no! shop is down`, `shop is up again :)`.

use crate::text::state_words::lexicon::INTERJECTIONS;
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
    is_apart && is_interjection(said) && behind.iter().any(|token| !token.word.is_empty())
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

fn is_interjection(said: &[Token<'_>]) -> bool {
    let words: Vec<_> = said.iter().map(|token| token.word.as_str()).collect();
    said.iter().all(|token| token.kind == Kind::Word) && INTERJECTIONS.contains(&words.join(" ").as_str())
}
