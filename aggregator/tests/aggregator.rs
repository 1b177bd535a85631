//! The aggregator on a simulated log, with a store and a view in memory, on a paused clock.

#![allow(clippy::unwrap_used, reason = "a test fails by them")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Follower, From, Record};
use pipeline::trace::record_headers;
use pipeline::{Clock, Context, Log};
use schemas::rejection::DeadLetter;
use schemas::{Alert, AlertChanged, Fingerprint, HEADER_TRACEPARENT, Status, Topic, ViewChanged};
use store::{Commit, Store};
use view::{Cluster, Entry, MemoryView, View, ViewError, Written};

const START: &str = "2026-09-01T10:00:00Z";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn start() -> Timestamp {
    START.parse().unwrap()
}

fn fingerprint(number: u8) -> Fingerprint {
    Fingerprint::from_bytes([number; 16])
}

fn alert(number: u8, version: u64) -> Alert {
    serde_json::from_value(serde_json::json!({
        "fingerprint": fingerprint(number), "version": version, "environment": "production", "scenario": "default",
        "integration": "prometheus", "monitoring_system": "alertmanager", "source": "am-1", "object": "db-1",
        "name": "disk full", "severity": "critical", "status": "open", "operator_state": "active", "output": "full",
        "episode": 1, "first_opened_at": START, "opened_at": START, "last_event_at": START, "changed_at": START,
        "total_duration_ms": 0,
        "counts": {"opened": 1, "updated": 0, "severity_changed": 0, "closed": 0, "acknowledged": 0, "snoozed": 0},
    }))
    .unwrap()
}

fn closed(number: u8, version: u64) -> Alert {
    Alert {
        status: Status::Closed,
        ..alert(number, version)
    }
}

fn is_open(alert: Alert) -> Option<Entry> {
    Some(Entry::Open(Arc::new(alert)))
}

fn is_closed(number: u8, version: u64) -> Option<Entry> {
    Some(Entry::Closed {
        fingerprint: fingerprint(number),
        version,
    })
}

/// A view that can be away or full, and that can lose a node.
#[derive(Default)]
struct TestView {
    memory: MemoryView,
    away: AtomicBool,
    full: AtomicBool,
    /// Of two.
    lost_nodes: AtomicUsize,
}

impl TestView {
    fn here(&self) -> Result<&MemoryView, ViewError> {
        if self.away.load(Ordering::SeqCst) {
            Err(ViewError::Unavailable("away".to_owned()))
        } else {
            Ok(&self.memory)
        }
    }
}

#[async_trait]
impl View for TestView {
    async fn put(&self, alerts: Vec<Arc<Alert>>) -> Result<Written, ViewError> {
        let memory = self.here()?;
        if !self.full.load(Ordering::SeqCst) {
            return memory.put(alerts).await;
        }
        let (open, closed): (Vec<_>, Vec<_>) =
            alerts.into_iter().partition(|alert| alert.status == Status::Open);
        let written = memory.put(closed).await?;
        assert_eq!(written, Written::default());
        let no_room = open.iter().map(|alert| alert.fingerprint).collect();
        Ok(Written { no_room })
    }

    async fn get(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Entry>, ViewError> {
        self.here()?.get(fingerprints).await
    }

    async fn open(&self) -> Result<Vec<Arc<Alert>>, ViewError> {
        self.here()?.open().await
    }

    async fn cluster(&self) -> Result<Cluster, ViewError> {
        let cluster = self.here()?.cluster().await?;
        let full = self.full.load(Ordering::SeqCst);
        let lost = self.lost_nodes.load(Ordering::SeqCst);
        let nodes = (lost..2).map(|node| node.to_string()).collect();
        Ok(Cluster {
            nodes,
            full,
            ..cluster
        })
    }

    async fn is_filled(&self) -> Result<bool, ViewError> {
        self.here()?.is_filled().await
    }

    async fn mark_filled(&self) -> Result<(), ViewError> {
        self.here()?.mark_filled().await
    }
}

struct World {
    log: SimulatedLog,
    context: Context,
    store: Store,
    view: Arc<TestView>,
    announced: Box<dyn Follower>,
}

impl World {
    async fn new() -> Self {
        let log = SimulatedLog::new(1);
        let clock = Clock::simulated(start());
        let context = Context::new(Arc::new(log.clone()), clock.clone());
        let announced = log.follow(Topic::VIEW_CHANGED, From::Start).await.unwrap();
        let store = Store::in_memory().await.unwrap();
        Self {
            log,
            context,
            store,
            view: Arc::default(),
            announced,
        }
    }

    fn run(&self) {
        let view: Arc<dyn View> = self.view.clone();
        tokio::spawn(aggregator::run(self.context.clone(), self.store.clone(), view));
    }

