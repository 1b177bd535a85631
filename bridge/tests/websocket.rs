//! The bridge and its clients on real sockets, with a simulated log and a view in memory.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by them"
)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Log, Record};
use pipeline::{Clock, Context};
use schemas::live::{Counters, ServerMessage};
use schemas::{Alert, Fingerprint, Severity, Status, Topic, ViewChanged};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use view::{MemoryView, View};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

fn fingerprint(number: u32) -> Fingerprint {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Fingerprint::from_bytes(bytes)
}

fn alert(number: u32, version: u64) -> Alert {
    serde_json::from_value(json!({
        "fingerprint": fingerprint(number), "version": version, "environment": "production", "scenario": "default",
        "integration": "prometheus", "monitoring_system": "alertmanager", "source": "am-1",
        "object": format!("db-{number}"), "name": "disk full", "severity": "critical", "status": "open",
        "operator_state": "active", "output": "full", "episode": 1, "first_opened_at": "2026-09-01T10:00:00Z",
        "opened_at": "2026-09-01T10:00:00Z", "last_event_at": "2026-09-01T10:00:00Z",
        "changed_at": "2026-09-01T10:00:00Z", "total_duration_ms": 0,
        "counts": {"opened": 1, "updated": 0, "severity_changed": 0, "closed": 0, "acknowledged": 0, "snoozed": 0},
    }))
    .unwrap()
}

fn closed(number: u32, version: u64) -> Alert {
    Alert {
        status: Status::Closed,
        ..alert(number, version)
    }
}

fn in_test(alert: Alert) -> Alert {
    Alert {
        environment: "test".to_owned(),
        ..alert
    }
}

struct World {
    log: SimulatedLog,
    view: Arc<MemoryView>,
    context: Context,
    address: String,
}

impl World {
    async fn with(alerts: Vec<Alert>) -> Self {
        let log = SimulatedLog::new(1);
        let view = Arc::new(MemoryView::new());
        view.put(alerts.into_iter().map(Arc::new).collect())
            .await
            .unwrap();
        view.mark_filled().await.unwrap();
        let clock = Clock::system();
        let context = Context::new(Arc::new(log.clone()), clock.clone());
        let bridge = bridge::Bridge::start(context.clone(), view.clone(), bridge::Limits::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, bridge::routes(bridge)).await.unwrap() });
        Self {
            log,
            view,
            context,
            address,
        }
    }

    /// As the aggregator does it.
    async fn change(&self, alerts: Vec<Alert>) {
        let record = |alert: &Alert| {
            let accepted_at = self.context.clock.now();
            let changed = ViewChanged {
                fingerprint: alert.fingerprint,
                version: alert.version,
                accepted_at,
                closed: alert.status == Status::Closed,
                heartbeat: false,
            };
            let value = Some(serde_json::to_vec(&changed).unwrap().into());
            Record {
                key: alert.fingerprint.to_string(),
                value,
                headers: Vec::new(),
            }
        };
        let records = alerts.iter().map(record).collect();
        self.view
            .put(alerts.into_iter().map(Arc::new).collect())
            .await
            .unwrap();
        self.log.append(Topic::VIEW_CHANGED, records).await.unwrap();
    }

    async fn connect(&self, origin: Option<&str>) -> Result<Client, tungstenite::Error> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request()?;
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Client { socket })
    }

    async fn client(&self, filter: Value) -> Client {
        let mut client = self.connect(None).await.unwrap();
        client.hello(filter, None).await;
        client
    }

    fn metric(&self, name: &str) -> Option<prometheus::proto::Metric> {
        let families = self.context.metrics.gather();
        families
            .iter()
            .find(|family| family.name() == name)?
            .get_metric()
            .first()
            .cloned()
    }
}

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// The numbers and versions of some alerts, in order.
fn versions(alerts: &[Alert]) -> Vec<(String, u64)> {
    let mut versions: Vec<_> = alerts
        .iter()
        .map(|alert| (alert.object.clone(), alert.version))
        .collect();
    versions.sort();
    versions
}

fn named(versions: &[(u32, u64)]) -> Vec<(String, u64)> {
    versions
        .iter()
        .map(|(number, version)| (format!("db-{number}"), *version))
        .collect()
}

struct Delta {
    cursor: String,
    changed: Vec<(String, u64)>,
    removed: Vec<Fingerprint>,
    counters: Counters,
}

