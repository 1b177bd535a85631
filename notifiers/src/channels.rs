//! The channels, one file each: how to compose the message of a notification, and how to read the provider's answer.
//!
//! Each has a pure `compose` that respects the provider's limits, and a `send` that makes one attempt. No channel knows
//! another; they share the wording of facts, cutting text, and HTTP clients and answers.

mod addresses;
pub mod email;
mod facts;
mod guarded;
mod http;
pub mod ntfy;
pub mod slack;
mod text;
pub mod webhook;

use std::sync::Arc;

use pipeline::Clock;
use schemas::Channel;

use crate::Settings;
use crate::sender::Sender;

/// The sender of a channel.
///
/// # Errors
///
/// When no HTTP client can be made, since the machine has no certificates.
pub fn sender(
    channel: Channel,
    settings: &Settings,
    clock: &Clock,
) -> Result<Arc<dyn Sender>, reqwest::Error> {
    let console_url = &settings.console_url;
    let allow_private = settings.allow_private_destinations;
    Ok(match channel {
        Channel::Webhook => Arc::new(webhook::WebhookSender::new(
            console_url,
            allow_private,
            clock.clone(),
        )?),
        Channel::Slack => Arc::new(slack::SlackSender::new(console_url)?),
        Channel::Email => Arc::new(email::EmailSender::new(console_url)),
        Channel::Ntfy => Arc::new(ntfy::NtfySender::new(console_url, allow_private, clock.clone())?),
    })
}
