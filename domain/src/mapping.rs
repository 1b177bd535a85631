//! JSON of any shape, understood as a site declares it.

use std::collections::BTreeMap;

use cel::ExecutionError;
use cel::common::types::{CelBool, CelList, CelNull};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use schemas::config::Mapping;
use schemas::{EventStatus, Severity};
use serde_json::Value;

use crate::expression::{self, Expression, ExpressionError};

/// The most alerts that one body may have.
pub const ITEMS_MAX: usize = 20_000;
/// What an expression can name.
const VARIABLES: &str = "body, item and topic";
/// From here on numbers that are not whole 64-bit ones have lost digits.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// The longest cause of a failure that is told; the library may quote whole values.
const CAUSE_LONGEST: usize = 200;

/// One of the expressions cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {error}")]
pub struct InvalidMapping {
    /// Which one, such as `alert.labels.team`.
    pub field: String,
    /// What is wrong with it, and where.
    pub error: ExpressionError,
}

/// A body is not what the mapping says that it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}; {remedy}")]
pub struct Unmapped {
    /// What could not be made out, such as `alert.name of item 3`.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// One alert of a body. Texts are never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Mapped {
    pub identity: Vec<String>,
    pub name: String,
    pub status: EventStatus,
    /// The severity, or a word that is not among those of the mapping.
    pub severity: Option<Result<Severity, String>>,
    pub object: Option<String>,
    pub source: Option<String>,
    pub service: Option<String>,
    pub output: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub links: BTreeMap<String, String>,
    pub occurred_at: Option<String>,
    pub environment: Option<String>,
    pub scenario: Option<String>,
}

/// The alerts of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MappedBody {
    /// In their order.
    pub alerts: Vec<Mapped>,
    /// How many items were none, by `when`.
    pub left_out: usize,
}

/// A mapping whose expressions were understood.
#[derive(Debug)]
pub struct CompiledMapping {
    mapping: Mapping,
    each: Option<Field>,
    when: Option<Field>,
    identity: Vec<Field>,
    name: Field,
    status: Field,
    severity: Option<Field>,
    object: Option<Field>,
    source: Option<Field>,
    service: Option<Field>,
    output: Option<Field>,
    labels_from: Option<Field>,
    labels: Vec<(String, Field)>,
    annotations: Vec<(String, Field)>,
    links: Vec<(String, Field)>,
    occurred_at: Option<Field>,
    environment: Option<Field>,
    scenario: Option<Field>,
}

impl PartialEq for CompiledMapping {
    fn eq(&self, other: &Self) -> bool {
        self.mapping == other.mapping
    }
}

impl Eq for CompiledMapping {}

/// An expression and what it is for.
#[derive(Debug)]
struct Field {
    name: String,
    text: String,
    expression: Expression,
}

