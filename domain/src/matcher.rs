//! Matchers of labels, as Alertmanager has them.

use regex::Regex;
use schemas::Alert;
use schemas::config::{LabelMatcher, MatchOperator};

/// Longest program a regular expression may become; a longer one is refused.
const EXPRESSION_SIZE_MAX: usize = 1 << 20;

/// A matcher cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMatcher {
    /// Not of the form `name="value"`.
    #[error("matcher {0:?} is not understood: write it as name=\"value\", with =, !=, =~ or !~")]
    Form(String),
    /// It has no name.
    #[error("a matcher has no name: give the name of a label")]
    Nameless,
    /// The regular expression is wrong.
    #[error("the regular expression of matcher {matcher:?} is wrong: {error}")]
    #[allow(missing_docs)]
    Expression { matcher: String, error: String },
}

/// A matcher that was understood.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    wants_alike: bool,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(String),
    Matches(Regex),
}

impl Matcher {
    /// Compiles a matcher.
    pub fn compile(matcher: &LabelMatcher) -> Result<Self, InvalidMatcher> {
        if matcher.name.is_empty() {
            return Err(InvalidMatcher::Nameless);
        }
        let value = &matcher.value;
        let test = if matcher.operator.is_expression() {
            let expression = regex::RegexBuilder::new(&format!("^(?:{value})$"))
                .size_limit(EXPRESSION_SIZE_MAX)
                .build()
                .map_err(|error| InvalidMatcher::Expression {
                    matcher: text(matcher),
                    error: error.to_string(),
                })?;
            Test::Matches(expression)
        } else {
            Test::Equal(value.clone())
        };
        Ok(Self {
            name: matcher.name.clone(),
            wants_alike: matcher.operator.wants_alike(),
            test,
        })
    }

    /// The name of the label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a label with this value passes; the value of a label that is not there is the empty text.
    pub fn matches(&self, value: &str) -> bool {
        let alike = match &self.test {
            Test::Equal(wanted) => wanted == value,
            Test::Matches(expression) => expression.is_match(value),
        };
        alike == self.wants_alike
    }
}

/// Reads a matcher as people write it: `team="pay"`, `env!=dev`, `host=~"web-.*"`. A name with odd characters stands
/// in quotes.
pub fn parse(text: &str) -> Result<LabelMatcher, InvalidMatcher> {
    let invalid = || InvalidMatcher::Form(text.to_owned());
    let (name, rest) = split_name(text).ok_or_else(invalid)?;
    let (operator, value) = MatchOperator::ALL
        .into_iter()
        .find_map(|operator| Some((operator, rest.strip_prefix(operator.symbol())?)))
        .ok_or_else(invalid)?;
    let value = unquote(value.trim()).ok_or_else(invalid)?;
    if name.is_empty() {
        return Err(invalid());
    }
    Ok(LabelMatcher {
        name,
        operator,
        value,
    })
}

/// The matcher as [`parse`] reads it.
pub fn text(matcher: &LabelMatcher) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_.-/:".contains(character);
    let name = &matcher.name;
    let name = if name.chars().all(plain) {
        name.clone()
    } else {
        quoted(name)
    };
    format!("{name}{}{}", matcher.operator.symbol(), quoted(&matcher.value))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

fn split_name(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let end = if let Some(inner) = text.strip_prefix('"') {
        let mut escaped = false;
        let closing = inner.find(|character| {
            let closes = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            closes
        })?;
        closing + 2
    } else {
        text.find(['=', '!'])?
    };
    let (name, rest) = text.split_at(end);
    Some((unquote(name.trim())?, rest.trim_start()))
}

/// The text between quotes, with `\"` and `\\` resolved; text without quotes stands for itself.
fn unquote(text: &str) -> Option<String> {
    let Some(inner) = text.strip_prefix('"') else {
        return (!text.contains('"')).then(|| text.to_owned());
    };
    let inner = inner.strip_suffix('"')?;
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\') => value.push(escaped),
                // Other escapes belong to the regular expression.
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    Some(value)
}

/// Fields of an alert that can be matched as if they were labels.
pub const FIELDS: [&str; 8] = [
    "alertname",
    "object",
    "source",
    "service",
    "integration",
    "monitoring_system",
    "environment",
    "severity",
];

/// One of the [`FIELDS`].
pub fn field<'a>(alert: &'a Alert, name: &str) -> Option<&'a str> {
    Some(match name {
        "alertname" => &alert.name,
        "object" => &alert.object,
        "source" => &alert.source,
        "service" => alert.service.as_deref().unwrap_or_default(),
        "integration" => &alert.integration,
        "monitoring_system" => &alert.monitoring_system,
        "environment" => &alert.environment,
        "severity" => alert.severity.name(),
        _ => return None,
    })
}

/// A label of the alert; the empty text if it is not there.
pub fn label<'a>(alert: &'a Alert, name: &str) -> &'a str {
    alert.labels.get(name).map(String::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matcher_that_is_written_is_read_as_it_was() {
        for (name, value) in [
            ("team", "pay"),
            ("a label", r#"\d+ "x" \\"#),
            ("\"", ""),
            ("a=b", "c=d"),
        ] {
            for operator in MatchOperator::ALL {
                let matcher = LabelMatcher {
                    name: name.to_owned(),
                    operator,
                    value: value.to_owned(),
                };
                assert_eq!(parse(&text(&matcher)), Ok(matcher));
            }
        }
    }

    #[test]
    fn an_expression_that_grows_too_large_is_refused() {
        let matcher = parse(r#"a=~"(((x{100}){100}){100}){100}""#).unwrap();
        assert!(matches!(
            Matcher::compile(&matcher),
            Err(InvalidMatcher::Expression { .. })
        ));
    }
}
