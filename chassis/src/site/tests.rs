use jiff::Timestamp;
use pipeline::Clock;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Log as _, Record};
use schemas::config::{Environment, Revision};

use super::*;

fn environment(name: &str) -> ConfigEntry {
    ConfigEntry::Environment(Environment {
        name: name.to_owned(),
        description: String::new(),
        number: None,
    })
}

fn revision(revision: u64) -> ConfigEntry {
    ConfigEntry::Revision(Revision { revision })
}

async fn publish(log: &SimulatedLog, entries: &[ConfigEntry]) {
    let record = |entry: &ConfigEntry| Record {
        key: entry.key(),
        value: Some(serde_json::to_vec(entry).unwrap().into()),
        headers: Vec::new(),
    };
    log.append(Topic::CONFIG, entries.iter().map(record).collect())
        .await
        .unwrap();
}

fn names(site: &watch::Receiver<Arc<Site>>) -> Vec<String> {
    site.borrow().environments.keys().cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn a_change_is_seen_whole_and_what_a_publisher_left_halfway_a_little_later() {
    let log = SimulatedLog::new(1);
    let clock = Clock::simulated(Timestamp::UNIX_EPOCH);
    let context = Context::new(Arc::new(log.clone()), clock);
    publish(&log, &[environment("a"), revision(1)]).await;
    let mut site = follow(&context);
    complete(&mut site).await;
    assert_eq!(names(&site), ["a"]);

    publish(&log, &[environment("b")]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(names(&site), ["a"], "half of a change is not shown");
    publish(&log, &[environment("c"), revision(2)]).await;
    site.wait_for(|site| site.revision == Some(2)).await.unwrap();
    assert_eq!(names(&site), ["a", "b", "c"]);

    publish(&log, &[environment("d")]).await;
    tokio::time::sleep(QUIET * 2).await;
    assert_eq!(names(&site), ["a", "b", "c", "d"]);
}
