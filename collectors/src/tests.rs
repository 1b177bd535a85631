//! Requests to the routes, in process, on a simulated log.

use std::io::Write;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{Request, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use jiff::Timestamp;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Consumer, Follower, From};
use pipeline::trace::Tracer;
use pipeline::{Clock, Health, Log, LogError, Metrics, Record};
use schemas::config::{ConfigEntry, Integration};
use schemas::rejection::Rejected;
use schemas::{AlertEvent, HEADER_TRACEPARENT, Topic};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::*;

const API: &str = "/monitoring-system/api?integration_key=api-key";

/// Collectors on a log.
struct World {
    log: SimulatedLog,
    context: Context,
    site: watch::Sender<Arc<Site>>,
    routes: Router,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn message(&self) -> &str {
        assert_eq!(
            self.body["detail"], self.body["error"]["message"],
            "{}",
            self.body
        );
        self.body["detail"].as_str().unwrap_or_default()
    }

    /// Status and code of an error.
    fn error(&self) -> (u16, &str) {
        (
            self.status.as_u16(),
            self.body["error"]["code"].as_str().unwrap_or_default(),
        )
    }
}

impl World {
    fn new() -> Self {
        let log = SimulatedLog::new(3);
        Self::on(log.clone(), Arc::new(log), BUDGET_BYTES)
    }

    fn on(log: SimulatedLog, seen_by_routes: Arc<dyn Log>, budget_bytes: usize) -> Self {
        let clock = Clock::simulated(Timestamp::from_second(1_788_000_000).unwrap());
        let context = Context {
            log: seen_by_routes,
            health: Health::new(clock.clone()),
            clock,
            metrics: Metrics::new(),
            tracer: Tracer::disabled(),
            shutdown: CancellationToken::new(),
        };
        let (site, seen) = watch::channel(Arc::new(site()));
        let routes = routes_within(context.clone(), seen, budget_bytes);
        Self {
            log,
            context,
            site,
            routes,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.routes.clone().call(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap(),
        }
    }

    async fn post(&self, address: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::post(address).body(body.into()).unwrap()).await
    }

    async fn post_gzip(&self, body: Vec<u8>) -> Answer {
        self.send(
            Request::post(API)
                .header("content-encoding", "gzip")
                .body(body.into())
                .unwrap(),
        )
        .await
    }

    async fn works(&self) -> bool {
        self.post(API, alert("good").to_string()).await.status == StatusCode::OK
    }

    fn collected(&self) -> Vec<AlertEvent> {
        let records = self.log.records(Topic::ALERTS_COLLECTED);
        records
            .iter()
            .map(|record| serde_json::from_slice(record.value.as_deref().unwrap()).unwrap())
            .collect()
    }

    fn rejected(&self) -> Vec<Rejected> {
        let records = self.log.records(Topic::INGEST_REJECTED);
        records
            .iter()
            .map(|record| serde_json::from_slice(record.value.as_deref().unwrap()).unwrap())
            .collect()
    }

    /// How many requests of a source were not taken for this reason.
    fn counted(&self, source: &str, reason: &str) -> f64 {
        let families = self.context.metrics.registry().gather();
        let rejected = families
            .iter()
            .filter(|family| family.name() == "reveille_collectors_rejected_total");
        let wanted = |label: &str, value: &str, metric: &prometheus::proto::Metric| {
            metric
                .get_label()
                .iter()
                .any(|pair| pair.name() == label && pair.value() == value)
        };
        rejected
            .flat_map(|family| family.get_metric())
            .filter(|metric| wanted("source", source, metric) && wanted("reason", reason, metric))
            .map(|metric| metric.get_counter().get_value())
            .sum()
    }
}

fn site() -> Site {
    let mut site = Site::default();
    for source_type in ["api", "prometheus"] {
        let entry = ConfigEntry::Integration(Integration {
            name: format!("my-{source_type}"),
            source_type: source_type.to_owned(),
            environment: "default".to_owned(),
            scenario: "default".to_owned(),
            key_hashes: vec![hex::encode(Sha256::digest(format!("{source_type}-key")))],
        });
        site.apply(&entry.key(), Some(entry));
    }
    site.revision = Some(1);
    site
}

