//! Bodies of `multipart/form-data`, as files are posted: <https://www.rfc-editor.org/rfc/rfc7578>.

/// A part of such a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'b> {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) content: &'b [u8],
}

/// The most parts of a body.
const PARTS_MAX: usize = 20;

/// The parts of a body with this content type; why it has none.
pub(super) fn parts<'b>(content_type: &str, body: &'b [u8]) -> Result<Vec<Part<'b>>, String> {
    let boundary =
        boundary(content_type).ok_or("the content type is not multipart/form-data with a boundary")?;
    let opening = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut rest = match body.strip_prefix(opening.as_bytes()) {
        Some(rest) => rest,
        None => {
            behind(body, between.as_bytes())
                .ok_or("the body has no part with the boundary of the content type")?
                .1
        }
    };
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let (line, after) = behind(rest, b"\r\n").ok_or("the body ends within a boundary")?;
        if !line.trim_ascii().is_empty() {
            return Err("there is something behind a boundary".to_owned());
        }
        let (part, next) = behind(after, between.as_bytes()).ok_or("the last part has no end")?;
        if parts.len() == PARTS_MAX {
            return Err(format!("there are more than {PARTS_MAX} parts"));
        }
        parts.push(part_of(part)?);
        rest = next;
    }
    Ok(parts)
}

/// What is before this text, and what is behind it.
fn behind<'b>(bytes: &'b [u8], text: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let first = *text.first()?;
    let mut from = 0;
    loop {
        let place = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes[place..].starts_with(text) {
            return Some((&bytes[..place], &bytes[place + text.len()..]));
        }
        from = place + 1;
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, _) = content_type.split_once(';')?;
    let is_form = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    let boundary = parameter(content_type, "boundary")?;
    (is_form && !boundary.is_empty()).then_some(boundary)
}

/// A parameter of a header. Text in quotes is taken as it is.
fn parameter<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (key, value) = rest.split_once('=')?;
        let (value, next) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.find(';').map_or((value, ""), |end| value.split_at(end)),
        };
        if key
            .trim()
            .trim_start_matches(';')
            .trim()
            .eq_ignore_ascii_case(name)
        {
            return Some(value.trim());
        }
        rest = next.trim_start().trim_start_matches(';');
    }
}

fn part_of(part: &[u8]) -> Result<Part<'_>, String> {
    let (head, content) = match part.strip_prefix(b"\r\n") {
        Some(content) => (&part[..0], content),
        None => behind(part, b"\r\n\r\n").ok_or("a part has no end of its headers")?,
    };
    let head = String::from_utf8_lossy(head);
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    });
    let disposition = disposition.ok_or("a part has no Content-Disposition")?;
    let name = parameter(disposition, "name").ok_or("a part has no name")?;
    Ok(Part {
        name: name.to_owned(),
        file_name: parameter(disposition, "filename").map(str::to_owned),
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"x-y\"";

    #[test]
    fn c2_files_come_with_their_names() {
        let body = b"--x-y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.log\"\r\n\
                     Content-Type: application/octet-stream\r\n\r\none\r\n--x\r\n\x00\xff\r\n--x-y\r\n\
                     content-disposition: form-data; name=user\r\n\r\n\r\n--x-y--\r\n";
        let parts = parts(TYPE, body).unwrap();
        assert_eq!(
            parts,
            [
                Part {
                    name: "file".to_owned(),
                    file_name: Some("a b.log".to_owned()),
                    content: b"one\r\n--x\r\n\x00\xff",
                },
                Part {
                    name: "user".to_owned(),
                    file_name: None,
                    content: b"",
                },
            ]
        );
    }

    #[test]
    fn c2_what_is_no_form_says_why() {
        for (content_type, body, reason) in [
            ("application/json", "{}", "the content type is not multipart"),
            ("multipart/form-data", "", "the content type is not multipart"),
            (TYPE, "", "the body has no part"),
            (TYPE, "--x-y", "the body ends within a boundary"),
            (TYPE, "--x-y\r\nA: b\r\n\r\n", "the last part has no end"),
            (
                TYPE,
                "--x-y\r\nA: b\r\n\r\n\r\n--x-y--",
                "a part has no Content-Disposition",
            ),
            (
                TYPE,
                "--x-yz\r\n\r\n--x-y--",
                "there is something behind a boundary",
            ),
        ] {
            let error = parts(content_type, body.as_bytes()).unwrap_err();
            assert!(error.starts_with(reason), "{body:?}: {error}");
        }
        let many = "--x-y\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(30);
        let error = parts(TYPE, format!("{many}--x-y--").as_bytes()).unwrap_err();
        assert_eq!(error, "there are more than 20 parts");
    }
}
