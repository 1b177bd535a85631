//! What a reader's thread hands to its stage, and what the thread learned from the broker.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use schemas::Topic;
use tokio::sync::Notify;

use super::log_client;
use crate::log::{Batch, Delivery, Fill, LogError, MAX_BATCH_RECORDS, Received, received_size};

/// When so much waits, the thread reads no more.
const FULL_RECORDS: usize = 4 * MAX_BATCH_RECORDS;
const FULL_BYTES: usize = 8 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Something came.
    came: Notify,
    /// Something was taken, or the reader is gone.
    taken: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    deliveries: VecDeque<Delivery>,
    /// What has come since the last [`Inbox::flush`]; the stage does not see it yet.
    arriving: Vec<(Topic, u32, Received)>,
    arriving_bytes: usize,
    records: usize,
    bytes: usize,
    /// Of the last batch of each partition.
    fill: BTreeMap<(Topic, u32), Fill>,
    /// Assigned by the broker, and not delivered to the stage yet.
    undelivered: Option<TopicPartitionList>,
    /// The assignment that was delivered to the stage last, if it holds and was not started yet. A start that comes late
    /// belongs to an assignment that is over, whose positions say nothing about the next one.
    pub(super) to_start: Option<TopicPartitionList>,
    /// What the stage was told last that it has.
    told: Vec<u32>,
    /// Something to tell whoever waits.
    problem: Option<String>,
    away: bool,
    closed: bool,
    /// The end of each partition, as the broker told it last.
    pub(super) ends: BTreeMap<(Topic, u32), u64>,
    /// Partitions that were read to their end.
    pub(super) finished: BTreeSet<u32>,
    /// Where each partition of a group should go on, as far as that is known.
    pub(super) expected: BTreeMap<(Topic, u32), u64>,
    /// A partition went back behind that: the client begins a topic anew when its position is beyond the end.
    went_back: Option<(Topic, u32, u64, u64)>,
    /// The reader is no member of a group, and takes what comes.
    pub(super) follows: bool,
}

impl Inbox {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next delivery. Cancel-safe.
    pub(super) async fn take(&self) -> Result<Delivery, LogError> {
        loop {
            let taken = self.state().take();
            if let Some(delivery) = taken {
                self.taken.notify_one();
                return delivery;
            }
            self.came.notified().await;
        }
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.taken.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Waits for room, but not for ever. Tells whether there is some.
    pub(super) fn wait_for_room(&self, at_most: Duration) -> bool {
        let waited = self
            .taken
            .wait_timeout_while(self.state(), at_most, |state| state.is_full() && !state.closed);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.is_full()
    }

    /// Takes a record in, which the stage has after the next [`Inbox::flush`]; answers whether there is room for more.
    pub(super) fn push(&self, topic: Topic, message: &BorrowedMessage<'_>) -> bool {
        let partition = u32::try_from(message.partition()).unwrap_or(0);
        let record = received(message);
        let mut state = self.state();
        state.arriving_bytes += received_size(&record);
        state.arriving.push((topic, partition, record));
        !state.is_full()
    }

    /// Hands what has come to the stage.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        let arriving = std::mem::take(&mut state.arriving);
        state.arriving_bytes = 0;
        if arriving.is_empty() {
            return;
        }
        for (topic, partition, record) in arriving {
            state.push(topic, partition, record);
        }
        drop(state);
        self.came.notify_one();
    }

    /// A message of the client that is no record.
    pub(super) fn error(&self, error: &KafkaError) {
        let mut state = self.state();
        match error {
            KafkaError::PartitionEOF(partition) => {
                state.finished.insert(u32::try_from(*partition).unwrap_or(0));
                return;
            }
            // One connection broke; the client makes another one.
            _ if error.rdkafka_error_code() == Some(RDKafkaErrorCode::BrokerTransportFailure) => return,
            _ => {}
        }
        state.away |= error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        state.problem = Some(error.to_string());
        drop(state);
        self.came.notify_one();
    }

