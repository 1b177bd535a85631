//! What a channel is asked and what it answers.

use std::time::Duration;

use async_trait::async_trait;
use schemas::{Channel, Notification};
use uuid::Uuid;

use crate::credentials::Credentials;

/// Says one thing at one destination, once.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Which channel this is.
    fn channel(&self) -> Channel;

    /// Whether the provider gives its messages ids, which later messages refer to.
    fn gives_references(&self) -> bool {
        true
    }

    /// Makes one attempt, without retries of its own.
    async fn send(&self, errand: &Errand<'_>) -> Answer;
}

/// What is to be said, where, and in whose name.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    /// What is to be said.
    pub told: Told<'a>,
    /// A URL, a Slack channel, an e-mail address.
    pub destination: &'a str,
    /// In whose name.
    pub credentials: &'a Credentials,
    /// The provider's id of the message that opened this alert's episode here, if there is one. Never with a digest.
    pub opened_as: Option<&'a str>,
}

/// What is to be said.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// One notification.
    One(&'a Notification),
    /// Several of one kind in one message; never empty.
    Digest {
        /// Deterministic: the same notifications have the same id.
        id: Uuid,
        /// The notifications, all of one kind.
        of: &'a [Notification],
    },
}

/// What one attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The provider took it.
    Sent {
        /// The provider's id of the message, if it gives one.
        reference: Option<String>,
    },
    /// Not now.
    Transient {
        /// How long the provider wants to be left alone, if it says so.
        after: Option<Duration>,
        /// What went wrong.
        error: String,
        /// The message may have arrived all the same: the answer was lost, or says nothing about it.
        perhaps_delivered: bool,
    },
    /// There is no such destination, or it does not want us.
    BadDestination(String),
    /// The bot's credentials or settings are missing or wrong; somebody has to put them right.
    BadCredentials(String),
    /// The provider will never take this message.
    Refused(String),
}
