//! What every log does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use pipeline::log::{
    Batch, Consumer, Delivery, Follower, From, Log, MAX_BATCH_BYTES, Positions, Received, partition_of,
};
use pipeline::{LogError, Record};
use schemas::Topic;

/// Topics that no stage reads, so that strange records harm nobody.
const TOPIC: Topic = schemas::Channel::Slack.dead_letter_topic();
const OTHER: Topic = Topic::ALERTS_CHANGED_DLQ;

/// One test on one log, with keys and groups that no other test has.
pub struct Run {
    log: Arc<dyn Log>,
    name: String,
}

impl Run {
    pub fn new(log: Arc<dyn Log>) -> Self {
        Self {
            log,
            name: uuid::Uuid::now_v7().to_string(),
        }
    }

    fn key(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }

    fn group(&self, group: &str) -> String {
        format!("conformance-{}-{group}", self.name)
    }

    fn record(&self, key: &str, value: &str) -> Record {
        Record {
            key: self.key(key),
            value: Some(value.to_owned().into()),
            headers: vec![("n".to_owned(), value.to_owned())],
        }
    }

    async fn append(&self, topic: Topic, records: &[(&str, &str)]) {
        let records = records
            .iter()
            .map(|(key, value)| self.record(key, value))
            .collect();
        self.log.append(topic, records).await.unwrap();
    }

    /// Joins, and begins with these positions.
    async fn started(&self, group: &str, topics: &[Topic], positions: &Positions) -> Box<dyn Consumer> {
        let mut consumer = self.log.join(&self.group(group), topics).await.unwrap();
        assigned(consumer.as_mut()).await;
        consumer.start(positions).await.unwrap();
        consumer
    }

    /// Reads on until so many records of this test were there.
    async fn read(&self, consumer: &mut dyn Consumer, count: usize) -> Vec<(Topic, u32, Received)> {
        let mut seen = Vec::new();
        while seen.len() < count {
            match consumer.next().await {
                Ok(Delivery::Batch(batch)) => seen.extend(self.ours(batch)),
                // A broker takes a moment to know a new group.
                Ok(other) => panic!("{other:?}"),
                Err(error) => eprintln!("{error}"),
            }
        }
        seen
    }

    fn ours(&self, batch: Batch) -> Vec<(Topic, u32, Received)> {
        assert!(!batch.records.is_empty());
        assert!(
            batch
                .records
                .is_sorted_by(|earlier, later| earlier.offset < later.offset)
        );
        let ours = batch
            .records
            .into_iter()
            .filter(|record| record.key.starts_with(&self.name));
        ours.map(|record| (batch.topic, batch.partition, record))
            .collect()
    }

    /// Everything of this test that is in the topic when it is called.
    async fn all(&self, topic: Topic) -> Vec<(Topic, u32, Received)> {
        let mut follower = following(self, topic, From::Start).await;
        let mut seen = Vec::new();
        while !follower.caught_up() {
            seen.extend(self.ours(followed(follower.as_mut()).await));
        }
        seen
    }
}

/// A follower; that the log is away for a moment is waited out, as every reader must.
async fn following(run: &Run, topic: Topic, from: From) -> Box<dyn Follower> {
    loop {
        match run.log.follow(topic, from).await {
            Ok(follower) => return follower,
            Err(error) => eprintln!("{error}"),
        }
    }
}

/// The next records; that the log is away for a moment is waited out, as every reader must.
async fn followed(follower: &mut dyn Follower) -> Batch {
    loop {
        match follower.next().await {
            Ok(batch) => return batch,
            Err(error) => eprintln!("{error}"),
        }
    }
}

async fn assigned(consumer: &mut dyn Consumer) -> Vec<u32> {
    loop {
        match consumer.next().await {
            Ok(Delivery::Assigned(partitions)) => return partitions,
            Ok(Delivery::Revoked(_)) => {}
            Ok(Delivery::Batch(batch)) => panic!("{batch:?} before the assignment"),
            Err(error) => eprintln!("{error}"),
        }
    }
}

