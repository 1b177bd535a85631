//! Which alerts somebody wants to see.

use schemas::Alert;
use schemas::live::Filter;

use crate::matcher::{self, InvalidMatcher, Matcher};

/// A filter that was understood.
#[derive(Debug, Clone, Default)]
pub struct CompiledFilter {
    filter: Filter,
    matchers: Vec<Matcher>,
    text: String,
}

impl CompiledFilter {
    /// Understands a filter.
    pub fn compile(filter: &Filter) -> Result<Self, InvalidMatcher> {
        let matchers = filter
            .matchers
            .iter()
            .map(|text| Matcher::compile(&matcher::parse(text)?))
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
            && self
                .matchers
                .iter()
                .all(|matcher| matcher.matches(value(alert, matcher.name())))
            && (self.text.is_empty() || contains_text(alert, &self.text))
    }
}

/// The alert's own fields go before labels of the same name.
fn value<'a>(alert: &'a Alert, name: &str) -> &'a str {
    matcher::field(alert, name).unwrap_or_else(|| matcher::label(alert, name))
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
                InvalidMatcher::Form(matcher.to_owned()),
                "{matcher}"
            );
        }
        let filter = Filter {
            matchers: vec!["team=~\"(\"".to_owned()],
            ..Filter::default()
        };
        assert!(matches!(
            CompiledFilter::compile(&filter),
            Err(InvalidMatcher::Expression { .. })
        ));
    }
}
