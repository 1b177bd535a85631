mod rescue;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::*;
use crate::log::Delivery;

const TOPIC: Topic = Topic::ALERTS_CHANGED;

fn record(key: &str, value: Option<&str>) -> Record {
    Record {
        key: key.to_owned(),
        value: value.map(|value| value.to_owned().into()),
        headers: Vec::new(),
    }
}

async fn keys(log: &EmbeddedLog, topic: Topic) -> Vec<String> {
    let mut follower = log.follow(topic, From::Start).await.unwrap();
    let mut keys = Vec::new();
    while !follower.caught_up() {
        keys.extend(
            follower
                .next()
                .await
                .unwrap()
                .records
                .into_iter()
                .map(|record| record.key),
        );
    }
    keys
}

/// Retention as it would be so many hours from now.
async fn retain(log: &EmbeddedLog, hours: i64) {
    let (done, finished) = oneshot::channel();
    let now = log.clock.now() + SignedDuration::from_hours(hours);
    log.work
        .send(Work::Retain {
            now,
            done: Some(done),
        })
        .unwrap();
    finished.await.unwrap();
}

fn open(folder: &Path, clock: Clock) -> EmbeddedLog {
    EmbeddedLog::open(folder, clock).unwrap()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_for_its_age_before_readers_had_time_to_read_it() {
    let (work, asked) = std::sync::mpsc::channel();
    let asking = tokio::spawn(ask_for_retention(work, Clock::system()));
    tokio::time::sleep(RETENTION_INTERVAL / 2).await;
    assert!(asked.try_recv().is_err());
    tokio::time::sleep(RETENTION_INTERVAL).await;
    assert!(matches!(asked.try_recv(), Ok(Work::Retain { .. })));
    asking.abort();
}

#[tokio::test]
async fn old_records_go_and_the_offsets_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let yesterday = Clock::simulated(Timestamp::now() - SignedDuration::from_hours(23));
    let log = open(folder.path(), yesterday);
    let old = (0..2500)
        .map(|n| record(&format!("old{n}"), Some("{}")))
        .collect();
    log.append(TOPIC, old).await.unwrap();
    log.append(
        Topic::ALERTS_COLLECTED,
        vec![record("kept for a week", Some("{}"))],
    )
    .await
    .unwrap();
    drop(log);
    let log = open(folder.path(), Clock::system());
    log.append(
        TOPIC,
        vec![record("young", Some("{}")), record("youngest", Some("{}"))],
    )
    .await
    .unwrap();
    retain(&log, 0).await;
    assert_eq!(keys(&log, TOPIC).await.len(), 2502);
    retain(&log, 2).await;
    assert_eq!(keys(&log, TOPIC).await, ["young", "youngest"]);
    retain(&log, 30).await;
    drop(log);

    let log = open(folder.path(), Clock::system());
    assert_eq!(keys(&log, TOPIC).await, ["youngest"]);
    assert_eq!(keys(&log, Topic::ALERTS_COLLECTED).await, ["kept for a week"]);
    log.append(TOPIC, vec![record("next", Some("{}"))]).await.unwrap();
    let mut follower = log.follow(TOPIC, From::Start).await.unwrap();
    while !follower.caught_up() {
        assert!(follower.next().await.unwrap().next_offset() >= 2502);
    }
    assert_eq!(keys(&log, TOPIC).await, ["youngest", "next"]);
}

#[tokio::test]
async fn what_nobody_needs_any_more_is_forgotten_and_the_offsets_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let long_ago = Clock::simulated(Timestamp::UNIX_EPOCH);
    let log = EmbeddedLog::open_for_ever(folder.path(), long_ago).unwrap();
    let records = |names: &[&str]| {
        names
            .iter()
            .map(|name| record(name, Some("{}")))
            .collect::<Vec<_>>()
    };
    log.append(TOPIC, records(&["a", "b", "c", "d"])).await.unwrap();
    log.forget(TOPIC, 0, 2).unwrap();
    log.append(TOPIC, records(&["e"])).await.unwrap();
    assert_eq!(keys(&log, TOPIC).await, ["c", "d", "e"]);
    log.forget(TOPIC, 0, 5).unwrap();
    drop(log);
    let log = EmbeddedLog::open_for_ever(folder.path(), Clock::system()).unwrap();
    assert_eq!(keys(&log, TOPIC).await, ["e"]);
    log.append(TOPIC, records(&["f"])).await.unwrap();
    assert_eq!(keys(&log, TOPIC).await, ["e", "f"]);
    let mut follower = log.follow(TOPIC, From::End).await.unwrap();
    log.append(TOPIC, records(&["g"])).await.unwrap();
    assert_eq!(follower.next().await.unwrap().records[0].offset, 6);
}

