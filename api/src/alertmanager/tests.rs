//! What clients of Alertmanager ask, and what they are told.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chassis::secrets::SiteKey;
use domain::Site;
use pipeline::log::simulated::SimulatedLog;
use pipeline::{Clock, Context};
use schemas::config::ConfigEntry;
use schemas::{DecoratedEvent, Principal, Topic};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use crate::Api;
use crate::tests::{event, guarded, set_entries, store_with};

/// An API on a store with the open alerts `disk` and `cpu`, at ten o'clock.
struct World {
    api: Api,
    log: SimulatedLog,
}

impl World {
    async fn new() -> Self {
        Self::of(&["disk", "cpu"].map(event)).await
    }

    async fn of(events: &[DecoratedEvent]) -> Self {
        let log = SimulatedLog::new(1);
        let clock = Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap());
        let store = store_with(events, &Site::default(), clock.now()).await;
        let context = Context::new(Arc::new(log.clone()), clock);
        Self {
            api: Api::start(&context, store, SiteKey::from_bytes([7; 32])),
            log,
        }
    }

    /// The body of an answer as it is.
    async fn text(&self, path: &str) -> String {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = guarded(&self.api).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    async fn request(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        let response = guarded(&self.api).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.request("GET", path, &Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn silence(&self, body: &Value) -> String {
        let (status, answer) = self.request("POST", "/api/v2/silences", body).await;
        assert_eq!(status, 200, "{answer}");
        answer["silenceID"].as_str().unwrap().to_owned()
    }

    async fn names(&self, path: &str) -> Vec<String> {
        let alerts = self.get(path).await;
        let mut names: Vec<_> = alerts
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }
}

/// The form of a time, as the clock goes on while a test runs.
const A_TIME: &str = "0000-00-00T00:00:00.000Z";

/// The same with every time as [`A_TIME`], if it has that form.
fn timeless(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(timeless).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), timeless(value)))
            .collect(),
        Value::String(text) => {
            let form: String = text
                .chars()
                .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
                .collect();
            if form == A_TIME {
                json!(A_TIME)
            } else {
                value.clone()
            }
        }
        other => other.clone(),
    }
}

fn posted(name: &str, value: &str) -> Value {
    json!({
        "matchers": [{ "name": name, "value": value, "isRegex": false }],
        "startsAt": "2026-09-01T09:00:00Z", "endsAt": "2026-09-01T12:00:00Z",
        "createdBy": "jane", "comment": "new disks",
    })
}

