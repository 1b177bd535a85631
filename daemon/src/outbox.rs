//! Publishing what was committed.

use std::collections::BTreeMap;

use pipeline::{Log, LogError, Record};
use schemas::Topic;
use store::OutboxMessage;

/// Appends the messages to their topics, each topic's in their order, and answers when all are safe.
///
/// A message that the log will never take is left out, with an error in the log lines: waiting would stop every
/// other alert.
pub(crate) async fn publish(log: &dyn Log, messages: &[OutboxMessage]) -> Result<(), LogError> {
    let mut by_topic: BTreeMap<Topic, Vec<Record>> = BTreeMap::new();
    for message in messages {
        match Topic::from_name(&message.topic) {
            Some(topic) => by_topic.entry(topic).or_default().push(record(message)),
            None => tracing::error!(
                topic = message.topic,
                "the outbox names a topic that does not exist"
            ),
        }
    }
    for (topic, records) in by_topic {
        append(log, topic, records).await?;
    }
    Ok(())
}

async fn append(log: &dyn Log, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
    match log.append(topic, records.clone()).await {
        Err(LogError::TooLarge { .. }) => {
            for record in records {
                let key = record.key.clone();
                match log.append(topic, vec![record]).await {
                    Err(error @ LogError::TooLarge { .. }) => {
                        tracing::error!(%topic, key, %error, "a message is left out");
                    }
                    other => other?,
                }
            }
            Ok(())
        }
        other => other,
    }
}

fn record(message: &OutboxMessage) -> Record {
    Record {
        key: message.key.clone(),
        value: Some(message.value.clone().into()),
        headers: message.headers.clone(),
    }
}
