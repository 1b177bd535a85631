use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};

use async_trait::async_trait;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Log, Record};
use pipeline::{Clock, Context};
use view::{CounterKey, MemoryView};

use super::*;
use crate::Bridge;
use crate::examples::{alert, closed, fingerprint};

/// A view that can be away, and that can lose its memory.
#[derive(Default)]
struct TestView {
    memory: RwLock<Arc<MemoryView>>,
    away: AtomicBool,
    reads: Mutex<usize>,
}

impl TestView {
    fn memory(&self) -> Arc<MemoryView> {
        Arc::clone(&self.memory.read().unwrap())
    }

    fn here(&self) -> Result<Arc<MemoryView>, ViewUnavailable> {
        if self.away.load(Ordering::SeqCst) {
            Err(ViewUnavailable("away".to_owned()))
        } else {
            Ok(self.memory())
        }
    }
}

#[async_trait]
impl View for TestView {
    async fn put(&self, alerts: Vec<Arc<Alert>>) -> Result<(), ViewUnavailable> {
        self.here()?.put(alerts).await
    }

    async fn get(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Arc<Alert>>, ViewUnavailable> {
        *self.reads.lock().unwrap() += fingerprints.len();
        self.here()?.get(fingerprints).await
    }

    async fn open(&self) -> Result<Vec<Arc<Alert>>, ViewUnavailable> {
        self.here()?.open().await
    }

    async fn counters(&self) -> Result<BTreeMap<CounterKey, u64>, ViewUnavailable> {
        self.here()?.counters().await
    }

    async fn recount(&self) -> Result<u64, ViewUnavailable> {
        self.here()?.recount().await
    }

    async fn is_filled(&self) -> Result<bool, ViewUnavailable> {
        self.here()?.is_filled().await
    }

    async fn mark_filled(&self) -> Result<(), ViewUnavailable> {
        self.here()?.mark_filled().await
    }
}

struct World {
    log: SimulatedLog,
    view: Arc<TestView>,
    shared: Arc<Shared>,
}

impl World {
    fn new() -> Self {
        let log = SimulatedLog::new(1);
        let view = Arc::new(TestView::default());
        let clock = Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap());
        let context = Context::new(Arc::new(log.clone()), clock.clone());
        let Bridge(shared) = Bridge::start(context, view.clone());
        Self { log, view, shared }
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
        };
        let value = serde_json::to_vec(&changed).unwrap();
        let record = Record {
            key: "k".to_owned(),
            value: Some(value.into()),
            headers: Vec::new(),
        };
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
