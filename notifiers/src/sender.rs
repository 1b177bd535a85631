//! The contract between the delivery loop and a channel.

use std::time::Duration;

use async_trait::async_trait;
use schemas::{Channel, Notification};
use uuid::Uuid;

use crate::credentials::Credentials;

/// Sends the messages of one channel.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Which channel this is.
    fn channel(&self) -> Channel;

    /// Makes one attempt, without retries of its own. It may be dropped at any await, after its time limit at the latest.
    async fn send(&self, request: &SendRequest<'_>) -> SendResult;
}

/// One message to send.
#[derive(Debug, Clone, Copy)]
pub struct SendRequest<'a> {
    /// The content.
    pub payload: Payload<'a>,
    /// The address, in the form of the channel.
    pub destination: &'a str,
    /// The credentials of the bot.
    pub credentials: &'a Credentials,
    /// The provider's id of the message that opened this alert's episode here, if there is one. Never with a digest.
    pub thread_ref: Option<&'a str>,
}

/// The content of a message.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
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

/// The result of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendResult {
    /// The provider accepted the message.
    Sent {
        /// The provider's id of the message, if it gives one.
        reference: Option<String>,
    },
    /// It failed, and a later attempt may succeed.
    Transient {
        /// The pause that the provider asks for, if any.
        after: Option<Duration>,
        /// What went wrong.
        error: String,
        /// The message may have been delivered all the same: the answer was lost, or leaves it open.
        maybe_delivered: bool,
    },
    /// The destination does not exist, or refuses our messages.
    BadDestination(String),
    /// The bot's credentials or settings are missing or wrong; an operator has to correct them.
    BadCredentials(String),
    /// The provider will never accept this message.
    Refused(String),
}
