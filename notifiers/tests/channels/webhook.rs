//! Webhooks over real HTTP.

use std::time::Duration;

use axum::http::{StatusCode, header};
use notifiers::channels::webhook::WebhookSender;
use notifiers::credentials::Credentials;
use notifiers::sender::{Payload, SendRequest, SendResult, Sender};
use pipeline::Clock;
use schemas::NotificationKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::http::Receiver;
use crate::support::{credentials, notification};

fn sender(allow_private: bool) -> WebhookSender {
    chassis::install_cryptography();
    let clock = Clock::simulated("2026-09-01T10:00:05Z".parse().unwrap());
    WebhookSender::new("https://reveille.example", allow_private, clock).unwrap()
}

async fn send(sender: &WebhookSender, destination: &str, credentials: &Credentials) -> SendResult {
    let open = notification(7, NotificationKind::Open);
    let payload = Payload::One(&open);
    sender
        .send(&SendRequest {
            payload,
            destination,
            credentials,
            thread_ref: None,
        })
        .await
}

async fn send_unsigned(destination: &str) -> SendResult {
    send(&sender(true), destination, &Credentials::default()).await
}

#[tokio::test]
async fn a_call_is_signed_and_says_what_happened() {
    let receiver = Receiver::start(|_| StatusCode::NO_CONTENT).await;
    let secret = credentials(
        &[],
        &[("signing_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
    );
    let answer = send(&sender(true), &receiver.url("/hook?a=1"), &secret).await;
    assert_eq!(answer, SendResult::Sent { reference: None });
    let call = receiver.calls().remove(0);
    assert_eq!(call.header("webhook-id"), "00000000-0000-0000-0000-000000000701");
    assert_eq!(call.header("webhook-timestamp"), "1788256805");
    assert!(call.header("webhook-signature").starts_with("v1,"));
    assert_eq!(call.header("content-type"), "application/json");
    let body = call.json();
    assert_eq!(
        (&body["type"], &body["data"]["object"]),
        (&"alert.opened".into(), &"web-7".into())
    );
}

#[tokio::test]
async fn without_a_secret_it_is_not_signed_and_with_a_wrong_one_not_sent() {
    let receiver = Receiver::start(|_| StatusCode::OK).await;
    assert_eq!(
        send_unsigned(&receiver.url("/")).await,
        SendResult::Sent { reference: None }
    );
    assert_eq!(receiver.calls()[0].header("webhook-signature"), "");
    let answer = send(
        &sender(true),
        &receiver.url("/"),
        &credentials(&[], &[("signing_secret", "whsec_?")]),
    )
    .await;
    assert!(matches!(answer, SendResult::BadCredentials(_)), "{answer:?}");
    assert_eq!(receiver.calls().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let receiver =
        Receiver::start(|_| (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "/elsewhere")])).await;
    let answer = send_unsigned(&receiver.url("/")).await;
    assert!(matches!(answer, SendResult::Refused(_)), "{answer:?}");
    assert_eq!(receiver.calls().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_wants_a_rest_gets_it_and_a_long_answer_is_cut() {
    let receiver = Receiver::start(|_| {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "Tue, 01 Sep 2026 10:00:35 GMT")],
            "x".repeat(1 << 20),
        )
    })
    .await;
    match send_unsigned(&receiver.url("/")).await {
        SendResult::Transient {
            after: Some(after),
            error,
            maybe_delivered: false,
        } => {
            assert!(
                after > Duration::from_secs(25) && after <= Duration::from_secs(30),
                "{after:?}"
            );
            assert!(error.starts_with("HTTP 503") && error.len() < 400, "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn private_addresses_are_refused_by_number_and_by_name_unless_allowed() {
    let receiver = Receiver::start(|_| StatusCode::OK).await;
    let strict = sender(false);
    let urls = [
        receiver.url("/"),
        format!("http://localhost:{}/", receiver.port()),
        format!("http://[::ffff:127.0.0.1]:{}/", receiver.port()),
        format!("http://2130706433:{}/", receiver.port()),
    ];
    for url in &urls {
        match send(&strict, url, &Credentials::default()).await {
            SendResult::BadDestination(error) => {
                assert!(error.contains("not a public address"), "{url}: {error}")
            }
            other => panic!("{url}: {other:?}"),
        }
    }
    assert_eq!(receiver.calls().len(), 0);
    assert_eq!(
        send_unsigned(&urls[1]).await,
        SendResult::Sent { reference: None }
    );
}

#[tokio::test]
async fn what_is_no_address_for_a_webhook_is_said() {
    for destination in ["", "hook", "ftp://a.example/", "file:///etc/passwd", "http://"] {
        let answer = send_unsigned(destination).await;
        assert!(
            matches!(answer, SendResult::BadDestination(_)),
            "{destination}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_closed_door_took_nothing_but_a_line_that_breaks_may_have() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/?token=secret", listener.local_addr().unwrap());
    let breaks = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 100]).await.unwrap();
    });
    let perhaps = |answer| match answer {
        SendResult::Transient {
            error,
            maybe_delivered,
            ..
        } => {
            assert!(!error.contains("secret"), "{error}");
            maybe_delivered
        }
        other => panic!("{other:?}"),
    };
    assert!(perhaps(send_unsigned(&url).await));
    breaks.await.unwrap();
    assert!(!perhaps(send_unsigned(&url).await));
}

/// A receiver that accepts a call, says this, and then a letter a second for ever, if `trickles`.
async fn slow_receiver(says: &'static str, trickles: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 100]).await.unwrap();
        stream.write_all(says.as_bytes()).await.unwrap();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if trickles && stream.write_all(b"x").await.is_err() {
                return;
            }
        }
    });
    address.to_string()
}

#[tokio::test(start_paused = true)]
async fn l9_a_receiver_that_does_not_end_its_answer_is_left_after_some_seconds() {
    let taken = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    let (seconds_5, seconds_15) = (4..=6, 14..=16);
    let cases = [
        (taken, true, &seconds_5, true),
        (taken, false, &seconds_5, true),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            false,
            &seconds_5,
            true,
        ),
        ("HTTP/1.1 200 OK\r\nx-header: ", true, &seconds_15, false),
        ("", false, &seconds_15, false),
    ];
    for (says, trickles, within, is_sent) in cases {
        let url = format!("http://{}/", slow_receiver(says, trickles).await);
        let begun = tokio::time::Instant::now();
        let answer = send_unsigned(&url).await;
        let took = begun.elapsed().as_secs();
        assert!(within.contains(&took), "{says:?} took {took} s");
        assert_eq!(
            matches!(answer, SendResult::Sent { .. }),
            is_sent,
            "{says:?}: {answer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn l9_a_receiver_that_does_not_shake_hands_has_taken_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let begun = tokio::time::Instant::now();
    let answer = send_unsigned(&url).await;
    assert!(
        (4..=6).contains(&begun.elapsed().as_secs()),
        "{:?}",
        begun.elapsed()
    );
    let nothing = matches!(
        answer,
        SendResult::Transient {
            maybe_delivered: false,
            ..
        }
    );
    assert!(nothing, "{answer:?}");
}
