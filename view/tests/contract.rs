//! What every view promises, on memory and on Aerospike.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by them"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aerospike::{Bin, Bins, Client, ClientPolicy, Key, ReadPolicy, Value, WritePolicy};
use jiff::{SignedDuration, Timestamp};
use schemas::{Alert, Channel, Fingerprint, Severity, Status};
use view::{AerospikeView, CounterKey, MemoryView, View};

mod server;

use server::Server;

fn fingerprint(number: u32) -> Fingerprint {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Fingerprint::from_bytes(bytes)
}

/// An open alert, told to Slack.
fn alert(number: u32, version: u64) -> Alert {
    serde_json::from_value(serde_json::json!({
        "fingerprint": fingerprint(number), "version": version, "environment": "production", "scenario": "default",
        "integration": "prometheus", "monitoring_system": "alertmanager", "source": "am-1",
        "object": format!("db-{number}"), "name": "disk full", "severity": "critical", "status": "open",
        "operator_state": "active", "output": format!("version {version}"), "channels": ["slack"], "episode": 1,
        "first_opened_at": "2026-09-01T10:00:00Z", "opened_at": "2026-09-01T10:00:00Z",
        "last_event_at": "2026-09-01T10:00:00Z", "changed_at": "2026-09-01T10:00:00Z", "total_duration_ms": 0,
        "counts": {"opened": 1, "updated": 0, "severity_changed": 0, "closed": 0, "acknowledged": 0, "snoozed": 0},
    }))
    .unwrap()
}

fn closed(number: u32, version: u64) -> Alert {
    Alert {
        status: Status::Closed,
        channels: Vec::new(),
        ..alert(number, version)
    }
}

async fn put(view: &dyn View, alerts: impl IntoIterator<Item = Alert>) {
    view.put(alerts.into_iter().map(Arc::new).collect())
        .await
        .unwrap();
}

async fn get(view: &dyn View, number: u32) -> Option<Alert> {
    view.get(&[fingerprint(number)])
        .await
        .unwrap()
        .pop()
        .map(|alert| Alert::clone(&alert))
}

async fn open(view: &dyn View) -> Vec<Alert> {
    let mut open: Vec<_> = view
        .open()
        .await
        .unwrap()
        .iter()
        .map(|alert| Alert::clone(alert))
        .collect();
    open.sort_by_key(|alert| alert.fingerprint);
    open
}

/// What the counters are when these are the open alerts.
fn counted(alerts: &[Alert]) -> BTreeMap<CounterKey, u64> {
    let mut counters = BTreeMap::new();
    for key in alerts.iter().flat_map(CounterKey::of) {
        *counters.entry(key).or_default() += 1;
    }
    counters
}

async fn what_was_put_is_got_whole_and_listed_while_open(view: &dyn View) {
    let alerts: Vec<_> = (0..700).map(|number| alert(number, 1)).collect();
    put(view, alerts.clone()).await;
    put(view, [closed(3, 2)]).await;
    assert_eq!(get(view, 2).await, Some(alert(2, 1)));
    assert_eq!(get(view, 3).await, Some(closed(3, 2)));
    assert_eq!(get(view, 9999).await, None);
    let wanted: Vec<_> = alerts
        .into_iter()
        .filter(|alert| alert.fingerprint != fingerprint(3))
        .collect();
    assert_eq!(open(view).await, wanted);
    let all: Vec<_> = (0..700).chain([9999]).map(fingerprint).collect();
    assert_eq!(view.get(&all).await.unwrap().len(), 700);
}

async fn an_older_or_equal_version_changes_nothing(view: &dyn View) {
    put(view, [alert(1, 5)]).await;
    let same_version = Alert {
        output: "another text".to_owned(),
        ..alert(1, 5)
    };
    put(view, [alert(1, 4), same_version]).await;
    assert_eq!(get(view, 1).await, Some(alert(1, 5)));
    put(view, [alert(1, 6), alert(1, 8), alert(1, 7)]).await;
    assert_eq!(get(view, 1).await, Some(alert(1, 8)));
    assert_eq!(view.counters().await.unwrap(), counted(&[alert(1, 8)]));
}

async fn an_older_version_does_not_bring_a_closed_alert_back(view: &dyn View) {
    put(view, [alert(1, 1)]).await;
    put(view, [closed(1, 3)]).await;
    put(view, [alert(1, 2)]).await;
    assert_eq!(open(view).await, []);
    assert_eq!(view.counters().await.unwrap(), BTreeMap::new());
    put(view, [alert(1, 4)]).await;
    assert_eq!(open(view).await, [alert(1, 4)]);
}

