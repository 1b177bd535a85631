//! A client of an MQTT broker: takes what is published to the topics that the site declares.
//!
//! A message is acknowledged when its alerts are safe, or when it was refused for good and kept. What the broker has no
//! acknowledgement of it sends again on the next connection, so a message may come twice, and never gets lost. One is
//! taken after the other: what is published in an order becomes alerts in that order.

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

use super::monitoring_system;
use crate::body::LARGEST;
use crate::call::Posted;
use crate::collector::Collector;
use crate::refusal::Refusal;
use crate::sources::mapping::TOPIC;

/// Where the same can be posted, with the source behind it.
const ADDRESS: &str = "/monitoring-system";
/// How often the broker hears of us, and we look whether the site declares other topics.
const KEEP_ALIVE_SECONDS: u16 = 5;
/// What is waited before the next attempt, to connect or to store.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The first packet says no more than that.
const AROUND_A_BODY: usize = 128 * 1024;
/// So many things can wait to be said to the broker: what comes in one read is acknowledged before the next.
const REQUESTS: usize = 4096;

/// Takes messages until shutdown. What is in hand then comes again.
pub(crate) async fn serve(collector: Arc<Collector>, context: Context, broker: MqttBroker) {
    let gauge = IntGauge::new(
        "reveille_collectors_mqtt_connected",
        "Whether the MQTT broker is connected.",
    );
    let door = Door {
        collector,
        connected: context.metrics.register(gauge),
        // The other doors work without a broker, so nobody waits for it.
        task: context.health.task("mqtt"),
    };
    context
        .shutdown
        .run_until_cancelled(door.connected_again_and_again(&broker))
        .await;
    door.connected.set(0);
    door.task.ended();
}

struct Door {
    collector: Arc<Collector>,
    connected: IntGauge,
    task: Task,
}

impl Door {
    async fn connected_again_and_again(&self, broker: &MqttBroker) {
        loop {
            self.task.progress();
            if self.collector.site().is_ok() {
                // A connection of its own each time: an acknowledgement that is left over from the last one might meet
                // another message.
                let error = match Session::new(broker) {
                    Ok(session) => self.hold(session).await,
                    Err(error) => error,
                };
                self.connected.set(0);
                tracing::warn!(host = broker.host, %error, "the MQTT broker is away");
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Takes what the broker sends, until the connection breaks.
    async fn hold(&self, mut session: Session) -> SessionError {
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
                tracing::info!("the MQTT broker is there");
                self.connected.set(1);
            }
            Event::Incoming(Incoming::SubAck(answer)) => session.answered(&answer),
            Event::Incoming(Incoming::Publish(message)) => {
                self.take(&message).await;
                session.client.try_ack(&message)?;
            }
            _ => {}
        }
        session.subscribe(self.topics())
    }

    /// What the site declares, as far as it is known.
    fn topics(&self) -> BTreeSet<String> {
        let site = self.collector.site().ok();
        let integrations = site.iter().flat_map(|site| site.integrations.values());
        integrations
            .flat_map(|integration| integration.mqtt_topics.clone())
            .collect()
    }

    /// Takes a message for all to whom it belongs.
    async fn take(&self, message: &Publish) {
        if message.payload.is_empty() {
            // That a retained message is deleted is told by an empty one.
            return;
        }
        let Ok(site) = self.collector.site() else { return };
        let topic = topic_of(message);
        let mut owners = site.integrations_of_topic(&topic).peekable();
        if owners.peek().is_none() {
            tracing::info!(
                %topic,
                "a message is nobody's: no integration declares its topic"
            );
        }
        for owner in owners {
            self.take_for(owner, message).await;
        }
    }

    /// Takes a message, until it is safe or refused for good.
    async fn take_for(&self, owner: &Arc<Integration>, message: &Publish) {
        while let Err(refusal) = self.taken(owner, message).await {
            let Some(after) = passes(&refusal) else {
                // Its publisher hears nothing of it.
                tracing::warn!(topic = %topic_of(message), %refusal, "a message was refused");
                return;
            };
            self.task.progress();
            tokio::time::sleep(after).await;
        }
    }

    async fn taken(&self, owner: &Arc<Integration>, message: &Publish) -> Result<(), Refusal> {
        let body = Body::from(message.payload.clone());
        let mut posted = Posted::bare(ADDRESS, body, message.payload.len());
        let topic = HeaderValue::from_bytes(&message.topic).ok();
        posted.headers.extend(topic.map(|topic| (TOPIC, topic)));
        let call = monitoring_system::call(&self.collector, &owner.source_type, posted);
        let mut call = match call {
            Ok(call) => call.again_at_its_source(),
            Err((refusal, body)) => return Err(self.collector.refuse(None, refusal, body).await),
        };
        call.sender = Some(Arc::clone(owner));
        self.collector.take(call).await.map(drop)
    }
}

/// The topic of a message, as text: MQTT has it in UTF-8.
fn topic_of(message: &Publish) -> Cow<'_, str> {
    String::from_utf8_lossy(&message.topic)
}

