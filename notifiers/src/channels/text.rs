//! Text within limits.

/// The text, or its beginning with an ellipsis when it has more characters than `most`.
pub(super) fn cut(text: &str, most: usize) -> String {
    cut_with(text, most, |character| character.to_string())
}

/// As [`cut`], each character written as `write` says. The limit counts what is written, and never splits it.
pub(super) fn cut_with(text: &str, most: usize, write: impl Fn(char) -> String) -> String {
    let mut written = String::with_capacity(text.len().min(most));
    let mut length = 0;
    // Where to cut if the text turns out to be too long: the last place that leaves room for the ellipsis.
    let mut place = 0;
    for character in text.chars() {
        let piece = write(character);
        length += piece.chars().count();
        if length > most {
            written.truncate(place);
            written.push('…');
            return written;
        }
        written.push_str(&piece);
        if length < most {
            place = written.len();
        }
    }
    written
}

/// The text in one line: control characters, line separators and what turns the direction of text become spaces.
pub(super) fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c == '\n' || c == '\t' { ' ' } else { shown(c) })
        .collect();
    spaced.trim().to_owned()
}

/// The text with its lines and nothing else that is not shown: a lone carriage return would let one line hide another.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").chars().map(shown).collect()
}

/// The character, or a space for one that is not shown itself but changes how others are. Line ends and tabs stay.
pub(super) fn shown(character: char) -> char {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
    let ends = matches!(character, '\u{2028}' | '\u{2029}');
    let is_control = character.is_control() && character != '\n' && character != '\t';
    if turns || ends || is_control {
        ' '
    } else {
        character
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_fits_stays_whole() {
        assert_eq!(cut("größer", 6), "größer");
        assert_eq!(cut("größer", 5), "größ…");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn control_characters_do_not_make_lines() {
        assert_eq!(one_line("a\r\nBcc: b\u{0}\n"), "a  Bcc: b");
        assert_eq!(one_line("a\u{2028}b\u{85}c\u{202e}d\te"), "a b c d e");
        assert_eq!(lines("a\r\nb\rc\u{1b}[2J\td"), "a\nb c [2J\td");
    }

    proptest! {
        #[test]
        fn no_cut_text_is_longer_than_its_limit(text in "\\PC{0,80}", most in 1_usize..60) {
            let escape = |c: char| if c.is_ascii_punctuation() { "&amp;".to_owned() } else { c.to_string() };
            prop_assert!(cut_with(&text, most, escape).chars().count() <= most);
            let whole = cut(&text, most);
            prop_assert!(whole.chars().count() <= most);
            prop_assert!(whole == text || (whole.ends_with('…') && text.starts_with(whole.trim_end_matches('…'))));
        }
    }
}
