//! What senders ask about their alerts, and what they are told.

use axum::body::Body;
use axum::http::Request;
use chassis::secrets::SiteKey;
use pipeline::log::simulated::SimulatedLog;
use pipeline::{Clock, Context};
use schemas::config::{ANY_SOURCE, ConfigEntry, Integration, KeyTerms};
use schemas::{AlertEvent, DecoratedEvent, Origin};
use tower::ServiceExt;

use super::*;
use crate::tests::store_with;

/// The event of a sender, as the collectors make it.
fn event(integration: &str, alias: &str) -> DecoratedEvent {
    let event: AlertEvent = serde_json::from_value(json!({
        "event_id": Uuid::nil(), "accepted_at": "2026-09-01T10:00:00Z", "status": "firing", "severity": "critical",
        "fingerprint": domain::fingerprint([integration, TYPE, "alias", alias]), "integration": integration,
        "monitoring_system": TYPE, "source": "prometheus", "object": "db", "name": "disk", "output": "full",
        "labels": { "alias": alias, "tags": "night, urgent" },
    }))
    .unwrap();
    DecoratedEvent {
        event,
        origin: Origin {
            partition: 0,
            offset: 1,
        },
        spooled: false,
        environment: "default".to_owned(),
        scenario: "default".to_owned(),
    }
}

/// Integrations `mine` and `theirs`, whose keys are their names, with an alert each, and `metrics` of another type. The
/// key `old` of `mine` has expired.
async fn routes() -> Router {
    let clock = Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap());
    let mut site = Site::default();
    for (name, source_type) in [("mine", TYPE), ("theirs", ANY_SOURCE), ("metrics", "prometheus")] {
        let mut entry: Integration = serde_json::from_value(json!({
            "name": name, "type": source_type, "environment": "default", "scenario": "default",
            "key_hashes": [key_hash(name)],
        }))
        .unwrap();
        if name == "mine" {
            let hash = key_hash("old");
            let terms = KeyTerms {
                name: "old".to_owned(),
                created: None,
                expires: Some(clock.now()),
            };
            entry.key_hashes.push(hash.clone());
            entry.key_terms.insert(hash, terms);
        }
        let entry = ConfigEntry::Integration(entry);
        site.apply(&entry.key(), Some(entry));
    }
    site.revision = Some(1);
    let events =
        [("mine", "pay-3/5xx"), ("theirs", "db-1")].map(|(integration, alias)| event(integration, alias));
    let store = store_with(&events, &site, clock.now()).await;
    let context = Context::new(Arc::new(SimulatedLog::new(1)), clock);
    let api = Api::start(&context, store, SiteKey::from_bytes([7; 32]));
    // The receiver keeps what it was given when the sender is gone.
    api.opsgenie(watch::channel(Arc::new(site)).1)
}

async fn asked(routes: &Router, key: &str, path: &str) -> (u16, Value) {
    let request = Request::get(path).header("authorization", format!("GenieKey {key}"));
    let response = routes.clone().oneshot(request.body(Body::empty()).unwrap());
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn an_alert_is_shown_by_its_alias_to_whom_it_belongs() {
    let routes = routes().await;
    let (status, answer) = asked(&routes, "mine", "/v2/alerts/pay-3%2F5xx?identifierType=alias").await;
    assert_eq!(status, 200, "{answer}");
    let data = &answer["data"];
    assert_eq!(
        (&data["id"], &data["message"], &data["priority"], &data["status"]),
        (&json!("pay-3/5xx"), &json!("disk"), &json!("P2"), &json!("open"))
    );
    assert_eq!(data["tags"], json!(["night", "urgent"]));
    let (status, answer) = asked(&routes, "theirs", "/v2/alerts/pay-3%2F5xx").await;
    assert_eq!(status, 404, "{answer}");
    for stranger in ["metrics", "old", "nobody", ""] {
        let (status, answer) = asked(&routes, stranger, "/v2/alerts/pay-3%2F5xx").await;
        assert_eq!(status, 401, "{stranger}: {answer}");
    }
}

#[tokio::test]
async fn the_list_has_the_alerts_of_the_key_and_no_other() {
    let routes = routes().await;
    for (path, aliases) in [
        ("/v2/alerts", vec!["pay-3/5xx"]),
        ("/v2/alerts?query=status%3A%20open&limit=1", vec!["pay-3/5xx"]),
        ("/v2/alerts?query=status%3Dclosed", vec![]),
        ("/v2/alerts?offset=1", vec![]),
    ] {
        let (status, answer) = asked(&routes, "mine", path).await;
        assert_eq!(status, 200, "{answer}");
        let shown: Vec<_> = answer["data"].as_array().unwrap().iter().collect();
        let shown: Vec<_> = shown
            .iter()
            .map(|alert| alert["alias"].as_str().unwrap())
            .collect();
        assert_eq!(shown, aliases, "{path}");
    }
    for (path, message) in [
        (
            "/v2/alerts?limit=1000",
            "limit: \"1000\" is not a number up to 100",
        ),
        (
            "/v2/alerts?query=tag%3Apay",
            "query: \"tag:pay\" is not understood",
        ),
    ] {
        let (status, answer) = asked(&routes, "mine", path).await;
        assert_eq!(status, 422);
        assert!(
            answer["message"].as_str().unwrap().starts_with(message),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn the_alerts_of_the_key_are_counted() {
    let routes = routes().await;
    for (query, count) in [
        ("", 1),
        ("?query=status%3Aopen", 1),
        ("?query=status%3Aclosed", 0),
    ] {
        for address in ["/v2/alerts/count", "/jsm/ops/integration/v2/alerts/count"] {
            let (status, answer) = asked(&routes, "mine", &format!("{address}{query}")).await;
            assert_eq!(
                (status, &answer["data"]),
                (200, &json!({ "count": count })),
                "{answer}"
            );
        }
    }
    let (status, answer) = asked(&routes, "mine", "/v2/alerts/count?query=tag%3Apay").await;
    assert_eq!(status, 422, "{answer}");
}

#[tokio::test]
async fn it_does_not_matter_how_the_scheme_is_written() {
    let routes = routes().await;
    for (shown, status) in [
        ("geniekey mine", 200),
        ("GENIEKEY  mine", 200),
        ("Bearer mine", 401),
    ] {
        let request = Request::get("/v2/alerts").header("authorization", shown);
        let response = routes.clone().oneshot(request.body(Body::empty()).unwrap());
        assert_eq!(response.await.unwrap().status().as_u16(), status, "{shown}");
    }
}
