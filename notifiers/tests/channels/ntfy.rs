//! ntfy over real HTTP.

use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use notifiers::channels::ntfy::NtfySender;
use notifiers::credentials::Credentials;
use notifiers::sender::{Payload, SendRequest, SendResult, Sender};
use pipeline::Clock;
use schemas::NotificationKind;
use serde_json::json;
use uuid::Uuid;

use crate::support::http::Receiver;
use crate::support::{credentials, notification};

async fn send(allow_private: bool, payload: Payload<'_>, credentials: &Credentials) -> SendResult {
    chassis::install_cryptography();
    let clock = Clock::simulated("2026-09-01T10:00:05Z".parse().unwrap());
    let sender = NtfySender::new("https://reveille.example", allow_private, clock).unwrap();
    let request = SendRequest {
        payload,
        destination: "ops-x7Kq2",
        credentials,
        thread_ref: None,
    };
    sender.send(&request).await
}

async fn send_open(credentials: &Credentials) -> SendResult {
    let open = notification(7, NotificationKind::Open);
    send(true, Payload::One(&open), credentials).await
}

/// A bot with this server, whose address a person may write with or without the last slash.
fn bot(server: &str) -> Credentials {
    credentials(&[("server", server)], &[("token", "tk_secret")])
}

#[tokio::test]
async fn a_message_is_published_as_json_with_the_bots_token() {
    let server = Receiver::start(|_| Json(json!({ "id": "Kx3", "event": "message" }))).await;
    for path in ["", "/"] {
        let result = send_open(&bot(&server.url(path))).await;
        let reference = Some("Kx3".to_owned());
        assert_eq!(result, SendResult::Sent { reference });
    }
    let call = server.calls().remove(1);
    assert_eq!(
        (call.path.as_str(), call.header("authorization")),
        ("/", "Bearer tk_secret")
    );
    let body = call.json();
    assert_eq!(
        (&body["topic"], &body["title"], &body["priority"]),
        (&"ops-x7Kq2".into(), &"[critical] Größe of /var".into(), &4.into())
    );
    assert_eq!(
        body["click"],
        "https://reveille.example/#alert=00000000000000000000000000000007"
    );
    assert_eq!(body["sequence_id"], "00000000000000000000000000000007-1");
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .starts_with("/var is 97 % full\n"),
        "{body}"
    );
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_as_one_and_a_digest_is_one_message() {
    let server = Receiver::start(|_| Json(json!({ "id": "Kx4" }))).await;
    let anonymous = credentials(&[("server", &server.url("/"))], &[]);
    let storm: Vec<_> = (0..12)
        .map(|alert| notification(alert, NotificationKind::Open))
        .collect();
    let digest = Payload::Digest {
        id: Uuid::from_u128(7),
        of: &storm,
    };
    let result = send(true, digest, &anonymous).await;
    assert!(matches!(result, SendResult::Sent { .. }), "{result:?}");
    let calls = server.calls();
    assert_eq!((calls.len(), calls[0].header("authorization")), (1, ""));
    assert_eq!(calls[0].json()["title"], "[critical] 12 alerts have opened");
}

#[tokio::test]
async fn a_server_that_limits_the_rate_gets_its_pause_and_one_that_refuses_the_token_is_named() {
    let server = Receiver::start(|_| {
        let error = json!({ "code": 42901, "http": 429, "error": "limit reached" });
        (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, "5")],
            Json(error),
        )
            .into_response()
    })
    .await;
    match send_open(&bot(&server.url("/"))).await {
        SendResult::Transient {
            after: Some(after),
            maybe_delivered: false,
            ..
        } => assert_eq!(after, Duration::from_secs(5)),
        other => panic!("{other:?}"),
    }
    let server = Receiver::start(|_| {
        let error = json!({ "code": 40301, "http": 403, "error": "forbidden" });
        (StatusCode::FORBIDDEN, Json(error)).into_response()
    })
    .await;
    match send_open(&bot(&server.url("/"))).await {
        SendResult::BadCredentials(error) => {
            assert!(
                error.contains("forbidden") && !error.contains("tk_secret"),
                "{error}"
            )
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_at_a_private_address_is_refused_unless_allowed_and_a_wrong_address_is_named() {
    let server = Receiver::start(|_| StatusCode::OK).await;
    let open = notification(7, NotificationKind::Open);
    let by_name = format!("http://localhost:{}/", server.port());
    for url in [server.url("/"), by_name] {
        match send(false, Payload::One(&open), &bot(&url)).await {
            SendResult::BadCredentials(error) => {
                assert!(error.contains("not a public address"), "{url}: {error}")
            }
            other => panic!("{url}: {other:?}"),
        }
    }
    for wrong in ["ntfy", "ftp://ntfy.example/"] {
        match send_open(&bot(wrong)).await {
            SendResult::BadCredentials(error) => {
                assert!(error.starts_with("`server` of the ntfy bot"), "{wrong}: {error}")
            }
            other => panic!("{wrong}: {other:?}"),
        }
    }
    assert_eq!(server.calls().len(), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed_since_it_would_take_the_token_elsewhere() {
    let server =
        Receiver::start(|_| (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "/elsewhere")])).await;
    let result = send_open(&bot(&server.url("/"))).await;
    assert!(matches!(result, SendResult::BadCredentials(_)), "{result:?}");
    assert_eq!(server.calls().len(), 1);
}
