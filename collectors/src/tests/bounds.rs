//! Alerts that are larger, or more, than they may be.

use schemas::config::Limits;

use super::*;

#[tokio::test]
async fn s7_an_alert_of_two_hundred_kilobytes_is_taken_cut_and_the_answer_says_so() {
    let world = World::new();
    let mut large = alert("disk");
    large["notification_output"] = json!("x".repeat(200_000));
    let answer = world.post(API, json!([large, alert("small")]).to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.body.to_string();
    assert!(answer.contains("bytes of the text left out"), "{answer}");
    let collected = world.collected();
    assert_eq!(collected.len(), 2);
    let cut = collected.iter().find(|event| event.name == "disk").unwrap();
    assert!(cut.output.len() <= 32 * 1024, "{}", cut.output.len());
    assert!(cut.output.ends_with("bytes of the text left out]"));
    let families = world.context.metrics.registry().gather();
    let shortened = families
        .iter()
        .find(|family| family.name() == "reveille_collectors_shortened_total");
    let shortened = shortened.unwrap().get_metric();
    assert_eq!(shortened.len(), 1);
    assert!((shortened[0].get_counter().get_value() - 1.0).abs() < f64::EPSILON);
}

/// What an alert is stays what its source says in full: what is cut tells alerts apart, and an end finds its alert.
#[tokio::test]
async fn s7_alerts_that_differ_only_beyond_the_cut_do_not_merge() {
    let world = World::new();
    let name = |end: &str| format!("{}{end}", "n".repeat(20_000));
    for end in ["1", "2"] {
        world.post(API, alert(&name(end)).to_string()).await;
    }
    let mut over = alert(&name("2"));
    over["alert_severity"] = json!("ok");
    over["notification_output"] = json!("");
    world.post(API, over.to_string()).await;
    let collected = world.collected();
    let find = |fingerprint, status| {
        let same = |event: &&AlertEvent| event.fingerprint == fingerprint && event.status() == Some(status);
        collected.iter().filter(same).count()
    };
    let fired: Vec<_> = collected
        .iter()
        .filter(|event| event.status() == Some(EventStatus::Firing))
        .collect();
    assert_eq!(fired[0].name, fired[1].name, "both are cut");
    assert_ne!(fired[0].fingerprint, fired[1].fingerprint);
    let resolved = collected
        .iter()
        .find(|event| event.status() == Some(EventStatus::Resolved));
    let resolved = resolved.unwrap().fingerprint;
    assert_eq!(find(resolved, EventStatus::Firing), 1);
}

#[tokio::test]
async fn s7_labels_beyond_the_bounds_are_no_reason_to_refuse_a_body() {
    let world = World::new();
    let labels = |number: usize| -> serde_json::Map<String, Value> {
        let labels = (0..2_000).map(|label| (format!("label_{label}"), json!("x".repeat(100))));
        let own = [
            ("alertname".to_owned(), json!("disk")),
            ("z".to_owned(), json!(number)),
        ];
        labels
            .chain(own.map(|(name, value)| (name, json!(value.to_string()))))
            .collect()
    };
    let body = json!([{ "labels": labels(1) }, { "labels": labels(2) }]);
    let address = "/api/v2/alerts?integration_key=prometheus-key";
    let answer = world.post(address, body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let collected = world.collected();
    assert_eq!(collected.len(), 2);
    assert_ne!(collected[0].fingerprint, collected[1].fingerprint);
    assert!(collected[0].labels.len() <= 64);
    assert!(
        collected[0].output.contains("labels left out: "),
        "{}",
        collected[0].output
    );
}

#[tokio::test(start_paused = true)]
async fn s7_open_alerts_of_an_integration_have_a_limit_and_their_ends_are_always_taken() {
    let world = World::new();
    world.change("api", |integration| {
        integration.limits = Limits {
            open_alerts: 2,
            ..Limits::default()
        };
    });
    let answer = world
        .post(API, json!([alert("a"), alert("b"), alert("c")]).to_string())
        .await;
    assert_eq!(answer.error(), (429, "too_many_open_alerts"));
    assert_eq!(answer.headers["retry-after"], "60");
    for words in ["\"my-api\" has 2 alerts open", "raise open_alerts"] {
        assert!(answer.message().contains(words), "{}", answer.message());
    }
    assert_eq!(world.collected().len(), 2, "as many as fit");
    assert_eq!(
        world.post(API, alert("a").to_string()).await.status,
        StatusCode::OK
    );
    let mut over = alert("a");
    over["alert_severity"] = json!("ok");
    let mixed = json!([alert("c"), over]).to_string();
    assert_eq!(world.post(API, mixed.clone()).await.error().0, 429);
    assert_eq!(world.post(API, mixed).await.status, StatusCode::OK, "sent again");
    assert!((world.counted("api", "too_many_open_alerts") - 2.0).abs() < f64::EPSILON);
    assert_eq!(world.rejected().len(), 0, "their sender sends them again");
}
