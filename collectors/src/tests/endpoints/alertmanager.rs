use super::*;

const ADDRESS: &str = "/api/v2/alerts";

/// Alerts in seconds after the time of the world's clock, which is ten minutes after `startsAt`.
fn alerts(ends_in: i64) -> Value {
    let now = Timestamp::from_second(1_788_000_000).unwrap();
    let after = |seconds: i64| (now + jiff::SignedDuration::from_secs(seconds)).to_string();
    json!([{
        "labels": { "alertname": "DiskFull", "instance": "db-1:9100", "severity": "warning" },
        "annotations": { "summary": "/var 93 %" },
        "startsAt": after(-600), "endsAt": after(ends_in), "generatorURL": "http://prom-1:9090/graph?g0.expr=up&g0.tab=1",
    }])
}

async fn send(world: &World, key: &str, body: &Value) -> Answer {
    let request = Request::post(ADDRESS)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json");
    world
        .send(request.body(Body::from(body.to_string())).unwrap())
        .await
}

#[tokio::test(start_paused = true)]
async fn prometheus_opens_and_ends_an_alert_and_says_until_when_it_holds() {
    let world = World::new();
    for ends_in in [240, 300, -60] {
        let answer = send(&world, "prometheus-key", &alerts(ends_in)).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, Value::Null));
    }
    let collected = world.collected();
    let said: Vec<_> = collected
        .iter()
        .map(|event| {
            (
                event.status().unwrap(),
                event.expires_at.map(|at| at.as_second() - 1_788_000_000),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (EventStatus::Firing, Some(240)),
            (EventStatus::Firing, Some(300)),
            // Should it fire all the same, by a clock that is slow, it holds as long as what has no end.
            (EventStatus::Resolved, Some(300))
        ]
    );
    assert!(
        collected
            .iter()
            .all(|event| event.fingerprint == collected[0].fingerprint)
    );
    let first = &collected[0];
    assert_eq!(
        (first.name.as_str(), first.object.as_str(), first.output.as_str()),
        ("DiskFull", "db-1:9100", "/var 93 %")
    );
    assert_eq!(first.source, "prom-1:9090");
    assert_eq!(
        first.occurred_at.map(|at| at.as_second()),
        Some(1_788_000_000 - 600)
    );
    assert_eq!(
        collected[2].occurred_at.map(|at| at.as_second()),
        Some(1_788_000_000 - 60)
    );
}

