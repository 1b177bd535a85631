//! Variables of the environment in a site document.
//!
//! A value is data, whatever stands in it: a password with a quote, or with ` #`, must not end its own text or begin a
//! comment. So it is written as the place wants it: escaped between quotes, and with quotes of its own where it stands alone.

use anyhow::bail;

/// What the text around a place means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Plain,
    Single,
    Double,
    Comment,
}

/// `${NAME}` is replaced, but in comments; a variable that is not set is a mistake.
pub(crate) fn with_environment(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<String> {
    let mut out = String::with_capacity(text.len());
    let (mut around, mut rest, mut line) = (Around::Plain, text, 1);
    while let Some(character) = rest.chars().next() {
        let named = rest.strip_prefix("${").filter(|_| around != Around::Comment);
        if let Some(after) = named {
            let Some((name, after)) = after.split_once('}').filter(|(name, _)| !name.contains('\n')) else {
                bail!("line {line}: ${{ is not closed: write ${{NAME}}");
            };
            let Some(value) = variable(name) else {
                bail!("line {line}: the environment variable {name} is not set");
            };
            let alone = begins_a_value(&out) && ends_a_value(after);
            let Some(written) = written(&value, around, alone) else {
                bail!(
                    "line {line}: the value of {name} means something in YAML there: put \"…\" around the text"
                );
            };
            out.push_str(&written);
            rest = after;
            continue;
        }
        let taken = match (around, character) {
            (Around::Double, '\\') => rest.chars().take(2).map(char::len_utf8).sum(),
            (Around::Single, '\'') if rest.starts_with("''") => 2,
            _ => character.len_utf8(),
        };
        around = after(around, character, taken > 1, &out);
        line += usize::from(character == '\n');
        let (copied, further) = rest.split_at(taken);
        out.push_str(copied);
        rest = further;
    }
    Ok(out)
}

/// What the text means behind this character.
fn after(around: Around, character: char, escaped: bool, before: &str) -> Around {
    match (around, character) {
        (Around::Comment, '\n') => Around::Plain,
        (Around::Plain, '#') if before.is_empty() || before.ends_with(char::is_whitespace) => Around::Comment,
        (Around::Plain, '"') if begins_a_value(before) => Around::Double,
        (Around::Plain, '\'') if begins_a_value(before) => Around::Single,
        (Around::Double, '"') | (Around::Single, '\'') if !escaped => Around::Plain,
        _ => around,
    }
}

fn begins_a_value(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    let spaced = line.ends_with([' ', '\t']);
    match line.trim_end().chars().last() {
        None => true,
        Some('[' | '{' | ',') => true,
        Some(':' | '-') => spaced,
        Some(_) => false,
    }
}

fn ends_a_value(after: &str) -> bool {
    let rest = after.trim_start_matches([' ', '\t']);
    rest.is_empty()
        || rest.starts_with(['\n', '\r', ',', ']', '}'])
        || (rest.starts_with('#') && rest != after)
}

/// The value as it is to stand there; none if it cannot.
fn written(value: &str, around: Around, alone: bool) -> Option<String> {
    let harmless = |character: char| character.is_ascii_alphanumeric() || "_.+/=-".contains(character);
    let quoted = || serde_json::Value::from(value).to_string();
    match around {
        Around::Double => {
            let quoted = quoted();
            Some(quoted[1..quoted.len() - 1].to_owned())
        }
        Around::Single => (!value.contains(['\n', '\r'])).then(|| value.replace('\'', "''")),
        _ if !value.is_empty() && value.chars().all(harmless) => Some(value.to_owned()),
        _ => alone.then(quoted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str, value: &str) -> Result<String, String> {
        let variable = |name: &str| (name == "TOKEN").then(|| value.to_owned());
        with_environment(text, variable).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_are_replaced_and_missing_ones_are_named_with_their_line() {
        assert_eq!(
            replaced("a\ntoken: ${TOKEN}x\n", "xoxb-1").unwrap(),
            "a\ntoken: xoxb-1x\n"
        );
        for (text, words) in [
            (
                "a\nb: ${OTHER}\n",
                "line 2: the environment variable OTHER is not set",
            ),
            ("a\nb: ${TOKEN\n}", "line 2: ${ is not closed: write ${NAME}"),
        ] {
            assert_eq!(replaced(text, "1").unwrap_err(), words);
        }
        assert_eq!(
            replaced("a: 1 # not ${OTHER}\n", "1").unwrap(),
            "a: 1 # not ${OTHER}\n"
        );
    }

    #[test]
    fn whatever_stands_in_a_value_comes_back_from_the_document() {
        for value in [
            "plain",
            "it's",
            "a \"b\" \\ c",
            "a #b: {c}, [d]",
            "- x",
            "",
            "a\nb",
            "${TOKEN}",
            "*&!%@`",
            "ü€",
        ] {
            for text in [
                "key: ${TOKEN}\n",
                "key: ${TOKEN}   # a comment's end\n",
                "{key: ${TOKEN}, other: 'it''s'}\n",
                "key: \"${TOKEN}\"\n",
                "# it's\nother: \"a\\\"\"\nkey: \"${TOKEN}\"\n",
                "other: it's\nkey: '${TOKEN}'\n",
            ] {
                if text.contains("'${TOKEN}'") && value.contains('\n') {
                    assert!(replaced(text, value).unwrap_err().contains("put \"…\" around"));
                    continue;
                }
                let document = replaced(text, value).unwrap();
                let read: std::collections::BTreeMap<String, String> =
                    serde_saphyr::from_str(&document).unwrap_or_else(|error| panic!("{document}: {error}"));
                assert_eq!(read["key"], value, "{document}");
            }
        }
    }

    #[test]
    fn a_value_that_would_mean_something_in_the_middle_of_a_text_is_refused() {
        let error = replaced("a: b\nkey: pre${TOKEN}\n", "x: y").unwrap_err();
        assert!(
            error.starts_with("line 2: the value of TOKEN means something"),
            "{error}"
        );
        assert_eq!(
            replaced("key: \"pre${TOKEN}\"\n", "x: y").unwrap(),
            "key: \"prex: y\"\n"
        );
    }
}