fn alert(name: &str) -> Value {
    json!({
        "alert_name": name, "alert_severity": "critical", "source": "nagios-1", "object": "db-1",
        "notification_output": "full",
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_in_the_log_when_the_answer_comes() {
    let world = World::new();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = Request::post("/harp-collectors/monitoring-system/api?environment_id=12&scenario_id=page")
        .header("authorization", "Bearer api-key")
        .header("traceparent", trace);
    let answer = world
        .send(request.body(alert("disk").to_string().into()).unwrap())
        .await;
    let collected = world.collected();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.body,
        json!({
            "result": "Event successfully pushed to Harp",
            "accepted": 1,
            "events": [collected[0].event_id],
        })
    );
    let event = &collected[0];
    assert_eq!(
        (event.integration.as_str(), event.monitoring_system.as_str()),
        ("my-api", "api")
    );
    assert_eq!(
        (event.environment.as_deref(), event.scenario.as_deref()),
        (Some("12"), Some("page"))
    );
    assert_eq!(event.accepted_at, world.context.clock.now());
    assert_eq!(
        event.fingerprint,
        domain::fingerprint(["my-api", "api", "nagios-1", "disk", "db-1"])
    );
    let record = world.log.records(Topic::ALERTS_COLLECTED).remove(0);
    assert_eq!(record.key, event.fingerprint.to_string());
    assert_eq!(record.header(HEADER_TRACEPARENT), Some(trace));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_trace_begins_one() {
    let world = World::new();
    assert!(world.works().await);
    let record = world.log.records(Topic::ALERTS_COLLECTED).remove(0);
    assert!(
        record
            .header(HEADER_TRACEPARENT)
            .unwrap()
            .parse::<pipeline::trace::TraceParent>()
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn every_bad_request_has_its_own_answer_and_the_next_good_one_works() {
    let world = World::new();
    let good = alert("disk").to_string();
    let cases: Vec<(&str, &str, Vec<u8>, (u16, &str), &str)> = vec![
        (
            "malformed",
            API,
            b"{\"alert_name\": \"a\"\n  x}".to_vec(),
            (400, "malformed"),
            "line 2 column 3",
        ),
        (
            "cut off",
            API,
            good.as_bytes()[..20].to_vec(),
            (400, "malformed"),
            "line 1 column 20",
        ),
        ("empty", API, vec![], (400, "malformed"), "the body is empty"),
        (
            "not UTF-8",
            API,
            b"{\"alert_name\": \"\xc3\x28\"}".to_vec(),
            (400, "malformed"),
            "byte 16",
        ),
        (
            "wrong type",
            API,
            json!([alert("a"), { "alert_name": ["b"] }]).to_string().into(),
            (422, "invalid"),
            "[1].alert_name must be text, not a list; send",
        ),
        (
            "absurd date",
            "/monitoring-system/prometheus?integration_key=prometheus-key",
            json!({ "alerts": [{ "status": "firing", "labels": {}, "startsAt": [2026] }] })
                .to_string()
                .into(),
            (422, "invalid"),
            "alerts[0].startsAt must be text",
        ),
        (
            "no key",
            "/monitoring-system/api",
            good.clone().into(),
            (401, "unauthenticated"),
            "key is missing",
        ),
        (
            "unknown key",
            "/monitoring-system/api?integration_key=x",
            good.clone().into(),
            (401, "unauthenticated"),
            "key is unknown",
        ),
        (
            "unknown source",
            "/monitoring-system/promethues?integration_key=api-key",
            good.clone().into(),
            (404, "unknown_source"),
            "one of: prometheus, api",
        ),
        (
            "another source's key",
            "/monitoring-system/api?integration_key=prometheus-key",
            good.clone().into(),
            (400, "wrong_source"),
            "post to /monitoring-system/prometheus, or",
        ),
        (
            "two keys",
            "/monitoring-system/api?integration_key=a&integration_key=b",
            good.clone().into(),
            (400, "bad_query"),
            "integration_key",
        ),
        (
            "one huge alert",
            API,
            json!([alert("a"), alert(&"x".repeat(300_000))])
                .to_string()
                .into(),
            (422, "invalid"),
            "alert 1 has 300",
        ),
    ];
    for (case, address, body, error, words) in cases {
        let answer = world.post(address, body).await;
        assert_eq!(answer.error(), error, "{case}: {}", answer.body);
        assert!(answer.message().contains(words), "{case}: {}", answer.body);
        let before = world.collected().len();
        assert!(world.works().await, "after {case}");
        assert_eq!(world.collected().len(), before + 1, "{case}");
    }
    assert_eq!(world.counted("api", "malformed"), 4.0);
    assert_eq!(world.counted("api", "unauthenticated"), 2.0);
    assert_eq!(world.counted("unknown", "unknown_source"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn other_methods_are_told_to_post() {
    let world = World::new();
    for method in ["GET", "PUT", "DELETE"] {
        let answer = world
            .send(
                Request::builder()
                    .method(method)
                    .uri(API)
                    .body(Body::empty())
                    .unwrap(),
            )
            .await;
        assert_eq!(answer.error(), (405, "method_not_allowed"));
        assert_eq!(answer.headers["allow"], "POST");
    }
    assert_eq!(world.counted("api", "method_not_allowed"), 3.0);
}

#[tokio::test(start_paused = true)]
async fn refused_bodies_of_known_senders_are_kept_with_the_reason() {
    let world = World::new();
    let answer = world.post(API, "not json").await;
    world
        .post("/monitoring-system/api?integration_key=wrong", "from a stranger")
        .await;
    let rejected = world.rejected();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].reason, answer.message());
    assert_eq!(
        (
            rejected[0].integration.as_deref(),
            rejected[0].monitoring_system.as_str()
        ),
        (Some("my-api"), "api")
    );
    assert_eq!(rejected[0].body_base64, "bm90IGpzb24=");
}

#[tokio::test(start_paused = true)]
async fn of_a_large_refused_body_the_beginning_is_kept() {
    let world = World::new();
    assert_eq!(
        world.post(API, "x".repeat(3_000_000)).await.error(),
        (400, "malformed")
    );
    let rejected = world.rejected().remove(0);
    assert!(
        rejected
            .reason
            .ends_with("(only its first 1000000 bytes are kept)"),
        "{}",
        rejected.reason
    );
    assert_eq!(rejected.body_base64.len(), 1_333_336);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_alerts_are_one_request() {
    let world = World::new();
    let alerts: Vec<_> = (0..10_000)
        .map(|number| alert(&format!("alert {number}")))
        .collect();
    let answer = world.post(API, json!(alerts).to_string()).await;
    assert_eq!(
        (answer.status, &answer.body["accepted"]),
        (StatusCode::OK, &json!(10_000))
    );
    let mut ids: Vec<_> = answer.body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    assert_eq!(world.collected().len(), 10_000);
    ids.dedup();
    assert!(ids.len() == 10_000 && ids.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn one_bad_alert_means_that_none_is_taken() {
    let world = World::new();
    let mut alerts: Vec<_> = (0..100).map(|number| alert(&format!("alert {number}"))).collect();
    alerts[99]["object"] = Value::Null;
    let answer = world.post(API, json!(alerts).to_string()).await;
    assert_eq!(
        (answer.error(), &answer.body["error"]["field"]),
        ((422, "invalid"), &json!("[99].object"))
    );
    assert_eq!(world.collected(), []);
}

#[tokio::test(start_paused = true)]
async fn packed_bodies_are_taken_and_bombs_are_not() {
    let world = World::new();
    assert_eq!(
        world
            .post_gzip(gzip(alert("disk").to_string().as_bytes()))
            .await
            .status,
        StatusCode::OK
    );
    let bomb = world.post_gzip(gzip(&vec![b' '; 100_000_000])).await;
    assert_eq!(bomb.error(), (413, "too_large"));
    assert!(
        bomb.message().contains("8388608 bytes when it is unpacked"),
        "{}",
        bomb.message()
    );
    assert_eq!(
        world.post_gzip(b"plain".to_vec()).await.error(),
        (400, "bad_gzip")
    );
    let brotli = Request::post(API)
        .header("content-encoding", "br")
        .body(Body::from("x"))
        .unwrap();
    assert_eq!(world.send(brotli).await.error(), (415, "unknown_encoding"));
    assert_eq!((world.collected().len(), world.rejected().len()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn while_the_log_is_away_senders_are_asked_to_come_again() {
    let world = World::new();
    world.log.set_available(false);
    let answer = world.post(API, alert("disk").to_string()).await;
    assert_eq!(
        (answer.error(), &answer.headers["retry-after"]),
        ((503, "log_unavailable"), &"5".parse().unwrap())
    );
    // A refusal that cannot be kept must not be the end of it either.
    assert_eq!(
        world.post(API, "not json").await.error(),
        (503, "log_unavailable")
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    let waits_for = || world.context.health.report().remove(0).waiting_for;
    assert_eq!(waits_for().as_deref(), Some("log"));
    world.log.set_available(true);
    assert!(world.works().await);
    assert_eq!((world.collected().len(), world.rejected().len()), (1, 0));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(waits_for(), None);
}

/// A log that writes half of what it is given and fails, or never answers.
struct BadLog {
    inner: SimulatedLog,
    silent: bool,
}

#[async_trait]
impl Log for BadLog {
    async fn append(&self, topic: Topic, mut records: Vec<Record>) -> Result<(), LogError> {
        if self.silent {
            return std::future::pending().await;
        }
        records.truncate(records.len() / 2);
        self.inner.append(topic, records).await?;
        Err(LogError::Unavailable("it broke off in the middle".to_owned()))
    }

    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        self.inner.join(group, topics).await
    }

    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
        self.inner.follow(topic, from).await
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.inner.partitions(topic)
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_in_the_middle_or_says_nothing_is_no_success() {
    for silent in [false, true] {
        let inner = SimulatedLog::new(1);
        let bad = BadLog {
            inner: inner.clone(),
            silent,
        };
        let world = World::on(inner, Arc::new(bad), BUDGET_BYTES);
        let answer = world.post(API, json!([alert("a"), alert("b")]).to_string()).await;
        assert_eq!(answer.error(), (503, "log_unavailable"));
        assert_eq!(world.counted("api", "log_unavailable"), 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_configuration_is_known_senders_are_asked_to_come_again() {
    let world = World::new();
    world.site.send_replace(Arc::new(Site::default()));
    let answer = world.post(API, alert("disk").to_string()).await;
    assert_eq!(
        (answer.error(), answer.headers.contains_key("retry-after")),
        ((503, "not_ready"), true)
    );
    world.site.send_replace(Arc::new(site()));
    assert!(world.works().await);
}

/// A body whose end never comes.
fn endless(beginning: &'static str) -> Body {
    let beginning = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(beginning.as_bytes()))]);
    Body::from_stream(futures_util::StreamExt::chain(beginning, stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn when_the_memory_for_bodies_is_taken_others_wait_and_then_come_again() {
    let log = SimulatedLog::new(1);
    let world = Arc::new(World::on(log.clone(), Arc::new(log), 32 * 1024));
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.post(API, endless("{")).await.error().0 })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = world.post(API, alert("disk").to_string()).await;
    assert_eq!(
        (answer.error(), answer.headers.contains_key("retry-after")),
        ((503, "overloaded"), true)
    );
    for slow in slow {
        assert_eq!(slow.await.unwrap(), 408);
    }
    assert!(world.works().await);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_goes_away_is_counted() {
    let world = World::new();
    let gone = tokio::time::timeout(Duration::from_secs(1), world.post(API, endless("{"))).await;
    assert!(gone.is_err());
    assert_eq!(world.counted("api", "abandoned"), 1.0);
}

/// Writes a request and reads the whole answer.
async fn raw(address: std::net::SocketAddr, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.expect("the whole body is read");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("the connection is not reset");
    answer
}

#[tokio::test]
async fn a_body_of_ten_megabytes_gets_a_clear_answer_over_the_wire() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, world.routes.clone()).into_future());
    let head = |length: usize, more: &str| {
        format!(
            "POST {API} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n"
        )
    };
    let large = vec![b'x'; 10_000_000];
    let answer = raw(address, &head(large.len(), ""), &large).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("the body has more than 8388608 bytes; send fewer alerts in one body"),
        "{answer}"
    );
    // Who asks before sending is answered before sending.
    let answer = raw(address, &head(large.len(), "Expect: 100-continue\r\n"), b"").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let good = alert("disk").to_string();
    let answer = raw(address, &head(good.len(), ""), good.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let kept: Vec<_> = world
        .rejected()
        .iter()
        .map(|rejected| rejected.body_base64.len())
        .collect();
    assert_eq!(kept, [1_333_336, 0]);
}
