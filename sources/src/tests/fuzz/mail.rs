//! Messages of mail: headers that are folded and encoded, bodies of several parts in any encoding and charset.
//!
//! Formats: <https://www.rfc-editor.org/rfc/rfc5322> (messages), <https://www.rfc-editor.org/rfc/rfc2045> (MIME),
//! <https://www.rfc-editor.org/rfc/rfc2047> (encoded words).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// How the bytes of a part are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Base64,
    QuotedPrintable,
    Plain,
    Unknown,
}

impl Encoding {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            Just(Self::Base64),
            Just(Self::QuotedPrintable),
            Just(Self::Plain),
            Just(Self::Unknown)
        ]
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::QuotedPrintable => "quoted-printable",
            Self::Plain => "8bit",
            Self::Unknown => "x-zip",
        }
    }

    fn encode(self, text: &str) -> String {
        match self {
            Self::Base64 => {
                let encoded = STANDARD.encode(text);
                let lines: Vec<_> = encoded
                    .as_bytes()
                    .chunks(76)
                    .map(String::from_utf8_lossy)
                    .collect();
                lines.join("\r\n")
            }
            Self::QuotedPrintable => {
                let encoded: String = text.bytes().map(|byte| format!("={byte:02X}")).collect();
                // A line has 76 characters at most; "=" at its end joins it to the next.
                let lines: Vec<_> = encoded
                    .as_bytes()
                    .chunks(72)
                    .map(String::from_utf8_lossy)
                    .collect();
                lines.join("=\r\n")
            }
            Self::Plain | Self::Unknown => text.to_owned(),
        }
    }
}

fn words() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "PROBLEM: disk full",
        "[FIRING:1] Disk full",
        "** RECOVERY Service Alert: web-1/http is OK **",
        "=?utf-8?Q?n=C3=A4chtlich?= DOWN",
        "=?utf-8?B?UFJPQkxFTTogZGlzaw==?=",
        "=?utf-8?B?UFJP",
        "=?iso-2022-jp?Q?=1B$B?= is DOWN",
        "Nagios <nagios@mon-1.example.org>",
        "\"a\\\"b\" <A@B>, c@d",
        "<>",
        "undisclosed-recipients:;",
        "Fri, 28 Aug 2026 04:05:06 +0100",
        "Fri, 99 Foo 99999 44:05:06 +9900",
        "multipart/mixed; boundary=\"x\"",
        "multipart/mixed; boundary=",
        "message/rfc822",
        "text/html; charset=windows-1252",
        "text/plain; charset=\"no such\"",
        "folded\r\n\tover lines",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => mutation::sharp(), 1 => any::<String>()]
}

fn headers() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "From",
            "Subject",
            "To",
            "Date",
            "Content-Type",
            "Content-Transfer-Encoding",
            "Content-Disposition",
            "MIME-Version",
            "X-Job",
        ])
        .prop_map(str::to_owned),
        "[A-Za-z: \u{e4}-]{0,12}",
    ];
    let header = (name, words()).prop_map(|(name, words)| format!("{name}: {words}\r\n"));
    prop::collection::vec(header, 0..6).prop_map(|headers| headers.concat())
}

/// A part, in which there may be others.
fn part() -> impl Strategy<Value = String> {
    let leaf = (headers(), Encoding::any(), words()).prop_map(|(headers, encoding, text)| {
        let (name, text) = (encoding.name(), encoding.encode(&text));
        format!("{headers}Content-Transfer-Encoding: {name}\r\n\r\n{text}\r\n")
    });
    leaf.prop_recursive(6, 24, 4, |inner| {
        let kind = prop::sample::select(vec!["mixed", "alternative", "related", "digest", "x"]);
        let nested = (headers(), kind, "[a-c'()+_,./:=? -]{0,4}", any::<bool>());
        (nested, prop::collection::vec(inner, 0..4)).prop_map(
            |((headers, kind, boundary, is_closed), parts)| {
                let parts: String = parts
                    .into_iter()
                    .map(|part| format!("--{boundary}\r\n{part}\r\n"))
                    .collect();
                let end = if is_closed {
                    format!("--{boundary}--\r\n")
                } else {
                    String::new()
                };
                format!(
                    "{headers}Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n{parts}{end}"
                )
            },
        )
    })
}

