//! Reading the replies of mail servers.

use lettre::transport::smtp::Error;

use crate::channels::text::{cut, one_line};
use crate::sender::SendResult;

/// The most characters of a reply that are shown to people.
const SHOWN_CHARACTERS: usize = 200;

pub(super) fn read(error: &Error, destination: &str) -> SendResult {
    let text = cut(&one_line(&error.to_string()), SHOWN_CHARACTERS);
    match error.status() {
        Some(code) => by_code(u16::from(code), text),
        // The server lacks something that we need: encryption, an authentication method, or addresses beyond ASCII.
        None if error.is_client() && !destination.is_ascii() => SendResult::Refused(text),
        None if error.is_client() => {
            SendResult::BadCredentials(format!("{text}; look at the settings of the email bot"))
        }
        None => SendResult::Transient {
            after: None,
            maybe_delivered: !not_connected(&text),
            error: text,
        },
    }
}

/// The meaning of a reply code (<https://www.rfc-editor.org/rfc/rfc5321#section-4.2>, RFC 4954).
fn by_code(code: u16, text: String) -> SendResult {
    match code {
        530 | 534 | 535 => SendResult::BadCredentials(text),
        550 | 551 | 553 => SendResult::BadDestination(text),
        500..600 => SendResult::Refused(text),
        _ => SendResult::Transient {
            after: None,
            error: text,
            maybe_delivered: false,
        },
    }
}

/// Whether no connection was made. The library says it only in its text, which a test pins.
fn not_connected(text: &str) -> bool {
    text.starts_with("Connection error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_meaning() {
        let meaning = |code| match by_code(code, String::new()) {
            SendResult::Sent { .. } => "sent",
            SendResult::Transient {
                maybe_delivered: true,
                ..
            } => "again, perhaps delivered",
            SendResult::Transient { .. } => "again",
            SendResult::BadDestination(_) => "bad destination",
            SendResult::BadCredentials(_) => "bad credentials",
            SendResult::Refused(_) => "refused",
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
