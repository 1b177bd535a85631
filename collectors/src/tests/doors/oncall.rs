use super::*;

fn world() -> World {
    let world = World::new();
    for source_type in ["grafana", "oncall"] {
        declare(&world, source_type);
    }
    world
}

async fn post(world: &World, address: &str, body: &Value) -> (StatusCode, String) {
    let request = Request::post(address).body(Body::from(body.to_string()));
    world.text(request.unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_integration_is_understood_by_its_source() {
    let world = world();
    let alerts = json!({ "status": "firing", "alerts": [{ "labels": { "alertname": "disk" } }] });
    let legacy = json!({ "state": "alerting", "ruleId": 7, "ruleName": "disk" });
    let formatted = json!({ "alert_uid": "1", "title": "disk", "state": "alerting" });
    for (address, body) in [
        ("/integrations/v1/alertmanager/prometheus-key/", &alerts),
        ("/integrations/v1/grafana_alerting/grafana-key/", &alerts),
        ("/integrations/v1/grafana/grafana-key/", &legacy),
        ("/integrations/v1/formatted_webhook/oncall-key/", &formatted),
        ("/integrations/v1/webhook/oncall-key", &formatted),
    ] {
        let answer = post(&world, address, body).await;
        assert_eq!(answer, (StatusCode::OK, "Ok.".to_owned()), "{address}");
    }
    let collected = world.collected();
    let mut systems: Vec<_> = collected
        .iter()
        .map(|event| event.monitoring_system.as_str())
        .collect();
    systems.sort_unstable();
    assert_eq!(systems, ["grafana", "grafana", "oncall", "oncall", "prometheus"]);
    assert!(collected.iter().all(|event| event.name == "disk"));
}

#[tokio::test(start_paused = true)]
async fn a_webhook_is_understood_by_the_mapping_that_its_integration_has() {
    let world = world();
    let mapping = schemas::config::Mapping {
        name: "doors".to_owned(),
        alert: schemas::config::MappedAlert {
            identity: vec!["body.id".to_owned()],
            name: "body.id".to_owned(),
            status: "body.state".to_owned(),
            ..Default::default()
        },
        states: [("open".to_owned(), EventStatus::Firing)].into(),
        ..Default::default()
    };
    put(&world, ConfigEntry::Mapping(Box::new(mapping)));
    declare(&world, "doors");
    let body = json!({ "id": "gate", "state": "open" });
    let answer = post(&world, "/integrations/v1/webhook/doors-key/", &body).await;
    assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
    assert_eq!(world.collected()[0].monitoring_system, "doors");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_is_told_with_its_field() {
    let world = world();
    let body = json!({ "title": "disk", "state": "wobbly" });
    for (address, status, code) in [
        ("/integrations/v1/formatted_webhook/oncall-key/", 422, "invalid"),
        (
            "/integrations/v1/formatted_webhook/other/",
            401,
            "unauthenticated",
        ),
        (
            "/integrations/v1/formatted_webhook/grafana-key/",
            400,
            "wrong_source",
        ),
        ("/integrations/v1/jira/oncall-key/", 404, "unknown_source"),
    ] {
        let answer = world.post(address, body.to_string()).await;
        assert_eq!(answer.error(), (status, code), "{address}");
    }
    let rejected = world.rejected();
    assert_eq!(rejected.len(), 1);
    assert_eq!(
        (rejected[0].reason.as_str(), rejected[0].path.as_deref()),
        (
            "state is \"wobbly\"; send alerting or ok",
            Some("/monitoring-system/oncall")
        )
    );
}
