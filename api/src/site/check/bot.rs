//! The bots of a document: in whose name a channel speaks.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::Channel;
use schemas::config::{Bot, ConfigEntry};

use super::{Check, nearest};
use crate::site::document::{BotText, Document, items};

/// What a bot of a channel can say of itself.
struct Fields {
    settings: &'static [&'static str],
    secrets: &'static [&'static str],
    /// Of those, what it must say, and in which part.
    needed: &'static [(&'static str, &'static str)],
}

const fn fields(channel: Channel) -> Fields {
    match channel {
        Channel::Webhook => Fields {
            settings: &[],
            secrets: &["signing_secret"],
            needed: &[],
        },
        Channel::Slack => Fields {
            settings: &["api_url"],
            secrets: &["token"],
            needed: &[("token", "secrets")],
        },
        Channel::Email => Fields {
            settings: &["host", "port", "tls", "username", "from", "ca_certificate"],
            secrets: &["password"],
            needed: &[("host", "settings"), ("from", "settings")],
        },
    }
}

impl Check<'_> {
    pub(super) fn bots(&mut self, document: &Document) {
        for text in items(&document.bots) {
            let channel: Option<Channel> = self.word(&text.channel);
            let sealed_secrets = self.sealed(text);
            let Some(channel) = channel else { continue };
            self.fields(channel, text);
            self.values(text);
            let settings = text.settings.iter();
            let bot = Bot {
                name: text.name.value.clone(),
                channel,
                settings: settings
                    .map(|(name, value)| (name.clone(), value.value.clone()))
                    .collect(),
                sealed_secrets,
            };
            self.add(&text.name, ConfigEntry::Bot(bot));
        }
    }

    /// What is there is known, and what is needed is there.
    fn fields(&mut self, channel: Channel, text: &BotText) {
        let fields = fields(channel);
        for (there, known, part) in [
            (&text.settings, fields.settings, "settings"),
            (&text.secrets, fields.secrets, "secrets"),
        ] {
            for (name, value) in there {
                if known.contains(&name.as_str()) {
                    continue;
                }
                let remedy = match nearest(name, known) {
                    Some(nearest) => format!("did you mean {nearest:?}?"),
                    None if known.is_empty() => "leave it out".to_owned(),
                    None => format!("there are {}", known.join(", ")),
                };
                let message = format!("a bot for {channel} has no {name:?} among its {part}");
                self.problem(value, message, remedy);
            }
        }
        for (name, part) in fields.needed {
            if !text.settings.contains_key(*name) && !text.secrets.contains_key(*name) {
                let message = format!("a bot for {channel} needs {name}");
                self.problem(&text.name, message, format!("add it under `{part}`"));
            }
        }
        let (username, password) = (text.settings.get("username"), text.secrets.get("password"));
        if let (Some(alone), None) | (None, Some(alone)) = (username, password) {
            let remedy = "give `username` under `settings` and `password` under `secrets`, or neither";
            self.problem(alone, "one without the other lets nobody in", remedy);
        }
    }

    /// Values that would only be found wrong when somebody is to be told.
    fn values(&mut self, text: &BotText) {
        type Right = fn(&str) -> bool;
        let rules: [(&str, Right, &str); 6] = [
            (
                "port",
                |port| port.parse::<u16>().is_ok_and(|port| port > 0),
                "a number from 1 to 65535",
            ),
            (
                "tls",
                |tls| ["none", "starttls", "implicit"].contains(&tls),
                "none, starttls or implicit",
            ),
            ("from", is_mailbox, "an address, such as reveille@example.org"),
            (
                "host",
                |host| !host.is_empty() && !host.contains([' ', '/']),
                "the name of a mail server",
            ),
            (
                "api_url",
                |url| url.starts_with("https://") || url.starts_with("http://"),
                "a URL, such as https://slack.com/api",
            ),
            (
                "signing_secret",
                are_signing_secrets,
                "base64, with or without whsec_ before it, or several such with spaces between them",
            ),
        ];
        for (name, right, wanted) in rules {
            let value = text.settings.get(name).or_else(|| text.secrets.get(name));
            if let Some(value) = value.filter(|value| !right(value.value.trim())) {
                // A secret is not repeated.
                let said = match text.secrets.contains_key(name) {
                    true => format!("this is no {name}"),
                    false => format!("{:?} is no {name}", value.value),
                };
                self.problem(value, said, format!("give {wanted}"));
            }
        }
        for (name, value) in &text.secrets {
            if value.value.trim().is_empty() {
                let remedy = "give it, or leave it out if the channel needs none";
                self.problem(value, format!("{name} is empty"), remedy);
            }
        }
    }

    fn sealed(&mut self, text: &BotText) -> BTreeMap<String, String> {
        let mut sealed = BTreeMap::new();
        for (name, secret) in &text.secrets {
            match self.key.seal(&secret.value) {
                Ok(secret) => drop(sealed.insert(name.clone(), secret)),
                Err(error) => self.problem(
                    &text.name,
                    error.to_string(),
                    "look at the secret key of this process",
                ),
            }
        }
        sealed
    }

    /// Why the channel has no such bot, and what to do about it. Without a name the channel's only bot is used; a
    /// webhook needs none if nothing is signed.
    pub(super) fn bot_of(&self, channel: Channel, name: Option<&str>) -> Option<(String, String)> {
        let bots = self.after.values().filter_map(|entry| match entry {
            ConfigEntry::Bot(bot) => Some(bot),
            _ => None,
        });
        let mut of_channel = bots.clone().filter(|bot| bot.channel == channel);
        match name {
            Some(name) => {
                let named = bots.clone().find(|bot| bot.name == name)?;
                (named.channel != channel).then(|| {
                    (
                        format!("bot {name:?} is one for {}", named.channel),
                        format!("name a bot for {channel}"),
                    )
                })
            }
            None => match (of_channel.next(), of_channel.next()) {
                (Some(_), Some(_)) => Some((
                    format!("there are several bots for {channel}"),
                    "name one with `bot`".to_owned(),
                )),
                (None, _) if channel != Channel::Webhook => Some((
                    format!("there is no bot for {channel}"),
                    "declare one under `bots`".to_owned(),
                )),
                _ => None,
            },
        }
    }
}

/// An address, or a name and an address in angle brackets.
fn is_mailbox(text: &str) -> bool {
    let address = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((_, address)) => address,
        None => text,
    };
    let parts = address.split_once('@');
    parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !address.contains(char::is_whitespace)
}

fn are_signing_secrets(text: &str) -> bool {
    let mut secrets = text.split_whitespace();
    secrets.all(|secret| {
        let key = secret.strip_prefix("whsec_").unwrap_or(secret);
        STANDARD.decode(key).is_ok_and(|key| !key.is_empty())
    })
}
