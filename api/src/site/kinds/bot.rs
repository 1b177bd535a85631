//! The bots of a document: the credentials of channels.

use std::collections::BTreeMap;

use schemas::Channel;
use schemas::channels::BotField;
use schemas::config::{Bot, ConfigEntry};
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::{Check, Kind, nearest};
use crate::site::document::{Document, items, place};

pub(super) const KIND: Kind = Kind {
    place: |document| place(&document.bots),
    declare: |check, document| check.bots(document),
    shown,
    ..Kind::new("bot", "bots")
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::site) struct BotText {
    name: Spanned<String>,
    channel: Spanned<String>,
    #[serde(default)]
    settings: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    secrets: BTreeMap<String, Spanned<String>>,
}

/// Of its secrets only the names are shown.
fn shown(entry: &ConfigEntry) -> Vec<Value> {
    let ConfigEntry::Bot(bot) = entry else {
        return Vec::new();
    };
    let secrets: Vec<_> = bot.sealed_secrets.keys().collect();
    vec![json!({ "name": bot.name, "channel": bot.channel, "settings": bot.settings, "secrets": secrets })]
}

impl Check<'_> {
    fn bots(&mut self, document: &Document) {
        for text in items(&document.bots) {
            let channel: Option<Channel> = self.parse_enum(&text.channel);
            let sealed_secrets = self.sealed(text);
            let Some(channel) = channel else { continue };
            self.fields(channel, text);
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

    /// Every field is one of the channel, and has a right value; none that is needed is missing.
    fn fields(&mut self, channel: Channel, text: &BotText) {
        let fields = channel.spec().bot.fields;
        for (given, is_secret) in [(&text.settings, false), (&text.secrets, true)] {
            let known: Vec<_> = fields.iter().filter(|field| field.secret == is_secret).collect();
            for (key, value) in given {
                match known.iter().find(|field| field.key == key) {
                    Some(field) => self.value(field, value),
                    None => self.unknown_field(channel, is_secret, (key, value), &known),
                }
            }
        }
        for field in fields {
            match (given(text, field), field.only_with) {
                (None, _) if field.required => {
                    let message = format!("a bot for {channel} needs {}", field.key);
                    let remedy = format!("add it under `{}`: {}", field.part(), field.expected);
                    self.problem(&text.name, message, remedy);
                }
                (Some(value), Some(other)) => self.only_with(fields, (field, value), other, text),
                _ => {}
            }
        }
    }

    fn unknown_field(
        &mut self,
        channel: Channel,
        is_secret: bool,
        (key, value): (&str, &Spanned<String>),
        known: &[&BotField],
    ) {
        let part = if is_secret { "secrets" } else { "settings" };
        let known: Vec<_> = known.iter().map(|field| field.key).collect();
        let remedy = match nearest(key, &known) {
            Some(nearest) => format!("did you mean {nearest:?}?"),
            None if known.is_empty() => "leave it out".to_owned(),
            None => format!("there are {}", known.join(", ")),
        };
        let message = format!("a bot for {channel} has no {key:?} among its {part}");
        self.problem(value, message, remedy);
    }

    /// Refuses a value that is wrong, which would otherwise show only when a message is sent. A secret is not repeated.
    fn value(&mut self, field: &BotField, value: &Spanned<String>) {
        let (key, text) = (field.key, value.value.trim());
        if field.secret && text.is_empty() {
            let remedy = "give it, or leave it out if the channel needs none";
            return self.problem(value, format!("{key} is empty"), remedy);
        }
        if !(field.check)(text) {
            let message = match field.secret {
                true => format!("this is no {key}"),
                false => format!("{text:?} is no {key}"),
            };
            self.problem(value, message, format!("give {}", field.expected));
        }
    }

    /// Refuses a field without the other one that gives it a meaning.
    fn only_with(
        &mut self,
        fields: &[BotField],
        (field, value): (&BotField, &Spanned<String>),
        other: &str,
        text: &BotText,
    ) {
        let other = fields.iter().find(|field| field.key == other);
        if let Some(other) = other.filter(|other| given(text, other).is_none()) {
            let message = format!(
                "`{}` needs `{}`: one without the other has no effect",
                field.key, other.key
            );
            let remedy = format!(
                "give `{}` under `{}`, or neither of them",
                other.key,
                other.part()
            );
            self.problem(value, message, remedy);
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
                    "check the secret key of this process",
                ),
            }
        }
        sealed
    }

    /// Why the channel has no such bot, and the remedy. Without a name the channel's only bot is used; some channels need
    /// none.
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
                (None, _) if channel.spec().bot.required => Some((
                    format!("there is no bot for {channel}"),
                    "declare one under `bots`".to_owned(),
                )),
                _ => None,
            },
        }
    }
}

/// The value of a field, where it belongs.
fn given<'a>(text: &'a BotText, field: &BotField) -> Option<&'a Spanned<String>> {
    let part = if field.secret {
        &text.secrets
    } else {
        &text.settings
    };
    part.get(field.key)
}
