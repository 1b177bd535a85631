//! Mail over real SMTP, to a sink.

use notifiers::channels::email::EmailSender;
use notifiers::credentials::Credentials;
use notifiers::sender::{Payload, SendRequest, SendResult, Sender};
use schemas::NotificationKind;

use crate::support::smtp::SmtpSink;
use crate::support::{credentials, notification};

fn bot(sink: &SmtpSink) -> Credentials {
    let settings = [
        ("host", "127.0.0.1"),
        ("port", &sink.port()),
        ("tls", "none"),
        ("from", "Reveille <r@example.org>"),
    ];
    credentials(&settings, &[])
}

async fn send(
    sender: &EmailSender,
    kind: NotificationKind,
    to: &str,
    credentials: &Credentials,
) -> SendResult {
    let notification = notification(7, kind);
    sender
        .send(&SendRequest {
            payload: Payload::One(&notification),
            destination: to,
            credentials,
            thread_ref: None,
        })
        .await
}

async fn send_open(sink: &SmtpSink, to: &str) -> SendResult {
    send(
        &EmailSender::new("https://reveille.example"),
        NotificationKind::Open,
        to,
        &bot(sink),
    )
    .await
}

#[tokio::test]
async fn the_mails_of_an_alert_are_one_thread_on_one_connection() {
    let sink = SmtpSink::start(&[]).await;
    let sender = EmailSender::new("https://reveille.example");
    let id = |sequence: u32| format!("<{:032x}.1.{sequence}@example.org>", 7);
    for (kind, sequence) in [(NotificationKind::Open, 1), (NotificationKind::Close, 3)] {
        let answer = send(&sender, kind, "ann@example.org", &bot(&sink)).await;
        assert_eq!(
            answer,
            SendResult::Sent {
                reference: Some(id(sequence))
            }
        );
        // The library gives the connection back in a task of its own, which is ready.
        tokio::task::yield_now().await;
    }
    sink.read(|seen| {
        assert_eq!((seen.mails.len(), seen.connections), (2, 1));
        let [open, close] = seen.mails.as_slice() else {
            panic!("{seen:?}")
        };
        assert_eq!(
            (open.from.as_str(), open.to.as_slice()),
            ("r@example.org", &["ann@example.org".to_owned()][..])
        );
        assert_eq!(
            (open.header("Message-ID"), open.header("In-Reply-To")),
            (id(1), String::new())
        );
        assert_eq!(
            (close.header("Message-ID"), close.header("In-Reply-To")),
            (id(3), id(1))
        );
        assert_eq!(close.header("References"), id(1));
        assert_eq!(open.header("Auto-Submitted"), "auto-generated");
        assert_eq!(open.header("Date"), "Tue, 01 Sep 2026 10:00:00 +0000");
        assert!(
            open.header("Subject").contains("=?utf-8?"),
            "{}",
            open.header("Subject")
        );
        assert!(open.data.contains("multipart/alternative"), "{}", open.data);
    });
}

#[tokio::test]
async fn the_replies_of_the_server_are_understood() {
    type Expected = fn(&SendResult) -> bool;
    let table: [(&'static str, &'static str, Expected); 7] = [
        ("RCPT", "550 5.1.1 no such user", |answer| {
            matches!(answer, SendResult::BadDestination(_))
        }),
        ("RCPT", "451 4.7.1 greylisted", |answer| {
            matches!(
                answer,
                SendResult::Transient {
                    maybe_delivered: false,
                    ..
                }
            )
        }),
        ("MAIL", "530 5.7.0 authentication required", |answer| {
            matches!(answer, SendResult::BadCredentials(_))
        }),
        (".", "554 5.7.1 spam", |answer| {
            matches!(answer, SendResult::Refused(_))
        }),
        (".", "452 4.3.1 disk full", |answer| {
            matches!(
                answer,
                SendResult::Transient {
                    maybe_delivered: false,
                    ..
                }
            )
        }),
        (".", "hang up", |answer| {
            matches!(
                answer,
                SendResult::Transient {
                    maybe_delivered: true,
                    ..
                }
            )
        }),
        ("EHLO", "421 going down", |answer| {
            matches!(
                answer,
                SendResult::Transient {
                    maybe_delivered: false,
                    ..
                }
            )
        }),
    ];
    for (verb, reply, expected) in table {
        let sink = SmtpSink::start(&[(verb, reply)]).await;
        let answer = send_open(&sink, "ann@example.org").await;
        assert!(expected(&answer), "{verb} {reply}: {answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_missing_encryption_are_matters_of_the_bot() {
    let sink = SmtpSink::start(&[("AUTH", "535 5.7.8 no")]).await;
    let sender = EmailSender::new("https://reveille.example");
    let settings = |tls| {
        [
            ("host", "127.0.0.1"),
            ("tls", tls),
            ("from", "r@example.org"),
            ("username", "u"),
        ]
    };
    for tls in ["none", "starttls"] {
        let port = sink.port();
        let settings: Vec<_> = settings(tls)
            .into_iter()
            .chain([("port", port.as_str())])
            .collect();
        chassis::install_cryptography();
        let bot = credentials(&settings, &[("password", "p")]);
        let answer = send(&sender, NotificationKind::Open, "ann@example.org", &bot).await;
        assert!(
            matches!(answer, SendResult::BadCredentials(_)),
            "{tls}: {answer:?}"
        );
    }
    sink.read(|seen| assert_eq!(seen.mails.len(), 0));
}

#[tokio::test]
async fn a_closed_door_took_nothing() {
    let sink = SmtpSink::start(&[]).await;
    let port = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port().to_string()
    };
    let sender = EmailSender::new("https://reveille.example");
    let settings = [
        ("host", "127.0.0.1"),
        ("port", port.as_str()),
        ("tls", "none"),
        ("from", "r@example.org"),
    ];
    let answer = send(
        &sender,
        NotificationKind::Open,
        "ann@example.org",
        &credentials(&settings, &[]),
    )
    .await;
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
    for to in [
        "",
        "ann",
        "ann@example.org\r\nBcc: all@example.org",
        "a b@example.org",
    ] {
        let answer = send_open(&sink, to).await;
        assert!(
            matches!(answer, SendResult::BadDestination(_)),
            "{to:?}: {answer:?}"
        );
    }
}
