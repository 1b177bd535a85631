//! Finds the words of a line that say a state, place by place.

use schemas::EventStatus;

use super::lexicon::{
    self, ADVERBS, ARTICLES, BEFORE_UP, DEGREES, ERRORS, INCIDENTS, JOB_ENDS, JOBS, Meaning, NUMBERED,
    PLACES, REASONS, RESTRICTIONS, Rank, VERBS, meaning,
};
use super::tokens::{self, Kind, Token};

/// Words that say a state in lower case only behind a verb or a separator: "set up", "no critical", "traffic normal".
const NEEDS_A_VERB: [&str; 13] = [
    "up",
    "critical",
    "crit",
    "warning",
    "warn",
    "normal",
    "red",
    "green",
    "clear",
    "responding",
    "ok",
    "passing",
    "attention",
];

/// A line that is being read.
pub(super) struct Reading<'t> {
    tokens: Vec<Token<'t>>,
    /// From here on it explains.
    end: usize,
    /// What counts most of what was said so far.
    said: Option<(Meaning, String)>,
    hint: Option<EventStatus>,
}

impl<'t> Reading<'t> {
    /// Finds the states of a line. `hint` is how things stand by something else.
    pub(super) fn of(tokens: Vec<Token<'t>>, hint: Option<EventStatus>) -> Self {
        let is_read = |token: &Token<'_>| token.kind != Kind::Picture;
        let mut reading = Self {
            tokens: tokens.into_iter().filter(is_read).collect(),
            end: usize::MAX,
            said: None,
            hint,
        };
        reading.tags();
        reading.nothing_but_state();
        while reading.first_segment() {}
        reading.changes();
        reading.of_incidents();
        reading.behind_verbs();
        reading.in_front_of_comma();
        reading.last_segment();
        reading.last_word();
        reading.runs();
        reading
    }

    /// How things stand, and the word that says so.
    pub(super) fn said(&self) -> Option<(EventStatus, &str)> {
        let (meaning, word) = self.said.as_ref()?;
        Some((meaning.status, word))
    }

