//! The words, tags, pictures and separators of a line.

use std::borrow::Cow;

use schemas::EventStatus;

use super::lexicon::{PHRASES, is_picture, state_of_picture};

/// A part of a line.
#[derive(Debug, Clone)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    /// As it stands there; of a tag, what is in the brackets.
    pub(super) text: &'t str,
    /// In lower case, without what is no letter or digit at both ends.
    pub(super) word: String,
    /// Whether it says a state, or belongs to one, so that it is left out.
    pub(super) is_state: bool,
    /// What is shown in its place.
    pub(super) replaced: Option<String>,
    /// With the brackets.
    whole: &'t str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    /// In square brackets.
    Tag,
    /// An emoji, as a character or as a name between colons.
    Picture,
    /// A dash, a bar, stars.
    Mark,
    /// From one state to the next.
    Arrow,
}

const ARROWS: [&str; 3] = ["->", "=>", "→"];

/// The parts of a line, in their order.
pub(super) fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (kind, length) = next(rest);
        let (whole, behind) = rest.split_at(length);
        let text = match kind {
            Kind::Tag => whole.trim_matches(['[', ']', '【', '】']),
            _ => whole,
        };
        tokens.push(Token {
            kind,
            text,
            word: core(text),
            is_state: false,
            replaced: None,
            whole,
        });
        rest = behind.trim_start();
    }
    tokens
}

/// What the line begins with, and how many bytes it has.
fn next(rest: &str) -> (Kind, usize) {
    let arrow = ARROWS.iter().find(|arrow| rest.starts_with(**arrow));
    if let Some(arrow) = arrow {
        return (Kind::Arrow, arrow.len());
    }
    if let Some(length) = picture(rest) {
        return (Kind::Picture, length);
    }
    if let Some(length) = stars(rest) {
        return (Kind::Mark, length);
    }
    if let Some(length) = tag(rest) {
        return (Kind::Tag, length);
    }
    if let Some(bars) = bars(rest) {
        return (Kind::Mark, bars);
    }
    let words = phrase(rest);
    let mut ends = rest.char_indices().map(|(at, character)| {
        let is_end = character.is_whitespace()
            || character == '|'
            || is_picture(character)
            || ARROWS.iter().any(|arrow| rest[at..].starts_with(arrow));
        (at, is_end)
    });
    let length = ends
        .find(|(at, is_end)| *is_end && *at > 0 && *at >= words)
        .map_or(rest.len(), |(at, _)| at);
    let text = &rest[..length];
    let is_mark = |character: char| {
        !character.is_alphanumeric()
            && !matches!(
                character,
                '<' | '>' | '=' | '%' | '+' | '&' | '/' | '#' | '@' | '$' | '≥' | '≤' | '±'
            )
    };
    let kind = if text.chars().all(is_mark) {
        Kind::Mark
    } else {
        Kind::Word
    };
    (kind, length)
}

fn picture(rest: &str) -> Option<usize> {
    let characters: usize = rest
        .chars()
        .take_while(|character| is_picture(*character) && *character != '→')
        .map(char::len_utf8)
        .sum();
    if characters > 0 {
        return Some(characters);
    }
    let name = rest.strip_prefix(':')?.split(':').next()?;
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '+'));
    let is_closed = rest[name.len() + 1..].starts_with(':');
    (is_name && is_closed).then_some(name.len() + 2)
}

/// `DOWN|shop`.
fn bars(rest: &str) -> Option<usize> {
    let bars = rest.len() - rest.trim_start_matches('|').len();
    (bars > 0).then_some(bars)
}

/// How many bytes the state of several words has with which the line begins; 0 if it begins with none.
fn phrase(rest: &str) -> usize {
    let is_first = |phrase: &&&str| {
        let is_same = |(found, _): &(&str, &str)| found.eq_ignore_ascii_case(phrase);
        let split = rest.split_at_checked(phrase.len()).filter(is_same);
        split.is_some_and(|(_, behind)| !behind.starts_with(char::is_alphanumeric))
    };
    PHRASES.iter().find(is_first).map_or(0, |phrase| phrase.len())
}

/// What makes a tag bold: `*[OK] shop*`.
fn stars(rest: &str) -> Option<usize> {
    let behind = rest.trim_start_matches(['*', '_', '`', '~', '"']);
    let length = rest.len() - behind.len();
    (length > 0 && behind.starts_with('[')).then_some(length)
}

