use super::*;

#[tokio::test(start_paused = true)]
async fn an_alert_is_created_wherever_its_key_is_shown() {
    let world = World::new();
    declare(&world, "alerta");
    let body = json!({ "resource": "pay-3", "event": "NodeDown", "severity": "critical" }).to_string();
    for (address, header, value) in [
        ("/api/alert", "authorization", "Key alerta-key"),
        ("/api/alert", "x-api-key", "alerta-key"),
        ("/api/alert?api-key=alerta-key", "accept", "*/*"),
    ] {
        let request = Request::post(address)
            .header(header, value)
            .body(Body::from(body.clone()));
        let answer = world.send(request.unwrap()).await;
        assert_eq!(
            (answer.status, &answer.body["status"]),
            (StatusCode::CREATED, &json!("ok"))
        );
        assert_eq!(
            answer.body["id"],
            json!(world.collected().last().unwrap().event_id)
        );
    }
    let answer = world
        .post("/api/alert?api-key=alerta-key", r#"{"resource": "a"}"#)
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        (&answer.body["status"], &answer.body["errors"][0]),
        (&json!("error"), &json!("event is missing; send the event"))
    );
}
