//! Text whose sender does not declare its encoding.

use std::borrow::Cow;

/// What the bytes 0x80 to 0x9f are in Windows-1252; U+FFFD for the five that are undefined. All others are as in Latin-1.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž', '\u{fffd}',
    '\u{fffd}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{fffd}', 'ž', 'Ÿ',
];

/// Bytes as text. Bytes that are not UTF-8 are Windows-1252, unless other characters of the text are UTF-8: then they are
/// the rest of a character where a text was cut.
///
/// Different bytes give different texts, as texts can be part of an identity.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    if bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii()) {
        return String::from_utf8_lossy(bytes);
    }
    Cow::Owned(bytes.iter().map(|byte| of_windows_1252(*byte)).collect())
}

/// The same for a body; `None` if it is binary, which its control characters show.
pub(crate) fn text_of_body(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = text_of(bytes);
    let is_binary = || {
        let mut bytes = bytes.iter();
        bytes.any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
    };
    match text {
        Cow::Owned(_) if is_binary() => None,
        text => Some(text),
    }
}

fn of_windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_8_stays_and_everything_else_is_windows_1252() {
        for (bytes, text) in [
            ("Gerät €".as_bytes(), "Gerät €"),
            (b"Ger\xe4t \x80 \x93x\x94", "Gerät € “x”"),
            (b"caf\xe9\x81", "café\u{fffd}"),
        ] {
            assert_eq!(text_of(bytes), text);
        }
    }

    #[test]
    fn a_character_that_was_cut_is_no_character_of_another_encoding() {
        let cut = &"Gerät für 5 €".as_bytes()[.."Gerät für 5 €".len() - 1];
        assert_eq!(text_of(cut), "Gerät für 5 \u{fffd}");
    }

    #[test]
    fn what_has_control_characters_is_no_text() {
        assert_eq!(text_of_body(b"\x1f\x8b\x08\x00abc"), None);
        assert_eq!(text_of_body(b"\xff\xfe{\x00}\x00"), None);
        assert_eq!(text_of_body(b"a\t\xe4\r\n").as_deref(), Some("a\tä\r\n"));
        assert_eq!(text_of_body(b"a\x00").as_deref(), Some("a\0"));
    }
}
