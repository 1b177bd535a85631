use std::collections::HashMap;
use std::time::Instant;

use super::*;

struct Texts(HashMap<&'static str, serde_json::Value>);

impl VariableResolver for Texts {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        self.0.get(variable).map(|value| CowVal::Owned(of_json(value)))
    }
}

fn names() -> Texts {
    let numbers: Vec<_> = (0..100).collect();
    Texts(HashMap::from([
        ("name", "disk full".into()),
        ("big", "x".repeat(1024 * 1024).into()),
        ("numbers", numbers.into()),
    ]))
}

pub(super) fn value(source: &str) -> Result<serde_json::Value, String> {
    let expression = Expression::compile(source).map_err(|error| error.to_string())?;
    let checked = expression
        .check_names(&names(), "name")
        .and_then(|()| expression.check_types(&names(), "name"));
    checked.map_err(|error| error.to_string())?;
    expression
        .evaluate(&names(), to_json)
        .map_err(|error| error.to_string())
}

/// Nested `.all`, each of which looks at a hundred numbers.
fn nested_loops(macro_name: &str, levels: usize) -> String {
    let open: String = (0..levels)
        .map(|level| format!("numbers.{macro_name}(n{level}, "))
        .collect();
    let body = if macro_name == "map" { "1" } else { "true" };
    format!("{open}{body}{}", ")".repeat(levels))
}

#[test]
fn s4_an_expression_is_refused_for_its_depth_and_its_size_and_never_ends_the_process() {
    let deep = [
        "name".to_owned() + &"+name".repeat(1_600),
        "name".to_owned() + &"+name".repeat(1_999),
        "[".repeat(4_900) + &"]".repeat(4_900),
        "(".repeat(4_900) + "1" + &")".repeat(4_900),
        "true ? 1 : ".repeat(900) + "1",
        "name".to_owned() + &".trim()".repeat(1_400),
        "name".to_owned() + &"[0]".repeat(3_000),
        "name".to_owned() + &".a".repeat(4_900),
        "1".to_owned() + &" == 1".repeat(1_900),
        "{1:".repeat(2_400) + "1" + &"}".repeat(2_400),
        nested_loops("all", 300),
    ];
    for source in deep {
        assert!(value(&source).is_err(), "{}", &source[..40]);
    }
    let wide = format!("name in [{}]", vec!["'a'"; 2_000].join(","));
    assert!(value(&wide).unwrap_err().contains("more than 2000 parts"));
}

/// What can be nested, and what an expression of so many levels looks like.
fn nested(levels: usize) -> Vec<String> {
    let chained = |start: &str, link: &str| start.to_owned() + &link.repeat(levels);
    let around = |open: &str, middle: &str, close: &str| open.repeat(levels) + middle + &close.repeat(levels);
    vec![
        chained("name", "+name"),
        chained("name", ".trim()"),
        chained("name", ".replace('a', 'b')"),
        chained("1", " == 1"),
        chained("numbers", ".map(n, n)"),
        chained("numbers", ".filter(n, true)"),
        around("[", "name", "]"),
        around("{1:", "name", "}"),
        around("{", "name", ":1}"),
        around("-(", "1", ")"),
        around("!(", "true", ")"),
        around("(name == 'a' || ", "true", ")"),
        around("(", "true", " ? true : false)"),
        around("name == 'a' ? 1 : ", "1", ""),
        nested_loops("exists", levels),
    ]
}

#[test]
fn s4_the_deepest_expressions_are_evaluated_where_little_stack_is_left() {
    let kinds = nested(1).len();
    for kind in 0..kinds {
        let of = |levels: usize| nested(levels).swap_remove(kind);
        let deepest = (1..=100)
            .rev()
            .map(of)
            .find(|source| Expression::compile(source).is_ok());
        let source = deepest.expect("an expression of one level compiles");
        assert!(source.len() > of(20).len(), "{source}");
        std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || value(&source).is_ok())
            .expect("a thread")
            .join()
            .expect("an answer");
    }
}

#[test]
fn s4_what_people_write_is_within_the_bounds() {
    let sum = "name".to_owned() + &"+name".repeat(40);
    assert_eq!(value(&sum).unwrap(), "disk full".repeat(41));
    let either = vec!["name == 'a'"; 200].join(" || ");
    assert_eq!(value(&either).unwrap(), false);
    let cases = "name == 'a' ? 1 : ".repeat(60) + "2";
    assert_eq!(value(&cases).unwrap(), 2);
    for (source, expected) in [
        (
            "numbers.map(n, n + 1).filter(n, n > 99)",
            serde_json::json!([100]),
        ),
        ("numbers.map(n, n > 97, n * 2)", serde_json::json!([196, 198])),
        (
            "numbers.all(n, n < 100) && numbers.exists(n, n == 7)",
            true.into(),
        ),
        ("numbers.exists_one(n, n == 7)", true.into()),
        ("[1, 2].all(e, 6 / (2 - e) == 5)", false.into()),
        ("name.split(' ').join('-')", "disk-full".into()),
        ("name.replace(' ', ' is ')", "disk is full".into()),
        ("'%s!'.format([name])", "disk full!".into()),
        ("name.matches('^disk')", true.into()),
    ] {
        assert_eq!(value(source), Ok(expected), "{source}");
    }
}

#[test]
fn s4_loops_end_when_their_steps_are_used_up() {
    for source in [
        nested_loops("all", 7),
        nested_loops("map", 7),
        nested_loops("exists_one", 7),
        nested_loops("all", 7) + " || true",
    ] {
        let since = Instant::now();
        let error = value(&source).unwrap_err();
        assert!(
            error.contains("200,000 steps") || error.contains("a second"),
            "{error}"
        );
        // Seven nested loops of a hundred turns would take days; this is no measurement.
        assert!(since.elapsed().as_secs() < 60, "{source}");
    }
}

#[test]
fn s4_values_that_grow_end_when_their_memory_is_used_up() {
    for source in [
        "big".to_owned() + &"+big".repeat(90),
        "numbers.map(n, big)".to_owned(),
        "numbers.map(n, numbers.map(m, [big]))".to_owned(),
        format!("[{}]", vec!["big"; 90].join(",")),
        format!("'{}'.format([{}])", "%s".repeat(70), vec!["big"; 70].join(",")),
        "big.replace('x', 'a text that is a hundred times as long as what it replaces, so that one text becomes very, very large')".to_owned(),
        "big.split('')".to_owned() + ".map(c, big)",
        "big.split('').map(c, c + c).map(c, c + c).map(c, c + c)".to_owned(),
    ] {
        let error = value(&source).unwrap_err();
        assert!(error.contains("64 MiB") || error.contains("steps") || error.contains("second"), "{error}");
    }
    for (source, expected) in [
        ("name.replace('a', big)", "what replace() puts in"),
        ("name.split('a').join(big)", "the separator of join()"),
        ("name.matches(big)", "the regular expression of matches()"),
        ("name.matches('(?:a{1000}){1000}')", "not a regular expression"),
    ] {
        let error = value(source).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn s4_evaluations_of_one_scope_share_its_budget() {
    let expression = Expression::compile(&nested_loops("all", 1)).unwrap();
    let evaluate = || expression.evaluate(&names(), |_| ()).is_ok();
    assert!((0..1_000).all(|_| evaluate()));
    assert!(!scope(|| (0..1_000).all(|_| evaluate())));
    assert!(evaluate());
}
