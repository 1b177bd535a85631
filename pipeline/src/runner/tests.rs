use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::Record;
use crate::log::simulated::SimulatedLog;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const TOPIC: Topic = Topic::ALERTS_COLLECTED;

/// What the stages of a test share.
#[derive(Default)]
struct World {
    made: AtomicUsize,
    database_away: AtomicBool,
    fence_next: AtomicBool,
    wake_at: Mutex<Option<Timestamp>>,
    seen: watch::Sender<Vec<String>>,
}

impl World {
    fn tell(&self, what: String) {
        self.seen.send_modify(|seen| seen.push(what));
    }

    /// Waits until so many things were seen, and tells them.
    async fn seen(&self, count: usize) -> Vec<String> {
        let mut seen = self.seen.subscribe();
        seen.wait_for(|seen| seen.len() >= count).await.unwrap().clone()
    }
}

struct Recorder {
    number: usize,
    world: Arc<World>,
    clock: Clock,
}

#[async_trait]
impl Stage for Recorder {
    async fn assigned(&mut self, partitions: &[u32]) -> Result<Positions, StageError> {
        if self.world.database_away.load(Ordering::SeqCst) {
            return Err(StageError::Unavailable {
                dependency: "database",
                error: "away".to_owned(),
            });
        }
        self.world.tell(format!("{} has {partitions:?}", self.number));
        Ok(Positions::new())
    }

    async fn process(&mut self, batch: &Batch) -> Result<(), StageError> {
        if self.world.database_away.load(Ordering::SeqCst) {
            return Err(StageError::Unavailable {
                dependency: "database",
                error: "away".to_owned(),
            });
        }
        if self.world.fence_next.swap(false, Ordering::SeqCst) {
            return Err(StageError::Fenced(batch.partition));
        }
        for record in &batch.records {
            self.world.tell(format!("{} did {}", self.number, record.key));
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<Timestamp> {
        *self.world.wake_at.lock().unwrap()
    }

    async fn wake(&mut self) -> Result<(), StageError> {
        *self.world.wake_at.lock().unwrap() = None;
        self.world
            .tell(format!("woken at {}", self.clock.now().strftime("%H:%M:%S")));
        Ok(())
    }
}

struct Harness {
    log: SimulatedLog,
    context: Context,
    world: Arc<World>,
    running: JoinHandle<()>,
}

impl Harness {
    fn start(log: SimulatedLog, world: World) -> Self {
        let clock = Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap());
        let context = Context::new(Arc::new(log.clone()), clock.clone());
        let world = Arc::new(world);
        let (shared, running) = (Arc::clone(&world), context.clone());
        let metrics = StageMetrics::new(&context.metrics, "recorder");
        let running = tokio::spawn(async move {
            let make = || {
                let number = shared.made.fetch_add(1, Ordering::SeqCst) + 1;
                Recorder {
                    number,
                    world: Arc::clone(&shared),
                    clock: clock.clone(),
                }
            };
            run(running, "recorder", "recorders", &[TOPIC], metrics, make).await;
        });
        Self {
            log,
            context,
            world,
            running,
        }
    }

    async fn append(&self, key: &str) {
        let record = Record {
            key: key.to_owned(),
            value: Some("{}".into()),
            headers: Vec::new(),
        };
        self.log.append(TOPIC, vec![record]).await.unwrap();
    }

    fn waiting_for(&self) -> Option<String> {
        let report = self.context.health.report().remove(0);
        assert!(report.healthy, "{report:?}");
        report.waiting_for
    }

    async fn shut_down(self) {
        self.context.shutdown.cancel();
        self.running.await.unwrap();
        assert_eq!(self.context.health.report(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_a_dependency_loses_nothing_and_needs_no_restart() {
    let harness = Harness::start(SimulatedLog::new(1), World::default());
    harness.append("a").await;
    assert_eq!(harness.world.seen(2).await, ["1 has [0]", "1 did a"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(harness.waiting_for(), None);

    harness.world.database_away.store(true, Ordering::SeqCst);
    harness.append("b").await;
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(harness.waiting_for().as_deref(), Some("database"));
    }
    harness.append("c").await;
    harness.world.database_away.store(false, Ordering::SeqCst);

    assert_eq!(harness.world.seen(4).await[2..], ["1 did b", "1 did c"]);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(harness.waiting_for(), None);
    assert_eq!(harness.log.committed("recorders")[&(TOPIC, 0)], 3);
    harness.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_the_log_or_the_database_at_the_start_is_waited_for() {
    let log = SimulatedLog::new(1);
    log.set_available(false);
    let world = World::default();
    world.database_away.store(true, Ordering::SeqCst);
    let harness = Harness::start(log, world);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(harness.waiting_for().as_deref(), Some("log"));
    harness.log.set_available(true);
    harness.append("a").await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(harness.waiting_for().as_deref(), Some("database"));
    harness.world.database_away.store(false, Ordering::SeqCst);
    assert_eq!(harness.world.seen(2).await, ["1 has [0]", "1 did a"]);
    harness.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_the_log_in_the_middle_is_waited_for() {
    let harness = Harness::start(SimulatedLog::new(1), World::default());
    harness.append("a").await;
    harness.world.seen(2).await;
    harness.log.set_available(false);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(harness.waiting_for().as_deref(), Some("log"));
    harness.log.set_available(true);
    harness.append("b").await;
    // As it may be another log that came back, the partitions are taken anew.
    assert_eq!(harness.world.seen(4).await[2..], ["2 has [0]", "2 did b"]);
    harness.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_fenced_stage_joins_anew_with_a_fresh_stage_and_does_the_batch_again() {
    let harness = Harness::start(SimulatedLog::new(1), World::default());
    harness.world.seen(1).await;
    harness.world.fence_next.store(true, Ordering::SeqCst);
    harness.append("a").await;
    assert_eq!(harness.world.seen(3).await, ["1 has [0]", "2 has [0]", "2 did a"]);
    harness.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_builds_a_fresh_stage() {
    let harness = Harness::start(SimulatedLog::new(2), World::default());
    harness.world.seen(1).await;
    let other = harness.log.join("recorders", &[TOPIC]).await.unwrap();
    harness.world.seen(2).await;
    drop(other);
    assert_eq!(
        harness.world.seen(3).await,
        ["1 has [0, 1]", "2 has [0]", "3 has [0, 1]"]
    );
    harness.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_stage_is_woken_at_its_time_and_once() {
    let world = World::default();
    *world.wake_at.lock().unwrap() = Some("2026-09-01T11:30:00Z".parse().unwrap());
    let harness = Harness::start(SimulatedLog::new(1), world);
    assert_eq!(harness.world.seen(2).await, ["1 has [0]", "woken at 11:30:00"]);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(harness.world.seen(2).await.len(), 2);
    harness.shut_down().await;
}
