use super::*;

fn world() -> World {
    let world = World::new();
    declare(&world, "opsgenie");
    world
}

async fn send(world: &World, method: &str, address: &str, body: Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(address)
        .header("authorization", "GenieKey opsgenie-key");
    let body = match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    world.send(request.body(body).unwrap()).await
}

async fn create(world: &World) -> Answer {
    let alert = json!({ "message": "disk", "alias": "db-1" });
    send(world, "POST", "/v2/alerts", alert).await
}

fn requested(event: &AlertEvent) -> &ActionRequest {
    match &event.kind {
        EventKind::ActionRequest(request) => request,
        _ => panic!("{event:?} requests no action"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_created_acknowledged_and_closed_by_its_alias() {
    let world = world();
    let created = json!({ "message": "5xx", "alias": "pay-3/5xx", "priority": "P1" });
    let answer = send(&world, "POST", "/v2/alerts", created).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.body["result"], "Request will be processed");
    assert!(answer.body["took"].is_number());
    for (method, address, body) in [
        (
            "POST",
            "/v2/alerts/pay-3%2F5xx/acknowledge?identifierType=alias",
            json!({ "user": "ann" }),
        ),
        (
            "POST",
            "/v2/alerts/pay-3%2F5xx/close?identifierType=alias",
            json!({ "note": "done" }),
        ),
        ("DELETE", "/v2/alerts/pay-3%2F5xx", Value::Null),
    ] {
        let answer = send(&world, method, address, body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{address}: {}", answer.body);
    }
    let collected = world.collected();
    assert!(
        collected
            .iter()
            .all(|event| event.fingerprint == collected[0].fingerprint)
    );
    let said: Vec<_> = collected
        .iter()
        .map(|event| {
            (
                serde_json::to_value(event.status()).unwrap(),
                event.output.as_str(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (json!("firing"), "5xx"),
            (json!("acknowledged"), ""),
            (json!("resolved"), "done"),
            // The note of the close.
            (Value::Null, ""),
            (json!("resolved"), "")
        ]
    );
    assert_eq!(collected[1].labels["acknowledged_by"], "ann");
}

#[tokio::test(start_paused = true)]
async fn c2_the_id_of_a_request_names_event_action_and_alert() {
    let world = world();
    let answer = create(&world).await;
    let request = answer.body["requestId"].as_str().unwrap();
    let event = &world.collected()[0];
    assert_eq!(
        request,
        format!("{}.Create.{}", event.event_id, event.fingerprint)
    );
    assert!(!event.outcome_wanted, "a create cannot come to nothing");
    send(&world, "POST", "/v2/alerts/db-1/close", json!({})).await;
    assert!(world.collected()[1].outcome_wanted);
}

/// Each write of Opsgenie's clients for Go, Python and Node.js to an alert that exists: method, path below the alert, body.
const WRITES: [(&str, &str, &str); 18] = [
    ("POST", "acknowledge", r#"{"user":"ann","source":"s","note":"n"}"#),
    ("POST", "unacknowledge", r#"{"user":"ann"}"#),
    ("POST", "close", r#"{"user":"ann","note":"n"}"#),
    ("DELETE", "?source=s&user=ann", ""),
    ("POST", "notes", r#"{"note":"n"}"#),
    ("POST", "actions/restart", r#"{"note":"n","user":"ann"}"#),
    ("POST", "snooze", r#"{"endTime":"2036-09-01T10:00:00+02:00"}"#),
    (
        "POST",
        "escalate",
        r#"{"escalation":{"type":"escalation","name":"database"}}"#,
    ),
    (
        "POST",
        "assign",
        r#"{"owner":{"type":"user","username":"ann@shop.example"}}"#,
    ),
    ("POST", "teams", r#"{"team":{"name":"storage"}}"#),
    (
        "POST",
        "responders",
        r#"{"responder":{"type":"user","username":"ann@shop.example"}}"#,
    ),
    ("POST", "tags", r#"{"tags":["night"]}"#),
    ("DELETE", "tags?tags=night,day&note=n", ""),
    ("POST", "details", r#"{"details":{"region":"Oregon"}}"#),
    ("DELETE", "details?keys=region", ""),
    ("PUT", "priority", r#"{"priority":"P4"}"#),
    ("PUT", "message", r#"{"message":"m"}"#),
    ("PUT", "description", r#"{"description":"d"}"#),
];

#[tokio::test(start_paused = true)]
async fn c2_every_write_of_the_clients_takes_id_tiny_id_and_alias() {
    let world = world();
    create(&world).await;
    let alert = world.collected()[0].fingerprint;
    let id = domain::opsgenie::alert_id(alert, world.context.clock.now());
    let names = [
        (id.clone(), "id"),
        (domain::opsgenie::tiny_id(alert), "tiny"),
        ("db-1".to_owned(), "alias"),
        (id, ""),
        ("db-1".to_owned(), ""),
    ];
    let mut written = 1;
    for (method, path, body) in WRITES {
        for (name, identifier_type) in &names {
            // The client for Node.js ends each path with a slash.
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let address = format!("/v2/alerts/{name}/{path}/?identifierType={identifier_type}&{query}");
            let body = serde_json::from_str(body).unwrap_or(Value::Null);
            let answer = send(&world, method, &address, body).await;
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{address}: {}", answer.body);
            assert!(answer.body["requestId"].is_string() && answer.body["took"].is_number());
            let collected = world.collected();
            assert!(
                collected[written..]
                    .iter()
                    .all(|event| event.fingerprint == alert),
                "{address}"
            );
            assert!(collected[written].outcome_wanted, "{address}");
            written = collected.len();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c2_teams_responders_and_custom_actions_are_on_record() {
    let world = world();
    for (path, body, action) in [
        (
            "teams",
            json!({ "team": { "id": "7" } }),
            json!({ "type": "amend", "responders": { "7": true } }),
        ),
        (
            "responders",
            json!({ "responder": { "type": "team", "name": "db" }, "note": "n" }),
            json!({ "type": "amend", "responders": { "db": true }, "comment": "n" }),
        ),
        (
            "actions/restart",
            json!({ "note": "now" }),
            json!({ "type": "comment", "comment": "custom action restart: now" }),
        ),
    ] {
        send(&world, "POST", &format!("/v2/alerts/db-1/{path}"), body).await;
        let collected = world.collected();
        let request = requested(collected.last().unwrap());
        assert_eq!(serde_json::to_value(&request.action).unwrap(), action, "{path}");
    }
    let answer = send(&world, "POST", "/v2/alerts/db-1/teams", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.body["errors"]["team"], answer.body["message"]);
}

#[tokio::test(start_paused = true)]
async fn c2_a_note_that_comes_with_an_acknowledgement_or_a_close_is_a_note() {
    let world = world();
    for path in ["acknowledge", "close"] {
        let body = json!({ "note": "seen", "user": "ann" });
        send(&world, "POST", &format!("/v2/alerts/db-1/{path}"), body).await;
        let collected = world.collected();
        let request = requested(collected.last().unwrap());
        assert_eq!(request.author.as_deref(), Some("ann"), "{path}");
        assert!(matches!(&request.action, schemas::Action::Comment { comment } if comment == "seen"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_sender_cannot_do_here_is_said_and_kept() {
    let world = world();
    for (address, status, words) in [
        (
            "/v2/alerts/a/merge",
            422,
            "merge is nothing that a sender can do here; create the alert anew",
        ),
        ("/v2/alerts/a/tags", 422, "tags is missing; send a list of tags"),
        ("/v2/alerts/a/priority", 422, "priority is missing; send P1, P2"),
        (
            "/v2/alerts/a7/close?identifierType=tiny",
            422,
            "identifier is \"a7\", which is no tinyId; give the tinyId of an answer",
        ),
        (
            "/v2/alerts/a/close?identifierType=name",
            422,
            "identifierType is \"name\"; use id, tiny or alias",
        ),
    ] {
        let answer = send(&world, "POST", address, json!({ "note": "n" })).await;
        assert_eq!(answer.status.as_u16(), status, "{address}");
        let said = answer.body.get("message").unwrap_or(&answer.body["result"]);
        assert!(said.as_str().unwrap().starts_with(words), "{}", answer.body);
    }
    assert_eq!((world.collected().len(), world.rejected().len()), (0, 5));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_field_and_a_wrong_key_are_told_as_opsgenie_does() {
    let world = world();
    let answer = send(
        &world,
        "POST",
        "/v2/alerts",
        json!({ "message": "a", "priority": "high" }),
    )
    .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.body["errors"]["priority"], answer.body["message"]);
    let answer = world.post("/v2/alerts", "{}").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(
        answer.body["message"]
            .as_str()
            .unwrap()
            .starts_with("the integration key is missing")
    );
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_would_do_becomes_a_wish_for_the_same_alert() {
    let world = world();
    create(&world).await;
    let calls = [
        (
            "POST notes",
            json!({ "note": "seen", "user": "ann" }),
            json!({ "type": "comment", "comment": "seen" }),
        ),
        (
            "POST snooze",
            json!({ "endTime": "2026-09-01T10:00:00Z" }),
            json!({
                "type": "snooze", "until": "2026-09-01T10:00:00Z", "sticky_severity": false, "sticky_output": false,
            }),
        ),
        (
            "POST assign",
            json!({ "owner": { "username": "ann" }, "source": "bot" }),
            json!({ "type": "assign", "assignee": "ann" }),
        ),
        (
            "POST unacknowledge",
            Value::Null,
            json!({ "type": "unacknowledge" }),
        ),
        (
            "PUT priority",
            json!({ "priority": "P1", "note": "worse" }),
            json!({ "type": "amend", "severity": "urgent", "labels": { "priority": null }, "comment": "worse" }),
        ),
        (
            "PUT message",
            json!({ "message": "disk is full" }),
            json!({ "type": "amend", "name": "disk is full" }),
        ),
        (
            "PUT description",
            json!({ "description": "since ten" }),
            json!({ "type": "amend", "output": "since ten" }),
        ),
        (
            "POST tags",
            json!({ "tags": ["night", "team: pay"] }),
            json!({ "type": "amend", "labels": { "team": "pay" }, "tags": { "night": true } }),
        ),
        (
            "DELETE tags?tags=night,team:pay&user=ann",
            Value::Null,
            json!({ "type": "amend", "labels": { "team": null }, "tags": { "night": false } }),
        ),
        (
            "POST details",
            json!({ "details": { "region": "Oregon", "racks": 2 } }),
            json!({ "type": "amend", "labels": { "region": "Oregon", "racks": "2" } }),
        ),
        (
            "DELETE details?keys=region,racks",
            Value::Null,
            json!({ "type": "amend", "labels": { "region": null, "racks": null } }),
        ),
        (
            "POST escalate",
            json!({ "escalation": { "name": "database" } }),
            json!({ "type": "amend", "scenario": "database" }),
        ),
    ];
    for (index, (call, body, _)) in calls.iter().enumerate() {
        let (method, call) = call.split_once(' ').unwrap();
        let address = match index % 2 {
            0 => format!("/v2/alerts/db-1/{call}"),
            _ => format!("/jsm/ops/integration/v2/alerts/db-1/{call}"),
        };
        let answer = send(&world, method, &address, body.clone()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    }
    let mut collected = world.collected();
    let alert = collected.remove(0).fingerprint;
    assert!(collected.iter().all(|event| event.fingerprint == alert));
    let requests: Vec<_> = collected.iter().map(requested).collect();
    let actions: Vec<_> = requests
        .iter()
        .map(|request| serde_json::to_value(&request.action).unwrap())
        .collect();
    assert_eq!(
        actions,
        calls
            .iter()
            .map(|(_, _, action)| action.clone())
            .collect::<Vec<_>>()
    );
    let authors: Vec<_> = requests.iter().map(|request| request.author.as_deref()).collect();
    assert_eq!(authors[..4], [Some("ann"), None, Some("bot"), None]);
    assert_eq!(authors[8], Some("ann"));
    let answer = send(
        &world,
        "POST",
        "/v2/alerts/db-1/snooze",
        json!({ "endTime": "soon" }),
    )
    .await;
    assert_eq!(answer.body["errors"]["endTime"], answer.body["message"]);
}

#[tokio::test(start_paused = true)]
async fn i19_the_api_of_jira_service_management_is_opsgenies() {
    let world = world();
    let base = "/jsm/ops/api/0000-cloud/v1/alerts";
    let created = json!({ "message": "disk", "alias": "db-1", "extraProperties": { "team": "db" } });
    let answer = send(&world, "POST", &format!("{base}/"), created).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let more = json!({ "extraProperties": { "more": "1" } });
    for (method, path, body) in [
        ("POST", "extra-properties", more),
        ("POST", "acknowledge", json!({})),
        ("POST", "close", json!({})),
    ] {
        let answer = send(&world, method, &format!("{base}/db-1/{path}"), body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{path}: {}", answer.body);
    }
    let collected = world.collected();
    assert!(
        collected
            .iter()
            .all(|event| event.fingerprint == collected[0].fingerprint)
    );
    assert_eq!(collected[0].labels["team"], "db");
    assert_eq!(collected[3].status(), Some(EventStatus::Resolved));
}

#[tokio::test(start_paused = true)]
async fn i16_opsgenies_clients_may_end_an_address_with_a_slash() {
    let world = world();
    let alert = json!({ "message": "disk", "alias": "db-1" });
    for (address, body) in [
        ("/v2/alerts/", alert),
        ("/v2/alerts/db-1/close/?identifierType=alias", json!({})),
    ] {
        let answer = send(&world, "POST", address, body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{address}: {}", answer.body);
    }
    let lost = send(&world, "POST", "/v2/nothing/", Value::Null).await;
    let message = lost.body["message"].as_str().unwrap();
    assert!(
        message.starts_with("there is no /v2/nothing; alerts are at /v2/alerts"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn c7_apprise_ends_an_alert_by_the_id_of_the_request_that_created_it() {
    let world = world();
    let created = json!({
        "source": "Apprise Notifications", "message": "shop is slow", "description": "p95 is 3 s",
        "details": { "type": "failure" }, "priority": "P3",
    });
    let answer = send(&world, "POST", "/v2/alerts", created).await;
    let request = answer.body["requestId"].as_str().unwrap();
    let note = json!({ "source": "Apprise Notifications", "note": "p95 is 1 s" });
    let (close, delete) = (
        format!("/v2/alerts/{request}/close?identifierType=id"),
        format!("/v2/alerts/{request}?identifierType=id"),
    );
    for (method, address) in [("POST", close), ("DELETE", delete)] {
        let answer = send(&world, method, &address, note.clone()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    }
    let collected = world.collected();
    let fingerprint = collected[0].fingerprint;
    assert!(collected.iter().all(|event| event.fingerprint == fingerprint));
    let ends = collected
        .iter()
        .filter(|event| event.status() == Some(EventStatus::Resolved));
    assert_eq!(ends.count(), 2);
    // The note of each.
    let notes = collected
        .iter()
        .filter(|event| matches!(event.kind, EventKind::ActionRequest(_)));
    assert_eq!((notes.count(), collected.len()), (2, 5));
}
