//! The delivery loop that all channels share.
//!
//! It has two halves. The [`Stage`] reads notifications, stores them together with the position, and hands them to the
//! dispatcher. The [`dispatcher`] sends: the [`queue`] decides what is sent next; attempts run side by side; their results
//! are stored in batches, and their receipts published. Everything that a crash may interrupt is in the store, and an
//! attempt whose result is unknown is made again under the same id.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use chassis::secrets::SiteKey;
use domain::Site;
use jiff::Timestamp;
use pipeline::dead_letters::dead_letter;
use pipeline::log::{Batch, Positions, Received, Record};
use pipeline::restored::{self, Trail};
use pipeline::{Context, Stage, StageError, StageMetrics, runner};
use schemas::{Channel, Notification, ReceiptOutcome, Topic};
use store::{Claim, Delivery, DeliveryState, Store, StoreError};
use tokio::sync::watch;
use uuid::Uuid;

mod attempt;
mod backoff;
mod destination;
mod dispatcher;
mod lane;
mod limiter;
mod openings;
mod overflow;
mod pending;
mod publishing;
mod queue;
mod schedule;
mod slots;

#[cfg(test)]
mod tests;

pub(crate) use self::destination::State;
use self::dispatcher::{Dispatcher, Handle, READ_AT_ONCE};
use self::overflow::Overflow;
use self::pending::{Amount, Now, PendingNotification, endpoint};
use crate::metrics::NotifierMetrics;
use crate::sender::Sender;

/// How many notifications may be handed over to the dispatcher that it has not received yet; the others wait in the log.
const MAX_HANDED_OVER: usize = 10_000;

/// Everything that the delivery of a channel needs.
#[derive(Clone)]
pub struct ChannelRuntime {
    /// What all stages share.
    pub context: Context,
    /// The site, for the bots.
    pub site: watch::Receiver<Arc<Site>>,
    /// Where notifications are kept until they are delivered or have failed.
    pub store: Store,
    /// The key of the bots' secrets.
    pub key: SiteKey,
    /// The metrics of the notifiers.
    pub metrics: NotifierMetrics,
    /// Makes the attempts.
    pub sender: Arc<dyn Sender>,
}

impl ChannelRuntime {
    pub(crate) fn channel(&self) -> Channel {
        self.sender.channel()
    }

    fn topic(&self) -> Topic {
        self.channel().topic()
    }
}

/// Delivers the notifications of one channel until shutdown.
pub async fn run(runtime: ChannelRuntime) {
    let name = runtime.channel().stage();
    let context = runtime.context.clone();
    let metrics = StageMetrics::new(&context.metrics, name);
    let topics = [runtime.topic()];
    let (dispatcher, handle) = Dispatcher::new(runtime.clone());
    let stage = async {
        let owner = Uuid::now_v7().to_string();
        let make = {
            let metrics = metrics.clone();
            move || Notifier {
                runtime: runtime.clone(),
                handle: handle.clone(),
                metrics: metrics.clone(),
                owner: owner.clone(),
                assigned: BTreeSet::new(),
                claims: BTreeMap::new(),
                doubtful: BTreeSet::new(),
                dead_lettered: BTreeMap::new(),
            }
        };
        runner::run(context, name, name, &topics, metrics, make).await;
    };
    tokio::join!(stage, dispatcher.run());
}

/// One membership in the group of a channel's notifiers.
struct Notifier {
    runtime: ChannelRuntime,
    handle: Handle,
    metrics: StageMetrics,
    owner: String,
    assigned: BTreeSet<u32>,
    claims: BTreeMap<u32, Claim>,
    /// Notifications of a transaction whose end is unknown: the store may have them, the dispatcher has not.
    doubtful: BTreeSet<Uuid>,
    /// Up to where each partition's unusable messages are kept as dead letters.
    dead_lettered: BTreeMap<u32, u64>,
}

#[async_trait]
impl Stage for Notifier {
    async fn assigned(&mut self, partitions: &[u32]) -> Result<Positions, StageError> {
        if self.runtime.site.borrow().revision.is_none() {
            return Err(StageError::Unavailable {
                dependency: "configuration",
                error: "the site was not read yet".to_owned(),
            });
        }
        self.assigned.extend(partitions);
        let topic = self.runtime.topic();
        let mut positions = Positions::new();
        for partition in partitions {
            let claim = self.claim(*partition).await?;
            // A partition that was never read begins at the oldest record, not at the group's position in the log.
            positions.insert(
                (topic, *partition),
                claim.positions.get(&topic).copied().unwrap_or(0),
            );
        }
        Ok(positions)
    }

    async fn revoked(&mut self, partitions: &[u32]) {
        self.assigned.retain(|partition| !partitions.contains(partition));
        self.claims.retain(|partition, _| !partitions.contains(partition));
        self.handle.release(partitions).await;
    }