/// When the problem began, of an end that rests on the sender's clock alone.
fn began_at(event: &AlertEvent) -> Option<i64> {
    match event.kind {
        EventKind::Resolved {
            evidence: EndEvidence::Clock { began_at },
        } => Some(began_at.as_second()),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn i17_an_end_that_has_passed_says_when_the_problem_began_and_how_bad_it_is() {
    let world = World::new();
    let answer = send(&world, "prometheus-key", &alerts(-60)).await;
    let warning = answer.headers["warning"].to_str().unwrap();
    assert!(
        warning.contains("the end of 'DiskFull' had passed 1m before it arrived"),
        "{warning}"
    );
    let event = &world.collected()[0];
    assert_eq!(
        (began_at(event), event.severity),
        (Some(1_788_000_000 - 600), schemas::Severity::Warning)
    );
    // What ended long ago, or says nothing of a beginning before its end, has ended.
    let mut without = alerts(-60);
    without[0].as_object_mut().unwrap().remove("startsAt");
    let mut long_ago = alerts(-90_000);
    long_ago[0]["startsAt"] = json!("2026-08-01T00:00:00Z");
    for body in [without, long_ago] {
        let answer = send(&world, "prometheus-key", &body).await;
        assert!(!answer.headers.contains_key("warning"), "{:?}", answer.headers);
        let event = world.collected().pop().unwrap();
        assert_eq!((began_at(&event), event.severity), (None, schemas::Severity::Ok));
    }
}

#[tokio::test(start_paused = true)]
async fn i6_all_annotations_are_kept_as_they_came() {
    let world = World::new();
    let annotations = json!({
        "summary": "/var 93 %", "description": "/var on db-1 is at 93 %", "impact": " orders\nare lost ",
        "runbook_url": "https://wiki.example.org/disk", "{{ odd }} näme": "{{ $value }}", "empty": "",
    });
    let mut body = alerts(240);
    body[0]["annotations"] = annotations.clone();
    send(&world, "prometheus-key", &body).await;
    let event = &world.collected()[0];
    assert_eq!(json!(event.annotations), annotations);
    assert_eq!(event.output, "/var on db-1 is at 93 %");
    assert_eq!(event.links["Runbook URL"], "https://wiki.example.org/disk");
}

#[tokio::test(start_paused = true)]
async fn two_of_a_pair_speak_of_one_alert_and_another_label_is_another() {
    let world = World::new();
    let mut other = alerts(240);
    other[0]["generatorURL"] = json!("http://prom-2:9090/graph");
    other[0]["startsAt"] = json!("2026-08-29T00:00:00Z");
    let mut third = alerts(240);
    third[0]["labels"]["instance"] = json!("db-2:9100");
    for body in [alerts(240), other, third] {
        send(&world, "prometheus-key", &body).await;
    }
    let collected = world.collected();
    assert_eq!(collected[0].fingerprint, collected[1].fingerprint);
    assert_ne!(collected[0].fingerprint, collected[2].fingerprint);
}

#[tokio::test(start_paused = true)]
async fn an_alert_without_an_end_holds_for_five_minutes_unless_it_is_sent_again() {
    let world = World::new();
    let mut body = alerts(240);
    for none in [Value::Null, json!("0001-01-01T00:00:00Z")] {
        body[0]["endsAt"] = none;
        assert_eq!(send(&world, "prometheus-key", &body).await.status, StatusCode::OK);
    }
    let collected = world.collected();
    assert_eq!(collected.len(), 2);
    for event in collected {
        let lasts = event.expires_at.map(|at| at.duration_since(event.accepted_at));
        assert_eq!(event.status(), Some(EventStatus::Firing));
        assert_eq!(lasts.map(|lasts| lasts.as_secs()), Some(300));
    }
}

#[tokio::test(start_paused = true)]
async fn a_label_that_is_empty_is_none() {
    let world = World::new();
    let mut with_empty = alerts(240);
    with_empty[0]["labels"]["team"] = json!("");
    for body in [alerts(240), with_empty] {
        assert_eq!(send(&world, "prometheus-key", &body).await.status, StatusCode::OK);
    }
    let collected = world.collected();
    assert_eq!(collected[0].fingerprint, collected[1].fingerprint);
    assert_eq!(collected[0].labels, collected[1].labels);
}

#[tokio::test(start_paused = true)]
async fn one_alert_that_cannot_be_used_does_not_cost_the_others() {
    let world = World::new();
    let mut body = alerts(240);
    let list = body.as_array_mut().unwrap();
    list.insert(
        0,
        json!({ "labels": { "alertname": "A" }, "startsAt": "2026-09-01T10:00:00Z", "endsAt": "2026-09-01T09:00:00Z" }),
    );
    list.push(json!({ "labels": {} }));
    let answer = send(&world, "prometheus-key", &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let told = answer.body.as_str().unwrap();
    assert!(
        told.starts_with("[0].endsAt is before startsAt") && told.contains("[2].labels says nothing"),
        "{told}"
    );
    let names: Vec<_> = world.collected().into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["DiskFull"]);
    let rejected = world.rejected();
    assert_eq!(rejected.len(), 1);
    assert!(
        rejected[0].reason.starts_with("[0].endsAt"),
        "{}",
        rejected[0].reason
    );
    assert_eq!(world.counted("prometheus", "invalid"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_alertmanager_cannot_decode_is_refused_as_a_whole_and_kept() {
    let world = World::new();
    for (wrong, field) in [
        (
            json!({ "labels": { "alertname": "A" }, "startsAt": "x" }),
            "[1].startsAt",
        ),
        (
            json!({ "labels": { "alertname": "A" }, "endsAt": "soon" }),
            "[1].endsAt",
        ),
        (
            json!({ "labels": { "alertname": "A" }, "endsAt": 5 }),
            "[1].endsAt",
        ),
        (json!({ "labels": { "alertname": 5 } }), "[1].labels.alertname"),
        (json!({ "labels": ["A"] }), "[1].labels"),
        (json!("no alert"), "[1] "),
    ] {
        let mut body = alerts(240);
        body.as_array_mut().unwrap().push(wrong);
        let answer = send(&world, "prometheus-key", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.body["code"], 400, "{}", answer.body);
        let message = answer.body["message"].as_str().unwrap();
        let expected = format!("parsing alerts body from \"\" failed, because {field}");
        assert!(message.starts_with(&expected), "{message}");
    }
    let answer = send(&world, "prometheus-key", &json!({})).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (StatusCode::BAD_REQUEST, &json!(400))
    );
    for labels in [json!({}), json!({ "labels": null })] {
        let answer = send(&world, "prometheus-key", &json!([labels])).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            answer.body,
            json!({ "code": 602, "message": "0.labels in body is required" })
        );
    }
    assert_eq!(world.rejected().len(), 9);
    assert!(world.collected().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_is_told_as_a_text_and_kept() {
    let world = World::new();
    for (body, word) in [
        (json!([{ "labels": {} }]), "at least one label pair required"),
        (
            json!([{ "labels": { "team": "" } }]),
            "at least one label pair required",
        ),
        // C1: as Alertmanager has it.
        (
            json!([{ "labels": { "alertname": "A" }, "startsAt": "2026-09-01T10:00:00Z", "endsAt": "2026-09-01T09:00:00Z" }]),
            "start time must be before end time",
        ),
    ] {
        let answer = send(&world, "prometheus-key", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.body.as_str().unwrap().contains(word), "{}", answer.body);
    }
    assert_eq!(world.rejected().len(), 3);
    assert!(world.collected().is_empty());

    let answer = send(&world, "nobody", &alerts(240)).await;
    assert_eq!(
        (answer.status, answer.body.is_string()),
        (StatusCode::UNAUTHORIZED, true)
    );
    assert_eq!(
        send(&world, "api-key", &alerts(240)).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(send(&world, "any-key", &json!([])).await.status, StatusCode::OK);
}
