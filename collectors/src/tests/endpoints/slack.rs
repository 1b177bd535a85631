use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_is_answered_as_slack_does() {
    let world = World::new();
    declare(&world, "slack");
    for (address, body, status, words) in [
        (
            "/services/T00/B00/slack-key",
            r#"{"text": "[FIRING] disk"}"#,
            200,
            "ok",
        ),
        (
            "/slack/slack-key",
            "payload=%7B%22text%22%3A%22disk%22%7D",
            200,
            "ok",
        ),
        (
            "/slack/other",
            r#"{"text": "disk"}"#,
            403,
            "invalid_token: the integration key is unknown",
        ),
        (
            "/slack/slack-key",
            "{}",
            400,
            "no_text: text is missing; send a text",
        ),
        (
            "/slack/slack-key",
            "7up",
            400,
            "invalid_payload: the body is not JSON",
        ),
    ] {
        let request = Request::post(address).body(Body::from(body)).unwrap();
        let (got, text) = world.text(request).await;
        assert_eq!(got.as_u16(), status, "{body}: {text}");
        assert!(text.starts_with(words), "{text}");
    }
    let collected = world.collected();
    assert_eq!(collected[0].fingerprint, collected[1].fingerprint);
    assert_eq!(
        world.rejected()[0].path.as_deref(),
        Some("/monitoring-system/slack")
    );
}

#[tokio::test(start_paused = true)]
async fn i2_an_end_says_beside_the_answer_what_it_ends() {
    let world = World::new();
    declare(&world, "slack");
    let body = r#"{"attachments":[{"title":"“nightly backup” is UP.","color":"good"}]}"#;
    let request = Request::post("/slack/slack-key").body(Body::from(body)).unwrap();
    let response = world.routes.clone().call(request).await.unwrap();
    let warnings = response.headers()["reveille-warnings"].to_str().unwrap();
    assert!(
        warnings.contains("this ends the alert about \"nightly backup\""),
        "{warnings}"
    );
}