fn values(records: &[(Topic, u32, Received)]) -> Vec<String> {
    records.iter().map(|(_, _, record)| text(record)).collect()
}

fn text(record: &Received) -> String {
    String::from_utf8(record.value.clone().unwrap_or_default().to_vec()).unwrap()
}

/// Where a group stands that has done these records.
fn after(records: &[(Topic, u32, Received)]) -> Positions {
    records
        .iter()
        .map(|(topic, partition, record)| ((*topic, *partition), record.offset + 1))
        .collect()
}

pub async fn records_of_a_key_are_in_one_partition_in_order(run: &Run) {
    for round in 0..20 {
        let records = (0..30).map(|n| run.record(&format!("k{}", n % 10), &format!("{round:02}-{n:02}")));
        run.log.append(TOPIC, records.collect()).await.unwrap();
    }
    let mut consumer = run.started("g", &[TOPIC], &Positions::new()).await;
    let seen = run.read(consumer.as_mut(), 600).await;
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, partition, record) in &seen {
        assert_eq!(*partition, partition_of(&record.key, run.log.partitions(TOPIC)));
        by_key.entry(record.key.clone()).or_default().push(text(record));
    }
    assert_eq!(by_key.len(), 10);
    for (key, values) in by_key {
        assert_eq!(values.len(), 60, "{key}");
        assert!(values.is_sorted(), "{key}: {values:?}");
    }
}

pub async fn what_was_answered_can_be_read(run: &Run) {
    for n in 0..20 {
        run.append(TOPIC, &[(&format!("k{n}"), &n.to_string())]).await;
        assert_eq!(run.all(TOPIC).await.len(), n + 1);
    }
}

pub async fn records_come_back_whole(run: &Run) {
    let headers = vec![
        ("traceparent".to_owned(), "00-ä".to_owned()),
        ("empty".to_owned(), String::new()),
    ];
    let sent = vec![
        Record {
            key: run.key("ä"),
            value: Some("{\"a\":\"ü\"}".into()),
            headers,
        },
        Record {
            key: run.key("ä"),
            value: Some("".into()),
            headers: Vec::new(),
        },
        Record {
            key: run.key("ä"),
            value: None,
            headers: Vec::new(),
        },
    ];
    run.log.append(TOPIC, sent.clone()).await.unwrap();
    let seen = run.all(TOPIC).await;
    let seen = seen.into_iter().map(
        |(
            _,
            _,
            Received {
                key, value, headers, ..
            },
        )| Record { key, value, headers },
    );
    assert_eq!(seen.collect::<Vec<_>>(), sent);
}

pub async fn a_group_goes_on_where_it_committed(run: &Run) {
    run.append(TOPIC, &[("a", "1"), ("b", "2"), ("c", "3")]).await;
    let mut consumer = run.started("g", &[TOPIC], &Positions::new()).await;
    let seen = run.read(consumer.as_mut(), 3).await;
    for ((topic, partition), offset) in after(&seen) {
        consumer.commit(topic, partition, offset).await.unwrap();
    }
    drop(consumer);
    run.append(TOPIC, &[("a", "4"), ("b", "5"), ("c", "6")]).await;
    let mut consumer = run.started("g", &[TOPIC], &Positions::new()).await;
    let mut seen = values(&run.read(consumer.as_mut(), 3).await);
    seen.sort();
    assert_eq!(seen, ["4", "5", "6"]);
}

pub async fn given_positions_win_over_committed_ones(run: &Run) {
    run.append(TOPIC, &[("a", "1"), ("a", "2"), ("a", "3")]).await;
    let mut consumer = run.started("g", &[TOPIC], &Positions::new()).await;
    let seen = run.read(consumer.as_mut(), 3).await;
    let (topic, partition, second) = seen[1].clone();
    consumer
        .commit(topic, partition, second.offset + 2)
        .await
        .unwrap();
    drop(consumer);
    let positions = Positions::from([((topic, partition), second.offset)]);
    let mut consumer = run.started("g", &[TOPIC], &positions).await;
    assert_eq!(values(&run.read(consumer.as_mut(), 2).await), ["2", "3"]);
}