fn tag(rest: &str) -> Option<usize> {
    let close = match rest.chars().next()? {
        '[' => ']',
        '【' => '】',
        _ => return None,
    };
    rest.find(close).map(|at| at + close.len_utf8())
}

/// In lower case, without what is no letter or digit at both ends.
pub(super) fn core(text: &str) -> String {
    text.trim_matches(|character: char| !character.is_alphanumeric())
        .to_lowercase()
}

/// Links as Slack writes them, `<https://example.org|shop>`, become the text that people see.
pub(super) fn without_links(line: &str) -> Cow<'_, str> {
    if !line.contains("<http") && !line.contains("<mailto:") {
        return Cow::Borrowed(line);
    }
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, link)) = rest.split_once('<') {
        plain.push_str(before);
        let is_link = link.starts_with("http") || link.starts_with("mailto:");
        match link.split_once('>').filter(|_| is_link) {
            Some((link, behind)) => {
                plain.push_str(link.split_once('|').map_or(link, |(_, label)| label));
                rest = behind;
            }
            None => {
                plain.push('<');
                rest = link;
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

impl Token<'_> {
    /// How things stand by the picture that it is, or that is in its brackets.
    pub(super) fn pictured(&self) -> Option<EventStatus> {
        match self.kind {
            Kind::Picture => state_of_picture(self.text),
            Kind::Tag => tokens(self.text).iter().find_map(Token::pictured),
            _ => None,
        }
    }

    /// For people: without stars and quotes around it.
    pub(super) fn shown(&self) -> &str {
        if let Some(replaced) = &self.replaced {
            return replaced;
        }
        match self.kind {
            Kind::Word => self
                .text
                .trim_matches(['*', '`', '"', '“', '”', '„', '«', '»', '‘', '’', '\'']),
            _ => self.whole,
        }
    }

    /// Whether it is in capitals: `OK`, not `A`.
    pub(super) fn is_loud(&self) -> bool {
        let letters = self.text.chars().filter(|character| character.is_alphabetic());
        letters.clone().count() > 1 && letters.clone().all(char::is_uppercase)
    }

    /// Whether a colon or a bar at its end sets it apart from what follows.
    pub(super) fn ends_segment(&self) -> bool {
        self.kind == Kind::Word && self.text.trim_end_matches(['*', '"', '”']).ends_with([':', '|'])
    }

    /// Whether a clause ends with it.
    pub(super) fn ends_clause(&self) -> bool {
        let text = self.text.trim_end_matches(['*', '"', '”', '\'', '_']);
        text.ends_with(['.', '!', ':', ',', ';', ')', '|'])
    }

    /// `5m`, `3s`.
    pub(super) fn is_duration(&self) -> bool {
        let unit = self.word.trim_start_matches(|digit: char| digit.is_ascii_digit());
        unit.len() < self.word.len()
            && !self.text.starts_with('#')
            && matches!(unit, "s" | "m" | "h" | "d" | "ms" | "sec" | "min")
    }

    /// Whether an exclamation mark at its end sets it apart from what follows: `DOWN! shop`.
    pub(super) fn is_exclaimed(&self) -> bool {
        self.kind == Kind::Word && self.text.trim_end_matches(['*', '"', '”']).ends_with('!')
    }

    /// `120ms`, `1.5ms`.
    pub(super) fn is_response_time(&self) -> bool {
        self.word.strip_suffix("ms").is_some_and(|number| {
            number.starts_with(|first: char| first.is_ascii_digit())
                && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    }

    /// `:(`, `;-)`.
    pub(super) fn is_emoticon(&self) -> bool {
        self.kind == Kind::Mark && self.text.starts_with([':', ';']) && self.text.ends_with(['(', ')'])
    }

    /// `(down)`.
    pub(super) fn is_in_parentheses(&self) -> bool {
        self.text.starts_with('(') && self.text.trim_end_matches([':', '.', '!']).ends_with(')')
    }

    /// `#42`: which run of a job.
    pub(super) fn is_number_of_run(&self) -> bool {
        self.text
            .trim_end_matches([':', ','])
            .strip_prefix('#')
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// `1/3`.
    pub(super) fn is_share(&self) -> bool {
        self.word.split_once('/').is_some_and(|(some, all)| {
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number(some) && is_number(all)
        })
    }
}
