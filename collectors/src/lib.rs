//! Monitoring systems post here; what they say goes to `alerts.collected`.
//!
//! An answer of 2xx, or what stands for it where a sender does not speak HTTP, means that every alert of the body is
//! safe in the log. All other answers mean that none was taken (or, when the log broke off in the middle, that sending
//! the same again does no harm), and say why and what to do.

use std::sync::Arc;

use axum::Router;
use chassis::connections::Connections;
use chassis::mqtt::MqttBroker;
use chassis::secrets::SiteKey;
use chassis::settings::AlertBounds;
use domain::Site;
use pipeline::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::collector::Collector;
use crate::sns::Sns;

mod accept;
mod body;
mod bounds;
mod budget;
mod call;
mod collector;
mod doors;
mod kept;
mod key;
mod limit;
mod measure;
mod open_alerts;
mod pace;
mod parsing;
mod presence;
mod query;
mod refusal;
mod signature;
mod sns;
pub mod sources;
pub mod trial;
mod usage;
mod work;

/// What takes alerts in, whichever door they come through.
#[derive(Clone)]
pub struct Collectors {
    context: Context,
    collector: Arc<Collector>,
}

impl Collectors {
    /// The site's key opens the secrets that senders sign with; without it those who must sign are refused. To be made
    /// once per process, inside its runtime. All bodies in work together take `body_memory_bytes`, and a quarter more while
    /// their key is not known.
    pub fn new(
        context: Context,
        site: watch::Receiver<Arc<Site>>,
        site_key: Option<SiteKey>,
        bounds: AlertBounds,
        body_memory_bytes: usize,
    ) -> Self {
        Self::within(context, site, site_key, bounds, Sns::default(), body_memory_bytes)
    }

    fn within(
        context: Context,
        site: watch::Receiver<Arc<Site>>,
        site_key: Option<SiteKey>,
        bounds: AlertBounds,
        sns: Sns,
        body_memory_bytes: usize,
    ) -> Self {
        let collector = Collector::new(context.clone(), site, site_key, bounds, sns, body_memory_bytes);
        Self {
            collector: Arc::new(collector),
            context,
        }
    }

    /// The addresses that monitoring systems post to.
    pub fn routes(&self) -> Router {
        doors::routes().with_state(Arc::clone(&self.collector))
    }

    /// Tells how the keys of senders are used, until shutdown.
    pub async fn tell_usage(self) {
        self.collector.tell_usage().await;
    }

    /// Takes mail, until shutdown. The key stands in the address of the recipient.
    pub async fn serve_smtp(self, listener: TcpListener, connections: Connections) {
        doors::smtp::serve(self.collector, self.context, listener, connections).await;
    }

    /// Takes what is published to the topics that the site declares, until shutdown.
    pub async fn serve_mqtt(self, broker: MqttBroker) {
        doors::mqtt::serve(self.collector, self.context, broker).await;
    }

    /// Takes what Riemann's clients send over TCP, until shutdown. `key` is the integration's to which all of them
    /// belong; without it each message shows one.
    pub async fn serve_riemann(self, listener: TcpListener, connections: Connections, key: Option<String>) {
        doors::riemann::serve(self.collector, self.context, listener, connections, key).await;
    }
}

#[cfg(test)]
mod tests;
