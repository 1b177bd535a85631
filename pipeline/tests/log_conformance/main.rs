//! One suite of behaviours, run on every backing of the log.
//!
//! Kafka is taken from `REVEILLE_TEST_KAFKA` (`host:port`). Its topics may hold anything: each test has keys and groups
//! of its own and looks at nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "all of it is test code, also what is outside the test functions"
)]

mod behaviours;
mod durability;
mod retention;

/// Runs each behaviour on the log that `$open` gives; it answers with the log and whatever must live as long.
macro_rules! suite {
    ($backing:ident, $open:expr, [$($behaviour:ident),+ $(,)?]) => {
        mod $backing {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $behaviour() {
                    let Some((log, _alive)) = $open.await else { return };
                    let run = crate::behaviours::Run::new(log);
                    let time = std::time::Duration::from_secs(60);
                    let behaviour = crate::behaviours::$behaviour(&run);
                    tokio::time::timeout(time, behaviour).await.expect("it ends within a minute");
                }
            )+
        }
    };
}

macro_rules! all_suites {
    ($($behaviour:ident),+ $(,)?) => {
        suite!(simulated, crate::simulated(), [$($behaviour),+]);
        suite!(embedded, crate::embedded(), [$($behaviour),+]);
        suite!(kafka, crate::kafka(), [$($behaviour),+]);
    };
}

all_suites![
    records_of_a_key_are_in_one_partition_in_order,
    what_was_answered_can_be_read,
    records_come_back_whole,
    a_group_goes_on_where_it_committed,
    given_positions_win_over_committed_ones,
    each_group_gets_everything,
    nothing_comes_before_the_assignment_and_the_start,
    a_second_member_takes_partitions_over_and_gives_them_back,
    a_follower_from_the_end_sees_only_what_is_new,
    a_follower_folds_the_compacted_topic_to_its_latest_state,
    a_record_that_is_too_large_is_refused_and_the_next_one_is_taken,
    many_appends_at_once_are_all_there,
    s7_a_batch_of_large_records_has_bounded_bytes,
    l2_a_partition_tells_its_extent_and_gives_single_records,
];

use std::io::Write;
use std::sync::{Arc, Once};

use pipeline::log::Log;
use pipeline::log::embedded::EmbeddedLog;
use pipeline::log::kafka::{KafkaLog, KafkaSettings};
use pipeline::log::simulated::SimulatedLog;

type Opened = Option<(Arc<dyn Log>, Option<tempfile::TempDir>)>;

async fn simulated() -> Opened {
    Some((Arc::new(SimulatedLog::new(4)), None))
}

async fn embedded() -> Opened {
    let folder = tempfile::tempdir().expect("a folder");
    let log = EmbeddedLog::open(folder.path(), pipeline::Clock::system()).expect("the log opens");
    Some((Arc::new(log), Some(folder)))
}

/// The test harness hides what passing tests print, but not what goes to stderr itself.
fn tell_skipped() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let text = b"SKIPPED: Kafka: the suite has not run on it; set REVEILLE_TEST_KAFKA to host:port of a broker\n";
        std::io::stderr().write_all(text).unwrap();
    });
}

async fn kafka() -> Opened {
    let Ok(bootstrap) = std::env::var("REVEILLE_TEST_KAFKA") else {
        tell_skipped();
        return None;
    };
    let settings = KafkaSettings {
        bootstrap,
        client_id: "conformance".to_owned(),
        ..KafkaSettings::default()
    };
    let log = KafkaLog::connect(settings).expect("the settings make sense");
    log.ensure_topics().await.expect("the broker is there");
    Some((Arc::new(log), None))
}
