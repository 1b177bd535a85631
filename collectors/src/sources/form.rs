//! Forms: names and texts, as `a=1&b=2` or as parts between boundaries.

use serde_json::{Map, Value};

/// A form of either kind as a JSON object of texts; of fields with one name the last one counts. `None` if it is none, or
/// is cut off.
pub(super) fn as_json(text: &str) -> Option<String> {
    let fields = match text.starts_with("--") {
        true => parts(text)?,
        false => pairs(text)?,
    };
    (!fields.is_empty()).then(|| Value::Object(fields).to_string())
}

/// `application/x-www-form-urlencoded`. Stray percent signs, which senders leave in who encode nothing, stay.
fn pairs(text: &str) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        fields.insert(
            decoded(name),
            Value::String(decoded(value.trim_end_matches(['\r', '\n']))),
        );
    }
    Some(fields)
}

fn decoded(part: &str) -> String {
    // An equals sign in a value would end a name.
    let part = part.replace('=', "%3D");
    let mut pairs = form_urlencoded::parse(part.as_bytes());
    pairs
        .next()
        .map(|(text, _)| text.into_owned())
        .unwrap_or_default()
}

/// `multipart/form-data`. The boundary is the first line, so the header that names it, which is not kept with a refused
/// body, is not needed.
fn parts(text: &str) -> Option<Map<String, Value>> {
    let (boundary, _) = text.split_once("\r\n")?;
    let (parts, _) = text.split_once(&format!("\r\n{boundary}--"))?;
    let delimiter = format!("{boundary}\r\n");
    let parts = parts.strip_prefix(&delimiter)?;
    let mut fields = Map::new();
    for part in parts.split(&format!("\r\n{delimiter}")) {
        let (head, value) = part.split_once("\r\n\r\n")?;
        fields.insert(field_name(head)?, Value::String(value.to_owned()));
    }
    Some(fields)
}

/// `data` of `Content-Disposition: form-data; name="data"`.
fn field_name(head: &str) -> Option<String> {
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let name = disposition
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("name="))?;
    Some(name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Option<Value> {
        as_json(text).map(|json| serde_json::from_str(&json).unwrap())
    }

    #[test]
    fn pairs_become_an_object_of_texts() {
        assert_eq!(
            value("a=1&b=x+y&c=\n&d=u=v&a%C3%A4=2"),
            Some(json!({"a": "1", "b": "x y", "c": "", "d": "u=v", "aä": "2"}))
        );
        assert_eq!(
            value("full=97 %&most=5%x, 100%"),
            Some(json!({"full": "97 %", "most": "5%x, 100%"}))
        );
        assert_eq!((value("word"), value("&"), value("")), (None, None, None));
    }

    #[test]
    fn parts_become_an_object_of_texts() {
        let text = "--x1\r\nContent-Disposition: form-data; name=\"data\"\r\nContent-Type: application/json\r\n\r\n\
                    {\r\n\r\n\"a\": 1}\r\n--x1\r\ncontent-disposition: form-data; filename=\"f\"; name=other\r\n\r\n\r\n--x1--\r\n";
        assert_eq!(
            value(text),
            Some(json!({"data": "{\r\n\r\n\"a\": 1}", "other": ""}))
        );
    }

    #[test]
    fn parts_that_are_cut_off_or_nameless_are_none() {
        let whole = "--x1\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{}\r\n--x1--";
        assert!(value(whole).is_some());
        assert_eq!(value(&whole[..whole.len() - 2]), None);
        assert_eq!(
            value("--x1\r\nContent-Type: text/plain\r\n\r\n{}\r\n--x1--"),
            None
        );
        assert_eq!(value("--\r\n"), None);
    }
}
