//! Messages that cannot go on their way are parked: kept whole on `<topic>.parked`, with the reason, for an operator.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use schemas::rejection::Parked;
use schemas::{HEADER_TRACEPARENT, Topic};

use crate::log::{Batch, Log, LogError, Received, Record};
use crate::metrics::Metrics;
use crate::trace::record_headers;

/// So many bytes are kept of a message that not even the topic of parked messages takes whole.
const KEPT_OF_A_HUGE_MESSAGE_BYTES: usize = 100_000;

/// The record for `<topic>.parked` that keeps a message which a stage could not use, with its error; none for topics
/// that nobody parks.
pub fn parked(
    batch: &Batch,
    record: &Received,
    stage: &str,
    error: &str,
    now: Timestamp,
) -> Option<(Topic, Record)> {
    let topic = batch.topic.parked()?;
    let parked = Parked {
        at: now,
        stage: stage.to_owned(),
        topic: batch.topic.name().to_owned(),
        partition: batch.partition,
        offset: record.offset,
        error: error.to_owned(),
        value_base64: STANDARD.encode(record.value.as_deref().unwrap_or_default()),
    };
    #[expect(
        clippy::expect_used,
        reason = "text, numbers and a time always have a JSON form"
    )]
    let value = serde_json::to_vec(&parked).expect("a parked message has a JSON form");
    let headers = record_headers(record.header(HEADER_TRACEPARENT));
    Some((
        topic,
        Record {
            key: record.key.clone(),
            value: Some(value.into()),
            headers,
        },
    ))
}

/// Parks what the log will never take.
pub struct Parking<'a> {
    /// The log.
    pub log: &'a dyn Log,
    /// Counts what is parked, as an error of the stage with the reason `parked`.
    pub metrics: &'a Metrics,
    /// Who appends.
    pub stage: &'static str,
    /// The time of it.
    pub now: Timestamp,
}

