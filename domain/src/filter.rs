//! Which alerts somebody wants to see.

use regex::Regex;
use schemas::Alert;
use schemas::live::Filter;

/// A matcher cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    /// Not of the form `name="value"`.
    #[error("matcher {0:?} is not understood: write it as name=\"value\", with =, !=, =~ or !~")]
    Matcher(String),
    /// The regular expression is wrong.
    #[error("the regular expression of matcher {matcher:?} is wrong: {error}")]
    #[allow(missing_docs)]
    Expression { matcher: String, error: String },
}

/// A filter that was understood.
#[derive(Debug, Clone, Default)]
pub struct CompiledFilter {
    filter: Filter,
    matchers: Vec<Matcher>,
    text: String,
}

#[derive(Debug, Clone)]
struct Matcher {
    name: String,
    wanted: bool,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(String),
    Matches(Regex),
}

/// Longest program a regular expression may become; a longer one is refused.
const EXPRESSION_SIZE_MAX: usize = 1 << 20;

impl CompiledFilter {
    /// Understands a filter.
    pub fn compile(filter: &Filter) -> Result<Self, InvalidFilter> {
        let matchers = filter
            .matchers
            .iter()
            .map(|text| Matcher::parse(text))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            filter: filter.clone(),
            matchers,
            text: filter.text.to_lowercase(),
        })
    }

    /// What it was made of.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether the alert passes.
    pub fn matches(&self, alert: &Alert) -> bool {
        let filter = &self.filter;
        (filter.environments.is_empty() || filter.environments.contains(&alert.environment))
            && (filter.states.is_empty() || filter.states.contains(&alert.operator_state))
            && (filter.severities.is_empty() || filter.severities.contains(&alert.severity))
            && self.matchers.iter().all(|matcher| matcher.matches(alert))
            && (self.text.is_empty() || contains_text(alert, &self.text))
    }
}

impl Matcher {
    fn parse(text: &str) -> Result<Self, InvalidFilter> {
        let invalid = || InvalidFilter::Matcher(text.to_owned());
        let at = text.find(['=', '!']).ok_or_else(invalid)?;
        let (name, rest) = text.split_at(at);
        let (operator, value) = ["=~", "!~", "!=", "="]
            .into_iter()
            .find_map(|operator| rest.strip_prefix(operator).map(|value| (operator, value)))
            .ok_or_else(invalid)?;
        let value = unquote(value.trim()).ok_or_else(invalid)?;
        let name = name.trim();
        if name.is_empty() {
            return Err(invalid());
        }
        let test = if operator.ends_with('~') {
            let expression = regex::RegexBuilder::new(&format!("^(?:{value})$"))
                .size_limit(EXPRESSION_SIZE_MAX)
                .build()
                .map_err(|error| InvalidFilter::Expression {
                    matcher: text.to_owned(),
                    error: error.to_string(),
                })?;
            Test::Matches(expression)
        } else {
            Test::Equal(value)
        };
        Ok(Self {
            name: name.to_owned(),
            wanted: !operator.starts_with('!'),
            test,
        })
    }

    fn matches(&self, alert: &Alert) -> bool {
        let value = field(alert, &self.name);
        let holds = match &self.test {
            Test::Equal(wanted) => wanted == value,
            Test::Matches(expression) => expression.is_match(value),
        };
        holds == self.wanted
    }
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

/// The alert's own fields go before labels of the same name; a label that is not there is the empty text.
fn field<'a>(alert: &'a Alert, name: &str) -> &'a str {
    match name {
        "alertname" => &alert.name,
        "object" => &alert.object,
        "source" => &alert.source,
        "service" => alert.service.as_deref().unwrap_or_default(),
        "integration" => &alert.integration,
        "monitoring_system" => &alert.monitoring_system,
        "environment" => &alert.environment,
        "severity" => alert.severity.name(),
        label => alert.labels.get(label).map(String::as_str).unwrap_or_default(),
    }
}

fn contains_text(alert: &Alert, lower_case: &str) -> bool {
    [&alert.name, &alert.object, &alert.output, &alert.source]
        .into_iter()
        .chain(alert.labels.values())
        .any(|text| text.to_lowercase().contains(lower_case))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transition::examples::open_alert;

    fn passes(matchers: &[&str], text: &str) -> bool {
        let filter = Filter {
            matchers: matchers.iter().map(|matcher| (*matcher).to_owned()).collect(),
            text: text.to_owned(),
            ..Filter::default()
        };
        let mut alert = open_alert().alert;
        alert.labels = [("team".to_owned(), "pay".to_owned())].into();
        CompiledFilter::compile(&filter).unwrap().matches(&alert)
    }

    #[test]
    fn matchers_mean_what_they_mean_in_alertmanager() {
        assert!(passes(&[r#"team="pay""#], ""));
        assert!(passes(&["team=pay"], ""));
        assert!(!passes(&[r#"team="pa""#], ""));
        assert!(passes(&[r#"team=~"p.*""#], ""), "a regular expression");
        assert!(!passes(&[r#"team=~"p""#], ""), "anchored at both ends");
        assert!(
            passes(&[r#"host!="x""#, r#"host!~"x.*""#], ""),
            "a missing label is not x"
        );
        assert!(passes(&[r#"host="""#], ""), "a missing label is the empty text");
        assert!(!passes(&[r#"team="pay""#, r#"team!="pay""#], ""), "all must hold");
    }

    #[test]
    fn fields_of_the_alert_can_be_matched() {
        assert!(passes(&[r#"severity="critical""#, r#"alertname=~"disk.*""#], ""));
    }

    #[test]
    fn free_text_is_sought_in_any_case() {
        assert!(passes(&[], "DISK"));
        assert!(passes(&[], "Pay"));
        assert!(!passes(&[], "nowhere"));
    }

    #[test]
    fn what_is_not_understood_is_refused_not_ignored() {
        for matcher in ["team", "=x", "team=\"x", "team=\"a\"b\"", "team~x"] {
            let filter = Filter {
                matchers: vec![matcher.to_owned()],
                ..Filter::default()
            };
            assert_eq!(
                CompiledFilter::compile(&filter).unwrap_err(),
                InvalidFilter::Matcher(matcher.to_owned()),
                "{matcher}"
            );
        }
        let filter = Filter {
            matchers: vec!["team=~\"(\"".to_owned()],
            ..Filter::default()
        };
        assert!(matches!(
            CompiledFilter::compile(&filter),
            Err(InvalidFilter::Expression { .. })
        ));
    }
}
