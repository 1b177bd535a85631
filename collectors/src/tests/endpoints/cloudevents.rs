use super::*;

fn world() -> World {
    let world = World::new();
    declare(&world, "cloudevents");
    world
}

#[tokio::test(start_paused = true)]
async fn a_binary_event_is_taken_with_the_key_in_the_path() {
    let world = world();
    let request = Request::post("/cloudevents/cloudevents-key")
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "/shop")
        .header("ce-type", "disk.failed")
        .body(Body::from("{}"));
    assert_eq!(world.send(request.unwrap()).await.status, StatusCode::OK);
    assert_eq!(world.collected()[0].name, "disk");
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_is_kept_with_what_it_needs_to_be_posted_again() {
    let world = world();
    let request = Request::post("/cloudevents/cloudevents-key")
        .header("ce-specversion", "1.0")
        .header("ce-type", "disk.failed")
        .body(Body::from("{}"));
    assert_eq!(world.send(request.unwrap()).await.error(), (422, "invalid"));
    let rejected = world.rejected().remove(0);
    assert_eq!(rejected.path.as_deref(), Some("/cloudevents"));
    assert_eq!(rejected.headers["ce-type"], "disk.failed");
}

#[tokio::test(start_paused = true)]
async fn the_handshake_gives_consent_to_who_shows_a_key() {
    let world = world();
    let ask = |address: &str| {
        let request = Request::options(address).header("webhook-request-origin", "eventgrid.azure.net");
        world.send(request.body(Body::empty()).unwrap())
    };
    for address in [
        "/cloudevents?integration_key=cloudevents-key",
        "/cloudevents/cloudevents-key",
        "/monitoring-system/cloudevents?integration_key=cloudevents-key",
        "/monitoring-system/cloudevents/cloudevents-key",
    ] {
        let answer = ask(address).await;
        assert_eq!(answer.status, StatusCode::OK, "{address}");
        assert_eq!(answer.headers["webhook-allowed-origin"], "eventgrid.azure.net");
        assert_eq!(answer.headers["webhook-allowed-rate"], "*");
    }
    let other_source = ask("/monitoring-system/api?integration_key=api-key").await;
    assert_eq!(other_source.error(), (405, "method_not_allowed"));
    let stranger = ask("/cloudevents/other-key").await;
    assert_eq!(stranger.error(), (401, "unauthenticated"));
    assert!(!stranger.headers.contains_key("webhook-allowed-origin"));
    assert_eq!(world.counted("cloudevents", "unauthenticated"), 1.0);
}
