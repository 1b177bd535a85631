//! What clients of Opsgenie's API ask, and what they are answered. Every call of the clients for Go, Python and Node.js that
//! the API answers is a row of [`CALLS`]; those that the collectors answer are in their tests.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use chassis::secrets::SiteKey;
use domain::Input;
use pipeline::log::simulated::SimulatedLog;
use pipeline::{Clock, Context};
use schemas::config::{ANY_SOURCE, ConfigEntry, KeyTerms, Scenario};
use schemas::{Action, ActionRequest, AlertEvent, DecoratedEvent, EventKind, EventStatus, Origin};
use serde_json::Value;
use store::{Commit, RequestOutcome, Store};
use tower::ServiceExt;
use uuid::Uuid;

use super::*;
use crate::tests::set_entries;

mod jira;

const NOW: &str = "2026-09-01T10:00:00Z";

/// The event of a sender, as the collectors make it.
fn event(integration: &str, alias: &str) -> DecoratedEvent {
    let event: AlertEvent = serde_json::from_value(json!({
        "event_id": Uuid::nil(), "accepted_at": NOW, "kind": { "type": "firing" }, "severity": "critical",
        "fingerprint": domain::fingerprint([integration, TYPE, "alias", alias]), "integration": integration,
        "monitoring_system": TYPE, "source": "prometheus", "object": "db", "name": "disk", "output": "full",
        "labels": { "alias": alias, "tags": "night, urgent", "team": "pay" },
    }))
    .unwrap();
    DecoratedEvent {
        event,
        origin: Origin {
            partition: 0,
            offset: 1,
        },
        spooled: false,
        rules: Vec::new(),
        environment: "default".to_owned(),
        scenario: "default".to_owned(),
    }
}

/// The alert that such an event opens.
pub(super) fn opened(integration: &str, alias: &str) -> Alert {
    let event = event(integration, alias);
    let outcome = domain::transition(None, Input::Event(&event), NOW.parse().unwrap(), &Site::default());
    outcome.state.unwrap().alert
}

pub(crate) struct World {
    /// Without what stands around them in a process.
    pub(crate) own_routes: Router,
    routes: Router,
    store: Store,
    claim: store::Claim,
    site: Site,
    clock: Clock,
}

/// Integrations `mine` and `theirs`, whose keys are their names, with an alert each, and `metrics` of another type. The
/// key `old` of `mine` has expired.
pub(crate) async fn world() -> World {
    let clock = Clock::simulated(NOW.parse().unwrap());
    let mut site = Site::default();
    let mut entries = vec![ConfigEntry::Scenario(Scenario {
        name: "default".to_owned(),
        description: String::new(),
        number: None,
        steps: Vec::new(),
    })];
    for (name, source_type) in [("mine", TYPE), ("theirs", ANY_SOURCE), ("metrics", "prometheus")] {
        let mut entry: Integration = serde_json::from_value(json!({
            "name": name, "type": source_type, "environment": "default", "scenario": "default",
            "key_hashes": [key_hash(name)],
        }))
        .unwrap();
        if name == "mine" {
            let hash = key_hash("old");
            let terms = KeyTerms {
                name: "old".to_owned(),
                created: None,
                expires: Some(clock.now()),
            };
            entry.key_hashes.push(hash.clone());
            entry.key_terms.insert(hash, terms);
        }
        entries.push(ConfigEntry::Integration(entry));
    }
    let declared = json!({
        "kind": "heartbeat", "name": "declared", "integration": "mine", "period_seconds": 5400, "grace_seconds": 60,
        "severity": "critical",
    });
    entries.push(serde_json::from_value(declared).unwrap());
    let mut set = BTreeMap::new();
    for entry in entries {
        set.insert(entry.key(), json!(entry).to_string());
        site.apply(&entry.key(), Some(entry));
    }
    let store = Store::in_memory().await.unwrap();
    set_entries(&store, &set).await;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let context = Context::new(std::sync::Arc::new(SimulatedLog::new(1)), clock.clone());
    let api = Api::start(&context, store.clone(), SiteKey::from_bytes([7; 32]));
    let mut followed = chassis::site::follow(&context);
    chassis::site::complete(&mut followed).await;
    let own_routes = api.opsgenie(followed, "https://alerts.example");
    let world = World {
        routes: chassis::addresses::completed(own_routes.clone()),
        own_routes,
        store,
        claim,
        site,
        clock,
    };
    for (integration, alias) in [("mine", "pay-3/5xx"), ("theirs", "db-1")] {
        world.happens(&event(integration, alias)).await;
    }
    world
}

