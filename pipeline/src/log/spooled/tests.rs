use std::fs;

use prometheus::TextEncoder;
use tempfile::TempDir;

use super::*;
use crate::log::simulated::SimulatedLog;

const TOPIC: Topic = Topic::ALERTS_COLLECTED;
const PLENTY: u64 = 1_000_000;

/// A process that writes to a broker which lives on without it.
struct World {
    broker: SimulatedLog,
    context: Context,
    log: Arc<SpooledLog>,
}

impl World {
    async fn begin(broker: &SimulatedLog, folder: &Path, limit: u64) -> Self {
        Self::on(Arc::new(broker.clone()), broker, folder, limit).await
    }

    async fn on(log: Arc<dyn Log>, broker: &SimulatedLog, folder: &Path, limit: u64) -> Self {
        let clock = Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap());
        let context = Context::new(log, clock.clone());
        Self {
            broker: broker.clone(),
            log: Arc::new(SpooledLog::open(&context, folder, limit).await.unwrap()),
            context,
        }
    }

    async fn append(&self, key: &str, value: &str) -> Result<(), LogError> {
        self.log.append(TOPIC, vec![record(key, value)]).await
    }

    fn waiting(&self) -> u64 {
        self.log.shared.total().records
    }

    async fn drained(&self) {
        while self.waiting() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn arrived(&self) -> BTreeMap<String, Vec<String>> {
        arrived(&self.broker)
    }

    fn waits_for(&self) -> Option<String> {
        let report = self.context.health.report();
        report
            .into_iter()
            .find(|task| task.task == "spool")
            .and_then(|task| task.waiting_for)
    }

    /// As orderly as a process can end: what was drained is noted.
    async fn end(self) {
        self.context.shutdown.cancel();
        while Arc::strong_count(&self.log.shared) > 1 {
            tokio::task::yield_now().await;
        }
    }
}

fn record(key: &str, value: &str) -> Record {
    Record {
        key: key.to_owned(),
        value: Some(value.to_owned().into()),
        headers: Vec::new(),
    }
}

/// What the broker has, by key, in order.
fn arrived(broker: &SimulatedLog) -> BTreeMap<String, Vec<String>> {
    let mut arrived = BTreeMap::<_, Vec<_>>::new();
    for record in broker.records(TOPIC) {
        let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        arrived.entry(record.key).or_default().push(value);
    }
    arrived
}

fn marked(broker: &SimulatedLog) -> Vec<bool> {
    let records = broker.records(TOPIC);
    records
        .iter()
        .map(|record| record.header(HEADER_SPOOLED).is_some())
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn what_comes_during_an_outage_arrives_in_order_and_then_the_way_is_direct_again() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(3));
    let world = World::begin(&broker, folder.path(), PLENTY).await;
    world.append("a", "1").await.unwrap();
    world.broker.set_available(false);
    for number in 2..40 {
        world.append("a", &number.to_string()).await.unwrap();
        world.append("b", &number.to_string()).await.unwrap();
    }
    assert_eq!(world.arrived()["a"], ["1"]);
    assert_eq!(world.waiting(), 76);
    world.broker.set_available(true);
    // More comes while it is drained; none of it may pass by.
    for number in 40..200 {
        world.append("a", &number.to_string()).await.unwrap();
    }
    world.drained().await;
    world.append("a", "200").await.unwrap();
    let numbers = |from: u32, to: u32| (from..=to).map(|number| number.to_string()).collect::<Vec<_>>();
    assert_eq!(world.arrived()["a"], numbers(1, 200));
    assert_eq!(world.arrived()["b"], numbers(2, 39));
    let of_a: Vec<_> = broker
        .records(TOPIC)
        .into_iter()
        .filter(|record| record.key == "a")
        .map(|record| record.header(HEADER_SPOOLED).is_some())
        .collect();
    assert!(
        !of_a[0] && of_a[1] && !of_a[199],
        "only what was in the spool is marked: {of_a:?}"
    );
    let text = TextEncoder::new()
        .encode_to_string(&world.context.metrics.gather())
        .unwrap();
    assert!(
        text.contains("reveille_spool_records 0") && text.contains("reveille_spool_bytes 0"),
        "{text}"
    );
    world.end().await;
}

