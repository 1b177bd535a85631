//! The places where a word is a state, one function each, in the order of [`Reading::of`].

use schemas::EventStatus;

use super::Reading;
use super::predicates::Negation;
use super::tag::state_of_tag;
use crate::text::state_words::lexicon::{
    ADVERBS, ARTICLES, BEFORE_UP, BEHIND_UP, DEGREES, FIRST_WORDS, INCIDENTS, JOB_ENDS, Meaning, PLACES,
    Rank, VERBS, meaning,
};
use crate::text::state_words::tokens::Kind;

/// Words that are a state in lower case only behind a verb or a separator: "set up", "no critical", "traffic normal".
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

impl Reading<'_> {
    /// `[FIRING:2]`, `[🔴 Down]`, `[Incident resolved]`, `[Triggered on {host:db-1}]`.
    pub(super) fn tags(&mut self) {
        for at in 0..self.tokens.len() {
            if self.tokens[at].kind != Kind::Tag {
                continue;
            }
            let Some((meaning, word, rest)) = state_of_tag(self.tokens[at].text) else {
                continue;
            };
            self.record(meaning, word);
            let is_pictured = self.tokens[at].pictured().is_some();
            let token = &mut self.tokens[at];
            token.is_state = rest.is_empty();
            token.replaced = Some(rest).filter(|rest| !rest.is_empty());
            // Uptime Kuma: the subject is in front.
            let is_kuma = meaning.rank == Rank::Check && at > 0 && self.names_something(0, at);
            let says_more = at + 1 < self.tokens.len();
            if is_kuma && says_more && (is_pictured || self.explains(at + 1)) {
                self.end = self.end.min(at + 1);
            }
        }
        self.cut_error();
    }

    /// `Service RECOVERY notification`, `Incident resolved`: it has no subject.
    pub(super) fn nothing_but_state(&mut self) {
        let len = self.len();
        if !self.is_all_state(0, len, true) {
            return;
        }
        for at in 0..len {
            let found = meaning(self.word(at));
            let says_state = |found: &Meaning| found.rank > Rank::Kind || self.is_loud(at);
            if let Some(found) = found.filter(says_state) {
                self.record(found, self.word(at).to_owned());
                self.remove(at);
            }
        }
    }

    /// `Resolved: disk`, `Monitor is DOWN: shop`, `Resolved in 5m 3s: disk`, `PROBLEM Service Alert: web-1`. Whether there
    /// was such a segment, so that another may follow it: `Resolved: Incident: disk`.
    pub(super) fn first_segment(&mut self) -> bool {
        let (from, len) = (self.first(), self.len());
        let separator =
            (from..len).find(|at| self.separates(*at) || (*at + 1 < len && self.tokens[*at].is_exclaimed()));
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
        let is_one = |word: &str| matches!(word, "up" | "down");
        let is_part = is_one(self.word(from)) && BEHIND_UP.contains(&self.word(from + 1));
        let is_marked = self.tokens[from].is_in_parentheses() && !found.is_ordinary;
        let is_capital = self.is_loud(from) || (self.is_all_loud() && FIRST_WORDS.contains(&self.word(from)));
        let is_hinted = self.hint.is_some() && FIRST_WORDS.contains(&self.word(from));
        let says_state = !is_part && (is_capital || is_marked);
        if (!says_state && (is_part || !is_hinted)) || !self.names_something(from + 1, len) {
            return false;
        }
        // What a color contradicts is no state, but the same line with another color is about the same.
        if says_state || self.hint == Some(found.status) {
            self.record(found, self.word(from).to_owned());
        }
        self.remove(from);
        let next = meaning(self.word(from + 1));
        self.is_loud(from + 1) && next.is_some_and(|next| next.status == found.status)
    }

    /// `shop | DOWN | 500`, `prod - CRITICAL - disk of db-1`.
    pub(super) fn middle_segments(&mut self) {
        let len = self.len();
        let separators: Vec<usize> = (0..len).filter(|at| self.separates(*at)).collect();
        for pair in separators.windows(2) {
            let (from, at) = (pair[0] + 1, pair[1]);
            let end = at + usize::from(!self.is_mark(at));
            let is_clear = |at: usize| {
                let found = meaning(self.word(at));
                let is_color = matches!(self.word(at), "red" | "green" | "clear" | "attention");
                self.is_loud(at) || found.is_none_or(|found| !found.is_ordinary && !is_color)
            };
            let is_new = (from..end).any(|at| !self.tokens[at].is_state && meaning(self.word(at)).is_some());
            let is_inner = self.names_something(0, from) && self.names_something(at + 1, len);
            if is_new && is_inner && (from..end).all(is_clear) && self.is_all_state(from, end, false) {
                self.take(from, end);
                self.cut_error();
            }
        }
    }

    /// `Heartbeat missed: nightly`, `Node offline: web-1`.
    pub(super) fn in_front_of_colon(&mut self, at: usize) {
        let Some(found) = meaning(self.word(at)).filter(|found| !found.is_ordinary) else {
            return;
        };
        let is_verb = self.word(at) == "up" && BEFORE_UP.contains(&self.word(at - 1));
        let is_restricted = found.status == EventStatus::Resolved && self.is_restricted(at);
        if is_verb || is_restricted || self.verb_before(at).is_some() {
            return;
        }
        self.record(found, self.word(at).to_owned());
        self.remove(at);
        if self.explains(at + 1) {
            self.end = self.end.min(at + 1);
        }
        self.cut_error();
    }

    /// `web-1 recovered, disk is at 40 %`.
    pub(super) fn in_front_of_comma(&mut self) {
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
            self.record(found, self.word(at).to_owned());
            self.remove(at);
        }
    }

    /// `core-sw-1 Ping (Ping) Down (Request timed out)`.
    pub(super) fn in_front_of_parenthesis(&mut self) {
        let is_named = |at: &usize| {
            let token = &self.tokens[*at];
            let found = meaning(&token.word).filter(|found| found.rank == Rank::Check && !found.is_ordinary);
            let is_capital = token.text.starts_with(char::is_uppercase);
            let is_verb = token.word == "up" && BEFORE_UP.contains(&self.word(*at - 1));
            let is_before = self.tokens[*at + 1].text.starts_with('(');
            found.is_some() && !token.is_state && is_capital && is_before && !is_verb
        };
        let Some(at) = (1..self.len().saturating_sub(1)).find(is_named) else {
            return;
        };
        let Some(found) = meaning(self.word(at)) else {
            return;
        };
        let is_restricted = found.status == EventStatus::Resolved && self.is_restricted(at);
        if self.names_something(0, at) && !is_restricted && self.verb_before(at).is_none() {
            self.record(found, self.word(at).to_owned());
            self.remove(at);
            if self.explains(at + 1) {
                self.end = self.end.min(at + 1);
            }
        }
    }

    /// `Incident opened for shop`, `cpu alarm raised`, `cpu alarm cleared`.
    pub(super) fn of_incidents(&mut self) {
        for at in 1..self.len() {
            let Some(found) = meaning(self.word(at)).filter(|found| found.rank > Rank::Check) else {
                continue;
            };
            let is_incident = INCIDENTS.contains(&self.word(at - 1));
            let is_restricted = found.status == EventStatus::Resolved && self.is_restricted(at);
            if is_incident && !self.tokens[at].is_state && self.may_end_at(at) && !is_restricted {
                self.record(found, self.word(at).to_owned());
                self.remove(at);
                self.cut_reason(at + 1);
                return;
            }
        }
    }

    /// `OK -> CRIT`, `from UP to DOWN`, `changed state to DOWN`.
    pub(super) fn changes(&mut self) {
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
            self.record(after, self.word(at + 1).to_owned());
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
    pub(super) fn behind_verbs(&mut self) {
        for at in 1..self.len() {
            let Some(found) = meaning(self.word(at)).or_else(|| self.meaning_of_back(at)) else {
                continue;
            };
            let word = self.word(at).to_owned();
            let is_of_state = matches!(self.word(at + 1), "state" | "status" | "condition");
            let verb = match is_of_state {
                true => self.verb_before(self.without_articles(at)),
                false => self.verb_before(at),
            };
            let Some((from, negation)) = verb else {
                continue;
            };
            let is_again = self.word(at + 1) == "again";
            let is_of_job = JOB_ENDS.contains(&self.word(at)) && self.is_about_job(from);
            let says_state = !found.is_ordinary
                || self.is_loud(at)
                || is_again
                || is_of_job
                || self.is_about_incident(from);
            let status = match (negation, found.status) {
                (Negation::None, status) => status,
                (Negation::Not | Negation::NoLonger, EventStatus::Resolved) => EventStatus::Firing,
                (Negation::NoLonger, _) => EventStatus::Resolved,
                (Negation::Partly, EventStatus::Firing) => EventStatus::Firing,
                (Negation::Not | Negation::Partly, _) => continue,
            };
            let is_restricted = status == EventStatus::Resolved && self.is_restricted(from);
            let at = at + usize::from(is_of_state);
            if !says_state || is_restricted || from == 0 || !self.may_end_at(at) {
                continue;
            }
            self.record(Meaning { status, ..found }, word);
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

    /// Where a state begins with what is in front of it in `shop is in a degraded state`.
    fn without_articles(&self, state: usize) -> usize {
        let mut at = state;
        while at > 0 && (ARTICLES.contains(&self.word(at - 1)) || self.word(at - 1) == "in") {
            at -= 1;
        }
        at
    }

    /// `shop is back!`, where the clause ends with it.
    fn meaning_of_back(&self, at: usize) -> Option<Meaning> {
        let is_end = self.may_end_at(at) && !PLACES.contains(&self.word(at + 1));
        (self.word(at) == "back" && is_end).then_some(Meaning {
            status: EventStatus::Resolved,
            rank: Rank::Check,
            is_ordinary: false,
        })
    }

    /// `shop: DOWN`, `my-job - #42 Back to normal after 3 min`.
    pub(super) fn last_segment(&mut self) {
        let len = self.len();
        let Some(at) = (0..len).rev().find(|at| {
            let is_inner = *at + 1 < len;
            is_inner && self.separates(*at)
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
    pub(super) fn last_word(&mut self) {
        let len = self.len();
        let Some(at) = (0..len).rev().find(|at| {
            self.tokens[*at].kind == Kind::Word && !matches!(self.word(*at), "" | "again" | "now")
        }) else {
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
        let is_hinted = self.hint.is_some() && (is_needy || is_job_end);
        let is_job = is_job_end && self.is_about_job(at);
        let is_clear = !found.is_ordinary && (!is_needy || self.tokens[at].is_in_parentheses());
        let is_all_loud = self.is_all_loud() && self.tokens[at].is_loud();
        let is_capital = self.is_loud(at) || self.is_raised(at) || is_all_loud;
        let is_named = matches!(before.as_str(), "state" | "status");
        let says_state = is_clear || is_job || (is_capital && (!found.is_ordinary || is_named));
        if !(says_state || is_hinted) || is_restricted || is_verb || is_infinitive {
            return;
        }
        // What a color contradicts is no state, but the same line with another color is about the same.
        if says_state || self.hint == Some(found.status) {
            self.record(found, word);
        }
        (at..len).for_each(|at| self.remove(at));
        // `RECOVERY (UP)`.
        let first = meaning(&before).filter(|first| first.status == found.status);
        if let Some(first) = first
            && self.is_loud(at - 1)
            && self.names_something(0, at - 1)
        {
            self.record(first, before);
            self.remove(at - 1);
        }
    }

    /// Records the states between these places and removes them, with the verbs before them.
    pub(super) fn take(&mut self, from: usize, to: usize) {
        for at in from..to {
            let word = self.word(at).to_owned();
            let is_linking = VERBS.contains(&word.as_str()) || ADVERBS.contains(&word.as_str());
            if let Some(found) = meaning(&word) {
                self.record(found, word);
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
}