impl World {
    /// As the daemon does it.
    async fn happens(&self, event: &DecoratedEvent) {
        let fingerprint = event.event.fingerprint;
        let known = self.store.load_known(&[fingerprint]).await.unwrap();
        let state = known.states.into_values().next();
        let outcome = domain::transition(state, Input::Event(event), self.clock.now(), &self.site);
        let outcomes = outcome.ignored.map(|ignored| RequestOutcome {
            event_id: event.event.event_id,
            at: self.clock.now(),
            outcome: ignored.name().to_owned(),
        });
        let commit = Commit {
            states: outcome.state.map(|state| (state, None)).into_iter().collect(),
            history: outcome.history,
            outcomes: outcomes.into_iter().collect(),
            ..Commit::default()
        };
        self.store.commit(&self.claim, &commit).await.unwrap();
    }

    async fn send(&self, key: &str, method: &str, path: &str, body: Body) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "alerts.example")
            .header("content-type", "multipart/form-data; boundary=B")
            .header("authorization", format!("GenieKey {key}"));
        let response = self.routes.clone().oneshot(request.body(body).unwrap());
        response.await.unwrap()
    }

    async fn call(&self, key: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let response = self.send(key, method, path, Body::from(body.to_owned())).await;
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(
            answer["took"].is_number() && answer["requestId"].is_string(),
            "{path}: {answer}"
        );
        (status, answer)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call("mine", "GET", path, "").await
    }
}

const FILE: &str = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.log\"\r\n\r\nboom\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nann\r\n--B--\r\n";
const SEARCH: &str = r#"{"name":"nights","query":"status: open AND tag: night","owner":{"username":"ann"},"teams":[{"name":"pay"}]}"#;
const RENAMED: &str = r#"{"name":"days","query":"tag: day","owner":{"id":"7"},"description":"d"}"#;
const HEARTBEAT: &str = r#"{"name":"nightly","interval":60,"intervalUnit":"minutes","enabled":true,"description":"d",
    "ownerTeam":{"name":"ops"},"alertMessage":"backup is late","alertTags":["a","b"],"alertPriority":"P4"}"#;

/// Method, path, body, status, a field of the answer (`None`: there is none), what it is. They build on each other.
type Call = (
    &'static str,
    &'static str,
    &'static str,
    u16,
    &'static str,
    Option<&'static str>,
);

