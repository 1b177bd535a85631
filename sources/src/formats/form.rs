//! Forms: names and texts, as `a=1&b=2` or as parts between boundaries.

use serde_json::{Map, Value};

use super::charset;

/// A form of either kind as a JSON object of texts; of fields with one name the last one counts. `None` if it is no form, or
/// is cut off.
pub(crate) fn as_json(text: &str) -> Option<String> {
    let fields = match text.starts_with("--") {
        true => parts(text)?,
        false => pairs(text)?,
    };
    (!fields.is_empty()).then(|| Value::Object(fields).to_string())
}

/// `application/x-www-form-urlencoded`. Stray percent signs and ampersands, which senders write that encode nothing,
/// are kept: what follows an ampersand and is no field belongs to the value before it.
fn pairs(text: &str) -> Option<Map<String, Value>> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        match (field(part), fields.last_mut()) {
            (Some((name, value)), _) => fields.push((name, value.to_owned())),
            (None, Some((_, value))) => {
                value.push('&');
                value.push_str(part);
            }
            (None, None) => return None,
        }
    }
    let decode = |(name, value): (&str, String)| {
        let value = decoded(value.trim_end_matches(['\r', '\n']));
        (decoded(name), Value::String(value))
    };
    Some(fields.into_iter().map(decode).collect())
}

/// Name and value. A name has no spaces in it, as they would be encoded.
fn field(part: &str) -> Option<(&str, &str)> {
    part.split_once('=')
        .filter(|(name, _)| !name.contains(char::is_whitespace))
}

fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, behind @ ..] = rest {
        let encoded = match (first, behind) {
            (b'%', [high, low, ..]) => byte_of(*high, *low),
            _ => None,
        };
        bytes.push(encoded.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = &behind[if encoded.is_some() { 2 } else { 0 }..];
    }
    charset::text_of(&bytes).into_owned()
}

/// The byte of two hexadecimal digits.
fn byte_of(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// `multipart/form-data`. The boundary is the first line, so the header that names it, which is not stored with a refused
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
    fn an_ampersand_that_nobody_encoded_stays_in_its_value() {
        assert_eq!(
            value("message=R&D: 5 & 6 & load of x = 7&status=Down\n"),
            Some(json!({"message": "R&D: 5 & 6 & load of x = 7", "status": "Down"}))
        );
        assert_eq!(value("& D=1"), None);
    }

    #[test]
    fn names_that_differ_in_letters_of_latin_1_do_not_become_one() {
        assert_eq!(
            value("a=Ger%E4t&b=Ger%F6t&c=Ger%C3%A4t&d=50%zz%4"),
            Some(json!({"a": "Gerät", "b": "Geröt", "c": "Gerät", "d": "50%zz%4"}))
        );
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
