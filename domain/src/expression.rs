//! Expressions in CEL (<https://cel.dev>), compiled once.

mod budget;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::common::traits::Container;
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelOptional, CelString, CelUInt,
    STRING_TYPE, Type,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Value};
use regex::{Regex, RegexBuilder};

pub(crate) use budget::scope;

/// The longest source of an expression.
const SOURCE_BYTES_MAX: usize = 10_000;
/// The stack on which a source is parsed and its tree is checked: deep enough for every tree that a source of the
/// longest length can have.
const COMPILE_STACK_BYTES: usize = 64 * 1024 * 1024;
/// The memory of a compiled regular expression.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// What a compiled pattern is called inside an expression; no operator can write such a name.
const PATTERN_PREFIX: &str = "@pattern";
/// The function that makes a value of a text that holds JSON: `parseJson(text)` and `text.parseJson()`.
const PARSE_JSON: &str = "parseJson";
/// What functions can belong to that is no value.
const NAMESPACE: &str = "optional";

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    if let Err(error) = environment.add_extension(cel::extensions::strings) {
        debug_assert!(false, "{error:?}");
    }
    budget::declare(&mut environment);
    let text = || vec![STRING_TYPE];
    let declared = environment
        .add_overload(PARSE_JSON, "parseJson(string)", text(), parse_json)
        .and_then(|()| {
            environment.add_member_overload(PARSE_JSON, "string.parseJson()", STRING_TYPE, vec![], parse_json)
        });
    if let Err(error) = declared {
        debug_assert!(false, "{error:?}");
    }
    Arc::new(environment)
});
static PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");

/// The expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
#[allow(missing_docs)]
pub struct ExpressionError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    tree: IdedExpr,
    source: SourceInfo,
    /// The regular expressions in it, in the order of their numbers.
    patterns: Vec<Pattern>,
    /// The stack that an evaluation needs.
    stack_bytes: usize,
}

