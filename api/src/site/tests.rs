//! Documents that are applied, and documents that are not.

mod fuzz;
mod revisions;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use chassis::secrets::SiteKey;
use domain::Site;
use pipeline::log::simulated::SimulatedLog;
use pipeline::{Clock, Context};
use schemas::Topic;
use serde_json::{Value, json};
use store::Store;
use tower::ServiceExt;

use crate::Api;
use crate::tests::{event, guarded, set_entries, store_with};

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

/// What a document can declare besides.
const MORE: &str = r##"
mappings:
  - name: backups
    each: body.jobs
    alert:
      identity: [item.host, item.job]
      name: item.job
      status: item.state
      labels: {team: item.team}
    states: {firing: [failed], resolved: [done]}
    severities: {urgent: [P1]}
heartbeats:
  - {name: nightly, integration: main, period: 1d, grace: 1h, severity: urgent}
"##;

pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) log: SimulatedLog,
}

impl World {
    pub(crate) async fn new() -> Self {
        let store = Store::in_memory().await.unwrap();
        store.migrate().await.unwrap();
        Self::on(store)
    }

    fn on(store: Store) -> Self {
        let log = SimulatedLog::new(1);
        let context = Context::new(Arc::new(log.clone()), Clock::system());
        Self {
            api: Api::start(&context, store, SiteKey::from_bytes([7; 32])),
            log,
        }
    }

