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
async fn l20_a_change_is_seen_whole_however_long_its_rest_takes() {
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
    tokio::time::sleep(QUIET * 20).await;
    assert_eq!(names(&site), ["a", "b", "c"], "half of a change is not shown");
    let waiting = context.health.report().remove(0).waiting_for;
    assert_eq!(waiting.as_deref(), Some(REST_OF_CHANGE));
    publish(&log, &[revision(3)]).await;
    site.wait_for(|site| site.revision == Some(3)).await.unwrap();
    assert_eq!(names(&site), ["a", "b", "c", "d"]);
    assert_eq!(context.health.report().remove(0).waiting_for, None);
}

#[tokio::test(start_paused = true)]
async fn l19_an_entry_that_cannot_be_used_is_named_until_it_is_put_right() {
    let log = SimulatedLog::new(1);
    let context = Context::new(Arc::new(log.clone()), Clock::simulated(Timestamp::UNIX_EPOCH));
    let odd = Record {
        key: "scenario/odd".to_owned(),
        value: Some(r#"{"kind": "riddle"}"#.into()),
        headers: Vec::new(),
    };
    log.append(Topic::CONFIG, vec![odd]).await.unwrap();
    publish(&log, &[environment("a"), revision(1)]).await;
    let mut site = follow(&context);
    complete(&mut site).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(names(&site), ["a"]);
    let warnings = context.health.warnings();
    assert_eq!(warnings[0].subject, "site entry scenario/odd");

    let gone = Record {
        key: "scenario/odd".to_owned(),
        value: None,
        headers: Vec::new(),
    };
    log.append(Topic::CONFIG, vec![gone]).await.unwrap();
    publish(&log, &[revision(2)]).await;
    site.wait_for(|site| site.revision == Some(2)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(context.health.warnings(), []);
}
