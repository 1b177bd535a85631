//! Signs of life for those who follow `alerts.changed`.
//!
//! A quiet topic says nothing about whether the daemon lives. So every few seconds a record without an alert goes into each
//! partition whose daemon can reach log and database. The aggregator hands it on, and a bridge that misses it tells its
//! consoles that they may be stale.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pipeline::log::{Batch, Positions, Record, partition_of};
use pipeline::{Context, Stage, StageError, Steady};
use schemas::{AlertChanged, Fingerprint, Topic};

use crate::stage::Daemon;

/// How often each partition says that its daemon lives.
const EVERY: Duration = Duration::from_secs(5);

/// A daemon that says that it lives.
pub(crate) struct Living {
    daemon: Daemon,
    context: Context,
    next: Steady,
}

impl Living {
    pub(crate) fn new(context: Context, daemon: Daemon) -> Self {
        Self {
            daemon,
            context,
            next: Steady::MIN,
        }
    }

    async fn say_so(&mut self, now: Timestamp) -> Result<(), StageError> {
        let owned = self.daemon.check_owned().await?;
        let partitions = self.context.log.partitions(Topic::ALERTS_CHANGED);
        let records = owned
            .into_iter()
            .map(|partition| record(partition, partitions, now))
            .collect();
        self.context.log.append(Topic::ALERTS_CHANGED, records).await?;
        self.next = self.context.clock.steady().after(EVERY);
        Ok(())
    }
}

#[async_trait]
impl Stage for Living {
    async fn assigned(&mut self, partitions: &[u32]) -> Result<Positions, StageError> {
        self.next = Steady::MIN;
        self.daemon.assigned(partitions).await
    }

    async fn revoked(&mut self, partitions: &[u32]) {
        self.daemon.revoked(partitions).await;
    }

    async fn process(&mut self, batch: &Batch) -> Result<(), StageError> {
        self.daemon.process(batch).await
    }

    fn wake_at(&self) -> Option<Timestamp> {
        let next = self
            .daemon
            .owns_any()
            .then(|| self.context.clock.wall_at(self.next));
        self.daemon.wake_at().into_iter().chain(next).min()
    }

    async fn wake(&mut self) -> Result<(), StageError> {
        let due = self.daemon.wake_at();
        let now = self.context.clock.now();
        if due.is_some_and(|at| at <= now) {
            self.daemon.wake().await?;
        }
        if self.next <= self.context.clock.steady() && self.daemon.owns_any() {
            self.say_so(now).await?;
        }
        Ok(())
    }

    fn commits_to_log(&self) -> bool {
        self.daemon.commits_to_log()
    }
}

fn record(partition: u32, partitions: u32, now: Timestamp) -> Record {
    let fingerprint = fingerprint_in(partition, partitions);
    let heartbeat = AlertChanged {
        fingerprint,
        alert: None,
        accepted_at: now,
        answers: Vec::new(),
        heartbeat: true,
    };
    #[expect(
        clippy::expect_used,
        reason = "a fingerprint, a time and a switch always have a JSON form"
    )]
    let value = serde_json::to_vec(&heartbeat).expect("a heartbeat has a JSON form");
    Record {
        key: fingerprint.to_string(),
        value: Some(value.into()),
        headers: Vec::new(),
    }
}

/// The first small number whose text, as a fingerprint, is a key of this partition. About as many are tried as there are
/// partitions.
fn fingerprint_in(partition: u32, partitions: u32) -> Fingerprint {
    let numbered = |number: u32| Fingerprint::from_bytes(u128::from(number).to_be_bytes());
    (0..u32::MAX)
        .map(numbered)
        .find(|fingerprint| partition_of(&fingerprint.to_string(), partitions) == partition)
        .unwrap_or_else(|| numbered(partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_a_heartbeat_of_its_own() {
        for partitions in [1, 6, 64] {
            for partition in 0..partitions {
                let record = record(partition, partitions, Timestamp::UNIX_EPOCH);
                assert_eq!(partition_of(&record.key, partitions), partition);
                let read: AlertChanged = serde_json::from_slice(&record.value.unwrap()).unwrap();
                assert!(read.heartbeat && read.alert.is_none());
                assert_eq!(read.fingerprint.to_string(), record.key);
            }
        }
    }
}
