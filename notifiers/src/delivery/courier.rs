//! Sends what waits, and keeps the books.
//!
//! One task per channel owns the [`Queue`] and everything that is under way. Attempts run beside it, and so do one
//! transaction and one publication at a time: whatever comes to an end meanwhile goes into the next one, so the books
//! keep up with any speed. What became of a notification is stored first, with its receipt in the outbox, then the
//! receipt is published, then the row of the outbox is removed with the next transaction.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use pipeline::Steady;
use pipeline::health::Task;
use store::Claim;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};
use uuid::Uuid;

use super::attempt::{self, Attempt};
use super::overflow::Overflow;
use super::queue::{Parcel, Queue};
use super::waiting::{Now, Place, Waiting};
use super::{Desk, name};

mod background;
mod books;
mod handle;
mod reading;

pub(super) use background::READ_AT_ONCE;
use background::{Background, Published, ReadBack, Written, publish, write};
use books::{Entry, Outgoing, entry};
pub(super) use handle::Handle;
use handle::{Order, Shared};

/// More results than these must not be without a place in the store: a crash now would send them all again.
const UNWRITTEN: usize = 2_000;
/// The most results in one transaction.
const WRITTEN_AT_ONCE: usize = 1_000;
/// Transactions begin no closer together than this unless much waits: they share the disk with the daemon's.
const WRITE_PACE: Duration = Duration::from_millis(20);
/// Publications begin no closer together than this unless much waits: the daemon commits once for each partition of
/// each publication.
const PUBLISH_PACE: Duration = Duration::from_millis(100);
/// So many results or receipts are written or published whatever the pace.
const MUCH: usize = 500;
/// How long what is under way may take to end when its partition goes away.
const LEAVE: Duration = Duration::from_secs(2);
/// After this time something that is waited for is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// The wait when the store could not be asked for what an attempt needs.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// Sends for one channel.
pub(super) struct Courier {
    desk: Arc<Desk>,
    queue: Queue,
    orders: mpsc::UnboundedReceiver<Order>,
    /// Nobody will give orders any more.
    closed: bool,
    shared: Arc<Shared>,
    site: Option<watch::Receiver<Arc<domain::Site>>>,
    partitions: BTreeMap<u32, Owned>,
    attempts: JoinSet<Attempt>,
    flights: HashMap<Id, Flight>,
    /// Notifications under way, in all flights.
    aboard: usize,
    /// What is left in the store until there is room.
    overflow: Overflow,
    reading: Background<ReadBack>,
    writing: Background<Written>,
    /// The notifications whose ends are being written.
    being_written: Vec<Uuid>,
    /// When the next transaction may begin.
    write_at: Steady,
    publishing: Background<Published>,
    outgoing: Vec<Outgoing>,
    /// When the next publication may begin.
    publish_at: Steady,
    task: Task,
    tick: Interval,
}

/// A partition that is claimed.
struct Owned {
    claim: Claim,
    /// What became of notifications, not stored yet.
    entries: Vec<Entry>,
    /// Rows of the outbox that were published and not removed yet.
    published: Vec<i64>,
    /// How many rows of the outbox are stored and not published yet.
    unpublished: usize,
    flights: usize,
    leaving: Option<Leaving>,
}

/// A partition that goes away as soon as everything has ended.
struct Leaving {
    until: Steady,
    tell: Vec<oneshot::Sender<()>>,
}

/// An attempt under way.
struct Flight {
    parcel: Arc<Parcel>,
    abort: AbortHandle,
}

