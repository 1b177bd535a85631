//! What a channel declares of itself.

use schemars::JsonSchema;
use serde::Serialize;

use super::check::is_present;
use crate::HistoryKind;

/// The declaration of a channel.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChannelSpec {
    /// Its name for people.
    pub title: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Its icon: a line drawing of 16 by 16, as the `d` of an SVG path.
    pub icon: &'static str,
    /// The page of the provider that documents the API which it calls.
    pub reference: &'static str,
    /// Its bots: the credentials and settings that messages are sent with.
    pub bot: BotSpec,
    /// The destinations of its messages.
    pub destination: DestinationSpec,
    /// How much it sends at once, and how fast.
    pub limits: SendLimits,
    /// The provider's own limits, which `limits` respects.
    pub provider_limits: &'static [ProviderLimit],
    /// What it can do.
    pub abilities: Abilities,
    /// Which changes of an open alert it sends.
    pub follows: Follows,
}

/// The bots of a channel.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BotSpec {
    /// Whether a step needs a bot; if not, a channel without a bot sends without credentials.
    pub required: bool,
    /// The fields of a bot.
    pub fields: &'static [BotField],
}

/// A field of a bot, under `settings` or, if it is a secret, under `secrets`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BotField {
    /// Its key in the site document.
    pub key: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// What a value must be, as the object of "give …".
    pub expected: &'static str,
    /// Whether a bot needs it.
    pub required: bool,
    /// Whether it is encrypted at rest and never shown.
    pub secret: bool,
    /// The value when it is absent, if there is one.
    pub default: Option<&'static str>,
    /// Another field, without which this one has no meaning.
    pub only_with: Option<&'static str>,
    /// Whether a value, without the spaces around it, is what is expected.
    #[serde(skip)]
    pub check: fn(&str) -> bool,
}

impl BotField {
    /// A setting that may be absent, and whose value is any text: what a field has unless it says otherwise.
    pub(super) const SETTING: Self = Self {
        key: "",
        meaning: "",
        expected: "",
        required: false,
        secret: false,
        default: None,
        only_with: None,
        check: is_present,
    };

    /// The part of a bot that it belongs to.
    pub const fn part(&self) -> &'static str {
        if self.secret { "secrets" } else { "settings" }
    }
}

/// The destinations of a channel.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DestinationSpec {
    /// What a destination is, as the object of "give …".
    pub expected: &'static str,
    /// A destination.
    pub example: &'static str,
    /// Whether a text, without the spaces around it, can be a destination.
    #[serde(skip)]
    pub check: fn(&str) -> bool,
}

/// How much a channel sends at once, and how fast.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct SendLimits {
    /// Attempts in flight.
    pub in_flight: usize,
    /// Of those, in one group of destinations.
    pub in_flight_per_group: usize,
    /// Which destinations are a group.
    pub group: SlotGroup,
    /// Of those, at one destination.
    pub in_flight_per_destination: usize,
    /// Microseconds between two messages to one destination, on average.
    pub interval_us: u64,
    /// Messages to one destination at once after a pause.
    pub burst: u32,
}

/// Which destinations share slots, since one cause can make attempts to all of them hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotGroup {
    /// Those with the same scheme, host and port.
    Host,
    /// Those of the same bot.
    Bot,
}

/// A limit that the provider documents.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProviderLimit {
    /// The figure.
    pub figure: u32,
    /// What it counts.
    pub unit: &'static str,
    /// The page that documents it.
    pub source: &'static str,
}

/// What a channel can do.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Abilities {
    /// Later messages of an episode change the first one, where it is shown. A digest then stands only for alerts that a digest
    /// has opened, or the others would be shown in their old state for ever.
    pub edit: bool,
    /// Later messages of an episode refer to the provider's id of the first one.
    pub thread: bool,
    /// More pending notifications of one kind than these become one message; `null`: each has a message of its own.
    pub digest_above: Option<usize>,
    /// People can acknowledge from the message.
    pub answers: bool,
    /// The provider reports whether the message was delivered.
    pub delivery_callbacks: bool,
}

/// Which changes of an open alert a channel sends, beside its opening and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Follows {
    /// All changes: for receivers that are programs, or that see one message edited.
    AllChanges,
    /// Changes of the severity: each is a new message that interrupts a person.
    SeverityChanges,
}

impl Follows {
    /// Whether a change of this kind is sent.
    pub fn includes(self, cause: HistoryKind) -> bool {
        match self {
            Follows::AllChanges => true,
            Follows::SeverityChanges => cause == HistoryKind::SeverityChanged,
        }
    }
}
