//! How the stage speaks to the courier.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::Claim;
use tokio::sync::{mpsc, oneshot};

use crate::delivery::overflow::Overflow;
use crate::delivery::waiting::{Place, Waiting};

/// Notifications with their places.
type ToPlaces = Vec<(Arc<Place>, Waiting)>;

/// What the courier is told.
pub(super) enum Order {
    /// This partition was claimed; this waits in it, more is left in the store, and these rows of the outbox were
    /// published.
    Take {
        claim: Claim,
        waiting: ToPlaces,
        left: Overflow,
        published: Vec<i64>,
    },
    /// This was accepted.
    Accept { partition: u32, waiting: ToPlaces },
    /// This partition is no longer ours.
    Release {
        partition: u32,
        done: Option<oneshot::Sender<()>>,
    },
}

/// What stage and courier know of each other.
#[derive(Default)]
pub(super) struct Shared {
    /// On the way to the courier.
    ordered: AtomicUsize,
    fenced: Mutex<BTreeSet<u32>>,
}

impl Shared {
    pub(super) fn arrived(&self, count: usize) {
        self.ordered.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn set_fenced(&self, partition: u32) {
        self.fenced().insert(partition);
    }

    fn fenced(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.fenced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stage's end; cheap to clone. The courier ends when all of them are gone.
#[derive(Clone)]
pub(in crate::delivery) struct Handle {
    orders: mpsc::UnboundedSender<Order>,
    shared: Arc<Shared>,
}

impl Handle {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Order>, Arc<Shared>) {
        let (orders, receiver) = mpsc::unbounded_channel();
        let shared = Arc::<Shared>::default();
        (
            Self {
                orders,
                shared: Arc::clone(&shared),
            },
            receiver,
            shared,
        )
    }

    /// How many notifications are on the way to the courier.
    pub(in crate::delivery) fn ordered(&self) -> usize {
        self.shared.ordered.load(Ordering::Relaxed)
    }

    /// A partition that the courier has lost, if it is one of these.
    pub(in crate::delivery) fn fenced(&self, of: &BTreeSet<u32>) -> Option<u32> {
        self.shared.fenced().intersection(of).next().copied()
    }

    pub(in crate::delivery) fn take(
        &self,
        claim: Claim,
        waiting: ToPlaces,
        left: Overflow,
        published: Vec<i64>,
    ) {
        self.shared.fenced().remove(&claim.partition);
        self.order(Order::Take {
            claim,
            waiting,
            left,
            published,
        });
    }

    pub(in crate::delivery) fn accept(&self, partition: u32, waiting: ToPlaces) {
        self.shared.ordered.fetch_add(waiting.len(), Ordering::Relaxed);
        self.order(Order::Accept { partition, waiting });
    }

    /// Stops sending for these partitions, and waits until nothing of them is under way.
    pub(in crate::delivery) async fn release(&self, partitions: &[u32]) {
        let release = |partition: &u32| {
            let (done, ended) = oneshot::channel();
            self.order(Order::Release {
                partition: *partition,
                done: Some(done),
            });
            ended
        };
        let ends: Vec<_> = partitions.iter().map(release).collect();
        for end in ends {
            // Told or dropped: nothing is under way.
            let _ = end.await;
        }
    }

    /// Stops sending for these partitions.
    pub(in crate::delivery) fn let_go(&self, partitions: &[u32]) {
        for partition in partitions {
            self.order(Order::Release {
                partition: *partition,
                done: None,
            });
        }
    }

    fn order(&self, order: Order) {
        // A courier that has ended sends nothing, which is all that could be asked of it.
        let _ = self.orders.send(order);
    }
}
