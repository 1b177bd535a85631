//! Delivers `notifications.*`, and publishes receipts.
//!
//! A channel ([`channels`], one file each) composes the message of one notification and reads the provider's answer to one
//! attempt. Everything else is written once, for all channels ([`delivery`]): retries, rate limits, the order per
//! destination and alert, digests, receipts and dead letters. Pending notifications are in the store, so a notifier may be
//! killed at any instruction: the next owner of the partition continues with the same ids, by which receivers deduplicate.

use std::sync::Arc;

use chassis::secrets::SiteKey;
use domain::Site;
use pipeline::Context;
use store::Store;
use tokio::sync::watch;

pub mod channels;
pub mod credentials;
pub mod delivery;
mod metrics;
#[cfg(test)]
mod samples;
pub mod sender;

use channels::email::EmailSender;
use channels::slack::SlackSender;
use channels::webhook::WebhookSender;
use delivery::ChannelRuntime;
use metrics::NotifierMetrics;

/// The settings of the notifiers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the console is; messages link to `{console_url}/#alert={id}`.
    pub console_url: String,
    /// Whether webhooks may be sent to private, loopback and link-local addresses.
    pub allow_private_destinations: bool,
}

/// Runs the notifiers of all channels until shutdown.
pub async fn run(
    context: Context,
    site: watch::Receiver<Arc<Site>>,
    store: Store,
    key: SiteKey,
    settings: Settings,
) {
    let metrics = NotifierMetrics::new(&context.metrics);
    let clock = context.clock.clone();
    let console_url = settings.console_url;
    let runtime = |sender: Arc<dyn sender::Sender>| ChannelRuntime {
        context: context.clone(),
        site: site.clone(),
        store: store.clone(),
        key: key.clone(),
        metrics: metrics.clone(),
        sender,
    };
    let webhook = match WebhookSender::new(&console_url, settings.allow_private_destinations, clock) {
        Ok(sender) => runtime(Arc::new(sender)),
        Err(error) => return broken(&context, &error).await,
    };
    let slack = match SlackSender::new(&console_url) {
        Ok(sender) => runtime(Arc::new(sender)),
        Err(error) => return broken(&context, &error).await,
    };
    let email = runtime(Arc::new(EmailSender::new(&console_url)));
    tokio::join!(delivery::run(webhook), delivery::run(slack), delivery::run(email));
}

/// Without certificates of the machine no HTTP client can be made. Only a new start helps, so the process shows it.
async fn broken(context: &Context, error: &reqwest::Error) {
    tracing::error!(%error, "no HTTP client can be made: are the certificates of the machine installed?");
    let task = context.health.task("notifiers");
    task.waiting("HTTP client");
    context.shutdown.cancelled().await;
    task.ended();
}
