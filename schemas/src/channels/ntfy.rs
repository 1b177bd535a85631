//! The channel `ntfy`: push messages to phones and browsers, by ntfy.sh or a server of one's own.

use super::check::is_url;
use super::{
    Abilities, BotField, BotSpec, ChannelSpec, DestinationSpec, Follows, ProviderLimit, SendLimits, SlotGroup,
};

pub(super) const SPEC: ChannelSpec = ChannelSpec {
    title: "ntfy",
    summary: "Sends a push message to the subscribers of a topic of an ntfy server.",
    icon: "M4 11V7a4 4 0 0 1 8 0v4l1.5 1.5h-11zM6.5 14.5h3",
    reference: "https://docs.ntfy.sh/publish/",
    bot: BotSpec {
        required: false,
        fields: &[
            BotField {
                key: "server",
                meaning: "the address of the ntfy server",
                expected: "a URL, such as https://ntfy.sh",
                default: Some("https://ntfy.sh"),
                check: is_url,
                ..BotField::SETTING
            },
            BotField {
                key: "token",
                meaning: "an access token that may publish to the topics; open topics need none",
                expected: "an access token, such as tk_…",
                secret: true,
                ..BotField::SETTING
            },
        ],
    },
    destination: DestinationSpec {
        expected: "a topic of up to 64 letters, digits, - and _, such as ops-x7Kq2",
        example: "ops-x7Kq2",
        check: is_topic,
    },
    limits: SendLimits {
        in_flight: 32,
        in_flight_per_group: 8,
        group: SlotGroup::Bot,
        in_flight_per_destination: 2,
        interval_us: 5_000_000,
        burst: 30,
    },
    provider_limits: &[
        ProviderLimit {
            figure: 60,
            unit: "requests at once of one address or user, then one in 5 seconds; a server's operator may change it",
            source: "https://docs.ntfy.sh/publish/#limitations",
        },
        ProviderLimit {
            figure: 250,
            unit: "messages a day on ntfy.sh without an account",
            source: "https://docs.ntfy.sh/publish/#limitations",
        },
    ],
    abilities: Abilities {
        edit: true,
        thread: false,
        digest_above: Some(10),
        answers: false,
        delivery_callbacks: false,
    },
    follows: Follows::SeverityChanges,
};

/// The names of topics that a server accepts.
fn is_topic(text: &str) -> bool {
    let is_of_a_topic =
        |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    (1..=64).contains(&text.len()) && text.chars().all(is_of_a_topic)
}
