//! The words of a query.

use super::query::Comparison;

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    Operator(Comparison),
    Word(String),
    Quoted(String),
}

/// Cuts a query into its pieces. A word behind an operator may hold operators itself, as `host:9100` and times do.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let behind_operator = matches!(tokens.last(), Some(Token::Operator(_)));
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' => quoted(rest)?,
            _ => match operator(rest).filter(|_| !behind_operator) {
                Some((comparison, length)) => (Token::Operator(comparison), length),
                None => word(rest, behind_operator),
            },
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
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
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Ok((Token::Quoted(content), place + 1)),
            '\\' => content.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => content.push(character),
        }
    }
    Err("has a quote that is not closed; close it".to_owned())
}

fn word(text: &str, behind_operator: bool) -> (Token, usize) {
    let ends = |(place, character): &(usize, char)| {
        let sign = !behind_operator && (":=<>".contains(*character) || text[*place..].starts_with("!="));
        character.is_whitespace() || "()\"".contains(*character) || sign
    };
    let end = text
        .char_indices()
        .find(ends)
        .map_or(text.len(), |(place, _)| place);
    (Token::Word(text[..end].to_owned()), end)
}