impl Expression {
    /// Compiles the expression.
    ///
    /// # Errors
    ///
    /// A syntax error, a regular expression that is none, or a bound that the expression exceeds, with its place.
    pub(crate) fn compile(source: &str) -> Result<Self, ExpressionError> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(at(
                1,
                1,
                format!("the expression is longer than {SOURCE_BYTES_MAX} bytes: split it"),
            ));
        }
        // A tree that is refused for its depth is taken apart by recursion as well, so this needs a stack of its own. The
        // parser of the library panics on some texts.
        catch_unwind(|| stacker::grow(COMPILE_STACK_BYTES, || Self::parse(source)))
            .unwrap_or_else(|_| Err(at(1, 1, "this is not an expression in CEL".to_owned())))
    }

    fn parse(source: &str) -> Result<Self, ExpressionError> {
        let program = ENVIRONMENT
            .compile(source)
            .map_err(|errors| syntax_error(&errors))?;
        let mut tree = program.expression().clone();
        budget::check_shape(&mut tree).map_err(|message| at(1, 1, message))?;
        let mut expression = Self {
            tree,
            source: SourceInfo::default(),
            patterns: Vec::new(),
            stack_bytes: 0,
        };
        expression.source.source = source.to_owned();
        keep_offsets(
            &mut expression.tree,
            program.source_info(),
            &mut expression.source,
        );
        compile_patterns(&mut expression.tree, &mut expression.patterns, &expression.source)?;
        let instrumented = budget::instrument(&mut expression.tree);
        instrumented.map_err(|(id, message)| expression.at(id, message))?;
        expression.stack_bytes = budget::stack_bytes(&mut expression.tree);
        Ok(expression)
    }

    /// Finds names that do not exist, also in parts that are rarely reached. `known` lists for a person what `names` has.
    pub(crate) fn check_names(
        &self,
        names: &dyn VariableResolver,
        known: &str,
    ) -> Result<(), ExpressionError> {
        match self.on_stack(|| self.unknown(&mut self.tree.clone(), &mut Vec::new(), names)) {
            Some((id, name)) => Err(self.there_is_no(id, &name, known)),
            None => Ok(()),
        }
    }

    /// Finds what would fail whatever the values are: operators on the wrong types. All parts are tried on these values,
    /// also those that a short-circuit would skip.
    pub(crate) fn check_types(
        &self,
        names: &dyn VariableResolver,
        known: &str,
    ) -> Result<(), ExpressionError> {
        match self.on_stack(|| self.mistake(&mut self.tree.clone(), names)) {
            Some((id, ExecutionError::UndeclaredReference(name))) => Err(self.there_is_no(id, &name, known)),
            Some((id, error)) => Err(self.at(id, error.to_string())),
            None => Ok(()),
        }
    }

    /// Evaluates it on these values.
    pub(crate) fn evaluate<T>(
        &self,
        names: &dyn VariableResolver,
        read: impl FnOnce(&dyn Val) -> T,
    ) -> Result<T, ExecutionError> {
        self.on_stack(|| self.evaluate_part(&self.tree, names, read))
    }

    /// Runs what recurses over the tree, within one budget. Where the thread has too little stack left, it gets more: a
    /// stack that overflows would end the process.
    fn on_stack<T>(&self, run: impl FnOnce() -> T) -> T {
        stacker::maybe_grow(self.stack_bytes, self.stack_bytes, || scope(run))
    }

    fn evaluate_part<T>(
        &self,
        part: &IdedExpr,
        names: &dyn VariableResolver,
        read: impl FnOnce(&dyn Val) -> T,
    ) -> Result<T, ExecutionError> {
        let names = Names {
            names,
            patterns: &self.patterns,
        };
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&names);
        // A panic of the library must not stop everything behind this.
        let value = catch_unwind(AssertUnwindSafe(|| {
            Value::resolve_val(part, &context).map(|value| read(value.as_ref()))
        }))
        .unwrap_or_else(|_| {
            Err(ExecutionError::InternalError(
                "the expression cannot be evaluated".to_owned(),
            ))
        });
        // An error within a loop can be absorbed by a later element; the end of the budget may not.
        budget::exceeded().map_or(value, Err)
    }

    fn mistake(&self, part: &mut IdedExpr, names: &dyn VariableResolver) -> Option<(u64, ExecutionError)> {
        for part in parts(part, false) {
            if let Some(mistake) = self.mistake(part, names) {
                return Some(mistake);
            }
        }
        match self.evaluate_part(part, names, |_| ()) {
            Err(error) if holds_for_all_values(&error) => Some((part.id, error)),
            _ => None,
        }
    }

    /// The first name that neither is bound by a loop nor has a meaning.
    fn unknown(
        &self,
        part: &mut IdedExpr,
        bound: &mut Vec<String>,
        names: &dyn VariableResolver,
    ) -> Option<(u64, String)> {
        let id = part.id;
        let own = match &mut part.expr {
            Expr::Ident(name) if bound.contains(name) => None,
            Expr::Ident(_) => self.undeclared(part, names),
            Expr::Call(call) => {
                let of_namespace =
                    |target: &IdedExpr| matches!(&target.expr, Expr::Ident(name) if name == NAMESPACE);
                if call.target.as_deref().is_some_and(of_namespace) {
                    call.target = None;
                    None
                } else {
                    // Whatever it is called with: whether there is such a function.
                    let mut called = call.clone();
                    let nothing = || IdedExpr {
                        id,
                        expr: Expr::Literal(LiteralValue::Boolean(CelBool::from(true))),
                    };
                    called.target = called.target.map(|_| Box::new(nothing()));
                    called.args = called.args.iter().map(|_| nothing()).collect();
                    let expr = Expr::Call(called);
                    self.undeclared(&IdedExpr { id, expr }, names)
                }
            }
            _ => None,
        };
        if own.is_some() {
            return own;
        }
        let outside = bound.len();
        if let Expr::Comprehension(of) = &part.expr {
            bound.extend([of.iter_var.clone(), of.accu_var.clone()]);
            bound.extend(of.iter_var2.clone());
        }
        let found = parts(part, true)
            .into_iter()
            .find_map(|part| self.unknown(part, bound, names));
        bound.truncate(outside);
        found
    }

    fn undeclared(&self, part: &IdedExpr, names: &dyn VariableResolver) -> Option<(u64, String)> {
        match self.evaluate_part(part, names, |_| ()) {
            Err(ExecutionError::UndeclaredReference(name)) => Some((part.id, name.to_string())),
            _ => None,
        }
    }

    fn there_is_no(&self, id: u64, name: &str, known: &str) -> ExpressionError {
        self.at(
            id,
            format!("there is no {name:?}: an expression can name {known}"),
        )
    }

    fn at(&self, id: u64, message: String) -> ExpressionError {
        let offset = self.source.offset_for(id).map_or(0, |(start, _)| start);
        at_offset(&self.source.source, offset, message)
    }
}

