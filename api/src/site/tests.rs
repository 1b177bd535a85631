//! Documents that are applied, and documents that are not.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use chassis::secrets::SiteKey;
use pipeline::log::simulated::SimulatedLog;
use pipeline::metrics::Metrics;
use pipeline::trace::Tracer;
use pipeline::{Clock, Context, Health};
use schemas::Topic;
use serde_json::Value;
use store::Store;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::Api;

const DOCUMENT: &str = r##"
environments:
  - {name: production, number: 2}
scenarios:
  - name: everybody
    steps:
      - {channel: slack, destination: "#ops", delay: 5m, minimum_severity: critical}
      - {channel: email, destination: a@example.org, enabled: false}
      - {channel: webhook, destination: "https://example.org", window: {from: "09:00", to: "17:00", days: [monday]}}
integrations:
  - {name: main, type: prometheus, environment: production, scenario: everybody, key: 0123456789abcdef}
bots:
  - {name: slack, channel: slack, secrets: {token: xoxb-secret}}
rules:
  - {name: quiet, when: 'labels.env == "staging"', severity: warning}
"##;

struct World {
    api: Api,
    log: SimulatedLog,
}

impl World {
    async fn new() -> Self {
        let store = Store::in_memory().await.unwrap();
        store.migrate().await.unwrap();
        let log = SimulatedLog::new(1);
        let clock = Clock::system();
        let context = Context {
            log: Arc::new(log.clone()),
            clock: clock.clone(),
            health: Health::new(clock),
            metrics: Metrics::new(),
            tracer: Tracer::disabled(),
            shutdown: CancellationToken::new(),
        };
        Self {
            api: Api::start(&context, store, SiteKey::from_bytes([7; 32])),
            log,
        }
    }