    fn say(&mut self, meaning: Meaning, word: String) {
        if self
            .said
            .as_ref()
            .is_none_or(|(said, _)| meaning.rank > said.rank)
        {
            self.said = Some((meaning, word));
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

    fn remove(&mut self, at: usize) {
        if let Some(token) = self.tokens.get_mut(at) {
            token.is_state = true;
        }
    }

    /// `[FIRING:2]`, `[🔴 Down]`, `[Incident resolved]`, `[Triggered on {host:db-1}]`.
    fn tags(&mut self) {
        for at in 0..self.tokens.len() {
            if self.tokens[at].kind != Kind::Tag {
                continue;
            }
            let Some((meaning, word, rest)) = state_of_tag(self.tokens[at].text) else {
                continue;
            };
            self.say(meaning, word);
            let is_pictured = self.tokens[at].pictured().is_some();
            let token = &mut self.tokens[at];
            token.is_state = rest.is_empty();
            token.replaced = Some(rest).filter(|rest| !rest.is_empty());
            // Uptime Kuma: what is in front is all that it is about.
            let is_kuma = meaning.rank == Rank::Check && at > 0 && self.names_something(0, at);
            let says_more = at + 1 < self.tokens.len();
            if is_kuma && says_more && (is_pictured || self.explains(at + 1)) {
                self.end = self.end.min(at + 1);
            }
        }
        self.cut_error();
    }

    /// `Service RECOVERY notification`, `Incident resolved`: nothing in it says what it is about.
    fn nothing_but_state(&mut self) {
        let len = self.len();
        if !self.is_all_state(0, len, true) {
            return;
        }
        for at in 0..len {
            let found = meaning(self.word(at));
            let is_said = |found: &Meaning| found.rank > Rank::Kind || self.is_loud(at);
            if let Some(found) = found.filter(is_said) {
                self.say(found, self.word(at).to_owned());
                self.remove(at);
            }
        }
    }

    /// `Resolved: disk`, `Monitor is DOWN: shop`, `Resolved in 5m 3s: disk`, `PROBLEM Service Alert: web-1`. Whether there
    /// was such a segment, so that another may follow it: `Resolved: Incident: disk`.
    fn first_segment(&mut self) -> bool {
        let (from, len) = (self.first(), self.len());
        let separator = (from..len).find(|at| self.is_mark(*at) || self.tokens[*at].ends_segment());
        if let Some(at) = separator {
            let end = if self.is_mark(at) { at } else { at + 1 };
            let behind = self.names_something(at + 1, len);
            let is_new = |at: usize| !self.tokens[at].is_state && meaning(self.word(at)).is_some();
            if behind && (from..end).any(is_new) && self.is_all_state(from, end, true) {
                self.take(from, end);
                self.cut_error();
                return true;
            }
            if behind && !self.is_mark(at) && at > from && !self.tokens[at].is_state {
                self.in_front_of_colon(at);
            }
        }
        let Some(found) = meaning(self.word(from)) else {
            return false;
        };
        let is_hinted = self.hint == Some(EventStatus::Resolved);
        let is_marked = self.tokens[from].is_in_parentheses();
        let is_loud = self.is_loud(from) && (is_hinted || self.word(from) != "up");
        let is_said = is_loud || (is_marked && !found.is_ordinary);
        if is_said && !self.tokens[from].is_state && self.names_something(from + 1, len) {
            self.say(found, self.word(from).to_owned());
            self.remove(from);
        }
        false
    }

    /// `Heartbeat missed: nightly`, `Node offline: web-1`.
    fn in_front_of_colon(&mut self, at: usize) {
        let Some(found) = meaning(self.word(at)).filter(|found| !found.is_ordinary) else {
            return;
        };
        let is_verb = self.word(at) == "up" && BEFORE_UP.contains(&self.word(at - 1));
        let is_restricted = found.status == EventStatus::Resolved && self.is_restricted(at);
        if is_verb || is_restricted || self.verb_before(at).is_some() {
            return;
        }
        self.say(found, self.word(at).to_owned());
        self.remove(at);
        if self.explains(at + 1) {
            self.end = self.end.min(at + 1);
        }
        self.cut_error();
    }

    /// `web-1 recovered, disk is at 40 %`.
    fn in_front_of_comma(&mut self) {
        let len = self.len();
        let is_clear = |at: &usize| {
            let found = meaning(self.word(*at));
            let is_clear =
                found.is_some_and(|found| !found.is_ordinary && !NEEDS_A_VERB.contains(&self.word(*at)));
            is_clear && !self.tokens[*at].is_state && self.tokens[*at].text.ends_with(',')
        };
        let Some(at) = (1..len).find(is_clear) else { return };
        let Some(found) = meaning(self.word(at)) else {
            return;
        };
        let is_restricted = found.status == EventStatus::Resolved && self.is_restricted(at);
        if self.names_something(0, at) && !is_restricted && self.verb_before(at).is_none() {
            self.say(found, self.word(at).to_owned());
            self.remove(at);
        }
    }

    /// `Incident opened for shop`, `cpu alarm raised`, `cpu alarm cleared`.
    fn of_incidents(&mut self) {
        for at in 1..self.len() {
            let Some(found) = meaning(self.word(at)).filter(|found| found.rank > Rank::Check) else {
                continue;
            };
            let is_incident = INCIDENTS.contains(&self.word(at - 1));
            let is_restricted = found.status == EventStatus::Resolved && self.is_restricted(at);
            if is_incident && !self.tokens[at].is_state && self.may_end_at(at) && !is_restricted {
                self.say(found, self.word(at).to_owned());
                self.remove(at);
                self.cut_reason(at + 1);
                return;
            }
        }
    }

    /// `[DOWN] shop - Connection refused`: what stands behind the last separator is an error, if the state in front is of
    /// a check.
    fn cut_error(&mut self) {
        let is_of_check = self
            .said
            .as_ref()
            .is_some_and(|(said, _)| said.rank == Rank::Check);
        let len = self.len();
        let Some(at) = (0..len)
            .rev()
            .find(|at| self.is_mark(*at))
            .filter(|_| is_of_check)
        else {
            return;
        };
        let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let is = |at: usize, pattern: &str| match pattern {
            "#" => is_number(self.word(at)),
            word => self.word(at) == word,
        };
        let is_error =
            |(first, second): &(&str, &str)| is(at + 1, first) && (second.is_empty() || is(at + 2, second));
        if at > 0 && at + 1 < len && self.names_something(0, at) && ERRORS.iter().any(is_error) {
            self.end = self.end.min(at);
        }
    }

    /// `Build #42 of shop failed`: which run it was is another one at the end.
    fn runs(&mut self) {
        if self.said.is_none() {
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

    /// `OK -> CRIT`, `from UP to DOWN`, `changed state to DOWN`.
    fn changes(&mut self) {
        for at in 1..self.len().saturating_sub(1) {
            let is_arrow = self.tokens[at].kind == Kind::Arrow;
            let is_changed = |at: usize| matches!(self.word(at), "changed" | "switched" | "transitioned");
            let (is_joined, is_near) = (is_changed(at - 1), at > 1 && is_changed(at - 2));
            let is_to = self.word(at) == "to";
            let is_from = is_to && at > 1 && self.word(at - 2) == "from";
            let is_change = is_to && (is_joined || is_near) && self.may_end_at(at + 1);
            if !is_arrow && !is_from && !is_change {
                continue;
            }
            let (before, after) = (meaning(self.word(at - 1)), meaning(self.word(at + 1)));
            let is_before = is_change || before.is_some();
            let Some(after) = after.filter(|_| is_before) else {
                continue;
            };
            self.say(after, self.word(at + 1).to_owned());
            let mut from = at - usize::from(before.is_some() || is_joined);
            while from > 0
                && matches!(
                    self.word(from - 1),
                    "from" | "changed" | "switched" | "went" | "transitioned"
                )
            {
                from -= 1;
            }
            (from..=at + 1).for_each(|at| self.remove(at));
        }
    }

    /// `shop is back up!`, `An alert for shop has been triggered due to …`, `disk is critical on db-1`.
    fn behind_verbs(&mut self) {
        for at in 1..self.len() {
            let Some(found) = meaning(self.word(at)) else {
                continue;
            };
            let Some((from, negation)) = self.verb_before(at) else {
                continue;
            };
            let is_again = self.word(at + 1) == "again";
            let is_of_job = JOB_ENDS.contains(&self.word(at)) && self.is_about_job(from);
            let is_said = !found.is_ordinary
                || self.is_loud(at)
                || is_again
                || is_of_job
                || self.is_about_incident(from);
            let status = match (negation, found.status) {
                (Negation::None, status) => status,
                (Negation::Not | Negation::NoLonger, EventStatus::Resolved) => EventStatus::Firing,
                (Negation::NoLonger, _) => EventStatus::Resolved,
                (Negation::Not, _) => continue,
            };
            let is_restricted = status == EventStatus::Resolved && self.is_restricted(from);
            if !is_said || is_restricted || from == 0 || !self.may_end_at(at) {
                continue;
            }
            let word = self.word(at).to_owned();
            self.say(Meaning { status, ..found }, word);
            (from..=at).for_each(|at| self.remove(at));
            let mut behind = at + 1;
            if matches!(self.word(behind), "again" | "now") {
                self.remove(behind);
                behind += 1;
            }
            self.cut_reason(behind);
            return;
        }
    }

    /// `shop: DOWN`, `my-job - #42 Back to normal after 3 min`.
    fn last_segment(&mut self) {
        let len = self.len();
        let Some(at) = (0..len).rev().find(|at| {
            let is_inner = *at + 1 < len;
            is_inner && (self.is_mark(*at) || self.tokens[*at].ends_segment())
        }) else {
            return;
        };
        let mut from = at + 1;
        let is_run = self.tokens[from].is_number_of_run();
        from += usize::from(is_run);
        let end = (from..len).find(|at| self.word(*at) == "after").unwrap_or(len);
        let is_loud = (from..end).any(|at| self.is_loud(at));
        let is_ordinary = |word: &str| meaning(word).is_some_and(|meaning| meaning.is_ordinary);
        let ordinary = (from..end).any(|at| is_ordinary(self.word(at)));
        let may_be = is_run || is_loud || !ordinary;
        if may_be && self.names_something(0, at + 1) && self.is_all_state(from, end, false) {
            self.take(from, end);
            if is_run {
                self.remove(from - 1);
            }
            self.end = self.end.min(end);
        }
    }

    /// `shop DOWN`, `shop recovered`; and with a color that says the same, `shop up`.
    fn last_word(&mut self) {
        let len = self.len();
        let Some(at) = (0..len)
            .rev()
            .find(|at| self.tokens[*at].kind == Kind::Word && !self.tokens[*at].word.is_empty())
        else {
            return;
        };
        let Some(found) = meaning(self.word(at)) else {
            return;
        };
        if at == 0 || self.tokens[at].is_state || !self.names_something(0, at) {
            return;
        }
        let (word, before) = (self.word(at).to_owned(), self.word(at - 1).to_owned());
        let is_restricted = found.status == EventStatus::Resolved && self.is_restricted(at);
        let is_verb = word == "up" && BEFORE_UP.contains(&before.as_str());
        let is_infinitive = matches!(before.as_str(), "be" | "to" | "being" | "not");
        let is_job_end = JOB_ENDS.contains(&word.as_str());
        let is_needy = NEEDS_A_VERB.contains(&word.as_str());
        let is_hinted = self.hint == Some(found.status) && (is_needy || is_job_end);
        let is_job = is_job_end && self.is_about_job(at);
        let is_clear = !found.is_ordinary && (!is_needy || self.tokens[at].is_in_parentheses());
        let is_capital = self.is_loud(at) || (self.is_all_loud() && self.tokens[at].is_loud());
        let is_named = matches!(before.as_str(), "state" | "status");
        let is_said = is_clear || is_hinted || is_job || (is_capital && (!found.is_ordinary || is_named));
        if !is_said || is_restricted || is_verb || is_infinitive {
            return;
        }
        self.say(found, word);
        self.remove(at);
        // `RECOVERY (UP)`.
        let first = meaning(&before).filter(|first| first.status == found.status);
        if let Some(first) = first
            && self.is_loud(at - 1)
            && self.names_something(0, at - 1)
        {
            self.say(first, before);
            self.remove(at - 1);
        }
    }

    /// What is left: the same at the beginning and at the end of a problem.
    pub(super) fn about(&self) -> String {
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
    fn first(&self) -> usize {
        let is_open = |token: &Token<'_>| !token.is_state && token.kind != Kind::Mark;
        self.tokens.iter().position(is_open).unwrap_or(self.tokens.len())
    }

    /// Whether there is a word between these places that is no state.
    fn names_something(&self, from: usize, to: usize) -> bool {
        let tokens = self.tokens.get(from..to).unwrap_or_default();
        tokens
            .iter()
            .any(|token| !token.is_state && token.kind != Kind::Mark && !token.word.is_empty())
    }

    /// Whether there is nothing between these places but states and what belongs to them; in front of a separator also
    /// words such as "alert" and how long it took.
    fn is_all_state(&self, from: usize, to: usize, is_first: bool) -> bool {
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

    /// Says the states between these places and leaves them out, with the verbs before them.
    fn take(&mut self, from: usize, to: usize) {
        for at in from..to {
            let word = self.word(at).to_owned();
            let is_linking = VERBS.contains(&word.as_str()) || ADVERBS.contains(&word.as_str());
            if let Some(found) = meaning(&word) {
                self.say(found, word);
                self.remove(at);
            } else if is_linking
                || word == "in"
                || DEGREES.contains(&word.as_str())
                || self.tokens[at].is_duration()
            {
                self.remove(at);
            }
        }
    }

    /// Whether a word is in capitals, in a line that is not.
    fn is_loud(&self, at: usize) -> bool {
        !self.is_all_loud() && self.tokens.get(at).is_some_and(Token::is_loud)
    }

    fn is_all_loud(&self) -> bool {
        let lower = |token: &Token<'_>| token.text.chars().any(char::is_lowercase);
        !self.tokens.iter().any(lower)
    }

    /// Where the verb of a state begins, and whether it says the contrary.
    fn verb_before(&self, state: usize) -> Option<(usize, Negation)> {
        let mut negation = Negation::None;
        let mut at = state;
        while at > 0 {
            at -= 1;
            match self.word(at) {
                "not" | "nicht" => negation = Negation::Not,
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

    fn is_about_job(&self, to: usize) -> bool {
        (0..to).any(|at| JOBS.contains(&self.word(at)))
    }

    fn is_about_incident(&self, to: usize) -> bool {
        (0..to).any(|at| INCIDENTS.contains(&self.word(at)))
    }

    /// "Only 1 of 3 replicas is up" is no end, nor is "until the host is up".
    fn is_restricted(&self, to: usize) -> bool {
        let is_number = |at: usize| self.word(at).starts_with(|first: char| first.is_ascii_digit());
        (0..to).any(|at| {
            let is_share = self.word(at) == "of" && at > 0 && is_number(at - 1) && is_number(at + 1);
            let is_share = is_share || self.tokens[at].is_share();
            is_share || RESTRICTIONS.contains(&self.word(at))
        })
    }

    /// Whether a state ends what it is said of: "is up" does, "is up to 90 %" and "is critical infrastructure" do not.
    fn may_end_at(&self, at: usize) -> bool {
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

    /// Cuts off what explains the state that ends in front of this place, here or behind what it is about.
    fn cut_reason(&mut self, behind: usize) {
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

    /// Whether what stands here is an explanation: a status code, an error, a time.
    fn explains(&self, at: usize) -> bool {
        let first = (at..self.len()).find(|at| !self.is_mark(*at));
        let Some(first) = first else {
            return true;
        };
        let word = self.word(first);
        word.starts_with(|first: char| first.is_ascii_digit()) || REASONS.contains(&word)
    }
}

/// What stands between a verb and a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Negation {
    None,
    Not,
    NoLonger,
}

/// The state in brackets, its word, and what else is in them.
fn state_of_tag(inner: &str) -> Option<(Meaning, String, String)> {
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
    // What still fires counts more than what has ended.
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
