//! What every view promises, on memory and on Aerospike.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by them"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aerospike::{Bins, Key, ReadPolicy, Value};
use jiff::{SignedDuration, Timestamp};
use schemas::{Alert, Fingerprint, Severity, Status};
use view::{AerospikeSettings, AerospikeView, Cluster, Entry, MemoryView, View, ViewError};

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
    let written = view.put(alerts.into_iter().map(Arc::new).collect()).await;
    assert_eq!(written.unwrap().no_room, []);
}

async fn get(view: &dyn View, number: u32) -> Option<Entry> {
    view.get(&[fingerprint(number)]).await.unwrap().pop()
}

fn is_open(alert: Alert) -> Option<Entry> {
    Some(Entry::Open(Arc::new(alert)))
}

fn is_closed(number: u32, version: u64) -> Option<Entry> {
    Some(Entry::Closed {
        fingerprint: fingerprint(number),
        version,
    })
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

async fn what_was_put_is_got_whole_and_listed_while_open(view: &dyn View) {
    let alerts: Vec<_> = (0..700).map(|number| alert(number, 1)).collect();
    put(view, alerts.clone()).await;
    put(view, [closed(3, 2)]).await;
    assert_eq!(get(view, 2).await, is_open(alert(2, 1)));
    assert_eq!(get(view, 3).await, is_closed(3, 2));
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
    assert_eq!(get(view, 1).await, is_open(alert(1, 5)));
    put(view, [alert(1, 6), alert(1, 8), alert(1, 7)]).await;
    assert_eq!(get(view, 1).await, is_open(alert(1, 8)));
}

async fn an_older_version_does_not_bring_a_closed_alert_back(view: &dyn View) {
    put(view, [alert(1, 1)]).await;
    put(view, [closed(1, 3)]).await;
    put(view, [alert(1, 2)]).await;
    assert_eq!(open(view).await, []);
    put(view, [alert(1, 4)]).await;
    assert_eq!(open(view).await, [alert(1, 4)]);
}

async fn the_same_batch_again_changes_nothing(view: &dyn View) {
    let batch: Vec<_> = (0..20)
        .map(|number| alert(number, 1))
        .chain([closed(7, 2)])
        .collect();
    put(view, batch.clone()).await;
    let first = open(view).await;
    assert_eq!(first.len(), 19);
    put(view, batch).await;
    assert_eq!(open(view).await, first);
}

async fn it_is_filled_once_it_was_marked(view: &dyn View) {
    assert!(!view.is_filled().await.unwrap());
    put(view, [alert(1, 1)]).await;
    assert!(!view.is_filled().await.unwrap(), "one alert is not all");
    view.mark_filled().await.unwrap();
    assert!(view.is_filled().await.unwrap());
}

async fn v1_a_closing_of_what_is_not_there_is_kept_only_once_the_view_is_filled(view: &dyn View) {
    put(view, [closed(1, 2)]).await;
    assert_eq!(get(view, 1).await, None);
    put(view, [alert(2, 1), closed(2, 2)]).await;
    view.mark_filled().await.unwrap();
    put(view, [closed(3, 2)]).await;
    assert_eq!(get(view, 3).await, is_closed(3, 2));
    put(view, [alert(3, 1)]).await;
    assert_eq!(open(view).await, []);
}

async fn a_cluster_at_rest_is_the_same_at_every_look(view: &dyn View) {
    put(view, [alert(1, 1)]).await;
    let first = view.cluster().await.unwrap();
    assert!(first.key.is_some() && !first.nodes.is_empty() && !first.full);
    let second = view.cluster().await.unwrap();
    assert_eq!((second.nodes, second.key), (first.nodes, first.key));
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
    the_same_batch_again_changes_nothing,
    it_is_filled_once_it_was_marked,
    v1_a_closing_of_what_is_not_there_is_kept_only_once_the_view_is_filled,
    a_cluster_at_rest_is_the_same_at_every_look,
);

#[tokio::test]
async fn memory_forgets_closed_alerts_after_some_minutes_and_not_those_that_opened_again() {
    let view = MemoryView::new();
    view.mark_filled().await.unwrap();
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
    view.mark_filled().await.unwrap();
    put(&view, (0..10_500).map(|number| closed(number, 1))).await;
    let all: Vec<_> = (0..10_500).map(fingerprint).collect();
    assert_eq!(view.get(&all).await.unwrap().len(), 10_000);
}

#[tokio::test]
async fn memory_hands_out_the_alerts_it_was_given() {
    let view = MemoryView::new();
    let given = Arc::new(alert(1, 1));
    let written = view.put(vec![Arc::clone(&given)]).await.unwrap();
    assert_eq!(written.no_room, []);
    assert!(Arc::ptr_eq(&given, &view.open().await.unwrap()[0]));
    let Some(Entry::Open(kept)) = get(&view, 1).await else {
        panic!("it is not open");
    };
    assert!(Arc::ptr_eq(&given, &kept));
}

/// One test, as the server is started once for all of it and ended with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aerospike() {
    let Some(mut server) = Server::find().await else {
        return;
    };
    aerospike_keeps_the_contract(&server).await;
    racing_writers_leave_the_newest_version(&server).await;
    v1_a_closed_alert_is_small_and_expires(&server).await;
    v1_a_full_view_takes_what_closes_and_says_what_it_has_no_room_for(&server).await;
    v8_a_namespace_that_nothing_expires_in_is_refused_by_name(&server).await;
    an_alert_as_large_as_the_log_takes_is_kept(&server).await;
    an_outage_is_noticed_soon_and_survived(&mut server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v3_a_node_that_is_lost_is_seen_and_with_two_copies_nothing_is_gone() {
    for copies in [2, 1] {
        let Some([first, mut second]) = Server::two_nodes(copies) else {
            return;
        };
        let view = first.view().await;
        let whole = until_settled(&view, 2, None).await;
        view.mark_filled().await.unwrap();
        put(&view, (0..500).map(|number| alert(number, 1))).await;
        assert_eq!(whole.copies, copies);

        second.stop();
        let rest = until_settled(&view, 1, whole.key.clone()).await;
        assert!(rest.nodes.is_subset(&whole.nodes));
        let kept = until_readable(&view).await;
        assert_eq!(kept == 500, copies == 2, "{kept} of 500 with {copies} copies");

        // It comes again with nothing in its memory.
        second.start();
        let whole_again = until_settled(&view, 2, rest.key).await;
        assert_eq!(whole_again.nodes, whole.nodes);
        until_it_has(&view, kept).await;
    }
}

/// How many alerts are open. A scan fails while a node takes over its partitions.
async fn until_readable(view: &AerospikeView) -> usize {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            match view.open().await {
                Ok(open) => return open.len(),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    waited.await.expect("a view that can be read within a minute")
}

async fn until_it_has(view: &AerospikeView, count: usize) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !view.open().await.is_ok_and(|open| open.len() == count) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: {count} alerts");
}

/// What the cluster is once it has so many nodes, moves no records, and has formed anew.
async fn until_settled(view: &AerospikeView, nodes: usize, before: Option<String>) -> Cluster {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            match view.cluster().await {
                Ok(cluster)
                    if cluster.nodes.len() == nodes && cluster.key.is_some() && cluster.key != before =>
                {
                    return cluster;
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    waited.await.expect("a cluster that settles within a minute")
}

async fn racing_writers_leave_the_newest_version(server: &Server) {
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
}

async fn v1_a_closed_alert_is_small_and_expires(server: &Server) {
    let (view, prefix) = server.view_and_prefix().await;
    view.mark_filled().await.unwrap();
    put(&view, [alert(1, 1), alert(2, 1), alert(3, 1)]).await;
    put(&view, [closed(1, 2), closed(3, 2), closed(4, 1)]).await;
    put(&view, [alert(3, 3)]).await;
    let client = server.client().await;
    for (number, expires) in [(1, true), (2, false), (3, false), (4, true)] {
        let key = Value::from(fingerprint(number).to_string());
        let key = Key::new(server.namespace.clone(), format!("{prefix}alerts"), key).unwrap();
        let record = client.get(&ReadPolicy::default(), &key, Bins::All).await.unwrap();
        let left = record.time_to_live();
        assert_eq!(left.is_some(), expires, "{number}");
        assert!(
            left.is_none_or(|left| left <= AerospikeSettings::CLOSED_FOR),
            "{left:?}"
        );
        assert_eq!(record.bins.contains_key("body"), !expires, "{number}");
    }
}

async fn v1_a_full_view_takes_what_closes_and_says_what_it_has_no_room_for(server: &Server) {
    let view = server.view().await;
    view.mark_filled().await.unwrap();
    put(&view, [alert(1, 1), alert(2, 1)]).await;
    // Of any machine more than this is in use.
    server.set("stop-writes-sys-memory-pct", "1").await;
    until_full(&view, true).await;
    let all = [closed(1, 2), alert(2, 2), alert(3, 1), closed(4, 1)];
    let written = view.put(all.into_iter().map(Arc::new).collect()).await.unwrap();
    let no_room: BTreeSet<_> = written.no_room.into_iter().collect();
    assert_eq!(no_room, [fingerprint(2), fingerprint(3)].into());
    assert_eq!(open(&view).await, [alert(2, 1)]);
    assert_eq!(get(&view, 1).await, None, "it was deleted");
    assert!(matches!(view.mark_filled().await, Err(ViewError::Full(_))));

    server.set("stop-writes-sys-memory-pct", "0").await;
    until_full(&view, false).await;
    put(&view, [alert(2, 2), alert(3, 1)]).await;
    assert_eq!(open(&view).await, [alert(2, 2), alert(3, 1)]);
}

/// The server looks every ten seconds.
async fn until_full(view: &AerospikeView, wanted: bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while view.cluster().await.unwrap().full != wanted {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: full is {wanted}");
}

async fn v8_a_namespace_that_nothing_expires_in_is_refused_by_name(server: &Server) {
    let view = server.view().await;
    server.set("nsup-period", "0").await;
    let error = view.cluster().await.unwrap_err();
    assert!(matches!(error, ViewError::Misconfigured(_)), "{error}");
    assert!(error.to_string().contains("set nsup-period 10"), "{error}");
    server.set("nsup-period", "10").await;
    view.cluster().await.unwrap();
}

async fn an_alert_as_large_as_the_log_takes_is_kept(server: &Server) {
    let view = server.view().await;
    let large = Alert {
        output: "x".repeat(990_000),
        ..alert(1, 1)
    };
    put(&view, [large]).await;
    let Some(Entry::Open(kept)) = get(&view, 1).await else {
        panic!("it is not open");
    };
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
    let late = AerospikeView::connect(&server.settings()).await.unwrap();
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
