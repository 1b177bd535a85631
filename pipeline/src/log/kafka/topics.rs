//! The topics on the broker.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigEntry, ConfigSource, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::{ClientContext, config::FromClientConfig};
use schemas::Topic;
use tokio::time::Instant;

use super::{KafkaLog, REQUEST_TIMEOUT, blocking, client_config, unavailable, with_properties};
use crate::log::{LogError, RejectedRetention, max_record_bytes};

/// Each record has a copy on so many brokers, as far as there are so many.
const COPIES: usize = 3;
/// What a record needs beyond its own bytes.
const RECORD_OVERHEAD: usize = 48_576;
const HOUR_MS: u64 = 3_600_000;
/// A segment holds the largest record; and it is no larger than a segment is without a setting.
const SEGMENT_BYTES_MIN: u64 = 4 << 20;
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// The wait before a broker is asked again for a topic that it does not know yet.
const METADATA_WAIT: Duration = Duration::from_millis(50);

impl KafkaLog {
    /// Creates the topics of `schemas/topics.toml` that the broker does not have, and reads how many partitions each
    /// topic has. A topic that is there already stays as it is, but for a retention that is set.
    pub async fn ensure_topics(&self) -> Result<(), LogError> {
        let producer = self.producer();
        let brokers = blocking(move || {
            Ok(producer
                .client()
                .fetch_metadata(None, REQUEST_TIMEOUT)?
                .brokers()
                .len())
        })
        .await?;
        let settings: Vec<_> = Topic::ALL
            .iter()
            .map(|topic| (*topic, topic_settings(*topic, brokers, self.settings.rejected)))
            .collect();
        let copies = i32::try_from(brokers.clamp(1, COPIES)).unwrap_or(1);
        let topics: Vec<_> = settings
            .iter()
            .map(|(topic, settings)| {
                let partitions = i32::try_from(topic.kafka_partitions()).unwrap_or(1);
                let new = NewTopic::new(topic.name(), partitions, TopicReplication::Fixed(copies));
                settings
                    .iter()
                    .fold(new, |new, (name, value)| new.set(name, value))
            })
            .collect();
        let config = with_properties(client_config(&self.settings), &self.settings);
        let admin = AdminClient::<DefaultClientContext>::from_config(&config).map_err(unavailable)?;
        let options = AdminOptions::new()
            .request_timeout(Some(REQUEST_TIMEOUT))
            .operation_timeout(Some(REQUEST_TIMEOUT));
        for created in admin
            .create_topics(&topics, &options)
            .await
            .map_err(unavailable)?
        {
            match created {
                Ok(topic) => tracing::info!(topic, copies, "created"),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    return Err(LogError::Unavailable(format!(
                        "Kafka: topic {topic} could not be created: {code}"
                    )));
                }
            }
        }
        for topic in Topic::ALL {
            let partitions = until_known(|| self.partitions_on_broker(*topic)).await?;
            if partitions != topic.kafka_partitions() {
                tracing::warn!(%topic, partitions, expected = topic.kafka_partitions(), "partitions differ");
            }
        }
        self.keep_rejected(&admin, &options).await
    }

    /// Gives the topic that is there already the retention that is set. All else that was set for it stays.
    async fn keep_rejected(
        &self,
        admin: &AdminClient<DefaultClientContext>,
        options: &AdminOptions,
    ) -> Result<(), LogError> {
        let wanted = retention_settings(Topic::INGEST_REJECTED, self.settings.rejected);
        if self.settings.rejected == RejectedRetention::default() {
            return Ok(());
        }
        let topic = ResourceSpecifier::Topic(Topic::INGEST_REJECTED.name());
        let failed = |error: &dyn std::fmt::Display| {
            let topic = Topic::INGEST_REJECTED;
            LogError::Unavailable(format!(
                "Kafka: the retention of topic {topic} could not be set: {error}"
            ))
        };
        let described = admin
            .describe_configs([&topic], options)
            .await
            .map_err(unavailable)?;
        let described = described.into_iter().next();
        let described = described
            .ok_or_else(|| failed(&"no answer"))?
            .map_err(|code| failed(&code))?;
        let set = |entry: &&ConfigEntry| entry.source == ConfigSource::DynamicTopic;
        let present: BTreeMap<&str, &str> = described
            .entries
            .iter()
            .filter(set)
            .filter_map(|entry| Some((entry.name.as_str(), entry.value.as_deref()?)))
            .collect();
        if wanted
            .iter()
            .all(|(name, value)| present.get(name) == Some(&value.as_str()))
        {
            return Ok(());
        }
        let new = AlterConfig::new(topic);
        let new = present
            .iter()
            .fold(new, |new, (name, value)| new.set(name, value));
        let new = wanted.iter().fold(new, |new, (name, value)| new.set(name, value));
        for altered in admin.alter_configs([&new], options).await.map_err(unavailable)? {
            altered.map_err(|(_, code)| failed(&code))?;
        }
        tracing::info!(topic = %Topic::INGEST_REJECTED, ?wanted, "the retention was changed");
        Ok(())
    }
}

/// Asks again while the answer is an error, for as long as a request may take: a topic that was just created, here or by
/// another process, reaches the broker's own view of the cluster a moment after its creation was answered.
async fn until_known<Answer>(mut ask: impl FnMut() -> Answer) -> Result<u32, LogError>
where
    Answer: Future<Output = Result<u32, LogError>>,
{
    let known_by = Instant::now() + REQUEST_TIMEOUT;
    loop {
        match ask().await {
            Err(_) if Instant::now() < known_by => tokio::time::sleep(METADATA_WAIT).await,
            answer => return answer,
        }
    }
}

