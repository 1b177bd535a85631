//! Checks of values that several channels have.

/// A URL of HTTP, as far as its beginning shows.
pub(super) fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) && !has_space(text)
}

/// Any text but an empty one.
pub(super) fn is_present(text: &str) -> bool {
    !text.is_empty()
}

/// A word: not empty, and without spaces.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && !has_space(text)
}

/// An e-mail address, as far as its form shows.
pub(super) fn is_address(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !has_space(text)
}

fn has_space(text: &str) -> bool {
    text.contains(char::is_whitespace)
}
