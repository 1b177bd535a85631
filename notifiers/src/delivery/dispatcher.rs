//! Sends the pending notifications of one channel, and records the results.
//!
//! One task per channel owns the [`Queue`] and everything in flight. Attempts run beside it, and so do one transaction and
//! one publication at a time: results that arrive meanwhile go into the next one, so recording keeps up with any rate. The
//! result of a notification is stored first, with its receipt in the outbox; then the receipt is published; then the row of
//! the outbox is removed with the next transaction.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use pipeline::Steady;
use pipeline::health::Task;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};
use uuid::Uuid;

use super::ChannelRuntime;
use super::attempt::{self, Attempt};
use super::overflow::Overflow;
use super::pending::{Endpoint, Now, PendingNotification};
use super::queue::{OutgoingMessage, Queue};

mod background;
mod handle;
mod partitions;
mod reading;
mod records;
mod writing;

pub(super) use background::READ_AT_ONCE;
use background::{Background, Published, ReadBack, Written};
pub(super) use handle::Handle;
use handle::{DispatcherCommand, Shared};
use partitions::Owned;
use records::{Outgoing, entry};

/// No attempt begins while so many results are not stored: after a crash all of them are sent again.
const MAX_UNWRITTEN: usize = 2_000;
/// A database or log that has not answered for so long is reported as unavailable; also the interval of the reports.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(5);
/// The wait when the store could not be asked for what an attempt needs.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// Sends for one channel.
pub(super) struct Dispatcher {
    runtime: Arc<ChannelRuntime>,
    queue: Queue,
    commands: mpsc::UnboundedReceiver<DispatcherCommand>,
    /// All handles are gone: no further command comes.
    closed: bool,
    shared: Arc<Shared>,
    site: Option<watch::Receiver<Arc<domain::Site>>>,
    partitions: BTreeMap<u32, Owned>,
    attempts: JoinSet<Attempt>,
    attempts_in_flight: HashMap<Id, InFlight>,
    /// Notifications in all attempts in flight.
    in_flight: usize,
    /// Notifications left in the store until there is room in memory.
    overflow: Overflow,
    reading: Background<ReadBack>,
    writing: Background<Written>,
    /// The notifications whose results are being written.
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

/// An attempt in flight.
struct InFlight {
    message: Arc<OutgoingMessage>,
    abort: AbortHandle,
}

impl Dispatcher {
    pub(super) fn new(runtime: ChannelRuntime) -> (Self, Handle) {
        let (handle, commands, shared) = Handle::new();
        let queue = Queue::new(runtime.channel());
        let task = runtime
            .context
            .health
            .task(format!("{}.sending", runtime.channel().stage()));
        let mut tick = tokio::time::interval(UNAVAILABLE_AFTER);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let dispatcher = Self {
            site: Some(runtime.site.clone()),
            runtime: Arc::new(runtime),
            queue,
            commands,
            closed: false,
            shared,
            partitions: BTreeMap::new(),
            attempts: JoinSet::new(),
            attempts_in_flight: HashMap::new(),
            in_flight: 0,
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
        (dispatcher, handle)
    }

    /// Sends until all handles are gone and everything in flight has ended.
    pub(super) async fn run(mut self) {
        loop {
            self.send();
            self.start_reading();
            self.start_writing();
            self.start_publishing();
            self.drop_released_partitions();
            if self.closed && self.partitions.is_empty() {
                self.task.ended();
                return;
            }
            let wake_at = self.wake_at();
            let clock = &self.runtime.context.clock;
            tokio::select! {
                command = self.commands.recv(), if !self.closed => self.execute(command),
                Some(ended) = self.attempts.join_next_with_id() => {
                    self.ended(ended);
                    while let Some(ended) = self.attempts.try_join_next_with_id() {
                        self.ended(ended);
                    }
                }
                read = self.reading.end() => self.read(read),
                written = self.writing.end() => self.written(written),
                published = self.publishing.end() => self.published(published),
                () = changed(&mut self.site) => self.queue.credentials_changed(self.runtime.context.clock.steady()),
                () = sleep_until(clock, wake_at) => {}
                _ = self.tick.tick() => self.report(),
            }
        }
    }

    fn now(&self) -> Steady {
        self.runtime.context.clock.steady()
    }

    fn execute(&mut self, command: Option<DispatcherCommand>) {
        match command {
            Some(DispatcherCommand::Take {
                claim,
                pending,
                left,
                published,
            }) => {
                let partition = claim.partition;
                self.overflow.extend(left);
                self.partitions.insert(partition, Owned::new(claim, published));
                self.take_in(partition, pending);
            }
            Some(DispatcherCommand::Accept { partition, pending }) => {
                self.shared.received(pending.len());
                // Without a claim they wait in the store for the next claim.
                if self
                    .partitions
                    .get(&partition)
                    .is_some_and(|owned| owned.release.is_none())
                {
                    self.take_in_if_room(partition, pending);
                }
            }
            Some(DispatcherCommand::Release { partition, done }) => self.release(partition, done),
            None => {
                self.closed = true;
                for partition in self.partitions.keys().copied().collect::<Vec<_>>() {
                    self.release(partition, None);
                }
            }
        }
    }

    fn take_in(&mut self, partition: u32, pending: Vec<(Arc<Endpoint>, PendingNotification)>) {
        for (endpoint, pending) in pending {
            self.queue.push(partition, endpoint, pending);
        }
        self.record_resolved(Duration::ZERO);
    }

    /// Starts as many attempts as may run.
    fn send(&mut self) {
        let now = self.now();
        while self.may_send() {
            let Some(message) = self.queue.next(now) else {
                return;
            };
            let thread_ref = match message.members.as_slice() {
                [one] => self.queue.thread_ref(&message.endpoint, one),
                _ => None,
            };
            if let Some(owned) = self.partitions.get_mut(&message.partition) {
                owned.in_flight += 1;
            }
            self.in_flight += message.members.len();
            let message = Arc::new(message);
            let attempt = attempt::make(Arc::clone(&self.runtime), Arc::clone(&message), thread_ref);
            let abort = self.attempts.spawn(attempt);
            self.attempts_in_flight
                .insert(abort.id(), InFlight { message, abort });
        }
    }

    fn may_send(&self) -> bool {
        let unwritten: usize = self.partitions.values().map(|owned| owned.entries.len()).sum();
        unwritten < MAX_UNWRITTEN
    }

    /// When the next thing is due that no event announces.
    fn wake_at(&self) -> Option<Steady> {
        let send = self.queue.next_at().filter(|_| self.may_send());
        let release = self
            .partitions
            .values()
            .filter_map(|owned| Some(owned.release.as_ref()?.until))
            .min();
        let writes = !self.writing.busy() && self.partitions.values().any(Owned::has_something_to_write);
        let publishes = !self.publishing.busy() && !self.outgoing.is_empty();
        let write = writes.then_some(self.write_at);
        let publish = publishes.then_some(self.publish_at);
        send.into_iter().chain(release).chain(write).chain(publish).min()
    }

    fn ended(&mut self, ended: Result<(Id, Attempt), JoinError>) {
        let (id, attempt) = match ended {
            Ok((id, attempt)) => (id, attempt),
            Err(error) => (error.id(), panicked(&error)),
        };
        // An abandoned partition has another owner by now.
        let Some(ended) = self.attempts_in_flight.remove(&id) else {
            return;
        };
        let message = Arc::unwrap_or_clone(ended.message);
        self.in_flight -= message.members.len();
        if let Some(owned) = self.partitions.get_mut(&message.partition) {
            owned.in_flight -= 1;
        }
        let now = self.now();
        match attempt {
            Attempt::Made { result, took } => {
                self.runtime.metrics.attempt(self.runtime.channel(), took);
                self.queue
                    .on_result(message, &result, now, &mut || rand::random_range(0.0..1.0));
                self.record_resolved(took);
            }
            Attempt::NotMade { error } => {
                tracing::warn!(error, "an attempt was not made");
                self.queue.not_made(message, now.after(STORE_WAIT));
                self.record_resolved(Duration::ZERO);
            }
        }
    }

    /// Adds the resolved notifications to the records that are to be written.
    fn record_resolved(&mut self, took: Duration) {
        let now = Now::of(&self.runtime.context.clock);
        for resolved in self.queue.take_resolved() {
            let partition = resolved.partition;
            let entry = entry(&self.runtime, resolved, took, now);
            if let Some(owned) = self.partitions.get_mut(&partition) {
                owned.entries.push(entry);
            }
        }
    }

    fn report(&mut self) {
        self.report_overflow();
        self.runtime.metrics.pending(
            self.runtime.channel(),
            self.queue.held().count + self.in_flight,
            self.queue.retrying(),
        );
        let states = self.queue.states(self.now());
        self.runtime.metrics.destinations(self.runtime.channel(), &states);
        if self.writing.longer_than(UNAVAILABLE_AFTER) {
            self.task.waiting("database");
        } else if self.publishing.longer_than(UNAVAILABLE_AFTER) {
            self.task.waiting("log");
        } else {
            self.task.progress();
        }
    }
}

/// The result of an attempt that panicked: a fault in one channel must not stop the others.
fn panicked(error: &JoinError) -> Attempt {
    tracing::error!(%error, "an attempt panicked");
    Attempt::Made {
        result: attempt::no_end("the attempt panicked".to_owned()),
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
