//! Repairs JSON that a template made without escaping its values, and converts forms to JSON.
//!
//! Errors with one possible meaning are repaired; all others are left as they are, and refused then with their
//! place in the body.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{charset, form};

/// The longest name of a field that is recognized.
const LONGEST_NAME: usize = 100;

/// The placeholders of PRTG, which begin with a percent sign. Other such words are names of checks, such as `%idle`.
const PRTG_PLACEHOLDERS: [&str; 27] = [
    "datetime",
    "device",
    "deviceid",
    "group",
    "home",
    "host",
    "lastmessage",
    "laststatus",
    "lastvalue",
    "linkprobe",
    "linkdevice",
    "linksensor",
    "location",
    "name",
    "priority",
    "probe",
    "programname",
    "sensor",
    "sensorid",
    "server",
    "serviceurl",
    "shortname",
    "status",
    "down",
    "downtime",
    "since",
    "message",
];

/// A body as JSON, as far as possible.
pub(crate) struct RepairedBody<'b> {
    /// The body as JSON, or unchanged if that is not possible.
    pub(crate) body: Cow<'b, [u8]>,
    /// What the sender should know, if the body was changed.
    pub(crate) warning: Option<&'static str>,
}

const ENCODING: &str = "the body is not UTF-8 and was read as Windows-1252, as far as it is that; send UTF-8";
const ESCAPING: &str = "the body is not JSON as it stands and was repaired; quotes, backslashes and line ends in its values \
                        need escaping";
const BOTH: &str = "the body is neither UTF-8 nor JSON as it stands: it was read as Windows-1252, as far as it is that, and \
                    repaired; send UTF-8, and escape quotes, backslashes and line ends in its values";

/// Makes JSON of a body that is a form of either kind, or JSON with unescaped values, in UTF-8 or not.
pub(crate) fn body(bytes: &[u8]) -> RepairedBody<'_> {
    read(bytes).unwrap_or(RepairedBody {
        body: Cow::Borrowed(bytes),
        warning: None,
    })
}

/// `None` for a body that needs no repair, or is beyond repair.
fn read(bytes: &[u8]) -> Option<RepairedBody<'_>> {
    let text = charset::text_of_body(bytes)?;
    let is_utf8 = matches!(text, Cow::Borrowed(_));
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    let (json, is_repaired) = if is_json(trimmed) {
        match with_backslashes(trimmed) {
            Cow::Borrowed(_) if is_utf8 => return None,
            json => (json.into_owned(), false),
        }
    } else if trimmed.starts_with(['{', '[']) {
        (Some(repaired(trimmed)).filter(|text| is_json(text))?, true)
    } else {
        (form::as_json(trimmed)?, false)
    };
    Some(RepairedBody {
        body: Cow::Owned(json.into_bytes()),
        warning: match (is_utf8, is_repaired) {
            (true, false) => None,
            (true, true) => Some(ESCAPING),
            (false, false) => Some(ENCODING),
            (false, true) => Some(BOTH),
        },
    })
}

/// JSON in which backspaces and form feeds are the backslashes that they were meant as: they do not occur in texts, but
/// `C:\base` and `C:\files` are JSON. So a name is the same whether another value had to be repaired or not.
fn with_backslashes(json: &str) -> Cow<'_, str> {
    if !json.contains("\\b") && !json.contains("\\f") {
        return Cow::Borrowed(json);
    }
    let mut done = String::with_capacity(json.len() + 16);
    let mut characters = json.chars();
    while let Some(character) = characters.next() {
        done.push(character);
        if character == '\\'
            && let Some(escaped) = characters.next()
        {
            if matches!(escaped, 'b' | 'f') {
                done.push('\\');
            }
            done.push(escaped);
        }
    }
    Cow::Owned(done)
}

/// Whether a text is a placeholder that a template of any sender left unfilled, or the word that some senders write instead.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let upper = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_uppercase())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let between = |open: &str, close: &str| {
        text.strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(|name| !name.is_empty() && !name.contains([' ', '"', ':', ',', '{', '}', '\n']))
    };
    let dollar = || {
        text.strip_prefix('$')
            .is_some_and(|name| upper(name.strip_suffix('$').unwrap_or(name)))
    };
    let percent = || {
        text.strip_prefix('%')
            .is_some_and(|name| PRTG_PLACEHOLDERS.contains(&name))
    };
    matches!(text, "*UNKNOWN*" | "null")
        || dollar()
        || percent()
        || between("{{", "}}")
        || between("${", "}")
        || between("$!{", "}")
        || between("{", "}")
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