fn as_mail_ends_well(body: &[u8]) -> TestCaseResult {
    ends_well(&email::SOURCE, body)?;
    match email::as_json(body) {
        Err(error) => names_a_remedy(&error),
        Ok(value) => {
            prop_assert!(value["headers"].is_object(), "{value}");
            Ok(())
        }
    }
}

#[test]
fn mail_of_any_make_ends_well() {
    let damages = prop::collection::vec(mutation::Damage::any(), 0..3);
    let begun = prop::option::of(Just(
        "From: Nagios <nagios@mon-1.example.org>\r\nSubject: PROBLEM: disk full\r\n",
    ));
    fuzz(&(begun, part(), damages), |(begun, part, damages)| {
        let body = format!("{}{part}", begun.unwrap_or_default());
        let body = mutation::damaged(body.into_bytes(), &damages);
        as_mail_ends_well(&body)
    });
}

#[test]
fn s4_a_part_that_ends_with_a_soft_line_break_is_read() {
    let body = "From: a@b\r\nSubject: PROBLEM: disk full\r\nContent-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\n\
                Content-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n--x--\r\n";
    as_mail_ends_well(body.as_bytes()).unwrap();
}

#[test]
fn mail_of_many_parts_within_parts_ends_well() {
    for depth in [10, 1_000, 20_000] {
        let nested: String = (0..depth)
            .map(|level| format!("Content-Type: multipart/mixed; boundary=\"{level}\"\r\n\r\n--{level}\r\n"))
            .collect();
        let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(depth);
        for parts in [nested, messages] {
            let body = format!("From: a@b\r\nSubject: PROBLEM: disk full\r\n{parts}text");
            if let Err(error) = as_mail_ends_well(body.as_bytes()) {
                panic!("{depth}: {error}");
            }
        }
    }
}

#[test]
fn s4_messages_in_an_encoded_message_are_refused_and_a_forwarded_one_is_taken() {
    let head = "From: a@b\r\nSubject: PROBLEM: disk full\r\nMIME-Version: 1.0\r\n";
    let nested = STANDARD.encode("Content-Type: message/rfc822\r\n\r\n".repeat(20_000));
    for kind in [
        "message/rfc822",
        "MESSAGE/global; a=b",
        "(a)message/rfc822",
        "\r\n message/rfc822",
    ] {
        let encoded =
            format!("{head}Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n{nested}");
        assert!(email::as_json(encoded.as_bytes()).is_err(), "{kind}");
    }
    let forwarded = format!(
        "{head}Content-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n\
         --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: other\r\n\r\nother\r\n--x--\r\n",
        STANDARD.encode("/var is full")
    );
    let value = email::as_json(forwarded.as_bytes()).unwrap();
    assert_eq!(value["text"], "/var is full");
}

#[test]
fn the_text_of_a_mail_is_the_same_in_every_encoding() {
    let text = "[a-z=.,äß✓ \t-]{1,200}";
    fuzz(
        &(text, Encoding::any(), any::<bool>()),
        |(text, encoding, in_parts)| {
            // What is around a text is not part of it; one that is blank is none.
            let expected = text.trim().to_owned();
            if expected.is_empty() || encoding == Encoding::Unknown {
                return Ok(());
            }
            let part = format!(
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n\r\n{}\r\n",
                encoding.name(),
                encoding.encode(&expected)
            );
            let content = match in_parts {
                true => format!(
                    "Content-Type: multipart/mixed; boundary=\"x-5e1\"\r\n\r\n--x-5e1\r\n{part}\r\n--x-5e1--\r\n"
                ),
                false => part,
            };
            let body = format!("From: a@b\r\nSubject: PROBLEM: disk full\r\nMIME-Version: 1.0\r\n{content}");
            let value = email::as_json(body.as_bytes()).map_err(failed)?;
            prop_assert_eq!(value["text"].as_str(), Some(expected.as_str()), "{}", body);
            Ok(())
        },
    );
}