#[tokio::test]
async fn the_compacted_topic_keeps_the_newest_of_each_key_and_forgets_removed_keys_later() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), Clock::system());
    let records = [("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("b", None)];
    log.append(
        Topic::CONFIG,
        records.map(|(key, value)| record(key, value)).to_vec(),
    )
    .await
    .unwrap();
    log.append(
        Topic::CONFIG,
        vec![record("c", Some("1")), record("a", Some("3"))],
    )
    .await
    .unwrap();
    retain(&log, 23).await;
    assert_eq!(keys(&log, Topic::CONFIG).await, ["b", "c", "a"]);
    retain(&log, 25).await;
    assert_eq!(keys(&log, Topic::CONFIG).await, ["c", "a"]);
}

#[tokio::test]
async fn a_compacted_topic_with_a_retention_forgets_what_nobody_wrote_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), Clock::system());
    let usage = Topic::INTEGRATIONS_USAGE;
    let records = [("a", Some("1")), ("b", Some("1")), ("a", Some("2"))];
    log.append(usage, records.map(|(key, value)| record(key, value)).to_vec())
        .await
        .unwrap();
    retain(&log, 2159).await;
    assert_eq!(keys(&log, usage).await, ["b", "a"]);
    retain(&log, 2161).await;
    assert_eq!(keys(&log, usage).await, ["a"]);
}

#[tokio::test]
async fn rejected_bodies_are_kept_for_as_long_and_up_to_as_many_bytes_as_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let rejected = Topic::INGEST_REJECTED;
    let partitions = u64::from(rejected.embedded_partitions());
    let kept = RejectedRetention {
        days: Some(2),
        bytes: Some(10_000 * partitions),
    };
    let open = || EmbeddedLog::open_keeping(folder.path(), Clock::system(), kept).unwrap();
    let log = open();
    let body = "x".repeat(3_000);
    // One key, so one partition.
    let append = async |log: &EmbeddedLog, topic| {
        log.append(topic, vec![record("zabbix", Some(&body))])
            .await
            .unwrap();
    };
    for _ in 0..5 {
        append(&log, rejected).await;
        append(&log, TOPIC).await;
    }
    retain(&log, 1).await;
    assert_eq!(
        keys(&log, rejected).await.len(),
        3,
        "three of 3 kB are less than 10 kB"
    );
    assert_eq!(keys(&log, TOPIC).await.len(), 5, "it is no other topic's bound");

    // What was there before is counted.
    drop(log);
    let log = open();
    append(&log, rejected).await;
    retain(&log, 1).await;
    assert_eq!(keys(&log, rejected).await.len(), 3);
    retain(&log, 47).await;
    assert_eq!(keys(&log, rejected).await.len(), 3);
    retain(&log, 49).await;
    assert_eq!(
        keys(&log, rejected).await.len(),
        1,
        "offsets go on from the last one"
    );
}

#[tokio::test]
async fn a_reader_far_behind_gets_what_has_left_memory_and_what_has_not() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), Clock::system());
    let mut consumer = log.join("g", &[TOPIC]).await.unwrap();
    consumer.next().await.unwrap();
    for part in 0..10 {
        let records = (0..1000)
            .map(|n| record(&format!("{:05}", part * 1000 + n), Some("{}")))
            .collect();
        log.append(TOPIC, records).await.unwrap();
    }
    consumer.start(&Positions::new()).await.unwrap();
    assert_eq!(consumer.lag()[&TOPIC], 10_000);
    let mut seen = Vec::new();
    while seen.len() < 10_000 {
        let Delivery::Batch(batch) = consumer.next().await.unwrap() else {
            panic!()
        };
        seen.extend(batch.records.into_iter().map(|record| record.key));
    }
    assert_eq!(seen, (0..10_000).map(|n| format!("{n:05}")).collect::<Vec<_>>());
    assert_eq!(consumer.lag()[&TOPIC], 0);
}
