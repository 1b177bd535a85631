//! The condition of a rule: an expression in CEL (<https://cel.dev>), compiled once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, OnceLock};

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::common::traits::Container;
use cel::common::types::{CelBool, CelMap, CelMapKey, CelString, Type};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Program, Value};
use regex::Regex;
use schemas::AlertEvent;

/// What an expression can name.
const VARIABLES: &str =
    "name, object, source, service, output, severity, monitoring_system, integration and labels";
/// Longer ones are a mistake, and would only cost time.
const LONGEST: usize = 10_000;
/// What a compiled pattern is called inside an expression; no operator can write such a name.
const PATTERN_PREFIX: &str = "@pattern";

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));
static PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");

/// The expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
#[allow(missing_docs)]
pub struct ConditionError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// A compiled condition.
#[derive(Debug)]
pub(super) struct Condition {
    expression: IdedExpr,
    /// The regular expressions in it, in the order of their numbers.
    patterns: Vec<Pattern>,
}

impl Condition {
    /// Compiles the expression.
    pub(super) fn compile(source: &str) -> Result<Self, ConditionError> {
        if source.len() > LONGEST {
            return Err(at(1, 1, format!("the expression is longer than {LONGEST} bytes")));
        }
        // The parser of the library panics on some texts.
        let program = catch_unwind(|| Program::compile(source))
            .map_err(|_| at(1, 1, "this is not an expression in CEL".to_owned()))?
            .map_err(|errors| syntax_error(&errors))?;
        let mut condition = Self {
            expression: program.expression().clone(),
            patterns: Vec::new(),
        };
        compile_patterns(
            &mut condition.expression,
            &mut condition.patterns,
            program.source_info(),
        )?;
        Ok(condition)
    }

    /// Finds what would fail for any event: names that do not exist, operators on the wrong types, an answer that is
    /// neither true nor false. All parts are tried, also those that a short-circuit would skip.
    pub(super) fn try_out(&mut self, source: &str, sample: &AlertEvent) -> Result<(), ConditionError> {
        let facts = Facts::of(sample);
        let mut expression = self.expression.clone();
        if let Some((id, message)) = self.mistake(&mut expression, &facts) {
            let offset = Program::compile(source)
                .ok()
                .and_then(|program| program.source_info().offset_for(id))
                .map_or(0, |(start, _)| start);
            return Err(at_offset(source, offset, message));
        }
        match self.evaluate(&self.expression, &facts, |value| {
            value.downcast_ref::<CelBool>().is_some()
        }) {
            Ok(false) => Err(at(1, 1, "the expression must be true or false".to_owned())),
            _ => Ok(()),
        }
    }

    /// Whether the rule applies. A label that the event does not have means that it does not.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> Result<bool, String> {
        let answer = self.evaluate(&self.expression, facts, |value| {
            value.downcast_ref::<CelBool>().map(|answer| *answer.inner())
        });
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("the expression is neither true nor false".to_owned()),
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    fn evaluate<T>(
        &self,
        expression: &IdedExpr,
        facts: &Facts<'_>,
        read: impl FnOnce(&dyn Val) -> T,
    ) -> Result<T, ExecutionError> {
        let names = Names {
            facts,
            patterns: &self.patterns,
        };
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&names);
        // A panic of the library must not stop every alert behind this one.
        catch_unwind(AssertUnwindSafe(|| {
            Value::resolve_val(expression, &context).map(|value| read(value.as_ref()))
        }))
        .unwrap_or_else(|_| {
            Err(ExecutionError::InternalError(
                "the expression cannot be evaluated".to_owned(),
            ))
        })
    }

    fn mistake(&self, expression: &mut IdedExpr, facts: &Facts<'_>) -> Option<(u64, String)> {
        for part in parts(expression, false) {
            if let Some(mistake) = self.mistake(part, facts) {
                return Some(mistake);
            }
        }
        match self.evaluate(expression, facts, |_| ()) {
            Err(ExecutionError::UndeclaredReference(name)) => Some((
                expression.id,
                format!("there is no {name:?}: an expression can name {VARIABLES}"),
            )),
            Err(error) if holds_for_every_event(&error) => Some((expression.id, error.to_string())),
            _ => None,
        }
    }
}

fn holds_for_every_event(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::NoSuchOverload(_)
            | ExecutionError::InvalidArgumentCount { .. }
            | ExecutionError::UnsupportedTargetType { .. }
            | ExecutionError::NotSupportedAsMethod { .. }
            | ExecutionError::MissingArgumentOrTarget
            | ExecutionError::UnexpectedType { .. }
            | ExecutionError::UnsupportedBinaryOperator(..)
            | ExecutionError::ValuesNotComparable(..)
            | ExecutionError::InternalError(_)
    )
}