/// Asks the broker how many partitions a topic has.
pub(super) fn partitions<C: ClientContext>(client: &Client<C>, topic: Topic) -> Result<u32, KafkaError> {
    let metadata = client.fetch_metadata(Some(topic.name()), REQUEST_TIMEOUT)?;
    let topic = metadata
        .topics()
        .iter()
        .find(|found| found.name() == topic.name());
    let count = topic
        .filter(|topic| topic.error().is_none())
        .map_or(0, |topic| topic.partitions().len());
    match u32::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(KafkaError::MetadataFetch(
            RDKafkaErrorCode::UnknownTopicOrPartition,
        )),
    }
}

/// How long records of the topic are kept.
fn retention_settings(topic: Topic, rejected: RejectedRetention) -> Vec<(&'static str, String)> {
    let mut settings = Vec::new();
    match (topic.settings().compacted, rejected.hours(topic)) {
        (true, 0) => {}
        (false, 0) => settings.push(("retention.ms", "-1".to_owned())),
        (_, hours) => settings.push(("retention.ms", (hours * HOUR_MS).to_string())),
    }
    if let Some(days) = rejected.days.filter(|_| topic == Topic::INGEST_REJECTED) {
        // Kafka removes segments, and no part of one.
        settings.push(("segment.ms", (u64::from(days) * 6 * HOUR_MS).to_string()));
    }
    if let Some(bytes) = rejected.bytes_of_partition(topic, topic.kafka_partitions()) {
        settings.push(("retention.bytes", bytes.to_string()));
        let segment = (bytes / 4).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
        settings.push(("segment.bytes", segment.to_string()));
    }
    settings
}

fn topic_settings(topic: Topic, brokers: usize, rejected: RejectedRetention) -> Vec<(&'static str, String)> {
    let policy = match (topic.settings().compacted, topic.settings().retention) {
        (true, 0) => "compact",
        (true, _) => "compact,delete",
        (false, _) => "delete",
    };
    let mut settings = vec![("cleanup.policy", policy.to_owned())];
    settings.extend(retention_settings(topic, rejected));
    settings.push((
        "max.message.bytes",
        (max_record_bytes(topic) + RECORD_OVERHEAD).to_string(),
    ));
    if brokers >= COPIES {
        settings.push(("min.insync.replicas", (COPIES - 1).to_string()));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(topic: Topic, brokers: usize, name: &str) -> Option<String> {
        topic_settings(topic, brokers, RejectedRetention::default())
            .into_iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    #[test]
    fn topics_are_created_as_topics_toml_says() {
        let collected = Topic::ALERTS_COLLECTED;
        assert_eq!(
            setting(collected, 1, "retention.ms").as_deref(),
            Some("604800000")
        );
        assert_eq!(setting(collected, 1, "min.insync.replicas"), None);
        assert_eq!(setting(collected, 3, "min.insync.replicas").as_deref(), Some("2"));
        assert_eq!(
            setting(Topic::CONFIG, 3, "cleanup.policy").as_deref(),
            Some("compact")
        );
        assert_eq!(setting(Topic::CONFIG, 3, "retention.ms"), None);
        let usage = Topic::INTEGRATIONS_USAGE;
        assert_eq!(
            setting(usage, 3, "cleanup.policy").as_deref(),
            Some("compact,delete")
        );
        assert_eq!(setting(usage, 3, "retention.ms").as_deref(), Some("7776000000"));
    }

    #[test]
    fn the_retention_of_rejected_bodies_is_that_topics_alone() {
        let rejected = RejectedRetention {
            days: Some(2),
            bytes: Some(1 << 30),
        };
        assert!(
            Topic::ALL
                .iter()
                .filter(|topic| **topic != Topic::INGEST_REJECTED)
                .all(|topic| topic_settings(*topic, 1, rejected)
                    == topic_settings(*topic, 1, RejectedRetention::default()))
        );
        let settings: BTreeMap<_, _> = retention_settings(Topic::INGEST_REJECTED, rejected)
            .into_iter()
            .collect();
        let bytes = (1 << 30) / u64::from(Topic::INGEST_REJECTED.kafka_partitions());
        assert_eq!(settings["retention.ms"], "172800000");
        assert_eq!(settings["retention.bytes"], bytes.to_string());
        assert_eq!(settings["segment.ms"], "43200000");
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_may_become_known_a_moment_after_its_creation() {
        let mut asked = 0;
        let known = until_known(|| {
            asked += 1;
            let answer = if asked < 4 { Err(unknown()) } else { Ok(12) };
            async { answer }
        });
        assert_eq!(known.await.ok(), Some(12));
        assert_eq!(asked, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_that_never_becomes_known_is_an_error() {
        let begun = Instant::now();
        let known = until_known(|| async { Err(unknown()) }).await;
        assert!(matches!(known, Err(LogError::Unavailable(_))));
        assert_eq!(begun.elapsed(), REQUEST_TIMEOUT);
    }

    fn unknown() -> LogError {
        unavailable(KafkaError::MetadataFetch(
            RDKafkaErrorCode::UnknownTopicOrPartition,
        ))
    }
}
