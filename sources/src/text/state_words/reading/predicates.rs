//! Predicates of a line, and its subject.

use super::Reading;
use crate::text::state_words::lexicon::{
    self, ADVERBS, ARTICLES, DEGREES, INCIDENTS, JOBS, PLACES, REASONS, RESTRICTIONS, VERBS, meaning,
};
use crate::text::state_words::tokens::{Kind, Token};

impl Reading<'_> {
    /// The subject: what is left of the line without its states, the same at the beginning and at the end of a problem.
    pub(in crate::text::state_words) fn about(&self) -> String {
        let mut kept: Vec<&str> = Vec::new();
        let mut is_separated = false;
        for token in self.tokens.iter().take(self.end).filter(|token| !token.is_state) {
            match token.kind {
                Kind::Mark if kept.is_empty() || is_separated => continue,
                Kind::Mark => is_separated = true,
                _ => is_separated = false,
            }
            kept.push(token.shown());
        }
        let about = kept.join(" ");
        let about = about.trim_matches(|character: char| {
            character.is_whitespace()
                || matches!(character, '.' | ',' | ':' | ';' | '!' | '|' | '–' | '—' | '*')
        });
        let about = about.trim_end_matches([' ', '-']).trim_start_matches("- ");
        match about.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) if !inner.contains(['[', ']']) => inner.trim().to_owned(),
            _ => about.to_owned(),
        }
    }

    /// The first token that is not a state already.
    pub(super) fn first(&self) -> usize {
        let is_open = |token: &Token<'_>| !token.is_state && token.kind != Kind::Mark;
        self.tokens.iter().position(is_open).unwrap_or(self.tokens.len())
    }

    /// Whether there is a word between these places that is no state.
    pub(super) fn names_something(&self, from: usize, to: usize) -> bool {
        let tokens = self.tokens.get(from..to).unwrap_or_default();
        tokens
            .iter()
            .any(|token| !token.is_state && token.kind != Kind::Mark && !token.word.is_empty())
    }

    /// Whether there is nothing between these places but states and filler words; in front of a separator also words such as
    /// "alert", and durations.
    pub(super) fn is_all_state(&self, from: usize, to: usize, is_first: bool) -> bool {
        let tokens = self.tokens.get(from..to).unwrap_or_default();
        let is_filler = |token: &Token<'_>| {
            let word = token.word.as_str();
            let is_linking = VERBS.contains(&word) || ADVERBS.contains(&word);
            let is_more = is_first
                && (lexicon::is_generic(word)
                    || ARTICLES.contains(&word)
                    || DEGREES.contains(&word)
                    || word == "in"
                    || token.is_duration()
                    || token.is_number_of_run());
            token.is_state || is_linking || is_more || token.kind == Kind::Mark
        };
        let mut states = tokens.iter().filter(|token| meaning(&token.word).is_some());
        let has_state = states.next().is_some();
        has_state
            && tokens
                .iter()
                .all(|token| meaning(&token.word).is_some() || is_filler(token))
    }

    /// Whether what stands here, or what ends here, is set apart from what follows.
    pub(super) fn separates(&self, at: usize) -> bool {
        self.is_mark(at) || self.tokens.get(at).is_some_and(Token::ends_segment)
    }

    /// Whether a word is in capitals, in a line that is not.
    pub(super) fn is_loud(&self, at: usize) -> bool {
        !self.is_all_loud() && self.tokens.get(at).is_some_and(Token::is_loud)
    }

    /// Whether this word alone has a capital: "shop Up", but not "Start Up".
    pub(super) fn is_raised(&self, at: usize) -> bool {
        let is_capital = |token: &Token<'_>| token.text.starts_with(char::is_uppercase);
        let mut others = self.tokens.iter().enumerate().filter(|(other, _)| *other != at);
        self.tokens.get(at).is_some_and(is_capital) && !others.any(|(_, token)| is_capital(token))
    }

    pub(super) fn is_all_loud(&self) -> bool {
        let lower = |token: &Token<'_>| token.text.chars().any(char::is_lowercase);
        !self.tokens.iter().any(lower)
    }

    /// Where the verb of a state begins, and whether it negates the state.
    pub(super) fn verb_before(&self, state: usize) -> Option<(usize, Negation)> {
        let mut negation = Negation::None;
        let mut at = state;
        while at > 0 {
            at -= 1;
            match self.word(at) {
                "not" | "nicht" => negation = Negation::Not,
                "partially" | "partly" => negation = Negation::Partly,
                "longer" if at > 0 && self.word(at - 1) == "no" => {
                    negation = Negation::NoLonger;
                    at -= 1;
                }
                word if VERBS.contains(&word) => {
                    let is_double = at > 0 && VERBS.contains(&self.word(at - 1));
                    return Some((at - usize::from(is_double), negation));
                }
                word if ADVERBS.contains(&word) => (),
                _ => return None,
            }
        }
        None
    }

    pub(super) fn is_about_job(&self, to: usize) -> bool {
        (0..to).any(|at| JOBS.contains(&self.word(at)))
    }

    pub(super) fn is_about_incident(&self, to: usize) -> bool {
        (0..to).any(|at| INCIDENTS.contains(&self.word(at)))
    }

    /// "Only 1 of 3 replicas is up" is no end, nor is "until the host is up".
    pub(super) fn is_restricted(&self, to: usize) -> bool {
        let is_number = |at: usize| self.word(at).starts_with(|first: char| first.is_ascii_digit());
        (0..to).any(|at| {
            let is_share = self.word(at) == "of" && at > 0 && is_number(at - 1) && is_number(at + 1);
            let is_share = is_share || self.tokens[at].is_share();
            is_share || RESTRICTIONS.contains(&self.word(at))
        })
    }

    /// Whether the clause may end with a state: "is up" does, "is up to 90 %" and "is critical infrastructure" do not.
    pub(super) fn may_end_at(&self, at: usize) -> bool {
        let behind = at + 1;
        if behind >= self.len() || self.tokens[at].ends_clause() {
            return true;
        }
        let next = &self.tokens[behind];
        let is_up = self.word(at) == "up";
        match next.kind {
            Kind::Mark | Kind::Tag => true,
            _ if next.text.starts_with(['(', '{']) => true,
            _ if matches!(next.word.as_str(), "again" | "now") => true,
            _ if matches!(next.word.as_str(), "due" | "because" | "after" | "since") => true,
            // "up by 30 %", "up at 90 %".
            _ if is_up => next.word == "on",
            _ => PLACES.contains(&next.word.as_str()) || matches!(next.word.as_str(), "with" | "by"),
        }
    }

    /// Whether an explanation begins here: a status code, an error, a time.
    pub(super) fn explains(&self, at: usize) -> bool {
        let first = (at..self.len()).find(|at| !self.is_mark(*at));
        let Some(first) = first else {
            return true;
        };
        let word = self.word(first);
        word.starts_with(|first: char| first.is_ascii_digit()) || REASONS.contains(&word)
    }
}

/// The negation between a verb and a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Negation {
    None,
    Not,
    NoLonger,
    /// Of some of it.
    Partly,
}
