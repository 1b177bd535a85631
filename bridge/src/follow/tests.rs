use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};

use async_trait::async_trait;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Log, Record};
use pipeline::{Clock, Context};
use schemas::Alert;
use view::{Cluster, MemoryView, Written};

use super::*;
use crate::Bridge;
use crate::examples::{alert, closed, fingerprint};

/// A view that can be away, and that can lose its memory.
#[derive(Default)]
struct TestView {
    memory: RwLock<Arc<MemoryView>>,
    away: AtomicBool,
    full: AtomicBool,
    reads: Mutex<usize>,
}

impl TestView {
    fn memory(&self) -> Arc<MemoryView> {
        Arc::clone(&self.memory.read().unwrap())
    }

    fn here(&self) -> Result<Arc<MemoryView>, ViewError> {
        if self.away.load(Ordering::SeqCst) {
            Err(ViewError::Unavailable("away".to_owned()))
        } else {
            Ok(self.memory())
        }
    }
}

#[async_trait]
impl View for TestView {
    async fn put(&self, alerts: Vec<Arc<Alert>>) -> Result<Written, ViewError> {
        self.here()?.put(alerts).await
    }

    async fn get(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Entry>, ViewError> {
        *self.reads.lock().unwrap() += fingerprints.len();
        self.here()?.get(fingerprints).await
    }

    async fn open(&self) -> Result<Vec<Arc<Alert>>, ViewError> {
        self.here()?.open().await
    }

    async fn cluster(&self) -> Result<Cluster, ViewError> {
        let full = self.full.load(Ordering::SeqCst);
        let cluster = self.here()?.cluster().await?;
        Ok(Cluster { full, ..cluster })
    }

    async fn is_filled(&self) -> Result<bool, ViewError> {
        self.here()?.is_filled().await
    }

    async fn mark_filled(&self) -> Result<(), ViewError> {
        self.here()?.mark_filled().await
    }
}

fn heartbeat(clock: &Clock) -> ViewChanged {
    ViewChanged {
        fingerprint: fingerprint(0),
        version: 0,
        accepted_at: clock.now(),
        closed: false,
        heartbeat: true,
    }
}

fn record(changed: &ViewChanged) -> Record {
    Record {
        key: "k".to_owned(),
        value: Some(serde_json::to_vec(changed).unwrap().into()),
        headers: Vec::new(),
    }
}

struct World {
    log: SimulatedLog,
    view: Arc<TestView>,
    shared: Arc<Shared>,
}

impl World {
    fn silent() -> Self {
        let log = SimulatedLog::new(1);
        let view = Arc::new(TestView::default());
        let clock = Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap());
        let context = Context::new(Arc::new(log.clone()), clock.clone());
        let Bridge(shared) = Bridge::start(context, view.clone(), crate::Limits::default());
        Self { log, view, shared }
    }

