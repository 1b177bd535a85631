//! Bodies that are meant as JSON but were made by putting values into a text, and forms.
//!
//! What can be understood in one way only is mended; whatever else is wrong is left as it is, and refused then with the
//! place where it stands in what was sent.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::Value;
use serde_json::value::RawValue;

use super::form;

/// The longest name of a field that the mending looks for.
const LONGEST_NAME: usize = 100;

/// What PRTG has a placeholder for. Other words behind a percent sign are names of checks, such as `%idle`.
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
pub(super) struct Mended<'b> {
    /// The body, or what was made of it.
    pub(super) body: Cow<'b, [u8]>,
    /// What the sender should know, if it is not as it came.
    pub(super) remark: Option<&'static str>,
}

/// Makes JSON of a body that may be a form of either kind, or JSON with raw values in it.
pub(super) fn body(bytes: &[u8]) -> Mended<'_> {
    let unchanged = Mended {
        body: Cow::Borrowed(bytes),
        remark: None,
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return unchanged;
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    if is_json(text) {
        return unchanged;
    }
    if !text.starts_with(['{', '[']) {
        return match form::as_json(text) {
            Some(json) => Mended {
                body: Cow::Owned(json.into_bytes()),
                remark: None,
            },
            None => unchanged,
        };
    }
    match Some(mended(text)).filter(|text| is_json(text)) {
        Some(json) => Mended {
            body: Cow::Owned(json.into_bytes()),
            remark: Some(
                "the body is not JSON as it stands and was mended; quotes, backslashes and line ends in its values \
                 need escaping",
            ),
        },
        None => unchanged,
    }
}

/// Whether a text is a placeholder of a template that was not filled in, of any of the senders that have templates, or
/// the word that some of them fill in then.
pub(super) fn is_placeholder(text: &str) -> bool {
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
        || between("{", "}")
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

fn mended(text: &str) -> String {
    let mut mending = Mending {
        text,
        characters: text.char_indices().peekable(),
        done: String::with_capacity(text.len() + 64),
        open: Vec::new(),
    };
    mending.run();
    mending.done
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
                '{' if self.skips_placeholder(at) => self.done.push_str("null"),
                '{' | '[' => {
                    self.open.push(character);
                    self.done.push(character);
                }
                '}' | ']' => {
                    self.end_of_values();
                    self.open.pop();
                    self.done.push(character);
                }
                ',' => {
                    self.end_of_values();
                    self.done.push(character);
                }
                ':' => self.done.push(character),
                _ if character.is_whitespace() => self.done.push(' '),
                _ => self.bare_word(at),
            }
        }
    }

    /// A placeholder can stand for a whole object: `"details": {ProblemDetailsJSON}`.
    fn skips_placeholder(&mut self, start: usize) -> bool {
        let rest = &self.text[start..];
        let end = rest
            .char_indices()
            .take(LONGEST_NAME)
            .find(|(_, character)| *character == '}');
        let Some(end) = end.map(|(end, _)| start + end + 1) else {
            return false;
        };
        let is_one = is_placeholder(&self.text[start..end]);
        while is_one && self.characters.next_if(|(at, _)| *at < end).is_some() {}
        is_one
    }

    /// Before a comma or an end: a comma before it is one too many, and a colon lacks its value.
    fn end_of_values(&mut self) {
        let kept = self.done.trim_end().len();
        match self.done[..kept].chars().next_back() {
            Some(',') => self.done.truncate(kept - 1),
            Some(':') => self.done.push_str("null"),
            _ => (),
        }
    }

    /// A value without quotes: a number or the like, or a text that lacks them.
    fn bare_word(&mut self, start: usize) {
        let is_value = self.done.trim_end().ends_with(':');
        let end = loop {
            match self.characters.peek() {
                Some((at, ',' | '}' | ']' | '"' | '\n' | '\r')) => break *at,
                Some((at, ':')) if !is_value => break *at,
                Some(_) => {
                    self.characters.next();
                }
                None => break self.text.len(),
            }
        };
        let word = self.text[start..end].trim();
        if is_placeholder(word) {
            self.done.push_str("null");
        } else if is_json(word) {
            self.done.push_str(word);
        } else {
            self.done.push_str(&Value::String(word.to_owned()).to_string());
        }
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
                '\\' if self.is_escape(at) => {
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

    /// Whether what stands at a backslash is an escape of JSON. Backspaces and form feeds are none that anybody means:
    /// they are from paths of Windows.
    fn is_escape(&self, at: usize) -> bool {
        let mut after = self.text[at + 1..].bytes();
        match after.next() {
            Some(b'"' | b'\\' | b'/' | b'n' | b'r' | b't') => true,
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
    fn json_and_what_cannot_be_mended_stay_as_they_came() {
        for text in [
            r#"{"a": "b\u00e4", "c": [1, null]}"#,
            r#"{"a": "b"#,
            "[[[",
            "word",
            "",
        ] {
            let mended = body(text.as_bytes());
            assert_eq!((mended.body.as_ref(), mended.remark), (text.as_bytes(), None));
        }
    }

    #[test]
    fn line_ends_tabs_quotes_and_backslashes_in_values_are_escaped() {
        let text = "{\"path\": \"C:\\Data\\bin\", \"text\": \"he said \"no\", then\n\tleft\", \"list\": [\"a \"b\" c\", \"d\"]}";
        assert_eq!(
            value(text),
            json!({"path": "C:\\Data\\bin", "text": "he said \"no\", then\n\tleft", "list": ["a \"b\" c", "d"]})
        );
        assert!(body(text.as_bytes()).remark.is_some());
    }

    #[test]
    fn commas_too_many_and_values_too_few_are_mended() {
        assert_eq!(
            value(
                r#"{"a": [{"b": 1,}, ], "c": , "d": $HOSTNAME, "e": P-12 x, "f": 007, "g": {Tags}, "h": ,}"#
            ),
            json!({"a": [{"b": 1}], "c": null, "d": null, "e": "P-12 x", "f": "007", "g": null, "h": null})
        );
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
