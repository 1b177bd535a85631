//! What senders have chosen, shown at a terminal: it must not move the cursor, change colours, or look like something else.

/// The text with its lines and tabs; every other character that a terminal would obey, or that is not seen, is written as
/// Rust writes it: `\u{1b}`.
pub(crate) fn printable(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars()
        .map(|c| {
            if c == '\n' || c == '\t' {
                c.to_string()
            } else {
                written(c)
            }
        })
        .collect()
}

/// As [`printable`], in one line.
pub(crate) fn in_line(text: &str) -> String {
    text.chars().map(written).collect()
}

fn written(character: char) -> String {
    if is_obeyed(character) {
        character.escape_default().to_string()
    } else {
        character.to_string()
    }
}

/// Control characters (C0, DEL, C1), line separators, what turns the direction of text, what has no width, and tags
/// (<https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>).
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_what_a_terminal_obeys_is_written_out() {
        assert_eq!(printable("größe\t1\r\nzwei"), "größe\t1\nzwei");
        assert_eq!(printable("a\u{1b}[2Jb\rc\u{7}"), "a\\u{1b}[2Jb\\rc\\u{7}");
        assert_eq!(printable("\u{9b}31m\u{7f}\0"), "\\u{9b}31m\\u{7f}\\u{0}");
        assert_eq!(
            printable("\u{202e}exe\u{2066}\u{200b}"),
            "\\u{202e}exe\\u{2066}\\u{200b}"
        );
        assert_eq!(in_line("a\nb\tc"), "a\\nb\\tc");
    }
}
