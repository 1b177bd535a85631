//! The one delivery loop, for all channels.
//!
//! It has two halves. The [`Stage`] reads notifications, puts them into the store together with the position, and hands
//! them to the courier. The [`courier`] sends: it decides by the [`queue`] what goes next, lets so many attempts run at
//! once, writes what became of them in batches, publishes the receipts and forgets them. Everything that a crash may
//! interrupt is in the store, and an attempt whose end nobody knows is made again under the same id.

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
mod courier;
mod destination;
mod lane;
mod limiter;
mod overflow;
mod publishing;
mod queue;
mod schedule;
mod slots;
mod waiting;

#[cfg(test)]
mod tests;

use self::courier::{Courier, Handle, READ_AT_ONCE};
pub(crate) use self::destination::State;
use self::overflow::Overflow;
use self::waiting::{Amount, Now, Waiting, place};
use crate::answer::Sender;
use crate::metrics::NotifierMetrics;

/// How many notifications may be on the way to the courier, which takes them at once; the others wait in the log.
const ORDERED: usize = 10_000;

/// Everything that a channel's delivery needs.
#[derive(Clone)]
pub struct Desk {
    /// What all stages share.
    pub context: Context,
    /// The site, for the bots.
    pub site: watch::Receiver<Arc<Site>>,
    /// Where notifications are kept while they are in the channel's hands.
    pub store: Store,
    /// The key of the bots' secrets.
    pub key: SiteKey,
    /// What is measured.
    pub metrics: NotifierMetrics,
    /// The channel.
    pub sender: Arc<dyn Sender>,
}

impl Desk {
    pub(crate) fn channel(&self) -> Channel {
        self.sender.channel()
    }

    fn topic(&self) -> Topic {
        Topic::notifications(self.channel())
    }
}

