//! What the embedded log promises beyond the suite: nothing that was answered is lost.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use pipeline::log::embedded::{EmbeddedLog, OpenError};
use pipeline::log::{Consumer, Delivery, From, Log, Positions, Received};
use pipeline::{Clock, Record};
use schemas::Topic;

const TOPIC: Topic = Topic::ALERTS_COLLECTED;
const GROUP: &str = "readers";
/// Tells the child where to write.
const CHILD_FOLDER: &str = "REVEILLE_TEST_CHILD_FOLDER";

fn record(key: &str) -> Record {
    Record {
        key: key.to_owned(),
        value: Some("{}".into()),
        headers: Vec::new(),
    }
}

/// Some thousands of these fill what is gathered in memory, so that tables are written as well.
fn large_record(key: &str) -> Record {
    Record {
        value: Some(vec![b'x'; 4096].into()),
        ..record(key)
    }
}

fn open(folder: &Path) -> EmbeddedLog {
    EmbeddedLog::open(folder, Clock::system()).unwrap()
}

async fn all(log: &EmbeddedLog, topic: Topic) -> Vec<Received> {
    let mut follower = log.follow(topic, From::Start).await.unwrap();
    let mut records = Vec::new();
    while !follower.caught_up() {
        records.extend(follower.next().await.unwrap().records);
    }
    records
}

async fn started(log: &EmbeddedLog) -> Box<dyn Consumer> {
    let mut consumer = log.join(GROUP, &[TOPIC]).await.unwrap();
    assert_eq!(consumer.next().await.unwrap(), Delivery::Assigned(vec![0]));
    consumer.start(&Positions::new()).await.unwrap();
    consumer
}

async fn next_keys(consumer: &mut dyn Consumer) -> Vec<String> {
    match consumer.next().await.unwrap() {
        Delivery::Batch(batch) => batch.records.into_iter().map(|record| record.key).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn records_and_positions_are_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    log.append(TOPIC, vec![record("a"), record("b"), record("c")])
        .await
        .unwrap();
    log.append(Topic::CONFIG, vec![record("a"), record("a")])
        .await
        .unwrap();
    let mut consumer = started(&log).await;
    next_keys(consumer.as_mut()).await;
    consumer.commit(TOPIC, 0, 2).await.unwrap();
    drop((consumer, log));

    let log = open(folder.path());
    let config: Vec<_> = all(&log, Topic::CONFIG)
        .await
        .into_iter()
        .map(|record| record.offset)
        .collect();
    assert_eq!(config, [1], "the older record of the key is gone");
    log.append(TOPIC, vec![record("d")]).await.unwrap();
    let offsets: Vec<_> = all(&log, TOPIC)
        .await
        .into_iter()
        .map(|record| (record.offset, record.key))
        .collect();
    assert_eq!(
        offsets,
        [(0, "a".into()), (1, "b".into()), (2, "c".into()), (3, "d".into())]
    );
    let mut consumer = started(&log).await;
    let mut keys = next_keys(consumer.as_mut()).await;
    if keys.len() < 2 {
        keys.extend(next_keys(consumer.as_mut()).await);
    }
    assert_eq!(keys, ["c", "d"]);
}

#[tokio::test]
async fn a_folder_that_is_open_elsewhere_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let _open = open(folder.path());
    let error = EmbeddedLog::open(folder.path(), Clock::system()).err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "the data folder {} is in use by another reveille",
            folder.path().display()
        )
    );
}

/// The child: appends from several tasks, and prints each key once it was answered. It also reads and commits. It is
/// killed from outside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_appends_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else {
        return;
    };
    let log = std::sync::Arc::new(open(Path::new(&folder)));
    let start = all(&log, TOPIC).await.len();
    for caller in 0..4 {
        let log = std::sync::Arc::clone(&log);
        tokio::spawn(async move {
            for n in 0.. {
                let keys: Vec<_> = (0..5).map(|i| format!("{start}-{caller}-{n}-{i}")).collect();
                log.append(TOPIC, keys.iter().map(|key| large_record(key)).collect())
                    .await
                    .unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "acknowledged {}", keys.join(" ")).unwrap();
                out.flush().unwrap();
            }
        });
    }
    let mut consumer = started(&log).await;
    loop {
        if let Delivery::Batch(batch) = consumer.next().await.unwrap() {
            consumer.commit(TOPIC, 0, batch.next_offset()).await.unwrap();
        }
    }
}