    /// The same, with a daemon that is heard from.
    fn new() -> Self {
        let world = Self::silent();
        let (log, clock) = (world.log.clone(), world.shared.context.clock.clone());
        tokio::spawn(async move {
            loop {
                // A log that is away takes none.
                let _ = log
                    .append(Topic::VIEW_CHANGED, vec![record(&heartbeat(&clock))])
                    .await;
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
        world
    }

    async fn put(&self, alerts: &[Alert]) {
        self.view
            .memory()
            .put(alerts.iter().cloned().map(Arc::new).collect())
            .await
            .unwrap();
    }

    async fn announce(&self, number: u32, version: u64) {
        let changed = ViewChanged {
            fingerprint: fingerprint(number),
            version,
            accepted_at: self.shared.context.clock.now(),
            closed: false,
            heartbeat: false,
        };
        self.append(changed).await;
    }

    async fn append(&self, changed: ViewChanged) {
        let record = record(&changed);
        self.log.append(Topic::VIEW_CHANGED, vec![record]).await.unwrap();
    }

    async fn filled(&self, alerts: &[Alert]) {
        self.put(alerts).await;
        self.view.memory().mark_filled().await.unwrap();
        self.until("the replica is there", || self.shared.head.borrow().is_some())
            .await;
    }

    fn has(&self, number: u32) -> Option<u64> {
        self.shared.read().version(fingerprint(number))
    }

    fn waits_for(&self) -> Option<String> {
        self.shared.context.health.report().pop()?.waiting_for
    }

    /// Lets simulated time pass until it is so.
    async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let waited = tokio::time::timeout(Duration::from_secs(3600), async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "never: {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_view_that_is_not_filled_yet_is_waited_for_and_what_changes_meanwhile_is_not_missed() {
    let world = World::new();
    world
        .until("it waits", || {
            world.waits_for().as_deref() == Some("view rebuild")
        })
        .await;
    assert!(world.shared.stale_ms().is_some());
    world.announce(1, 2).await;
    world.put(&[alert(1, 2)]).await;
    world.filled(&[alert(2, 1)]).await;
    world
        .until("both are there", || {
            world.has(1) == Some(2) && world.has(2) == Some(1)
        })
        .await;
    world
        .until("all is well", || world.shared.stale_ms().is_none())
        .await;
    world.until("it is ready", || world.waits_for().is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_twice_is_read_once() {
    let world = World::new();
    world.filled(&[alert(1, 1)]).await;
    world.put(&[alert(1, 2), alert(2, 1)]).await;
    for _ in 0..2 {
        world.announce(1, 2).await;
        world.announce(1, 1).await;
        world.announce(2, 1).await;
        world
            .until("it was taken in", || {
                world.has(1) == Some(2) && world.has(2) == Some(1)
            })
            .await;
    }
    assert_eq!(*world.view.reads.lock().unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn clients_are_told_at_once_when_the_view_is_away_and_after_a_while_when_the_log_is() {
    let world = World::new();
    world.filled(&[alert(1, 1)]).await;
    world.log.set_available(false);
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(world.shared.stale_ms(), None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let stale = world.shared.stale_ms().unwrap();
    assert!((10_000..=11_000).contains(&stale), "{stale}");
    world.log.set_available(true);
    world
        .until("all is well", || world.shared.stale_ms().is_none())
        .await;

    world.view.away.store(true, Ordering::SeqCst);
    world.announce(1, 2).await;
    world
        .until("they are told", || world.shared.stale_ms().is_some())
        .await;
    assert_eq!(world.waits_for().as_deref(), Some("view"));
    world.put(&[alert(1, 2)]).await;
    world.view.away.store(false, Ordering::SeqCst);
    world
        .until("it goes on", || {
            world.has(1) == Some(2) && world.shared.stale_ms().is_none()
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_view_that_lost_its_memory_takes_nothing_off_the_screens_until_it_is_filled_again() {
    let world = World::new();
    world
        .filled(&[alert(1, 1), alert(2, 1), alert(3, 1), alert(4, 1)])
        .await;
    *world.view.memory.write().unwrap() = Arc::default();
    // Announced before the view lost it.
    world.announce(1, 2).await;
    world
        .until("it is noticed", || {
            world.waits_for().as_deref() == Some("view rebuild")
        })
        .await;
    assert_eq!((world.has(1), world.has(2)), (Some(1), Some(1)));
    assert!(world.shared.stale_ms().is_some());
    // 2 was closed meanwhile and is known so, 3 is not known any more, 4 changed, 5 is new.
    world
        .filled(&[alert(1, 2), closed(2, 2), alert(4, 2), alert(5, 1)])
        .await;
    world
        .until("all is well", || world.shared.stale_ms().is_none())
        .await;
    assert_eq!(
        [1, 2, 3, 4, 5].map(|number| world.has(number)),
        [Some(2), None, None, Some(2), Some(1)]
    );
}

#[tokio::test(start_paused = true)]
async fn v2_a_daemon_that_is_not_heard_from_makes_the_bridge_stale() {
    let world = World::silent();
    world.filled(&[alert(1, 1)]).await;
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert_eq!(world.shared.stale_ms(), None);
    tokio::time::sleep(Duration::from_secs(7)).await;
    let stale = world.shared.stale_ms().unwrap();
    assert!((20_000..=22_000).contains(&stale), "{stale}");
    assert_eq!(world.waits_for().as_deref(), Some("heartbeat"));

    world.append(heartbeat(&world.shared.context.clock)).await;
    world
        .until("all is well", || {
            world.shared.stale_ms().is_none() && world.waits_for().is_none()
        })
        .await;
    // One that was long under way tells that what comes after it is late, too.
    let late = ViewChanged {
        accepted_at: world.shared.context.clock.now() - Duration::from_secs(60),
        ..heartbeat(&world.shared.context.clock)
    };
    world.append(late).await;
    world
        .until("it is stale", || world.shared.stale_ms() >= Some(60_000))
        .await;
    assert_eq!(world.has(1), Some(1), "what is known stays");
}

#[tokio::test(start_paused = true)]
async fn v1_what_closes_is_taken_off_though_the_view_holds_it_no_longer() {
    let world = World::new();
    world.filled(&[alert(1, 1), alert(2, 3)]).await;
    let reads = *world.view.reads.lock().unwrap();
    for (number, version) in [(1, 2), (2, 2), (3, 1)] {
        let closing = ViewChanged {
            closed: true,
            heartbeat: false,
            version,
            ..heartbeat(&world.shared.context.clock)
        };
        let fingerprint = fingerprint(number);
        world
            .append(ViewChanged {
                fingerprint,
                ..closing
            })
            .await;
    }
    world.until("it is gone", || world.has(1).is_none()).await;
    assert_eq!(world.has(2), Some(3), "an older version closes nothing");
    assert_eq!(*world.view.reads.lock().unwrap(), reads, "nothing had to be read");
}

#[tokio::test(start_paused = true)]
async fn v1_of_a_view_that_is_full_before_it_is_filled_a_new_bridge_shows_what_is_there_as_stale() {
    let world = World::new();
    world.view.full.store(true, Ordering::SeqCst);
    world.put(&[alert(1, 1)]).await;
    world.until("it is shown", || world.has(1) == Some(1)).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(world.shared.stale_ms().is_some());
    world.view.full.store(false, Ordering::SeqCst);
    world.filled(&[alert(2, 1)]).await;
    world
        .until("all is well", || {
            world.has(2) == Some(1) && world.shared.stale_ms().is_none()
        })
        .await;
}
