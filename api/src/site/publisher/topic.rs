//! What the `config` topic says: read once, and then only what is new.

use std::collections::BTreeMap;

use bytes::Bytes;
use pipeline::LogError;
use pipeline::log::{From, Log, Received};
use pipeline::restored::Mark;
use schemas::Topic;

/// The topic has one partition.
const PARTITION: u32 = 0;
/// New records are read one by one; when there are more than so many, all of the topic is read in batches.
const NEW_RECORDS_MAX: u64 = 200;

/// The newest value of each key on the topic, as far as that was read.
#[derive(Debug, Default)]
pub(super) struct OnTopic {
    values: BTreeMap<String, Bytes>,
    /// The last record that was read; none before the first reading.
    last: Option<LastRead>,
}

#[derive(Debug)]
struct LastRead {
    offset: u64,
    key: String,
    mark: Mark,
}

impl OnTopic {
    /// The values, as they were when [`OnTopic::read_on`] was called last.
    pub(super) fn values(&self) -> &BTreeMap<String, Bytes> {
        &self.values
    }

    /// Reads what was appended since the last time. All of the topic is read at first, and when the log was put back.
    ///
    /// # Errors
    ///
    /// When the log is unavailable; what was read until then stays valid.
    pub(super) async fn read_on(&mut self, log: &dyn Log) -> Result<(), LogError> {
        let end = log.extent(Topic::CONFIG, PARTITION).await?.end;
        let Some(last) = &self.last else {
            return self.read_whole(log).await;
        };
        let begin = last.offset + 1;
        let known = log.record_at(Topic::CONFIG, PARTITION, last.offset).await?;
        let is_other = known.as_ref().is_some_and(|known| Mark::of(known) != last.mark);
        if end < begin || is_other || end - begin > NEW_RECORDS_MAX {
            return self.read_whole(log).await;
        }
        // Compaction removes a record only if a newer one has its key.
        let mut superseded = known.is_none().then(|| last.key.clone());
        for offset in begin..end {
            if let Some(record) = log.record_at(Topic::CONFIG, PARTITION, offset).await? {
                superseded = superseded.filter(|key| *key != record.key);
                self.apply(record);
            }
        }
        match superseded {
            Some(_) => self.read_whole(log).await,
            None => Ok(()),
        }
    }

    async fn read_whole(&mut self, log: &dyn Log) -> Result<(), LogError> {
        *self = Self::default();
        let mut follower = log.follow(Topic::CONFIG, From::Start).await?;
        while !follower.caught_up() {
            for record in follower.next().await?.records {
                self.apply(record);
            }
        }
        Ok(())
    }

    fn apply(&mut self, record: Received) {
        self.last = Some(LastRead {
            offset: record.offset,
            key: record.key.clone(),
            mark: Mark::of(&record),
        });
        match record.value {
            Some(value) => drop(self.values.insert(record.key, value)),
            None => drop(self.values.remove(&record.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use pipeline::Record;
    use pipeline::log::simulated::SimulatedLog;
    use pipeline::log::{Batch, Consumer, Extent, Follower};

    use super::*;

    /// Counts the records that are read of it.
    struct Counting {
        log: SimulatedLog,
        read: Arc<AtomicUsize>,
    }

    struct CountingFollower {
        follower: Box<dyn Follower>,
        read: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl Follower for CountingFollower {
        async fn next(&mut self) -> Result<Batch, LogError> {
            let batch = self.follower.next().await?;
            self.read.fetch_add(batch.records.len(), Ordering::Relaxed);
            Ok(batch)
        }

        fn caught_up(&self) -> bool {
            self.follower.caught_up()
        }
    }

    #[async_trait]
    impl Log for Counting {
        async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
            self.log.append(topic, records).await
        }

        async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
            self.log.join(group, topics).await
        }

        async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
            Ok(Box::new(CountingFollower {
                follower: self.log.follow(topic, from).await?,
                read: self.read.clone(),
            }))
        }

        fn partitions(&self, topic: Topic) -> u32 {
            self.log.partitions(topic)
        }

        async fn extent(&self, topic: Topic, partition: u32) -> Result<Extent, LogError> {
            self.log.extent(topic, partition).await
        }

        async fn record_at(
            &self,
            topic: Topic,
            partition: u32,
            offset: u64,
        ) -> Result<Option<Received>, LogError> {
            self.read.fetch_add(1, Ordering::Relaxed);
            self.log.record_at(topic, partition, offset).await
        }
    }

    impl Counting {
        fn new() -> Self {
            Self {
                log: SimulatedLog::new(1),
                read: Arc::default(),
            }
        }

        async fn append(&self, entries: &[(&str, &str)]) {
            let record = |(key, value): &(&str, &str)| Record {
                key: (*key).to_owned(),
                value: (!value.is_empty()).then(|| Bytes::from((*value).to_owned())),
                headers: Vec::new(),
            };
            let records = entries.iter().map(record).collect();
            Log::append(self, Topic::CONFIG, records).await.unwrap();
        }

        /// Reads on, and answers how many records that took.
        async fn read_on(&self, on_topic: &mut OnTopic) -> usize {
            let before = self.read.load(Ordering::Relaxed);
            on_topic.read_on(self).await.unwrap();
            self.read.load(Ordering::Relaxed) - before
        }

        async fn agrees(&self, on_topic: &OnTopic) -> bool {
            let mut anew = OnTopic::default();
            anew.read_on(self).await.unwrap();
            anew.values == on_topic.values
        }
    }

    #[tokio::test]
    async fn a_change_of_the_site_reads_only_what_is_new_of_the_topic() {
        let log = Counting::new();
        let keys: Vec<_> = (0..1000).map(|number| format!("silence/{number}")).collect();
        let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), "a")).collect();
        log.append(&entries).await;
        log.append(&[("revision/site", "1")]).await;
        let mut on_topic = OnTopic::default();
        assert_eq!(log.read_on(&mut on_topic).await, 1001, "all of it at first");
        for revision in 2..20 {
            let revision = revision.to_string();
            log.append(&[
                ("silence/7", revision.as_str()),
                ("silence/8", ""),
                ("revision/site", &revision),
            ])
            .await;
            let read = log.read_on(&mut on_topic).await;
            assert!(read <= 4, "{read} records for a change of three");
            assert!(log.agrees(&on_topic).await);
        }
        assert!(log.read_on(&mut on_topic).await <= 1, "nothing is new");
        assert_eq!(on_topic.values()["silence/7"], "19");
        assert!(!on_topic.values().contains_key("silence/8"));
    }

    #[tokio::test]
    async fn a_log_that_was_put_back_is_read_whole() {
        let log = Counting::new();
        log.append(&[("a", "1"), ("b", "1"), ("revision/site", "1")])
            .await;
        let mut on_topic = OnTopic::default();
        log.read_on(&mut on_topic).await;

        for later in [
            &[("a", "2")][..],
            &[("a", "2"), ("revision/site", "2"), ("c", "2")],
            &[("a", "2"), ("b", "2"), ("c", "2"), ("d", "2"), ("e", "2")],
        ] {
            let other = Counting::new();
            other.append(later).await;
            let mut on_topic = OnTopic {
                values: on_topic.values.clone(),
                last: on_topic.last.as_ref().map(|last| LastRead {
                    key: last.key.clone(),
                    ..*last
                }),
            };
            other.read_on(&mut on_topic).await;
            let keys: BTreeSet<_> = on_topic.values().keys().map(String::as_str).collect();
            assert_eq!(keys, later.iter().map(|(key, _)| *key).collect());
        }
    }
}
