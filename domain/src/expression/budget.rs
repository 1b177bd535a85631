//! What one expression may cost: bounds on its shape when it is compiled, and on loops, memory and time when it is
//! evaluated.
//!
//! The library evaluates by recursion and without a limit of its own, so the compiled tree is instrumented: the condition of each loop
//! names a step, which is counted, and what makes a new value passes through a function that charges its size. Both are
//! named with `@`, which the source of an expression cannot contain.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::common::types::{CelBool, CelBytes, CelInt, CelList, CelMap, CelString, DYN_TYPE, INT_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};

use super::parts;

/// The deepest nesting: evaluation recurses once for each level.
const DEPTH_MAX: usize = 100;
/// The stack for one level of the instrumented tree. Chained calls and conditions need the most: 40 KiB, without optimization.
const STACK_BYTES_PER_LEVEL: usize = 64 * 1024;
/// The most operators, names and literals that one expression has.
const NODES_MAX: usize = 2_000;
/// The most nodes that loops evaluate before the evaluation fails.
const STEPS_MAX: usize = 200_000;
/// The most memory of texts, lists and maps that an evaluation makes.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest that an evaluation takes, looked at once for each turn of a loop. The bounds above end it before, except where the values are very large; it
/// is the time of this machine and no input of a decision.
const TIME_MAX: Duration = Duration::from_secs(1);

/// What a place in a list or a map takes beside its value.
const BYTES_PER_ITEM: usize = 32;

const STEP_PREFIX: &str = "@step";
const CHARGE: &str = "@charge";

thread_local! {
    static SPENT: RefCell<Option<Spent>> = const { RefCell::new(None) };
}

/// What the evaluations of a scope have used.
struct Spent {
    steps: usize,
    bytes: usize,
    since: Instant,
    exceeded: Option<&'static str>,
}

/// Evaluates within one budget: the outermost scope on this thread makes it, and inner ones share it.
pub(crate) fn scope<T>(evaluate: impl FnOnce() -> T) -> T {
    struct Guard(bool);
    impl Drop for Guard {
        fn drop(&mut self) {
            if self.0 {
                SPENT.with_borrow_mut(|spent| *spent = None);
            }
        }
    }
    let _guard = SPENT.with_borrow_mut(|spent| {
        let outermost = spent.is_none();
        spent.get_or_insert_with(|| Spent {
            steps: 0,
            bytes: 0,
            since: Instant::now(),
            exceeded: None,
        });
        Guard(outermost)
    });
    evaluate()
}

/// Which bound the evaluation has exceeded, if it has.
pub(super) fn exceeded() -> Option<ExecutionError> {
    let exceeded = SPENT.with_borrow(|spent| spent.as_ref()?.exceeded);
    exceeded.map(|what| ExecutionError::InternalError(what.to_owned()))
}

/// The value of a step, `true`, as long as there is budget for it; `None` for names that are no step.
pub(super) fn step(variable: &str) -> Option<CowVal<'static, 'static>> {
    let nodes: usize = variable.strip_prefix(STEP_PREFIX)?.parse().ok()?;
    let within = SPENT.with_borrow_mut(|spent| {
        let Some(spent) = spent else { return true };
        spent.steps = spent.steps.saturating_add(nodes);
        if spent.steps > STEPS_MAX {
            spent.exceeded =
                Some("the loops of the expression take more than 200,000 steps: nest fewer of them");
        } else if spent.since.elapsed() > TIME_MAX {
            spent.exceeded = Some("the expression takes longer than a second: nest fewer loops");
        }
        spent.exceeded.is_none()
    });
    within.then(|| CowVal::owned(CelBool::from(true)))
}

/// Declares the function that charges sizes.
pub(super) fn declare(environment: &mut Env) {
    let declared = environment.add_overload(CHARGE, CHARGE, vec![DYN_TYPE, INT_TYPE], charge);
    debug_assert!(declared.is_ok(), "{declared:?}");
}