#[tokio::test]
async fn alerts_and_groups_have_the_shapes_of_alertmanager() {
    let world = World::new().await;
    let alerts = world.get("/api/v2/alerts?filter=alertname%3D%22disk%22").await;
    let expected = json!({
        "annotations": { "summary": "/var is full", "impact": " orders\nare lost " },
        "endsAt": A_TIME,
        "fingerprint": super::fingerprint::of(&[("alertname", "disk"), ("team", "pay")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
        "receivers": [{ "name": "everybody" }],
        "startsAt": A_TIME,
        "status": { "inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active" },
        "updatedAt": A_TIME,
        "generatorURL": "http://prom:9090/graph",
        "labels": { "alertname": "disk", "team": "pay" },
    });
    assert_eq!(timeless(&alerts), json!([expected]));
    assert_eq!(
        alerts[0]["startsAt"], "2026-09-01T09:58:00.000Z",
        "as its source says"
    );
    let groups = timeless(&world.get("/api/v2/alerts/groups?filter=team=pay").await);
    assert_eq!(groups.as_array().unwrap().len(), 2);
    assert_eq!(
        groups[1],
        json!({
            "alerts": [expected],
            "labels": { "alertname": "disk" },
            "receiver": { "name": "everybody" },
            "routeLabels": {},
        })
    );
}

#[tokio::test]
async fn alerts_are_chosen_by_state_receiver_and_matchers() {
    let world = World::new().await;
    world.silence(&posted("alertname", "disk")).await;
    for (query, names) in [
        ("", &["cpu", "disk"][..]),
        ("active=false", &["disk"]),
        ("silenced=false", &["cpu"]),
        ("silenced=false&active=false", &[]),
        ("inhibited=false&unprocessed=false", &["cpu", "disk"]),
        ("receiver=every.*", &["cpu", "disk"]),
        ("receiver=every", &[]),
        ("filter=alertname%3D~%22c.%2B%22&filter=team=pay", &["cpu"]),
        ("filter=team!=pay", &[]),
    ] {
        assert_eq!(
            world.names(&format!("/api/v2/alerts?{query}")).await,
            names,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_silence_lives_from_its_making_to_its_end() {
    let world = World::new().await;
    let id = world.silence(&posted("alertname", "disk")).await;
    let shown = world.get(&format!("/api/v2/silence/{id}")).await;
    let expected = json!({
        "id": id, "status": { "state": "active" }, "updatedAt": A_TIME, "comment": "new disks",
        "createdBy": "jane", "endsAt": A_TIME,
        "matchers": [{ "isEqual": true, "isRegex": false, "name": "alertname", "value": "disk" }],
        "startsAt": A_TIME,
    });
    assert_eq!(timeless(&shown), expected);
    let alerts = world.get("/api/v2/alerts?active=false").await;
    assert_eq!(
        alerts[0]["status"],
        json!({ "inhibitedBy": [], "mutedBy": [], "silencedBy": [id], "state": "suppressed" })
    );
    let on_topic = || -> Vec<String> {
        let records = world.log.records(Topic::CONFIG).into_iter();
        records.map(|record| record.key).collect()
    };
    assert_eq!(on_topic(), [format!("silence/{id}"), "revision/site".to_owned()]);

    let path = format!("/api/v2/silence/{id}");
    for _ in 0..2 {
        assert_eq!(
            world.request("DELETE", &path, &Value::Null).await,
            (200, Value::Null)
        );
    }
    assert_eq!(world.get(&path).await["status"]["state"], "expired");
    assert_eq!(world.names("/api/v2/alerts?active=false").await, [""; 0]);
}

#[tokio::test]
async fn changing_whom_a_silence_concerns_ends_it_and_makes_another() {
    let world = World::new().await;
    let id = world.silence(&posted("alertname", "disk")).await;
    let mut longer = world.get(&format!("/api/v2/silence/{id}")).await;
    longer["endsAt"] = json!("2026-09-01T13:00:00Z");
    assert_eq!(world.silence(&longer).await, id);
    longer["matchers"][0]["value"] = json!("cpu");
    let other = world.silence(&longer).await;
    assert_ne!(other, id);
    let silences = world.get("/api/v2/silences").await;
    let states: Vec<_> = silences
        .as_array()
        .unwrap()
        .iter()
        .map(|silence| {
            (
                silence["id"].as_str().unwrap(),
                silence["status"]["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(states, [(other.as_str(), "active"), (id.as_str(), "expired")]);
    assert_eq!(world.names("/api/v2/alerts?silenced=false").await, ["disk"]);
}

#[tokio::test]
async fn silences_are_found_by_what_their_matchers_say() {
    let world = World::new().await;
    world.silence(&posted("alertname", "disk")).await;
    for (filter, found) in [
        ("alertname=disk", true),
        ("alertname=cpu", false),
        ("alertname!=cpu", true),
        ("alertname=~d.*", true),
        ("team=", true),
        ("team!=", false),
        ("alertname=", false),
    ] {
        let silences = world.get(&format!("/api/v2/silences?filter={filter}")).await;
        assert_eq!(silences.as_array().unwrap().len(), usize::from(found), "{filter}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_as_alertmanager_tells_it() {
    let world = World::new().await;
    let without = |field: &str| {
        let mut body = posted("alertname", "disk");
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let with = |field: &str, value: Value| {
        let mut body = posted("alertname", "disk");
        body[field] = value;
        body
    };
    let matcher = |matcher: Value| with("matchers", json!([matcher]));
    let missing = |field: &str| json!({ "code": 602, "message": format!("{field} in body is required") });
    for (body, status, told) in [
        (without("comment"), 422, missing("comment")),
        (without("endsAt"), 422, missing("endsAt")),
        (
            matcher(json!({ "name": "a", "value": "b" })),
            422,
            missing("matchers.0.isRegex"),
        ),
        (
            with("matchers", json!([])),
            422,
            json!({ "code": 612, "message": "matchers in body should have at least 1 items" }),
        ),
        (
            with("endsAt", json!("2026-09-01T08:00:00Z")),
            400,
            json!("start time must be before end time"),
        ),
        (
            with("endsAt", json!("2026-09-01T09:30:00Z")),
            400,
            json!("end time can't be in the past"),
        ),
        (with("id", json!("x")), 404, json!("silence not found")),
        (
            with("id", json!(Uuid::from_u128(9))),
            404,
            json!("silence not found"),
        ),
    ] {
        assert_eq!(
            world.request("POST", "/api/v2/silences", &body).await,
            (status, told),
            "{body}"
        );
    }
    let (status, told) = world
        .request(
            "POST",
            "/api/v2/silences",
            &matcher(json!({ "name": "a", "value": "", "isRegex": false })),
        )
        .await;
    assert_eq!(status, 400);
    assert!(
        told.as_str().unwrap().contains("must not match the empty string"),
        "{told}"
    );

    let nobody = format!("/api/v2/silence/{}", Uuid::from_u128(9));
    for method in ["GET", "DELETE"] {
        assert_eq!(
            world.request(method, &nobody, &Value::Null).await,
            (404, Value::Null)
        );
        assert_eq!(
            world.request(method, "/api/v2/silence/x", &Value::Null).await,
            (
                422,
                json!({ "code": 601, "message": "silenceID in path must be of type uuid: \"x\"" })
            )
        );
    }
    for path in [
        "/api/v2/alerts?filter=x",
        "/api/v2/silences?filter=x",
        "/api/v2/alerts?receiver=(",
    ] {
        let (status, told) = world.request("GET", path, &Value::Null).await;
        assert_eq!((status, told.is_string()), (400, true), "{path}: {told}");
    }
}

#[tokio::test]
async fn the_status_names_the_version_and_a_configuration_with_the_scenarios() {
    let world = World::new().await;
    let document = "environments: [{name: production}]\nscenarios: [{name: everybody, steps: []}, {name: \"night - shift\", steps: []}]\n";
    world
        .api
        .apply(document, false, &Principal::anonymous())
        .await
        .unwrap();
    assert_eq!(
        world.get("/api/v2/receivers").await,
        json!([{ "name": "everybody" }, { "name": "night - shift" }])
    );
    let status = world.get("/api/v2/status").await;
    assert_eq!(status["cluster"], json!({ "peers": [], "status": "disabled" }));
    assert_eq!(timeless(&status["uptime"]), A_TIME);
    assert_eq!(status["versionInfo"]["version"], "0.34.0");
    let original = status["config"]["original"].as_str().unwrap();
    assert!(
        original.contains("receiver: \"everybody\"") && original.contains("- name: \"night - shift\""),
        "{original}"
    );
}

#[tokio::test]
async fn silences_of_the_first_api_are_made_found_and_ended_with_who_and_why() {
    let world = World::new().await;
    let body = json!({
        "matchers": [{ "name": "team", "operator": "=", "value": "pay" }],
        "ends_at": "2026-09-01T12:00:00Z", "created_by": "jane", "comment": "new disks",
    });
    let (status, made) = world.request("POST", "/api/v1/silences", &body).await;
    assert_eq!((status, made["state"].as_str()), (201, Some("active")), "{made}");
    let path = format!("/api/v1/silences/{}", made["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await, made);
    assert_eq!(
        world.get("/api/v1/silences?state=active,pending").await["silences"],
        json!([made])
    );
    assert_eq!(
        world.get("/api/v1/silences?state=expired").await["silences"],
        json!([])
    );
    let (status, ended) = world.request("DELETE", &path, &Value::Null).await;
    assert_eq!((status, ended["state"].as_str()), (200, Some("expired")));

    for (field, value, code, named) in [
        ("comment", json!(" "), 422, "comment"),
        ("created_by", json!(""), 422, "created_by"),
        ("ends_at", json!("2026-09-01T09:00:00Z"), 422, "ends_at"),
        ("matchers", json!([]), 422, "matchers"),
        ("id", json!(Uuid::from_u128(9)), 404, ""),
        ("till", json!(1), 400, ""),
    ] {
        let mut wrong = body.clone();
        wrong[field] = value;
        let (status, answer) = world.request("POST", "/api/v1/silences", &wrong).await;
        assert_eq!(
            (status, answer["error"]["field"].as_str().unwrap_or_default()),
            (code, named),
            "{answer}"
        );
    }
    let (status, _) = world.request("GET", "/api/v1/silences/x", &Value::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY.as_u16());
}

#[tokio::test]
async fn a_site_document_leaves_silences_alone_and_old_ones_are_dropped() {
    let world = World::new().await;
    let id = world.silence(&posted("alertname", "disk")).await;
    let old = ConfigEntry::Silence(schemas::config::Silence {
        id: Uuid::from_u128(5),
        matchers: vec![domain::matcher::parse("a=b").unwrap()],
        starts_at: "2026-08-01T00:00:00Z".parse().unwrap(),
        ends_at: "2026-08-02T00:00:00Z".parse().unwrap(),
        created_by: "jane".to_owned(),
        comment: "long ago".to_owned(),
        updated_at: "2026-08-01T00:00:00Z".parse().unwrap(),
    });
    let entry = [(old.key(), json!(old).to_string())].into();
    set_entries(&world.api.store, &entry).await;
    let document = "environments: []\nscenarios: []\nintegrations: []\nbots: []\nrules: []\n";
    world
        .api
        .apply(document, false, &Principal::anonymous())
        .await
        .unwrap();
    assert_eq!(world.get("/api/v2/silences").await.as_array().unwrap().len(), 2);

    world.silence(&posted("alertname", "cpu")).await;
    let silences = world.get("/api/v2/silences").await;
    let mut ids: Vec<_> = silences
        .as_array()
        .unwrap()
        .iter()
        .map(|silence| silence["id"].as_str().unwrap())
        .collect();
    ids.retain(|known| *known == id || *known == Uuid::from_u128(5).to_string());
    assert_eq!(ids, [id]);
}

#[tokio::test]
async fn c1_what_prometheus_sent_looks_as_it_was_sent() {
    let mut unnamed = event("alert without alertname");
    unnamed.event.expires_at = Some("2026-09-01T10:02:05Z".parse().unwrap());
    unnamed.event.accepted_at = "2026-09-01T10:00:00Z".parse().unwrap();
    let mut over = event("over");
    over.event.accepted_at = "2026-09-01T10:00:00Z".parse().unwrap();
    over.event.expires_at = Some(over.event.accepted_at);
    let mut other = event("disk");
    other.event.monitoring_system = "api".to_owned();
    let world = World::of(&[unnamed, over, other.clone()]).await;
    let alerts = world.get("/api/v2/alerts?filter=alertname%3D%22%22").await;
    assert_eq!(alerts.as_array().unwrap().len(), 1, "{alerts}");
    let labels = [("team".to_owned(), "pay".to_owned())].into();
    assert_eq!(alerts[0]["labels"], json!({ "team": "pay" }));
    assert_eq!(alerts[0]["fingerprint"], super::fingerprint::of(&labels));
    assert_eq!(alerts[0]["endsAt"], "2026-09-01T10:02:05.000Z");

    // Of another source the fields stand there too, and the fingerprint is its own.
    let alerts = world.get("/api/v2/alerts?filter=environment=production").await;
    assert_eq!(alerts.as_array().unwrap().len(), 1, "{alerts}");
    let own = other.event.fingerprint.to_string();
    assert_eq!(alerts[0]["fingerprint"], own[..16]);

    // Its end has come, whether the daemon has closed it or not.
    assert_eq!(world.names("/api/v2/alerts?filter=alertname=over").await, [""; 0]);
}

#[tokio::test]
async fn c5_an_alertmanager_can_be_watched() {
    let world = World::new().await;
    world.silence(&posted("alertname", "disk")).await;
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(world.text(path).await, "OK");
    }
    let metrics = world.text("/metrics").await;
    for line in [
        "alertmanager_alerts{state=\"active\"} 1",
        "alertmanager_alerts{state=\"suppressed\"} 1",
        "alertmanager_silences{state=\"active\"} 1",
        "alertmanager_silences{state=\"expired\"} 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in {metrics}"
        );
    }
    let version = world.get("/api/v2/status").await["versionInfo"]["version"].clone();
    let version = version.as_str().unwrap();
    assert_eq!(version, chassis::settings::ALERTMANAGER_VERSION);
    assert!(
        metrics.contains("alertmanager_build_info{")
            && metrics.contains(&format!("version=\"{version}\"}} 1"))
    );
}

#[tokio::test]
async fn c1_many_silences_at_once_are_all_made() {
    let world = World::new().await;
    let mut posting = tokio::task::JoinSet::new();
    for number in 0..40 {
        let body = posted("alertname", &format!("disk-{number}"));
        let request = Request::post("/api/v2/silences").body(Body::from(body.to_string()));
        posting.spawn(guarded(&world.api).oneshot(request.unwrap()));
    }
    while let Some(answer) = posting.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(world.get("/api/v2/silences").await.as_array().unwrap().len(), 40);
}
