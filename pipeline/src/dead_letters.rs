//! Dead letters: messages that no stage can use, or that the log refuses, are kept whole on `<topic>.dlq`, with the
//! reason, for an operator.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use schemas::rejection::DeadLetter;
use schemas::{HEADER_TRACEPARENT, Topic};

use crate::log::{Batch, Log, LogError, Received, Record};
use crate::metrics::Metrics;
use crate::trace::record_headers;

/// So many bytes are kept of a message that is too large even for the dead-letter topic.
const KEPT_OF_A_HUGE_MESSAGE_BYTES: usize = 100_000;

/// The record for `<topic>.dlq` that keeps a message which a stage could not use, with its error; `None` for topics
/// without a dead-letter topic.
pub fn dead_letter(
    batch: &Batch,
    record: &Received,
    stage: &str,
    error: &str,
    now: Timestamp,
) -> Option<(Topic, Record)> {
    let topic = batch.topic.dead_letters()?;
    let dead_letter = DeadLetter {
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
    let value = serde_json::to_vec(&dead_letter).expect("a dead letter has a JSON form");
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

/// Appends to the log, and keeps what the log will never take as dead letters.
pub struct DeadLetters<'a> {
    /// The log.
    pub log: &'a dyn Log,
    /// Counts dead letters, as errors of the stage with the reason `dead_letter`.
    pub metrics: &'a Metrics,
    /// Who appends.
    pub stage: &'static str,
    /// The time of it.
    pub now: Timestamp,
}

impl DeadLetters<'_> {
    /// Appends the records in their order, and answers when all are safe. Those that the log will never take
    /// become dead letters: waiting for them would stop everything that comes after them.
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
                Err(error) if error.is_final() => {
                    self.write_dead_letter(topic, &record, &error.to_string()).await?
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Writes a record that has no place in its topic as a dead letter. What is too large even for the dead-letter topic is
    /// kept in part.
    ///
    /// # Errors
    ///
    /// When the log is away.
    pub async fn write_dead_letter(
        &self,
        topic: Topic,
        record: &Record,
        error: &str,
    ) -> Result<(), LogError> {
        let (stage, size) = (self.stage, record.value.as_ref().map_or(0, Bytes::len));
        tracing::error!(stage, %topic, key = record.key, size, error, "a message becomes a dead letter");
        let Some((dlq, whole)) = self.dead_letter(topic, record, record.value.clone(), error) else {
            // It has no dead-letter topic, or is one: the line above is all that is left of the record.
            self.metrics.stage_error(stage, "lost");
            return Ok(());
        };
        let mut appended = self.log.append(dlq, vec![whole]).await;
        if appended.as_ref().is_err_and(LogError::is_final) {
            let kept = |value: &Bytes| value.slice(..value.len().min(KEPT_OF_A_HUGE_MESSAGE_BYTES));
            let part = self.dead_letter(topic, record, record.value.as_ref().map(kept), error);
            appended = self
                .log
                .append(dlq, part.map(|(_, part)| part).into_iter().collect())
                .await;
        }
        match appended {
            Err(error) if error.is_final() => {
                tracing::error!(stage, %topic, key = record.key, %error, "a message cannot even become a dead letter");
                self.metrics.stage_error(stage, "lost");
                Ok(())
            }
            Ok(()) => {
                self.metrics.stage_error(stage, "dead_letter");
                Ok(())
            }
            other => other,
        }
    }

    fn dead_letter(
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
        dead_letter(&batch, &received, self.stage, error, self.now)
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
    async fn l19_only_what_is_too_large_becomes_a_dead_letter_and_the_others_keep_their_order() {
        let (log, metrics) = (SimulatedLog::new(1), Metrics::new());
        let dead_letters = DeadLetters {
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
        dead_letters.append(topic, records).await.unwrap();
        let keys: Vec<_> = all(&log, topic)
            .await
            .into_iter()
            .map(|record| record.key)
            .collect();
        assert_eq!(keys, ["a", "c"]);
        let kept: Vec<DeadLetter> = all(&log, Topic::ALERTS_CHANGED_DLQ)
            .await
            .into_iter()
            .map(|record| serde_json::from_slice(&record.value.unwrap()).unwrap())
            .collect();
        let sizes: Vec<_> = kept
            .iter()
            .map(|letter| STANDARD.decode(&letter.value_base64).unwrap().len())
            .collect();
        assert_eq!(sizes, [1_100_000, KEPT_OF_A_HUGE_MESSAGE_BYTES]);
        assert!(kept[0].error.contains("1100001 bytes"), "{}", kept[0].error);
        assert_eq!(metrics.stage_errors("daemon", "dead_letter"), 2);
        assert_eq!(metrics.stage_errors("daemon", "lost"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waiting_may_cure_becomes_no_dead_letter() {
        let (log, metrics) = (SimulatedLog::new(1), Metrics::new());
        log.set_available(false);
        let dead_letters = DeadLetters {
            log: &log,
            metrics: &metrics,
            stage: "daemon",
            now: Timestamp::UNIX_EPOCH,
        };
        let appended = dead_letters
            .append(Topic::ALERTS_CHANGED, vec![record("a", 1)])
            .await;
        assert!(matches!(appended, Err(LogError::Unavailable(_))), "{appended:?}");
        log.set_available(true);
        assert!(all(&log, Topic::ALERTS_CHANGED_DLQ).await.is_empty());
    }

    #[test]
    fn a_dead_letter_keeps_its_bytes_its_place_and_its_trace() {
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
        let (topic, kept) = dead_letter(&batch, &record, "decorator", "no JSON", now).unwrap();
        assert_eq!((topic, kept.key.as_str()), (Topic::ALERTS_COLLECTED_DLQ, "k"));
        assert_eq!(kept.headers.last().unwrap().1, "t");
        let kept: DeadLetter = serde_json::from_slice(&kept.value.unwrap()).unwrap();
        assert_eq!(
            (kept.partition, kept.offset, kept.error.as_str()),
            (3, 7, "no JSON")
        );
        assert_eq!(STANDARD.decode(kept.value_base64).unwrap(), b"not json");
    }
}
