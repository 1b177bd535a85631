use std::collections::BTreeSet;

use super::*;

#[test]
fn a_name_leads_to_its_channel_and_its_topics() {
    for channel in Channel::ALL {
        let name = channel.name();
        assert_eq!(name.parse(), Ok(channel));
        let json = serde_json::to_value(channel).unwrap();
        assert_eq!(json, name);
        assert_eq!(serde_json::from_value::<Channel>(json).unwrap(), channel);
        assert_eq!(channel.topic().name(), format!("notifications.{name}"));
        assert_eq!(channel.topic().dead_letters(), Some(channel.dead_letter_topic()));
        assert_eq!(channel.stage(), format!("notifiers.{name}"));
    }
    assert_eq!(
        "slak".parse::<Channel>().unwrap_err().to_string(),
        format!(
            "\"slak\" is not a channel: use {}",
            Channel::ALL.map(Channel::name).join(", ")
        )
    );
}

#[test]
fn every_channel_declares_what_its_readers_need() {
    for channel in Channel::ALL {
        let spec = channel.spec();
        assert!(
            spec.summary.ends_with('.') && !spec.title.is_empty() && spec.icon.starts_with('M'),
            "{channel}"
        );
        assert!(spec.reference.starts_with("https://"), "{channel}");
        assert!((spec.destination.check)(spec.destination.example), "{channel}");
        assert!(!(spec.destination.check)(""), "{channel}");
        let keys: BTreeSet<_> = spec.bot.fields.iter().map(|field| field.key).collect();
        assert_eq!(keys.len(), spec.bot.fields.len(), "{channel} has a field twice");
        for field in spec.bot.fields {
            let key = field.key;
            assert!(
                !key.is_empty() && !field.meaning.is_empty() && !field.expected.is_empty(),
                "{channel} {key}"
            );
            assert!(
                !field.required || (field.default.is_none() && spec.bot.required),
                "{channel} {key}"
            );
            assert!(field.default.is_none_or(field.check), "{channel} {key}");
            assert!(
                field.only_with.is_none_or(|other| keys.contains(other)),
                "{channel} {key}"
            );
        }
        let limits = spec.limits;
        assert!(
            limits.in_flight_per_destination <= limits.in_flight_per_group,
            "{channel}"
        );
        assert!(
            limits.in_flight_per_group <= limits.in_flight && limits.in_flight >= 8,
            "{channel}"
        );
        assert!(limits.burst > 0 && limits.interval_us > 0, "{channel}");
        for limit in spec.provider_limits {
            assert!(limit.source.starts_with("https://"), "{channel} {}", limit.unit);
        }
    }
}

#[test]
fn texts_that_are_no_values_are_known() {
    let field = |channel: Channel, key: &str| {
        let mut fields = channel.spec().bot.fields.iter();
        fields.find(|field| field.key == key).unwrap().check
    };
    for (channel, key, good, bad) in [
        (Channel::Email, "port", "587", "65536"),
        (Channel::Email, "tls", "implicit", "ssl"),
        (Channel::Email, "host", "smtp", "smtp/1"),
        (Channel::Email, "from", "On call <a@b>", "On call"),
        (Channel::Slack, "api_url", "http://gateway", "gateway"),
        (
            Channel::Webhook,
            "signing_secret",
            "whsec_c2Vjb25k c2Vjb25k",
            "secret",
        ),
    ] {
        assert!(field(channel, key)(good), "{channel} {key} {good}");
        assert!(!field(channel, key)(bad), "{channel} {key} {bad}");
    }
    let destination = |channel: Channel| channel.spec().destination.check;
    for (channel, bad) in [
        (Channel::Webhook, "ftp://a"),
        (Channel::Webhook, "https://"),
        (Channel::Slack, "two words"),
        (Channel::Email, "ann"),
        (Channel::Email, "@example.org"),
    ] {
        assert!(!destination(channel)(bad), "{channel} {bad}");
    }
}