impl Courier {
    pub(super) fn new(desk: Desk) -> (Self, Handle) {
        let (handle, orders, shared) = Handle::new();
        let queue = Queue::new(desk.channel());
        let task = desk
            .context
            .health
            .task(format!("{}.sending", name(desk.channel())));
        let mut tick = tokio::time::interval(PATIENCE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let courier = Self {
            site: Some(desk.site.clone()),
            desk: Arc::new(desk),
            queue,
            orders,
            closed: false,
            shared,
            partitions: BTreeMap::new(),
            attempts: JoinSet::new(),
            flights: HashMap::new(),
            aboard: 0,
            overflow: Overflow::default(),
            reading: Background::idle(),
            writing: Background::idle(),
            being_written: Vec::new(),
            write_at: Steady::MIN,
            publishing: Background::idle(),
            outgoing: Vec::new(),
            publish_at: Steady::MIN,
            task,
            tick,
        };
        (courier, handle)
    }

    /// Sends until nobody gives orders any more and everything has ended.
    pub(super) async fn run(mut self) {
        loop {
            self.send();
            self.start_reading();
            self.start_writing();
            self.start_publishing();
            self.let_go_what_has_ended();
            if self.closed && self.partitions.is_empty() {
                self.task.ended();
                return;
            }
            let wake_at = self.wake_at();
            let clock = &self.desk.context.clock;
            tokio::select! {
                order = self.orders.recv(), if !self.closed => self.obey(order),
                Some(ended) = self.attempts.join_next_with_id() => {
                    self.ended(ended);
                    while let Some(ended) = self.attempts.try_join_next_with_id() {
                        self.ended(ended);
                    }
                }
                read = self.reading.end() => self.read(read),
                written = self.writing.end() => self.written(written),
                published = self.publishing.end() => self.published(published),
                () = changed(&mut self.site) => self.queue.credentials_changed(self.desk.context.clock.steady()),
                () = sleep_until(clock, wake_at) => {}
                _ = self.tick.tick() => self.tell_how_it_is(),
            }
        }
    }

    fn now(&self) -> Steady {
        self.desk.context.clock.steady()
    }

    fn obey(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Take {
                claim,
                waiting,
                left,
                published,
            }) => {
                let partition = claim.partition;
                self.overflow.extend(left);
                self.partitions.insert(partition, Owned::new(claim, published));
                self.take_in(partition, waiting);
            }
            Some(Order::Accept { partition, waiting }) => {
                self.shared.arrived(waiting.len());
                // Without a claim they are left to the next one, which finds them in the store.
                if self
                    .partitions
                    .get(&partition)
                    .is_some_and(|owned| owned.leaving.is_none())
                {
                    self.take_in_if_room(partition, waiting);
                }
            }
            Some(Order::Release { partition, done }) => self.leave(partition, done),
            None => {
                self.closed = true;
                for partition in self.partitions.keys().copied().collect::<Vec<_>>() {
                    self.leave(partition, None);
                }
            }
        }
    }

    fn take_in(&mut self, partition: u32, waiting: Vec<(Arc<Place>, Waiting)>) {
        for (place, waiting) in waiting {
            self.queue.push(partition, place, waiting);
        }
        self.settle(Duration::ZERO);
    }

    /// Starts as many attempts as may run.
    fn send(&mut self) {
        let now = self.now();
        while self.may_send() {
            let Some(parcel) = self.queue.next(now) else {
                return;
            };
            let opened_as = match parcel.members.as_slice() {
                [one] => self.queue.opened_as(&parcel.place, one),
                _ => None,
            };
            if let Some(owned) = self.partitions.get_mut(&parcel.partition) {
                owned.flights += 1;
            }
            self.aboard += parcel.members.len();
            let parcel = Arc::new(parcel);
            let attempt = attempt::make(Arc::clone(&self.desk), Arc::clone(&parcel), opened_as);
            let abort = self.attempts.spawn(attempt);
            self.flights.insert(abort.id(), Flight { parcel, abort });
        }
    }

    fn may_send(&self) -> bool {
        let unwritten: usize = self.partitions.values().map(|owned| owned.entries.len()).sum();
        unwritten < UNWRITTEN
    }

    /// When something is to be done that nobody will tell of.
    fn wake_at(&self) -> Option<Steady> {
        let send = self.queue.next_at().filter(|_| self.may_send());
        let leave = self
            .partitions
            .values()
            .filter_map(|owned| Some(owned.leaving.as_ref()?.until))
            .min();
        let writes = !self.writing.busy() && self.partitions.values().any(Owned::has_something_to_write);
        let publishes = !self.publishing.busy() && !self.outgoing.is_empty();
        let write = writes.then_some(self.write_at);
        let publish = publishes.then_some(self.publish_at);
        send.into_iter().chain(leave).chain(write).chain(publish).min()
    }

    fn ended(&mut self, ended: Result<(Id, Attempt), JoinError>) {
        let (id, attempt) = match ended {
            Ok((id, attempt)) => (id, attempt),
            Err(error) => (error.id(), broken_off(&error)),
        };
        // What was abandoned is somebody else's now.
        let Some(flight) = self.flights.remove(&id) else {
            return;
        };
        let parcel = Arc::unwrap_or_clone(flight.parcel);
        self.aboard -= parcel.members.len();
        if let Some(owned) = self.partitions.get_mut(&parcel.partition) {
            owned.flights -= 1;
        }
        let now = self.now();
        match attempt {
            Attempt::Made { answer, took } => {
                self.desk.metrics.attempt(self.desk.channel(), took);
                self.queue
                    .answered(parcel, &answer, now, &mut || rand::random_range(0.0..1.0));
                self.settle(took);
            }
            Attempt::NotMade { error } => {
                tracing::warn!(error, "an attempt was not made");
                self.queue.not_made(parcel, now.after(STORE_WAIT));
                self.settle(Duration::ZERO);
            }
        }
    }

    /// Enters into the books what has become of notifications.
    fn settle(&mut self, took: Duration) {
        let now = Now::of(&self.desk.context.clock);
        for settled in self.queue.take_settled() {
            let partition = settled.partition;
            let entry = entry(&self.desk, settled, took, now);
            if let Some(owned) = self.partitions.get_mut(&partition) {
                owned.entries.push(entry);
            }
        }
    }

    fn start_writing(&mut self) {
        if self.writing.busy() {
            return;
        }
        // The fullest first: it has waited longest, or most wait for it.
        let fullest = self
            .partitions
            .iter_mut()
            .filter(|(_, owned)| owned.has_something_to_write());
        let Some((_, owned)) = fullest.max_by_key(|(_, owned)| owned.entries.len()) else {
            return;
        };
        let now = self.desk.context.clock.steady();
        if now < self.write_at && owned.entries.len() < MUCH {
            return;
        }
        self.write_at = now.after(WRITE_PACE);
        let entries: Vec<_> = owned
            .entries
            .drain(..owned.entries.len().min(WRITTEN_AT_ONCE))
            .collect();
        self.being_written = entries.iter().map(|entry| entry.update.notification_id).collect();
        let published = std::mem::take(&mut owned.published);
        let task = write(self.desk.store.clone(), owned.claim.clone(), entries, published);
        self.writing = Background::start(owned.claim.partition, task);
    }

    fn written(&mut self, (partition, written): (u32, Option<Written>)) {
        self.being_written.clear();
        let Some(Written {
            claim,
            outbox,
            fenced: false,
        }) = written
        else {
            return self.lose(partition);
        };
        let Some((row, messages)) = outbox else {
            return;
        };
        if let Some(owned) = self.partitions.get_mut(&partition) {
            owned.unpublished += 1;
        }
        self.outgoing.push(Outgoing {
            partition,
            epoch: claim.epoch,
            row,
            messages,
        });
    }

    fn start_publishing(&mut self) {
        if self.publishing.busy() || self.outgoing.is_empty() {
            return;
        }
        let now = self.now();
        let messages: usize = self.outgoing.iter().map(|one| one.messages.len()).sum();
        if now < self.publish_at && messages < MUCH {
            return;
        }
        self.publish_at = now.after(PUBLISH_PACE);
        let outgoing = std::mem::take(&mut self.outgoing);
        let context = self.desk.context.clone();
        self.publishing = Background::start(0, publish(context, outgoing));
    }

    fn published(&mut self, (_, published): (u32, Option<Published>)) {
        for (partition, epoch, row) in published.unwrap_or_default() {
            let owned = self.partitions.get_mut(&partition);
            if let Some(owned) = owned.filter(|owned| owned.claim.epoch == epoch) {
                owned.unpublished -= 1;
                owned.published.push(row);
            }
        }
    }

    /// The partition belongs to somebody else, or its books are in doubt: the stage has to claim it again.
    fn lose(&mut self, partition: u32) {
        self.shared.set_fenced(partition);
        self.abandon(partition);
    }

    /// Nothing more is sent of this partition; it is gone when all that is under way has ended, or in a while.
    fn leave(&mut self, partition: u32, done: Option<oneshot::Sender<()>>) {
        let until = self.now().after(LEAVE);
        self.queue.release(partition);
        self.forget_left(partition);
        if let Some(owned) = self.partitions.get_mut(&partition) {
            let leaving = owned.leaving.get_or_insert_with(|| Leaving {
                until,
                tell: Vec::new(),
            });
            leaving.tell.extend(done);
        }
    }

    fn let_go_what_has_ended(&mut self) {
        let now = self.now();
        let gone = self.partitions.iter().filter(|(partition, owned)| {
            let ended = owned.ended() && !self.writing.busy_with(**partition);
            owned
                .leaving
                .as_ref()
                .is_some_and(|leaving| ended || leaving.until <= now)
        });
        let gone: Vec<_> = gone.map(|(partition, _)| *partition).collect();
        for partition in gone {
            self.abandon(partition);
        }
    }

    /// Forgets a partition. Whoever claims it next makes the attempts again that are cut off here.
    fn abandon(&mut self, partition: u32) {
        self.queue.release(partition);
        self.forget_left(partition);
        if self.writing.busy_with(partition) {
            self.writing.cancel();
            // These were perhaps not stored: the next claim may find them.
            self.being_written.clear();
        }
        let (aboard, queue) = (&mut self.aboard, &mut self.queue);
        self.flights.retain(|_, flight| {
            let stays = flight.parcel.partition != partition;
            if !stays {
                flight.abort.abort();
                *aboard -= flight.parcel.members.len();
                queue.abandoned(&flight.parcel.group);
            }
            stays
        });
        if let Some(Leaving { tell, .. }) = self.partitions.remove(&partition).and_then(|owned| owned.leaving)
        {
            for tell in tell {
                // Nobody waits any more; that is as good.
                let _ = tell.send(());
            }
        }
    }

    fn tell_how_it_is(&mut self) {
        self.tell_what_is_left();
        self.desk.metrics.in_hand(
            self.desk.channel(),
            self.queue.held().count + self.aboard,
            self.queue.retrying(),
        );
        let states = self.queue.states(self.now());
        self.desk.metrics.destinations(self.desk.channel(), &states);
        if self.writing.longer_than(PATIENCE) {
            self.task.waiting("database");
        } else if self.publishing.longer_than(PATIENCE) {
            self.task.waiting("log");
        } else {
            self.task.progress();
        }
    }
}

