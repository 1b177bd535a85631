//! The pictures by which tools say how a problem stands.

use EventStatus::{Firing, Resolved};
use schemas::EventStatus;

/// The state that a picture means: characters, or a name between colons as Slack and Mattermost have it.
pub(in crate::text::state_words) fn state_of_picture(picture: &str) -> Option<EventStatus> {
    const ILL: [&str; 17] = [
        "x",
        "red_circle",
        "rotating_light",
        "fire",
        "no_entry",
        "octagonal_sign",
        "warning",
        "exclamation",
        "bangbang",
        "large_orange_circle",
        "orange_circle",
        "sos",
        "boom",
        "heavy_exclamation_mark",
        "no_entry_sign",
        "red_square",
        "large_red_square",
    ];
    const WELL: [&str; 11] = [
        "white_check_mark",
        "heavy_check_mark",
        "large_green_circle",
        "green_circle",
        "ballot_box_with_check",
        "ok",
        "+1",
        "thumbsup",
        "green_heart",
        "ok_hand",
        "large_green_square",
    ];
    if let Some(name) = picture.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')) {
        return match name {
            name if ILL.contains(&name) => Some(Firing),
            name if WELL.contains(&name) => Some(Resolved),
            _ => None,
        };
    }
    picture.chars().find_map(|character| match character {
        '🔴' | '❌' | '✖' | '🚨' | '🔥' | '⛔' | '🛑' | '⚠' | '❗' | '‼' | '🟠' | '🟥' | '💥' | '🆘'
        | '🚫' => Some(Firing),
        '✅' | '✔' | '🟢' | '👍' | '🆗' | '💚' | '☑' | '🟩' => Some(Resolved),
        _ => None,
    })
}

/// Whether a character is a picture, a sign or a part of one.
pub(in crate::text::state_words) fn is_picture(character: char) -> bool {
    matches!(character,
        '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}'
        | '\u{200d}' | '\u{20e3}' | '\u{203c}' | '\u{2049}' | '\u{fe0e}' | '\u{fe0f}')
}
