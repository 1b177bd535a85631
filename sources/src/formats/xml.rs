//! XML, whose leaf elements are its fields. Attributes, namespaces and comments are ignored; document types, and thereby custom
//! entities, are refused.

use std::collections::BTreeMap;

use crate::error::SourceError;

/// How deep elements may be nested.
const MOST_LEVELS: usize = 64;
const REMEDY: &str = "send XML in UTF-8 without a document type, or JSON";

/// The fields of an XML document as a JSON object; `None` if a body does not begin as XML does. Of several fields of one name the
/// first counts.
pub(crate) fn as_json(body: &[u8]) -> Option<Result<Vec<u8>, SourceError>> {
    let begins = body
        .trim_ascii_start()
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body);
    if !begins.trim_ascii_start().starts_with(b"<") {
        return None;
    }
    let fields = std::str::from_utf8(body)
        .map_err(|error| malformed(format!("its byte {} is not UTF-8", error.valid_up_to())))
        .and_then(fields);
    Some(fields.and_then(|fields| serde_json::to_vec(&fields).map_err(|error| malformed(error.to_string()))))
}

fn malformed(reason: impl std::fmt::Display) -> SourceError {
    SourceError::Malformed {
        reason: format!("the body cannot be read as XML: {reason}"),
        remedy: REMEDY,
    }
}

/// An element that is not closed yet.
struct Open<'x> {
    name: &'x str,
    text: String,
    has_elements: bool,
}

fn fields(xml: &str) -> Result<BTreeMap<String, String>, SourceError> {
    let mut fields = BTreeMap::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut rest = xml;
    while let Some((text, behind)) = rest.split_once('<') {
        if let Some(element) = open.last_mut() {
            element.text.push_str(&decoded(text)?);
        }
        if let Some(data) = behind.strip_prefix("![CDATA[") {
            let (data, after) = data
                .split_once("]]>")
                .ok_or_else(|| malformed("a CDATA has no end"))?;
            if let Some(element) = open.last_mut() {
                element.text.push_str(data);
            }
            rest = after;
            continue;
        }
        let (end, is_markup) = match behind {
            comment if comment.starts_with("!--") => ("-->", false),
            instruction if instruction.starts_with('?') => ("?>", false),
            other if other.starts_with('!') => return Err(malformed("it has a document type")),
            _ => (">", true),
        };
        let (tag, after) = behind
            .split_once(end)
            .ok_or_else(|| malformed("a tag has no end"))?;
        if is_markup {
            follow(tag, &mut open, &mut fields)?;
        }
        rest = after;
    }
    match open.last() {
        Some(element) => Err(malformed(format!("<{}> is not closed", element.name))),
        None => Ok(fields),
    }
}

/// Opens or closes an element.
fn follow<'x>(
    tag: &'x str,
    open: &mut Vec<Open<'x>>,
    fields: &mut BTreeMap<String, String>,
) -> Result<(), SourceError> {
    if let Some(name) = tag.strip_prefix('/') {
        let closed = open.pop().filter(|element| element.name == name.trim_end());
        let closed = closed.ok_or_else(|| malformed(format!("</{name}> closes nothing that is open")))?;
        if !closed.has_elements {
            let name = closed.name.rsplit(':').next().unwrap_or(closed.name);
            fields.entry(name.to_owned()).or_insert(closed.text);
        }
        return Ok(());
    }
    if let Some(around) = open.last_mut() {
        around.has_elements = true;
    }
    if tag.ends_with('/') {
        return Ok(());
    }
    if open.len() == MOST_LEVELS {
        return Err(malformed(format!("it has more than {MOST_LEVELS} levels")));
    }
    open.push(Open {
        name: tag.split_whitespace().next().unwrap_or_default(),
        text: String::new(),
        has_elements: false,
    });
    Ok(())
}

/// A text without entities.
fn decoded(text: &str) -> Result<String, SourceError> {
    let mut parts = text.split('&');
    let mut done = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, after) = part
            .split_once(';')
            .ok_or_else(|| malformed("an & is not escaped"))?;
        let character = match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            // Apprise writes these entities of HTML.
            "nbsp" | "emsp" => ' ',
            number => numbered(number).ok_or_else(|| malformed(format!("&{number}; is unknown")))?,
        };
        done.push(character);
        done.push_str(after);
    }
    Ok(done)
}

fn numbered(entity: &str) -> Option<char> {
    let digits = entity.strip_prefix('#')?;
    let number = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    char::from_u32(number.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Result<serde_json::Value, String> {
        let json = as_json(xml.as_bytes()).expect("it begins as XML");
        let json = json.map_err(|error| error.to_string())?;
        Ok(serde_json::from_slice(&json).expect("JSON"))
    }

    #[test]
    fn elements_without_elements_are_fields() {
        let xml = "\u{feff}<?xml version='1.0'?>\n<!-- <x> --><a:Envelope xmlns:a=\"b\"><Body ><n:Title>5 &lt; 6 &amp;&#x41;&#66;</n:Title>\
                   <Text>a<![CDATA[ <b> ]]>c</Text><Text>second</Text><Empty/><None></None></Body></a:Envelope>";
        assert_eq!(
            read(xml).unwrap(),
            serde_json::json!({"Title": "5 < 6 &AB", "Text": "a <b> c", "None": ""})
        );
        assert!(as_json(b"{\"a\": 1}").is_none());
    }

    #[test]
    fn what_is_not_well_formed_is_refused_with_the_reason() {
        let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
        for (xml, reason) in [
            ("<a><b></a>", "</a> closes nothing that is open"),
            ("<a>", "<a> is not closed"),
            ("<a", "a tag has no end"),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "document type"),
            ("<a>&b;</a>", "&b; is unknown"),
            ("<a>b & c</a>", "an & is not escaped"),
            ("<a>&#1114112;</a>", "is unknown"),
            ("<a><![CDATA[</a>", "a CDATA has no end"),
            (&deep, "more than 64 levels"),
        ] {
            let error = read(xml).unwrap_err();
            assert!(error.contains(reason), "{xml}: {error}");
        }
    }
}
