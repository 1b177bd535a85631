//! Reads single records.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;
use schemas::Topic;

use super::inbox::received;
use super::reader::{partition_number, raw_offset, reader_config};
use super::{KafkaSettings, REQUEST_TIMEOUT, log_client, with_properties};
use crate::log::Received;

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

/// A client of its own that reads one record at a time; made when it is first needed.
#[derive(Default)]
pub(super) struct Lookup(Mutex<Option<BaseConsumer<Quiet>>>);

impl Lookup {
    /// The record at this offset, if there is one. Waits for the broker.
    pub(super) fn record_at(
        &self,
        settings: &KafkaSettings,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Received>, KafkaError> {
        let mut client = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let client = match &*client {
            Some(client) => client,
            None => client.insert(new_client(settings)?),
        };
        let mut place = TopicPartitionList::with_capacity(1);
        place.add_partition_offset(topic.name(), partition_number(partition), raw_offset(offset))?;
        client.assign(&place)?;
        let found = first_record(client);
        client.unassign()?;
        // The next one there is when this one is not.
        Ok(found?.filter(|found| found.offset == offset))
    }
}

/// The first record from the assigned place on, if there is one.
fn first_record(client: &BaseConsumer<Quiet>) -> Result<Option<Received>, KafkaError> {
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    while Instant::now() < deadline {
        match client.poll(POLL) {
            Some(Ok(message)) if message.offset() >= 0 => return Ok(Some(received(&message))),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
            // Connections may break meanwhile; the client makes new ones.
            Some(Ok(_) | Err(_)) | None => {}
        }
    }
    Err(KafkaError::MessageConsumption(
        RDKafkaErrorCode::OperationTimedOut,
    ))
}

fn new_client(settings: &KafkaSettings) -> Result<BaseConsumer<Quiet>, KafkaError> {
    // The client wants a group, but nobody joins it and nothing is committed.
    let mut config = reader_config(settings, &format!("{}-lookup", settings.client_id));
    config
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("statistics.interval.ms", "0");
    BaseConsumer::from_config_and_context(&with_properties(config, settings), Quiet)
}

struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_client(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka lookup");
    }
}

impl ConsumerContext for Quiet {}
