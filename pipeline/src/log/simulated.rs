//! A log in memory, for tests: several members per group, rebalances, and outages on demand.
//!
//! It never waits for real time, so it works on a paused tokio runtime.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use schemas::Topic;
use tokio::sync::Notify;

use super::{
    Batch, Consumer, Delivery, Extent, Fill, Follower, From, Log, LogError, Positions, Received, Record,
    check_size, partition_of,
};

/// A log in memory; clones are the same log.
#[derive(Clone)]
pub struct SimulatedLog {
    shared: Arc<Shared>,
}

struct Shared {
    partitions: u32,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    away: bool,
    trusting: bool,
    partitions: BTreeMap<(Topic, u32), Partition>,
    groups: BTreeMap<String, Group>,
    next_member: u64,
}

#[derive(Default)]
struct Partition {
    end: u64,
    records: Vec<Received>,
}

/// Partition `n` of all the topics belongs to member `n mod members`.
#[derive(Default)]
struct Group {
    members: Vec<u64>,
    generation: u64,
    positions: Positions,
}

impl SimulatedLog {
    /// An empty log whose topics have so many partitions, except those that always have one.
    pub fn new(partitions: u32) -> Self {
        let shared = Shared {
            partitions,
            state: Mutex::default(),
            changed: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The log goes away (every call answers [`LogError::Unavailable`]) or comes back.
    pub fn set_available(&self, available: bool) {
        self.shared.lock().away = !available;
        self.shared.changed.notify_waiters();
    }

    /// From now on all positions are good, wherever the log ends: for stages that are handed batches which it never held.
    pub fn take_positions_on_trust(&self) {
        self.shared.lock().trusting = true;
    }

    /// Every partition loses its last records, so many at most: the log's disk was put back. Its readers join anew.
    pub fn put_back(&self, records: u64) {
        {
            let mut state = self.shared.lock();
            let State {
                partitions, groups, ..
            } = &mut *state;
            for partition in partitions.values_mut() {
                partition.end = partition.end.saturating_sub(records);
                let end = partition.end;
                partition.records.retain(|record| record.offset < end);
            }
            for group in groups.values_mut() {
                group.generation += 1;
                for (place, position) in &mut group.positions {
                    let end = partitions.get(place).map_or(0, |partition| partition.end);
                    *position = end.min(*position);
                }
            }
        }
        self.shared.changed.notify_waiters();
    }

    /// All the records of a topic, partition by partition.
    pub fn records(&self, topic: Topic) -> Vec<Received> {
        let state = self.shared.lock();
        state
            .partitions
            .iter()
            .filter(|((of, _), _)| *of == topic)
            .flat_map(|(_, partition)| partition.records.iter().cloned())
            .collect()
    }

    /// What a group has committed.
    pub fn committed(&self, group: &str) -> Positions {
        self.shared
            .lock()
            .groups
            .get(group)
            .map(|group| group.positions.clone())
            .unwrap_or_default()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn partitions(&self, topic: Topic) -> u32 {
        if topic.settings().single_partition {
            1
        } else {
            self.partitions
        }
    }

    /// Asks `poll` again after each change until it has something.
    async fn when<T>(&self, mut poll: impl FnMut(&mut State) -> Option<T>) -> Result<T, LogError> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let mut state = self.lock();
                state.check_available()?;
                if let Some(found) = poll(&mut state) {
                    return Ok(found);
                }
            }
            changed.await;
        }
    }
}

impl State {
    fn check_available(&self) -> Result<(), LogError> {
        if self.away {
            Err(LogError::Unavailable("simulated outage".to_owned()))
        } else {
            Ok(())
        }
    }

    fn end(&self, topic: Topic, partition: u32) -> u64 {
        self.partitions
            .get(&(topic, partition))
            .map_or(0, |partition| partition.end)
    }

    fn append(&mut self, topic: Topic, partition: u32, record: Record) {
        let partition = self.partitions.entry((topic, partition)).or_default();
        if topic.settings().compacted {
            partition.records.retain(|older| older.key != record.key);
        }
        let Record { key, value, headers } = record;
        partition.records.push(Received {
            offset: partition.end,
            key,
            value,
            headers,
        });
        partition.end += 1;
    }

    /// The next records of the first of these partitions that has some; moves its position.
    fn read(&self, positions: &mut [((Topic, u32), u64)]) -> Option<Batch> {
        for ((topic, number), position) in positions {
            let Some(partition) = self.partitions.get(&(*topic, *number)) else {
                continue;
            };
            let from = partition
                .records
                .partition_point(|record| record.offset < *position);
            let mut fill = Fill::default();
            let records: Vec<_> = partition.records[from..]
                .iter()
                .take_while(|record| fill.takes(record))
                .cloned()
                .collect();
            if !records.is_empty() {
                let batch = Batch {
                    topic: *topic,
                    partition: *number,
                    records,
                };
                *position = batch.next_offset();
                return Some(batch);
            }
        }
        None
    }
}

