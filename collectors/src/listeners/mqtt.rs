//! A client of an MQTT broker, subscribed to the topics that the site declares.
//!
//! A message is acknowledged when its events are stored, or when it is refused for good and stored as rejected. The broker
//! sends a message without acknowledgement again on the next connection, so messages may come twice and none is lost. They
//! are ingested one after the other, in the order in which they were published.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use chassis::mqtt::MqttBroker;
use pipeline::Context;
use pipeline::health::Task;
use prometheus::IntGauge;
use rumqttc::{
    AckMode, AsyncClient, ClientBuildError, ClientError, ConnectionError, Event, EventLoop, Incoming,
    MqttOptions, Publish, QoS, SubAck, SubscribeFilter, SubscribeReasonCode, TlsConfiguration, Transport,
};
use schemas::config::Integration;
use sources::mapping::TOPIC;

use crate::collector::Collector;
use crate::intake::body::MAX_BODY_BYTES;
use crate::intake::error::IngestError;
use crate::intake::request::IncomingRequest;

/// Where a stored message can be posted again, followed by its source.
const ADDRESS: &str = "/monitoring-system";
/// The keep-alive of MQTT, and how often the topics that the site declares are compared with the subscriptions.
const KEEP_ALIVE_SECONDS: u16 = 5;
/// The wait before the next attempt to connect or to store.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// What a packet may have besides its body.
const PACKET_OVERHEAD_BYTES: usize = 128 * 1024;
/// How many packets may wait to be sent: those that one read brings are acknowledged before the next read.
const REQUESTS: usize = 4096;

/// Ingests messages until shutdown. The broker sends the message that is in work then again.
pub(crate) async fn serve(collector: Arc<Collector>, context: Context, broker: MqttBroker) {
    let gauge = IntGauge::new(
        "reveille_collectors_mqtt_connected",
        "Whether the MQTT broker is connected.",
    );
    let listener = Listener {
        collector,
        connected: context.metrics.register(gauge),
        // Readiness does not depend on it: endpoints and the other listeners work without a broker.
        task: context.health.task("mqtt"),
    };
    context
        .shutdown
        .run_until_cancelled(listener.reconnect_loop(&broker))
        .await;
    listener.connected.set(0);
    listener.task.ended();
}

struct Listener {
    collector: Arc<Collector>,
    connected: IntGauge,
    task: Task,
}

