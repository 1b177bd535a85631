use super::*;

fn world() -> World {
    let world = World::new();
    declare(&world, "pagerduty-events");
    world
}

fn trigger(key: &str) -> Value {
    json!({
        "routing_key": key, "event_action": "trigger", "dedup_key": "pay-3/5xx",
        "payload": { "summary": "5xx", "source": "pay-3", "severity": "critical" },
    })
}

#[tokio::test(start_paused = true)]
async fn an_event_is_answered_as_pagerduty_does() {
    let world = world();
    let answer = world
        .post("/v2/enqueue", trigger("pagerduty-events-key").to_string())
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let expected = json!({ "status": "success", "message": "Event processed", "dedup_key": "pay-3/5xx" });
    assert_eq!(answer.body, expected);
    let resolve =
        json!({ "routing_key": "pagerduty-events-key", "event_action": "resolve", "dedup_key": "pay-3/5xx" });
    assert_eq!(
        world.post("/v2/enqueue", resolve.to_string()).await.body,
        expected
    );
    let collected = world.collected();
    assert_eq!(collected[0].fingerprint, collected[1].fingerprint);
    assert_eq!(collected[0].integration, "my-pagerduty-events");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_made_resolves_what_it_was_made_for() {
    let world = world();
    let mut body = trigger("pagerduty-events-key");
    body["dedup_key"] = Value::Null;
    let opened = world.post("/v2/enqueue", body.to_string()).await;
    let key = opened.body["dedup_key"].as_str().unwrap();
    let resolve =
        json!({ "routing_key": "pagerduty-events-key", "event_action": "resolve", "dedup_key": key });
    world.post("/v2/enqueue", resolve.to_string()).await;
    let collected = world.collected();
    assert_eq!(collected[0].fingerprint, collected[1].fingerprint);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_an_invalid_event() {
    let world = world();
    let mut without_severity = trigger("pagerduty-events-key");
    without_severity["payload"]["severity"] = json!("fatal");
    for (body, words) in [
        (trigger("other").to_string(), "the integration key is unknown"),
        ("{".to_owned(), "the integration key is missing"),
        (without_severity.to_string(), "payload.severity is \"fatal\""),
    ] {
        let answer = world.post("/v2/enqueue", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["status"], "invalid event");
        assert_eq!(answer.body["message"], "Event object is invalid");
        let error = answer.body["errors"][0].as_str().unwrap();
        assert!(error.starts_with(words), "{error}");
    }
    assert!(world.collected().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_body_is_kept_without_the_key_in_it() {
    let world = world();
    let body = trigger("pagerduty-events-key")
        .to_string()
        .replace("trigger", "open");
    world.post("/v2/enqueue", body.clone()).await;
    let rejected = world.rejected().remove(0);
    let kept = STANDARD.decode(rejected.body_base64).unwrap();
    assert_eq!(
        String::from_utf8(kept).unwrap(),
        body.replace("pagerduty-events-key", "********************")
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_log_is_away_the_sender_is_asked_to_come_again() {
    let world = world();
    world.log.set_available(false);
    let answer = world
        .post("/v2/enqueue", trigger("pagerduty-events-key").to_string())
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (
            answer.headers["retry-after"].to_str().unwrap(),
            &answer.body["status"]
        ),
        ("5", &json!("log_unavailable"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_is_answered_well_and_opens_nothing() {
    let world = world();
    let change = json!({ "routing_key": "pagerduty-events-key", "payload": { "summary": "deployed" } });
    let answer = world.post("/v2/change/enqueue", change.to_string()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(
        answer.body,
        json!({ "status": "success", "message": "Change event processed" })
    );
    let without = json!({ "routing_key": "pagerduty-events-key", "payload": {} });
    let answer = world.post("/v2/change/enqueue", without.to_string()).await;
    assert_eq!(
        answer.body["errors"][0],
        "payload.summary is missing; send a summary of the change"
    );
    assert!(world.collected().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_key_may_be_a_header_of_its_own() {
    let world = world();
    let mut event = trigger("");
    event["routing_key"] = Value::Null;
    let change = json!({ "payload": { "summary": "deployed" } });
    for (address, body) in [("/v2/enqueue", &event), ("/v2/change/enqueue", &change)] {
        for (key, status) in [("pagerduty-events-key", 202), ("other", 400)] {
            let request = Request::post(address).header("x-routing-key", key);
            let request = request.body(Body::from(body.to_string())).unwrap();
            assert_eq!(world.send(request).await.status.as_u16(), status, "{address}");
        }
    }
    assert_eq!(world.collected().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_in_braces_can_be_resolved() {
    let world = world();
    let mut event = trigger("pagerduty-events-key");
    event["dedup_key"] = json!("{disk}");
    for action in ["trigger", "resolve"] {
        event["event_action"] = json!(action);
        let answer = world.post("/v2/enqueue", event.to_string()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    }
    let collected = world.collected();
    assert_eq!(collected[0].fingerprint, collected[1].fingerprint);
}

#[tokio::test(start_paused = true)]
async fn i19_events_of_the_first_version_are_the_same_alerts() {
    let world = World::new();
    declare(&world, "pagerduty-events");
    let address = "/generic/2010-04-15/create_event.json";
    let trigger = json!({
        "service_key": "pagerduty-events-key", "event_type": "trigger", "incident_key": "db-1/disk",
        "description": "disk full", "client": "nagios", "client_url": "https://nagios.example",
        "details": { "host": "db-1", "load": 3 },
        "contexts": [{ "type": "link", "href": "https://graphs.example/1", "text": "graph" }],
    });
    let answer = world.post(address, trigger.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.body,
        json!({ "status": "success", "message": "Event processed", "incident_key": "db-1/disk" })
    );
    let resolve = json!({
        "service_key": "pagerduty-events-key", "event_type": "resolve", "incident_key": "db-1/disk",
    });
    assert_eq!(
        world.post(address, resolve.to_string()).await.status,
        StatusCode::OK
    );
    let second = json!({
        "routing_key": "pagerduty-events-key", "event_action": "resolve", "dedup_key": "db-1/disk",
    });
    assert_eq!(
        world.post("/v2/enqueue/", second.to_string()).await.status,
        StatusCode::ACCEPTED
    );
    let collected = world.collected();
    assert!(
        collected
            .iter()
            .all(|event| event.fingerprint == collected[0].fingerprint)
    );
    assert_eq!(
        (collected[0].name.as_str(), collected[0].object.as_str()),
        ("disk full", "db-1")
    );
    assert_eq!(collected[0].links["graph"], "https://graphs.example/1");
    assert_eq!(collected[1].status(), Some(EventStatus::Resolved));
    let bad = json!({ "service_key": "pagerduty-events-key", "event_type": "resolve" });
    let answer = world.post(address, bad.to_string()).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["status"]),
        (400, &json!("invalid event"))
    );
}

#[tokio::test(start_paused = true)]
async fn i16_a_method_that_is_not_understood_is_answered_in_pagerdutys_words() {
    let world = World::new();
    let answer = world
        .send(Request::get("/v2/enqueue/").body(Body::empty()).unwrap())
        .await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        answer.body["message"],
        "GET is not understood at /v2/enqueue; use POST"
    );
}

#[tokio::test(start_paused = true)]
async fn c6_a_key_in_a_packed_body_is_found() {
    let world = world();
    let post = async |body: Vec<u8>| {
        let request = Request::post("/v2/enqueue").header("content-encoding", "gzip");
        world.send(request.body(body.into()).unwrap()).await
    };
    let event = trigger("pagerduty-events-key").to_string();
    let answer = post(gzip(event.as_bytes())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert_eq!(world.collected().len(), 1);
    // Of senders without a key, little is unpacked.
    let padded = format!("{event}{}", " ".repeat(1024 * 1024));
    let answer = post(gzip(padded.as_bytes())).await;
    assert!(!answer.status.is_success(), "{}", answer.body);
    let answer = post(b"plain".to_vec()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert_eq!(world.collected().len(), 1);
}