    async fn process(&mut self, batch: &Batch) -> Result<(), StageError> {
        let claim = self
            .claims
            .get_mut(&batch.partition)
            .ok_or(StageError::Fenced(batch.partition))?;
        if let Some(last) = batch.records.last() {
            let mut trail = Trail::from_text(claim.trails.get(&batch.topic));
            trail.read_to(last);
            claim.trails.insert(batch.topic, trail.to_text());
        }
        let claim = claim.clone();
        let handed_over = self.handle.handed_over();
        if handed_over >= MAX_HANDED_OVER {
            return Err(StageError::Unavailable {
                dependency: self.runtime.channel().name(),
                error: format!("{handed_over} notifications are handed over to it and not received yet"),
            });
        }
        let done = claim.positions.get(&batch.topic).copied().unwrap_or(0);
        let now = Now::of(&self.runtime.context.clock);
        let (read, unusable) = read(batch, done, self.runtime.channel());
        self.write_dead_letter(batch, &unusable, now.wall).await?;
        let new = self.new_ones(read).await?;
        let notifications: Vec<_> = new.iter().map(|(notification, _)| notification.clone()).collect();
        let position = (batch.topic, batch.next_offset());
        if let Err(error) = self.runtime.store.accept(&claim, &notifications, position).await {
            // It may be unknown whether the transaction was committed; it is idempotent.
            self.doubtful.extend(
                notifications
                    .iter()
                    .map(|notification| notification.notification_id),
            );
            return Err(unavailable(error));
        }
        self.doubtful.clear();
        let taken_in = new.iter().map(|(notification, record)| {
            (
                Arc::new(endpoint(notification)),
                PendingNotification::new(notification, record, now),
            )
        });
        self.handle.accept(batch.partition, taken_in.collect());
        Ok(())
    }

    fn wake_at(&self) -> Option<Timestamp> {
        self.handle.fenced(&self.assigned).map(|_| Timestamp::MIN)
    }

    async fn wake(&mut self) -> Result<(), StageError> {
        match self.handle.fenced(&self.assigned) {
            Some(partition) => Err(StageError::Fenced(partition)),
            None => Ok(()),
        }
    }

    fn commits_to_log(&self) -> bool {
        false
    }
}

impl Notifier {
    /// Takes a partition over, with everything that its owner before has left.
    async fn claim(&mut self, partition: u32) -> Result<Claim, StageError> {
        // Nothing may be in flight from an earlier claim, or it would be sent twice at once.
        self.handle.release(&[partition]).await;
        let runtime = &self.runtime;
        let mut claim = runtime
            .store
            .claim(runtime.channel().stage(), partition, &self.owner)
            .await
            .map_err(unavailable)?;
        compare_with_log(runtime, &mut claim).await?;
        let published = self.publish_outbox(&claim).await?;
        let mut taken_over = Vec::new();
        let mut held: HashMap<_, Amount> = HashMap::new();
        let mut in_all = Amount::default();
        let mut left = Overflow::default();
        let now = Now::of(&runtime.context.clock);
        let mut after = Some(0);
        while let Some(from) = after {
            let page = runtime.store.unfinished(&claim, from, READ_AT_ONCE).await;
            let page = page.map_err(unavailable)?;
            self.publish_leftovers(&claim, &page.deliveries).await?;
            let deliveries = page.deliveries.iter();
            for delivery in deliveries.filter(|delivery| delivery.state == DeliveryState::Pending) {
                let endpoint = Arc::new(endpoint(&delivery.notification));
                let there = held.entry(Arc::clone(&endpoint)).or_default();
                if !left.takes(partition, &endpoint, *there, in_all) {
                    continue;
                }
                match PendingNotification::taken_over(delivery, now) {
                    Ok(pending) => {
                        let amount = Amount::of([&pending]);
                        *there += amount;
                        in_all += amount;
                        taken_over.push((endpoint, pending));
                    }
                    Err(error) => tracing::error!(%error, "a stored notification has no JSON form"),
                }
            }
            after = page.next;
        }
        self.handle.take(claim.clone(), taken_over, left, published);
        self.claims.insert(partition, claim.clone());
        Ok(claim)
    }