/// Runs the child until it has printed so many lines, kills it, and tells all the keys that it printed.
fn killed_child(folder: &Path, lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "durability::child_that_appends_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (mut text, mut seen) = (String::new(), 0);
    while seen < lines {
        let before = text.len();
        let read = output.read_line(&mut text).unwrap();
        assert_ne!(read, 0, "the child ended by itself: {text}");
        seen += usize::from(text[before..].contains("acknowledged"));
    }
    child.kill().unwrap();
    output.read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    // The last line may be cut.
    let (whole, _) = text.rsplit_once('\n').unwrap();
    whole
        .lines()
        .filter_map(|line| line.split_once("acknowledged "))
        .flat_map(|(_, keys)| keys.split(' ').map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut answered = BTreeSet::new();
    for lines in [1, 50, 1000] {
        answered.extend(killed_child(folder.path(), lines));
        let log = open(folder.path());
        let records = all(&log, TOPIC).await;
        let keys: BTreeSet<_> = records.iter().map(|record| record.key.clone()).collect();
        let lost: Vec<_> = answered.difference(&keys).collect();
        assert!(
            lost.is_empty(),
            "{} of {} are lost: {lost:?}",
            lost.len(),
            answered.len()
        );
        assert!(
            records
                .iter()
                .enumerate()
                .all(|(n, record)| record.offset == n as u64),
            "offsets have no gaps"
        );

        // A position ahead of the records would pass over this one.
        log.append(TOPIC, vec![record("sentinel")]).await.unwrap();
        let mut consumer = started(&log).await;
        while !next_keys(consumer.as_mut())
            .await
            .contains(&"sentinel".to_owned())
        {}
        consumer.commit(TOPIC, 0, records.len() as u64 + 1).await.unwrap();
    }
}

/// A small file system in memory, unmounted when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where mounting is not allowed.
    fn new(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    /// Takes all the space that is left, until the file is removed.
    fn fill(&self) -> std::path::PathBuf {
        let path = self.0.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

async fn appended_within(log: &EmbeddedLog, key: &str, time: std::time::Duration) -> bool {
    let begun = std::time::Instant::now();
    while begun.elapsed() < time {
        if log.append(TOPIC, vec![large_record(key)]).await.is_ok() {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l3_a_disk_that_was_full_is_written_to_again_when_it_has_room() {
    let Some(disk) = SmallDisk::new(64) else {
        eprintln!("SKIPPED: mounting a small file system is not allowed here");
        return;
    };
    let folder = disk.0.path().join("log");
    let log = open(&folder);
    let mut answered = Vec::new();
    for round in 0..2 {
        let filler = disk.fill();
        let mut failures = 0;
        for number in 0..100_000 {
            let key = format!("{round}-{number}");
            match log.append(TOPIC, vec![large_record(&key)]).await {
                Ok(()) => answered.push(key),
                Err(_) => failures += 1,
            }
            if failures > 3 {
                break;
            }
        }
        assert!(failures > 3, "the disk was never full");
        std::fs::remove_file(filler).unwrap();
        let key = format!("{round}-after");
        assert!(appended_within(&log, &key, std::time::Duration::from_secs(20)).await);
        answered.push(key);
    }
    let has_all = |found: Vec<Received>| {
        let found: BTreeSet<_> = found.into_iter().map(|record| record.key).collect();
        answered.iter().all(|key| found.contains(key))
    };
    assert!(has_all(all(&log, TOPIC).await));
    drop(log);
    let log = open(&folder);
    assert!(has_all(all(&log, TOPIC).await), "after a restart");
    drop(log);
}