impl Client {
    async fn say(&mut self, message: Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    async fn hello(&mut self, filter: Value, cursor: Option<&str>) {
        self.say(json!({"type": "hello", "filter": filter, "cursor": cursor}))
            .await;
    }

    /// The next message that is no beat.
    async fn next(&mut self) -> ServerMessage {
        loop {
            let frame = tokio::time::timeout(LONG, self.socket.next())
                .await
                .expect("a frame in time");
            if let Message::Text(text) = frame.expect("the line is open").unwrap() {
                let message = serde_json::from_str(&text).unwrap();
                if !matches!(message, ServerMessage::Beat { .. }) {
                    return message;
                }
            }
        }
    }

    /// The next snapshot, whole.
    async fn snapshot(&mut self) -> (String, Vec<Alert>, Counters, usize) {
        let mut all = Vec::new();
        for part in 0.. {
            let ServerMessage::Snapshot {
                cursor,
                alerts,
                first,
                complete,
                counters,
            } = self.next().await
            else {
                panic!("no snapshot")
            };
            assert_eq!(first, part == 0);
            all.extend(alerts);
            if complete {
                return (cursor, all, counters, part + 1);
            }
            assert_eq!(cursor, "", "a cursor would lose the parts to come");
        }
        unreachable!()
    }

    async fn delta(&mut self) -> Delta {
        match self.next().await {
            ServerMessage::Delta {
                cursor,
                changed,
                mut removed,
                counters,
            } => {
                removed.sort();
                Delta {
                    cursor,
                    changed: versions(&changed),
                    removed,
                    counters,
                }
            }
            other => panic!("no delta: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_snapshot_comes_first_and_then_what_changes() {
    let world = World::with((0..1200).map(|number| alert(number, 1)).collect()).await;
    let mut client = world.client(json!({})).await;
    let (_, alerts, counters, parts) = client.snapshot().await;
    assert_eq!(versions(&alerts).len(), 1200);
    assert_eq!((counters.total, counters.by_severity["critical"]), (1200, 1200));
    assert!(parts > 2, "a frame has at most 500 alerts: {parts}");

    let urgent = Alert {
        severity: Severity::Urgent,
        ..alert(1, 2)
    };
    world.change(vec![urgent, alert(5000, 1), closed(2, 2)]).await;
    let mut changed = Vec::new();
    let mut removed = Vec::new();
    while changed.len() + removed.len() < 3 {
        let delta = client.delta().await;
        changed.extend(delta.changed);
        removed.extend(delta.removed);
        if changed.len() + removed.len() == 3 {
            assert_eq!(
                (delta.counters.total, delta.counters.by_severity["urgent"]),
                (1200, 1)
            );
        }
    }
    changed.sort();
    assert_eq!(changed, named(&[(1, 2), (5000, 1)]));
    assert_eq!(removed, [fingerprint(2)]);
    // One task serves a client, so what it did for the frame is done when it answers.
    client.say(json!("?")).await;
    client.next().await;
    let screen = world.metric("reveille_bridge_accept_to_screen_seconds").unwrap();
    assert_eq!(screen.get_histogram().get_sample_count(), 3);
    assert_eq!(
        world
            .metric("reveille_bridge_clients")
            .unwrap()
            .get_gauge()
            .get_value(),
        1.0
    );
}

#[tokio::test]
async fn each_client_sees_what_passes_its_own_filter() {
    let world = World::with(vec![alert(1, 1), in_test(alert(2, 1))]).await;
    let mut production = world.client(json!({"environments": ["production"]})).await;
    let mut warnings = world.client(json!({"matchers": ["severity=warning"]})).await;
    assert_eq!(versions(&production.snapshot().await.1), named(&[(1, 1)]));
    let (_, alerts, counters, _) = warnings.snapshot().await;
    assert_eq!((alerts.len(), counters), (0, Counters::default()));

    world
        .change(vec![Alert {
            severity: Severity::Warning,
            ..in_test(alert(2, 2))
        }])
        .await;
    let delta = warnings.delta().await;
    assert_eq!(
        (delta.changed, delta.counters.by_environment["test"]),
        (named(&[(2, 2)]), 1)
    );

    // The first client hears nothing of that; its next frame is about its own alert.
    world
        .change(vec![Alert {
            severity: Severity::Warning,
            ..alert(1, 2)
        }])
        .await;
    let delta = production.delta().await;
    assert_eq!((delta.changed, delta.counters.total), (named(&[(1, 2)]), 1));
    assert_eq!(warnings.delta().await.changed, named(&[(1, 2)]));

    // It no longer passes the one filter, and still the other.
    world.change(vec![alert(1, 3)]).await;
    assert_eq!(production.delta().await.changed, named(&[(1, 3)]));
    let delta = warnings.delta().await;
    assert_eq!((delta.changed, delta.removed), (vec![], vec![fingerprint(1)]));
    assert_eq!(delta.counters.total, 1);
}

#[tokio::test]
async fn a_client_that_comes_back_gets_only_what_it_missed() {
    let world = World::with(
        (1..=6)
            .map(|number| alert(number, 1))
            .chain([in_test(alert(7, 1))])
            .collect(),
    )
    .await;
    let filter = json!({"environments": ["production"]});
    let mut watcher = world.client(json!({})).await;
    let mut client = world.client(filter.clone()).await;
    watcher.snapshot().await;
    client.snapshot().await;
    world.change(vec![alert(1, 2)]).await;
    let cursor = client.delta().await.cursor;
    drop(client);

    world
        .change(vec![
            alert(2, 2),
            closed(3, 2),
            alert(8, 1),
            in_test(alert(7, 2)),
            alert(2, 3),
            closed(1, 3),
        ])
        .await;
    // Opened and closed while it was away: it need not know.
    world.change(vec![alert(9, 1)]).await;
    world.change(vec![closed(9, 2)]).await;
    world.change(vec![in_test(alert(7, 3))]).await;
    while !watcher.delta().await.changed.contains(&("db-7".to_owned(), 3)) {}

    let mut client = world.connect(None).await.unwrap();
    client.hello(filter.clone(), Some(&cursor)).await;
    let delta = client.delta().await;
    assert_eq!(delta.changed, named(&[(2, 3), (8, 1)]));
    assert_eq!(delta.removed, [fingerprint(1), fingerprint(3)]);
    assert_eq!(delta.counters.total, 5);

    // Nothing was missed: said so, by a delta without anything.
    let mut again = world.connect(None).await.unwrap();
    again.hello(filter.clone(), Some(&delta.cursor)).await;
    let nothing = again.delta().await;
    assert_eq!(
        (nothing.changed, nothing.removed, nothing.counters.total),
        (vec![], vec![], 5)
    );

    for unknown in ["another-3", "", "no cursor", &delta.cursor.replace('-', "-9999")] {
        let mut client = world.connect(None).await.unwrap();
        client.hello(filter.clone(), Some(unknown)).await;
        assert_eq!(client.snapshot().await.1.len(), 5, "{unknown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_gets_the_latest_state_and_no_queue() {
    let world = World::with(vec![alert(1, 1)]).await;
    let mut slow = world.client(json!({})).await;
    let mut quick = world.client(json!({"matchers": ["object=db-2"]})).await;
    slow.snapshot().await;
    quick.snapshot().await;
    let long = "x".repeat(100_000);
    for version in 2..=2_000 {
        world
            .change(vec![Alert {
                output: long.clone(),
                ..alert(1, version)
            }])
            .await;
        if version % 100 == 0 {
            // The bridge has gone on, whatever the slow client does.
            world.change(vec![alert(2, version)]).await;
            while quick.delta().await.changed != named(&[(2, version)]) {}
        }
    }
    let (mut frames, mut last) = (0, 1);
    while last < 2_000 {
        let delta = slow.delta().await;
        for (name, version) in delta.changed {
            if name == "db-1" {
                assert!(version > last, "only news");
                last = version;
            }
        }
        frames += 1;
    }
    assert!(frames < 500, "{frames} frames");
}

#[tokio::test]
async fn a_filter_that_is_not_understood_is_refused_and_the_old_one_stays() {
    let world = World::with(vec![alert(1, 1), in_test(alert(2, 1))]).await;
    let mut client = world.client(json!({"environments": ["test"]})).await;
    client.snapshot().await;
    client.hello(json!({"matchers": ["team=~\"(\""]}), None).await;
    let ServerMessage::Refused { reason } = client.next().await else {
        panic!("not refused")
    };
    assert!(
        reason.starts_with("filter: the regular expression of matcher"),
        "{reason}"
    );
    client.say(json!({"type": "goodbye"})).await;
    let ServerMessage::Refused { reason } = client.next().await else {
        panic!("not refused")
    };
    assert!(reason.contains("goodbye"), "{reason}");

    world.change(vec![alert(1, 2)]).await;
    world.change(vec![in_test(alert(2, 2))]).await;
    assert_eq!(client.delta().await.changed, named(&[(2, 2)]));

    // Another filter on the same line brings a snapshot, whatever the cursor.
    let cursor = {
        world.change(vec![in_test(alert(2, 3))]).await;
        client.delta().await.cursor
    };
    client.hello(json!({}), Some(&cursor)).await;
    assert_eq!(versions(&client.snapshot().await.1), named(&[(1, 2), (2, 3)]));
}

#[tokio::test]
async fn pages_of_other_sites_are_turned_away() {
    let world = World::with(vec![]).await;
    for origin in [
        "https://evil.example",
        "null",
        &format!("http://{}.evil.example", world.address),
    ] {
        let refused = world.connect(Some(origin)).await.err();
        let Some(tungstenite::Error::Http(response)) = refused else {
            panic!("{origin}: {refused:?}")
        };
        assert_eq!(response.status(), 403, "{origin}");
    }
    assert!(
        world
            .connect(Some(&format!("http://{}", world.address)))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_client_that_says_too_much_is_cut_off_and_one_is_told_when_the_bridge_ends() {
    let world = World::with(vec![]).await;
    let mut talker = world.client(json!({})).await;
    talker.snapshot().await;
    let _ = talker.socket.send(Message::text("x".repeat(70_000))).await;
    loop {
        match tokio::time::timeout(LONG, talker.socket.next())
            .await
            .expect("an end in time")
        {
            None | Some(Err(_) | Ok(Message::Close(_))) => break,
            Some(Ok(_)) => {}
        }
    }
    let mut client = world.client(json!({})).await;
    client.snapshot().await;
    world.context.shutdown.cancel();
    loop {
        match tokio::time::timeout(LONG, client.socket.next())
            .await
            .expect("an end in time")
        {
            Some(Ok(Message::Close(Some(close)))) => break assert_eq!(u16::from(close.code), 1012),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}