    /// Publishes the rows of the outbox that the owner before has left; answers the rows.
    async fn publish_outbox(&self, claim: &Claim) -> Result<Vec<i64>, StageError> {
        let rows = self.runtime.store.outbox(claim).await.map_err(unavailable)?;
        for row in &rows {
            publishing::publish(&self.runtime.context, &row.messages).await?;
        }
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// Publishes the receipts that a version before has stored beside their deliveries, and forgets them.
    async fn publish_leftovers(&self, claim: &Claim, unfinished: &[Delivery]) -> Result<(), StageError> {
        let (mut published, mut messages) = (Vec::new(), Vec::new());
        let now = Now::of(&self.runtime.context.clock);
        for delivery in unfinished {
            let Some(receipt) = &delivery.receipt else {
                continue;
            };
            published.push(receipt.notification_id);
            if let (ReceiptOutcome::Failed { error, .. }, Ok(pending)) =
                (&receipt.outcome, PendingNotification::taken_over(delivery, now))
            {
                let destination = &delivery.notification.destination;
                messages.extend(publishing::dead_letter_message(
                    self.runtime.topic(),
                    destination,
                    &pending,
                    error,
                    now.wall,
                ));
            }
            messages.push(publishing::message(receipt, None));
        }
        if published.is_empty() {
            return Ok(());
        }
        publishing::publish(&self.runtime.context, &messages).await?;
        let forgotten = self.runtime.store.forget_receipts(claim, &published);
        forgotten.await.map_err(unavailable)
    }

    /// Leaves out the notifications that are known already: the daemon may publish one twice.
    async fn new_ones<'a>(
        &self,
        read: Vec<(Notification, &'a Received)>,
    ) -> Result<Vec<(Notification, &'a Received)>, StageError> {
        let ids: Vec<_> = read
            .iter()
            .map(|(notification, _)| notification.notification_id)
            .collect();
        let known = self.runtime.store.known(&ids).await.map_err(unavailable)?;
        let mut known: BTreeSet<_> = known
            .into_iter()
            .filter(|id| !self.doubtful.contains(id))
            .collect();
        Ok(read
            .into_iter()
            .filter(|(notification, _)| known.insert(notification.notification_id))
            .collect())
    }

    /// Keeps what cannot be used as dead letters, once however often the batch is handed over.
    async fn write_dead_letter(
        &mut self,
        batch: &Batch,
        unusable: &[(&Received, String)],
        now: Timestamp,
    ) -> Result<(), StageError> {
        let stage = self.runtime.channel().stage();
        let done = self.dead_lettered.get(&batch.partition).copied().unwrap_or(0);
        let mut records: Vec<Record> = Vec::new();
        for (record, error) in unusable.iter().filter(|(record, _)| record.offset >= done) {
            tracing::error!(topic = %batch.topic, offset = record.offset, error, "a message becomes a dead letter");
            self.metrics.error("dead_letter");
            records.extend(dead_letter(batch, record, stage, error, now).map(|(_, record)| record));
        }
        if let (Some(topic), false) = (batch.topic.dead_letters(), records.is_empty()) {
            self.runtime.context.log.append(topic, records).await?;
        }
        self.dead_lettered.insert(batch.partition, batch.next_offset());
        Ok(())
    }
}

impl Drop for Notifier {
    /// A membership that has ended, for any cause, sends nothing more.
    fn drop(&mut self) {
        let partitions: Vec<_> = self.assigned.iter().copied().collect();
        self.handle.release_now(&partitions);
    }
}

/// Goes back to the position that a restored log still has. What is read again is known by its id.
async fn compare_with_log(runtime: &ChannelRuntime, claim: &mut Claim) -> Result<(), StageError> {
    let topic = runtime.topic();
    let Some(position) = claim.positions.get(&topic).copied() else {
        return Ok(());
    };
    let (stage, position_of) = (runtime.channel().stage(), (topic, claim.partition));
    let mut trail = Trail::from_text(claim.trails.get(&topic));
    let resumed_at = restored::checked(&runtime.context, stage, position_of, position, &mut trail).await?;
    claim.positions.insert(topic, resumed_at);
    claim.trails.insert(topic, trail.to_text());
    Ok(())
}

/// Notifications with their records, and the records that hold none, with the error.
type Sorted<'a> = (Vec<(Notification, &'a Received)>, Vec<(&'a Received, String)>);

/// Sorts the records of a batch from `done` on into notifications of this channel and unusable records.
fn read(batch: &Batch, done: u64, channel: Channel) -> Sorted<'_> {
    let (mut notifications, mut unusable) = (Vec::new(), Vec::new());
    for record in batch.records.iter().filter(|record| record.offset >= done) {
        match parse(record, channel) {
            Ok(notification) => notifications.push((notification, record)),
            Err(error) => unusable.push((record, error)),
        }
    }
    (notifications, unusable)
}

fn parse(record: &Received, channel: Channel) -> Result<Notification, String> {
    let value = record
        .value
        .as_deref()
        .ok_or("the message is empty: expected a notification")?;
    let notification: Notification = serde_json::from_slice(value)
        .map_err(|error| format!("the message is not a notification: {error}"))?;
    if notification.channel != channel {
        return Err(format!(
            "channel is {}, but this is the topic of {channel}",
            notification.channel
        ));
    }
    Ok(notification)
}

fn unavailable(error: StoreError) -> StageError {
    match error {
        StoreError::Fenced(partition) => StageError::Fenced(partition),
        other => StageError::Unavailable {
            dependency: "database",
            error: other.to_string(),
        },
    }
}