/// `@charge(value, times)` is the value, charged as many times as the call that takes it may multiply it.
fn charge<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut args = args.into_iter();
    let (Some(value), Some(times)) = (args.next(), args.next()) else {
        return Err(ExecutionError::MissingArgumentOrTarget);
    };
    let times = times.downcast_ref::<CelInt>().map_or(1, |times| *times.inner());
    let times = usize::try_from(times).unwrap_or(usize::MAX);
    let within = SPENT.with_borrow_mut(|spent| {
        let Some(spent) = spent else { return true };
        let left = BYTES_MAX.saturating_sub(spent.bytes);
        spent.bytes = spent
            .bytes
            .saturating_add(size(value.as_ref(), left).saturating_mul(times));
        if spent.bytes > BYTES_MAX {
            spent.exceeded =
                Some("the expression makes more than 64 MiB of values: take shorter texts or lists");
        }
        spent.exceeded.is_none()
    });
    if within {
        Ok(value)
    } else {
        Err(exceeded().unwrap_or(ExecutionError::MissingArgumentOrTarget))
    }
}

/// The memory of a value in bytes, roughly; counted up to `most` only.
fn size(value: &dyn Val, most: usize) -> usize {
    if let Some(text) = value.downcast_ref::<CelString>() {
        text.inner().len()
    } else if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        bytes.inner().len()
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        let mut sum = 0_usize;
        for item in list.inner() {
            sum = sum.saturating_add(BYTES_PER_ITEM + size(item.as_ref(), most));
            if sum > most {
                break;
            }
        }
        sum
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        let mut sum = 0_usize;
        for (key, value) in map.inner() {
            sum =
                sum.saturating_add(2 * BYTES_PER_ITEM + size(key.inner(), most) + size(value.as_ref(), most));
            if sum > most {
                break;
            }
        }
        sum
    } else {
        0
    }
}

/// Whether a tree is small enough to be traversed and evaluated by recursion.
///
/// # Errors
///
/// Says which bound it exceeds.
pub(super) fn check_shape(tree: &mut IdedExpr) -> Result<(), String> {
    let mut nodes = 0;
    let mut rest = vec![(tree, 1)];
    while let Some((part, depth)) = rest.pop() {
        nodes += 1;
        if depth > DEPTH_MAX {
            return Err(format!(
                "the expression is nested more than {DEPTH_MAX} levels deep: split it, or use a list with `in` or `exists`"
            ));
        }
        if nodes > NODES_MAX {
            return Err(format!(
                "the expression has more than {NODES_MAX} parts: split it"
            ));
        }
        rest.extend(parts(part, true).into_iter().map(|part| (part, depth + 1)));
    }
    Ok(())
}

/// The stack that the evaluation of an instrumented tree needs at most, in bytes.
pub(super) fn stack_bytes(tree: &mut IdedExpr) -> usize {
    fn levels(part: &mut IdedExpr) -> usize {
        1 + parts(part, true).into_iter().map(levels).max().unwrap_or(0)
    }
    (levels(tree) + 1) * STACK_BYTES_PER_LEVEL
}

/// Makes the tree count the turns of its loops and charge the values that it makes.
///
/// # Errors
///
/// Names a function whose result could be of any size, and the node that calls it.
pub(super) fn instrument(expression: &mut IdedExpr) -> Result<(), (u64, String)> {
    if let Expr::Comprehension(of) = &mut expression.expr {
        return instrument_loop(of);
    }
    for part in parts(expression, true) {
        instrument(part)?;
    }
    let id = expression.id;
    match &mut expression.expr {
        Expr::List(list) => list.elements.iter_mut().for_each(charge_made),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    charge_made(&mut entry.value);
                }
            }
        }
        Expr::Call(call) => match (call.func_name.as_str(), &mut call.target, &call.args[..]) {
            (operators::ADD, None, _) | ("format", Some(_), _) => wrap_in_charge(expression, 1),
            ("join", Some(_), separator) => {
                if separator
                    .iter()
                    .any(|separator| literal_text(separator).is_none())
                {
                    return Err((
                        id,
                        "the separator of join() must be a text in quotation marks".to_owned(),
                    ));
                }
                wrap_in_charge(expression, 1);
            }
            ("split", Some(text), _) => wrap_in_charge(text, BYTES_PER_ITEM),
            ("replace", Some(text), [old, new, ..]) => {
                let Some(new) = literal_text(new) else {
                    let message = "what replace() puts in must be a text in quotation marks";
                    return Err((id, message.to_owned()));
                };
                let old = literal_text(old).map_or(1, str::len).max(1);
                wrap_in_charge(text, new.len().div_ceil(old).max(1));
            }
            _ => {}
        },
        _ => {}
    }
    Ok(())
}

