//! Addresses of the web: taking them apart, and putting them together.

use std::fmt::Write;

/// `prometheus:9090` of `http://prometheus:9090/graph?…`.
pub(super) fn host_and_port(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_owned())
}

/// `https://shop.example:8090` of `https://shop.example:8090/controller/#…`.
pub(super) fn origin(address: &str) -> Option<String> {
    let (scheme, _) = address.split_once("://")?;
    host_and_port(address).map(|host| format!("{scheme}://{host}"))
}

/// A text as part of an address.
pub(super) fn encoded(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut done, byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                done.push(char::from(byte));
            } else {
                // Writing to a String does not fail.
                let _ = write!(done, "%{byte:02X}");
            }
            done
        })
}

/// What a part of a form or of a query means.
pub(super) fn decoded(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut done = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = bytes
            .get(at + 1..at + 3)
            .filter(|digits| *byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                done.push(code);
                at += 3;
            }
            None => {
                done.push(if *byte == b'+' { b' ' } else { *byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&done).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_browsers_write_them_and_stray_percent_signs_stay() {
        assert_eq!(decoded("a+b%20c%3D%C3%A4"), "a b c=ä");
        assert_eq!(decoded("97 %, 5%x, 100%"), "97 %, 5%x, 100%");
        assert_eq!(decoded(&encoded("a/b ä&%")), "a/b ä&%");
    }

    #[test]
    fn addresses_come_apart() {
        let address = "https://user@shop.example:8090/controller/#x";
        assert_eq!(host_and_port(address).as_deref(), Some("shop.example:8090"));
        assert_eq!(origin(address).as_deref(), Some("https://shop.example:8090"));
        assert_eq!(host_and_port("shop.example"), None);
    }
}