#[async_trait]
impl Log for SimulatedLog {
    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        for record in &records {
            check_size(topic, record)?;
        }
        {
            let mut state = self.shared.lock();
            state.check_available()?;
            for record in records {
                let partition = partition_of(&record.key, self.partitions(topic));
                state.append(topic, partition, record);
            }
        }
        self.shared.changed.notify_waiters();
        Ok(())
    }

    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        let member = {
            let mut state = self.shared.lock();
            state.check_available()?;
            state.next_member += 1;
            let member = state.next_member;
            let group = state.groups.entry(group.to_owned()).or_default();
            group.members.push(member);
            group.generation += 1;
            member
        };
        self.shared.changed.notify_waiters();
        Ok(Box::new(SimulatedConsumer {
            shared: Arc::clone(&self.shared),
            group: group.to_owned(),
            topics: topics.to_vec(),
            member,
            generation: 0,
            assigned: Vec::new(),
            positions: Vec::new(),
        }))
    }

    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
        let state = self.shared.lock();
        state.check_available()?;
        let numbers = 0..self.partitions(topic);
        let ends: Vec<_> = numbers
            .map(|number| ((topic, number), state.end(topic, number)))
            .collect();
        let positions = match from {
            From::Start => ends.iter().map(|(place, _)| (*place, 0)).collect(),
            From::End => ends.clone(),
        };
        Ok(Box::new(SimulatedFollower {
            shared: Arc::clone(&self.shared),
            positions,
            ends,
        }))
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.shared.partitions(topic)
    }

    async fn extent(&self, topic: Topic, partition: u32) -> Result<Extent, LogError> {
        let state = self.shared.lock();
        state.check_available()?;
        if state.trusting {
            return Ok(Extent {
                first: u64::MAX,
                end: u64::MAX,
            });
        }
        let partition = state.partitions.get(&(topic, partition));
        let end = partition.map_or(0, |partition| partition.end);
        let first = partition.and_then(|partition| partition.records.first());
        Ok(Extent {
            first: first.map_or(end, |first| first.offset),
            end,
        })
    }

    async fn record_at(
        &self,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Received>, LogError> {
        let state = self.shared.lock();
        state.check_available()?;
        let partition = state.partitions.get(&(topic, partition));
        let mut records = partition.into_iter().flat_map(|partition| &partition.records);
        Ok(records.find(|record| record.offset == offset).cloned())
    }
}

struct SimulatedConsumer {
    shared: Arc<Shared>,
    group: String,
    topics: Vec<Topic>,
    member: u64,
    /// Of the group, when this member last looked.
    generation: u64,
    assigned: Vec<u32>,
    /// Empty until started; the partition that was read last is at the end, so that all get their turn.
    positions: Vec<((Topic, u32), u64)>,
}

impl SimulatedConsumer {
    fn places(&self) -> Vec<(Topic, u32)> {
        let all = self
            .topics
            .iter()
            .flat_map(|topic| self.assigned.iter().map(|number| (*topic, *number)));
        all.filter(|(topic, number)| *number < self.shared.partitions(*topic))
            .collect()
    }

    fn poll(&mut self, state: &mut State) -> Option<Delivery> {
        let group = state.groups.get(&self.group)?;
        if self.generation != group.generation {
            self.positions.clear();
            if !self.assigned.is_empty() {
                return Some(Delivery::Revoked(std::mem::take(&mut self.assigned)));
            }
            self.generation = group.generation;
            self.assigned = self.share(&group.members);
            if !self.assigned.is_empty() {
                return Some(Delivery::Assigned(self.assigned.clone()));
            }
        }
        let batch = state.read(&mut self.positions)?;
        if let Some(read) = self
            .positions
            .iter()
            .position(|(place, _)| *place == (batch.topic, batch.partition))
        {
            let read = self.positions.remove(read);
            self.positions.push(read);
        }
        Some(Delivery::Batch(batch))
    }

    fn share(&self, members: &[u64]) -> Vec<u32> {
        let most = self
            .topics
            .iter()
            .map(|topic| self.shared.partitions(*topic))
            .max()
            .unwrap_or(0);
        let turns = members.iter().cycle();
        (0..most)
            .zip(turns)
            .filter(|(_, member)| **member == self.member)
            .map(|(number, _)| number)
            .collect()
    }
}