impl CompiledMapping {
    /// Understands a mapping.
    pub fn compile(mapping: Mapping) -> Result<Self, InvalidMapping> {
        let alert = &mapping.alert;
        let optional = |name: &str, text: &Option<String>| {
            text.as_ref().map(|text| Field::compile(name, text)).transpose()
        };
        let named = |name: &str, texts: &BTreeMap<String, String>| {
            let compile = |(title, text): (&String, &String)| {
                Field::compile(&format!("{name}.{title}"), text).map(|field| (title.clone(), field))
            };
            texts.iter().map(compile).collect::<Result<Vec<_>, _>>()
        };
        let part =
            |(index, text): (usize, &String)| Field::compile(&format!("alert.identity[{index}]"), text);
        Ok(Self {
            each: optional("each", &mapping.each)?,
            when: optional("when", &mapping.when)?,
            identity: alert
                .identity
                .iter()
                .enumerate()
                .map(part)
                .collect::<Result<_, _>>()?,
            name: Field::compile("alert.name", &alert.name)?,
            status: Field::compile("alert.status", &alert.status)?,
            severity: optional("alert.severity", &alert.severity)?,
            object: optional("alert.object", &alert.object)?,
            source: optional("alert.source", &alert.source)?,
            service: optional("alert.service", &alert.service)?,
            output: optional("alert.output", &alert.output)?,
            labels_from: optional("alert.labels_from", &alert.labels_from)?,
            labels: named("alert.labels", &alert.labels)?,
            annotations: named("alert.annotations", &alert.annotations)?,
            links: named("alert.links", &alert.links)?,
            occurred_at: optional("alert.occurred_at", &alert.occurred_at)?,
            environment: optional("alert.environment", &alert.environment)?,
            scenario: optional("alert.scenario", &alert.scenario)?,
            mapping,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.mapping.name
    }

    /// Understands a body: all of it or nothing. `topic` is where it was published, if it was. One body has one budget,
    /// however many items it has.
    pub fn read(&self, body: &Value, topic: Option<&str>) -> Result<MappedBody, Unmapped> {
        expression::scope(|| self.read_within_budget(body, topic))
    }

    fn read_within_budget(&self, body: &Value, topic: Option<&str>) -> Result<MappedBody, Unmapped> {
        let body = expression::of_json(body);
        let topic = topic.into();
        let topic = expression::of_json(&topic);
        let names = |item| Names {
            body: body.as_ref(),
            item,
            topic: topic.as_ref(),
        };
        let Some(each) = &self.each else {
            let mut read = MappedBody::default();
            self.item(&names(body.as_ref()), None, &mut read)?;
            return Ok(read);
        };
        let names = names(&CelNull);
        let read = each
            .expression
            .evaluate(&names, |list| match list.downcast_ref::<CelList>() {
                Some(list) => self.items(&names, list),
                None => Err(self.unmapped(each, None, "is not a list")),
            });
        read.unwrap_or_else(|error| Err(self.failed(each, None, &error)))
    }

    fn items(&self, around: &Names<'_>, list: &CelList<'_>) -> Result<MappedBody, Unmapped> {
        let items = list.inner();
        if items.len() > ITEMS_MAX {
            return Err(Unmapped {
                field: "each".to_owned(),
                reason: format!("has {} items", items.len()),
                remedy: format!("send at most {ITEMS_MAX} in one body"),
            });
        }
        let mut read = MappedBody::default();
        for (index, item) in items.iter().enumerate() {
            let names = Names {
                item: item.as_ref(),
                ..*around
            };
            self.item(&names, Some(index), &mut read)?;
        }
        Ok(read)
    }

    fn item(&self, names: &Names<'_>, index: Option<usize>, read: &mut MappedBody) -> Result<(), Unmapped> {
        if self.is_alert(names, index)? {
            read.alerts.push(self.alert(names, index)?);
        } else {
            read.left_out += 1;
        }
        Ok(())
    }

    fn is_alert(&self, names: &Names<'_>, index: Option<usize>) -> Result<bool, Unmapped> {
        let Some(when) = &self.when else { return Ok(true) };
        let answer = when.expression.evaluate(names, |value| {
            value.downcast_ref::<CelBool>().map(|answer| *answer.inner())
        });
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.unmapped(when, index, "is neither true nor false")),
            Err(error) => Err(self.failed(when, index, &error)),
        }
    }

    fn alert(&self, names: &Names<'_>, index: Option<usize>) -> Result<Mapped, Unmapped> {
        let text = |field: &Field| self.value(field, names, index).map(|value| as_text(&value));
        let optional = |field: &Option<Field>| field.as_ref().map_or(Ok(None), text);
        let named = |fields: &[(String, Field)]| {
            let mut texts = BTreeMap::new();
            for (title, field) in fields {
                texts.extend(text(field)?.map(|text| (title.clone(), text)));
            }
            Ok(texts)
        };
        let mut labels = self.all_labels(names, index)?;
        labels.extend(named(&self.labels)?);
        let identity = self
            .identity
            .iter()
            .map(|field| self.identity_part(field, names, index));
        Ok(Mapped {
            identity: identity.collect::<Result<_, _>>()?,
            name: text(&self.name)?.ok_or_else(|| self.missing(&self.name, index))?,
            status: self.event_status(names, index)?,
            severity: optional(&self.severity)?.map(|word| self.severity_of(word)),
            object: optional(&self.object)?,
            source: optional(&self.source)?,
            service: optional(&self.service)?,
            output: optional(&self.output)?,
            labels,
            annotations: named(&self.annotations)?,
            links: named(&self.links)?,
            occurred_at: optional(&self.occurred_at)?,
            environment: optional(&self.environment)?,
            scenario: optional(&self.scenario)?,
        })
    }

    fn identity_part(
        &self,
        field: &Field,
        names: &Names<'_>,
        index: Option<usize>,
    ) -> Result<String, Unmapped> {
        let value = self.value(field, names, index)?;
        if value.is_f64() && value.as_f64().is_some_and(|number| number.abs() >= EXACT) {
            let reason = "is a number with more digits than can be told apart";
            return Err(self.unmapped(field, index, reason));
        }
        as_text(&value).ok_or_else(|| self.missing(field, index))
    }