fn holds_for_all_values(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::UndeclaredReference(_)
            | ExecutionError::NoSuchOverload(_)
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

fn keep_offsets(expression: &mut IdedExpr, from: &SourceInfo, to: &mut SourceInfo) {
    if let Some((start, stop)) = from.offset_for(expression.id) {
        to.add_offset(expression.id, start, stop);
    }
    for part in parts(expression, true) {
        keep_offsets(part, from, to);
    }
}

/// Replaces each `text.matches("pattern")` by a membership test in the compiled pattern: the library would compile the
/// pattern anew for every value.
fn compile_patterns(
    expression: &mut IdedExpr,
    patterns: &mut Vec<Pattern>,
    source: &SourceInfo,
) -> Result<(), ExpressionError> {
    for part in parts(expression, true) {
        compile_patterns(part, patterns, source)?;
    }
    let offset = source.offset_for(expression.id).map_or(0, |(start, _)| start);
    let refused = |message| at_offset(&source.source, offset, message);
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
        // It would be compiled anew for every value, and a sender could choose it.
        return Err(refused(
            "the regular expression of matches() must be a text in quotation marks".to_owned(),
        ));
    };
    let regex = RegexBuilder::new(pattern.inner())
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|error| refused(format!("not a regular expression: {error}")))?;
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

pub(crate) fn at(line: usize, column: usize, message: String) -> ExpressionError {
    ExpressionError {
        line,
        column,
        message,
    }
}

fn at_offset(source: &str, offset: u32, message: String) -> ExpressionError {
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

fn syntax_error(errors: &cel::ParseErrors) -> ExpressionError {
    let Some(error) = errors.errors.first() else {
        return at(1, 1, "this is not an expression in CEL".to_owned());
    };
    let place = |number: isize| usize::try_from(number).unwrap_or(0).max(1);
    at(place(error.pos.0), place(error.pos.1), error.msg.clone())
}

/// A value of JSON, as expressions see it.
pub(crate) fn of_json<'j>(value: &'j serde_json::Value) -> Box<dyn Val + 'j> {
    match value {
        serde_json::Value::Null => Box::new(CelNull),
        serde_json::Value::Bool(value) => Box::new(CelBool::from(*value)),
        serde_json::Value::Number(number) => number_of_json(number),
        serde_json::Value::String(text) => Box::new(CelString::from(text.as_str())),
        serde_json::Value::Array(items) => {
            let items: Vec<Box<dyn Val + 'j>> = items.iter().map(of_json).collect();
            Box::new(CelList::from(items))
        }
        serde_json::Value::Object(members) => {
            let member = |(name, value): (&'j String, &'j serde_json::Value)| (key(name), of_json(value));
            Box::new(CelMap::from(
                members.iter().map(member).collect::<HashMap<_, _>>(),
            ))
        }
    }
}

