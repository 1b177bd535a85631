//! Damaged folders: none is opened as if nothing were, and what is good is saved.

use std::fs;

use super::*;
use crate::log::embedded::damage::{TABLES, entries, journals};
use crate::log::embedded::journal::{read, scan};
use crate::restored::{Trail, checked};
use crate::runner::Context;

const GROUP: &str = "readers";
const RECORDS: u64 = 20;

/// A log with so many records, each written by itself, and a group that has read all of them.
async fn written(folder: &Path, records: u64) -> Trail {
    let log = open(folder, Clock::system());
    for number in 0..records {
        log.append(
            TOPIC,
            vec![record(&number.to_string(), Some("{\"a\": \"text\"}"))],
        )
        .await
        .unwrap();
    }
    let mut consumer = log.join(GROUP, &[TOPIC]).await.unwrap();
    consumer.next().await.unwrap();
    consumer.commit(TOPIC, 0, records).await.unwrap();
    let mut trail = Trail::default();
    let mut follower = log.follow(TOPIC, From::Start).await.unwrap();
    while !follower.caught_up() {
        for record in follower.next().await.unwrap().records {
            trail.read_to(&record);
        }
    }
    trail
}

fn journal_of(folder: &Path) -> PathBuf {
    journals(folder).unwrap().pop().unwrap()
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x20;
    fs::write(file, bytes).unwrap();
}

fn refusal(folder: &Path) -> Damage {
    match EmbeddedLog::open(folder, Clock::system()) {
        Err(error @ OpenError::Damaged { .. }) => {
            let text = error.to_string();
            assert!(text.contains("reveille log rescue --data"), "{text}");
            assert!(text.contains("backup"), "{text}");
            let OpenError::Damaged { damage, .. } = error else {
                unreachable!()
            };
            assert!(text.contains(&damage.file.display().to_string()), "{text}");
            damage
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened"),
    }
}

fn numbers(from: u64, to: u64) -> Vec<String> {
    (from..to).map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn s8_no_damaged_byte_of_a_journal_takes_other_batches_along() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), RECORDS).await;
    let bytes = read(&journal_of(folder.path())).unwrap();
    let whole = scan(&bytes);
    assert!(whole.damaged.is_empty() && whole.torn.is_none());
    let count = whole.items(&bytes).count();
    assert!(count > 20, "{count}");
    let written = bytes.len() - 13;
    for at in 0..written {
        for mask in [0x01, 0x20, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= mask;
            let journal = scan(&damaged);
            let found = journal.items(&damaged).count();
            let is_last = at > written - 13 - 8;
            assert!(found + 1 >= count, "byte {at} ^ {mask}: {found} of {count}");
            assert!(
                found == count || !journal.damaged.is_empty(),
                "byte {at} ^ {mask} is passed over"
            );
            assert!(
                journal.torn.is_none() || is_last && found == count,
                "byte {at} ^ {mask} would be cut off"
            );
        }
    }
    for end in 0..written {
        let journal = scan(&bytes[..end]);
        assert!(journal.damaged.is_empty(), "a power cut at {end} is no damage");
    }
}

#[tokio::test]
async fn s8_a_damaged_journal_is_refused_with_file_offset_and_remedy_and_rescued_without_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("log");
    written(&folder, RECORDS).await;
    let file = journal_of(&folder);
    let bytes = fs::read(&file).unwrap();
    let at = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| window == b"text")
        .nth(7)
        .unwrap()
        .0;
    flip(&file, at);
    let damage = refusal(&folder);
    assert_eq!(damage.file, file);
    let offset = usize::try_from(damage.offset.unwrap()).unwrap();
    assert!((at - 200..at).contains(&offset), "{offset} for {at}");
    assert_eq!(refusal(&folder), damage, "looking does not change it");

    let rescued = rescue(&folder, Timestamp::UNIX_EPOCH).unwrap();
    let lost = Lost {
        topic: TOPIC,
        partition: 0,
        first: 7,
        last: 7,
    };
    assert_eq!((rescued.records, &rescued.lost), (RECORDS - 1, &vec![lost]));
    assert_eq!(lost.to_string(), "alerts.changed, partition 0, offsets 7 to 7");
    let kept = rescued.kept_as.unwrap();
    assert_eq!(kept, folder.with_file_name("log.damaged-19700101T000000Z"));
    assert_eq!(refusal(&kept).offset, damage.offset);
    let log = open(&folder, Clock::system());
    let left: Vec<_> = numbers(0, 7).into_iter().chain(numbers(8, RECORDS)).collect();
    assert_eq!(keys(&log, TOPIC).await, left);
    drop(log);
    let again = rescue(&folder, Timestamp::UNIX_EPOCH).unwrap();
    assert!(again.damages.is_empty() && again.kept_as.is_none());
    assert_eq!(
        fs::read_dir(folder.parent().unwrap()).unwrap().count(),
        2,
        "nothing else is left"
    );
}

