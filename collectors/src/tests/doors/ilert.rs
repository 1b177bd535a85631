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
