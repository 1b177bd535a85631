//! The topics on the broker.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::{ClientContext, config::FromClientConfig};
use schemas::Topic;

use super::{KafkaLog, REQUEST_TIMEOUT, blocking, client_config, unavailable, with_properties};
use crate::log::{LogError, max_record_bytes};

/// Each record has a copy on so many brokers, as far as there are so many.
const COPIES: usize = 3;
/// What a record needs beyond its own bytes.
const RECORD_OVERHEAD: usize = 48_576;

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
            let partitions = self.partitions_on_broker(*topic).await?;
            if partitions != topic.kafka_partitions() {
                tracing::warn!(%topic, partitions, expected = topic.kafka_partitions(), "partitions differ");
            }
        }
        Ok(())
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
}