fn repaired(text: &str) -> String {
    let mut repairing = Mending {
        text,
        characters: text.char_indices().peekable(),
        done: String::with_capacity(text.len() + 64),
        open: Vec::new(),
    };
    repairing.run();
    repairing.done
}

/// One pass over the text.
struct Mending<'t> {
    text: &'t str,
    characters: Peekable<CharIndices<'t>>,
    done: String,
    /// The objects and lists that are open.
    open: Vec<char>,
}

impl Mending<'_> {
    fn run(&mut self) {
        while let Some((at, character)) = self.characters.next() {
            match character {
                '"' => self.string(),
                '{' if self.placeholder_end(at).is_some() => self.bare_word(at),
                '{' | '[' => {
                    self.open.push(character);
                    self.done.push(character);
                }
                '}' | ']' => {
                    self.end_of_values();
                    self.open.pop();
                    self.done.push(character);
                }
                ',' => self.comma(),
                ':' => self.done.push(character),
                _ if character.is_whitespace() && self.done.ends_with(' ') => (),
                _ if character.is_whitespace() => self.done.push(' '),
                _ => self.bare_word(at),
            }
        }
    }

    /// Where a placeholder in braces ends. One can stand for a whole object: `"details": {ProblemDetailsJSON}`.
    fn placeholder_end(&self, start: usize) -> Option<usize> {
        let rest = &self.text[start..];
        let close = if rest.starts_with("{{") { "}}" } else { "}" };
        let mut places = rest.char_indices().take(LONGEST_NAME).map(|(at, _)| at);
        let end = places.find(|at| rest[*at..].starts_with(close))? + close.len();
        is_placeholder(&rest[..end]).then_some(start + end)
    }

    /// A comma without a value before it is dropped, as is one behind the whole document.
    fn comma(&mut self) {
        self.end_of_values();
        if !self.open.is_empty() && !self.done.trim_end().ends_with(['{', '[']) {
            self.done.push(',');
        }
    }

    /// Before a comma or an end: drops a comma, and completes a colon without a value.
    fn end_of_values(&mut self) {
        let kept = self.done.trim_end().len();
        match self.done[..kept].chars().next_back() {
            Some(',') => self.done.truncate(kept - 1),
            Some(':') => self.done.push_str("null"),
            _ => (),
        }
    }

    /// A value without quotes: a number, a literal, a placeholder, or a text without quotes.
    fn bare_word(&mut self, start: usize) {
        let is_value = self.done.trim_end().ends_with(':');
        let end = self.end_of_word(start, is_value);
        while self.characters.next_if(|(at, _)| *at < end).is_some() {}
        let word = self.text[start..end].trim();
        if is_placeholder(word) {
            self.done.push_str("null");
        } else if is_json(word) {
            self.done.push_str(word);
        } else {
            let word = word.replace(char::is_control, " ");
            self.done.push_str(&Value::String(word).to_string());
        }
    }

    fn end_of_word(&self, start: usize, is_value: bool) -> usize {
        let mut at = start;
        while let Some(character) = self.text[at..].chars().next() {
            match character {
                ',' | '}' | ']' | '"' | '\n' | '\r' => return at,
                ':' if !is_value => return at,
                '{' => at = self.placeholder_end(at).unwrap_or(at + 1),
                _ => at += character.len_utf8(),
            }
        }
        self.text.len()
    }

    fn string(&mut self) {
        self.done.push('"');
        let is_name =
            self.open.last() == Some(&'{') && !self.done[..self.done.len() - 1].trim_end().ends_with(':');
        while let Some((at, character)) = self.characters.next() {
            match character {
                '"' if self.ends_at(at, is_name) => {
                    self.done.push('"');
                    return;
                }
                '"' => self.done.push_str("\\\""),
                '\\' if self.is_escape(at, is_name) => {
                    self.done.push('\\');
                    if let Some((_, escaped)) = self.characters.next() {
                        self.done.push(escaped);
                    }
                }
                '\\' => self.done.push_str("\\\\"),
                '\n' => self.done.push_str("\\n"),
                '\t' => self.done.push_str("\\t"),
                '\r' => (),
                _ if character.is_control() => self.done.push(' '),
                _ => self.done.push(character),
            }
        }
    }

    /// Whether a backslash begins an escape of JSON. Backspaces and form feeds do not count as escapes:
    /// they are from paths of Windows, as is a backslash before the quote that ends its text, `"C:\"`.
    fn is_escape(&self, at: usize, is_name: bool) -> bool {
        let mut after = self.text[at + 1..].bytes();
        match after.next() {
            Some(b'"') => !(self.ends_at(at + 1, is_name) && goes_on(&self.text[at + 2..])),
            Some(b'\\' | b'/' | b'n' | b'r' | b't') => true,
            Some(b'u') => after.by_ref().take(4).filter(u8::is_ascii_hexdigit).count() == 4,
            _ => false,
        }
    }

    /// Whether a quote ends its text: what follows must be what follows a text in JSON.
    fn ends_at(&self, at: usize, is_name: bool) -> bool {
        let after = self.text[at + 1..].trim_start();
        let mut following = after.chars();
        match (following.next(), self.open.last()) {
            (None, _) => true,
            (Some(':'), _) => is_name,
            (Some('}'), Some('{')) | (Some(']'), Some('[')) => {
                let beyond = following.as_str().trim_start();
                !is_name && (beyond.is_empty() || beyond.starts_with([',', '}', ']']))
            }
            (Some(','), Some('{')) => !is_name && begins_member(following.as_str().trim_start()),
            (Some(','), Some('[')) => {
                let beyond = following.as_str().trim_start();
                beyond.starts_with(['"', '{', '[', ']', '-', 't', 'f', 'n'])
                    || beyond.starts_with(|first: char| first.is_ascii_digit())
            }
            _ => false,
        }
    }
}