impl Listener {
    async fn reconnect_loop(&self, broker: &MqttBroker) {
        loop {
            self.task.progress();
            if self.collector.site().is_ok() {
                // A new client for each connection, as an acknowledgement that is left over from the last one could match
                // another message.
                let error = match Session::new(broker) {
                    Ok(session) => self.run(session).await,
                    Err(error) => error,
                };
                self.connected.set(0);
                tracing::warn!(host = broker.host, %error, "the MQTT broker is unavailable");
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Ingests what the broker sends, until the connection breaks.
    async fn run(&self, mut session: Session) -> SessionError {
        loop {
            match self.step(&mut session).await {
                Ok(()) => self.task.progress(),
                Err(error) => return error,
            }
        }
    }

    async fn step(&self, session: &mut Session) -> Result<(), SessionError> {
        match session.events.poll().await? {
            Event::Incoming(Incoming::ConnAck(_)) => {
                tracing::info!("the MQTT broker is connected");
                self.connected.set(1);
            }
            Event::Incoming(Incoming::SubAck(answer)) => session.on_suback(&answer),
            Event::Incoming(Incoming::Publish(message)) => {
                self.ingest(&message).await;
                session.client.try_ack(&message)?;
            }
            _ => {}
        }
        session.subscribe(self.topics())
    }

    /// The topics that the site declares.
    fn topics(&self) -> BTreeSet<String> {
        let site = self.collector.site().ok();
        let integrations = site.iter().flat_map(|site| site.integrations.values());
        integrations
            .flat_map(|integration| integration.mqtt_topics.clone())
            .collect()
    }

    /// Ingests a message for each integration that declares its topic.
    async fn ingest(&self, message: &Publish) {
        if message.payload.is_empty() {
            // An empty message deletes a retained one.
            return;
        }
        let Ok(site) = self.collector.site() else { return };
        let topic = topic_of(message);
        let mut owners = site.integrations_of_topic(&topic).peekable();
        if owners.peek().is_none() {
            tracing::info!(
                %topic,
                "a message is ignored, as no integration declares its topic"
            );
        }
        for owner in owners {
            self.ingest_for(owner, message).await;
        }
    }

    /// Ingests a message, with retries until it is stored or refused for good.
    async fn ingest_for(&self, owner: &Arc<Integration>, message: &Publish) {
        while let Err(error) = self.try_ingest(owner, message).await {
            let Some(after) = retry_after(&error) else {
                // Its publisher gets no answer.
                tracing::warn!(topic = %topic_of(message), %error, "a message was refused");
                return;
            };
            self.task.progress();
            tokio::time::sleep(after).await;
        }
    }

    async fn try_ingest(&self, owner: &Arc<Integration>, message: &Publish) -> Result<(), IngestError> {
        let body = Body::from(message.payload.clone());
        let mut incoming = IncomingRequest::bare(ADDRESS, body, message.payload.len());
        let topic = HeaderValue::from_bytes(&message.topic).ok();
        incoming.headers.extend(topic.map(|topic| (TOPIC, topic)));
        let request = self.collector.request_to(&owner.source_type, incoming);
        let mut request = match request {
            Ok(request) => request.replayed_at_its_source(),
            Err((error, body)) => return Err(self.collector.reject(None, error, body).await),
        };
        request.sender = Some(Arc::clone(owner));
        self.collector.ingest(request).await.map(drop)
    }
}

/// The topic of a message, as text: MQTT has it in UTF-8.
fn topic_of(message: &Publish) -> Cow<'_, str> {
    String::from_utf8_lossy(&message.topic)
}

/// The wait before the same message is tried again; `None` if it is refused for good.
fn retry_after(error: &IngestError) -> Option<Duration> {
    match (error, error.status()) {
        (
            IngestError::RateLimited {
                retry_after_seconds, ..
            },
            _,
        ) => Some(Duration::from_secs(*retry_after_seconds).min(RETRY_AFTER)),
        (_, StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT) => Some(RETRY_AFTER),
        _ => None,
    }
}

/// One connection and its subscriptions.
struct Session {
    client: AsyncClient,
    events: EventLoop,
    subscribed: BTreeSet<String>,
    /// The topics of each subscription that is not acknowledged yet.
    unanswered: VecDeque<Vec<String>>,
}

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("{0}")]
    Connection(#[from] Box<ConnectionError>),
    #[error("too many packets wait to be sent: {0}")]
    Client(#[from] Box<ClientError>),
    #[error("the client cannot be built: {0}")]
    Build(#[from] ClientBuildError),
}

impl From<ConnectionError> for SessionError {
    fn from(error: ConnectionError) -> Self {
        Box::new(error).into()
    }
}

impl From<ClientError> for SessionError {
    fn from(error: ClientError) -> Self {
        Box::new(error).into()
    }
}

impl Session {
    /// The session is persistent: the broker keeps messages while this client is disconnected, until they are acknowledged.
    fn new(broker: &MqttBroker) -> Result<Self, SessionError> {
        let mut options = MqttOptions::new(&broker.client_id, (broker.host.as_str(), broker.port));
        options
            .set_keep_alive(KEEP_ALIVE_SECONDS)
            .set_clean_session(false)
            .set_ack_mode(AckMode::Manual)
            .set_max_packet_size(MAX_BODY_BYTES + PACKET_OVERHEAD_BYTES, PACKET_OVERHEAD_BYTES);
        if let Some((user, password)) = &broker.credentials {
            options.set_credentials(user, password.clone());
        }
        if let Some(tls) = &broker.tls {
            let tls = TlsConfiguration::Rustls(Arc::clone(tls));
            options.set_transport(Transport::tls_with_config(tls));
        }
        let (client, events) = AsyncClient::builder(options).capacity(REQUESTS).try_build()?;
        Ok(Self {
            client,
            events,
            subscribed: BTreeSet::new(),
            unanswered: VecDeque::new(),
        })
    }

    /// Subscribes to new topics, and unsubscribes from those that are not among them any more.
    fn subscribe(&mut self, topics: BTreeSet<String>) -> Result<(), SessionError> {
        let new: Vec<_> = topics.difference(&self.subscribed).cloned().collect();
        if !new.is_empty() {
            let filters = new.iter().cloned();
            self.client
                .try_subscribe_many(filters.map(|topic| SubscribeFilter::new(topic, QoS::AtLeastOnce)))?;
            self.unanswered.push_back(new);
        }
        for gone in self.subscribed.difference(&topics) {
            self.client.try_unsubscribe(gone)?;
        }
        self.subscribed = topics;
        Ok(())
    }

    /// Logs the topics that the broker refuses.
    fn on_suback(&mut self, answer: &SubAck) {
        let topics = self.unanswered.pop_front().unwrap_or_default();
        for (topic, code) in topics.iter().zip(&answer.return_codes) {
            if *code == SubscribeReasonCode::Failure {
                tracing::error!(
                    topic,
                    "the MQTT broker refuses this topic; check the permissions of the user of this client"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_can_pass_are_tried_again_and_others_are_not() {
        let unavailable = IngestError::Unavailable("away".to_owned());
        assert_eq!(retry_after(&unavailable), Some(RETRY_AFTER));
        let limited = |retry_after_seconds| IngestError::RateLimited {
            limits: Default::default(),
            retry_after_seconds,
        };
        assert_eq!(retry_after(&limited(2)), Some(Duration::from_secs(2)));
        assert_eq!(retry_after(&limited(600)), Some(RETRY_AFTER));
        assert_eq!(retry_after(&IngestError::Key { what: "unknown" }), None);
    }
}