async fn counters_follow_every_change(view: &dyn View) {
    let mut state = BTreeMap::new();
    let severities = [Severity::Warning, Severity::Critical, Severity::Down];
    for step in 0..60_u32 {
        let mut batch = Vec::new();
        for number in (step % 3)..8 {
            let chosen = (step * 7 + number * 3) as usize;
            let open = if chosen.is_multiple_of(4) {
                closed(number, u64::from(step))
            } else {
                alert(number, u64::from(step))
            };
            let channels = if chosen.is_multiple_of(2) {
                open.channels.clone()
            } else {
                vec![Channel::Slack, Channel::Email]
            };
            let environment = if chosen.is_multiple_of(5) {
                "test"
            } else {
                "production"
            }
            .to_owned();
            let changed = Alert {
                severity: severities[chosen % 3],
                channels,
                environment,
                ..open
            };
            state.insert(number, changed.clone());
            batch.push(changed);
        }
        put(view, batch).await;
    }
    let alerts: Vec<_> = state.into_values().collect();
    assert_eq!(view.counters().await.unwrap(), counted(&alerts));
    assert_eq!(view.recount().await.unwrap(), 0, "nothing was wrong");
}

async fn the_same_batch_again_changes_nothing(view: &dyn View) {
    let batch: Vec<_> = (0..20)
        .map(|number| alert(number, 1))
        .chain([closed(7, 2)])
        .collect();
    put(view, batch.clone()).await;
    let (first, counters) = (open(view).await, view.counters().await.unwrap());
    assert_eq!(first.len(), 19);
    put(view, batch).await;
    assert_eq!(
        (open(view).await, view.counters().await.unwrap()),
        (first, counters)
    );
}

async fn it_is_filled_once_it_was_marked(view: &dyn View) {
    assert!(!view.is_filled().await.unwrap());
    put(view, [alert(1, 1)]).await;
    assert!(!view.is_filled().await.unwrap(), "one alert is not all");
    view.mark_filled().await.unwrap();
    assert!(view.is_filled().await.unwrap());
}

macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $promise() {
                super::$promise(&super::MemoryView::new()).await;
            })+
        }

        async fn aerospike_keeps_the_contract(server: &Server) {
            $(
                eprintln!("aerospike: {}", stringify!($promise));
                $promise(&server.view().await).await;
            )+
        }
    };
}

contract!(
    what_was_put_is_got_whole_and_listed_while_open,
    an_older_or_equal_version_changes_nothing,
    an_older_version_does_not_bring_a_closed_alert_back,
    counters_follow_every_change,
    the_same_batch_again_changes_nothing,
    it_is_filled_once_it_was_marked,
);

#[tokio::test]
async fn memory_forgets_closed_alerts_after_some_minutes_and_not_those_that_opened_again() {
    let view = MemoryView::new();
    let start: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
    let at = |minutes, alert: Alert| Alert {
        changed_at: start + SignedDuration::from_mins(minutes),
        ..alert
    };
    put(&view, [at(0, closed(1, 1)), at(0, closed(2, 1))]).await;
    put(&view, [at(9, alert(2, 2)), at(10, alert(3, 1))]).await;
    assert!(get(&view, 1).await.is_some());
    put(&view, [at(11, alert(3, 2))]).await;
    assert_eq!(get(&view, 1).await, None);
    assert!(get(&view, 2).await.is_some());
}

#[tokio::test]
async fn memory_keeps_no_more_closed_alerts_than_its_bound() {
    let view = MemoryView::new();
    put(&view, (0..10_500).map(|number| closed(number, 1))).await;
    let all: Vec<_> = (0..10_500).map(fingerprint).collect();
    assert_eq!(view.get(&all).await.unwrap().len(), 10_000);
}

#[tokio::test]
async fn memory_hands_out_the_alerts_it_was_given() {
    let view = MemoryView::new();
    let given = Arc::new(alert(1, 1));
    view.put(vec![Arc::clone(&given)]).await.unwrap();
    assert!(Arc::ptr_eq(&given, &view.open().await.unwrap()[0]));
    assert!(Arc::ptr_eq(
        &given,
        &view.get(&[fingerprint(1)]).await.unwrap()[0]
    ));
}

/// One test, as the server is started once for all of it and ended with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aerospike() {
    let Some(mut server) = Server::find().await else {
        return;
    };
    aerospike_keeps_the_contract(&server).await;
    racing_writers_leave_the_newest_version_and_true_counters(&server).await;
    a_recount_mends_counters_that_are_wrong(&server).await;
    only_closed_alerts_expire(&server).await;
    an_alert_as_large_as_the_log_takes_is_kept(&server).await;
    an_outage_is_noticed_soon_and_survived(&mut server).await;
}