#[tokio::test]
async fn what_will_be_written_again_does_not_wait() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(1));
    let world = World::begin(&broker, folder.path(), PLENTY).await;
    let usage = || {
        world
            .log
            .append(Topic::INTEGRATIONS_USAGE, vec![record("a", "1")])
    };
    broker.set_available(false);
    assert!(matches!(usage().await, Err(LogError::Unavailable(_))));
    world.append("a", "1").await.unwrap();
    assert_eq!(world.waiting(), 1, "only the other");
    broker.set_available(true);
    world.drained().await;
    usage().await.unwrap();
    assert_eq!(broker.records(Topic::INTEGRATIONS_USAGE).len(), 1);
    world.end().await;
}

#[tokio::test]
async fn health_names_the_log_while_the_spool_waits_for_it() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(1));
    let world = World::begin(&broker, folder.path(), PLENTY).await;
    broker.set_available(false);
    world.append("a", "1").await.unwrap();
    while world.waits_for().as_deref() != Some("log") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    broker.set_available(true);
    world.drained().await;
    while world.waits_for().is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_full_spool_refuses_and_has_room_again_when_it_is_drained() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(1));
    let world = World::begin(&broker, folder.path(), 1000).await;
    broker.set_available(false);
    let text = "x".repeat(300);
    for _ in 0..2 {
        world.append("a", &text).await.unwrap();
    }
    let error = world.append("a", &text).await.unwrap_err().to_string();
    assert!(error.contains("is full"), "{error}");
    assert_eq!(world.waiting(), 2);
    broker.set_available(true);
    world.drained().await;
    broker.set_available(false);
    world.append("a", &text).await.unwrap();
    broker.set_available(true);
    world.drained().await;
    assert_eq!(world.arrived()["a"].len(), 3);
    world.end().await;
}

#[tokio::test]
async fn what_an_earlier_process_left_is_drained_before_anything_new() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(2));
    let world = World::begin(&broker, folder.path(), PLENTY).await;
    broker.set_available(false);
    for number in 0..30 {
        world.append("a", &number.to_string()).await.unwrap();
    }
    world.end().await;
    let world = World::begin(&broker, folder.path(), PLENTY).await;
    assert_eq!(world.waiting(), 30);
    broker.set_available(true);
    world.append("a", "30").await.unwrap();
    world.drained().await;
    let expected: Vec<_> = (0..=30).map(|number| number.to_string()).collect();
    assert_eq!(world.arrived()["a"], expected);
    world.end().await;
    // Nothing is drained a second time, and offsets of the spool go on.
    let world = World::begin(&broker, folder.path(), PLENTY).await;
    assert_eq!(world.waiting(), 0);
    broker.set_available(false);
    world.append("a", "31").await.unwrap();
    broker.set_available(true);
    world.drained().await;
    assert_eq!(world.arrived()["a"].len(), 32);
    world.end().await;
}

#[tokio::test]
async fn a_crash_between_the_append_and_its_note_repeats_the_same_order_and_marks_it() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(1));
    let (spool, as_it_was) = (folder.path().join("spool"), folder.path().join("as-it-was"));
    let world = World::begin(&broker, &spool, PLENTY).await;
    broker.set_available(false);
    for word in ["firing", "resolved"] {
        world.append("a", word).await.unwrap();
    }
    world.end().await;
    // What the disk of a process shows that ends before it can note anything.
    copy(&spool, &as_it_was);
    broker.set_available(true);
    for folder in [&spool, &as_it_was] {
        let world = World::begin(&broker, folder, PLENTY).await;
        world.drained().await;
        world.end().await;
    }
    assert_eq!(
        arrived(&broker)["a"],
        ["firing", "resolved", "firing", "resolved"]
    );
    assert_eq!(marked(&broker), [true; 4]);
}

#[tokio::test]
async fn what_the_log_will_never_take_is_refused_and_not_spooled() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(1));
    let world = World::begin(&broker, folder.path(), 100_000_000).await;
    broker.set_available(false);
    let error = world.append("a", &"x".repeat(1_000_001)).await.unwrap_err();
    assert!(matches!(error, LogError::TooLarge { .. }), "{error}");
    assert_eq!(world.waiting(), 0);
    world.end().await;
}

/// A broker that answers nothing, until it does again.
struct Silent(SimulatedLog, tokio::sync::watch::Receiver<bool>);

