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
        ("/integrations/v1/nothing/oncall-key/", 404, "unknown_source"),
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

#[tokio::test(start_paused = true)]
async fn i12_every_kind_of_oncall_is_taken() {
    let world = world();
    for source_type in ["zabbix", "cloudwatch"] {
        declare(&world, source_type);
    }
    let formatted = json!({ "alert_uid": "1", "title": "disk", "state": "alerting" });
    let kapacitor = json!({ "id": "disk", "message": "97 %", "level": "CRITICAL" });
    let zabbix = json!({ "event_id": "1", "trigger_id": "2", "event_value": "1", "event_name": "disk",
        "event_nseverity": "4" });
    let alerts = json!({ "status": "firing", "alerts": [{ "labels": { "alertname": "disk" } }] });
    let alarm = json!({ "AlarmName": "disk", "NewStateValue": "ALARM" });
    for (address, body) in [
        ("zabbix/oncall-key/", &formatted),
        ("zabbix/any-key/", &formatted),
        ("zabbix/zabbix-key/", &zabbix),
        ("elastalert/oncall-key", &formatted),
        ("kapacitor/oncall-key/", &kapacitor),
        ("jira/oncall-key/", &formatted),
        ("legacy_alertmanager/prometheus-key/", &alerts),
        ("adaptive_grafana_alerting/grafana-key/", &alerts),
        ("amazon_sns/cloudwatch-key/", &alarm),
    ] {
        let answer = post(&world, &format!("/integrations/v1/{address}"), body).await;
        assert_eq!(answer, (StatusCode::OK, "Ok.".to_owned()), "{address}");
    }
    assert!(world.collected().iter().all(|event| event.name == "disk"));
}
