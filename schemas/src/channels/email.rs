//! The channel `email`: mail over SMTP.

use super::check::is_address;
use super::{Abilities, BotField, BotSpec, ChannelSpec, DestinationSpec, Follows, SendLimits, SlotGroup};

pub(super) const SPEC: ChannelSpec = ChannelSpec {
    title: "E-mail",
    summary: "Sends a mail over SMTP; all mails of one episode of an alert are one thread.",
    icon: "M2.5 4h11v8h-11zM2.5 4.5L8 9l5.5-4.5",
    reference: "https://www.rfc-editor.org/rfc/rfc5321",
    bot: BotSpec {
        required: true,
        fields: &[
            BotField {
                key: "host",
                meaning: "the mail server",
                expected: "the name of a mail server",
                required: true,
                check: |host| !host.is_empty() && !host.contains([' ', '/']),
                ..BotField::SETTING
            },
            BotField {
                key: "port",
                meaning: "its port; 587, with tls: implicit 465, with tls: none 25 when absent",
                expected: "a number from 1 to 65535",
                check: |port| port.parse::<u16>().is_ok_and(|port| port > 0),
                ..BotField::SETTING
            },
            BotField {
                key: "tls",
                meaning: "how the connection is encrypted",
                expected: "none, starttls or implicit",
                default: Some("starttls"),
                check: |tls| matches!(tls, "none" | "starttls" | "implicit"),
                ..BotField::SETTING
            },
            BotField {
                key: "username",
                meaning: "the name to log in with",
                expected: "a name",
                only_with: Some("password"),
                ..BotField::SETTING
            },
            BotField {
                key: "from",
                meaning: "the sender of the mails",
                expected: "an address, such as reveille@example.org",
                required: true,
                check: is_mailbox,
                ..BotField::SETTING
            },
            BotField {
                key: "ca_certificate",
                meaning: "the authority of the server's certificate, if public ones do not know it",
                expected: "a certificate in PEM",
                ..BotField::SETTING
            },
            BotField {
                key: "password",
                meaning: "the password to log in with",
                expected: "a password",
                secret: true,
                only_with: Some("username"),
                ..BotField::SETTING
            },
        ],
    },
    destination: DestinationSpec {
        expected: "an e-mail address, such as ann@example.org",
        example: "ann@example.org",
        check: is_address,
    },
    limits: SendLimits {
        in_flight: 32,
        in_flight_per_group: 8,
        group: SlotGroup::Bot,
        in_flight_per_destination: 4,
        interval_us: 500_000,
        burst: 20,
    },
    provider_limits: &[],
    abilities: Abilities {
        edit: false,
        thread: true,
        digest_above: Some(20),
        answers: false,
        delivery_callbacks: false,
    },
    follows: Follows::SeverityChanges,
};

/// An address, or a name and an address in angle brackets.
fn is_mailbox(text: &str) -> bool {
    let address = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((_, address)) => address,
        None => text,
    };
    is_address(address)
}