const CALLS: [Call; 59] = [
    // Alerts.
    (
        "GET",
        "/v2/alerts",
        "",
        200,
        "/data/0/alias",
        Some("\"pay-3/5xx\""),
    ),
    (
        "GET",
        "/v2/alerts/?query=status%3Aopen&limit=1&offset=0&sort=updatedAt&order=asc",
        "",
        200,
        "/data/0/status",
        Some("\"open\""),
    ),
    ("GET", "/v2/alerts?query=tag%3Aday", "", 200, "/data", Some("[]")),
    (
        "GET",
        "/v2/alerts?offset=1",
        "",
        200,
        "/paging/prev",
        Some("\"https://alerts.example/v2/alerts?limit=20&offset=0\""),
    ),
    ("GET", "/v2/alerts/count", "", 200, "/data/count", Some("1")),
    (
        "GET",
        "/v2/alerts/count?query=status%3Aclosed",
        "",
        200,
        "/data/count",
        Some("0"),
    ),
    (
        "GET",
        "/v2/alerts/pay-3%2F5xx?identifierType=alias",
        "",
        200,
        "/data/details/team",
        Some("\"pay\""),
    ),
    (
        "GET",
        "/v2/alerts/pay-3%2F5xx",
        "",
        200,
        "/data/tags/1",
        Some("\"urgent\""),
    ),
    (
        "GET",
        "/v2/alerts/ID/?identifierType=id",
        "",
        200,
        "/data/alias",
        Some("\"pay-3/5xx\""),
    ),
    (
        "GET",
        "/v2/alerts/TINY?identifierType=tiny",
        "",
        200,
        "/data/priority",
        Some("\"P2\""),
    ),
    (
        "GET",
        "/v2/alerts/ID/logs/?identifierType=id&limit=1&order=desc&direction=next",
        "",
        200,
        "/data/0/log",
        Some("\"opened as critical: full\""),
    ),
    (
        "GET",
        "/v2/alerts/ID/notes?order=asc",
        "",
        200,
        "/data",
        Some("[]"),
    ),
    ("GET", "/v2/alerts/ID/recipients/", "", 200, "/data", Some("[]")),
    // What there is not, and what is not understood.
    ("GET", "/v2/alerts/nothing", "", 404, "/message", None),
    ("GET", "/v2/alerts/THEIRS", "", 404, "/message", None),
    ("GET", "/v2/alerts/ID/merges", "", 404, "/message", None),
    (
        "GET",
        "/v2/alerts/ID/logs?direction=up",
        "",
        422,
        "/errors/direction",
        None,
    ),
    (
        "GET",
        "/v2/alerts/ID/logs?offset=x",
        "",
        422,
        "/errors/offset",
        None,
    ),
    (
        "GET",
        "/v2/alerts/a?identifierType=name",
        "",
        422,
        "/errors/identifierType",
        None,
    ),
    (
        "GET",
        "/v2/alerts/a?identifierType=tiny",
        "",
        422,
        "/errors/identifier",
        None,
    ),
    ("GET", "/v2/alerts?limit=0", "", 422, "/errors/limit", None),
    ("GET", "/v2/alerts?limit=1000", "", 422, "/errors/limit", None),
    ("GET", "/v2/alerts?offset=20000", "", 422, "/errors/offset", None),
    ("GET", "/v2/alerts?sort=colour", "", 422, "/errors/sort", None),
    ("GET", "/v2/alerts?order=up", "", 422, "/errors/order", None),
    (
        "GET",
        "/v2/alerts?query=colour%3Ared",
        "",
        422,
        "/errors/query",
        None,
    ),
    (
        "GET",
        "/v2/alerts?searchIdentifier=nights&searchIdentifierType=name",
        "",
        404,
        "/message",
        None,
    ),
    ("GET", "/v2/alerts/requests/x", "", 404, "/message", None),
    ("PATCH", "/v2/alerts/count", "", 405, "/message", None),
    ("GET", "/v2/nothing", "", 404, "/message", None),
    // Saved searches.
    (
        "POST",
        "/v2/alerts/saved-searches/",
        SEARCH,
        201,
        "/data/name",
        Some("\"nights\""),
    ),
    (
        "POST",
        "/v2/alerts/saved-searches",
        SEARCH,
        422,
        "/errors/name",
        None,
    ),
    (
        "POST",
        "/v2/alerts/saved-searches",
        r#"{"name":"a","query":"b:c","owner":{"id":"1"}}"#,
        422,
        "/errors/query",
        None,
    ),
    (
        "POST",
        "/v2/alerts/saved-searches",
        r#"{"name":"a","query":"b"}"#,
        422,
        "/errors/owner",
        None,
    ),
    ("POST", "/v2/alerts/saved-searches", "{", 400, "/message", None),
    (
        "GET",
        "/v2/alerts/saved-searches",
        "",
        200,
        "/data/0/name",
        Some("\"nights\""),
    ),
    (
        "GET",
        "/v2/alerts/saved-searches/nights?identifierType=name",
        "",
        200,
        "/data/owner/id",
        Some("\"ann\""),
    ),
    (
        "GET",
        "/v2/alerts?searchIdentifier=nights&searchIdentifierType=name&query=priority%3AP2",
        "",
        200,
        "/data/0/message",
        Some("\"disk\""),
    ),
    (
        "GET",
        "/v2/alerts/count?searchIdentifier=nights&searchIdentifierType=name",
        "",
        200,
        "/data/count",
        Some("1"),
    ),
    (
        "PATCH",
        "/v2/alerts/saved-searches/nights?identifierType=name",
        RENAMED,
        200,
        "/data/description",
        Some("\"d\""),
    ),
    (
        "GET",
        "/v2/alerts/count?searchIdentifier=days&searchIdentifierType=name",
        "",
        200,
        "/data/count",
        Some("0"),
    ),
    (
        "DELETE",
        "/v2/alerts/saved-searches/days?identifierType=name",
        "",
        200,
        "/result",
        Some("\"Deleted\""),
    ),
    (
        "DELETE",
        "/v2/alerts/saved-searches/days?identifierType=name",
        "",
        404,
        "/message",
        None,
    ),
    // Attachments.
    (
        "POST",
        "/v2/alerts/ID/attachments?alertIdentifierType=id",
        FILE,
        201,
        "/data/name",
        Some("\"a.log\""),
    ),
    (
        "POST",
        "/v2/alerts/pay-3%2F5xx/attachments?alertIdentifierType=alias",
        FILE,
        201,
        "/data/name",
        Some("\"a.log\""),
    ),
    (
        "POST",
        "/v2/alerts/ID/attachments",
        "{}",
        422,
        "/errors/file",
        None,
    ),
    (
        "GET",
        "/v2/alerts/ID/attachments",
        "",
        200,
        "/data/1/name",
        Some("\"a.log\""),
    ),
    (
        "GET",
        "/v2/alerts/TINY/attachments/FIRST?alertIdentifierType=tiny",
        "",
        200,
        "/data/name",
        Some("\"a.log\""),
    ),
    (
        "DELETE",
        "/v2/alerts/ID/attachments/FIRST?user=ann",
        "",
        200,
        "/result",
        Some("\"Deleted\""),
    ),
    (
        "GET",
        "/v2/alerts/ID/attachments/FIRST",
        "",
        404,
        "/message",
        None,
    ),
    ("DELETE", "/v2/alerts/ID/attachments/x", "", 404, "/message", None),
    // Heartbeats.
    (
        "POST",
        "/v2/heartbeats/",
        HEARTBEAT,
        201,
        "/data/interval",
        Some("60"),
    ),
    ("POST", "/v2/heartbeats", HEARTBEAT, 409, "/message", None),
    (
        "GET",
        "/v2/heartbeats",
        "",
        200,
        "/data/heartbeats/1/alertPriority",
        Some("\"P4\""),
    ),
    (
        "GET",
        "/v2/heartbeats/nightly",
        "",
        200,
        "/data/ownerTeam/name",
        Some("\"ops\""),
    ),
    (
        "PATCH",
        "/v2/heartbeats/nightly",
        r#"{"interval":2,"intervalUnit":"hours"}"#,
        200,
        "/data/intervalUnit",
        Some("\"hours\""),
    ),
    (
        "POST",
        "/v2/heartbeats/nightly/disable",
        "",
        200,
        "/data/enabled",
        Some("false"),
    ),
    (
        "POST",
        "/v2/heartbeats/nightly/enable",
        "null",
        200,
        "/data/enabled",
        Some("true"),
    ),
    (
        "DELETE",
        "/v2/heartbeats/nightly",
        "",
        200,
        "/result",
        Some("\"Deleted\""),
    ),
];

