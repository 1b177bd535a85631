use super::*;

#[tokio::test(start_paused = true)]
async fn i19_the_rest_endpoint_is_answered_in_its_own_words() {
    let world = World::new();
    declare(&world, "splunk-oncall");
    let address = "/integrations/generic/20131114/alert/splunk-oncall-key/database";
    for (kind, status) in [
        ("CRITICAL", EventStatus::Firing),
        ("RECOVERY", EventStatus::Resolved),
    ] {
        let body = json!({ "message_type": kind, "entity_id": "db-1/disk", "state_message": "97 %" });
        let answer = world.post(address, body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(
            answer.body,
            json!({ "result": "success", "entity_id": "db-1/disk" })
        );
        let event = world.collected().pop().unwrap();
        assert_eq!(
            (event.status(), event.labels["routing_key"].as_str()),
            (Some(status), "database")
        );
    }
    let bad = world
        .post(address, json!({ "message_type": "BAD" }).to_string())
        .await;
    assert_eq!(
        (bad.status.as_u16(), &bad.body["result"]),
        (422, &json!("failure"))
    );
    let unknown = world
        .post("/integrations/generic/20131114/alert/other", "{}")
        .await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.body["result"]),
        (401, &json!("failure"))
    );
}