fn instrument_loop(of: &mut ComprehensionExpr) -> Result<(), (u64, String)> {
    instrument(&mut of.iter_range)?;
    instrument(&mut of.accu_init)?;
    instrument(&mut of.loop_cond)?;
    instrument(&mut of.result)?;
    let nodes = 1 + count(&mut of.loop_step);
    let appends = is_name(&of.result, &of.accu_var) && matches!(of.loop_cond.expr, Expr::Literal(_));
    if !appends {
        instrument(&mut of.loop_step)?;
        of.loop_cond = and_step(&of.loop_cond, nodes);
        return Ok(());
    }
    // The library builds the lists of `map` and `filter` in place when the loop has exactly this form, so the step
    // goes into its guard.
    let id = of.loop_step.id;
    if let Expr::Call(call) = &mut of.loop_step.expr
        && call.func_name == operators::CONDITIONAL
        && let [guard, append, _] = &mut call.args[..]
    {
        instrument(guard)?;
        instrument_append(append)?;
        *guard = and_step(guard, nodes);
        return Ok(());
    }
    instrument_append(&mut of.loop_step)?;
    let append = of.loop_step.clone();
    let otherwise = node(id, Expr::Ident(of.accu_var.clone()));
    of.loop_step = call(
        id,
        operators::CONDITIONAL,
        vec![step_name(id, nodes), append, otherwise],
    );
    Ok(())
}

/// Instruments `@result + [item]` but for the sum itself.
fn instrument_append(append: &mut IdedExpr) -> Result<(), (u64, String)> {
    match &mut append.expr {
        Expr::Call(call) if call.func_name == operators::ADD => call.args.iter_mut().try_for_each(instrument),
        _ => instrument(append),
    }
}

fn count(expression: &mut IdedExpr) -> usize {
    1 + parts(expression, true).into_iter().map(count).sum::<usize>()
}

fn is_name(expression: &IdedExpr, name: &str) -> bool {
    matches!(&expression.expr, Expr::Ident(own) if own == name)
}

fn literal_text(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Charges an element of a list or a map, unless it stands in the source.
fn charge_made(element: &mut IdedExpr) {
    if !matches!(element.expr, Expr::Literal(_)) {
        wrap_in_charge(element, 1);
    }
}

fn wrap_in_charge(expression: &mut IdedExpr, times: usize) {
    let id = expression.id;
    let times = i64::try_from(times).unwrap_or(i64::MAX);
    let times = node(id, Expr::Literal(LiteralValue::Int(CelInt::from(times))));
    let value = std::mem::replace(expression, node(id, Expr::Unspecified));
    *expression = call(id, CHARGE, vec![value, times]);
}

fn and_step(condition: &IdedExpr, nodes: usize) -> IdedExpr {
    let id = condition.id;
    // The condition of a loop is asked for first, so that an absorbed error cannot hide the end of the budget.
    call(
        id,
        operators::CONDITIONAL,
        vec![
            step_name(id, nodes),
            condition.clone(),
            node(id, Expr::Literal(LiteralValue::Boolean(CelBool::from(false)))),
        ],
    )
}

fn step_name(id: u64, nodes: usize) -> IdedExpr {
    node(id, Expr::Ident(format!("{STEP_PREFIX}{nodes}")))
}

fn call(id: u64, function: &str, args: Vec<IdedExpr>) -> IdedExpr {
    let call = cel::common::ast::CallExpr {
        func_name: function.to_owned(),
        target: None,
        args,
    };
    node(id, Expr::Call(call))
}

fn node(id: u64, expr: Expr) -> IdedExpr {
    IdedExpr { id, expr }
}