    fn event_status(&self, names: &Names<'_>, index: Option<usize>) -> Result<EventStatus, Unmapped> {
        let field = &self.status;
        let word = as_text(&self.value(field, names, index)?).ok_or_else(|| self.missing(field, index))?;
        let known = word.trim().to_lowercase();
        let declared = self.mapping.states.get(&known).copied();
        declared
            .or(match known.as_str() {
                "firing" => Some(EventStatus::Firing),
                "resolved" => Some(EventStatus::Resolved),
                "acknowledged" => Some(EventStatus::Acknowledged),
                _ => None,
            })
            .ok_or_else(|| Unmapped {
                remedy: format!("say in `states` of mapping {:?} what that means", self.name()),
                ..self.unmapped(field, index, format!("is {:?}", shortened(&word)))
            })
    }

    fn severity_of(&self, word: String) -> Result<Severity, String> {
        let known = self.mapping.severities.get(&word.trim().to_lowercase());
        known.copied().ok_or(word)
    }

    fn all_labels(
        &self,
        names: &Names<'_>,
        index: Option<usize>,
    ) -> Result<BTreeMap<String, String>, Unmapped> {
        let Some(field) = &self.labels_from else {
            return Ok(BTreeMap::new());
        };
        match self.value(field, names, index)? {
            Value::Null => Ok(BTreeMap::new()),
            Value::Object(members) => {
                let label = |(name, value): (String, Value)| as_text(&value).map(|text| (name, text));
                Ok(members.into_iter().filter_map(label).collect())
            }
            _ => Err(self.unmapped(field, index, "is not an object")),
        }
    }

    /// What the expression gives; null where something that it names is not there.
    fn value(&self, field: &Field, names: &Names<'_>, index: Option<usize>) -> Result<Value, Unmapped> {
        match field.expression.evaluate(names, expression::to_json) {
            Ok(value) => Ok(value),
            Err(error) if is_not_there(&error) => Ok(Value::Null),
            Err(error) => Err(self.failed(field, index, &error)),
        }
    }

    fn missing(&self, field: &Field, index: Option<usize>) -> Unmapped {
        self.unmapped(
            field,
            index,
            format!("is missing: there is nothing at `{}`", field.text),
        )
    }

    fn failed(&self, field: &Field, index: Option<usize>, error: &ExecutionError) -> Unmapped {
        let cause = shortened(&error.to_string());
        self.unmapped(
            field,
            index,
            format!("cannot be told by `{}`: {cause}", field.text),
        )
    }

    fn unmapped(&self, field: &Field, index: Option<usize>, reason: impl Into<String>) -> Unmapped {
        let of_item = index.map_or(String::new(), |index| format!(" of item {index}"));
        Unmapped {
            field: format!("{}{of_item}", field.name),
            reason: reason.into(),
            remedy: format!(
                "send it, or change mapping {:?} of the site; `reveille try` shows what a body becomes",
                self.name()
            ),
        }
    }
}

impl Field {
    fn compile(name: &str, text: &str) -> Result<Self, InvalidMapping> {
        let compiled = Expression::compile(text).and_then(|expression| {
            expression.check_names(&Names::NOTHING, VARIABLES)?;
            Ok(expression)
        });
        match compiled {
            Ok(expression) => Ok(Self {
                name: name.to_owned(),
                text: text.to_owned(),
                expression,
            }),
            Err(error) => Err(InvalidMapping {
                field: name.to_owned(),
                error,
            }),
        }
    }
}

/// Whether something was named that is not there, or inside what is null.
fn is_not_there(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::NoSuchKey(_) => true,
        ExecutionError::NoSuchOverload(call) => {
            call.function() == "_._" && call.argument_types().first().is_some_and(|of| of == "null_type")
        }
        _ => false,
    }
}

/// A value as text: the items of a list after one another, an object as its JSON. Nothing, if there is nothing in it.
fn as_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Array(items) if !items.iter().any(|item| item.is_array() || item.is_object()) => {
            items.iter().filter_map(as_text).collect::<Vec<_>>().join(", ")
        }
        // 3.0 is what some senders make of 3.
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => number.to_string(),
            None => number.to_string(),
        },
        other => other.to_string(),
    };
    (!text.trim().is_empty()).then_some(text)
}

fn shortened(text: &str) -> String {
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(CAUSE_LONGEST).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

/// What expressions can name.
struct Names<'n> {
    body: &'n (dyn Val + 'n),
    item: &'n (dyn Val + 'n),
    topic: &'n (dyn Val + 'n),
}

impl Names<'static> {
    /// That there are such names.
    const NOTHING: Self = Self {
        body: &CelNull,
        item: &CelNull,
        topic: &CelNull,
    };
}

impl VariableResolver for Names<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "body" => Some(CowVal::Borrowed(self.body)),
            "item" => Some(CowVal::Borrowed(self.item)),
            "topic" => Some(CowVal::Borrowed(self.topic)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