/// Delivers the notifications of one channel until shutdown.
pub async fn run(desk: Desk) {
    let name = name(desk.channel());
    let context = desk.context.clone();
    let metrics = StageMetrics::new(&context.metrics, name);
    let topics = [desk.topic()];
    let (courier, handle) = Courier::new(desk.clone());
    let stage = async {
        let owner = Uuid::now_v7().to_string();
        let make = {
            let metrics = metrics.clone();
            move || Notifier {
                desk: desk.clone(),
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
    tokio::join!(stage, courier.run());
}

/// The name of the stage, of its group and of its rows in the store.
const fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Webhook => "notifiers.webhook",
        Channel::Slack => "notifiers.slack",
        Channel::Email => "notifiers.email",
    }
}

/// One membership in the group of a channel's notifiers.
struct Notifier {
    desk: Desk,
    handle: Handle,
    metrics: StageMetrics,
    owner: String,
    assigned: BTreeSet<u32>,
    claims: BTreeMap<u32, Claim>,
    /// What the store may have accepted although it did not say so. It was not handed to the courier.
    doubtful: BTreeSet<Uuid>,
    /// Up to where each partition's unusable messages are kept as dead letters.
    dead_lettered: BTreeMap<u32, u64>,
}

#[async_trait]
impl Stage for Notifier {
    async fn assigned(&mut self, partitions: &[u32]) -> Result<Positions, StageError> {
        if self.desk.site.borrow().revision.is_none() {
            return Err(StageError::Unavailable {
                dependency: "configuration",
                error: "the site was not read yet".to_owned(),
            });
        }
        self.assigned.extend(partitions);
        let topic = self.desk.topic();
        let mut positions = Positions::new();
        for partition in partitions {
            let claim = self.claim(*partition).await?;
            // A partition that was never read begins at the oldest record, whatever the log remembers of the group.
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
        let ordered = self.handle.ordered();
        if ordered >= ORDERED {
            return Err(StageError::Unavailable {
                dependency: self.desk.channel().name(),
                error: format!("{ordered} notifications are on the way to it already"),
            });
        }
        let done = claim.positions.get(&batch.topic).copied().unwrap_or(0);
        let now = Now::of(&self.desk.context.clock);
        let (read, unusable) = read(batch, done, self.desk.channel());
        self.write_dead_letter(batch, &unusable, now.wall).await?;
        let new = self.new_ones(read).await?;
        let notifications: Vec<_> = new.iter().map(|(notification, _)| notification.clone()).collect();
        let position = (batch.topic, batch.next_offset());
        if let Err(error) = self.desk.store.accept(&claim, &notifications, position).await {
            // Whether the transaction took place may be unknown, but doing it again does no harm.
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
                Arc::new(place(notification)),
                Waiting::new(notification, record, now),
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
    /// Takes a partition over, with everything that the one before has left.
    async fn claim(&mut self, partition: u32) -> Result<Claim, StageError> {
        // Nothing may be under way from an earlier claim, or it would be sent twice at once.
        self.handle.release(&[partition]).await;
        let desk = &self.desk;
        let mut claim = desk
            .store
            .claim(name(desk.channel()), partition, &self.owner)
            .await
            .map_err(unavailable)?;
        compare_with_log(desk, &mut claim).await?;
        let published = self.publish_outbox(&claim).await?;
        let mut taken_over = Vec::new();
        let mut held: HashMap<_, Amount> = HashMap::new();
        let mut in_all = Amount::default();
        let mut left = Overflow::default();
        let now = Now::of(&desk.context.clock);
        let mut after = Some(0);
        while let Some(from) = after {
            let page = desk.store.unfinished(&claim, from, READ_AT_ONCE).await;
            let page = page.map_err(unavailable)?;
            self.publish_leftovers(&claim, &page.deliveries).await?;
            let pending = page.deliveries.iter();
            for delivery in pending.filter(|delivery| delivery.state == DeliveryState::Pending) {
                let place = Arc::new(place(&delivery.notification));
                let there = held.entry(Arc::clone(&place)).or_default();
                if !left.takes(partition, &place, *there, in_all) {
                    continue;
                }
                match Waiting::taken_over(delivery, now) {
                    Ok(waiting) => {
                        let amount = Amount::of([&waiting]);
                        *there += amount;
                        in_all += amount;
                        taken_over.push((place, waiting));
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

    /// Publishes what the owner before did not say to have published; answers the rows of the outbox.
    async fn publish_outbox(&self, claim: &Claim) -> Result<Vec<i64>, StageError> {
        let rows = self.desk.store.outbox(claim).await.map_err(unavailable)?;
        for row in &rows {
            publishing::publish(&self.desk.context, &row.messages).await?;
        }
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// Publishes the receipts that a version before has stored beside their deliveries, and forgets them.
    async fn publish_leftovers(&self, claim: &Claim, unfinished: &[Delivery]) -> Result<(), StageError> {
        let (mut published, mut messages) = (Vec::new(), Vec::new());
        let now = Now::of(&self.desk.context.clock);
        for delivery in unfinished {
            let Some(receipt) = &delivery.receipt else {
                continue;
            };
            published.push(receipt.notification_id);
            if let (ReceiptOutcome::Failed { error, .. }, Ok(waiting)) =
                (&receipt.outcome, Waiting::taken_over(delivery, now))
            {
                let destination = &delivery.notification.destination;
                messages.extend(dead_letter_message(
                    self.desk.topic(),
                    destination,
                    &waiting,
                    error,
                    now.wall,
                ));
            }
            messages.push(publishing::message(receipt, None));
        }
        if published.is_empty() {
            return Ok(());
        }
        publishing::publish(&self.desk.context, &messages).await?;
        let forgotten = self.desk.store.forget_receipts(claim, &published);
        forgotten.await.map_err(unavailable)
    }

    /// Leaves out what is in the channel's hands already, or was: the daemon may say things twice.
    async fn new_ones<'a>(
        &self,
        read: Vec<(Notification, &'a Received)>,
    ) -> Result<Vec<(Notification, &'a Received)>, StageError> {
        let ids: Vec<_> = read
            .iter()
            .map(|(notification, _)| notification.notification_id)
            .collect();
        let known = self.desk.store.known(&ids).await.map_err(unavailable)?;
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
        let stage = name(self.desk.channel());
        let done = self.dead_lettered.get(&batch.partition).copied().unwrap_or(0);
        let mut records: Vec<Record> = Vec::new();
        for (record, error) in unusable.iter().filter(|(record, _)| record.offset >= done) {
            tracing::error!(topic = %batch.topic, offset = record.offset, error, "a message becomes a dead letter");
            self.metrics.error("dead_letter");
            records.extend(dead_letter(batch, record, stage, error, now).map(|(_, record)| record));
        }
        if let (Some(topic), false) = (batch.topic.dead_letters(), records.is_empty()) {
            self.desk.context.log.append(topic, records).await?;
        }
        self.dead_lettered.insert(batch.partition, batch.next_offset());
        Ok(())
    }
}

impl Drop for Notifier {
    /// A membership that ends, by whatever, sends nothing more.
    fn drop(&mut self) {
        let partitions: Vec<_> = self.assigned.iter().copied().collect();
        self.handle.let_go(&partitions);
    }
}

/// Goes back where the log is another one than was read. What is read again is known by its id.
async fn compare_with_log(desk: &Desk, claim: &mut Claim) -> Result<(), StageError> {
    let topic = desk.topic();
    let Some(position) = claim.positions.get(&topic).copied() else {
        return Ok(());
    };
    let (stage, place) = (name(desk.channel()), (topic, claim.partition));
    let mut trail = Trail::from_text(claim.trails.get(&topic));
    let resumed_at = restored::checked(&desk.context, stage, place, position, &mut trail).await?;
    claim.positions.insert(topic, resumed_at);
    claim.trails.insert(topic, trail.to_text());
    Ok(())
}

/// Notifications with their records, and the records that hold none, with why.
type Sorted<'a> = (Vec<(Notification, &'a Received)>, Vec<(&'a Received, String)>);

/// What a batch has from `done` on: notifications, and what is none of this channel's.
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
