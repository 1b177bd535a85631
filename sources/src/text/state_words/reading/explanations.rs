//! What stands beside a state and differs at the end of a problem: an error, a status code, a duration, the number of a run.

use super::Reading;
use crate::text::state_words::lexicon::{
    ARTICLES, ERRORS, HTTP_PHRASES, NUMBERED, PLACES, Rank, TIMES, is_http_status, meaning,
};
use crate::text::state_words::tokens::Kind;

impl Reading<'_> {
    /// `[DOWN] shop - Connection refused`, `DOWN | shop | 500`, `UP: shop (200)`: the text behind the last separator or in
    /// parentheses is an error, a status code or a time, if the state in front is of a check.
    pub(super) fn cut_error(&mut self) {
        let len = self.len();
        let first = (0..len).rev().find(|at| self.is_mark(*at)).unwrap_or(0);
        let places = (first..len).rev().filter_map(|at| match &self.tokens[at] {
            token if token.kind == Kind::Mark => Some((at, at + 1)),
            token if token.ends_segment() => Some((at + 1, at + 1)),
            token if token.text.starts_with('(') => Some((at, at)),
            _ => None,
        });
        let is_cut = |(end, from): &(usize, usize)| {
            *end > 0 && *from < len && self.names_something(0, *end) && self.is_error(*from)
        };
        if let Some((end, _)) = places.clone().find(is_cut).filter(|_| self.is_of_check()) {
            self.end = self.end.min(end);
        }
    }

    /// Whether the state that is found is that of a check.
    fn is_of_check(&self) -> bool {
        self.state
            .as_ref()
            .is_some_and(|(found, _)| found.rank == Rank::Check)
    }

    /// Whether the line ends with an error, a status code or a time that begins here.
    fn is_error(&self, at: usize) -> bool {
        let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let is = |at: usize, pattern: &str| match pattern {
            "#" => is_number(self.word(at)),
            word => self.word(at) == word,
        };
        let is_known =
            |(first, second): &(&str, &str)| is(at, first) && (second.is_empty() || is(at + 1, second));
        let is_last = at + 1 >= self.len();
        let is_code = is_http_status(self.word(at)) && (is_last || HTTP_PHRASES.contains(&self.word(at + 1)));
        let is_time = |at: usize| at + 1 == self.len() && self.tokens[at].is_response_time();
        let is_named_time = TIMES.contains(&self.word(at)) && !is_last && is_time(at + 1);
        is_code || is_time(at) || is_named_time || ERRORS.iter().any(is_known)
    }

    /// `shop DOWN - 500`, `shop UP 120ms`: what explains a state in capitals, which is not the last word then.
    pub(super) fn behind_capitals(&mut self) {
        for at in 1..self.len() {
            let found =
                meaning(self.word(at)).filter(|found| found.rank == Rank::Check && !found.is_ordinary);
            let behind = (at + 1..self.len()).find(|at| !self.is_mark(*at));
            let explains = behind.is_some_and(|behind| self.is_error(behind));
            if found.is_some() && self.is_loud(at) && explains && self.names_something(0, at) {
                self.end = self.end.min(at + 1);
                return;
            }
        }
    }

    /// `shop | 500 | DOWN`, `shop (500) DOWN`: a status code between two separators, or in parentheses.
    pub(super) fn codes(&mut self) {
        let (len, is_of_check) = (self.len(), self.is_of_check());
        for at in 1..len {
            let is_apart = self.separates(at - 1) && (at + 1 >= len || self.is_mark(at + 1));
            let is_alone = is_apart || self.tokens[at].is_in_parentheses();
            let names_more = (0..len).any(|other| other != at && self.names_something(other, other + 1));
            if is_of_check && is_alone && names_more && is_http_status(self.word(at)) {
                self.remove(at);
            }
        }
    }

    /// `Build #42 of shop failed`: the number of the run differs at the end.
    pub(super) fn runs(&mut self) {
        if self.state.is_none() {
            return;
        }
        for at in 1..self.len() {
            let is_run = self.tokens[at].is_number_of_run() && NUMBERED.contains(&self.word(at - 1));
            let names_more = (0..self.len()).any(|other| {
                let word = self.word(other);
                let is_little = word.is_empty() || PLACES.contains(&word) || ARTICLES.contains(&word);
                !self.tokens[other].is_state && !is_little && other != at && other != at - 1
            });
            if is_run && names_more {
                self.remove(at);
            }
        }
    }

    /// Cuts off the explanation of the state that ends in front of this place, here or behind the subject.
    pub(super) fn cut_reason(&mut self, behind: usize) {
        if behind >= self.len() {
            return;
        }
        let is_joined = self.tokens[behind].kind == Kind::Word && PLACES.contains(&self.word(behind));
        if !is_joined && self.explains(behind) {
            self.end = behind;
            return;
        }
        let is_number = |at: usize| self.word(at).starts_with(|first: char| first.is_ascii_digit());
        let is_while = |at: usize| self.tokens[at].is_duration() || self.word(at).contains(':');
        let is_time = |at: usize| match self.word(at) {
            "for" | "at" => is_number(at + 1),
            "in" => is_number(at + 1) && is_while(at + 1),
            _ => false,
        };
        let found = (behind..self.len()).find(|at| {
            let next = self.word(*at + 1);
            match self.word(*at) {
                "due" => next == "to",
                "because" => true,
                "reason" => self.tokens[*at].ends_segment(),
                "it" => next == "was",
                _ => is_time(*at),
            }
        });
        self.end = self.end.min(found.unwrap_or(usize::MAX));
    }
}
