//! The topics on the broker.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::{ClientContext, config::FromClientConfig};
use schemas::Topic;
use tokio::time::Instant;

use super::{KafkaLog, REQUEST_TIMEOUT, blocking, client_config, unavailable, with_properties};
use crate::log::{LogError, max_record_bytes};

/// Each record has a copy on so many brokers, as far as there are so many.
const COPIES: usize = 3;
/// What a record needs beyond its own bytes.
const RECORD_OVERHEAD: usize = 48_576;
/// The wait before a broker is asked again for a topic that it does not know yet.
const METADATA_WAIT: Duration = Duration::from_millis(50);

impl KafkaLog {
    /// Creates the topics of `schemas/topics.toml` that the broker does not have, and reads how many partitions each
    /// topic has. A topic that is there already stays as it is.
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
            .map(|topic| (*topic, topic_settings(*topic, brokers)))
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

fn topic_settings(topic: Topic, brokers: usize) -> Vec<(&'static str, String)> {
    let mut settings = Vec::new();
    let (policy, retention) = match (topic.settings().compacted, topic.settings().retention) {
        (true, 0) => ("compact", None),
        (true, hours) => ("compact,delete", Some(hours)),
        (false, hours) => ("delete", Some(hours)),
    };
    settings.push(("cleanup.policy", policy.to_owned()));
    if let Some(hours) = retention {
        let milliseconds = match hours {
            0 => "-1".to_owned(),
            hours => (hours * 3_600_000).to_string(),
        };
        settings.push(("retention.ms", milliseconds));
    }
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
        topic_settings(topic, brokers)
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