#[tokio::test]
async fn s8_positions_are_not_beyond_the_end_of_what_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("log");
    let mut trail = written(&folder, RECORDS).await;
    let file = journal_of(&folder);
    let bytes = fs::read(&file).unwrap();
    let texts = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| window == b"text");
    let places: Vec<_> = texts.map(|(at, _)| at).collect();
    for at in &places[17..] {
        flip(&file, *at);
    }
    refusal(&folder);
    let rescued = rescue(&folder, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(rescued.records, 17);
    let lost: Vec<_> = rescued.lost.iter().map(|lost| (lost.first, lost.last)).collect();
    assert_eq!(lost, [(17, 19)]);

    let log = Arc::new(open(&folder, Clock::system()));
    for number in 100..105 {
        log.append(TOPIC, vec![record(&number.to_string(), Some("{}"))])
            .await
            .unwrap();
    }
    let mut consumer = log.join(GROUP, &[TOPIC]).await.unwrap();
    consumer.next().await.unwrap();
    consumer.start(&Positions::new()).await.unwrap();
    let Delivery::Batch(batch) = consumer.next().await.unwrap() else {
        panic!()
    };
    assert_eq!(
        batch.records[0].key, "100",
        "a group that keeps its position in the log"
    );
    // As the daemon does, with what it has in its database.
    let context = Context::new(Arc::clone(&log) as Arc<dyn Log>, Clock::system());
    let at = checked(&context, "daemon", (TOPIC, 0), RECORDS, &mut trail)
        .await
        .unwrap();
    assert!(at <= 17, "{at}");
}

#[tokio::test]
async fn s8_a_batch_that_a_power_cut_left_unfinished_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), RECORDS).await;
    let file = journal_of(folder.path());
    let end = read(&file).unwrap().len() - 13;
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..end - 6]).unwrap();
    let log = open(folder.path(), Clock::system());
    assert_eq!(keys(&log, TOPIC).await.len(), 20, "the position was written last");
    log.append(TOPIC, vec![record("next", Some("{}"))]).await.unwrap();
    drop(log);
    assert_eq!(keys(&open(folder.path(), Clock::system()), TOPIC).await.len(), 21);
}

/// Appends until the store has written a table of the topic.
async fn with_tables(folder: &Path) -> (u64, PathBuf) {
    let log = open(folder, Clock::system());
    let text = "x".repeat(4096);
    let mut count = 0;
    loop {
        let records = (0..100)
            .map(|n| record(&(count + n).to_string(), Some(&text)))
            .collect();
        log.append(TOPIC, records).await.unwrap();
        count += 100;
        let keyspace = log.shared.topics[&TOPIC].keyspace().unwrap();
        if let Some(table) = entries(&keyspace.path().join("tables")).unwrap().pop() {
            return (
                count,
                folder
                    .join(TABLES)
                    .join(keyspace.id().to_string())
                    .join("tables")
                    .join(table.file_name().unwrap()),
            );
        }
        assert!(count < 100_000, "no table is written");
    }
}

#[tokio::test]
async fn s8_a_damaged_block_of_a_table_costs_its_own_records_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("log");
    let (count, table) = with_tables(&folder).await;
    flip(&table, 300);
    let rescued = rescue(&folder, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(rescued.damages[0].file, table);
    let offset = rescued.damages[0].offset.unwrap();
    assert!(offset <= 300, "{offset}");
    let lost: u64 = rescued.lost.iter().map(|lost| lost.last - lost.first + 1).sum();
    assert_eq!(rescued.records + lost, count);
    assert!(lost <= 50, "{lost} of {count}");
    let left = keys(&open(&folder, Clock::system()), TOPIC).await.len();
    assert_eq!(u64::try_from(left).unwrap(), rescued.records);
}

#[tokio::test]
async fn s8_damage_in_what_the_store_keeps_of_itself_costs_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let damages: [fn(&Path); 4] = [
        |folder| fs::remove_file(folder.join("version")).unwrap(),
        |folder| fs::write(folder.join("version"), "FJL\x04").unwrap(),
        |folder| fs::remove_file(folder.join(TABLES).join("0").join("current")).unwrap(),
        |folder| {
            flip(
                &entries(&folder.join(TABLES).join("0").join("tables")).unwrap()[0],
                40,
            )
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        let folder = folder.path().join(number.to_string());
        written(&folder, 3).await;
        fs::write(folder.join("site.json"), "remembered").unwrap();
        damage(&folder);
        refusal(&folder);
        let rescued = rescue(&folder, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            (rescued.records, rescued.lost.len()),
            (3, 0),
            "{number}: {:?}",
            rescued.damages
        );
        assert!(!rescued.damages.is_empty());
        assert_eq!(keys(&open(&folder, Clock::system()), TOPIC).await, numbers(0, 3));
        assert_eq!(
            fs::read_to_string(folder.join("site.json")).unwrap(),
            "remembered"
        );
    }
}

#[tokio::test]
async fn s8_a_folder_in_use_and_a_folder_without_a_log_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), Clock::system());
    let error = rescue(folder.path(), Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(matches!(error, RescueError::InUse(_)), "{error}");
    drop(log);
    let empty = tempfile::tempdir().unwrap();
    let error = rescue(empty.path(), Timestamp::UNIX_EPOCH).unwrap_err();
    assert!(matches!(error, RescueError::NoLog(_)), "{error}");
}

#[tokio::test]
async fn s9_the_folder_of_a_log_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("log");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    drop(open(&folder, Clock::system()));
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}
