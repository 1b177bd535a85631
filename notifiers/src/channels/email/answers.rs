//! What a mail server's reply means.

use lettre::transport::smtp::Error;

use crate::answer::Answer;
use crate::channels::text::{cut, one_line};

/// How much of a reply is shown to people.
const SHOWN_CHARACTERS: usize = 200;

pub(super) fn read(error: &Error, destination: &str) -> Answer {
    let text = cut(&one_line(&error.to_string()), SHOWN_CHARACTERS);
    match error.status() {
        Some(code) => by_code(u16::from(code), text),
        // What the server offers and what we need of it do not fit: encryption, a way to authenticate, or letters
        // beyond ASCII in an address.
        None if error.is_client() && !destination.is_ascii() => Answer::Refused(text),
        None if error.is_client() => {
            Answer::BadCredentials(format!("{text}; look at the settings of the email bot"))
        }
        None => Answer::Transient {
            after: None,
            perhaps_delivered: !not_connected(&text),
            error: text,
        },
    }
}

/// What a code of three digits means (RFC 5321, RFC 4954).
fn by_code(code: u16, text: String) -> Answer {
    match code {
        530 | 534 | 535 => Answer::BadCredentials(text),
        550 | 551 | 553 => Answer::BadDestination(text),
        500..600 => Answer::Refused(text),
        _ => Answer::Transient {
            after: None,
            error: text,
            perhaps_delivered: false,
        },
    }
}

/// Whether nothing was said yet. The library tells it only in words; a test holds them fast.
fn not_connected(text: &str) -> bool {
    text.starts_with("Connection error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_meaning() {
        let meaning = |code| match by_code(code, String::new()) {
            Answer::Sent { .. } => "sent",
            Answer::Transient {
                perhaps_delivered: true,
                ..
            } => "again, perhaps delivered",
            Answer::Transient { .. } => "again",
            Answer::BadDestination(_) => "bad destination",
            Answer::BadCredentials(_) => "bad credentials",
            Answer::Refused(_) => "refused",
        };
        let mut table = String::new();
        let mut before = "";
        for code in 400..560 {
            if meaning(code) != before {
                before = meaning(code);
                table.push_str(&format!("from {code}: {before}\n"));
            }
        }
        insta::assert_snapshot!(table, @r"
        from 400: again
        from 500: refused
        from 530: bad credentials
        from 531: refused
        from 534: bad credentials
        from 536: refused
        from 550: bad destination
        from 552: refused
        from 553: bad destination
        from 554: refused
        ");
    }
}
