//! Messages that were signed with a key made for this, and an SNS that is a server here.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode, Uri};
use chassis::server;
use chassis::tls::{Tls, TlsFiles};
use rcgen::{CertificateParams, KeyPair};
use reqwest::Certificate;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;

const CERTIFICATE: &str = include_str!("tests/certificate.pem");
const MESSAGE: &str = include_str!("tests/notification-2.json");
const CONFIRMATION: &str = include_str!("tests/confirmation.json");
const CONFIRMATION_ELSEWHERE: &str = include_str!("tests/confirmation-elsewhere.json");
const HOST: &str = "sns.eu-west-1.amazonaws.com";

/// What SNS was asked for.
#[derive(Default)]
pub(crate) struct RoutingHints {
    certificates: AtomicUsize,
    pub(crate) confirmations: AtomicUsize,
}

/// One that asks a server here, as if it were SNS.
pub(crate) async fn simulated(certificate: &'static str) -> (Sns, Arc<RoutingHints>) {
    chassis::install_cryptography();
    let asked = Arc::new(RoutingHints::default());
    let seen = Arc::clone(&asked);
    let answer = move |uri: Uri| async move {
        if uri.path().ends_with(".pem") {
            seen.certificates.fetch_add(1, Ordering::Relaxed);
            return (StatusCode::OK, certificate);
        }
        seen.confirmations.fetch_add(1, Ordering::Relaxed);
        (StatusCode::OK, "<ConfirmSubscriptionResponse/>")
    };
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([HOST.to_owned()]).unwrap();
    let issued = params.self_signed(&key).unwrap().pem();
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        certificate: folder.path().join("certificate"),
        key: folder.path().join("key"),
        clients: None,
    };
    fs::write(&files.certificate, &issued).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    let tls = Tls::load(files).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().fallback(answer);
    tokio::spawn(server::serve_secured(
        listener,
        chassis::connections::ConnectionLimits::new(
            &chassis::settings::Settings::default(),
            1024,
            &pipeline::metrics::Metrics::new(),
        )
        .http(),
        Some(tls),
        routes,
        CancellationToken::new(),
    ));
    let trusted = Certificate::from_pem(issued.as_bytes()).unwrap();
    let client = client_builder()
        .no_proxy()
        .resolve(HOST, address)
        .tls_certs_only([trusted])
        .build()
        .unwrap();
    let sns = Sns {
        client: OnceLock::from(client),
        ..Sns::default()
    };
    (sns, asked)
}

async fn proven(sns: &Sns, integration: &str, body: &str) -> Result<Proven, SnsError> {
    let topics = ["arn:aws:sns:*:123456789012:ops".to_owned()];
    sns.prove(integration, &topics, body.as_bytes()).await
}

#[tokio::test]
async fn a_message_is_taken_once_for_each_integration_and_the_certificate_is_asked_for_once() {
    let (sns, asked) = simulated(CERTIFICATE).await;
    for _ in 0..2 {
        // Until it is safe it is no repetition.
        assert!(matches!(proven(&sns, "a", MESSAGE).await, Ok(Proven::Message(_))));
    }
    let Ok(Proven::Message(message)) = proven(&sns, "a", MESSAGE).await else {
        panic!("it is proven");
    };
    sns.remember(message);
    let Ok(Proven::Done(warning)) = proven(&sns, "a", MESSAGE).await else {
        panic!("it is a repetition");
    };
    assert!(warning.contains("accepted before"), "{warning}");
    assert!(matches!(proven(&sns, "b", MESSAGE).await, Ok(Proven::Message(_))));
    assert_eq!(asked.certificates.load(Ordering::Relaxed), 1);
}

#[test]
fn the_oldest_messages_are_forgotten() {
    let sns = Sns::default();
    let message = |number: usize| Message {
        integration: "a".to_owned(),
        id: number.to_string(),
    };
    for number in 0..=MAX_REMEMBERED_MESSAGES {
        sns.remember(message(number));
        sns.remember(message(number));
    }
    let remembered = locked(&sns.remembered);
    assert_eq!(remembered.messages.len(), MAX_REMEMBERED_MESSAGES);
    assert!(!remembered.messages.contains(&message(0)) && remembered.messages.contains(&message(1)));
}

#[tokio::test]
async fn a_subscription_to_an_allowed_topic_is_confirmed_at_sns_and_nowhere_else() {
    let (sns, asked) = simulated(CERTIFICATE).await;
    assert!(matches!(
        proven(&sns, "a", CONFIRMATION).await,
        Ok(Proven::Done(_))
    ));
    assert_eq!(asked.confirmations.load(Ordering::Relaxed), 1);
    let elsewhere = proven(&sns, "a", CONFIRMATION_ELSEWHERE).await;
    assert!(matches!(elsewhere, Err(SnsError::Address(_))), "{elsewhere:?}");
    let forged = CONFIRMATION.replace("Token=2336412f37", "Token=1");
    assert_eq!(proven(&sns, "a", &forged).await, Err(SnsError::Wrong));
    let other = sns.prove("a", &[], CONFIRMATION.as_bytes()).await;
    assert!(matches!(other, Err(SnsError::Topic(_))), "{other:?}");
    assert_eq!(asked.confirmations.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_is_no_certificate_proves_nothing_and_an_sns_that_is_away_is_waited_for() {
    let (sns, _) = simulated("not a certificate").await;
    let error = proven(&sns, "a", MESSAGE).await.unwrap_err();
    assert!(matches!(error, SnsError::Certificate(_)), "{error}");

    chassis::install_cryptography();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let client = client_builder().no_proxy().resolve(HOST, nobody);
    let away = Sns {
        client: OnceLock::from(client.build().unwrap()),
        ..Sns::default()
    };
    let error = proven(&away, "a", MESSAGE).await.unwrap_err();
    assert_eq!(error.code(), "sns_unavailable");
}
