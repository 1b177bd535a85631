//! Slack over real HTTP, spoken by a mock.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use notifiers::channels::slack::SlackSender;
use notifiers::sender::{Payload, SendRequest, SendResult, Sender};
use schemas::{HistoryKind, Notification, NotificationKind};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::http::{Call, Receiver};
use crate::support::{credentials, notification};

/// Answers as Slack does: names become ids, and every message has its time.
fn fine(call: &Call) -> Response {
    let body = call.json();
    let ts = body["ts"].as_str().unwrap_or("1788256800.000100").to_owned();
    axum::Json(json!({ "ok": true, "channel": "C024", "ts": ts, "message": body })).into_response()
}

fn error(word: &str) -> Response {
    axum::Json(json!({ "ok": false, "error": word })).into_response()
}

async fn send(slack: &Receiver, payload: Payload<'_>, thread_ref: Option<&str>) -> SendResult {
    chassis::install_cryptography();
    let credentials = credentials(&[("api_url", &slack.url("/api/"))], &[("token", "xoxb-1")]);
    let sender = SlackSender::new("https://reveille.example").unwrap();
    sender
        .send(&SendRequest {
            payload,
            destination: "#ops",
            credentials: &credentials,
            thread_ref,
        })
        .await
}

/// Method, channel and what it refers to, for each call.
fn spoken(slack: &Receiver) -> Vec<(String, Value, Value)> {
    let calls = slack.calls();
    let refers = |body: &Value| {
        if body["thread_ts"].is_null() {
            body["ts"].clone()
        } else {
            body["thread_ts"].clone()
        }
    };
    calls
        .iter()
        .map(|call| {
            (
                call.path.clone(),
                call.json()["channel"].clone(),
                refers(&call.json()),
            )
        })
        .collect()
}

fn reference(text: &str) -> SendResult {
    SendResult::Sent {
        reference: Some(text.to_owned()),
    }
}

#[tokio::test]
async fn an_open_posts_and_the_rest_edits_and_answers_in_the_thread() {
    let slack = Receiver::start(fine).await;
    let open = notification(7, NotificationKind::Open);
    assert_eq!(
        send(&slack, Payload::One(&open), None).await,
        reference("C024:1788256800.000100")
    );
    let call = slack.calls().remove(0);
    assert_eq!(call.header("authorization"), "Bearer xoxb-1");
    assert_eq!(
        call.json()["text"],
        "[critical] Größe of /var: opened by somebody"
    );

    let close = notification(7, NotificationKind::Close);
    let first = "C024:1788256800.000100";
    assert_eq!(
        send(&slack, Payload::One(&close), Some(first)).await,
        reference(first)
    );
    let ts = json!("1788256800.000100");
    assert_eq!(
        spoken(&slack),
        [
            ("/api/chat.postMessage".to_owned(), json!("#ops"), Value::Null),
            ("/api/chat.update".to_owned(), json!("C024"), ts.clone()),
            ("/api/chat.postMessage".to_owned(), json!("C024"), ts),
        ]
    );
    assert_eq!(
        slack.calls()[2].json()["text"],
        "*[closed] Größe of /var*\nclosed by somebody"
    );
}

#[tokio::test]
async fn new_texts_only_edit() {
    let slack = Receiver::start(fine).await;
    let mut update = notification(7, NotificationKind::Update);
    update.cause = HistoryKind::Updated;
    send(&slack, Payload::One(&update), Some("C024:1.2")).await;
    assert_eq!(
        spoken(&slack),
        [("/api/chat.update".to_owned(), json!("C024"), json!("1.2"))]
    );
}

#[tokio::test]
async fn a_message_that_was_deleted_does_not_hide_the_end() {
    let slack = Receiver::start(|call| {
        if call.path.ends_with("update") {
            error("message_not_found")
        } else {
            fine(call)
        }
    })
    .await;
    let close = notification(7, NotificationKind::Close);
    let answer = send(&slack, Payload::One(&close), Some("C024:1.2")).await;
    assert_eq!(answer, reference("C024:1788256800.000100"));
    assert_eq!(
        spoken(&slack)[1],
        ("/api/chat.postMessage".to_owned(), json!("#ops"), Value::Null)
    );
}

#[tokio::test]
async fn a_retry_after_half_the_work_leads_to_the_same_edit() {
    let slack = Receiver::start(|call| {
        if call.json()["thread_ts"].is_null() {
            fine(call)
        } else {
            error("service_unavailable")
        }
    })
    .await;
    let close = notification(7, NotificationKind::Close);
    for _ in 0..2 {
        let answer = send(&slack, Payload::One(&close), Some("C024:1.2")).await;
        assert!(
            matches!(
                answer,
                SendResult::Transient {
                    maybe_delivered: false,
                    ..
                }
            ),
            "{answer:?}"
        );
    }
    let calls = slack.calls();
    assert_eq!((calls.len(), &calls[0].body), (4, &calls[2].body));
}

#[tokio::test]
async fn a_digest_is_one_message_and_what_follows_is_said_in_its_thread() {
    let slack = Receiver::start(fine).await;
    let storm: Vec<Notification> = (0..30)
        .map(|alert| notification(alert, NotificationKind::Open))
        .collect();
    let answer = send(
        &slack,
        Payload::Digest {
            id: Uuid::nil(),
            of: &storm,
        },
        None,
    )
    .await;
    assert_eq!(answer, reference("digest:C024:1788256800.000100"));
    let close = notification(7, NotificationKind::Close);
    let answer = send(
        &slack,
        Payload::One(&close),
        Some("digest:C024:1788256800.000100"),
    )
    .await;
    assert_eq!(answer, reference("digest:C024:1788256800.000100"));
    let last = spoken(&slack).remove(1);
    assert_eq!(
        last,
        (
            "/api/chat.postMessage".to_owned(),
            json!("C024"),
            json!("1788256800.000100")
        )
    );
}

#[tokio::test]
async fn a_rate_limit_and_a_wrong_token_are_understood() {
    let limited = |_: &Call| {
        (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, "30")],
            "{\"ok\":false}",
        )
    };
    let open = notification(7, NotificationKind::Open);
    match send(&Receiver::start(limited).await, Payload::One(&open), None).await {
        SendResult::Transient {
            after,
            maybe_delivered: false,
            ..
        } => assert_eq!(after, Some(Duration::from_secs(30))),
        other => panic!("{other:?}"),
    }
    let refused = send(
        &Receiver::start(|_| error("invalid_auth")).await,
        Payload::One(&open),
        None,
    )
    .await;
    assert_eq!(
        refused,
        SendResult::BadCredentials("Slack says invalid_auth".to_owned())
    );
}
