use super::*;

#[tokio::test(start_paused = true)]
async fn an_event_is_answered_with_its_key() {
    let world = World::new();
    declare(&world, "ilert");
    let event = |key: &str, kind: &str| {
        json!({ "integrationKey": key, "eventType": kind, "summary": "s", "alertKey": "A" }).to_string()
    };
    for (address, status) in [("/api/events", 202), ("/api/v1/events", 200)] {
        let answer = world.post(address, event("ilert-key", "ALERT")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["alertKey"]),
            (status, &json!("a"))
        );
    }
    let answer = world.post("/api/events", event("ilert-key", "OPEN")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (422, &json!("INVALID"))
    );
    let answer = world.post("/api/events", event("other", "ALERT")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["status"]),
        (401, &json!(401))
    );
    assert_eq!(world.collected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_made_resolves_what_it_was_made_for_and_can_be_commented_on() {
    let world = World::new();
    declare(&world, "ilert");
    let send = async |event: Value| {
        let mut event = event;
        event["integrationKey"] = json!("ilert-key");
        let answer = world.post("/api/events", event.to_string()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        answer.body["alertKey"].clone()
    };
    let key = send(json!({ "eventType": "ALERT", "summary": "Disk is full" })).await;
    send(json!({ "eventType": "COMMENT", "summary": "s", "alertKey": key,
        "comments": [{ "creator": "Ann", "content": "looking" }] }))
    .await;
    send(json!({ "eventType": "RESOLVE", "alertKey": key })).await;
    send(json!({ "eventType": "RESOLVE", "summary": "Disk is full" })).await;
    let collected = world.collected();
    assert!(
        collected
            .iter()
            .all(|event| event.fingerprint == collected[0].fingerprint)
    );
    let EventKind::ActionRequest(request) = &collected[1].kind else {
        panic!("{:?}", collected[1]);
    };
    assert_eq!(
        (
            request.author.as_deref(),
            serde_json::to_value(&request.action).unwrap()
        ),
        (Some("Ann"), json!({ "type": "comment", "comment": "looking" }))
    );
    assert_eq!(
        (collected[2].status(), collected[3].status()),
        (Some(EventStatus::Resolved), Some(EventStatus::Resolved))
    );
}

#[tokio::test(start_paused = true)]
async fn i19_the_addresses_of_ilerts_integrations_are_taken() {
    let world = World::new();
    declare(&world, "ilert");
    let gatus = |status: &str| {
        json!({
            "alert": {}, "name": "front", "group": "core", "status": status, "title": "core/front", "details": "slow",
            "condition_results": [{ "condition": "[STATUS] == 200", "success": false }], "url": "https://shop.example",
        })
    };
    let zabbix = |value: &str| {
        json!({
            "EVENT.ID": "448211", "EVENT.VALUE": value, "EVENT.UPDATE.STATUS": "0", "EVENT.NAME": "High CPU",
            "EVENT.NSEVERITY": "4", "HOST.HOST": "web-7", "TRIGGER.ID": "19022", "TRIGGER.NAME": "High CPU",
            "EVENT.ACK.STATUS": "No", "EVENT.TAGS": "service:shop", "ZABBIX.URL": "https://zabbix.example",
        })
    };
    for (address, bodies) in [
        (
            "/api/v1/events/gatus/ilert-key",
            [gatus("firing"), gatus("resolved")],
        ),
        ("/api/v1/events/zabbix-mt/ilert-key/", [zabbix("1"), zabbix("0")]),
    ] {
        for body in bodies {
            let answer = world.post(address, body.to_string()).await;
            assert_eq!(answer.status, StatusCode::OK, "{address}: {}", answer.body);
        }
        let collected = world.collected();
        let [.., open, close] = collected.as_slice() else {
            panic!("two events");
        };
        assert_eq!(open.fingerprint, close.fingerprint, "{address}");
        assert_eq!(
            (open.status(), close.status()),
            (Some(EventStatus::Firing), Some(EventStatus::Resolved))
        );
        assert_eq!(open.monitoring_system, "ilert");
    }
    let nothing = world.post("/api/v1/events/nothing/ilert-key", "{}").await;
    assert_eq!(
        (nothing.status.as_u16(), &nothing.body["code"]),
        (404, &json!("UNKNOWN_SOURCE"))
    );
}

#[tokio::test(start_paused = true)]
async fn i19_a_ready_made_mapping_is_an_integration_of_ilert_too() {
    let world = World::new();
    declare(&world, "ilert");
    let body = json!({ "monitorID": "1", "monitorFriendlyName": "shop", "alertType": "1", "alertDetails": "HTTP 500" });
    let answer = world
        .post("/api/v1/events/uptimerobot/ilert-key", body.to_string())
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(world.collected()[0].integration, "my-ilert");
}
