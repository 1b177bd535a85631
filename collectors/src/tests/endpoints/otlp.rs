use super::*;

const LOGS: &str = "/v1/logs/otlp-key";

fn world() -> World {
    let world = World::new();
    declare(&world, "otlp");
    world
}

fn logs(attributes: Value) -> Value {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [
        { "severityNumber": 17, "attributes": attributes },
    ] }] }] })
}

#[tokio::test(start_paused = true)]
async fn records_that_are_no_alerts_are_a_partial_success() {
    let world = world();
    let key = json!([{ "key": "alert.key", "value": { "stringValue": "a" } }]);
    let answer = world.post(LOGS, logs(key).to_string()).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({})));
    let answer = world.post(LOGS, logs(json!([])).to_string()).await;
    let partial = &answer.body["partialSuccess"];
    assert_eq!(
        (answer.status, &partial["rejectedLogRecords"]),
        (StatusCode::OK, &json!("1"))
    );
    let message = partial["errorMessage"].as_str().unwrap();
    assert!(
        message.starts_with("log record 0 is no alert; set its attribute alert.key"),
        "{message}"
    );
    assert_eq!(world.collected().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_with_an_alert_of_an_unknown_state_is_kept_and_the_others_are_taken() {
    let world = world();
    let record = |attributes: &[(&str, &str)]| {
        let attribute = |(key, text): &(&str, &str)| json!({ "key": key, "value": { "stringValue": text } });
        json!({ "attributes": attributes.iter().map(attribute).collect::<Vec<_>>() })
    };
    let records = [
        record(&[("alert.key", "a")]),
        record(&[("alert.key", "b"), ("alert.state", "Wobbly")]),
        record(&[]),
    ];
    let body = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] });
    let answer = world.post(LOGS, body.to_string()).await;
    assert_eq!(answer.body["partialSuccess"]["rejectedLogRecords"], "2");
    assert_eq!(world.collected().len(), 1);
    let rejected = &world.rejected()[0];
    assert_eq!(
        rejected.reason,
        r#"log record 1 has the alert.state "wobbly"; set firing, acknowledged or resolved"#
    );
    assert_eq!(
        STANDARD.decode(&rejected.body_base64).unwrap(),
        body.to_string().into_bytes()
    );
    assert_eq!(world.counted("otlp", "invalid"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_read_is_answered_in_its_own_encoding() {
    let world = world();
    let answer = world.post(LOGS, "{").await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (StatusCode::BAD_REQUEST, &json!(3))
    );
    let protobuf = |address: &str| {
        let request = Request::post(address).header("content-type", "application/x-protobuf");
        world.routes.clone().call(request.body(Body::from("{")).unwrap())
    };
    for (address, status, code) in [(LOGS, 400, 3), ("/v1/logs/other", 401, 16)] {
        let response = protobuf(address).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["content-type"], "application/x-protobuf");
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        // Field 1, a number.
        assert_eq!(bytes[..2], [0x08, code]);
    }
    let rejected = world.rejected();
    assert_eq!(rejected.len(), 2);
    assert_eq!(
        rejected[0].path.as_deref(),
        Some(LOGS.trim_end_matches("/otlp-key"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_packed_export_in_protobuf_is_taken() {
    let world = world();
    // resource_logs { scope_logs { log_records { attributes { key: "alert.key" value { string_value: "a" } } } } }
    let attribute = b"\x0a\x09alert.key\x12\x03\x0a\x01a";
    let field = |tag: u8, inside: &[u8]| [&[tag, u8::try_from(inside.len()).unwrap()], inside].concat();
    let export = field(0x0a, &field(0x12, &field(0x12, &field(0x32, attribute))));
    let request = Request::post(LOGS)
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "gzip")
        .body(Body::from(gzip(&export)));
    let response = world.routes.clone().call(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    assert!(bytes.is_empty(), "nothing was left out");
    assert_eq!(world.collected()[0].name, "a");
}

#[tokio::test(start_paused = true)]
async fn an_export_that_comes_too_slowly_is_to_be_sent_again() {
    let world = world();
    let answer = world.post(LOGS, endless("{")).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!(14))
    );
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn what_is_null_is_as_good_as_nothing() {
    let world = world();
    let others = json!({ "boolValue": null, "intValue": null, "arrayValue": null });
    let mut key = others.clone();
    key["stringValue"] = json!("a");
    let mut tries = others;
    tries["stringValue"] = Value::Null;
    tries["intValue"] = json!("3");
    let record = json!({
        "timeUnixNano": null, "observedTimeUnixNano": null, "severityNumber": null, "severityText": null,
        "eventName": null, "body": { "arrayValue": { "values": null } },
        "attributes": [{ "key": "alert.key", "value": key }, { "key": "tries", "value": tries }, { "key": null }],
    });
    let body = json!({ "resourceLogs": [
        { "resource": { "attributes": null }, "scopeLogs": [{ "logRecords": [record] }, { "logRecords": null }] },
        { "resource": null, "scopeLogs": null },
    ] });
    let answer = world.post(LOGS, body.to_string()).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({})));
    let event = &world.collected()[0];
    assert_eq!((event.name.as_str(), event.occurred_at), ("a", None));
    assert_eq!(event.labels["tries"], "3");
    let answer = world
        .post(LOGS, json!({ "resourceLogs": null }).to_string())
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn c6_a_rule_of_the_site_says_which_logs_are_alerts() {
    let world = World::new();
    let mapping = schemas::config::Mapping {
        name: "error-logs".to_owned(),
        when: Some("body.severity_number >= 17".to_owned()),
        alert: schemas::config::MappedAlert {
            identity: vec![
                "body.resource['service.name']".to_owned(),
                "body.attributes['code']".to_owned(),
            ],
            name: "body.body".to_owned(),
            status: "'firing'".to_owned(),
            ..Default::default()
        },
        ..Default::default()
    };
    put(&world, ConfigEntry::Mapping(Box::new(mapping)));
    declare(&world, "error-logs");
    let record = |number: u32, attributes: Value| json!({ "severityNumber": number, "body": { "stringValue": "provider down" }, "attributes": attributes });
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let export = json!({ "resourceLogs": [{
        "resource": { "attributes": [text("service.name", "checkout")] },
        "scopeLogs": [{ "logRecords": [
            record(9, json!([])),
            record(17, json!([text("code", "E7")])),
            record(17, json!([])),
            record(9, json!([text("alert.key", "own")])),
        ] }],
    }]});
    let answer = world.post("/v1/logs/error-logs-key", export.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(
        answer.body["partialSuccess"]["rejectedLogRecords"], "1",
        "what has no code cannot be used"
    );
    let collected = world.collected();
    assert_eq!(collected.len(), 2);
    assert_eq!(
        (
            collected[0].name.as_str(),
            collected[0].monitoring_system.as_str()
        ),
        ("provider down", "error-logs")
    );
    assert_eq!(world.rejected().len(), 1);
}
