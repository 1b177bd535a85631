//! Many clients at once, slow ones among them, over connections in memory and with a clock that only goes on when
//! everything waits.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by them"
)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bridge::{Bridge, Limits};
use futures_util::{SinkExt, StreamExt};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Log, Record};
use pipeline::{Clock, Context};
use schemas::live::ServerMessage;
use schemas::{Alert, Fingerprint, Topic, ViewChanged};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use view::{MemoryView, View};

/// How often every client hears something.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// What a connection holds that the client has not read.
const CONNECTION_BYTES: usize = 64 * 1024;

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

struct World {
    log: SimulatedLog,
    view: Arc<MemoryView>,
    context: Context,
    routes: Router,
}

impl World {
    async fn with(alerts: u32, limits: Limits) -> Self {
        let log = SimulatedLog::new(1);
        let view = Arc::new(MemoryView::new());
        let alerts = (0..alerts).map(|number| Arc::new(alert(number, 1))).collect();
        view.put(alerts).await.unwrap();
        view.mark_filled().await.unwrap();
        let context = Context::new(Arc::new(log.clone()), Clock::system());
        let bridge = Bridge::start(context.clone(), view.clone(), limits);
        Self {
            log,
            view,
            context,
            routes: bridge::routes(bridge),
        }
    }

    /// As the aggregator does it.
    async fn change(&self, alert: Alert) {
        let changed = ViewChanged {
            fingerprint: alert.fingerprint,
            version: alert.version,
            accepted_at: self.context.clock.now(),
            closed: false,
            heartbeat: false,
        };
        let record = Record {
            key: alert.fingerprint.to_string(),
            value: Some(serde_json::to_vec(&changed).unwrap().into()),
            headers: Vec::new(),
        };
        self.view.put(vec![Arc::new(alert)]).await.unwrap();
        self.log.append(Topic::VIEW_CHANGED, vec![record]).await.unwrap();
    }

    /// The client's end of a connection to the bridge.
    fn connection(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(CONNECTION_BYTES);
        let service = TowerToHyperService::new(self.routes.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(server), service);
            // It ends as the client does.
            let _ = connection.with_upgrades().await;
        });
        client
    }

    async fn connect(&self) -> Result<Client, tungstenite::Error> {
        let (socket, _) = client_async("ws://bridge/ws", self.connection()).await?;
        Ok(Client { socket })
    }

    async fn client(&self, filter: Value, cursor: Option<&str>) -> Client {
        let mut client = self.connect().await.unwrap();
        client.hello(filter, cursor).await;
        client
    }

    /// The answer to a request that is no good.
    async fn answer(&self, request: &str) -> String {
        let mut connection = self.connection();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// The value of a metric with this label.
    fn metric(&self, name: &str, label: &str) -> f64 {
        let families = self.context.metrics.gather();
        let family = families.iter().find(|family| family.name() == name);
        let metrics = family
            .map(prometheus::proto::MetricFamily::get_metric)
            .unwrap_or_default();
        let metric = metrics
            .iter()
            .find(|metric| label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label));
        metric.map_or(0.0, |metric| {
            metric.get_counter().get_value() + metric.get_gauge().get_value()
        })
    }
}

struct Client {
    socket: WebSocketStream<DuplexStream>,
}

