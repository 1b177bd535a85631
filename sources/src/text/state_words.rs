//! The state of a problem and its subject, by a line that was written for people.
//!
//! The subject is the line without the words of its state, so that the beginning and the end of a problem have the same
//! subject. All other words stay: two lines that differ in one of them are two alerts, as it is better that a person has to
//! close an alert than that the end of another one closes it. A word is a state only in certain places: in
//! brackets, in front of or behind a separator, behind a verb, in capitals. What explains a state (`due to …`, a status
//! code) is left out where it follows the state, as it differs at the end.

use schemas::{EventStatus, Severity};

use self::reading::Reading;
use self::tokens::{Token, tokens};
use super::severity;

mod lexicon;
#[cfg(test)]
mod properties;
mod reading;
#[cfg(test)]
mod tests;
mod tokens;

/// A longer line, in bytes, is no title and has no state.
const LINE_BYTES_MAX: usize = 2_000;

/// The state and the subject of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LineState {
    /// The status by its words.
    pub(crate) status: Option<EventStatus>,
    /// The word of the status, in lower case.
    pub(crate) word: Option<String>,
    /// The status by its pictures, which are also used as decoration.
    pub(crate) pictured: Option<EventStatus>,
    /// The subject; empty if the line has nothing but a state.
    pub(crate) about: String,
}

impl LineState {
    /// Whether the subject is no more than the name of a tool, or "alert", so that it does not tell one alert from another.
    pub(crate) fn is_generic(&self) -> bool {
        let words = self.about.split_whitespace().map(tokens::core);
        let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
        let is_article = |word: &String| lexicon::ARTICLES.contains(&word.as_str());
        let is_generic = |word: &String| is_article(word) || lexicon::is_generic(word);
        words.iter().all(is_generic) && (words.is_empty() || !words.iter().all(is_article))
    }

    /// How bad it is by the word of the status; `None` of words that say no more than that there is a problem.
    pub(crate) fn severity(&self) -> Option<Severity> {
        let word = self.word.as_deref()?;
        match word {
            "degraded performance" | "partial outage" | "minor outage" => Some(Severity::Warning),
            word => severity::of_word(word).filter(|_| lexicon::SEVERITIES.contains(&word)),
        }
    }

    /// How bad it is where senders have nothing but alarms: a warning if the word of the status says so, and otherwise critical.
    pub(crate) fn severity_of_alarm(&self) -> Severity {
        match self.severity() {
            Some(Severity::Warning) => Severity::Warning,
            _ => Severity::Critical,
        }
    }

    /// The subject, or the line itself if that is empty.
    pub(crate) fn about_or<'t>(&'t self, line: &'t str) -> &'t str {
        if self.about.is_empty() {
            line.trim()
        } else {
            &self.about
        }
    }
}

/// Finds the state of one line. `hint` is the status by something beside it, such as a color: with it "shop up" is an end.
pub(crate) fn state_of_line(line: &str, hint: Option<EventStatus>) -> LineState {
    if line.len() > LINE_BYTES_MAX {
        return LineState {
            about: line.trim().to_owned(),
            ..LineState::default()
        };
    }
    let line = tokens::without_links(line);
    let all = tokens(without_value(line.trim()));
    let pictured = all.iter().find_map(Token::pictured);
    let reading = Reading::of(all, hint.or(pictured));
    let (status, word) = match reading.state() {
        Some((status, word)) => (Some(status), Some(word.to_owned())),
        None => (None, None),
    };
    LineState {
        about: reading.about(),
        status,
        word,
        pictured,
    }
}

/// Netdata's `disk space = 98%` and `disk space (alarm was raised for 3 minutes)` are about the disk space.
fn without_value(about: &str) -> &str {
    if let Some((before, behind)) = about.rsplit_once(" (")
        && behind.ends_with(')')
        && (behind.starts_with("alarm was raised for ") || behind.starts_with("was "))
    {
        return without_value(before);
    }
    match about.rsplit_once(" = ") {
        Some((before, value))
            if value.starts_with(|first: char| first.is_ascii_digit() || first == '-')
                && value.split(' ').count() <= 2 =>
        {
            before
        }
        _ => about,
    }
}

/// A text without its states, line by line.
pub(crate) fn without_states(text: &str, hint: Option<EventStatus>) -> String {
    let lines = text.lines().map(|line| state_of_line(line, hint).about);
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A text without the numbers that are measured: `97 %`, `1.5`, `20ms`. Numbers of things stay.
pub(crate) fn without_measures(text: &str) -> String {
    let is_measured = |token: &&str| {
        let number = token.trim_matches(|character: char| !character.is_alphanumeric() && character != '%');
        let unit = number.trim_start_matches(|character: char| {
            character.is_ascii_digit() || matches!(character, '.' | ',')
        });
        let has_digits = number.starts_with(|first: char| first.is_ascii_digit());
        let is_unit = matches!(
            unit,
            "%" | "ms"
                | "s"
                | "sec"
                | "min"
                | "h"
                | "d"
                | "B"
                | "kB"
                | "KB"
                | "MB"
                | "GB"
                | "TB"
                | "MiB"
                | "GiB"
                | "°C"
        );
        has_digits && (is_unit || (unit.is_empty() && number.contains('.')))
    };
    let text = text.replace(" %", "%");
    let kept = text.split(' ').filter(|token| !is_measured(token));
    kept.collect::<Vec<_>>().join(" ")
}
