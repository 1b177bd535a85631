//! The channel `slack`: messages of a Slack app.

use super::check::{is_url, is_word};
use super::{
    Abilities, BotField, BotSpec, ChannelSpec, DestinationSpec, Follows, ProviderLimit, SendLimits, SlotGroup,
};

pub(super) const SPEC: ChannelSpec = ChannelSpec {
    title: "Slack",
    summary: "Posts a message to a Slack channel, edits it as the alert changes, and replies in its thread.",
    icon: "M6 2.5L4.8 13.5M11.2 2.5L10 13.5M2.8 5.8h11M2.2 10.2h11",
    reference: "https://docs.slack.dev/reference/methods/chat.postMessage",
    bot: BotSpec {
        required: true,
        fields: &[
            BotField {
                key: "api_url",
                meaning: "where Slack's API is, for gateways",
                expected: "a URL, such as https://slack.com/api",
                default: Some("https://slack.com/api"),
                check: is_url,
                ..BotField::SETTING
            },
            BotField {
                key: "token",
                meaning: "the app's bot token, with the scope chat:write",
                expected: "a token, such as xoxb-…",
                required: true,
                secret: true,
                ..BotField::SETTING
            },
        ],
    },
    destination: DestinationSpec {
        expected: "a Slack channel, such as \"#ops\" or C024BE91L",
        example: "#ops",
        check: is_word,
    },
    limits: SendLimits {
        in_flight: 64,
        in_flight_per_group: 32,
        group: SlotGroup::Bot,
        in_flight_per_destination: 4,
        interval_us: 1_000_000,
        burst: 5,
    },
    provider_limits: &[ProviderLimit {
        figure: 1,
        unit: "message per second and Slack channel, with short bursts above",
        source: "https://docs.slack.dev/apis/web-api/rate-limits",
    }],
    abilities: Abilities {
        edit: true,
        thread: true,
        digest_above: Some(20),
        answers: false,
        delivery_callbacks: false,
    },
    follows: Follows::AllChanges,
};
