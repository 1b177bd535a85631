use super::*;

const ADDRESS: &str = "/api/v2/generic/incoming";

#[tokio::test(start_paused = true)]
async fn fields_are_taken_from_the_query_and_from_the_body() {
    let world = World::new();
    declare(&world, "goalert");
    for (query, body) in [
        ("?token=goalert-key&summary=disk&details=full&dedup=d", ""),
        (
            "?token=goalert-key&summary=no",
            r#"{"summary": "disk", "details": "full", "dedup": "d"}"#,
        ),
        ("", "token=goalert-key&summary=disk&details=full&dedup=d"),
    ] {
        let request = Request::post(format!("{ADDRESS}{query}"))
            .body(Body::from(body))
            .unwrap();
        let (status, text) = world.text(request).await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::NO_CONTENT, ""),
            "{query} {body}"
        );
        let event = world.collected().pop().unwrap();
        assert_eq!((event.name.as_str(), event.output.as_str()), ("disk", "full"));
        assert_eq!(event.labels["dedup"], "d");
    }
    let request = Request::post(format!("{ADDRESS}?token=goalert-key"))
        .body(Body::from("{}"))
        .unwrap();
    let (status, text) = world.text(request).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.starts_with("summary is missing; send a summary"), "{text}");
    let request = Request::post(ADDRESS)
        .body(Body::from("summary=disk&token=other"))
        .unwrap();
    assert_eq!(world.text(request).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn i20_goalerts_other_integrations_are_taken() {
    let world = World::new();
    for source in ["grafana", "prometheus", "site24x7"] {
        declare(&world, source);
    }
    let prometheus = json!({ "version": "4", "status": "firing", "alerts": [
        { "status": "firing", "labels": { "alertname": "disk" }, "startsAt": "2026-09-01T10:00:00Z" }] });
    let grafana = json!({ "ruleId": 5, "ruleName": "disk", "state": "alerting", "evalMatches": [] });
    let site24x7 = json!({ "MONITORNAME": "disk", "MONITOR_ID": "4", "STATUS": "DOWN" });
    for (address, key, body) in [
        ("grafana", "grafana-key", grafana),
        ("prometheusalertmanager", "prometheus-key", prometheus),
        ("site24x7", "site24x7-key", site24x7),
    ] {
        let request = Request::post(format!("/api/v2/{address}/incoming?token={key}"));
        let (status, text) = world.text(request.body(body.to_string().into()).unwrap()).await;
        assert_eq!((status, text.as_str()), (StatusCode::NO_CONTENT, ""), "{address}");
        assert_eq!(world.collected().pop().unwrap().name, "disk", "{address}");
        let request = Request::post(format!("/api/v2/{address}/incoming"));
        let (status, text) = world.text(request.body("{}".into()).unwrap()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{address}: {text}");
    }
}