    fn statistics(&self, statistics: &Statistics) {
        let mut state = self.state();
        for (name, topic) in &statistics.topics {
            let Some(topic_known) = Topic::from_name(name) else {
                continue;
            };
            for (number, partition) in &topic.partitions {
                if let (Ok(number), Ok(end)) = (u32::try_from(*number), u64::try_from(partition.hi_offset)) {
                    state.ends.insert((topic_known, number), end);
                }
            }
        }
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            state.away = false;
        } else if state.away {
            // Said again and again, so that whoever waits knows that it is still so.
            state.problem = Some("no broker can be reached".to_owned());
            self.came.notify_one();
        }
    }

    fn assigned(&self, partitions: &TopicPartitionList) {
        let mut state = self.state();
        let numbers: BTreeSet<u32> = partitions
            .elements()
            .iter()
            .filter_map(|element| u32::try_from(element.partition()).ok())
            .collect();
        state.told = numbers.into_iter().collect();
        let delivery = Delivery::Assigned(state.told.clone());
        state.deliveries.push_back(delivery);
        state.undelivered = Some(partitions.clone());
        self.came.notify_one();
    }

    /// Throws away what was read of the old assignment. The lock is held while `unassign` runs, so that a start of
    /// the old assignment cannot come after it.
    fn revoked(&self, unassign: impl FnOnce()) {
        let mut state = self.state();
        unassign();
        let untold = state
            .deliveries
            .iter()
            .any(|delivery| matches!(delivery, Delivery::Assigned(_)));
        state
            .deliveries
            .retain(|delivery| matches!(delivery, Delivery::Revoked(_)));
        state.arriving.clear();
        state.arriving_bytes = 0;
        (state.records, state.bytes) = (0, 0);
        (state.undelivered, state.to_start) = (None, None);
        state.went_back = None;
        state.expected.clear();
        let told = std::mem::take(&mut state.told);
        if !untold && !told.is_empty() {
            state.deliveries.push_back(Delivery::Revoked(told));
        }
        self.taken.notify_one();
        self.came.notify_one();
    }
}

impl State {
    fn is_full(&self) -> bool {
        self.records + self.arriving.len() >= FULL_RECORDS || self.bytes + self.arriving_bytes >= FULL_BYTES
    }

    fn take(&mut self) -> Option<Result<Delivery, LogError>> {
        if let Some((topic, partition, expected, found)) = self.went_back {
            return Some(Err(LogError::WentBack {
                topic,
                partition,
                expected,
                found,
            }));
        }
        if let Some(delivery) = self.deliveries.pop_front() {
            if let Delivery::Assigned(_) = &delivery {
                self.to_start = self.undelivered.take();
            }
            if let Delivery::Batch(batch) = &delivery {
                self.records -= batch.records.len();
                self.bytes -= batch.records.iter().map(received_size).sum::<usize>();
                self.problem = None;
            }
            return Some(Ok(delivery));
        }
        self.problem
            .take()
            .map(|problem| Err(LogError::Unavailable(format!("Kafka: {problem}"))))
    }

    /// Adds a record to the last batch of its partition that waits, if that is not full.
    fn push(&mut self, topic: Topic, partition: u32, record: Received) {
        let next = record.offset + 1;
        let expected = self
            .expected
            .insert((topic, partition), next)
            .unwrap_or(record.offset);
        if expected > record.offset && !self.follows {
            self.went_back
                .get_or_insert((topic, partition, expected, record.offset));
        }
        if self.went_back.is_some() {
            return;
        }
        if expected < record.offset && !topic.settings().compacted && !self.follows {
            let offset = record.offset;
            tracing::warn!(%topic, partition, expected, offset, "records were removed before they were read");
        }
        self.away = false;
        self.records += 1;
        self.bytes += received_size(&record);
        let waiting = self
            .deliveries
            .iter_mut()
            .rev()
            .find_map(|delivery| match delivery {
                Delivery::Batch(batch) if batch.topic == topic && batch.partition == partition => Some(batch),
                _ => None,
            });
        let fill = self.fill.entry((topic, partition)).or_default();
        match waiting {
            Some(batch) if fill.takes(&record) => batch.records.push(record),
            _ => {
                *fill = Fill::default();
                fill.takes(&record);
                self.deliveries.push_back(Delivery::Batch(Batch {
                    topic,
                    partition,
                    records: vec![record],
                }));
            }
        }
    }

    /// Whether partitions are assigned that were not taken away yet.
    pub(super) fn has_partitions(&self) -> bool {
        !self.told.is_empty()
    }

    /// Whether nothing of this partition waits.
    pub(super) fn has_none_of(&self, partition: u32) -> bool {
        !self
            .deliveries
            .iter()
            .any(|delivery| matches!(delivery, Delivery::Batch(batch) if batch.partition == partition))
    }
}

pub(super) fn received(message: &BorrowedMessage<'_>) -> Received {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(text).unwrap_or_default()))
            .collect()
    });
    Received {
        offset: u64::try_from(message.offset()).unwrap_or(0),
        key: message.key().map(text).unwrap_or_default(),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
    }
}