impl Parking<'_> {
    /// Appends the records in their order, and answers when all are safe. Those that the log will never take are parked:
    /// waiting for them would stop everything that comes after them.
    ///
    /// # Errors
    ///
    /// Only what waiting may cure ([`LogError::is_final`] is false). Some of the records may have been written.
    pub async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        match self.log.append(topic, records.clone()).await {
            Err(error) if error.is_final() => {}
            other => return other,
        }
        for record in records {
            match self.log.append(topic, vec![record.clone()]).await {
                Err(error) if error.is_final() => self.park(topic, &record, &error.to_string()).await?,
                other => other?,
            }
        }
        Ok(())
    }

    /// Parks a record that has no place in its topic. What is too large even for the topic of parked messages is kept in
    /// part.
    ///
    /// # Errors
    ///
    /// When the log is away.
    pub async fn park(&self, topic: Topic, record: &Record, error: &str) -> Result<(), LogError> {
        let (stage, size) = (self.stage, record.value.as_ref().map_or(0, Bytes::len));
        tracing::error!(stage, %topic, key = record.key, size, error, "a message is parked");
        let Some((parked, whole)) = self.parked(topic, record, record.value.clone(), error) else {
            // A topic of parked messages itself, or one that no stage reads: the line above is all that is left of it.
            self.metrics.stage_error(stage, "lost");
            return Ok(());
        };
        let mut appended = self.log.append(parked, vec![whole]).await;
        if appended.as_ref().is_err_and(LogError::is_final) {
            let kept = |value: &Bytes| value.slice(..value.len().min(KEPT_OF_A_HUGE_MESSAGE_BYTES));
            let part = self.parked(topic, record, record.value.as_ref().map(kept), error);
            appended = self
                .log
                .append(parked, part.map(|(_, part)| part).into_iter().collect())
                .await;
        }
        match appended {
            Err(error) if error.is_final() => {
                tracing::error!(stage, %topic, key = record.key, %error, "a message cannot even be parked");
                self.metrics.stage_error(stage, "lost");
                Ok(())
            }
            Ok(()) => {
                self.metrics.stage_error(stage, "parked");
                Ok(())
            }
            other => other,
        }
    }

    fn parked(
        &self,
        topic: Topic,
        record: &Record,
        value: Option<Bytes>,
        error: &str,
    ) -> Option<(Topic, Record)> {
        let batch = Batch {
            topic,
            partition: 0,
            records: Vec::new(),
        };
        let received = Received {
            offset: 0,
            key: record.key.clone(),
            value,
            headers: record.headers.clone(),
        };
        parked(&batch, &received, self.stage, error, self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::From;
    use crate::log::simulated::SimulatedLog;

    fn record(key: &str, bytes: usize) -> Record {
        Record {
            key: key.to_owned(),
            value: Some(vec![b'x'; bytes].into()),
            headers: Vec::new(),
        }
    }

    async fn all(log: &SimulatedLog, topic: Topic) -> Vec<Received> {
        let mut follower = log.follow(topic, From::Start).await.unwrap();
        let mut all = Vec::new();
        while !follower.caught_up() {
            all.extend(follower.next().await.unwrap().records);
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn l19_only_what_is_too_large_is_parked_and_the_others_keep_their_order() {
        let (log, metrics) = (SimulatedLog::new(1), Metrics::new());
        let parking = Parking {
            log: &log,
            metrics: &metrics,
            stage: "daemon",
            now: Timestamp::UNIX_EPOCH,
        };
        let topic = Topic::ALERTS_CHANGED;
        let records = vec![
            record("a", 1),
            record("b", 1_100_000),
            record("c", 1),
            record("d", 5_000_000),
        ];
        parking.append(topic, records).await.unwrap();
        let keys: Vec<_> = all(&log, topic)
            .await
            .into_iter()
            .map(|record| record.key)
            .collect();
        assert_eq!(keys, ["a", "c"]);
        let parked: Vec<Parked> = all(&log, Topic::ALERTS_CHANGED_PARKED)
            .await
            .into_iter()
            .map(|record| serde_json::from_slice(&record.value.unwrap()).unwrap())
            .collect();
        let sizes: Vec<_> = parked
            .iter()
            .map(|parked| STANDARD.decode(&parked.value_base64).unwrap().len())
            .collect();
        assert_eq!(sizes, [1_100_000, KEPT_OF_A_HUGE_MESSAGE_BYTES]);
        assert!(parked[0].error.contains("1100001 bytes"), "{}", parked[0].error);
        assert_eq!(metrics.stage_errors("daemon", "parked"), 2);
        assert_eq!(metrics.stage_errors("daemon", "lost"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waiting_may_cure_is_not_parked() {
        let (log, metrics) = (SimulatedLog::new(1), Metrics::new());
        log.set_available(false);
        let parking = Parking {
            log: &log,
            metrics: &metrics,
            stage: "daemon",
            now: Timestamp::UNIX_EPOCH,
        };
        let appended = parking.append(Topic::ALERTS_CHANGED, vec![record("a", 1)]).await;
        assert!(matches!(appended, Err(LogError::Unavailable(_))), "{appended:?}");
        log.set_available(true);
        assert!(all(&log, Topic::ALERTS_CHANGED_PARKED).await.is_empty());
    }

    #[test]
    fn a_parked_message_keeps_its_bytes_its_place_and_its_trace() {
        let record = Received {
            offset: 7,
            key: "k".to_owned(),
            value: Some("not json".into()),
            headers: vec![(HEADER_TRACEPARENT.to_owned(), "t".to_owned())],
        };
        let batch = Batch {
            topic: Topic::ALERTS_COLLECTED,
            partition: 3,
            records: vec![record.clone()],
        };
        let now = "2026-09-01T10:00:00Z".parse().unwrap();
        let (topic, parked) = parked(&batch, &record, "decorator", "no JSON", now).unwrap();
        assert_eq!(
            (topic, parked.key.as_str()),
            (Topic::ALERTS_COLLECTED_PARKED, "k")
        );
        assert_eq!(parked.headers.last().unwrap().1, "t");
        let parked: Parked = serde_json::from_slice(&parked.value.unwrap()).unwrap();
        assert_eq!(
            (parked.partition, parked.offset, parked.error.as_str()),
            (3, 7, "no JSON")
        );
        assert_eq!(STANDARD.decode(parked.value_base64).unwrap(), b"not json");
    }
}