#[tokio::test(start_paused = true)]
async fn c2_every_call_of_the_clients_is_answered_as_opsgenie_does() {
    let world = world().await;
    let mine = opened("mine", "pay-3/5xx");
    let theirs = shown::id(&opened("theirs", "db-1"));
    let mut attached = Vec::new();
    for (method, path, body, status, field, value) in CALLS {
        let path = path
            .replace("FIRST", attached.first().map_or("", String::as_str))
            .replace("TINY", &domain::opsgenie::tiny_id(mine.fingerprint))
            .replace("ID", &shown::id(&mine))
            .replace("THEIRS", &theirs);
        let (found, answer) = world.call("mine", method, &path, body).await;
        assert_eq!(found, status, "{method} {path}: {answer}");
        if status == 201 && path.contains("attachments") {
            attached.push(answer["data"]["id"].as_str().unwrap().to_owned());
        }
        let found = answer.pointer(field);
        match value {
            Some(value) => assert_eq!(
                found.map(Value::to_string).as_deref(),
                Some(value),
                "{path}: {answer}"
            ),
            None => assert!(found.is_some_and(|text| text.is_string()), "{path}: {answer}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_shown_to_whom_it_belongs() {
    let world = world().await;
    let id = shown::id(&opened("mine", "pay-3/5xx"));
    for path in [
        "/v2/alerts/pay-3%2F5xx".to_owned(),
        format!("/v2/alerts/{id}"),
        format!("/v2/alerts/{id}/attachments"),
    ] {
        let (status, answer) = world.call("theirs", "GET", &path, "").await;
        assert_eq!(status, 404, "{path}: {answer}");
        for stranger in ["metrics", "old", "nobody", ""] {
            let (status, answer) = world.call(stranger, "GET", &path, "").await;
            assert_eq!(status, 401, "{stranger}: {answer}");
        }
    }
    let (_, answer) = world
        .call("theirs", "GET", "/jsm/ops/integration/v2/alerts", "")
        .await;
    let aliases: Vec<_> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| &alert["alias"])
        .collect();
    assert_eq!(aliases, [&json!("db-1")]);
}

#[tokio::test(start_paused = true)]
async fn it_does_not_matter_how_the_scheme_is_written() {
    let world = world().await;
    for (shown, status) in [
        ("geniekey mine", 200),
        ("GENIEKEY  mine", 200),
        ("Bearer mine", 401),
    ] {
        let request = Request::get("/v2/alerts").header("authorization", shown);
        let response = world.routes.clone().oneshot(request.body(Body::empty()).unwrap());
        assert_eq!(response.await.unwrap().status().as_u16(), status, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn c2_lists_are_sorted_and_paged() {
    let world = world().await;
    for alias in ["c", "a", "b"] {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        world.happens(&event("mine", alias)).await;
    }
    let aliases = |answer: &Value| -> String {
        let alerts = answer["data"].as_array().unwrap().iter();
        alerts
            .map(|alert| alert["alias"].as_str().unwrap().to_owned() + " ")
            .collect()
    };
    for (query, expected) in [
        ("", "b a c pay-3/5xx "),
        ("?order=asc", "pay-3/5xx c a b "),
        ("?sort=alias&order=asc", "a b c pay-3/5xx "),
        ("?sort=alias&order=desc&limit=2&offset=1", "c b "),
        ("?limit=2", "b a "),
        ("?limit=2&offset=2", "c pay-3/5xx "),
        ("?offset=9", ""),
        ("?query=alias%3A(a%20OR%20b)", "b a "),
    ] {
        let (_, answer) = world.get(&format!("/v2/alerts{query}")).await;
        assert_eq!(aliases(&answer), expected, "{query}");
    }
    // Each page links to the next one, to the end.
    let (mut path, mut seen) = (
        "/v2/alerts?limit=3&sort=alias&order=asc".to_owned(),
        String::new(),
    );
    loop {
        let (_, answer) = world.get(&path).await;
        seen += &aliases(&answer);
        let Some(next) = answer["paging"]["next"].as_str() else {
            break;
        };
        path = next.strip_prefix("https://alerts.example").unwrap().to_owned();
    }
    assert_eq!(seen, "a b c pay-3/5xx ");
}

fn request(alias: &str, action: Action, number: u128) -> DecoratedEvent {
    let mut event = event("mine", alias);
    let at = uuid::Timestamp::from_unix(uuid::NoContext, 1_788_256_800, 0);
    let base = Uuid::new_v7(at).as_u128() & !0xffff;
    event.event.event_id = Uuid::from_u128(base + number);
    event.event.outcome_wanted = true;
    event.origin.offset = u64::try_from(number).unwrap() + 1;
    event.event.kind = EventKind::ActionRequest(ActionRequest {
        author: Some("ann".to_owned()),
        action,
    });
    event
}

#[tokio::test(start_paused = true)]
async fn c2_the_status_of_a_request_tells_what_came_of_it() {
    let world = world().await;
    let until = "2020-01-01T00:00:00Z".parse().unwrap();
    let snooze = Action::Snooze {
        until,
        sticky_severity: false,
        sticky_output: false,
        comment: None,
    };
    let mut close = request("no-such", Action::Unacknowledge, 5);
    close.event.kind = EventStatus::Resolved.into();
    let alias = "pay-3/5xx";
    for (event, action, success, status, shown_alias) in [
        (
            request(alias, Action::Acknowledge { comment: None }, 1),
            "Acknowledge",
            true,
            "Acknowledged alert",
            alias,
        ),
        (
            request(alias, Action::Acknowledge { comment: None }, 2),
            "Acknowledge",
            true,
            "Acknowledged alert before",
            alias,
        ),
        (
            request(alias, snooze, 3),
            "Snooze",
            false,
            "snooze was not done: `until` is past: give a time in the future",
            alias,
        ),
        (
            request(
                "no-such",
                Action::Comment {
                    comment: "a".to_owned(),
                },
                4,
            ),
            "AddNote",
            false,
            "Alert does not exist",
            "",
        ),
        (close, "Close", false, "Alert does not exist", ""),
    ] {
        let id = format!("{}.{action}.{}", event.event.event_id, event.event.fingerprint);
        let path = format!("/v2/alerts/requests/{id}");
        let response = world.send("mine", "GET", &path, Body::empty()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()["x-opsgenie-errortype"], "RequestNotProcessed");
        world.happens(&event).await;
        let (_, answer) = world.get(&path).await;
        let data = &answer["data"];
        assert_eq!(
            (
                &data["isSuccess"],
                &data["success"],
                &data["status"],
                &data["alias"]
            ),
            (
                &json!(success),
                &json!(success),
                &json!(status),
                &json!(shown_alias)
            ),
            "{answer}"
        );
        assert_eq!(data["action"], action);
        let (_, answer) = world.call("theirs", "GET", &path, "").await;
        assert_ne!(answer["data"]["alias"], alias, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn c2_a_create_is_a_success_once_the_alert_is_there() {
    let world = world().await;
    let create = |alias: &str| {
        let event = request(alias, Action::Unacknowledge, 1).event;
        format!(
            "/v2/alerts/requests/{}.Create.{}",
            event.event_id, event.fingerprint
        )
    };
    let (status, answer) = world.get(&create("pay-3/5xx")).await;
    assert_eq!(
        (status, &answer["data"]["status"]),
        (200, &json!("Created alert"))
    );
    let (status, _) = world.get(&create("later")).await;
    assert_eq!(status, 404);
    world.happens(&event("mine", "later")).await;
    let (status, answer) = world.get(&create("later")).await;
    assert_eq!((status, &answer["data"]["alias"]), (200, &json!("later")));
}

#[tokio::test(start_paused = true)]
async fn c2_notes_and_logs_are_read_in_pages_both_ways() {
    let world = world().await;
    for number in 1..=5 {
        let comment = format!("n{number}");
        world
            .happens(&request("pay-3/5xx", Action::Comment { comment }, number))
            .await;
    }
    let notes = |answer: &Value| -> String {
        let notes = answer["data"].as_array().unwrap().iter();
        notes
            .map(|note| note["note"].as_str().unwrap().to_owned() + " ")
            .collect()
    };
    let path = format!("/v2/alerts/{}/notes", shown::id(&opened("mine", "pay-3/5xx")));
    // The opening is the first line of the history.
    for (query, expected) in [
        ("", "n5 n4 n3 n2 n1 "),
        ("?order=asc", "n1 n2 n3 n4 n5 "),
        ("?limit=2", "n5 n4 "),
        ("?limit=2&offset=5", "n3 n2 "),
        ("?limit=2&offset=3&direction=prev", "n4 n3 "),
        ("?limit=2&offset=3&order=asc", "n3 n4 "),
        ("?limit=2&offset=6&order=asc&direction=prev", "n3 n4 "),
    ] {
        let (_, answer) = world.get(&format!("{path}{query}")).await;
        assert_eq!(notes(&answer), expected, "{query}");
        assert_eq!(answer["data"][0]["owner"], "ann");
    }
    let (mut next, mut seen) = (format!("{path}?limit=2"), String::new());
    loop {
        let (_, answer) = world.get(&next).await;
        seen += &notes(&answer);
        let Some(link) = answer["paging"]["next"].as_str() else {
            break;
        };
        next = link.strip_prefix("https://alerts.example").unwrap().to_owned();
    }
    assert_eq!(seen, "n5 n4 n3 n2 n1 ");
    let (_, answer) = world.get(&path.replace("notes", "logs")).await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 6);
    assert_eq!(answer["data"][0]["type"], "alertAction");
}

#[tokio::test(start_paused = true)]
async fn c2_an_attachment_comes_back_as_it_was_and_is_bounded() {
    let world = world().await;
    let id = shown::id(&opened("mine", "pay-3/5xx"));
    let path = format!("/v2/alerts/{id}/attachments");
    let (_, added) = world.call("mine", "POST", &path, FILE).await;
    let number = added["data"]["id"].as_str().unwrap();
    let (_, answer) = world.get(&format!("{path}/{number}")).await;
    let url = answer["data"]["url"].as_str().unwrap();
    let content = url.strip_prefix("https://alerts.example").unwrap();
    let response = world.send("mine", "GET", content, Body::empty()).await;
    assert_eq!(response.headers()["content-disposition"], "attachment");
    let bytes = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
    assert_eq!(&bytes[..], b"boom");
    let (status, _) = world.call("theirs", "GET", content, "").await;
    assert_eq!(status, 404);
    for size in [1024 * 1024 + 1, 3 * 1024 * 1024] {
        let large = FILE.replace("boom", &"x".repeat(size));
        let (status, answer) = world.call("mine", "POST", &path, &large).await;
        assert_eq!(status, 413, "{answer}");
        assert!(
            answer["message"]
                .as_str()
                .unwrap()
                .contains("has more than 1048576 bytes; link")
        );
    }
    for _ in 1..20 {
        assert_eq!(world.call("mine", "POST", &path, FILE).await.0, 201);
    }
    let (status, answer) = world.call("mine", "POST", &path, FILE).await;
    assert_eq!(status, 422, "{answer}");
}

#[tokio::test(start_paused = true)]
async fn c2_a_heartbeat_keeps_what_is_not_given_and_is_only_its_integrations() {
    let world = world().await;
    world.call("mine", "POST", "/v2/heartbeats", HEARTBEAT).await;
    let (_, answer) = world
        .call("mine", "PATCH", "/v2/heartbeats/nightly", r#"{"interval":3}"#)
        .await;
    let mut expected = json!({
        "name": "nightly", "description": "d", "interval": 3, "intervalUnit": "minutes", "enabled": true, "expired": false,
        "ownerTeam": { "id": "ops", "name": "ops" }, "alertTags": ["a", "b"], "alertPriority": "P4",
        "alertMessage": "backup is late",
    });
    assert_eq!(answer["data"], expected);
    world
        .call("mine", "POST", "/v2/heartbeats/nightly/disable", "")
        .await;
    expected["enabled"] = json!(false);
    assert_eq!(world.get("/v2/heartbeats/nightly").await.1["data"], expected);
    for (key, method, path, body, status) in [
        ("theirs", "GET", "nightly", "", 404),
        ("theirs", "DELETE", "nightly", "", 404),
        ("theirs", "POST", "nightly/enable", "", 404),
        ("old", "GET", "nightly", "", 401),
        ("mine", "PATCH", "declared", r#"{"interval":3}"#, 403),
        ("mine", "DELETE", "declared", "", 403),
        ("mine", "DELETE", "unknown", "", 404),
        ("mine", "PATCH", "nightly", r#"{"interval":0}"#, 422),
        (
            "mine",
            "PATCH",
            "nightly",
            r#"{"interval":401,"intervalUnit":"days"}"#,
            422,
        ),
        ("mine", "PATCH", "nightly", r#"{"intervalUnit":"weeks"}"#, 422),
        ("mine", "PATCH", "nightly", r#"{"alertPriority":"P6"}"#, 422),
        ("mine", "PATCH", "nightly", r#"{"alertMessage":7}"#, 400),
    ] {
        let path = format!("/v2/heartbeats/{path}");
        let (found, answer) = world.call(key, method, &path, body).await;
        assert_eq!(found, status, "{method} {path}: {answer}");
    }
    for body in [
        r#"{"interval":1,"intervalUnit":"days"}"#,
        r#"{"name":"a/b","interval":1,"intervalUnit":"days"}"#,
        r#"{"name":"a","intervalUnit":"days"}"#,
        r#"{"name":"a","interval":1}"#,
    ] {
        let (status, answer) = world.call("mine", "POST", "/v2/heartbeats", body).await;
        assert_eq!(status, 422, "{body}: {answer}");
    }
    let (_, answer) = world.get("/v2/heartbeats/declared").await;
    assert_eq!(
        (&answer["data"]["interval"], &answer["data"]["intervalUnit"]),
        (&json!(90), &json!("minutes"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_heartbeat_carries_the_integration_whose_key_was_shown() {
    let world = world().await;
    let body = r#"{"name":"nightly","interval":1,"intervalUnit":"days"}"#;
    let (status, answer) = world.call("mine", "POST", "/v2/heartbeats", body).await;
    assert_eq!(status, 201, "{answer}");
    let page = world.store.site_revisions(1, None).await.unwrap();
    assert_eq!(page.rows[0].by, Principal::integration("mine"));
}
