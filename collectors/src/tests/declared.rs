//! What a site declares: heartbeats, and sources of its own.

use schemas::config::{Heartbeat, MappedAlert, Mapping};
use schemas::{AlertEvent, EventKind, EventStatus, HeartbeatRun, Severity};

use super::*;

const CALL: &str = "/heartbeat/nightly";

fn world() -> World {
    let world = World::new();
    let mut site = site();
    for entry in [
        ConfigEntry::Heartbeat(Heartbeat {
            name: "nightly".to_owned(),
            integration: "my-prometheus".to_owned(),
            period_seconds: 300,
            grace_seconds: 60,
            severity: Severity::Urgent,
            labels: [("team".to_owned(), "storage".to_owned())].into(),
            alert: Some("Watchdog".to_owned()),
            by_client: None,
        }),
        ConfigEntry::Mapping(Box::new(Mapping {
            name: "doors".to_owned(),
            each: Some("body.doors".to_owned()),
            alert: MappedAlert {
                identity: vec!["item.id".to_owned()],
                name: "'door ' + item.id".to_owned(),
                status: "item.state".to_owned(),
                severity: Some("item.level".to_owned()),
                ..MappedAlert::default()
            },
            states: [
                ("open".to_owned(), EventStatus::Firing),
                ("shut".to_owned(), EventStatus::Resolved),
            ]
            .into(),
            ..Mapping::default()
        })),
    ] {
        site.apply(&entry.key(), Some(entry));
    }
    world.site.send_replace(Arc::new(site));
    world
}

fn watchdog(status: &str) -> String {
    json!({ "version": "4", "status": status, "alerts": [
        { "status": status, "labels": { "alertname": "Watchdog", "severity": "none" }, "fingerprint": "0f" },
    ]})
    .to_string()
}