impl Client {
    async fn hello(&mut self, filter: Value, cursor: Option<&str>) {
        let hello = json!({"type": "hello", "filter": filter, "cursor": cursor});
        self.socket.send(Message::text(hello.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> ServerMessage {
        loop {
            match self.socket.next().await.expect("the line is open").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn next_but_beats(&mut self) -> ServerMessage {
        loop {
            let message = self.next().await;
            if !matches!(message, ServerMessage::Beat { .. }) {
                return message;
            }
        }
    }

    /// Takes a snapshot, with a pause after each of its frames. Answers what was learned by the way.
    async fn snapshot(&mut self, pause: Duration) -> Taken {
        let mut taken = Taken::default();
        let mut heard = Instant::now();
        loop {
            let message = self.next().await;
            taken.longest_silence = taken.longest_silence.max(heard.elapsed());
            match message {
                ServerMessage::Beat { ahead, .. } => taken.ahead.extend(ahead),
                ServerMessage::Snapshot {
                    alerts,
                    complete,
                    cursor,
                    ..
                } => {
                    taken.frames += 1;
                    taken.alerts += alerts.len();
                    if complete {
                        taken.cursor = cursor;
                        return taken;
                    }
                    // What it has not read waits for it meanwhile.
                    tokio::time::sleep(pause).await;
                }
                other => panic!("{other:?}"),
            }
            heard = Instant::now();
        }
    }

    /// How the bridge closes the line.
    async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Close(Some(close))) => return Some(close.code.into()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

#[derive(Default)]
struct Taken {
    frames: usize,
    alerts: usize,
    cursor: String,
    /// How many came first, as the beats said.
    ahead: Vec<u64>,
    longest_silence: Duration,
}

#[tokio::test(start_paused = true)]
async fn v4_three_hundred_clients_share_one_snapshot_and_none_hears_nothing() {
    const CLIENTS: usize = 300;
    let limits = Limits {
        snapshots: 3,
        ..Limits::default()
    };
    let world = World::with(600, limits).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(world.client(json!({}), None).await);
    }
    let (report, mut reports) = mpsc::unbounded_channel();
    let mut following = JoinSet::new();
    for mut client in clients {
        let report = report.clone();
        following.spawn(async move {
            let taken = client.snapshot(Duration::from_millis(500)).await;
            report.send(taken).unwrap();
            // It goes on reading: who answers no ping for a minute is disconnected.
            let next = client.next_but_beats().await;
            (client, next)
        });
    }
    let (mut frames, mut waited) = (0, 0);
    for _ in 0..CLIENTS {
        let taken = reports.recv().await.unwrap();
        assert_eq!(taken.alerts, 600);
        assert!(taken.longest_silence <= BEAT_EVERY, "{:?}", taken.longest_silence);
        assert!(
            taken.ahead.is_sorted_by(|before, after| before > after),
            "{:?}",
            taken.ahead
        );
        waited = waited.max(taken.ahead.first().copied().unwrap_or_default());
        frames = taken.frames;
    }
    assert!(waited > CLIENTS as u64 - 20, "the last one was told of {waited}");
    assert!(frames > 5);
    let encoded = |kind| world.metric("reveille_bridge_encoded_frames_total", kind);
    assert_eq!(encoded("snapshot"), frames as f64, "each frame once for all");
    let sent = world.metric("reveille_bridge_frames_total", "snapshot");
    assert_eq!(sent, (frames * CLIENTS) as f64);
    assert_eq!(world.metric("reveille_bridge_waiting_clients", ""), 0.0);

    let longer = Alert {
        output: "fuller".to_owned(),
        ..alert(1, 2)
    };
    world.change(longer.clone()).await;
    let followed = following.join_all().await;
    for (_, next) in &followed {
        let ServerMessage::Delta { changed, .. } = next else {
            panic!("no delta, but {next:?}")
        };
        assert_eq!(changed, std::slice::from_ref(&longer));
    }
    assert_eq!(encoded("delta"), 1.0);
    drop(followed);
    let held = world.metric("reveille_bridge_queued_bytes", "");
    assert!(held < 4_096.0, "the snapshot is let go: {held}");
}

#[tokio::test(start_paused = true)]
async fn v4_a_client_that_takes_its_snapshot_slowly_lets_others_pass() {
    let limits = Limits {
        snapshots: 1,
        ..Limits::default()
    };
    let world = World::with(600, limits).await;
    let mut slow = world.client(json!({}), None).await;
    let ServerMessage::Snapshot { first: true, .. } = slow.next_but_beats().await else {
        panic!("no snapshot")
    };
    let mut quick = world.client(json!({}), None).await;
    let (slow, quick) = tokio::join!(
        async {
            let taken = slow.snapshot(Duration::from_secs(3)).await;
            (Instant::now(), taken)
        },
        async {
            let taken = quick.snapshot(Duration::ZERO).await;
            (Instant::now(), taken)
        }
    );
    assert!(quick.0 < slow.0, "the quick one had to wait for the slow one");
    assert_eq!((slow.1.frames + 1, quick.1.alerts), (quick.1.frames, 600));
    assert!(slow.1.longest_silence <= BEAT_EVERY && quick.1.longest_silence <= BEAT_EVERY);
}

#[tokio::test(start_paused = true)]
async fn every_hello_is_answered_in_order_also_while_it_waits() {
    let limits = Limits {
        snapshots: 1,
        ..Limits::default()
    };
    let world = World::with(600, limits).await;
    let mut busy = world.client(json!({}), None).await;
    busy.next_but_beats().await;
    let mut client = world.client(json!({"matchers": ["object=db-1"]}), None).await;
    client.hello(json!({"matchers": ["object=db-2"]}), None).await;
    let ServerMessage::Snapshot {
        alerts,
        first,
        complete,
        cursor,
        ..
    } = client.next_but_beats().await
    else {
        panic!("no snapshot")
    };
    assert_eq!(
        (alerts.len(), first, complete, cursor.as_str()),
        (0, true, false, "")
    );
    client.hello(json!({"matchers": ["("]}), None).await;
    let ServerMessage::Snapshot {
        first: true,
        complete: false,
        ..
    } = client.next_but_beats().await
    else {
        panic!("no snapshot")
    };
    let ServerMessage::Refused { .. } = client.next_but_beats().await else {
        panic!("not refused")
    };
    drop(busy);
    let ServerMessage::Snapshot {
        alerts,
        first: true,
        complete: true,
        ..
    } = client.next_but_beats().await
    else {
        panic!("no snapshot")
    };
    assert_eq!(alerts, [alert(2, 1)]);
}

#[tokio::test(start_paused = true)]
async fn v6_one_client_too_many_is_refused_and_one_that_takes_nothing_loses_its_place() {
    let limits = Limits {
        clients: 1,
        ..Limits::default()
    };
    let world = World::with(3, limits).await;
    let mut stuck = world.client(json!({}), None).await;
    let cursor = stuck.snapshot(Duration::ZERO).await.cursor;
    let Some(tungstenite::Error::Http(refused)) = world.connect().await.err() else {
        panic!("not refused")
    };
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["Retry-After"]),
        (503, &"30".parse().unwrap())
    );
    assert_eq!(world.metric("reveille_bridge_refused_total", ""), 1.0);

    // More than the connection holds, and the client reads nothing of it.
    let large = Alert {
        output: "é".repeat(100_000),
        ..alert(1, 2)
    };
    world.change(large.clone()).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(world.metric("reveille_bridge_disconnects_total", "slow"), 1.0);
    assert_eq!(world.metric("reveille_bridge_clients", ""), 0.0);

    let mut again = world.client(json!({}), Some(&cursor)).await;
    let ServerMessage::Delta { changed, .. } = again.next_but_beats().await else {
        panic!("no delta")
    };
    assert_eq!(changed, [large], "it goes on where it was");
}

#[tokio::test(start_paused = true)]
async fn lines_are_closed_with_a_reason() {
    let world = World::with(1, Limits::default()).await;
    let mut talker = world.client(json!({}), None).await;
    let _ = talker.socket.send(Message::text("x".repeat(70_000))).await;
    assert_eq!(talker.close_code().await, Some(1009));
    let mut last = world.client(json!({}), None).await;
    last.snapshot(Duration::ZERO).await;
    world.context.shutdown.cancel();
    assert_eq!(last.close_code().await, Some(1012));
    for reason in ["too_large", "shutdown"] {
        assert_eq!(
            world.metric("reveille_bridge_disconnects_total", reason),
            1.0,
            "{reason}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_handshake_is_answered_with_what_is_missing() {
    let world = World::with(0, Limits::default()).await;
    let request =
        |headers: &str| format!("GET /ws HTTP/1.1\r\nHost: bridge\r\n{headers}Connection: close\r\n\r\n");
    let answer = world.answer(&request("")).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let upgrade = |headers: &str| {
        format!("GET /ws HTTP/1.1\r\nHost: bridge\r\nConnection: upgrade, close\r\n{headers}\r\n")
    };
    let answer = world.answer(&upgrade("Upgrade: h2c\r\n")).await;
    assert!(
        answer.starts_with("HTTP/1.1 426 ") && answer.contains("upgrade: websocket"),
        "{answer}"
    );
    let old =
        "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = world.answer(&upgrade(old)).await;
    assert!(
        answer.starts_with("HTTP/1.1 426 ") && answer.contains("sec-websocket-version: 13"),
        "{answer}"
    );
    let no_key = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    let answer = world.answer(&upgrade(no_key)).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}