impl Owned {
    fn new(claim: Claim, published: Vec<i64>) -> Self {
        Self {
            claim,
            entries: Vec::new(),
            published,
            unpublished: 0,
            flights: 0,
            leaving: None,
        }
    }

    fn has_something_to_write(&self) -> bool {
        !self.entries.is_empty() || !self.published.is_empty()
    }

    /// Nothing is under way or unwritten.
    fn ended(&self) -> bool {
        self.flights == 0 && self.entries.is_empty() && self.published.is_empty() && self.unpublished == 0
    }
}

/// A panic in a channel must not stop the others.
fn broken_off(error: &JoinError) -> Attempt {
    tracing::error!(%error, "an attempt broke off");
    Attempt::Made {
        answer: attempt::no_end("the attempt broke off".to_owned()),
        took: Duration::ZERO,
    }
}

async fn changed(site: &mut Option<watch::Receiver<Arc<domain::Site>>>) {
    match site {
        Some(receiver) => {
            if receiver.changed().await.is_err() {
                *site = None;
            }
        }
        None => std::future::pending().await,
    }
}

async fn sleep_until(clock: &pipeline::Clock, at: Option<Steady>) {
    match at {
        Some(at) => clock.sleep_until_steady(at).await,
        None => std::future::pending().await,
    }
}
