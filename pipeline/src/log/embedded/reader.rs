//! Readers of the embedded log: members of groups, and followers.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use fjall::Keyspace;
use schemas::Topic;
use tokio::sync::Notify;

use super::{Group, Member, Partition, Shared, StorageError, codec};
use crate::log::{Batch, Consumer, Delivery, Fill, Follower, From, LogError, Positions, Received};

/// Where one reader is in one partition.
struct Cursor {
    topic: Topic,
    partition: u32,
    position: u64,
}

/// Where the next records of a cursor are.
enum Found {
    Nothing,
    InMemory(Vec<Received>),
    /// From the first of these offsets, and before the second.
    OnDisk(u64, u64),
}

fn find(partition: &Partition, position: u64) -> Found {
    if position >= partition.end {
        return Found::Nothing;
    }
    match partition.tail.front() {
        Some(oldest) if oldest.offset <= position => {
            let from = partition.tail.partition_point(|record| record.offset < position);
            let mut fill = Fill::default();
            let records = partition.tail.range(from..);
            Found::InMemory(records.take_while(|record| fill.takes(record)).cloned().collect())
        }
        _ => Found::OnDisk(position.max(partition.first), partition.end),
    }
}

fn read_disk(
    keyspace: &Keyspace,
    partition: u32,
    from: u64,
    end: u64,
) -> Result<Vec<Received>, StorageError> {
    let range = codec::place(partition, from)..codec::place(partition, end);
    let (mut records, mut fill) = (Vec::new(), Fill::default());
    for record in keyspace.range(range) {
        let (place, value) = record.into_inner()?;
        let record = codec::decode(&place, &value)?;
        if !fill.takes(&record) {
            break;
        }
        records.push(record);
    }
    Ok(records)
}

/// The next records of the first cursor that has some. That cursor goes to the end, so that all get their turn.
async fn read(shared: &Shared, cursors: &mut Vec<Cursor>) -> Result<Option<Batch>, LogError> {
    for index in 0..cursors.len() {
        let Cursor {
            topic,
            partition,
            position,
        } = cursors[index];
        let found = match shared.partition(topic, partition) {
            Some(partition) => find(&partition, position),
            None => Found::Nothing,
        };
        let records = match found {
            Found::Nothing => continue,
            Found::InMemory(records) => records,
            Found::OnDisk(from, end) => {
                let records = records_on_disk(shared, topic, partition, from, end).await?;
                if records.is_empty() {
                    // All of them were removed since.
                    cursors[index].position = end;
                    continue;
                }
                records
            }
        };
        let batch = Batch {
            topic,
            partition,
            records,
        };
        let mut cursor = cursors.remove(index);
        cursor.position = batch.next_offset();
        cursors.push(cursor);
        return Ok(Some(batch));
    }
    Ok(None)
}

async fn records_on_disk(
    shared: &Shared,
    topic: Topic,
    partition: u32,
    from: u64,
    end: u64,
) -> Result<Vec<Received>, LogError> {
    let Some(keyspace) = shared.topics.get(&topic).and_then(super::TopicLog::keyspace) else {
        let failure = shared.failure().clone();
        return match failure {
            Some(error) => Err(shared.failed(&StorageError::Closed(error))),
            None => Ok(Vec::new()),
        };
    };
    let records = tokio::task::spawn_blocking(move || read_disk(&keyspace, partition, from, end)).await;
    records
        .map_err(|error| LogError::Unavailable(format!("reading was broken off: {error}")))?
        .map_err(|error| shared.failed(&error))
}

/// The record at this offset, as it lies on disk.
pub(super) async fn record_at(
    shared: &Shared,
    topic: Topic,
    partition: u32,
    offset: u64,
) -> Result<Option<Received>, LogError> {
    let end = offset.saturating_add(1);
    Ok(records_on_disk(shared, topic, partition, offset, end)
        .await?
        .pop())
}

/// A member of a group.
pub(super) struct EmbeddedConsumer {
    shared: Arc<Shared>,
    group: String,
    topics: Vec<Topic>,
    member: u64,
    woken: Arc<Notify>,
    partitions: Vec<u32>,
    assigned: bool,
    cursors: Vec<Cursor>,
}

