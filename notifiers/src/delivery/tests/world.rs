use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chassis::secrets::SiteKey;
use domain::Site;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Follower, From, Received};
use pipeline::runner::Context;
use pipeline::{Clock, Log, Metrics, Record, Steady};
use schemas::config::{Bot, ConfigEntry, Revision};
use schemas::{Channel, Fingerprint, Notification, NotificationKind, Receipt, ReceiptOutcome, Topic};
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::delivery::{ChannelRuntime, run};
use crate::metrics::NotifierMetrics;
use crate::samples;
use crate::sender::{Payload, SendRequest, SendResult, Sender};

/// An attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    /// Since the world began.
    pub(super) at: Duration,
    pub(super) ids: Vec<Uuid>,
    pub(super) kind: NotificationKind,
    pub(super) thread_ref: Option<String>,
    pub(super) destination: String,
}

type Script = dyn Fn(&Made) -> (Duration, SendResult) + Send + Sync;

/// A provider that answers by a script, after a time.
struct Provider {
    channel: Channel,
    clock: Clock,
    start: Steady,
    script: Mutex<Arc<Script>>,
    made: Mutex<Vec<Made>>,
}

#[async_trait]
impl Sender for Provider {
    fn channel(&self) -> Channel {
        self.channel
    }

    async fn send(&self, request: &SendRequest<'_>) -> SendResult {
        let notifications = match request.payload {
            Payload::One(one) => std::slice::from_ref(one),
            Payload::Digest { of, .. } => of,
        };
        let made = Made {
            at: self.clock.steady().since(self.start),
            ids: notifications.iter().map(|one| one.notification_id).collect(),
            kind: notifications[0].kind,
            thread_ref: request.thread_ref.map(str::to_owned),
            destination: request.destination.to_owned(),
        };
        let script = Arc::clone(&self.script.lock().unwrap());
        let (wait, answer) = script(&made);
        self.made.lock().unwrap().push(made);
        tokio::time::sleep(wait).await;
        answer
    }
}

pub(super) struct World {
    pub(super) log: SimulatedLog,
    pub(super) store: Store,
    pub(super) channel: Channel,
    pub(super) clock: Clock,
    site: watch::Sender<Arc<Site>>,
    provider: Arc<Provider>,
    receipts: Box<dyn Follower>,
    seen: Vec<Receipt>,
    running: Option<(tokio_util::sync::CancellationToken, JoinHandle<()>)>,
}

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

impl World {
    pub(super) async fn new(channel: Channel) -> Self {
        Self::with_partitions(channel, 1).await
    }

    pub(super) async fn with_partitions(channel: Channel, partitions: u32) -> Self {
        let start = samples::at("2026-09-01T10:00:01Z");
        let clock = Clock::simulated(start);
        let log = SimulatedLog::new(partitions);
        let receipts = log
            .follow(Topic::NOTIFICATIONS_RECEIPTS, From::Start)
            .await
            .unwrap();
        let provider = Provider {
            channel,
            clock: clock.clone(),
            start: clock.steady(),
            script: Mutex::new(Arc::new(|made: &Made| (SECOND / 10, sent(made)))),
            made: Mutex::default(),
        };
        let mut world = Self {
            log,
            store: Store::in_memory().await.unwrap(),
            channel,
            clock,
            site: watch::channel(Arc::new(site(&["bot"], channel))).0,
            provider: Arc::new(provider),
            receipts,
            seen: Vec::new(),
            running: None,
        };
        world.start();
        world
    }

    pub(super) fn start(&mut self) {
        let metrics = Metrics::new();
        let shutdown = tokio_util::sync::CancellationToken::new();
        let runtime = ChannelRuntime {
            context: Context {
                metrics: metrics.clone(),
                shutdown: shutdown.clone(),
                ..Context::new(Arc::new(self.log.clone()), self.clock.clone())
            },
            site: self.site.subscribe(),
            store: self.store.clone(),
            key: key(),
            metrics: NotifierMetrics::new(&metrics),
            sender: Arc::clone(&self.provider) as Arc<dyn Sender>,
        };
        self.running = Some((shutdown, tokio::spawn(run(runtime))));
    }

    pub(super) async fn stop(&mut self) {
        let (shutdown, running) = self.running.take().unwrap();
        shutdown.cancel();
        running.await.unwrap();
    }

    /// Aborts it at an arbitrary point.
    pub(super) async fn kill(&mut self) {
        let (_, running) = self.running.take().unwrap();
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
    }