async fn racing_writers_leave_the_newest_version_and_true_counters(server: &Server) {
    let (first, second) = server.two_views().await;
    let writer = |view: Arc<AerospikeView>, odd: u64| {
        tokio::spawn(async move {
            for round in 0..30 {
                let version = 2 * round + odd;
                let severity = Severity::ALL[(version % 7) as usize];
                put(
                    view.as_ref(),
                    (0..100).map(|number| Alert {
                        severity,
                        ..alert(number, version)
                    }),
                )
                .await;
            }
        })
    };
    let writers = [writer(Arc::clone(&first), 0), writer(second, 1)];
    for writer in writers {
        writer.await.unwrap();
    }
    let open = open(first.as_ref()).await;
    assert_eq!(open.len(), 100);
    assert!(open.iter().all(|alert| alert.version == 59));
    assert_eq!(first.counters().await.unwrap(), counted(&open));
}

async fn a_recount_mends_counters_that_are_wrong(server: &Server) {
    let (view, prefix) = server.view_and_prefix().await;
    put(&view, (0..10).map(|number| alert(number, 1))).await;
    let right = view.counters().await.unwrap();

    // As a writer that dies between the alert and the counters leaves it.
    let client = Client::new(&ClientPolicy::default(), &server.hosts)
        .await
        .unwrap();
    let set = format!("{prefix}counters");
    let key = Key::new(server.namespace.clone(), set.clone(), Value::from("production")).unwrap();
    let counts = Value::SortedMap([(Value::from("|active|critical"), Value::Int(13))].into());
    client
        .put(&WritePolicy::default(), &key, &[Bin::new("counts", counts)])
        .await
        .unwrap();
    let key = Key::new(server.namespace.clone(), set, Value::from("gone")).unwrap();
    let counts = Value::SortedMap([(Value::from("|active|down"), Value::Int(2))].into());
    let bins = [
        Bin::new("environment", Value::from("gone")),
        Bin::new("counts", counts),
    ];
    client.put(&WritePolicy::default(), &key, &bins).await.unwrap();
    assert_ne!(view.counters().await.unwrap(), right);

    assert_eq!(view.recount().await.unwrap(), 3);
    assert_eq!(view.counters().await.unwrap(), right);
    assert_eq!(view.recount().await.unwrap(), 0);
}

async fn only_closed_alerts_expire(server: &Server) {
    let (view, prefix) = server.view_and_prefix().await;
    put(&view, [closed(1, 1), alert(2, 1), closed(3, 1)]).await;
    put(&view, [alert(3, 2)]).await;
    let client = Client::new(&ClientPolicy::default(), &server.hosts)
        .await
        .unwrap();
    for (number, expires) in [(1, true), (2, false), (3, false)] {
        let key = Value::from(fingerprint(number).to_string());
        let key = Key::new(server.namespace.clone(), format!("{prefix}alerts"), key).unwrap();
        let record = client
            .get(&ReadPolicy::default(), &key, Bins::None)
            .await
            .unwrap();
        assert_eq!(record.time_to_live().is_some(), expires, "{number}");
    }
}

async fn an_alert_as_large_as_the_log_takes_is_kept(server: &Server) {
    let view = server.view().await;
    let large = Alert {
        output: "x".repeat(990_000),
        ..alert(1, 1)
    };
    put(&view, [large]).await;
    let kept = get(&view, 1).await.unwrap();
    assert!(kept.output.ends_with("… (cut)"));
    assert_eq!(kept.labels["reveille_cut"], "output");
}

async fn an_outage_is_noticed_soon_and_survived(server: &mut Server) {
    let view = server.view().await;
    put(&view, [alert(1, 1)]).await;
    if !server.stop() {
        eprintln!("SKIPPED: the outage of an Aerospike that the test did not start");
        return;
    }
    for attempt in ["write", "read", "scan", "mark"] {
        let start = Instant::now();
        let error = match attempt {
            "write" => view.put(vec![Arc::new(alert(1, 2))]).await.map(drop),
            "read" => view.get(&[fingerprint(1)]).await.map(drop),
            "scan" => view.open().await.map(drop),
            _ => view.is_filled().await.map(drop),
        };
        eprintln!(
            "aerospike: {attempt} noticed after {:?}: {error:?}",
            start.elapsed()
        );
        assert!(error.is_err(), "{attempt}");
        assert!(
            start.elapsed() < Duration::from_secs(6),
            "{attempt} took {:?}",
            start.elapsed()
        );
    }
    let late = AerospikeView::connect(&server.hosts, &server.namespace)
        .await
        .unwrap();
    assert!(
        late.is_filled().await.is_err(),
        "a client that begins during the outage"
    );

    server.start();
    let start = Instant::now();
    for view in [&view, &late] {
        server::until_it_works(view).await;
    }
    eprintln!("aerospike: back after {:?}", start.elapsed());
    assert!(
        !view.is_filled().await.unwrap(),
        "its memory was empty after the restart"
    );
    put(&view, [alert(1, 2)]).await;
    assert_eq!(open(&view).await, [alert(1, 2)]);
}
