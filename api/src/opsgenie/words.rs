//! The words of a query.

use super::query::Comparison;

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    /// `!` in front of a condition.
    Not,
    Operator(Comparison),
    Word(Text),
    Quoted(Text),
}

/// A text as it is meant, and where it stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Text {
    /// Without what escapes its characters.
    pub(super) plain: String,
    /// The places of each `*` in it, in bytes, that stands for any text.
    pub(super) wildcards: Vec<usize>,
}

/// Where a word stands, which says where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It may be a field: it ends at an operator.
    Condition,
    /// It is a value, and may hold operators itself, as `host:9100` and times do.
    Value,
}

/// Cuts a query into its pieces. A backslash makes the sign behind it a part of the word: `tag: a\:b`.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    // Of each parenthesis that is open, whether values are in it: `tag: (a:b OR c)`.
    let mut open = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let behind = tokens.iter().rev().find(|token| !is_negation(token));
        let place = match matches!(behind, Some(Token::Operator(_))) || open.last() == Some(&Place::Value) {
            true => Place::Value,
            false => Place::Condition,
        };
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' => quoted(rest)?,
            '!' if negates(rest) => (Token::Not, 1),
            _ => match operator(rest).filter(|_| place == Place::Condition) {
                Some((comparison, length)) => (Token::Operator(comparison), length),
                None => word(rest, place),
            },
        };
        match token {
            Token::Open => open.push(place),
            Token::Close => {
                open.pop();
            }
            _ => (),
        }
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn is_negation(token: &Token) -> bool {
    match token {
        Token::Not => true,
        Token::Word(text) => text.plain.eq_ignore_ascii_case("NOT"),
        _ => false,
    }
}

/// Whether an exclamation mark stands in front of a condition; `!=` is an operator.
fn negates(text: &str) -> bool {
    let behind = text.trim_start_matches('!').trim_start().chars().next();
    behind.is_some_and(|next| next.is_alphanumeric() || "(\"*_\\".contains(next))
}

fn operator(text: &str) -> Option<(Comparison, usize)> {
    let operators = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("!=", Comparison::NotEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
        (":", Comparison::Equal),
        ("=", Comparison::Equal),
    ];
    let found = operators.iter().find(|(sign, _)| text.starts_with(sign));
    found.map(|(sign, comparison)| (*comparison, sign.len()))
}

fn quoted(text: &str) -> Result<(Token, usize), String> {
    let mut content = Text::default();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((place, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        match character {
            '"' => return Ok((Token::Quoted(content), place + 1)),
            '\\' if next.is_some_and(escapes) => {
                content.plain.extend(next);
                characters.next();
            }
            _ => content.push(character),
        }
    }
    Err("has a quote that is not closed; close it".to_owned())
}

fn word(text: &str, place: Place) -> (Token, usize) {
    let mut content = Text::default();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let is_sign =
            place == Place::Condition && (":=<>".contains(character) || text[at..].starts_with("!="));
        let ends = character.is_whitespace() || "()\"".contains(character) || is_sign;
        if character == '\\' && next.is_some_and(escapes) {
            content.plain.extend(next);
            characters.next();
        } else if ends && at > 0 {
            return (Token::Word(content), at);
        } else {
            content.push(character);
        }
    }
    (Token::Word(content), text.len())
}

/// Whether a backslash in front of a character is no part of the text, as it is in `C:\temp`.
const fn escapes(next: char) -> bool {
    next.is_ascii_punctuation() || next == ' '
}

impl Text {
    fn push(&mut self, character: char) {
        if character == '*' {
            self.wildcards.push(self.plain.len());
        }
        self.plain.push(character);
    }
}
