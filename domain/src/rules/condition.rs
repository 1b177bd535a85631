//! The condition of a rule: an expression over an event that is true or false.

use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::types::{CelBool, CelMap, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use schemas::AlertEvent;

use crate::expression::{self, Expression, ExpressionError};

/// What an expression can name.
const VARIABLES: &str =
    "name, object, source, service, output, severity, monitoring_system, integration, labels and annotations";

/// A compiled condition.
#[derive(Debug)]
pub(super) struct Condition(Expression);

impl Condition {
    /// Compiles the expression.
    pub(super) fn compile(source: &str) -> Result<Self, ExpressionError> {
        Expression::compile(source).map(Self)
    }

    /// Finds what would fail for any event: names that do not exist, operators on the wrong types, an answer that is
    /// neither true nor false.
    pub(super) fn try_out(&self, sample: &AlertEvent) -> Result<(), ExpressionError> {
        let facts = Facts::of(sample);
        self.0.check_names(&facts, VARIABLES)?;
        self.0.check_types(&facts, VARIABLES)?;
        match self
            .0
            .evaluate(&facts, |value| value.downcast_ref::<CelBool>().is_some())
        {
            Ok(false) => Err(expression::at(
                1,
                1,
                "the expression must be true or false".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Whether the rule applies. A label that the event does not have means that it does not.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Result<bool, String> {
        let answer = self.0.evaluate(facts, |value| {
            value.downcast_ref::<CelBool>().map(|answer| *answer.inner())
        });
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("the expression is neither true nor false".to_owned()),
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// An event, as expressions see it.
pub(super) struct Facts<'e> {
    event: &'e AlertEvent,
    /// Made when the first expression asks for them.
    labels: OnceLock<CelMap<'e>>,
    /// The same.
    annotations: OnceLock<CelMap<'e>>,
}

impl<'e> Facts<'e> {
    pub(super) fn of(event: &'e AlertEvent) -> Self {
        Self {
            event,
            labels: OnceLock::new(),
            annotations: OnceLock::new(),
        }
    }

    fn labels(&self) -> &CelMap<'e> {
        self.labels
            .get_or_init(|| expression::of_texts(&self.event.labels))
    }

    fn annotations(&self) -> &CelMap<'e> {
        self.annotations
            .get_or_init(|| expression::of_texts(&self.event.annotations))
    }
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let event = self.event;
        let text = match variable {
            "name" => &event.name,
            "object" => &event.object,
            "source" => &event.source,
            "service" => event.service.as_deref().unwrap_or_default(),
            "output" => &event.output,
            "severity" => event.severity.name(),
            "monitoring_system" => &event.monitoring_system,
            "integration" => &event.integration,
            "labels" => return Some(CowVal::Borrowed(self.labels())),
            "annotations" => return Some(CowVal::Borrowed(self.annotations())),
            _ => return None,
        };
        Some(CowVal::owned(CelString::from(text)))
    }
}