/// After which time the same message may be taken; never, if it is refused for good.
fn passes(refusal: &Refusal) -> Option<Duration> {
    match (refusal, refusal.status()) {
        (
            Refusal::RateLimited {
                retry_after_seconds, ..
            },
            _,
        ) => Some(Duration::from_secs(*retry_after_seconds).min(RETRY_AFTER)),
        (_, StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT) => Some(RETRY_AFTER),
        _ => None,
    }
}

/// One connection, and what is subscribed to on it.
struct Session {
    client: AsyncClient,
    events: EventLoop,
    subscribed: BTreeSet<String>,
    /// What was asked for, and not answered yet.
    asked: VecDeque<Vec<String>>,
}

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("{0}")]
    Connection(#[from] Box<ConnectionError>),
    #[error("too much is to be said to it: {0}")]
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
    /// The broker keeps messages for us while we are away, and waits for our acknowledgements.
    fn new(broker: &MqttBroker) -> Result<Self, SessionError> {
        let mut options = MqttOptions::new(&broker.client_id, (broker.host.as_str(), broker.port));
        options
            .set_keep_alive(KEEP_ALIVE_SECONDS)
            .set_clean_session(false)
            .set_ack_mode(AckMode::Manual)
            .set_max_packet_size(LARGEST + AROUND_A_BODY, AROUND_A_BODY);
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
            asked: VecDeque::new(),
        })
    }

    /// Subscribes to what is new among the topics, and ends what is not among them any more.
    fn subscribe(&mut self, topics: BTreeSet<String>) -> Result<(), SessionError> {
        let new: Vec<_> = topics.difference(&self.subscribed).cloned().collect();
        if !new.is_empty() {
            let filters = new.iter().cloned();
            self.client
                .try_subscribe_many(filters.map(|topic| SubscribeFilter::new(topic, QoS::AtLeastOnce)))?;
            self.asked.push_back(new);
        }
        for gone in self.subscribed.difference(&topics) {
            self.client.try_unsubscribe(gone)?;
        }
        self.subscribed = topics;
        Ok(())
    }

    /// The broker says which topics it lets us have.
    fn answered(&mut self, answer: &SubAck) {
        let asked = self.asked.pop_front().unwrap_or_default();
        for (topic, code) in asked.iter().zip(&answer.return_codes) {
            if *code == SubscribeReasonCode::Failure {
                tracing::error!(
                    topic,
                    "the MQTT broker refuses this topic; look at what it allows our user"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_is_tried_again_and_all_else_is_not() {
        let unavailable = Refusal::Unavailable("away".to_owned());
        assert_eq!(passes(&unavailable), Some(RETRY_AFTER));
        let limited = |retry_after_seconds| Refusal::RateLimited {
            limits: Default::default(),
            retry_after_seconds,
        };
        assert_eq!(passes(&limited(2)), Some(Duration::from_secs(2)));
        assert_eq!(passes(&limited(600)), Some(RETRY_AFTER));
        assert_eq!(passes(&Refusal::Key { what: "unknown" }), None);
    }
}