    pub(crate) async fn request(&self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response: Response = guarded(&self.api).oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn put(&self, document: &str) -> (StatusCode, Value) {
        self.request("PUT", "/api/v1/site", document).await
    }

    /// Fails unless the document is refused for a problem at the first place where this text stands, in such words.
    async fn refuses(&self, document: &str, at: &str, message: &str, remedy: &str) {
        let (status, body) = self.put(document).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{at}: {body}");
        let problem = &body["error"]["problems"][0];
        let found = format!("{}:{}", problem["line"], problem["column"]);
        assert_eq!(found, place(document, at), "{at}: {problem}");
        for (field, words) in [("message", message), ("remedy", remedy)] {
            let said = problem[field].as_str().unwrap();
            assert!(said.contains(words), "{at}: {problem}");
        }
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
    let document = DOCUMENT.replacen(
        "key: 0123",
        "signing_secret: hush-hush, signing_secrets: [hush-hush-too], key: 0123",
        1,
    );
    world.put(&document).await;
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
            !["xoxb-secret", "hush-hush", "0123456789abcdef"]
                .iter()
                .any(|secret| text.contains(secret)),
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
        .put("rules: []\nbots:\n  - {name: chat, channel: slack, secrets: {token: xoxb-2}}\n")
        .await;
    let changes = applied["changes"].to_string();
    assert!(
        changes.contains(r#"{"change":"remove","key":"bot/slack"}"#),
        "{changes}"
    );
    assert!(
        changes.contains(r#"{"change":"add","key":"bot/chat"}"#),
        "{changes}"
    );
    assert!(
        changes.contains(r#"{"change":"remove","key":"rules/all"}"#),
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
            "write numbers and",
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
        (
            "number: 2}",
            "number: 2}\n  - {name: test, number: 2}",
            "2}\nscenarios",
            "the number 2 stands twice",
            "a number of its own",
        ),
        (
            "{channel: email, destination: a@example.org, enabled: false}",
            "{channel: email, destination: a@example.org}",
            "email, destination",
            "there is no bot for email",
            "declare one under `bots`",
        ),
        (
            "delay: 5m, minimum_severity: critical}",
            "delay: 401d, minimum_severity: critical}",
            "401d",
            "\"401d\" is not a delay",
            "at most 400d",
        ),
        (
            "{channel: email, destination: a@example.org, enabled: false}",
            "{channel: slack, destination: \"#ops\", delay: 300s, minimum_severity: critical}",
            "{channel: slack, destination: \"#ops\", delay: 300s",
            "the step stands twice",
            "leave one out",
        ),
        (
            "{channel: email, destination: a@example.org, enabled: false}",
            "{channel: slack}",
            "slack}\n",
            "the step has no `destination`",
            "add one",
        ),
        (
            "{channel: email, destination: a@example.org, enabled: false}",
            "{delay: 3m}",
            "{delay: 3m}",
            "the step notifies nothing",
            "give `channel` and `destination`, or a list of them under `targets`",
        ),
        (
            "{channel: email, destination: a@example.org, enabled: false}",
            "{channel: slack, targets: [{channel: slack, destination: \"#dev\"}]}",
            "[{channel: slack, destination: \"#dev\"}]",
            "the step has `targets` and names one beside them",
            "move `channel`, `destination` and `bot` into the list",
        ),
        (
            "{channel: email, destination: a@example.org, enabled: false}",
            "{targets: [{channel: slack, destination: \"#dev\"}, {channel: slack, destination: \"#dev\"}]}",
            "\"#dev\"}]}",
            "the target stands twice",
            "leave one out",
        ),
        (
            "{channel: email, destination: a@example.org, enabled: false}",
            "{targets: []}",
            "[]}",
            "0 targets",
            "give 1 to 50",
        ),
        (
            "{channel: email, destination: a@example.org, enabled: false}",
            "{id: \" \", channel: slack, destination: \"#dev\"}",
            "\" \", channel",
            "\" \" is no id of a step",
            "give 1 to 50 characters",
        ),
        (
            "{channel: email, destination: a@example.org, enabled: false}",
            "{id: x, channel: slack, destination: \"#dev\"}\n      - {id: x, channel: slack, destination: \"#web\"}",
            "{id: x, channel: slack, destination: \"#web\"}",
            "there are two steps with the id \"x\"",
            "give each an id of its own",
        ),
    ] {
        let document = DOCUMENT.replacen(from, to, 1);
        assert_ne!(document, DOCUMENT);
        world.refuses(&document, at, message, remedy).await;
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
        ("PUT", "/api/v1/alerts", "", 405, ""),
    ] {
        let (found, answer) = world.request(method, path, body).await;
        assert_eq!(found.as_u16(), status, "{path}: {answer}");
        assert_eq!(
            answer["error"]["field"].as_str().unwrap_or_default(),
            field,
            "{path}: {answer}"
        );
        assert!(answer["error"]["message"].is_string(), "{path}: {answer}");
    }
    let large = format!(r#"{{"alerts":["{}"]}}"#, "x".repeat(3_000_000));
    for (method, path) in [("POST", "/api/v1/actions/acknowledge"), ("PUT", "/api/v1/site")] {
        let (found, answer) = world.request(method, path, &large).await;
        assert_eq!(found, StatusCode::PAYLOAD_TOO_LARGE, "{path}: {answer}");
        assert!(answer["error"]["message"].is_string(), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_path_of_the_api_that_is_not_there_is_said_to_be_so_in_json() {
    for method in ["GET", "POST"] {
        let request = Request::builder().method(method).uri("/api/v1/nothing");
        let answer = chassis::addresses::completed(Api::console())
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        let body = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("there is no /api/v1/nothing"), "{message}");
    }
}

#[tokio::test]
async fn what_an_integration_lets_in_is_checked_at_its_place() {
    let world = World::new().await;
    for (more, at, message, remedy) in [
        (
            "named_keys: [{name: new, key: fedcba9876543210, expires: tomorrow}]",
            "tomorrow",
            "\"tomorrow\" is not a time",
            "write it as 2027-",
        ),
        (
            "named_keys: [{name: '', key: fedcba9876543210}]",
            "''",
            "the name is empty",
            "give the key a name",
        ),
        (
            "named_keys: [{name: new, key: 0123456789abcdef}]",
            "0123456789abcdef}]",
            "the key stands twice",
            "a key of its own",
        ),
        ("limits: {rate: 0}", "0}}", "0 is no such limit", "from 1 to"),
        (
            "limits: {body_bytes: 9000000}",
            "9000000",
            "9000000 is no such limit",
            "from 1024 to 8388608",
        ),
        (
            "signing_secret: whsec_#",
            "whsec_#",
            "not base64 after whsec_",
            "copy it from the sender",
        ),
        (
            "signing_secrets: [fine, whsec_#]",
            "whsec_#",
            "not base64 after whsec_",
            "copy it from the sender",
        ),
        (
            "sns_topics: ['arn:aws:sns:*:1:a']",
            "'arn:aws",
            "nothing comes by SNS to type \"prometheus\"",
            "type cloudwatch",
        ),
        (
            "sns_topics: ['arn:aws:sns:*']",
            "'arn:aws",
            "is not the ARN of a topic",
            "arn:aws:sns:eu-west-1:",
        ),
        (
            "mqtt_topics: ['alerts/#/db']",
            "'alerts/#",
            "the filter has `#` before its end",
            "alerts/# for all",
        ),
        (
            "mqtt_topics: [alerts/db, alerts/db]",
            "alerts/db]",
            "the filter stands twice",
            "topics of its own",
        ),
        (
            "signing_secret: abc, mqtt_topics: [alerts/db]",
            "alerts/db]",
            "nothing that is published is signed",
            "leave out signing_secret",
        ),
    ] {
        let document = DOCUMENT.replacen(
            "key: 0123456789abcdef}",
            &format!("key: 0123456789abcdef, {more}}}"),
            1,
        );
        world.refuses(&document, at, message, remedy).await;
    }
}

#[tokio::test]
async fn a_burst_follows_its_rate_and_other_limits_stay_as_usual() {
    let world = World::new().await;
    let document = DOCUMENT.replacen("key: 0123", "limits: {rate: 20}, key: 0123", 1);
    world.put(&document).await;
    let (_, listed) = world.request("GET", "/api/v1/integrations", "").await;
    let limits = &listed["integrations"][0]["limits"];
    assert_eq!(
        *limits,
        serde_json::json!({ "rate": 20, "burst": 200, "body_bytes": 8_388_608, "alerts_per_body": 50_000, "open_alerts": 250_000 })
    );
}

#[tokio::test]
async fn mappings_and_heartbeats_are_declared_and_stay_when_a_document_has_none() {
    let world = World::new().await;
    let document = format!("{DOCUMENT}{MORE}").replace("type: prometheus", "type: backups");
    let (status, applied) = world.put(&document).await;
    assert_eq!(
        (status, applied["applied"].as_bool()),
        (StatusCode::OK, Some(true)),
        "{applied}"
    );
    assert!(world.written().contains(&"mapping/backups".to_owned()));
    let (_, again) = world
        .put(DOCUMENT.replace("type: prometheus", "type: backups").as_str())
        .await;
    assert_eq!(again["changes"].as_array().map(Vec::len), Some(0), "{again}");
    let (_, shown) = world.request("GET", "/api/v1/site", "").await;
    assert_eq!(shown["heartbeats"][0]["period_seconds"], 86_400);
    assert_eq!(shown["mappings"][0]["states"]["failed"], "firing");
}

#[tokio::test]
async fn a_ready_made_mapping_is_a_type_of_integration_and_one_of_the_site_may_have_its_name() {
    let world = World::new().await;
    let ready_made = DOCUMENT.replace("type: prometheus", "type: checkmk");
    let own = format!("{DOCUMENT}{MORE}")
        .replace("type: prometheus", "type: checkmk")
        .replace("name: backups", "name: checkmk");
    for document in [&ready_made, &own, &ready_made] {
        let (status, applied) = world.put(document.as_str()).await;
        assert_eq!(status, StatusCode::OK, "{applied}");
    }
    let unknown = DOCUMENT.replace("type: prometheus", "type: chekmk");
    let (_, refused) = world.put(unknown.as_str()).await;
    assert!(
        refused.to_string().contains("did you mean \\\"checkmk\\\"?"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_mapping_or_a_heartbeat_is_named_at_its_place() {
    let world = World::new().await;
    for (from, to, at, message, remedy) in [
        (
            "name: item.job",
            "name: itm.job",
            "itm.job",
            "alert.name: line 1, column 1: there is no \"itm\"",
            "docs/sources/mapping.md",
        ),
        (
            "team: item.team",
            "team: item.",
            "item.}",
            "alert.labels.team: line 1, column",
            "",
        ),
        ("each: body.jobs", "each: '['", "'['", "each: line 1", ""),
        (
            "name: backups",
            "name: grafana",
            "grafana",
            "there is a source \"grafana\" already",
            "another name",
        ),
        (
            "name: backups",
            "name: Back Ups",
            "Back Ups",
            "cannot be the name of a source",
            "use a-z, 0-9 and -",
        ),
        (
            "resolved: [done]",
            "resolved: [done, Failed]",
            "Failed",
            "\"Failed\" stands twice",
            "say once",
        ),
        ("urgent: [P1]", "ok: [P1]", "ok: [P1]", "unknown field `ok`", ""),
        (
            "identity: [item.host, item.job]",
            "identity: []",
            "backups",
            "alert.identity is empty",
            "[item.id]",
        ),
        (
            "integration: main",
            "integration: mian",
            "mian",
            "there is no integration \"mian\"",
            "did you mean \"main\"?",
        ),
        (
            "period: 1d",
            "period: 5s",
            "5s,",
            "\"5s\" is no period",
            "10s to 400d",
        ),
        (
            "grace: 1h",
            "grace: soon",
            "soon",
            "\"soon\" is not a delay",
            "write numbers",
        ),
        (
            "severity: urgent",
            "severity: ok",
            "ok}",
            "missed is not ok",
            "another severity",
        ),
    ] {
        let document = format!("{DOCUMENT}{}", MORE.replacen(from, to, 1));
        world.refuses(&document, at, message, remedy).await;
    }
}

#[tokio::test]
async fn what_a_bot_cannot_be_is_refused_at_its_place() {
    let world = World::new().await;
    let mail = |settings: &str, secrets: &str| {
        format!(
            "bots:\n  - {{name: mail, channel: email, settings: {{host: smtp, from: a@b, {settings}}}, secrets: {{{secrets}}}}}\n"
        )
    };
    let hook = |secret: &str| {
        format!("bots:\n  - {{name: hook, channel: webhook, secrets: {{signing_secret: {secret}}}}}\n")
    };
    for (document, at, message, remedy) in [
        (
            mail("port: 65536", ""),
            "65536",
            "\"65536\" is no port",
            "from 1 to 65535",
        ),
        (
            mail("tls: ssl", ""),
            "ssl",
            "\"ssl\" is no tls",
            "none, starttls or implicit",
        ),
        (
            mail("", "").replace("a@b", "reveille"),
            "reveille",
            "\"reveille\" is no from",
            "an address",
        ),
        (
            mail("usr: x", ""),
            "x}",
            "has no \"usr\" among its settings",
            "there are host",
        ),
        (
            mail("prt: 1", ""),
            "1}",
            "has no \"prt\" among its settings",
            "\"port\"?",
        ),
        (
            mail("username: x", ""),
            "x}",
            "one without the other",
            "or neither",
        ),
        (
            mail("username: x", "password: \" \""),
            "\" \"",
            "password is empty",
            "leave it out",
        ),
        (hook("secret"), "secret}", "this is no signing_secret", "base64"),
    ] {
        world.refuses(&document, at, message, remedy).await;
    }
    let others = "bots:\n  - {name: hooks, channel: webhook}\nscenarios:\n  - name: all\n    steps: [{channel: slack, \
                  destination: \"#a\", bot: hooks}]\n";
    let message = "bot \"hooks\" is one for webhook";
    world
        .refuses(others, "hooks}]", message, "name a bot for slack")
        .await;
    let good = mail("port: \"587\", username: x", "password: y").replace("a@b", "\"On call <a@b>\"");
    let (status, body) = world.put(&good).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test]
async fn what_stays_must_find_what_it_refers_to() {
    let world = World::new().await;
    world.put(&format!("{DOCUMENT}{MORE}")).await;
    for (document, message) in [
        (
            "scenarios: []\n",
            "integration/main, which stays, refers to scenario \"everybody\", which is gone",
        ),
        (
            "environments: []\n",
            "refers to environment \"production\", which is gone",
        ),
        (
            "integrations: []\n",
            "heartbeat/nightly, which stays, refers to integration \"main\"",
        ),
        (
            "bots: []\n",
            "scenario/everybody, which stays, finds no bot: there is no bot for slack",
        ),
    ] {
        world.refuses(document, "[]", message, "").await;
    }
}

#[tokio::test]
async fn a_section_without_a_list_is_not_taken_for_an_absent_one() {
    let world = World::new().await;
    let (status, body) = world.put("environments: []\nrules:\n").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    let problem = &body["error"]["problems"][0];
    assert_eq!(problem["line"], 2, "{problem}");
    assert!(
        problem["message"].as_str().unwrap().contains("write [] for none"),
        "{problem}"
    );
}

#[tokio::test]
async fn l19_an_entry_that_cannot_be_read_hides_no_other_and_stays_as_it_is() {
    let world = World::new().await;
    world.put(DOCUMENT).await;
    let store = &world.api.store;
    let odd = [("scenario/odd".to_owned(), r#"{"kind": "riddle"}"#.to_owned())].into();
    set_entries(store, &odd).await;
    let (status, silences) = world.request("GET", "/api/v1/silences", "").await;
    assert_eq!(status, StatusCode::OK, "{silences}");
    let (status, site) = world.request("GET", "/api/v1/site", "").await;
    assert_eq!(
        (status, site["scenarios"].as_array().unwrap().len()),
        (StatusCode::OK, 1)
    );
    let (status, applied) = world.put(DOCUMENT).await;
    assert_eq!(
        (status, applied["changes"].as_array().unwrap().len()),
        (StatusCode::OK, 0)
    );
    assert!(store.site().await.unwrap().entries.contains_key("scenario/odd"));
}

/// A store in which an alert of the integration `main` is open in `production`.
async fn store_with_an_open_alert() -> Store {
    store_with(&[event("disk")], &Site::default(), Clock::system().now()).await
}

#[tokio::test]
async fn l18_what_open_alerts_belong_to_is_not_removed() {
    let world = World::on(store_with_an_open_alert().await);
    let (status, body) = world.put(DOCUMENT).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let elsewhere = DOCUMENT.replace("production", "staging");
    let none = "integrations: []\n";
    for (document, entry) in [
        (elsewhere.as_str(), "environment \"production\""),
        (none, "integration \"main\""),
    ] {
        for path in ["/api/v1/site", "/api/v1/site?dry_run=true"] {
            let (status, body) = world.request("PUT", path, document).await;
            assert_eq!(status, StatusCode::CONFLICT, "{body}");
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains(entry) && message.contains("disk"), "{message}");
        }
    }
    let kept = world.api.store.site().await.unwrap().entries;
    assert!(kept.contains_key("environment/production") && kept.contains_key("integration/main"));
}

#[tokio::test]
async fn m6_a_delay_may_have_several_units_and_a_window_may_end_at_24() {
    let world = World::new().await;
    let document = DOCUMENT
        .replace("delay: 5m", "delay: 1h30m")
        .replace("to: \"17:00\"", "to: \"24:00\"");
    let (status, body) = world.put(&document).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (_, site) = world.request("GET", "/api/v1/site", "").await;
    assert_eq!(site["scenarios"][0]["steps"][0]["delay_seconds"], 5400);
}

#[tokio::test]
async fn an_empty_list_of_rules_removes_them_and_is_no_change_where_there_are_none() {
    let world = World::new().await;
    let none = "environments:\n  - {name: production, number: 2}\nrules: []\n";
    for _ in 0..2 {
        world.put(none).await;
    }
    let (_, again) = world.put(none).await;
    assert_eq!(again["changes"], serde_json::json!([]));
    world.put(DOCUMENT).await;
    let (_, removed) = world.put("rules: []").await;
    assert_eq!(
        removed["changes"],
        serde_json::json!([{ "change": "remove", "key": "rules/all" }])
    );
}
