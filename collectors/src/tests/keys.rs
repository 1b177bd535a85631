//! What is known of a key, and what becomes of it.

use schemas::config::{KeyTerms, Limits};

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_done_with_a_key_is_told() {
    let world = World::new();
    world.post(API, json!([alert("a"), alert("b")]).to_string()).await;
    world
        .post("/monitoring-system/api?integration_key=guessed", "{}")
        .await;
    let refused = world.post(API, "not json").await;
    let used_at = world.context.clock.now();
    let usage = world.usage("api-key").await.unwrap();
    assert_eq!((usage.accepted, usage.alerts, usage.last_used), (1, 2, used_at));
    assert_eq!(json!(usage.refused), json!({ "malformed": 1 }));
    let refusal = usage.last_refusal.clone().unwrap();
    assert_eq!(
        (refusal.reason.as_str(), refusal.message.as_str(), refusal.at),
        ("malformed", refused.message(), used_at)
    );
    assert_eq!(world.usage("guessed").await, None, "nobody can fill the topic");

    let offset = || world.log.records(Topic::INTEGRATIONS_USAGE)[0].offset;
    let told = offset();
    assert_eq!(world.usage("api-key").await, Some(usage));
    assert_eq!(offset(), told, "only what has changed is told");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_told_is_told_with_what_is_new() {
    let world = World::new();
    assert!(world.works().await);
    world.log.set_available(false);
    world.post(API, alert("disk").to_string()).await;
    assert_eq!(world.usage("api-key").await, None);
    world.log.set_available(true);
    assert!(world.works().await);
    let usage = world.usage("api-key").await.unwrap();
    assert_eq!(usage.accepted, 2);
    assert_eq!(json!(usage.refused), json!({ "log_unavailable": 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_refused_from_when_it_expires_on_and_the_one_that_replaces_it_is_not() {
    let world = World::new();
    let expires = world.context.clock.now() + jiff::SignedDuration::from_secs(60);
    world.change("api", |integration| {
        let terms = KeyTerms {
            name: "2026".to_owned(),
            created: None,
            expires: Some(expires),
        };
        integration.key_hashes.push(key_hash("old-key"));
        integration.key_terms = [(key_hash("old-key"), terms)].into();
    });
    let old = "/monitoring-system/api?integration_key=old-key";
    let post = || world.post(old, alert("disk").to_string());
    assert_eq!(post().await.status, StatusCode::OK);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let answer = post().await;
    assert_eq!(answer.error(), (401, "key_expired"));
    assert!(
        answer
            .message()
            .starts_with("the key \"2026\" of integration \"my-api\" has expired at "),
        "{}",
        answer.message()
    );
    assert!(world.works().await);
    assert_eq!(world.counted("api", "key_expired"), 1.0);
    let usage = world.usage("old-key").await.unwrap();
    assert_eq!((usage.accepted, usage.refused["key_expired"]), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn who_sends_too_much_is_told_when_to_come_again_and_what_is_critical_passes() {
    let world = World::new();
    world.change("api", |integration| {
        integration.limits = Limits {
            rate: 1,
            burst: 10,
            ..Limits::default()
        };
    });
    let harmless = |number: usize| {
        let mut alert = alert("disk");
        alert["alert_severity"] = json!("warning");
        Value::from(vec![alert; number]).to_string()
    };
    assert_eq!(world.post(API, harmless(8)).await.status, StatusCode::OK);
    let limited = world.post(API, harmless(4)).await;
    assert_eq!(limited.error(), (429, "rate_limited"));
    assert_eq!(limited.headers["retry-after"], "4");
    assert!(
        limited.message().contains("1 alerts a second and 10 at once"),
        "{}",
        limited.message()
    );
    assert_eq!(
        world.post(API, "not json").await.error(),
        (429, "rate_limited"),
        "what is refused counts"
    );
    assert!(world.works().await, "it is critical");
    assert!(world.works().await);
    assert!(!world.works().await, "the reserve is used up");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.post(API, harmless(4)).await.status, StatusCode::OK);
    assert_eq!((world.collected().len(), world.rejected().len()), (14, 0));
    let usage = world.usage("api-key").await.unwrap();
    assert_eq!(json!(usage.refused), json!({ "rate_limited": 3 }));
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_own_share() {
    let world = World::new();
    world.change("api", |integration| {
        integration.key_hashes.push(key_hash("second-key"));
        integration.limits = Limits {
            rate: 1,
            burst: 1,
            ..Limits::default()
        };
    });
    assert!(world.works().await);
    assert!(!world.works().await);
    let second = "/monitoring-system/api?integration_key=second-key";
    assert_eq!(
        world.post(second, alert("disk").to_string()).await.status,
        StatusCode::OK
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_kept_counts_though_it_was_taken() {
    let world = World::new();
    world.change("prometheus", |integration| {
        integration.limits = Limits {
            rate: 1,
            burst: 1,
            ..Limits::default()
        };
    });
    let address = "/api/v2/alerts?integration_key=prometheus-key";
    for status in [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(world.post(address, "[{}]").await.status, status);
    }
    assert_eq!(world.rejected().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn bodies_larger_than_their_integration_may_send_are_refused_and_kept() {
    let world = World::new();
    world.change("api", |integration| {
        integration.limits = Limits {
            body_bytes: 2_000,
            alerts_per_body: 3,
            ..Limits::default()
        };
    });
    let answer = world.post(API, "x".repeat(2_001)).await;
    assert_eq!(answer.error(), (413, "too_large"));
    assert!(
        answer.message().contains("more than 2000 bytes"),
        "{}",
        answer.message()
    );
    let packed = world.post_gzip(gzip(&[b' '; 2_001])).await;
    assert!(
        packed.message().contains("2000 bytes when it is unpacked"),
        "{}",
        packed.message()
    );
    let answer = world
        .post(API, Value::from(vec![alert("a"); 4]).to_string())
        .await;
    assert_eq!(answer.error(), (413, "too_many_alerts"));
    assert!(
        answer.message().contains("4 alerts, and 3 are allowed"),
        "{}",
        answer.message()
    );
    assert_eq!((world.collected().len(), world.rejected().len()), (0, 3));
    let answer = world
        .post(API, Value::from(vec![alert("a"); 3]).to_string())
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_of_a_key_is_told_when_the_collector_ends() {
    let world = World::new();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.works().await);
    world.context.shutdown.cancel();
    world.collectors.clone().report_usage().await;
    let told = world.log.records(Topic::INTEGRATIONS_USAGE);
    let usage: KeyUsage = serde_json::from_slice(told[0].value.as_ref().unwrap()).unwrap();
    assert_eq!((usage.key_hash, usage.accepted), (key_hash("api-key"), 1));
}

#[tokio::test(start_paused = true)]
async fn what_its_sender_must_sign_is_taken_only_with_a_signature() {
    let world = World::new();
    let sealed = |secrets: [&str; 2]| secrets.map(|secret| SITE_KEY.seal(secret).unwrap()).to_vec();
    world.change("any", |integration| {
        integration.sealed_signing_secrets = sealed(["an older secret", "client secret"])
    });
    let body = include_str!("../../../sources/examples/sentry/installation.json");
    let post = async |signature: Option<&str>| {
        let request = Request::post("/monitoring-system/sentry?integration_key=any-key");
        let request = signature.into_iter().fold(request, |request, signature| {
            request.header("sentry-hook-signature", signature)
        });
        world.send(request.body(body.into()).unwrap()).await
    };
    let good = "89f9bf820f21cd8b41cc23ac46e084aad5d35ad425305f786cc0bdcafdd23645";
    assert_eq!(post(Some(good)).await.status, StatusCode::OK);
    let wrong = "00".repeat(32);
    for (signature, code) in [
        (None, "signature_missing"),
        (Some(wrong.as_str()), "signature_wrong"),
    ] {
        let answer = post(signature).await;
        assert_eq!(answer.error(), (401, code));
        assert_eq!(world.counted("sentry", code), 1.0);
    }
    let too_large = world
        .post(
            "/monitoring-system/sentry?integration_key=any-key",
            vec![b' '; crate::intake::body::MAX_BODY_BYTES + 1],
        )
        .await;
    assert_eq!(too_large.error(), (413, "too_large"));
    assert!(world.rejected().is_empty(), "nobody proved to have sent them");
    // What was proven once, kept, and is posted again by an operator.
    for (of, status) in [("my-any", StatusCode::OK), ("other", StatusCode::UNAUTHORIZED)] {
        let request = Request::post("/monitoring-system/sentry?integration_key=any-key");
        let voucher = SITE_KEY.vouch(of, body.as_bytes()).unwrap();
        let request = request.header("reveille-voucher", voucher);
        let answer = world.send(request.body(body.into()).unwrap()).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let usage = world.usage("any-key").await.unwrap();
    assert_eq!(
        json!(usage.refused),
        json!({ "signature_missing": 1, "signature_wrong": 2, "too_large": 1 })
    );

    let other = SiteKey::from_bytes([8; 32]).seal("client secret").unwrap();
    world.change("any", |integration| {
        integration.sealed_signing_secrets = vec![other]
    });
    let answer = post(Some(good)).await;
    assert_eq!(answer.error(), (503, "no_signing_secret"));
    assert!(
        answer.message().contains("sealed with another key"),
        "{}",
        answer.message()
    );
}

#[tokio::test]
async fn what_comes_by_sns_is_taken_once_when_sns_has_signed_it() {
    let message = include_str!("../intake/sns/tests/notification-2.json");
    let (sns, asked) =
        crate::intake::sns::tests::simulated(include_str!("../intake/sns/tests/certificate.pem")).await;
    let log = SimulatedLog::new(1);
    let world = World::with(log.clone(), Arc::new(log), sns, BUDGET_BYTES);
    world.change("any", |integration| {
        integration.sns_topics = vec!["arn:aws:sns:*:123456789012:ops".to_owned()];
    });
    let post = |body: String| world.post("/monitoring-system/cloudwatch?integration_key=any-key", body);
    assert_eq!(post(message.to_owned()).await.body["accepted"], 1);
    let again = post(message.to_owned()).await;
    assert_eq!(
        (again.status, &again.body["accepted"]),
        (StatusCode::OK, &json!(0))
    );
    assert_eq!(world.collected().len(), 1);

    let forged = post(message.replace("queue-age", "queue-old")).await;
    assert_eq!(forged.error(), (401, "signature_wrong"));
    let other_topic = post(message.replace(":ops", ":dev")).await;
    assert_eq!(other_topic.error(), (403, "topic_refused"));
    let alone = include_str!("../../../sources/examples/cloudwatch/raw-delivery.json");
    assert_eq!(post(alone.to_owned()).await.error(), (401, "signature_missing"));
    assert_eq!(world.counted("cloudwatch", "signature_wrong"), 1.0);

    let confirmation = include_str!("../intake/sns/tests/confirmation.json");
    assert_eq!(post(confirmation.to_owned()).await.status, StatusCode::OK);
    assert_eq!(asked.confirmations.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(
        world
            .post(
                "/monitoring-system/api?integration_key=any-key",
                alert("a").to_string()
            )
            .await
            .status
            .is_success()
    );
}

#[tokio::test]
async fn i7_sns_is_unwrapped_for_a_mapping_and_its_subscription_confirmed() {
    let (sns, asked) =
        crate::intake::sns::tests::simulated(include_str!("../intake/sns/tests/certificate.pem")).await;
    let log = SimulatedLog::new(1);
    let world = World::with(log.clone(), Arc::new(log), sns, BUDGET_BYTES);
    let mapping = schemas::config::Mapping {
        name: "queues".to_owned(),
        alert: schemas::config::MappedAlert {
            identity: vec!["topic".to_owned(), "body.AlarmName".to_owned()],
            name: "body.AlarmName".to_owned(),
            status: "body.NewStateValue == 'OK' ? 'resolved' : 'firing'".to_owned(),
            ..Default::default()
        },
        ..Default::default()
    };
    let ConfigEntry::Integration(mut sender) = integration("queues") else {
        panic!("an integration");
    };
    sender.sns_topics = vec!["arn:aws:sns:*:123456789012:ops".to_owned()];
    world.site.send_modify(|site| {
        for entry in [
            ConfigEntry::Mapping(Box::new(mapping)),
            ConfigEntry::Integration(sender),
        ] {
            Arc::make_mut(site).apply(&entry.key(), Some(entry));
        }
    });
    let post = |body: &str| {
        world.post(
            "/monitoring-system/queues?integration_key=queues-key",
            body.to_owned(),
        )
    };
    let confirmed = post(include_str!("../intake/sns/tests/confirmation.json")).await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.body);
    assert_eq!(asked.confirmations.load(std::sync::atomic::Ordering::Relaxed), 1);
    let message = include_str!("../intake/sns/tests/notification-2.json");
    assert_eq!(post(message).await.body["accepted"], 1);
    assert_eq!(world.collected()[0].name, "queue-age");
    assert_eq!(
        post(&message.replace("queue-age", "queue-old")).await.error(),
        (401, "signature_wrong")
    );
}
