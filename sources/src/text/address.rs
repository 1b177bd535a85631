//! Parts of URLs.

use std::fmt::Write;

/// `prometheus:9090` of `http://prometheus:9090/graph?…`.
pub(crate) fn host_and_port(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_owned())
}

/// `https://shop.example:8090` of `https://shop.example:8090/controller/#…`.
pub(crate) fn origin(address: &str) -> Option<String> {
    let (scheme, _) = address.split_once("://")?;
    host_and_port(address).map(|host| format!("{scheme}://{host}"))
}

/// A text, percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_apart() {
        let address = "https://user@shop.example:8090/controller/#x";
        assert_eq!(host_and_port(address).as_deref(), Some("shop.example:8090"));
        assert_eq!(origin(address).as_deref(), Some("https://shop.example:8090"));
        assert_eq!(host_and_port("shop.example"), None);
    }
}
