//! What is answered to whom.

use super::*;

/// What it is, where it is posted, the body, and the status, code and words of the answer.
type Case = (
    &'static str,
    &'static str,
    Vec<u8>,
    (u16, &'static str),
    &'static str,
);

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
    let cases: Vec<Case> = vec![
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
            "one of: prometheus, ",
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
async fn a_sender_of_any_type_may_post_to_every_source() {
    let world = World::new();
    let alerts = json!({ "alerts": [{ "status": "firing", "labels": { "alertname": "disk" } }] });
    for (source, body) in [("api", alert("disk")), ("prometheus", alerts)] {
        let address = format!("/monitoring-system/{source}?integration_key=any-key");
        assert_eq!(
            world.post(&address, body.to_string()).await.status,
            StatusCode::OK
        );
    }
    let systems: Vec<_> = world
        .collected()
        .into_iter()
        .map(|event| event.monitoring_system)
        .collect();
    assert!(
        systems.contains(&"api".to_owned()) && systems.contains(&"prometheus".to_owned()),
        "{systems:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_key_may_be_the_last_segment_of_the_path() {
    let world = World::new();
    for prefix in ["", "/harp-collectors"] {
        let post = async |key| {
            let address = format!("{prefix}/monitoring-system/api/{key}");
            world.post(&address, alert("disk").to_string()).await
        };
        assert_eq!(post("api-key").await.status, StatusCode::OK);
        assert_eq!(post("other-key").await.error(), (401, "unauthenticated"));
    }
    assert_eq!(world.collected().len(), 2);
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
async fn a_source_whose_senders_get_takes_the_query_as_its_body() {
    let world = World::new();
    let address = "/monitoring-system/healthchecks?integration_key=any-key&scenario_id=3&code=25c5&status=down&name=backup%20of%20db-1";
    let get = |method: &str, address: &str| {
        let request = Request::builder().method(method).uri(address);
        // What speaks of a body that is not there is not believed.
        let request = request.header("content-encoding", "gzip").body(Body::empty());
        world.send(request.unwrap())
    };
    assert_eq!(get("GET", address).await.status, StatusCode::OK);
    let collected = world.collected();
    assert_eq!(
        (collected[0].name.as_str(), collected[0].scenario.as_deref()),
        ("backup of db-1", Some("3"))
    );
    assert_eq!(collected[0].labels.len(), 0, "what is ours is no field");
    let answer = get("GET", &address.replace("down", "dead")).await;
    assert_eq!(answer.error(), (422, "invalid"));
    // `code=25c5&status=dead&name=backup+of+db-1`, without the key.
    assert_eq!(
        world.rejected()[0].body_base64,
        "Y29kZT0yNWM1JnN0YXR1cz1kZWFkJm5hbWU9YmFja3VwK29mK2RiLTE="
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_takes_the_methods_that_its_senders_use_and_no_other() {
    let world = World::new();
    let send = |method: &str, source: &str| {
        let address = format!("/monitoring-system/{source}?integration_key=any-key");
        let request = Request::builder().method(method).uri(address);
        world.send(request.body(r#"{"alerts": []}"#.into()).unwrap())
    };
    assert_eq!(send("PUT", "grafana").await.status, StatusCode::OK);
    for (method, source, allowed) in [
        ("GET", "grafana", "POST, PUT"),
        ("HEAD", "healthchecks", "POST, PUT, GET"),
        ("PUT", "prometheus", "POST"),
    ] {
        let answer = send(method, source).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {source}");
        assert_eq!(answer.headers["allow"], allowed);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_bodies_of_known_senders_are_kept_with_the_reason() {
    let world = World::new();
    let address = "/harp-collectors/monitoring-system/api/api-key?environment_id=12";
    let request = Request::post(address)
        .header("content-type", "text/plain")
        .header("authorization", "Bearer something");
    let answer = world.send(request.body("not json".into()).unwrap()).await;
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
    // Enough to post it again, and no key.
    assert_eq!(rejected[0].path.as_deref(), Some("/monitoring-system/api"));
    assert_eq!(rejected[0].environment.as_deref(), Some("12"));
    let headers: Vec<_> = rejected[0].headers.iter().collect();
    assert_eq!(headers, [(&"content-type".to_owned(), &"text/plain".to_owned())]);
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
    assert!(rejected.cut);
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
async fn c6_deflate_is_taken_with_and_without_its_frame_under_the_limits_of_gzip() {
    let world = World::new();
    let zlib = |bytes: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let bare = |bytes: &[u8]| {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let post = async |body: Vec<u8>| {
        let request = Request::post(API).header("content-encoding", "Deflate");
        world.send(request.body(body.into()).unwrap()).await
    };
    let body = alert("disk").to_string();
    for packed in [zlib(body.as_bytes()), bare(body.as_bytes())] {
        assert_eq!(post(packed).await.status, StatusCode::OK);
    }
    let large = vec![b' '; 100_000_000];
    for bomb in [zlib(&large), bare(&large)] {
        let answer = post(bomb).await;
        assert_eq!(answer.error(), (413, "too_large"));
        assert!(
            answer.message().contains("when it is unpacked"),
            "{}",
            answer.message()
        );
    }
    let mut cut = zlib(body.as_bytes());
    cut.truncate(cut.len() - 6);
    for broken in [cut, b"plain".to_vec(), gzip(body.as_bytes())] {
        assert_eq!(post(broken).await.error(), (400, "bad_deflate"));
    }
    assert_eq!((world.collected().len(), world.rejected().len()), (2, 5));
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
async fn a_subscription_that_wants_to_be_confirmed_is_accepted_with_a_warning() {
    let world = World::new();
    let body = include_str!("../../../sources/examples/cloudwatch/subscription-confirmation.txt");
    let answer = world
        .post("/monitoring-system/cloudwatch?integration_key=any-key", body)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["accepted"], 0);
    assert!(
        answer.body["warnings"][0]
            .to_string()
            .contains("ConfirmSubscription"),
        "{}",
        answer.body
    );
    assert!(world.collected().is_empty());
}