#[tokio::test]
async fn an_integration_names_a_ready_made_mapping_and_one_of_the_site_goes_before_it() {
    let world = world();
    let declare = |entry: ConfigEntry| {
        world
            .site
            .send_modify(|site| Arc::make_mut(site).apply(&entry.key(), Some(entry)));
    };
    declare(integration("checkmk"));
    let body = json!({
        "NOTIFY_WHAT": "HOST", "NOTIFY_NOTIFICATIONTYPE": "PROBLEM", "NOTIFY_HOSTNAME": "db-1", "NOTIFY_HOSTSTATE": "DOWN",
        "NOTIFY_HOSTOUTPUT": "no answer",
    });
    let address = "/monitoring-system/checkmk/checkmk-key";
    let answer = world.post(address, body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let own = ConfigEntry::Mapping(Box::new(Mapping {
        name: "checkmk".to_owned(),
        alert: MappedAlert {
            identity: vec!["'own'".to_owned()],
            name: "'own'".to_owned(),
            status: "'firing'".to_owned(),
            ..MappedAlert::default()
        },
        ..Mapping::default()
    }));
    declare(own);
    assert_eq!(world.post(address, body.to_string()).await.status, StatusCode::OK);
    let said: Vec<_> = world
        .collected()
        .into_iter()
        .map(|event| (event.monitoring_system, event.name, event.severity, event.output))
        .collect();
    let text = str::to_owned;
    assert!(
        said.contains(&(
            text("checkmk"),
            text("Host is not up"),
            Severity::Down,
            text("no answer")
        )),
        "{said:?}"
    );
    assert!(
        said.contains(&(text("checkmk"), text("own"), Severity::Critical, String::new())),
        "{said:?}"
    );
    let unknown = world.post("/monitoring-system/chekmk/checkmk-key", "{}").await;
    assert!(unknown.message().contains("checkmk"), "{}", unknown.message());
}

#[tokio::test]
async fn a_heartbeat_is_called_with_its_key_in_any_of_the_usual_places() {
    let world = world();
    let with = |name: &'static str, value: &'static str, request: axum::http::request::Builder| {
        request.header(name, value).body(Body::empty()).unwrap()
    };
    for request in [
        Request::get(format!("{CALL}?integration_key=prometheus-key"))
            .body(Body::empty())
            .unwrap(),
        Request::post(format!("{CALL}/prometheus-key"))
            .body("whatever".into())
            .unwrap(),
        Request::head(format!("{CALL}/prometheus-key"))
            .body(Body::empty())
            .unwrap(),
        with("authorization", "Bearer prometheus-key", Request::put(CALL)),
        with("x-integration-key", "prometheus-key", Request::get(CALL)),
    ] {
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    for address in [
        "/v2/heartbeats/nightly/ping",
        "/jsm/ops/integration/v2/heartbeats/nightly/ping",
        "/jsm/ops/api/cloud/v1/teams/team/heartbeats/ping?name=nightly",
    ] {
        let ping = with("authorization", "GenieKey prometheus-key", Request::get(address));
        let pong = world.send(ping).await;
        assert_eq!(
            (pong.status, &pong.body["result"]),
            (StatusCode::ACCEPTED, &json!("PONG - Heartbeat received"))
        );
    }

    let calls = world.collected();
    assert_eq!(calls.len(), 8);
    for call in &calls {
        assert_eq!(call.fingerprint, calls[0].fingerprint);
        assert_eq!(
            call.kind,
            EventKind::HeartbeatCall {
                heartbeat: "nightly".to_owned(),
                run: HeartbeatRun::Succeeded,
            }
        );
        assert_eq!(
            call.expires_at
                .unwrap()
                .duration_since(call.accepted_at)
                .as_secs(),
            360
        );
        assert_eq!(
            (call.severity, call.labels["team"].as_str()),
            (Severity::Urgent, "storage")
        );
        assert_eq!(
            (call.object.as_str(), call.monitoring_system.as_str()),
            ("nightly", "heartbeat")
        );
    }
}

#[tokio::test]
async fn a_heartbeat_is_not_called_by_others_or_when_it_is_not_declared() {
    let world = world();
    let refused = async |address: &str| {
        let answer = world.post(address, "").await;
        (
            answer.status.as_u16(),
            answer.body["error"]["code"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(refused(CALL).await, (401, "unauthenticated".to_owned()));
    assert_eq!(
        refused("/heartbeat/nightly/any-key").await,
        (400, "wrong_integration".to_owned())
    );
    assert_eq!(
        refused("/heartbeat/nigthly/any-key").await,
        (404, "unknown_heartbeat".to_owned())
    );
    // In Opsgenie's words at Opsgenie's address.
    for (address, status, words) in [
        (
            "/v2/heartbeats/nightly/ping",
            401,
            "the integration key is missing",
        ),
        (
            "/v2/heartbeats/nigthly/ping",
            404,
            "there is no heartbeat \"nigthly\"",
        ),
    ] {
        let answer = world.post(address, "").await;
        assert_eq!(answer.status.as_u16(), status, "{address}");
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.starts_with(words), "{message}");
        assert!(answer.body["took"].is_number());
    }
    world.site.send_replace(Arc::new(Site::default()));
    assert_eq!(
        refused("/heartbeat/nightly/prometheus-key").await,
        (503, "not_ready".to_owned())
    );
    assert!(world.collected().is_empty());
}

#[tokio::test]
async fn the_watchdog_calls_its_heartbeat_and_its_end_is_no_call() {
    let world = world();
    world.post(&format!("{CALL}/prometheus-key"), "").await;
    let address = "/monitoring-system/prometheus?integration_key=prometheus-key";
    let fired = world.post(address, watchdog("firing")).await;
    assert_eq!(
        (fired.status, &fired.body["accepted"]),
        (StatusCode::OK, &json!(1))
    );
    let calls = world.collected();
    assert_eq!(
        calls[1].fingerprint, calls[0].fingerprint,
        "one heartbeat, however it is called"
    );
    assert_eq!(run_of(&calls[1]), HeartbeatRun::Succeeded);

    let ended = world.post(address, watchdog("resolved")).await;
    assert_eq!(
        (ended.status, &ended.body["accepted"]),
        (StatusCode::OK, &json!(0))
    );
    assert!(
        ended.body["warnings"][0]
            .as_str()
            .unwrap()
            .contains("calls heartbeat \"nightly\""),
        "{}",
        ended.body
    );

    let of_another = "/monitoring-system/prometheus?integration_key=any-key";
    world.post(of_another, watchdog("firing")).await;
    let collected = world.collected();
    let alert = collected.iter().find(|event| event.name == "Watchdog");
    assert_eq!(
        alert.map(|event| event.integration.as_str()),
        Some("my-any"),
        "of another it is an alert"
    );
}

#[tokio::test]
async fn bodies_are_understood_as_the_site_declares_it_and_kept_when_they_are_not() {
    let world = world();
    let address = "/monitoring-system/doors?integration_key=any-key";
    let body = |state: &str| {
        json!({ "doors": [{ "id": "d1", "state": "Open", "level": "page" }, { "id": "d2", "state": state, "level": "?" }] })
            .to_string()
    };
    let answer = world.post(address, body("shut")).await;
    assert_eq!(
        (answer.status, &answer.body["accepted"]),
        (StatusCode::OK, &json!(2)),
        "{}",
        answer.body
    );
    let mut events = world.collected();
    events.sort_by_key(|event| event.event_id);
    assert_eq!(
        (events[0].name.as_str(), events[0].severity),
        ("door d1", Severity::Critical)
    );
    assert_eq!(
        (events[0].monitoring_system.as_str(), events[0].object.as_str()),
        ("doors", "door d1")
    );
    assert_eq!(
        (events[1].status(), events[1].severity),
        (Some(EventStatus::Resolved), Severity::Ok)
    );

    let refused = world.post(address, body("ajar")).await;
    assert_eq!(refused.error(), (422, "invalid"));
    assert_eq!(refused.body["error"]["field"], "alert.status of item 1");
    assert!(
        refused.message().contains("`states` of mapping \"doors\""),
        "{}",
        refused.message()
    );
    assert_eq!(world.collected().len(), 2, "nothing of the body is taken");
    assert_eq!(world.rejected()[0].monitoring_system, "doors");

    assert_eq!(
        world
            .post("/monitoring-system/doors?integration_key=api-key", "{}")
            .await
            .error(),
        (400, "wrong_source")
    );
    assert_eq!(
        world
            .post("/monitoring-system/dors?integration_key=any-key", "{}")
            .await
            .error(),
        (404, "unknown_source")
    );
    assert_eq!(world.counted("doors", "invalid"), 1.0);
}

#[tokio::test]
async fn i8_a_mapping_is_given_a_query_as_a_form() {
    let world = World::new();
    let mut site = site();
    let mapping = ConfigEntry::Mapping(Box::new(Mapping {
        name: "uptime".to_owned(),
        alert: MappedAlert {
            identity: vec!["body.monitorID".to_owned()],
            name: "body.name".to_owned(),
            status: "body.type".to_owned(),
            ..MappedAlert::default()
        },
        states: [
            ("1".to_owned(), EventStatus::Firing),
            ("2".to_owned(), EventStatus::Resolved),
        ]
        .into(),
        ..Mapping::default()
    }));
    for entry in [mapping, integration("uptime")] {
        site.apply(&entry.key(), Some(entry));
    }
    world.site.send_replace(Arc::new(site));
    let address = "/monitoring-system/uptime?integration_key=uptime-key&monitorID=7&name=shop+a&type=1";
    for request in [
        Request::get(address),
        Request::post(address),
        Request::put(address),
    ] {
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    let collected = world.collected();
    assert_eq!(collected.len(), 3);
    assert!(
        collected
            .iter()
            .all(|event| event.name == "shop a" && event.labels.is_empty())
    );
}

fn run_of(event: &AlertEvent) -> HeartbeatRun {
    match event.kind {
        EventKind::HeartbeatCall { run, .. } => run,
        _ => panic!("{event:?} is no call"),
    }
}

#[tokio::test]
async fn i18_a_heartbeat_is_told_how_a_run_stands() {
    use HeartbeatRun::{Began, Failed, Succeeded};
    let world = world();
    let call = async |address: &str| {
        let before = world.collected().len();
        let address = format!("/heartbeat/nightly{address}");
        let request = Request::get(address).header("x-integration-key", "prometheus-key");
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        let event = world.collected().into_iter().nth(before);
        (
            answer.status.as_u16(),
            event.map(|event| (run_of(&event), event.output)),
        )
    };
    let failed = "heartbeat nightly has failed";
    let with_code = "heartbeat nightly has failed with exit code 3";
    let began = "a run of heartbeat nightly has begun";
    let well = "heartbeat nightly was called";
    for (address, status, output) in [
        ("/fail", Failed, failed),
        ("/fail/", Failed, failed),
        ("?state=fail", Failed, failed),
        ("/prometheus-key/fail", Failed, failed),
        ("/3", Failed, with_code),
        ("/prometheus-key/3", Failed, with_code),
        ("?status_code=3", Failed, with_code),
        ("/start", Began, began),
        ("?state=run", Began, began),
        ("/0", Succeeded, well),
        ("?state=complete", Succeeded, well),
        ("", Succeeded, well),
    ] {
        let found = call(address).await;
        assert_eq!(found, (200, Some((status, output.to_owned()))), "{address}");
    }
    let (_, event) = call("/fail?msg=disk+full").await;
    assert_eq!(event.unwrap().1, "heartbeat nightly has failed: disk full");
    assert_eq!(call("/log").await, (200, None));
    assert_eq!(call("?state=wobbly").await, (422, None));
    assert_eq!(call("/prometheus-key/256").await.0, 422);
    let calls = world.collected();
    assert!(calls.iter().all(|call| call.fingerprint == calls[0].fingerprint));
    assert!(
        calls
            .iter()
            .all(|call| call.expires_at.is_some() == (run_of(call) != Failed))
    );
}