fn parse_json<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text] = arguments.as_slice() else {
        return Err(ExecutionError::invalid_argument_count(1, arguments.len()));
    };
    let Some(text) = text.as_ref().downcast_ref::<CelString>() else {
        let kind = text.as_ref().get_type().name().to_owned();
        return Err(ExecutionError::no_such_overload(PARSE_JSON, vec![kind]));
    };
    let value = serde_json::from_str(text.inner()).map_err(|error| {
        ExecutionError::function_error(PARSE_JSON, format!("the text is not JSON: {error}"))
    })?;
    Ok(CowVal::Owned(of_parsed_json(value)))
}

/// The same as [`of_json`], of a value that nothing else holds.
fn of_parsed_json<'v>(value: serde_json::Value) -> Box<dyn Val + 'v> {
    match value {
        serde_json::Value::String(text) => Box::new(CelString::from(text)),
        serde_json::Value::Array(items) => {
            let items: Vec<Box<dyn Val + 'v>> = items.into_iter().map(of_parsed_json).collect();
            Box::new(CelList::from(items))
        }
        serde_json::Value::Object(members) => {
            let member = |(name, value)| (CelMapKey::String(CelString::from(name)), of_parsed_json(value));
            Box::new(CelMap::from(
                members.into_iter().map(member).collect::<HashMap<_, _>>(),
            ))
        }
        serde_json::Value::Number(number) => number_of_json(&number),
        serde_json::Value::Bool(value) => Box::new(CelBool::from(value)),
        serde_json::Value::Null => Box::new(CelNull),
    }
}

fn number_of_json<'v>(number: &serde_json::Number) -> Box<dyn Val + 'v> {
    match (number.as_i64(), number.as_u64()) {
        (Some(number), _) => Box::new(CelInt::from(number)),
        (None, Some(number)) => Box::new(CelUInt::from(number)),
        (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
    }
}

/// What an expression gave, as JSON.
pub(crate) fn to_json(value: &dyn Val) -> serde_json::Value {
    if let Some(text) = value.downcast_ref::<CelString>() {
        text.inner().into()
    } else if let Some(number) = value.downcast_ref::<CelInt>() {
        (*number.inner()).into()
    } else if let Some(number) = value.downcast_ref::<CelUInt>() {
        (*number.inner()).into()
    } else if let Some(number) = value.downcast_ref::<CelDouble>() {
        (*number.inner()).into()
    } else if let Some(answer) = value.downcast_ref::<CelBool>() {
        (*answer.inner()).into()
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        list.inner().iter().map(|item| to_json(item.as_ref())).collect()
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        let name = |key: &CelMapKey<'_>| match to_json(key.inner()) {
            serde_json::Value::String(name) => name,
            other => other.to_string(),
        };
        let members = map
            .inner()
            .iter()
            .map(|(key, value)| (name(key), to_json(value.as_ref())));
        serde_json::Value::Object(members.collect())
    } else if let Some(optional) = value.downcast_ref::<CelOptional>() {
        optional.inner().map_or(serde_json::Value::Null, to_json)
    } else {
        serde_json::Value::Null
    }
}

/// Names and texts, as expressions see them.
pub(crate) fn of_texts<'t>(texts: impl IntoIterator<Item = (&'t String, &'t String)>) -> CelMap<'t> {
    let entry = |(name, text): (&'t String, &'t String)| {
        let text: Box<dyn Val + 't> = Box::new(CelString::from(text.as_str()));
        (key(name), text)
    };
    CelMap::from(texts.into_iter().map(entry).collect::<HashMap<_, _>>())
}

fn key(name: &str) -> CelMapKey<'_> {
    CelMapKey::String(CelString::from(name))
}

/// Everything that one expression can name.
struct Names<'n> {
    names: &'n dyn VariableResolver,
    patterns: &'n [Pattern],
}

impl VariableResolver for Names<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if !variable.starts_with('@') {
            return self.names.resolve(variable);
        }
        match variable.strip_prefix(PATTERN_PREFIX) {
            Some(number) => {
                let number = number.parse::<usize>().ok()?;
                self.patterns.get(number).map(|pattern| CowVal::Borrowed(pattern))
            }
            None => budget::step(variable),
        }
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