/// Whether valid JSON follows a value and the ends of its containers. It does not where the quotes are those of JSON within a
/// text, `"{\"a\": \"b\"}, and more"`.
fn goes_on(text: &str) -> bool {
    let rest = text.trim_start_matches(|next: char| next.is_whitespace() || matches!(next, '}' | ']'));
    let Some(next) = rest.strip_prefix(',') else {
        return rest.is_empty() || rest.starts_with(':');
    };
    next.trim_start()
        .trim_start_matches(['{', '['])
        .trim_start()
        .starts_with(['"', '}', ']', ','])
}

/// Whether `"name":` comes next, or the end of the object after a comma too many.
fn begins_member(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('"') else {
        return text.starts_with(['}', ',']);
    };
    let name = rest.char_indices().take(LONGEST_NAME).find(|(_, character)| {
        !(character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | ' ' | '@' | '$'))
    });
    name.is_some_and(|(end, _)| {
        rest[end..]
            .strip_prefix('"')
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        serde_json::from_slice(&body(text.as_bytes()).body).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn json_and_what_cannot_be_repaired_stay_as_they_came() {
        for text in [
            r#"{"a": "b\u00e4", "c": [1, null]}"#,
            r#"{"a": "b"#,
            "[[[",
            "word",
            "",
        ] {
            let repaired = body(text.as_bytes());
            assert_eq!(
                (repaired.body.as_ref(), repaired.warning),
                (text.as_bytes(), None)
            );
        }
    }

    #[test]
    fn line_ends_tabs_quotes_and_backslashes_in_values_are_escaped() {
        let text = "{\"path\": \"C:\\Data\\bin\", \"text\": \"he said \"no\", then\n\tleft\", \"list\": [\"a \"b\" c\", \"d\"]}";
        assert_eq!(
            value(text),
            json!({"path": "C:\\Data\\bin", "text": "he said \"no\", then\n\tleft", "list": ["a \"b\" c", "d"]})
        );
        assert!(body(text.as_bytes()).warning.is_some());
    }

    #[test]
    fn commas_too_many_and_values_too_few_are_repaired() {
        assert_eq!(
            value(
                r#"{"a": [{"b": 1,}, ], "c": , "d": $HOSTNAME, "e": P-12 x, "f": 007, "g": {Tags}, "h": ,}"#
            ),
            json!({"a": [{"b": 1}], "c": null, "d": null, "e": "P-12 x", "f": "007", "g": null, "h": null})
        );
    }

    #[test]
    fn a_backslash_at_the_end_of_a_text_is_one_of_its_characters() {
        assert_eq!(
            value(r#"{"path": "C:\Data\", "list": ["C:\", "D:\"], "inner": {"last": "E:\"}, "end": "F:\"}"#),
            json!({"path": "C:\\Data\\", "list": ["C:\\", "D:\\"], "inner": {"last": "E:\\"}, "end": "F:\\"})
        );
        assert_eq!(
            value(r#"{"a": "he said \"no\"", "b": "{\"x\": [\"y\"], \"z\": \"1\"}, done", "c": "raw "q""}"#),
            json!({"a": "he said \"no\"", "b": r#"{"x": ["y"], "z": "1"}, done"#, "c": "raw \"q\""})
        );
    }

    #[test]
    fn a_text_is_the_same_whether_something_beside_it_is_repaired_or_not() {
        let path = r"C:\base\files\new\temp";
        let strict = value(&format!(r#"{{"path": "{path}", "text": "x"}}"#));
        let repaired = value(&format!("{{\"path\": \"{path}\", \"text\": \"x\ny\"}}"));
        assert_eq!(strict["path"], repaired["path"]);
        assert_eq!(strict["path"], "C:\\base\\files\new\temp");
        let escaped = value(r#"{"path": "C:\\base\\files"}"#);
        assert_eq!(escaped["path"], "C:\\base\\files");
    }

    #[test]
    fn placeholders_without_quotes_are_no_values() {
        assert_eq!(
            value(
                r#"{"a": ${event.severity}, "b": {{state}}, "c": $!{x}, "d": [${y}, {z}], "e": ${n} ms, "f": {{g}}}"#
            ),
            json!({"a": null, "b": null, "c": null, "d": [null, null], "e": "${n} ms", "f": null})
        );
    }

    #[test]
    fn commas_before_anything_in_a_row_and_at_the_end_are_left_out() {
        assert_eq!(
            value("{, \"a\": 1,, \"b\": [,{\"c\": 2}, , {\"c\": 3},,], , },"),
            json!({"a": 1, "b": [{"c": 2}, {"c": 3}]})
        );
    }

    #[test]
    fn bodies_of_other_encodings_are_read_and_binary_ones_are_left() {
        let repaired = |bytes: &'static [u8]| {
            let repaired = body(bytes);
            let value: Option<Value> = serde_json::from_slice(&repaired.body).ok();
            (value, repaired.warning)
        };
        assert_eq!(
            repaired(b"{\"a\": \"Ger\xe4t\"}"),
            (Some(json!({"a": "Gerät"})), Some(ENCODING))
        );
        assert_eq!(
            repaired(b"{\"a\": \"Ger\xe4t \"1\"\"}"),
            (Some(json!({"a": "Gerät \"1\""})), Some(BOTH))
        );
        assert_eq!(
            repaired(b"a=Ger\xe4t&b=1"),
            (Some(json!({"a": "Gerät", "b": "1"})), Some(ENCODING))
        );
        assert_eq!(repaired(b"\x1f\x8b\x00a=1"), (None, None));
    }

    #[test]
    fn a_quoted_brace_does_not_end_the_object() {
        assert_eq!(
            value(r#"{"a": "set {"x"} now", "b": 1}"#),
            json!({"a": "set {\"x\"} now", "b": 1})
        );
    }

    #[test]
    fn placeholders_are_told_from_texts() {
        for placeholder in [
            "$HOSTNAME",
            "$ALERT_ID",
            "$SERVICEDESC$",
            "${policy.name}",
            "%device",
            "{ProblemTitle}",
            "{{issueId}}",
            "{$ZABBIX.URL}",
            "*UNKNOWN*",
        ] {
            assert!(is_placeholder(placeholder), "{placeholder}");
        }
        for text in [
            "$100",
            "%idle",
            "{}",
            "{host:pay-3}",
            "100%",
            "%",
            "{a b}",
            "",
            "$",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