    async fn append(&self, values: Vec<Vec<u8>>) {
        let record = |value: Vec<u8>| Record {
            key: "k".to_owned(),
            value: Some(value.into()),
            headers: record_headers(Some(TRACE)),
        };
        self.log
            .append(Topic::ALERTS_CHANGED, values.into_iter().map(record).collect())
            .await
            .unwrap();
    }

    async fn changed(&self, alerts: Vec<Alert>) {
        let value = |alert: Alert| {
            let accepted_at = start() + SignedDuration::from_millis(i64::try_from(alert.version).unwrap());
            let changed = AlertChanged {
                fingerprint: alert.fingerprint,
                alert: Some(alert),
                accepted_at,
                answers: Vec::new(),
                heartbeat: false,
            };
            serde_json::to_vec(&changed).unwrap()
        };
        self.append(alerts.into_iter().map(value).collect()).await;
    }

    /// The next announcements on `view.changed`, by fingerprint.
    async fn announced(&mut self) -> Vec<ViewChanged> {
        let batch = self.announced.next().await.unwrap();
        let values = batch
            .records
            .iter()
            .map(|record| record.value.as_deref().unwrap());
        let mut changed: Vec<ViewChanged> = values
            .map(|value| serde_json::from_slice(value).unwrap())
            .collect();
        changed.sort_by_key(|changed| changed.fingerprint);
        changed
    }

    async fn store(&self, alerts: Vec<Alert>) {
        let claim = self.store.claim("daemon", 0, "test").await.unwrap();
        let state = |alert: Alert| {
            let state = serde_json::json!({"alert": alert, "origin": null, "history_sequence": 0});
            (serde_json::from_value(state).unwrap(), None)
        };
        let commit = Commit {
            states: alerts.into_iter().map(state).collect(),
            ..Commit::default()
        };
        self.store.commit(&claim, &commit).await.unwrap();
    }

    async fn in_view(&self, number: u8) -> Option<Entry> {
        self.view.memory.get(&[fingerprint(number)]).await.unwrap().pop()
    }

    fn metric(&self, name: &str) -> f64 {
        let families = self.context.metrics.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let metric = &family.get_metric()[0];
        metric.get_gauge().get_value() + metric.get_counter().get_value()
    }

    async fn heartbeat(&self) {
        let heartbeat = AlertChanged {
            fingerprint: fingerprint(0),
            alert: None,
            accepted_at: self.context.clock.now(),
            answers: Vec::new(),
            heartbeat: true,
        };
        self.append(vec![serde_json::to_vec(&heartbeat).unwrap()]).await;
    }

    /// Lets (simulated) time pass until it is so.
    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let waited = tokio::time::timeout(Duration::from_secs(3600), async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "never: {what}");
    }

    async fn until_filled(&self) {
        self.until("the view is filled", async || {
            self.view.memory.is_filled().await.unwrap()
        })
        .await;
    }

    async fn until_committed(&self, offset: u64) {
        let place = (Topic::ALERTS_CHANGED, 0);
        let committed = async || self.log.committed("aggregator").get(&place) == Some(&offset);
        self.until("the position is committed", committed).await;
    }

