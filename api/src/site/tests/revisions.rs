//! Who changed the site, and the site as it was.

use chassis::session::Access;
use schemas::{Command, Principal};

use super::*;

/// What a silence of everything in production is posted as.
const SILENCE: &str = r#"{"matchers":[{"name":"environment","operator":"=","value":"production"}],
    "ends_at":"2999-01-01T00:00:00Z","created_by":"ann","comment":"move"}"#;

async fn revision(world: &World, number: u64) -> Value {
    let path = format!("/api/v1/site/revisions/{number}");
    let (status, revision) = world.request("GET", &path, "").await;
    assert_eq!(status, StatusCode::OK, "{revision}");
    revision
}

#[tokio::test]
async fn every_change_of_the_site_is_a_revision_with_its_author() {
    let world = World::new().await;
    world.put(DOCUMENT).await;
    let (_, then) = world.request("GET", "/api/v1/site", "").await;
    let (status, _) = world.request("POST", "/api/v1/silences", SILENCE).await;
    assert_eq!(status, StatusCode::CREATED);
    world
        .put("rules: []\nbots: []\nscenarios: [{name: everybody, steps: []}]")
        .await;

    let (_, page) = world.request("GET", "/api/v1/site/revisions", "").await;
    let revisions = page["revisions"].as_array().unwrap();
    let numbers: Vec<_> = revisions.iter().map(|one| one["revision"].as_u64()).collect();
    assert_eq!(numbers, [Some(3), Some(2), Some(1)]);
    assert_eq!(page["next_cursor"], Value::Null);
    for line in revisions {
        assert_eq!(line["by"], json!(Principal::anonymous()), "{line}");
        assert!(line["at"].is_string(), "{line}");
    }

    assert_eq!(revision(&world, 1).await["site"], then, "as it was shown then");
    let second = revision(&world, 2).await;
    let changes = second["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{second}");
    assert!(
        changes[0]["key"].as_str().unwrap().starts_with("silence/"),
        "{second}"
    );
    let third = revision(&world, 3).await;
    assert!(third["changes"].to_string().contains("bot/slack"), "{third}");
    assert_eq!(third["site"]["bots"], json!([]));
    assert_eq!(revision(&world, 1).await["changes"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_revision_shows_no_secret() {
    let world = World::new().await;
    world.put(DOCUMENT).await;
    let shown = revision(&world, 1).await.to_string();
    for secret in ["xoxb-secret", "0123456789abcdef", "sealed", "key_hash"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains(r#""secrets":["token"]"#), "{shown}");
}

#[tokio::test]
async fn revisions_are_paged_and_only_so_many_are_kept() {
    let mut world = World::new().await;
    world.api = world.api.keeping_revisions(Some(3));
    for description in ["a", "b", "c", "d"] {
        let document = format!("environments: [{{name: production, description: {description}}}]");
        world.put(&document).await;
    }
    let (_, first) = world.request("GET", "/api/v1/site/revisions?limit=2", "").await;
    assert_eq!(first["revisions"][1]["revision"], 3);
    let path = format!(
        "/api/v1/site/revisions?limit=2&cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    let (_, second) = world.request("GET", &path, "").await;
    assert_eq!(second["revisions"].as_array().unwrap().len(), 1);
    assert_eq!(second["revisions"][0]["revision"], 2);
    let oldest = revision(&world, 2).await;
    assert_eq!(oldest["changes"], Value::Null, "the one before is not kept");
    assert_eq!(oldest["site"]["environments"][0]["description"], "b");
    for (path, status, words) in [
        ("/1", StatusCode::NOT_FOUND, "not kept any more"),
        ("/first", StatusCode::UNPROCESSABLE_ENTITY, "not the number"),
        ("?limit=0", StatusCode::UNPROCESSABLE_ENTITY, "from 1 to 1000"),
        ("?page=2", StatusCode::BAD_REQUEST, "page"),
    ] {
        let path = format!("/api/v1/site/revisions{path}");
        let (found, answer) = world.request("GET", &path, "").await;
        assert_eq!(found, status, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_and_a_change_carry_the_principal_of_the_token() {
    let world = World::new().await;
    let access = Access::new(Some("a token that is long"), Some("on-call"), "");
    let routes = access.guard(world.api.routes());
    let alert = "4aa4466e9f14a70ebf10e12ebb21a15c";
    for (method, path, body) in [
        ("PUT", "/api/v1/site", DOCUMENT.to_owned()),
        (
            "POST",
            "/api/v1/actions/acknowledge",
            format!(r#"{{"alerts":["{alert}"],"author":"ann"}}"#),
        ),
        (
            "POST",
            "/api/v1/actions/acknowledge",
            format!(r#"{{"alerts":["{alert}"]}}"#),
        ),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let request = request.header("authorization", "Bearer a token that is long");
        // There is no daemon that would answer an action: it is left after ten seconds.
        let request = request.body(Body::from(body)).unwrap();
        routes.clone().oneshot(request).await.unwrap();
    }
    let expected = Principal::token("on-call");
    let page = world.api.store.site_revisions(1, None).await.unwrap();
    assert_eq!(page.rows[0].by, expected);
    let commands = world.log.records(Topic::ALERTS_COMMANDS).into_iter();
    let commands = commands.map(|record| serde_json::from_slice::<Command>(&record.value.unwrap()).unwrap());
    let said: Vec<_> = commands
        .map(|command| {
            assert_eq!(command.requested_by, expected);
            command.author
        })
        .collect();
    assert_eq!(said, ["ann", "token on-call"]);
}

#[tokio::test]
async fn a_route_without_authentication_answers_401() {
    let world = World::new().await;
    for (method, path) in [
        ("GET", "/api/v1/alerts"),
        ("PUT", "/api/v1/site"),
        ("GET", "/api/v2/alerts"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let answer = world.api.routes().oneshot(request.body(Body::empty()).unwrap());
        assert_eq!(answer.await.unwrap().status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}
