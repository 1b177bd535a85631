//! The credentials that a message is sent with.

use std::collections::BTreeMap;
use std::fmt;

use chassis::secrets::SiteKey;
use domain::Site;
use schemas::Channel;
use schemas::config::Bot;

/// The settings and the opened secrets of a bot. Secrets are not shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    settings: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
}

impl Credentials {
    /// Credentials of these settings and secrets.
    pub const fn new(settings: BTreeMap<String, String>, secrets: BTreeMap<String, String>) -> Self {
        Self { settings, secrets }
    }

    /// A setting, if it is there and not empty.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A setting, or else the default that the channel declares; empty when it declares none.
    pub fn setting_or_default(&self, channel: Channel, name: &str) -> &str {
        let declared = channel.spec().bot.fields.iter().find(|field| field.key == name);
        self.setting(name)
            .or_else(|| declared?.default)
            .unwrap_or_default()
    }

    /// A secret, if it is there and not empty.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.secrets
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The credentials for a channel: of the named bot, or of the channel's only one. A channel that needs no bot has empty
    /// credentials without one. The error says what is missing and how to correct it.
    pub(crate) fn find(
        site: &Site,
        channel: Channel,
        bot: Option<&str>,
        key: &SiteKey,
    ) -> Result<Self, String> {
        match (site.bot(channel, bot), bot) {
            (Some(bot), _) => Self::open(bot, key),
            (None, Some(name)) => Err(format!(
                "there is no {channel} bot {name}: declare it under `bots`"
            )),
            (None, None) => {
                let bots = site.bots.values().filter(|bot| bot.channel == channel).count();
                match (bots, channel.spec().bot.required) {
                    (0, false) => Ok(Self::default()),
                    (0, true) => Err(format!(
                        "no {channel} bot is configured: declare one under `bots`"
                    )),
                    _ => Err(format!(
                        "there are {bots} {channel} bots: name one in the scenario's step"
                    )),
                }
            }
        }
    }

    fn open(bot: &Bot, key: &SiteKey) -> Result<Self, String> {
        let mut secrets = BTreeMap::new();
        for (name, sealed) in &bot.sealed_secrets {
            let secret = key
                .open(sealed)
                .map_err(|error| format!("{name} of the bot {}: {error}", bot.name))?;
            secrets.insert(name.clone(), secret);
        }
        Ok(Self {
            settings: bot.settings.clone(),
            secrets,
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("settings", &self.settings)
            .field("secrets", &self.secrets.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use schemas::config::ConfigEntry;

    use super::*;

    fn site(bots: &[(&str, Channel)]) -> (Site, SiteKey) {
        let key = SiteKey::from_bytes([7; 32]);
        let mut site = Site::default();
        for (name, channel) in bots {
            let bot = Bot {
                name: (*name).to_owned(),
                channel: *channel,
                settings: BTreeMap::new(),
                sealed_secrets: BTreeMap::from([("token".to_owned(), key.seal("xoxb-1").unwrap())]),
            };
            site.apply(&format!("bot/{name}"), Some(ConfigEntry::Bot(bot)));
        }
        (site, key)
    }

    #[test]
    fn the_only_bot_of_the_channel_is_used_and_its_secrets_are_opened_but_not_shown() {
        let (site, key) = site(&[("a", Channel::Slack)]);
        let found = Credentials::find(&site, Channel::Slack, None, &key).unwrap();
        assert_eq!(found.secret("token"), Some("xoxb-1"));
        assert!(!format!("{found:?}").contains("xoxb-1"));
    }

    #[test]
    fn what_is_missing_is_said_with_the_remedy() {
        let (site, key) = site(&[("a", Channel::Slack), ("b", Channel::Slack)]);
        let error = |channel, bot| Credentials::find(&site, channel, bot, &key).unwrap_err();
        assert_eq!(
            error(Channel::Email, None),
            "no email bot is configured: declare one under `bots`"
        );
        assert_eq!(
            error(Channel::Slack, Some("c")),
            "there is no slack bot c: declare it under `bots`"
        );
        assert_eq!(
            error(Channel::Slack, None),
            "there are 2 slack bots: name one in the scenario's step"
        );
        let other_key = SiteKey::from_bytes([8; 32]);
        let error = Credentials::find(&site, Channel::Slack, Some("a"), &other_key).unwrap_err();
        assert!(error.starts_with("token of the bot a: "), "{error}");
    }

    #[test]
    fn webhooks_need_no_bot_unless_one_is_named() {
        let (site, key) = site(&[]);
        assert_eq!(
            Credentials::find(&site, Channel::Webhook, None, &key),
            Ok(Credentials::default())
        );
        assert!(Credentials::find(&site, Channel::Webhook, Some("a"), &key).is_err());
    }
}