#[async_trait]
impl Log for Silent {
    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        let mut silent = self.1.clone();
        silent.wait_for(|silent| !silent).await.unwrap();
        self.0.append(topic, records).await
    }

    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        self.0.join(group, topics).await
    }

    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
        self.0.follow(topic, from).await
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.0.partitions(topic)
    }

    async fn extent(&self, topic: Topic, partition: u32) -> Result<Extent, LogError> {
        self.0.extent(topic, partition).await
    }

    async fn record_at(
        &self,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Received>, LogError> {
        self.0.record_at(topic, partition, offset).await
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_first_sender_waits_for_a_broker_that_says_nothing() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(1));
    let (silence, silent) = tokio::sync::watch::channel(true);
    let log = Arc::new(Silent(broker.clone(), silent));
    let world = World::on(log, &broker, folder.path(), PLENTY).await;
    let begun = tokio::time::Instant::now();
    world.append("a", "1").await.unwrap();
    assert!(begun.elapsed() >= PATIENCE, "the broker had its time");
    for number in 2..50 {
        world.append("a", &number.to_string()).await.unwrap();
    }
    assert_eq!(world.waiting(), 49);
    silence.send(false).unwrap();
    world.drained().await;
    let expected: Vec<_> = (1..50).map(|number| number.to_string()).collect();
    assert_eq!(world.arrived()["a"], expected);
    world.end().await;
}

#[tokio::test]
async fn a_sender_that_hangs_up_leaves_nothing_behind_that_is_counted_wrongly() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(1));
    let world = World::begin(&broker, folder.path(), PLENTY).await;
    broker.set_available(false);
    for number in 0..20 {
        let text = number.to_string();
        let mut append = Box::pin(world.append("a", &text));
        // Polled once, and given up.
        let _ = futures_util::poll!(&mut append);
    }
    world.append("a", "last").await.unwrap();
    broker.set_available(true);
    world.drained().await;
    let arrived = world.arrived().remove("a").unwrap();
    assert_eq!((arrived.len(), arrived[20].as_str()), (21, "last"));
    world.end().await;
}

/// A broker that will never take some records, and that is away for one topic.
struct Picky(SimulatedLog);

const AWAY: Topic = Topic::INGEST_REJECTED;

#[async_trait]
impl Log for Picky {
    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        if topic == AWAY {
            return Err(LogError::Unavailable("no leader".to_owned()));
        }
        if topic == TOPIC && records.iter().any(|record| record.key == "refused") {
            return Err(LogError::Refused {
                topic,
                reason: "it is too large".to_owned(),
            });
        }
        self.0.append(topic, records).await
    }

    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        self.0.join(group, topics).await
    }

    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
        self.0.follow(topic, from).await
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.0.partitions(topic)
    }

    async fn extent(&self, topic: Topic, partition: u32) -> Result<Extent, LogError> {
        self.0.extent(topic, partition).await
    }

    async fn record_at(
        &self,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Received>, LogError> {
        self.0.record_at(topic, partition, offset).await
    }
}

#[tokio::test]
async fn l8_what_the_broker_refuses_for_good_becomes_a_dead_letter_and_all_others_go_on() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(1));
    {
        let world = World::begin(&broker, folder.path(), PLENTY).await;
        broker.set_available(false);
        world.log.append(AWAY, vec![record("r", "1")]).await.unwrap();
        for key in ["a", "refused", "b", "a"] {
            world.append(key, key).await.unwrap();
        }
        world.end().await;
    }
    broker.set_available(true);
    let world = World::on(Arc::new(Picky(broker.clone())), &broker, folder.path(), PLENTY).await;
    while !world.log.shared.is_empty(TOPIC) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let arrived: Vec<_> = broker
        .records(TOPIC)
        .into_iter()
        .map(|record| record.key)
        .collect();
    assert_eq!(arrived, ["a", "b", "a"]);
    let kept = broker.records(Topic::ALERTS_COLLECTED_DLQ).remove(0);
    let kept: schemas::rejection::DeadLetter = serde_json::from_slice(&kept.value.unwrap()).unwrap();
    assert!(kept.error.contains("it is too large"), "{}", kept.error);
    assert_eq!(world.waiting(), 1, "the other topic waits");
    // What comes now passes the other topic by.
    world.append("a", "direct").await.unwrap();
    assert_eq!(marked(&broker), [true, true, true, false]);
    world.end().await;
}

#[tokio::test]
async fn l8_what_is_no_alert_leaves_half_of_the_spool_to_the_alerts() {
    let (folder, broker) = (TempDir::new().unwrap(), SimulatedLog::new(1));
    let world = World::begin(&broker, folder.path(), 1000).await;
    broker.set_available(false);
    let text = "x".repeat(300);
    world.log.append(AWAY, vec![record("r", &text)]).await.unwrap();
    let refused = world.log.append(AWAY, vec![record("r", &text)]).await;
    assert!(refused.unwrap_err().to_string().contains("is full"));
    world.append("a", &text).await.unwrap();
    world.end().await;
}
