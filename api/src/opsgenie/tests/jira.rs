//! What clients of the API of Jira Service Management read.

use super::*;

const ALERTS: &str = "/jsm/ops/api/0000-cloud/v1/alerts";

async fn read(world: &World, authorization: &str, path: &str) -> (u16, Value) {
    let request = Request::get(format!("{ALERTS}{path}")).header("authorization", authorization);
    let response = world.routes.clone().oneshot(request.body(Body::empty()).unwrap());
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX);
    (status, serde_json::from_slice(&bytes.await.unwrap()).unwrap())
}

async fn read_ok(world: &World, path: &str) -> Value {
    let (status, answer) = read(world, "GenieKey mine", path).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn aliases(answer: &Value) -> String {
    let alerts = answer["values"].as_array().unwrap().iter();
    alerts
        .map(|alert| alert["alias"].as_str().unwrap().to_owned() + " ")
        .collect()
}

#[tokio::test(start_paused = true)]
async fn i19_an_alert_of_jira_has_no_envelope_and_its_own_names() {
    let world = world().await;
    let id = shown::id(&opened("mine", "pay-3/5xx"));
    for path in [
        format!("/{id}"),
        "/alias?alias=pay-3/5xx".to_owned(),
        "/pay-3%2F5xx?identifierType=alias".to_owned(),
    ] {
        let alert = read_ok(&world, &path).await;
        assert_eq!(alert["id"], json!(id), "{path}");
        for (name, value) in [
            ("alias", json!("pay-3/5xx")),
            ("message", json!("disk")),
            ("entity", json!("db")),
            ("description", json!("full")),
            ("status", json!("open")),
            ("priority", json!("P2")),
            ("tags", json!(["night", "urgent"])),
            ("integrationName", json!("mine")),
            ("integrationType", json!("API")),
            ("lastOccuredAt", json!(NOW)),
            ("extraProperties", json!({ "team": "pay" })),
        ] {
            assert_eq!(alert[name], value, "{path}, {name}: {alert}");
        }
        for absent in ["data", "took", "details", "integration"] {
            assert!(alert.get(absent).is_none(), "{absent}: {alert}");
        }
    }
    let listed = read_ok(&world, "").await;
    assert_eq!(aliases(&listed), "pay-3/5xx ");
    assert!(listed["values"][0].get("extraProperties").is_none(), "{listed}");
    assert_eq!(listed["links"], json!({}));
    assert_eq!(read_ok(&world, "/count").await, json!({ "count": 1 }));
}

#[tokio::test(start_paused = true)]
async fn i19_lists_of_jira_are_paged_by_size_and_offset() {
    let world = world().await;
    for alias in ["c", "a", "b"] {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        world.happens(&event("mine", alias)).await;
    }
    for (query, expected, next) in [
        ("", "b a c pay-3/5xx ", None),
        ("?size=2", "b a ", Some("/v1/alerts?size=2&offset=2")),
        ("?size=2&offset=2", "c pay-3/5xx ", None),
        // As some clients have it.
        ("?limit=3", "b a c ", Some("/v1/alerts?size=3&offset=3")),
        (
            "?sort=alias&order=asc&size=1",
            "a ",
            Some("/v1/alerts?size=1&offset=1&order=asc&sort=alias"),
        ),
        ("?query=alias:%22b%22", "b ", None),
        ("?from=1788256801000&to=1788256802000", "a c ", None),
        ("?from=1788256801000&query=alias:b%20OR%20alias:pay*", "b ", None),
    ] {
        let answer = read_ok(&world, query).await;
        assert_eq!(aliases(&answer), expected, "{query}");
        assert_eq!(
            answer["links"].get("next"),
            next.map(|next| json!(next)).as_ref(),
            "{query}"
        );
    }
    assert_eq!(
        read_ok(&world, "/count?query=alias:b").await,
        json!({ "count": 1 })
    );
}

#[tokio::test(start_paused = true)]
async fn i19_notes_logs_and_requests_of_jira_are_read_likewise() {
    let world = world().await;
    for number in 1..=3 {
        let comment = format!("n{number}");
        world
            .happens(&request("pay-3/5xx", Action::Comment { comment }, number))
            .await;
    }
    let id = shown::id(&opened("mine", "pay-3/5xx"));
    let page = read_ok(&world, &format!("/{id}/notes?size=2")).await;
    assert_eq!(page["values"][0]["note"], "n3");
    assert_eq!(page["values"].as_array().unwrap().len(), 2);
    let next = page["links"]["next"].as_str().unwrap();
    let next = next.strip_prefix("/v1/alerts").unwrap();
    assert!(next.contains("after=") && next.contains("size=2"), "{next}");
    let page = read_ok(&world, next).await;
    assert_eq!(page["values"][0]["note"], "n1");
    assert_eq!(page["links"], json!({}));
    let logs = read_ok(&world, &format!("/{id}/logs")).await;
    assert!(logs["values"][0]["log"].is_string(), "{logs}");
    let files = read_ok(&world, &format!("/{id}/attachments")).await;
    assert_eq!(files["values"], json!([]));
    let event = request("pay-3/5xx", Action::Unacknowledge, 9).event;
    let request = format!("/requests/{}.Create.{}", event.event_id, event.fingerprint);
    let status = read_ok(&world, &request).await;
    assert_eq!(
        (&status["isSuccess"], &status["alias"]),
        (&json!(true), &json!("pay-3/5xx")),
        "{status}"
    );
}

#[tokio::test(start_paused = true)]
async fn i19_the_key_of_jira_stands_where_its_clients_have_a_token() {
    let world = world().await;
    for (authorization, expected) in [
        ("GenieKey mine", 200),
        ("Bearer mine", 200),
        // ann@shop.example:mine
        ("Basic YW5uQHNob3AuZXhhbXBsZTptaW5l", 200),
        ("Bearer old", 401),
        ("Bearer metrics", 401),
        ("Basic ???", 401),
        ("Digest mine", 401),
    ] {
        let (status, answer) = read(&world, authorization, "").await;
        assert_eq!(status, expected, "{authorization}: {answer}");
    }
    let (status, answer) = read(&world, "GenieKey mine", "/no-such").await;
    assert_eq!(status, 404);
    assert_eq!(answer["code"], 404);
    assert_eq!(answer["errors"][0]["title"], answer["message"]);
    let (status, answer) = read(&world, "GenieKey mine", "/alias").await;
    assert_eq!((status, answer["errors"][0]["code"].as_str()), (422, Some("422")));
}
