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
    let wish = collected[1].wish.as_ref().expect("a wish");
    assert_eq!(
        (
            wish.author.as_deref(),
            serde_json::to_value(&wish.action).unwrap()
        ),
        (Some("Ann"), json!({ "type": "comment", "comment": "looking" }))
    );
    assert_eq!(
        (collected[2].status, collected[3].status),
        (EventStatus::Resolved, EventStatus::Resolved)
    );
}
