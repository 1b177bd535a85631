//! The retention of what was refused, on a broker.

use std::collections::BTreeMap;

use pipeline::log::RejectedRetention;
use pipeline::log::kafka::{KafkaLog, KafkaSettings};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use schemas::Topic;

/// What was set for the topic, and is not the broker's default.
async fn set_for(bootstrap: &str, topic: Topic) -> BTreeMap<String, String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let topic = ResourceSpecifier::Topic(topic.name());
    let described = admin
        .describe_configs([&topic], &AdminOptions::new())
        .await
        .unwrap();
    let described = described.into_iter().next().unwrap().unwrap();
    let set = described.entries.into_iter();
    let set = set.filter(|entry| entry.source == ConfigSource::DynamicTopic);
    set.filter_map(|entry| Some((entry.name, entry.value?))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retention_of_rejected_bodies_is_given_to_a_topic_that_is_there_and_all_else_stays() {
    let Some((log, _)) = crate::kafka().await else {
        return;
    };
    drop(log);
    let bootstrap = std::env::var("REVEILLE_TEST_KAFKA").unwrap();
    let started = async |rejected: RejectedRetention| {
        let settings = KafkaSettings {
            bootstrap: bootstrap.clone(),
            client_id: "retention".to_owned(),
            rejected,
            ..KafkaSettings::default()
        };
        let log = KafkaLog::connect(settings).unwrap();
        log.ensure_topics().await.unwrap();
        (
            set_for(&bootstrap, Topic::INGEST_REJECTED).await,
            set_for(&bootstrap, Topic::ALERTS_COLLECTED).await,
        )
    };
    let (before, others_before) = started(RejectedRetention::default()).await;
    let kept = RejectedRetention {
        days: Some(3),
        bytes: Some(1 << 30),
    };
    let (set, others) = started(kept).await;
    assert_eq!(others, others_before);
    let bytes = (1 << 30) / u64::from(Topic::INGEST_REJECTED.kafka_partitions());
    assert_eq!(set["retention.ms"], "259200000");
    assert_eq!(set["retention.bytes"], bytes.to_string());
    for (name, value) in &before {
        let is_of_retention = name.starts_with("retention.") || name.starts_with("segment.");
        assert!(is_of_retention || set.get(name) == Some(value), "{name}: {set:?}");
    }
    let (left, _) = started(RejectedRetention::default()).await;
    assert_eq!(left, set, "without a setting the topic stays as it is");
}