pub async fn each_group_gets_everything(run: &Run) {
    run.append(TOPIC, &[("a", "1"), ("b", "2")]).await;
    run.append(OTHER, &[("a", "3"), ("b", "4")]).await;
    let nothing = Positions::new();
    let (mut first, mut second) = futures_util::join!(
        run.started("g", &[TOPIC, OTHER], &nothing),
        run.started("h", &[TOPIC, OTHER], &nothing)
    );
    for consumer in [first.as_mut(), second.as_mut()] {
        let mut seen = values(&run.read(consumer, 4).await);
        seen.sort();
        assert_eq!(seen, ["1", "2", "3", "4"]);
    }
}

pub async fn nothing_comes_before_the_assignment_and_the_start(run: &Run) {
    run.append(TOPIC, &[("a", "1")]).await;
    let mut consumer = run.log.join(&run.group("g"), &[TOPIC]).await.unwrap();
    let partitions: BTreeSet<u32> = assigned(consumer.as_mut()).await.into_iter().collect();
    assert_eq!(partitions, (0..run.log.partitions(TOPIC)).collect());
    assert!(consumer.next().now_or_never().is_none());
    consumer.start(&Positions::new()).await.unwrap();
    assert_eq!(values(&run.read(consumer.as_mut(), 1).await), ["1"]);
}

pub async fn a_second_member_takes_partitions_over_and_gives_them_back(run: &Run) {
    let all: Vec<u32> = (0..run.log.partitions(TOPIC)).collect();
    let mut first = run.started("g", &[TOPIC], &Positions::new()).await;
    let mut second = run.log.join(&run.group("g"), &[TOPIC]).await.unwrap();
    loop {
        match first.next().await {
            Ok(Delivery::Revoked(partitions)) => {
                assert_eq!(partitions, all);
                break;
            }
            Ok(Delivery::Assigned(partitions)) => panic!("{partitions:?} before the old ones were revoked"),
            Ok(Delivery::Batch(_)) | Err(_) => {}
        }
    }
    assert!(!assigned(second.as_mut()).await.is_empty());
    second.start(&Positions::new()).await.unwrap();
    drop(second);
    while assigned(first.as_mut()).await != all {}
    first.start(&Positions::new()).await.unwrap();
    run.append(TOPIC, &[("a", "1")]).await;
    assert_eq!(values(&run.read(first.as_mut(), 1).await), ["1"]);
}

pub async fn a_follower_from_the_end_sees_only_what_is_new(run: &Run) {
    run.append(TOPIC, &[("a", "old"), ("b", "old")]).await;
    let mut follower = following(run, TOPIC, From::End).await;
    assert!(follower.caught_up());
    run.append(TOPIC, &[("a", "new"), ("b", "new")]).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(run.ours(followed(follower.as_mut()).await));
    }
    assert_eq!(values(&seen), ["new", "new"]);
}

pub async fn a_follower_folds_the_compacted_topic_to_its_latest_state(run: &Run) {
    run.append(Topic::CONFIG, &[("a", "1"), ("b", "1"), ("b", "2")])
        .await;
    run.append(Topic::CONFIG, &[("a", "2"), ("c", "1")]).await;
    let removal = Record {
        key: run.key("b"),
        value: None,
        headers: Vec::new(),
    };
    run.log.append(Topic::CONFIG, vec![removal]).await.unwrap();

    let mut follower = following(run, Topic::CONFIG, From::Start).await;
    let mut state = BTreeMap::new();
    while !follower.caught_up() {
        fold(run, follower.as_mut(), &mut state).await;
    }
    let expected = [("a", "2"), ("c", "1")].map(|(key, value)| (run.key(key), value.to_owned()));
    assert_eq!(state, BTreeMap::from(expected));
    run.append(Topic::CONFIG, &[("b", "3")]).await;
    while !state.contains_key(&run.key("b")) {
        fold(run, follower.as_mut(), &mut state).await;
    }
    for key in ["a", "b", "c"] {
        let removal = Record {
            key: run.key(key),
            value: None,
            headers: Vec::new(),
        };
        run.log.append(Topic::CONFIG, vec![removal]).await.unwrap();
    }
    while !state.is_empty() {
        fold(run, follower.as_mut(), &mut state).await;
    }
}

