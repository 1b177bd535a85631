//! The channels: each declares itself once, in a file of its own.
//!
//! Topics, names of stages, checks of the site document, rate limits, documentation, `GET /api/v1/channels` and the console's
//! forms are read from here. The sending half of a channel is `notifiers/src/channels/NAME.rs`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod check;
mod email;
mod ntfy;
mod slack;
mod spec;
mod webhook;

pub use spec::{
    Abilities, BotField, BotSpec, ChannelSpec, DestinationSpec, Follows, ProviderLimit, SendLimits, SlotGroup,
};

use crate::Topic;

/// Makes [`Channel`] of a list of `Variant = name`, where `name` is the module with the constant `SPEC`.
macro_rules! channels {
    ($($variant:ident = $name:ident),+ $(,)?) => {
        /// A way to notify people or systems.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Channel {
            $($variant),+
        }

        impl Channel {
            /// How many there are.
            pub const COUNT: usize = [$(stringify!($name)),+].len();
            /// All of them.
            pub const ALL: [Channel; Self::COUNT] = [$(Channel::$variant),+];

            /// Its name, in site documents, messages and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Channel::$variant => stringify!($name)),+
                }
            }

            /// What it declares of itself.
            pub const fn spec(self) -> &'static ChannelSpec {
                match self {
                    $(Channel::$variant => &$name::SPEC),+
                }
            }

            /// The name of the stage that delivers it, of that stage's consumer group and of its rows in the store.
            pub const fn stage(self) -> &'static str {
                match self {
                    $(Channel::$variant => concat!("notifiers.", stringify!($name))),+
                }
            }

            /// The topic of its notifications.
            pub const fn topic(self) -> Topic {
                match self {
                    $(Channel::$variant => Topic::named(concat!("notifications.", stringify!($name)))),+
                }
            }

            /// The topic of its dead letters.
            pub const fn dead_letter_topic(self) -> Topic {
                match self {
                    $(Channel::$variant => Topic::named(concat!("notifications.", stringify!($name), ".dlq"))),+
                }
            }
        }
    };
}

channels! {
    Webhook = webhook,
    Slack = slack,
    Email = email,
    Ntfy = ntfy,
}

/// The text is not the name of a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a channel: use {names}", names = Channel::ALL.map(Channel::name).join(", "))]
pub struct InvalidChannel(pub String);

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Channel {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.name() == text)
            .ok_or_else(|| InvalidChannel(text.to_owned()))
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A name, not a list of names: a reader of messages goes on when a channel is added.
impl JsonSchema for Channel {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Channel".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Name of a channel; `GET /api/v1/channels` lists them",
            "pattern": "^[a-z][a-z0-9_]*$"
        })
    }
}

#[cfg(test)]
mod tests;