    async fn request(&self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response: Response = self.api.routes().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn put(&self, document: &str) -> (StatusCode, Value) {
        self.request("PUT", "/api/v1/site", document).await
    }

    /// The keys on the `config` topic, in the order in which they were written.
    fn written(&self) -> Vec<String> {
        self.log
            .records(Topic::CONFIG)
            .into_iter()
            .map(|record| record.key)
            .collect()
    }
}

#[tokio::test]
async fn a_document_reaches_the_topic_and_applying_it_again_changes_nothing() {
    let world = World::new().await;
    let (status, applied) = world.put(DOCUMENT).await;
    assert_eq!(
        (status, applied["applied"].as_bool()),
        (StatusCode::OK, Some(true)),
        "{applied}"
    );
    assert_eq!(applied["changes"].as_array().unwrap().len(), 5);
    let written = world.written();
    assert_eq!(
        written.last().map(String::as_str),
        Some("revision/site"),
        "the revision comes last: {written:?}"
    );
    assert!(written.contains(&"scenario/everybody".to_owned()));

    let (_, again) = world.put(DOCUMENT).await;
    assert_eq!(
        (
            again["applied"].as_bool(),
            again["changes"].as_array().map(Vec::len)
        ),
        (Some(false), Some(0))
    );
    assert_eq!(world.written().len(), written.len());
}

#[tokio::test]
async fn secrets_are_sealed_on_the_topic_and_never_shown() {
    let world = World::new().await;
    world.put(DOCUMENT).await;
    let on_topic: Vec<_> = world
        .log
        .records(Topic::CONFIG)
        .into_iter()
        .filter_map(|record| record.value)
        .collect();
    let shown = world.request("GET", "/api/v1/site", "").await.1.to_string();
    for text in on_topic
        .iter()
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .chain([shown.clone()])
    {
        assert!(
            !text.contains("xoxb-secret") && !text.contains("0123456789abcdef"),
            "{text}"
        );
    }
    assert!(shown.contains(r#""secrets":["token"]"#), "{shown}");
    assert!(
        !shown.contains("a@example.org"),
        "a step that is not enabled is not a step"
    );
}

#[tokio::test]
async fn a_section_that_is_absent_stays_and_one_that_is_there_is_all_there_is() {
    let world = World::new().await;
    world.put(DOCUMENT).await;
    let (_, applied) = world
        .put("rules: []\nbots:\n  - {name: hooks, channel: webhook}\n")
        .await;
    let changes = applied["changes"].to_string();
    assert!(
        changes.contains(r#"{"change":"remove","key":"bot/slack"}"#),
        "{changes}"
    );
    assert!(
        changes.contains(r#"{"change":"add","key":"bot/hooks"}"#),
        "{changes}"
    );
    assert!(
        changes.contains(r#"{"change":"change","fields":["rules"],"key":"rules/all"}"#),
        "{changes}"
    );
    assert_eq!(applied["changes"].as_array().unwrap().len(), 3);
    let removed = world
        .log
        .records(Topic::CONFIG)
        .into_iter()
        .find(|record| record.value.is_none());
    assert_eq!(removed.map(|record| record.key).as_deref(), Some("bot/slack"));
}

#[tokio::test]
async fn a_dry_run_shows_and_does_nothing() {
    let world = World::new().await;
    let (_, shown) = world.request("PUT", "/api/v1/site?dry_run=true", DOCUMENT).await;
    assert_eq!(
        (
            shown["applied"].as_bool(),
            shown["changes"].as_array().map(Vec::len)
        ),
        (Some(false), Some(5))
    );
    assert!(world.api.is_new().await.unwrap());
}

#[tokio::test]
async fn every_mistake_has_its_place_and_its_remedy_and_nothing_is_applied() {
    let world = World::new().await;
    for (from, to, at, message, remedy) in [
        (
            "environment: production,",
            "environment: prodution,",
            "prodution",
            "there is no environment \"prodution\"",
            "did you mean \"production\"?",
        ),
        (
            "channel: slack, destination",
            "channel: slak, destination",
            "slak",
            "\"slak\" is not a channel",
            "use webhook",
        ),
        (
            "delay: 5m",
            "delay: 5 minutes",
            "5 minutes",
            "\"5 minutes\" is not a delay",
            "write a number and",
        ),
        (
            "minimum_severity: critical",
            "minimum_severity: fatal",
            "fatal",
            "\"fatal\" is not a severity",
            "use ok",
        ),
        (
            "key: 0123456789abcdef",
            "key: short",
            "short",
            "the key is shorter than 16",
            "make a long one",
        ),
        (
            "type: prometheus",
            "type: promeheus",
            "promeheus",
            "there is no source \"promeheus\"",
            "did you mean \"prometheus\"?",
        ),
        (
            "from: \"09:00\"",
            "from: \"9\"",
            "{from: \"9\"",
            "\"9\" is not a time of day",
            "write it as HH:MM",
        ),
        (
            "secrets: {token: xoxb-secret}",
            "secrets: {}",
            "slack, channel",
            "a bot for slack needs token",
            "add it under `secrets`",
        ),
        (
            "environments:",
            "enviroments:",
            "enviroments",
            "unknown field `enviroments`",
            "did you mean \"environments\"?",
        ),
        ("labels.env ==", "labels.env =", "'labels.env = ", "", ""),
    ] {
        let document = DOCUMENT.replacen(from, to, 1);
        assert_ne!(document, DOCUMENT);
        let (status, body) = world.put(&document).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{to}: {body}");
        let problem = &body["error"]["problems"][0];
        let found = format!("{}:{}", problem["line"], problem["column"]);
        assert_eq!(found, place(&document, at), "{to}: {problem}");
        assert!(
            problem["message"].as_str().unwrap().contains(message),
            "{to}: {problem}"
        );
        assert!(
            problem["remedy"].as_str().unwrap().contains(remedy),
            "{to}: {problem}"
        );
    }
    assert!(world.api.is_new().await.unwrap());
}

/// `line:column` of the first place where the text stands.
fn place(document: &str, text: &str) -> String {
    let before = &document[..document.find(text).unwrap()];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    format!(
        "{}:{}",
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1
    )
}

#[tokio::test]
async fn all_mistakes_are_told_at_once() {
    let world = World::new().await;
    let document = DOCUMENT
        .replace("delay: 5m", "delay: x")
        .replace("type: prometheus", "type: x");
    let (_, body) = world.put(&document).await;
    assert_eq!(
        body["error"]["problems"].as_array().map(Vec::len),
        Some(2),
        "{body}"
    );
}

#[tokio::test]
async fn a_wrong_request_is_answered_in_json_with_the_field() {
    let world = World::new().await;
    for (method, path, body, status, field) in [
        ("GET", "/api/v1/alerts?sort=x", "", 422, "sort"),
        ("GET", "/api/v1/alerts/xyz", "", 422, "id"),
        (
            "POST",
            "/api/v1/actions/snooze",
            r#"{"alerts":["4aa4466e9f14a70ebf10e12ebb21a15c"]}"#,
            422,
            "until",
        ),
        (
            "POST",
            "/api/v1/actions/acknowledge",
            r#"{"alerts":[]}"#,
            422,
            "alerts",
        ),
        (
            "POST",
            "/api/v1/actions/acknowledge",
            r#"{"alerts":["x"]}"#,
            422,
            "alerts[0]",
        ),
        ("POST", "/api/v1/actions/acknowledge", "{", 400, ""),
        (
            "GET",
            "/api/v1/alerts/4aa4466e9f14a70ebf10e12ebb21a15c/history",
            "",
            404,
            "",
        ),
    ] {
        let (found, answer) = world.request(method, path, body).await;
        assert_eq!(found.as_u16(), status, "{path}: {answer}");
        assert_eq!(
            answer["error"]["field"].as_str().unwrap_or_default(),
            field,
            "{path}: {answer}"
        );
    }
}