/// Replaces each `text.matches("pattern")` by a membership test in the compiled pattern: the library would compile the
/// pattern anew for every event.
fn compile_patterns(
    expression: &mut IdedExpr,
    patterns: &mut Vec<Pattern>,
    source: &SourceInfo,
) -> Result<(), ConditionError> {
    for part in parts(expression, true) {
        compile_patterns(part, patterns, source)?;
    }
    let id = expression.id;
    let Expr::Call(call) = &mut expression.expr else {
        return Ok(());
    };
    if call.func_name != "matches" {
        return Ok(());
    }
    let Some(IdedExpr {
        expr: Expr::Literal(LiteralValue::String(pattern)),
        ..
    }) = call.args.last()
    else {
        return Ok(());
    };
    let regex = Regex::new(pattern.inner()).map_err(|error| {
        let offset = source.offset_for(id).map_or(0, |(start, _)| start);
        at_offset(
            &source.source,
            offset,
            format!("not a regular expression: {error}"),
        )
    })?;
    let pattern = Expr::Ident(format!("{PATTERN_PREFIX}{}", patterns.len()));
    let text = match (call.target.take(), call.args.len()) {
        (Some(target), 1) => *target,
        (None, 2) => call.args.swap_remove(0),
        (target, _) => {
            call.target = target;
            return Ok(());
        }
    };
    patterns.push(Pattern(regex));
    call.args = vec![text, IdedExpr { id, expr: pattern }];
    call.func_name = operators::IN.to_owned();
    Ok(())
}

fn parts_of_entry(entry: &mut IdedEntryExpr) -> Vec<&mut IdedExpr> {
    match &mut entry.expr {
        EntryExpr::StructField(field) => vec![&mut field.value],
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
    }
}

/// The direct parts of an expression. What is evaluated once per element of a list stands for itself only inside the
/// loop.
fn parts(expression: &mut IdedExpr, inside_loops: bool) -> Vec<&mut IdedExpr> {
    match &mut expression.expr {
        Expr::Call(call) => call
            .target
            .as_deref_mut()
            .into_iter()
            .chain(&mut call.args)
            .collect(),
        Expr::Select(select) => vec![&mut select.operand],
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map.entries.iter_mut().flat_map(parts_of_entry).collect(),
        Expr::Struct(of) => of.entries.iter_mut().flat_map(parts_of_entry).collect(),
        Expr::Comprehension(of) => {
            let mut parts = vec![&mut of.iter_range];
            if inside_loops {
                parts.extend([
                    &mut of.accu_init,
                    &mut of.loop_cond,
                    &mut of.loop_step,
                    &mut of.result,
                ]);
            }
            parts
        }
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
    }
}

fn at(line: usize, column: usize, message: String) -> ConditionError {
    ConditionError {
        line,
        column,
        message,
    }
}

fn at_offset(source: &str, offset: u32, message: String) -> ConditionError {
    let offset = usize::try_from(offset).unwrap_or(0);
    let before: String = source.chars().take(offset).collect();
    let line = before.matches('\n').count() + 1;
    let column = before
        .chars()
        .rev()
        .take_while(|character| *character != '\n')
        .count()
        + 1;
    at(line, column, message)
}

fn syntax_error(errors: &cel::ParseErrors) -> ConditionError {
    let Some(error) = errors.errors.first() else {
        return at(1, 1, "this is not an expression in CEL".to_owned());
    };
    let place = |number: isize| usize::try_from(number).unwrap_or(0).max(1);
    at(place(error.pos.0), place(error.pos.1), error.msg.clone())
}

/// An event, as expressions see it.
pub(super) struct Facts<'e> {
    event: &'e AlertEvent,
    /// Made when the first expression asks for them.
    labels: OnceLock<CelMap<'e>>,
}

impl<'e> Facts<'e> {
    pub(super) fn of(event: &'e AlertEvent) -> Self {
        Self {
            event,
            labels: OnceLock::new(),
        }
    }

    fn labels(&self) -> &CelMap<'e> {
        self.labels.get_or_init(|| {
            let entry = |(name, value): (&'e String, &'e String)| {
                let value: Box<dyn Val + 'e> = Box::new(CelString::from(value.as_str()));
                (CelMapKey::String(CelString::from(name.as_str())), value)
            };
            CelMap::from(
                self.event
                    .labels
                    .iter()
                    .map(entry)
                    .collect::<std::collections::HashMap<_, _>>(),
            )
        })
    }
}

/// Everything that one expression can name.
struct Names<'n, 'e> {
    facts: &'n Facts<'e>,
    patterns: &'n [Pattern],
}

impl VariableResolver for Names<'_, '_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let event = self.facts.event;
        let text = match variable {
            "name" => &event.name,
            "object" => &event.object,
            "source" => &event.source,
            "service" => event.service.as_deref().unwrap_or_default(),
            "output" => &event.output,
            "severity" => event.severity.name(),
            "monitoring_system" => &event.monitoring_system,
            "integration" => &event.integration,
            "labels" => return Some(CowVal::Borrowed(self.facts.labels())),
            other => {
                let number = other.strip_prefix(PATTERN_PREFIX)?.parse::<usize>().ok()?;
                return self.patterns.get(number).map(|pattern| CowVal::Borrowed(pattern));
            }
        };
        Some(CowVal::owned(CelString::from(text)))
    }
}

/// A compiled regular expression; it contains the texts that match it.
#[derive(Debug, Clone)]
struct Pattern(Regex);

impl Container for Pattern {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        match value.downcast_ref::<CelString>() {
            Some(text) => Ok(self.0.is_match(text.inner())),
            None => Err(ExecutionError::no_such_overload(
                "matches",
                vec![value.get_type().name().to_owned()],
            )),
        }
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN_TYPE
    }

    fn cel_type() -> &'static Type {
        &PATTERN_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn equals(&self, _: &dyn Val) -> bool {
        false
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }
}