async fn fold(run: &Run, follower: &mut dyn Follower, state: &mut BTreeMap<String, String>) {
    for (_, _, record) in run.ours(followed(follower).await) {
        if record.value.is_some() {
            state.insert(record.key.clone(), text(&record));
        } else {
            state.remove(&record.key);
        }
    }
}

pub async fn a_record_that_is_too_large_is_refused_and_the_next_one_is_taken(run: &Run) {
    // The dead-letter topics take two megabytes. Random text, as the limit is not about what is left after compression.
    let text = |bytes: usize| -> String {
        (0..bytes)
            .map(|_| char::from(rand::random_range(b'a'..=b'z')))
            .collect()
    };
    let error = run
        .log
        .append(TOPIC, vec![run.record("a", &text(2_100_000))])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            LogError::TooLarge {
                topic: TOPIC,
                size: 2_100_000..
            }
        ),
        "{error}"
    );
    let value = Some(text(1_990_000).into());
    run.log
        .append(
            TOPIC,
            vec![Record {
                key: run.key("a"),
                value,
                headers: Vec::new(),
            }],
        )
        .await
        .unwrap();
    assert_eq!(run.all(TOPIC).await.len(), 1);
}

pub async fn many_appends_at_once_are_all_there(run: &Run) {
    let appends = (0..50).map(|caller| async move {
        for n in 0..20 {
            run.append(
                TOPIC,
                &[
                    (&format!("k{caller}"), &format!("{n:02}")),
                    (&format!("l{caller}"), "x"),
                ],
            )
            .await;
        }
    });
    join_all(appends).await;
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, _, record) in run.all(TOPIC).await {
        by_key.entry(record.key.clone()).or_default().push(text(&record));
    }
    assert_eq!(by_key.len(), 100);
    assert!(
        by_key
            .values()
            .all(|values| values.len() == 20 && values.is_sorted()),
        "{by_key:?}"
    );
}

pub async fn s7_a_batch_of_large_records_has_bounded_bytes(run: &Run) {
    const LARGE_BYTES: usize = 300_000;
    let text = "x".repeat(LARGE_BYTES);
    run.append(TOPIC, &[("a", text.as_str()); 20]).await;
    let mut consumer = run.started("reader", &[TOPIC], &Positions::new()).await;
    let mut seen = 0;
    while seen < 20 {
        let Ok(Delivery::Batch(batch)) = consumer.next().await else {
            continue;
        };
        let bytes: usize = batch.records.iter().map(value_bytes).sum();
        assert!(batch.records.len() == 1 || bytes <= MAX_BATCH_BYTES, "{bytes}");
        seen += run.ours(batch).len();
    }
}

fn value_bytes(record: &Received) -> usize {
    record.value.as_ref().map_or(0, |value| value.len())
}

pub async fn l2_a_partition_tells_its_extent_and_gives_single_records(run: &Run) {
    run.append(TOPIC, &[("a", "1"), ("b", "2"), ("a", "3")]).await;
    for (topic, partition, record) in run.all(TOPIC).await {
        let extent = run.log.extent(topic, partition).await.unwrap();
        assert!((extent.first..extent.end).contains(&record.offset), "{extent:?}");
        let found = run.log.record_at(topic, partition, record.offset).await.unwrap();
        assert_eq!(found.as_ref(), Some(&record));
        // Other tests append to the same topic meanwhile.
        let beyond = extent.end + 1_000_000;
        assert_eq!(run.log.record_at(topic, partition, beyond).await.unwrap(), None);
    }
}