impl EmbeddedConsumer {
    pub(super) fn join(shared: Arc<Shared>, group: &str, topics: &[Topic]) -> Self {
        let woken = Arc::new(Notify::new());
        for log in topics.iter().filter_map(|topic| shared.topics.get(topic)) {
            log.readers().push(Arc::downgrade(&woken));
        }
        let member = {
            let mut groups = shared.groups();
            groups.next_member += 1;
            let member = groups.next_member;
            let group = groups.by_name.entry(group.to_owned()).or_default();
            group.wake_members();
            group.members.push(Member {
                number: member,
                topics: topics.to_vec(),
                woken: Arc::clone(&woken),
            });
            member
        };
        let most = topics
            .iter()
            .map(|topic| topic.embedded_partitions())
            .max()
            .unwrap_or(0);
        Self {
            shared,
            group: group.to_owned(),
            topics: topics.to_vec(),
            member,
            woken,
            partitions: (0..most).collect(),
            assigned: false,
            cursors: Vec::new(),
        }
    }

    fn with_group<T>(&self, act: impl FnOnce(&mut Group) -> T) -> Option<T> {
        self.shared.groups().by_name.get_mut(&self.group).map(act)
    }

    fn is_owner(&self) -> bool {
        self.with_group(|group| group.is_owner(self.member))
            .unwrap_or(false)
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self) -> Result<Delivery, LogError> {
        loop {
            let is_owner = self.is_owner();
            if is_owner != self.assigned {
                self.assigned = is_owner;
                self.cursors.clear();
                let partitions = self.partitions.clone();
                return Ok(if is_owner {
                    Delivery::Assigned(partitions)
                } else {
                    Delivery::Revoked(partitions)
                });
            }
            if let Some(batch) = read(&self.shared, &mut self.cursors).await? {
                return Ok(Delivery::Batch(batch));
            }
            self.woken.notified().await;
        }
    }

    async fn start(&mut self, positions: &Positions) -> Result<(), LogError> {
        let committed = self
            .with_group(|group| group.positions.clone())
            .unwrap_or_default();
        self.cursors = self
            .topics
            .iter()
            .flat_map(|topic| (0..topic.embedded_partitions()).map(|partition| (*topic, partition)))
            .map(|(topic, partition)| {
                let place = (topic, partition);
                let position = positions
                    .get(&place)
                    .or_else(|| committed.get(&place))
                    .copied()
                    .unwrap_or(0);
                Cursor {
                    topic,
                    partition,
                    position,
                }
            })
            .collect();
        Ok(())
    }

    async fn commit(&mut self, topic: Topic, partition: u32, offset: u64) -> Result<(), LogError> {
        let member = self.member;
        self.with_group(|group| {
            // Whoever lost its partitions must not move the position of the one that has them now.
            if group.is_owner(member) {
                group.positions.insert((topic, partition), offset);
                group.unsaved.insert((topic, partition), offset);
            }
        });
        Ok(())
    }

    fn lag(&self) -> BTreeMap<Topic, u64> {
        let mut lag: BTreeMap<Topic, u64> = self.topics.iter().map(|topic| (*topic, 0)).collect();
        for cursor in &self.cursors {
            if let Some(partition) = self.shared.partition(cursor.topic, cursor.partition) {
                *lag.entry(cursor.topic).or_default() +=
                    partition.end.saturating_sub(cursor.position.max(partition.first));
            }
        }
        lag
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        let member = self.member;
        self.with_group(|group| {
            group.members.retain(|other| other.number != member);
            group.wake_members();
        });
    }
}

/// Reads a whole topic.
pub(super) struct EmbeddedFollower {
    shared: Arc<Shared>,
    woken: Arc<Notify>,
    cursors: Vec<Cursor>,
    /// The ends when it began.
    ends: BTreeMap<u32, u64>,
}

impl EmbeddedFollower {
    pub(super) fn follow(shared: Arc<Shared>, topic: Topic, from: From) -> Self {
        let woken = Arc::new(Notify::new());
        if let Some(log) = shared.topics.get(&topic) {
            log.readers().push(Arc::downgrade(&woken));
        }
        let ends: BTreeMap<u32, u64> = (0..topic.embedded_partitions())
            .filter_map(|number| Some((number, shared.partition(topic, number)?.end)))
            .collect();
        let cursor = |(number, end): (&u32, &u64)| {
            let position = if from == From::Start { 0 } else { *end };
            Cursor {
                topic,
                partition: *number,
                position,
            }
        };
        let cursors = ends.iter().map(cursor).collect();
        Self {
            shared,
            woken,
            cursors,
            ends,
        }
    }
}

#[async_trait]
impl Follower for EmbeddedFollower {
    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            if let Some(batch) = read(&self.shared, &mut self.cursors).await? {
                return Ok(batch);
            }
            self.woken.notified().await;
        }
    }

    fn caught_up(&self) -> bool {
        let end = |cursor: &Cursor| self.ends.get(&cursor.partition).copied().unwrap_or(0);
        self.cursors.iter().all(|cursor| cursor.position >= end(cursor))
    }
}