#[async_trait]
impl Consumer for SimulatedConsumer {
    async fn next(&mut self) -> Result<Delivery, LogError> {
        let shared = Arc::clone(&self.shared);
        shared.when(|state| self.poll(state)).await
    }

    async fn start(&mut self, positions: &Positions) -> Result<(), LogError> {
        let state = self.shared.lock();
        state.check_available()?;
        let committed = state.groups.get(&self.group).map(|group| &group.positions);
        let positions = self
            .places()
            .into_iter()
            .map(|place| {
                let position = positions.get(&place).or_else(|| committed?.get(&place));
                (place, position.copied().unwrap_or(0))
            })
            .collect();
        drop(state);
        self.positions = positions;
        // What was appended before is there to be read.
        self.shared.changed.notify_waiters();
        Ok(())
    }

    async fn commit(&mut self, topic: Topic, partition: u32, offset: u64) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        state.check_available()?;
        if let Some(group) = state.groups.get_mut(&self.group)
            && group.generation == self.generation
            && self.assigned.contains(&partition)
        {
            group.positions.insert((topic, partition), offset);
        }
        Ok(())
    }

    fn lag(&self) -> BTreeMap<Topic, u64> {
        let state = self.shared.lock();
        let mut lag: BTreeMap<Topic, u64> = self.topics.iter().map(|topic| (*topic, 0)).collect();
        for ((topic, number), position) in &self.positions {
            *lag.entry(*topic).or_default() += state.end(*topic, *number).saturating_sub(*position);
        }
        lag
    }
}

impl Drop for SimulatedConsumer {
    fn drop(&mut self) {
        if let Some(group) = self.shared.lock().groups.get_mut(&self.group) {
            group.members.retain(|member| *member != self.member);
            group.generation += 1;
        }
        self.shared.changed.notify_waiters();
    }
}

struct SimulatedFollower {
    shared: Arc<Shared>,
    positions: Vec<((Topic, u32), u64)>,
    ends: Vec<((Topic, u32), u64)>,
}

#[async_trait]
impl Follower for SimulatedFollower {
    async fn next(&mut self) -> Result<Batch, LogError> {
        let positions = &mut self.positions;
        self.shared.when(|state| state.read(positions)).await
    }

    fn caught_up(&self) -> bool {
        self.positions
            .iter()
            .zip(&self.ends)
            .all(|((_, position), (_, end))| position >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str) -> Record {
        Record {
            key: key.to_owned(),
            value: Some("{}".into()),
            headers: Vec::new(),
        }
    }

    async fn assigned(consumer: &mut Box<dyn Consumer>) -> Vec<u32> {
        loop {
            if let Delivery::Assigned(partitions) = consumer.next().await.unwrap() {
                return partitions;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn members_share_the_partitions_and_one_that_leaves_gives_them_back() {
        let log = SimulatedLog::new(4);
        let mut first = log.join("g", &[Topic::ALERTS_COLLECTED]).await.unwrap();
        assert_eq!(assigned(&mut first).await, [0, 1, 2, 3]);
        let mut second = log.join("g", &[Topic::ALERTS_COLLECTED]).await.unwrap();
        assert_eq!(assigned(&mut second).await, [1, 3]);
        assert_eq!(first.next().await.unwrap(), Delivery::Revoked(vec![0, 1, 2, 3]));
        assert_eq!(first.next().await.unwrap(), Delivery::Assigned(vec![0, 2]));
        drop(second);
        assert_eq!(first.next().await.unwrap(), Delivery::Revoked(vec![0, 2]));
        assert_eq!(first.next().await.unwrap(), Delivery::Assigned(vec![0, 1, 2, 3]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_seen_by_readers_who_wait_and_by_writers() {
        let log = SimulatedLog::new(1);
        let mut consumer = log.join("g", &[Topic::ALERTS_COLLECTED]).await.unwrap();
        assigned(&mut consumer).await;
        consumer.start(&Positions::new()).await.unwrap();
        let waits = tokio::spawn(async move { consumer.next().await.map(|_| ()).map_err(|e| e.to_string()) });
        tokio::task::yield_now().await;
        log.set_available(false);
        assert_eq!(
            waits.await.unwrap(),
            Err("the log is not available: simulated outage".to_owned())
        );
        assert!(
            log.append(Topic::ALERTS_COLLECTED, vec![record("a")])
                .await
                .is_err()
        );
        log.set_available(true);
        log.append(Topic::ALERTS_COLLECTED, vec![record("a")])
            .await
            .unwrap();
        assert_eq!(log.records(Topic::ALERTS_COLLECTED).len(), 1);
    }
}
