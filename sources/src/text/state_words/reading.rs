//! Finds the words of a line that are a state, place by place.

use schemas::EventStatus;

use super::lexicon::Meaning;
use super::tokens::{Kind, Token};

mod explanations;
mod interjections;
mod places;
mod predicates;
mod tag;

/// A line, and the states that are found in it so far.
pub(super) struct Reading<'t> {
    tokens: Vec<Token<'t>>,
    /// From this token on the line explains the state.
    end: usize,
    /// The state of the highest rank so far, and its word.
    state: Option<(Meaning, String)>,
    /// The status by something beside the line, such as a color.
    hint: Option<EventStatus>,
}

impl<'t> Reading<'t> {
    /// Finds the states of a line.
    pub(super) fn of(tokens: Vec<Token<'t>>, hint: Option<EventStatus>) -> Self {
        let is_read = |token: &Token<'_>| token.kind != Kind::Picture;
        let tokens: Vec<_> = tokens.into_iter().filter(is_read).collect();
        let plain = interjections::without(&tokens);
        if plain.len() < tokens.len() {
            let reading = Self::of_tokens(plain.to_vec(), hint);
            if reading.state.is_some() {
                return reading;
            }
        }
        Self::of_tokens(tokens, hint)
    }

    fn of_tokens(tokens: Vec<Token<'t>>, hint: Option<EventStatus>) -> Self {
        let mut reading = Self {
            tokens,
            end: usize::MAX,
            state: None,
            hint,
        };
        reading.tags();
        reading.nothing_but_state();
        while reading.first_segment() {}
        reading.changes();
        reading.of_incidents();
        reading.behind_verbs();
        reading.in_front_of_comma();
        reading.in_front_of_parenthesis();
        reading.middle_segments();
        reading.behind_capitals();
        reading.last_segment();
        reading.last_word();
        reading.runs();
        reading.codes();
        reading
    }

    /// The status by the words of the line, and the word.
    pub(super) fn state(&self) -> Option<(EventStatus, &str)> {
        let (meaning, word) = self.state.as_ref()?;
        Some((meaning.status, word))
    }

    /// Records a state, unless one of a higher or the same rank is found already.
    fn record(&mut self, meaning: Meaning, word: String) {
        if self
            .state
            .as_ref()
            .is_none_or(|(found, _)| meaning.rank > found.rank)
        {
            self.state = Some((meaning, word));
        }
    }

    fn len(&self) -> usize {
        self.tokens.len().min(self.end)
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.word.as_str())
    }

    fn is_mark(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Mark)
    }

    /// Marks a token as a part of the state, so that it is no part of the subject.
    fn remove(&mut self, at: usize) {
        if let Some(token) = self.tokens.get_mut(at) {
            token.is_state = true;
        }
    }
}
