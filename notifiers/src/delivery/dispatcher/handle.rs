//! The stage's handle on the dispatcher.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::Claim;
use tokio::sync::{mpsc, oneshot};

use crate::delivery::overflow::Overflow;
use crate::delivery::pending::{Endpoint, PendingNotification};

/// Notifications with their endpoints.
type ToEndpoints = Vec<(Arc<Endpoint>, PendingNotification)>;

/// A command of the stage to the dispatcher.
pub(super) enum DispatcherCommand {
    /// The partition was claimed: `pending` waits in it, `left` is left in the store, and the rows `published` of the outbox
    /// were published.
    Take {
        claim: Claim,
        pending: ToEndpoints,
        left: Overflow,
        published: Vec<i64>,
    },
    /// These notifications were accepted.
    Accept { partition: u32, pending: ToEndpoints },
    /// The partition is no longer ours; `done` is sent when nothing of it is in flight.
    Release {
        partition: u32,
        done: Option<oneshot::Sender<()>>,
    },
}

/// State shared by the stage and the dispatcher.
#[derive(Default)]
pub(super) struct Shared {
    /// Notifications handed over that the dispatcher has not received yet.
    handed_over: AtomicUsize,
    fenced: Mutex<BTreeSet<u32>>,
}

impl Shared {
    pub(super) fn received(&self, count: usize) {
        self.handed_over.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn set_fenced(&self, partition: u32) {
        self.fenced().insert(partition);
    }

    fn fenced(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.fenced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stage's end; cheap to clone. The dispatcher ends when all of them are gone.
#[derive(Clone)]
pub(in crate::delivery) struct Handle {
    commands: mpsc::UnboundedSender<DispatcherCommand>,
    shared: Arc<Shared>,
}

impl Handle {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<DispatcherCommand>, Arc<Shared>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let shared = Arc::<Shared>::default();
        (
            Self {
                commands,
                shared: Arc::clone(&shared),
            },
            receiver,
            shared,
        )
    }

    /// How many notifications are handed over and not received yet.
    pub(in crate::delivery) fn handed_over(&self) -> usize {
        self.shared.handed_over.load(Ordering::Relaxed)
    }

    /// One of these partitions that the dispatcher has lost, if any.
    pub(in crate::delivery) fn fenced(&self, of: &BTreeSet<u32>) -> Option<u32> {
        self.shared.fenced().intersection(of).next().copied()
    }

    pub(in crate::delivery) fn take(
        &self,
        claim: Claim,
        pending: ToEndpoints,
        left: Overflow,
        published: Vec<i64>,
    ) {
        self.shared.fenced().remove(&claim.partition);
        self.command(DispatcherCommand::Take {
            claim,
            pending,
            left,
            published,
        });
    }

    pub(in crate::delivery) fn accept(&self, partition: u32, pending: ToEndpoints) {
        self.shared
            .handed_over
            .fetch_add(pending.len(), Ordering::Relaxed);
        self.command(DispatcherCommand::Accept { partition, pending });
    }

    /// Stops sending for these partitions, and waits until nothing of them is in flight.
    pub(in crate::delivery) async fn release(&self, partitions: &[u32]) {
        let release = |partition: &u32| {
            let (done, ended) = oneshot::channel();
            self.command(DispatcherCommand::Release {
                partition: *partition,
                done: Some(done),
            });
            ended
        };
        let ends: Vec<_> = partitions.iter().map(release).collect();
        for end in ends {
            // Sent or dropped: nothing is in flight.
            let _ = end.await;
        }
    }

    /// Stops sending for these partitions, without waiting.
    pub(in crate::delivery) fn release_now(&self, partitions: &[u32]) {
        for partition in partitions {
            self.command(DispatcherCommand::Release {
                partition: *partition,
                done: None,
            });
        }
    }

    fn command(&self, command: DispatcherCommand) {
        // A dispatcher that has ended sends nothing, so the command needs no effect.
        let _ = self.commands.send(command);
    }
}