    fn waits_for(&self, task: &str) -> Option<String> {
        self.context
            .health
            .report()
            .into_iter()
            .find(|report| report.task == task)?
            .waiting_for
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_version_is_put_and_announced_with_its_trace_and_the_first_acceptance() {
    let mut world = World::new().await;
    world
        .changed(vec![alert(1, 2), alert(1, 3), alert(2, 9), alert(1, 1)])
        .await;
    world.run();
    let accepted = |millis| start() + SignedDuration::from_millis(millis);
    assert_eq!(
        world.announced().await,
        [
            ViewChanged {
                fingerprint: fingerprint(1),
                version: 3,
                accepted_at: accepted(2),
                closed: false,
                heartbeat: false,
            },
            ViewChanged {
                fingerprint: fingerprint(2),
                version: 9,
                accepted_at: accepted(9),
                closed: false,
                heartbeat: false,
            },
        ]
    );
    assert_eq!(world.in_view(1).await, is_open(alert(1, 3)));
    let record = world.log.records(Topic::VIEW_CHANGED).remove(0);
    assert_eq!(record.header(HEADER_TRACEPARENT), Some(TRACE));
    assert!(
        [fingerprint(1), fingerprint(2)]
            .map(|id| id.to_string())
            .contains(&record.key)
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_comes_again_and_older_versions_change_nothing() {
    let world = World::new().await;
    let batch = vec![alert(1, 1), alert(2, 1), closed(1, 2)];
    world.changed(batch.clone()).await;
    world.run();
    world.until_committed(3).await;
    for again in [batch, vec![alert(1, 1)], vec![alert(2, 1)]] {
        world.changed(again).await;
    }
    world.until_committed(8).await;
    assert_eq!(world.in_view(1).await, is_closed(1, 2));
    let open = world.view.memory.open().await.unwrap();
    assert_eq!(
        open.iter().map(|alert| alert.fingerprint).collect::<Vec<_>>(),
        [fingerprint(2)]
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_becomes_a_dead_letter_and_the_rest_goes_on() {
    let mut world = World::new().await;
    let answer = serde_json::json!({"fingerprint": fingerprint(5), "accepted_at": START, "answers": []});
    world
        .append(vec![b"not json".to_vec(), serde_json::to_vec(&answer).unwrap()])
        .await;
    world.changed(vec![alert(1, 1)]).await;
    world.run();
    assert_eq!(
        world.announced().await.len(),
        1,
        "the answer of a command has no alert"
    );
    world.until_committed(3).await;
    let kept = world.log.records(Topic::ALERTS_CHANGED_DLQ);
    assert_eq!(kept.len(), 1);
    let kept: DeadLetter = serde_json::from_slice(kept[0].value.as_deref().unwrap()).unwrap();
    assert_eq!((kept.offset, kept.stage.as_str()), (0, "aggregator"));
    assert!(
        kept.error.contains("not an alert that has changed"),
        "{}",
        kept.error
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_view_is_filled_from_the_store_and_only_then_ready() {
    let world = World::new().await;
    let stored: Vec<_> = (1..=200)
        .map(|number| alert(number, 1))
        .chain([closed(201, 4)])
        .collect();
    world.store(stored).await;
    world.view.away.store(true, Ordering::SeqCst);
    world.run();
    world
        .until("the keeper waits", async || {
            world.waits_for("aggregator.keeper").as_deref() == Some("view")
        })
        .await;
    world.view.away.store(false, Ordering::SeqCst);
    world.until_filled().await;
    assert_eq!(world.view.memory.open().await.unwrap().len(), 200);
    world
        .until("it is ready", async || {
            world.waits_for("aggregator.keeper").is_none()
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_view_that_is_away_is_waited_for_and_nothing_is_lost() {
    let mut world = World::new().await;
    world.run();
    world.until_filled().await;
    world.view.away.store(true, Ordering::SeqCst);
    world.changed(vec![alert(1, 1)]).await;
    world
        .until("the stage waits", async || {
            world.waits_for("aggregator").as_deref() == Some("view")
        })
        .await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.log.committed("aggregator").len(), 0);
    world.view.away.store(false, Ordering::SeqCst);
    assert_eq!(world.announced().await.len(), 1);
    world.until_committed(1).await;
    assert_eq!(world.in_view(1).await, is_open(alert(1, 1)));
}

#[tokio::test(start_paused = true)]
async fn every_few_minutes_the_view_is_made_like_the_store() {
    let mut world = World::new().await;
    world.view.mark_filled().await.unwrap();
    world.run();
    world
        .until("it was compared at the start", async || {
            world.waits_for("aggregator.keeper").is_none()
        })
        .await;
    let put = |alerts: Vec<Alert>| alerts.into_iter().map(Arc::new).collect();
    // 1 is missing in the view, 2 is old there, 3 was closed meanwhile, 4 and 5 are right, 6 changes just now.
    let late = Alert {
        changed_at: start() + SignedDuration::from_secs(295),
        ..alert(6, 2)
    };
    world
        .store(vec![
            alert(1, 1),
            alert(2, 7),
            closed(3, 2),
            alert(4, 1),
            alert(5, 1),
            late,
        ])
        .await;
    let written = world
        .view
        .put(put(vec![
            alert(2, 6),
            alert(3, 1),
            alert(4, 1),
            alert(5, 2),
            alert(6, 1),
        ]))
        .await;
    assert_eq!(written.unwrap(), Written::default());
    let mut announced = world.announced().await;
    while announced.len() < 3 {
        announced.extend(world.announced().await);
    }
    announced.sort_by_key(|changed| changed.fingerprint);
    let announced: Vec<_> = announced
        .iter()
        .map(|changed| (changed.fingerprint, changed.version))
        .collect();
    assert_eq!(
        announced,
        [(fingerprint(1), 1), (fingerprint(2), 7), (fingerprint(3), 2)]
    );
    assert!(world.context.clock.now() >= start() + SignedDuration::from_mins(5));
    assert_eq!(world.in_view(3).await, is_closed(3, 2));
    assert_eq!(
        world.in_view(5).await,
        is_open(alert(5, 2)),
        "the newer one of the view stays"
    );
    let measured = async || world.metric("reveille_aggregator_differences") == 3.0;
    world.until("the differences are measured", measured).await;
}

#[tokio::test(start_paused = true)]
async fn a_view_of_its_own_begins_with_what_is_open_and_not_with_what_was() {
    let mut world = World::new().await;
    let long_ago = Alert {
        changed_at: start() - SignedDuration::from_hours(1),
        ..alert(1, 1)
    };
    world.changed(vec![long_ago]).await;
    world.changed(vec![alert(2, 1)]).await;
    let view: Arc<dyn View> = world.view.clone();
    let (context, store) = (world.context.clone(), world.store.clone());
    tokio::spawn(aggregator::run_alone(context, store, view));
    let announced = world.announced().await;
    assert_eq!(announced.len(), 1);
    assert_eq!(announced[0].fingerprint, fingerprint(2));
    assert!(world.in_view(2).await.is_some());
    assert!(
        world.in_view(1).await.is_none(),
        "whether it is open the store says"
    );
}

#[tokio::test(start_paused = true)]
async fn v1_a_full_view_holds_up_nothing_that_closes_and_is_filled_when_there_is_room() {
    let mut world = World::new().await;
    world.store(vec![alert(1, 1)]).await;
    world.run();
    world.until_filled().await;
    world.view.full.store(true, Ordering::SeqCst);
    // 2 opens and has no room, 1 closes and makes some.
    world.store(vec![alert(2, 1), closed(1, 2)]).await;
    world.changed(vec![alert(2, 1), closed(1, 2)]).await;
    world.until_committed(2).await;
    let announced = world.announced().await;
    assert_eq!(announced.len(), 1, "what is not in the view is not announced");
    assert!(announced[0].closed && announced[0].fingerprint == fingerprint(1));
    assert_eq!(
        (world.in_view(1).await, world.in_view(2).await),
        (is_closed(1, 2), None)
    );
    world
        .until("it is a state of its own", async || {
            world.waits_for("aggregator.keeper").as_deref() == Some("view full")
        })
        .await;
    assert_eq!(world.metric("reveille_aggregator_view_full"), 1.0);
    assert_eq!(world.metric("reveille_aggregator_no_room_total"), 1.0);
    // As long as an open alert is missing, consoles are not told that all is well.
    world.heartbeat().await;
    world.until_committed(3).await;

    world.view.full.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(90)).await;
    let announced = world.announced().await;
    assert_eq!(announced.len(), 1);
    assert!(!announced[0].heartbeat && announced[0].fingerprint == fingerprint(2));
    assert_eq!(world.in_view(2).await, is_open(alert(2, 1)));
    world
        .until("all is well", async || {
            world.waits_for("aggregator.keeper").is_none()
        })
        .await;
    assert_eq!(world.metric("reveille_aggregator_view_full"), 0.0);
    world.heartbeat().await;
    assert!(world.announced().await[0].heartbeat);
}

#[tokio::test(start_paused = true)]
async fn v2_a_heartbeat_is_handed_on_after_what_came_before_it() {
    let world = World::new().await;
    world.run();
    world.until_filled().await;
    world
        .until("it is ready", async || {
            world.waits_for("aggregator.keeper").is_none()
        })
        .await;
    world.view.away.store(true, Ordering::SeqCst);
    world.changed(vec![alert(1, 1)]).await;
    world.heartbeat().await;
    world.heartbeat().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(
        world.log.records(Topic::VIEW_CHANGED).is_empty(),
        "the view is away"
    );
    world.view.away.store(false, Ordering::SeqCst);
    world.until_committed(3).await;
    let said: Vec<ViewChanged> = world
        .log
        .records(Topic::VIEW_CHANGED)
        .iter()
        .map(|record| serde_json::from_slice(record.value.as_deref().unwrap()).unwrap())
        .collect();
    assert_eq!(said.first().map(|first| first.heartbeat), Some(false));
    assert!(said.last().unwrap().heartbeat);
    assert_eq!(said.last().unwrap().fingerprint, fingerprint(0));
}

#[tokio::test(start_paused = true)]
async fn v3_a_lost_node_leads_to_a_comparison_at_once() {
    let world = World::new().await;
    let long_ago = Alert {
        changed_at: start() - SignedDuration::from_hours(1),
        ..alert(1, 1)
    };
    world.run();
    world.until_filled().await;
    world
        .until("it is ready", async || {
            world.waits_for("aggregator.keeper").is_none()
        })
        .await;
    // As if the node that held it were gone.
    world.store(vec![long_ago.clone()]).await;
    world.view.lost_nodes.store(1, Ordering::SeqCst);
    let lost_at = world.context.clock.now();
    world
        .until("it is there again", async || world.in_view(1).await.is_some())
        .await;
    let took = world.context.clock.now().duration_since(lost_at);
    assert!(took < SignedDuration::from_secs(10), "{took}");
}