    /// How the provider answers from now on, at once.
    pub(super) fn script(&self, script: impl Fn(&Made) -> SendResult + Send + Sync + 'static) {
        self.slow_script(move |made| (Duration::ZERO, script(made)));
    }

    /// How the provider answers from now on, and after which time.
    pub(super) fn slow_script(
        &self,
        script: impl Fn(&Made) -> (Duration, SendResult) + Send + Sync + 'static,
    ) {
        *self.provider.script.lock().unwrap() = Arc::new(script);
    }

    pub(super) fn bots(&self, bots: &[&str]) {
        self.site.send_replace(Arc::new(site(bots, self.channel)));
    }

    pub(super) async fn publish(&self, notifications: &[Notification]) {
        let records = notifications.iter().map(|notification| Record {
            key: notification.destination.clone(),
            value: Some(serde_json::to_vec(notification).unwrap().into()),
            headers: Vec::new(),
        });
        self.log
            .append(self.channel.topic(), records.collect())
            .await
            .unwrap();
    }

    /// The attempts until now.
    pub(super) fn made(&self) -> Vec<Made> {
        self.provider.made.lock().unwrap().clone()
    }

    /// Waits until there are so many receipts.
    pub(super) async fn receipts(&mut self, count: usize) -> Vec<Receipt> {
        while self.seen.len() < count {
            let batch = self.receipts.next();
            let batch = tokio::time::timeout(200 * HOUR, batch).await;
            let batch =
                batch.unwrap_or_else(|_| panic!("only {} receipts: {:#?}", self.seen.len(), self.seen));
            for record in batch.unwrap().records {
                self.seen
                    .push(serde_json::from_slice(record.value.as_deref().unwrap()).unwrap());
            }
        }
        self.seen.clone()
    }

    /// Waits until each of these notifications is resolved, and answers the outcomes by id.
    pub(super) async fn ends(&mut self, of: &[Notification]) -> BTreeMap<Uuid, ReceiptOutcome> {
        let mut count = 0;
        loop {
            let receipts = self.receipts(count).await;
            count = receipts.len() + 1;
            let ends: BTreeMap<_, _> = receipts
                .into_iter()
                .filter(|receipt| !matches!(receipt.outcome, ReceiptOutcome::Retrying { .. }))
                .map(|receipt| (receipt.notification_id, receipt.outcome))
                .collect();
            if of
                .iter()
                .all(|notification| ends.contains_key(&notification.notification_id))
            {
                return ends;
            }
        }
    }

    pub(super) fn dead_letters(&self) -> Vec<Received> {
        self.log.records(self.channel.dead_letter_topic())
    }
}

fn key() -> SiteKey {
    SiteKey::from_bytes([7; 32])
}

fn site(bots: &[&str], channel: Channel) -> Site {
    let mut site = Site::default();
    for name in bots {
        let bot = Bot {
            name: (*name).to_owned(),
            channel,
            settings: BTreeMap::new(),
            sealed_secrets: BTreeMap::from([("token".to_owned(), key().seal("xoxb-1").unwrap())]),
        };
        site.apply(&format!("bot/{name}"), Some(ConfigEntry::Bot(bot)));
    }
    site.apply(
        "revision/site",
        Some(ConfigEntry::Revision(Revision { revision: 1 })),
    );
    site
}

pub(super) fn sent(made: &Made) -> SendResult {
    SendResult::Sent {
        reference: Some(format!("C1:{}", made.ids[0].as_u128())),
    }
}

pub(super) fn away() -> SendResult {
    SendResult::Transient {
        after: None,
        error: "away".to_owned(),
        maybe_delivered: false,
    }
}

/// A notification of the first episode of an alert.
pub(super) fn notification(
    channel: Channel,
    alert: u32,
    sequence: u32,
    kind: NotificationKind,
) -> Notification {
    let mut notification = samples::notification(sequence, kind);
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&alert.to_be_bytes());
    notification.fingerprint = Fingerprint::from_bytes(bytes);
    notification.alert.fingerprint = notification.fingerprint;
    notification.notification_id = Uuid::from_u128(u128::from(alert) * 100 + u128::from(sequence));
    notification.channel = channel;
    notification.destination = "#ops".to_owned();
    notification
}

pub(super) fn opens(channel: Channel, alerts: std::ops::Range<u32>) -> Vec<Notification> {
    alerts
        .map(|alert| notification(channel, alert, 1, NotificationKind::Open))
        .collect()
}
