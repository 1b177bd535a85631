//! Publishing what was committed.

use std::collections::BTreeMap;

use pipeline::parking::Parking;
use pipeline::{Context, LogError, Record};
use schemas::Topic;
use store::OutboxMessage;

/// Appends the messages to their topics, each topic's in their order, and answers when all are safe. Those that the log
/// will never take are parked.
pub(crate) async fn publish(context: &Context, messages: &[OutboxMessage]) -> Result<(), LogError> {
    let parking = Parking {
        log: context.log.as_ref(),
        metrics: &context.metrics,
        stage: "daemon",
        now: context.clock.now(),
    };
    let mut by_topic: BTreeMap<Topic, Vec<Record>> = BTreeMap::new();
    for message in messages {
        match Topic::from_name(&message.topic) {
            Some(topic) => by_topic.entry(topic).or_default().push(record(message)),
            None => {
                let error = format!(
                    "the outbox names the topic {:?}, which does not exist",
                    message.topic
                );
                // All that the daemon publishes is about a change of an alert.
                parking
                    .park(Topic::ALERTS_CHANGED, &record(message), &error)
                    .await?;
            }
        }
    }
    for (topic, records) in by_topic {
        parking.append(topic, records).await?;
    }
    Ok(())
}

fn record(message: &OutboxMessage) -> Record {
    Record {
        key: message.key.clone(),
        value: Some(message.value.clone().into()),
        headers: message.headers.clone(),
    }
}
