//! The page of the channels says what they declare.
//!
//! `make schemas` (or `UPDATE_SCHEMAS=1 cargo test -p schemas`) writes it anew after a change of a declaration.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of it is test code, also what is outside the test functions"
)]

use std::fs;
use std::path::{Path, PathBuf};

use schemas::Channel;
use schemas::channels::{BotField, ChannelSpec, Follows, SlotGroup};

const BEGIN: &str = "<!-- Generated from schemas/src/channels by `make schemas`; edit there. -->\n";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The generated part of the page.
fn generated() -> String {
    let mut page = BEGIN.to_owned();
    for channel in Channel::ALL {
        page.push_str(&section(channel, channel.spec()));
    }
    page
}

fn section(channel: Channel, spec: &ChannelSpec) -> String {
    let limits = spec.limits;
    let group = match limits.group {
        SlotGroup::Host => "host",
        SlotGroup::Bot => "bot",
    };
    let digests = match spec.abilities.digest_above {
        Some(above) => format!("more than {above} pending messages of one kind become one"),
        None => "every notification is a message of its own".to_owned(),
    };
    let mut text = format!(
        "\n## {}: `{channel}`\n\n{} [Reference]({}).\n\n* Destination: {}.\n",
        spec.title, spec.summary, spec.reference, spec.destination.expected
    );
    text.push_str(&format!(
        "* Rate of each destination: one message in {}, and {} at once after a pause; {digests}.\n",
        interval(limits.interval_us),
        limits.burst
    ));
    for limit in spec.provider_limits {
        text.push_str(&format!(
            "* Limit of the provider: {} {} ([source]({})).\n",
            limit.figure, limit.unit, limit.source
        ));
    }
    text.push_str(&format!(
        "* Attempts in flight: {}; for one {group} {}; for one destination {}.\n",
        limits.in_flight, limits.in_flight_per_group, limits.in_flight_per_destination
    ));
    text.push_str(&format!(
        "* Sends: the opening, the end, and {}.\n",
        follows(spec.follows)
    ));
    text.push_str(&format!("* Can: {}.\n", abilities(spec)));
    text.push_str(&format!(
        "* Topics: `{}`, `{}`.\n",
        channel.topic(),
        channel.dead_letter_topic()
    ));
    text.push_str(match spec.bot.required {
        true => "* Bot: required.\n",
        false => "* Bot: optional.\n",
    });
    if docs().join(format!("channels/{channel}.md")).exists() {
        text.push_str(&format!("* More: [{}](channels/{channel}.md).\n", spec.title));
    }
    text.push_str("\n| Field of the bot | Part | | Meaning |\n|---|---|---|---|\n");
    for field in spec.bot.fields {
        text.push_str(&row(field));
    }
    text
}

fn row(field: &BotField) -> String {
    let required = match (field.required, field.default, field.only_with) {
        (true, ..) => "required".to_owned(),
        (_, Some(default), _) => format!("`{default}` when absent"),
        (_, _, Some(other)) => format!("only with `{other}`"),
        _ => "optional".to_owned(),
    };
    format!(
        "| `{}` | `{}` | {required} | {}: {} |\n",
        field.key,
        field.part(),
        field.meaning,
        field.expected
    )
}

fn interval(us: u64) -> String {
    match us {
        1_000_000.. => format!("{} s", us / 1_000_000),
        1_000.. => format!("{} ms", us / 1_000),
        _ => format!("{us} µs"),
    }
}

const fn follows(follows: Follows) -> &'static str {
    match follows {
        Follows::AllChanges => "all changes between",
        Follows::SeverityChanges => "changes of the severity",
    }
}

fn abilities(spec: &ChannelSpec) -> String {
    let all = [
        (spec.abilities.edit, "edit the first message"),
        (spec.abilities.thread, "refer to the first message"),
        (spec.abilities.answers, "take answers"),
        (spec.abilities.delivery_callbacks, "learn of the delivery"),
    ];
    let can: Vec<_> = all
        .iter()
        .filter(|(can, _)| *can)
        .map(|(_, what)| *what)
        .collect();
    if can.is_empty() {
        "send".to_owned()
    } else {
        can.join(", ")
    }
}

#[test]
fn the_page_of_the_channels_is_what_they_declare() {
    let path = docs().join("channels.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, found) = page.split_at(page.find(BEGIN).unwrap_or(page.len()));
    let expected = generated();
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&path, format!("{head}{expected}")).unwrap();
    } else {
        assert!(
            found == expected,
            "docs/channels.md is out of date: run `make schemas`\n{expected}"
        );
    }
}
