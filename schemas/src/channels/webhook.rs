//! The channel `webhook`: signed HTTP calls, as Standard Webhooks has them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::check::is_url;
use super::{Abilities, BotField, BotSpec, ChannelSpec, DestinationSpec, Follows, SendLimits, SlotGroup};

pub(super) const SPEC: ChannelSpec = ChannelSpec {
    title: "Webhook",
    summary: "Posts JSON to a URL, signed as Standard Webhooks has it.",
    icon: "M5 12.5L2.5 8 5 3.5M11 3.5L13.5 8 11 12.5M9 4l-2 8",
    reference: "https://www.standardwebhooks.com",
    bot: BotSpec {
        required: false,
        fields: &[BotField {
            key: "signing_secret",
            meaning: "what calls are signed with; two secrets with a space between sign twice, so that a secret can be replaced",
            expected: "base64, with or without whsec_ before it, or several such with spaces between them",
            secret: true,
            check: are_signing_secrets,
            ..BotField::SETTING
        }],
    },
    destination: DestinationSpec {
        expected: "a URL, such as https://example.org/hook",
        example: "https://example.org/hook",
        check: is_url,
    },
    limits: SendLimits {
        in_flight: 256,
        in_flight_per_group: 128,
        group: SlotGroup::Host,
        in_flight_per_destination: 64,
        interval_us: 50,
        burst: 1_000,
    },
    provider_limits: &[],
    abilities: Abilities {
        edit: false,
        thread: false,
        digest_above: None,
        answers: false,
        delivery_callbacks: false,
    },
    follows: Follows::AllChanges,
};

fn are_signing_secrets(text: &str) -> bool {
    let mut secrets = text.split_whitespace();
    secrets.all(|secret| {
        let key = secret.strip_prefix("whsec_").unwrap_or(secret);
        STANDARD.decode(key).is_ok_and(|key| !key.is_empty())
    })
}
