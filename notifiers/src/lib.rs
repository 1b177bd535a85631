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
use schemas::Channel;
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub mod channels;
pub mod credentials;
pub mod delivery;
mod metrics;
#[cfg(test)]
mod samples;
pub mod sender;

use delivery::ChannelRuntime;
use metrics::NotifierMetrics;

/// The settings of the notifiers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the console is; messages link to `{console_url}/#alert={id}`.
    pub console_url: String,
    /// Whether channels may call configured URLs at private, loopback and link-local addresses.
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
    let mut deliveries = JoinSet::new();
    for channel in Channel::ALL {
        let sender = match channels::sender(channel, &settings, &context.clock) {
            Ok(sender) => sender,
            Err(error) => return no_http_client(&context, &error).await,
        };
        deliveries.spawn(delivery::run(ChannelRuntime {
            context: context.clone(),
            site: site.clone(),
            store: store.clone(),
            key: key.clone(),
            metrics: metrics.clone(),
            sender,
        }));
    }
    deliveries.join_all().await;
}

/// Reports until shutdown that no HTTP client can be made, which only a restart on a machine with certificates cures.
async fn no_http_client(context: &Context, error: &reqwest::Error) {
    tracing::error!(%error, "no HTTP client can be made: are the certificates of the machine installed?");
    let task = context.health.task("notifiers");
    task.waiting("HTTP client");
    context.shutdown.cancelled().await;
    task.ended();
}
