//! What monitoring systems send becomes events on `alerts.collected`.
//!
//! An answer of 2xx, or its counterpart in SMTP, MQTT and Riemann's protocol, means that all events of the body are stored in
//! the log. Any other answer means that none is stored (or, after an error in the middle of storing, that sending the body
//! again does no harm); it names the reason and the remedy.

use std::sync::Arc;

use axum::Router;
use chassis::connections::Connections;
use chassis::mqtt::MqttBroker;
use chassis::secrets::SiteKey;
use domain::{AlertBounds, Site};
use pipeline::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::collector::Collector;
use crate::intake::sns::Sns;

mod collector;
mod endpoints;
mod intake;
mod listeners;
mod log_health;
mod metrics;
mod usage;

/// The collector of this process, behind all endpoints and listeners.
#[derive(Clone)]
pub struct Collectors {
    context: Context,
    collector: Arc<Collector>,
}

impl Collectors {
    /// To be called once per process, inside its runtime. `site_key` decrypts the signing secrets of integrations; without it
    /// requests that must be signed are refused. All bodies in work take at most `body_memory_bytes` together, and a quarter
    /// more while their key is not known.
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

    /// The HTTP endpoints.
    pub fn routes(&self) -> Router {
        endpoints::routes().with_state(Arc::clone(&self.collector))
    }

    /// Publishes the usage of keys until shutdown.
    pub async fn report_usage(self) {
        self.collector.report_usage().await;
    }

    /// Accepts mail by SMTP until shutdown. The key is in the address of the recipient.
    pub async fn serve_smtp(self, listener: TcpListener, connections: Connections) {
        listeners::smtp::serve(self.collector, self.context, listener, connections).await;
    }

    /// Ingests what is published to the MQTT topics that the site declares, until shutdown.
    pub async fn serve_mqtt(self, broker: MqttBroker) {
        listeners::mqtt::serve(self.collector, self.context, broker).await;
    }

    /// Serves Riemann's clients over TCP until shutdown. `key` is that of the integration to which all of them belong; without
    /// it each message must have one.
    pub async fn serve_riemann(self, listener: TcpListener, connections: Connections, key: Option<String>) {
        listeners::riemann::serve(self.collector, self.context, listener, connections, key).await;
    }
}

#[cfg(test)]
mod tests;