/// Takes the client's callbacks to the inbox.
pub(super) struct Events(pub(super) Arc<Inbox>);

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_client(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.0.statistics(&statistics);
    }

    /// Comes through the poll as well.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka consumer");
    }
}

impl ConsumerContext for Events {
    /// The stage says where to begin, and may need long for it, so what the broker gave is told to the stage and
    /// nothing is read yet. Taking "nothing" on keeps this member in the group and lets the others rebalance;
    /// [`super::reader`] takes the partitions on when the stage has started.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let result = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let result = consumer.assign(&TopicPartitionList::new());
                if partitions.count() > 0 {
                    self.0.assigned(partitions);
                }
                result
            }
            _ => {
                let mut result = Ok(());
                self.0.revoked(|| {
                    // A paused partition would stay paused when it comes back.
                    result = consumer.resume(partitions).and_then(|()| consumer.unassign());
                });
                result
            }
        };
        if let Err(error) = result {
            self.0.error(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(numbers: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for number in numbers {
            list.add_partition(Topic::ALERTS_DECORATED.name(), *number);
        }
        list
    }

    fn to_start(inbox: &Inbox) -> Option<usize> {
        inbox.state().to_start.as_ref().map(TopicPartitionList::count)
    }

    /// The stage reads its positions from a database that stalls. Meanwhile the group is rebalanced twice.
    #[tokio::test]
    async fn l17_a_start_belongs_to_one_assignment() {
        let inbox = Inbox::default();
        inbox.assigned(&partitions(&[0, 1]));
        assert_eq!(to_start(&inbox), None, "the stage does not know of it yet");
        assert_eq!(inbox.take().await.unwrap(), Delivery::Assigned(vec![0, 1]));
        assert_eq!(to_start(&inbox), Some(2));

        inbox.revoked(|| {});
        inbox.assigned(&partitions(&[1, 2, 3]));
        assert_eq!(
            to_start(&inbox),
            None,
            "the start that comes now has the positions of the assignment before"
        );
        assert_eq!(inbox.take().await.unwrap(), Delivery::Revoked(vec![0, 1]));
        assert_eq!(to_start(&inbox), None);
        assert_eq!(inbox.take().await.unwrap(), Delivery::Assigned(vec![1, 2, 3]));
        assert_eq!(to_start(&inbox), Some(3));
    }

    fn record(offset: u64) -> Received {
        Received {
            offset,
            key: "a".to_owned(),
            value: None,
            headers: Vec::new(),
        }
    }

    #[tokio::test]
    async fn what_has_come_together_is_one_batch_and_goes_with_its_assignment() {
        let (inbox, topic) = (Inbox::default(), Topic::ALERTS_DECORATED);
        let come = |offset| inbox.state().arriving.push((topic, 0, record(offset)));
        (0..3).for_each(come);
        assert!(
            inbox.state().deliveries.is_empty(),
            "the stage does not see it yet"
        );
        inbox.flush();
        let Ok(Delivery::Batch(batch)) = inbox.take().await else {
            panic!("there is a batch")
        };
        assert_eq!(batch.records.len(), 3);
        // The partition is taken away while records of it arrive.
        come(3);
        inbox.revoked(|| {});
        inbox.flush();
        assert!(inbox.state().deliveries.is_empty());
    }

    /// The client begins with the oldest record when the broker does not have its position.
    #[tokio::test]
    async fn l2_a_partition_that_goes_back_is_not_read_on() {
        let (inbox, topic) = (Inbox::default(), Topic::ALERTS_DECORATED);
        inbox.state().expected.insert((topic, 0), 100);
        inbox.state().push(topic, 0, record(100));
        inbox.state().push(topic, 0, record(0));
        inbox.state().push(topic, 0, record(1));
        for _ in 0..2 {
            let error = inbox.take().await.unwrap_err().to_string();
            assert!(
                error.contains("goes on at 0, after it was read to 101"),
                "{error}"
            );
        }
        inbox.revoked(|| {});
        inbox.assigned(&partitions(&[0]));
        assert_eq!(inbox.take().await.unwrap(), Delivery::Assigned(vec![0]));
    }

    #[tokio::test]
    async fn whoever_follows_a_topic_takes_what_comes() {
        let (inbox, topic) = (Inbox::default(), Topic::CONFIG);
        inbox.state().follows = true;
        for offset in [100, 0, 1] {
            inbox.state().push(topic, 0, record(offset));
        }
        let Ok(Delivery::Batch(batch)) = inbox.take().await else {
            panic!("there is a batch")
        };
        assert_eq!(batch.records.len(), 3);
    }
}
