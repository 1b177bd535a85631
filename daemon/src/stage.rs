//! The stage around the heart: claims, transactions, deadlines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use domain::Site;
use jiff::Timestamp;
use pipeline::log::{Batch, Positions};
use pipeline::{Context, Stage, StageError, runner};
use store::{Claim, Commit, OutboxRow, Store, StoreError};
use tokio::sync::watch;

use crate::metrics::DaemonMetrics;
use crate::outbox;
use crate::work::{Message, Work, not_done, traceparent};

/// Deadlines that are applied in one transaction.
const DEADLINES_AT_ONCE: usize = 500;

/// One membership in the group of daemons.
pub(crate) struct Daemon {
    context: Context,
    site: watch::Receiver<Arc<Site>>,
    store: Store,
    metrics: DaemonMetrics,
    owner: String,
    assigned: BTreeSet<u32>,
    /// The assigned partitions whose claim is known to be good.
    partitions: BTreeMap<u32, Partition>,
}

/// A partition that is claimed.
struct Partition {
    claim: Claim,
    next_due: Option<Timestamp>,
    /// Committed, and not yet known to be published.
    unpublished: Vec<OutboxRow>,
    /// Published, and not yet removed from the outbox.
    published: Vec<i64>,
}

#[async_trait]
impl Stage for Daemon {
    async fn assigned(&mut self, partitions: &[u32]) -> Result<Positions, StageError> {
        if self.site.borrow().revision.is_none() {
            return Err(StageError::Unavailable {
                dependency: "configuration",
                error: "the site was not read yet".to_owned(),
            });
        }
        let mut positions = Positions::new();
        self.assigned.extend(partitions);
        for partition in partitions {
            self.claim(*partition).await?;
            let owned = self.owned(*partition)?;
            let known = &owned.claim.positions;
            positions.extend(
                known
                    .iter()
                    .map(|(topic, offset)| ((*topic, *partition), *offset)),
            );
            // A partition that was never read begins at the oldest record, whatever the log remembers of the group.
            for topic in crate::TOPICS {
                positions.entry((topic, *partition)).or_insert(0);
            }
            self.publish(*partition).await?;
        }
        Ok(positions)
    }

    async fn revoked(&mut self, partitions: &[u32]) {
        self.assigned.retain(|partition| !partitions.contains(partition));
        self.partitions
            .retain(|partition, _| !partitions.contains(partition));
    }

    async fn process(&mut self, batch: &Batch) -> Result<(), StageError> {
        self.claim(batch.partition).await?;
        self.publish(batch.partition).await?;
        let position = self
            .owned(batch.partition)?
            .claim
            .positions
            .get(&batch.topic)
            .copied()
            .unwrap_or(0);
        let mut messages = Vec::with_capacity(batch.records.len());
        for record in not_done(batch, position) {
            match Message::read(batch.topic, record) {
                Ok(message) => messages.push((message, record)),
                Err(error) => self.park(batch, record, &error).await?,
            }
        }
        let fingerprints: BTreeSet<_> = messages
            .iter()
            .map(|(message, _)| message.fingerprint())
            .collect();
        let fingerprints: Vec<_> = fingerprints.into_iter().collect();
        let states = self.store.load(&fingerprints).await.map_err(stage_error)?;
        let site = Arc::clone(&self.site.borrow());
        let now = self.context.clock.now();
        let mut work = Work::new(now, &site, states);
        for (message, record) in &messages {
            let trace = traceparent(&self.context.tracer, record, now, self.context.clock.now());
            work.message(message, trace);
        }
        self.carry_out(batch.partition, work, Some((batch.topic, batch.next_offset())))
            .await
    }

    fn wake_at(&self) -> Option<Timestamp> {
        if self.assigned.len() > self.partitions.len() {
            // A claim was given up after a commit whose fate is unknown.
            return Some(Timestamp::MIN);
        }
        self.partitions
            .values()
            .filter_map(|partition| partition.next_due)
            .min()
    }

    async fn wake(&mut self) -> Result<(), StageError> {
        for partition in self.assigned.clone() {
            self.claim(partition).await?;
            self.publish(partition).await?;
        }
        let now = self.context.clock.now();
        let due: Vec<_> = self
            .partitions
            .iter()
            .filter(|(_, partition)| partition.next_due.is_some_and(|due| due <= now))
            .map(|(number, _)| *number)
            .collect();
        for partition in due {
            self.deadlines(partition, now).await?;
        }
        Ok(())
    }

    fn commits_to_log(&self) -> bool {
        false
    }
}

impl Daemon {
    pub(crate) fn new(
        context: Context,
        site: watch::Receiver<Arc<Site>>,
        store: Store,
        metrics: DaemonMetrics,
        owner: String,
    ) -> Self {
        Self {
            context,
            site,
            store,
            metrics,
            owner,
            assigned: BTreeSet::new(),
            partitions: BTreeMap::new(),
        }
    }

    /// Claims the partition unless this membership has done so.
    async fn claim(&mut self, number: u32) -> Result<(), StageError> {
        if self.partitions.contains_key(&number) {
            return Ok(());
        }
        let claim = self
            .store
            .claim("daemon", number, &self.owner)
            .await
            .map_err(stage_error)?;
        let unpublished = self.store.outbox(number).await.map_err(stage_error)?;
        let next_due = self.store.next_due(number).await.map_err(stage_error)?;
        let partition = Partition {
            claim,
            next_due,
            unpublished,
            published: Vec::new(),
        };
        self.partitions.insert(number, partition);
        Ok(())
    }

    fn owned(&mut self, number: u32) -> Result<&mut Partition, StageError> {
        self.partitions.get_mut(&number).ok_or(StageError::Fenced(number))
    }

    /// Publishes what was committed and not published, oldest first.
    async fn publish(&mut self, number: u32) -> Result<(), StageError> {
        let log = Arc::clone(&self.context.log);
        let partition = self.owned(number)?;
        while let Some(row) = partition.unpublished.first() {
            outbox::publish(log.as_ref(), &row.messages).await?;
            let row = partition.unpublished.remove(0);
            partition.published.push(row.id);
        }
        Ok(())
    }

    async fn park(
        &self,
        batch: &Batch,
        record: &pipeline::log::Received,
        error: &str,
    ) -> Result<(), StageError> {
        tracing::error!(topic = %batch.topic, offset = record.offset, error, "a message is parked");
        if let Some((topic, parked)) =
            runner::parked(batch, record, "daemon", error, self.context.clock.now())
        {
            self.context.log.append(topic, vec![parked]).await?;
        }
        Ok(())
    }

    async fn deadlines(&mut self, number: u32, now: Timestamp) -> Result<(), StageError> {
        let due = self
            .store
            .due(number, now, DEADLINES_AT_ONCE)
            .await
            .map_err(stage_error)?;
        let fingerprints: Vec<_> = due.iter().map(|(fingerprint, _)| *fingerprint).collect();
        let states = self.store.load(&fingerprints).await.map_err(stage_error)?;
        let site = Arc::clone(&self.site.borrow());
        let mut work = Work::new(now, &site, states);
        for (fingerprint, due_at) in &due {
            self.metrics
                .lateness
                .observe(now.duration_since(*due_at).as_secs_f64());
            work.deadline(*fingerprint);
        }
        self.carry_out(number, work, None).await?;
        let next_due = self.store.next_due(number).await.map_err(stage_error)?;
        self.owned(number)?.next_due = next_due;
        Ok(())
    }

    /// Commits the work and publishes it.
    async fn carry_out(
        &mut self,
        number: u32,
        work: Work<'_>,
        position: Option<(schemas::Topic, u64)>,
    ) -> Result<(), StageError> {
        self.count(&work);
        let accepted_at = work.accepted_at.clone();
        let mut commit = work.into_commit(position);
        let partition = self.owned(number)?;
        commit.published = std::mem::take(&mut partition.published);
        let claim = partition.claim.clone();
        let committed = self.store.commit(&claim, &commit).await;
        let row = match committed {
            Ok(row) => row,
            Err(error) => {
                // Whether the transaction took place may be unknown: only a new claim tells.
                self.partitions.remove(&number);
                return Err(stage_error(error));
            }
        };
        self.metrics.commits.inc();
        let now = self.context.clock.now();
        for accepted_at in accepted_at {
            self.metrics
                .accepted_to_committed
                .observe(now.duration_since(accepted_at).as_secs_f64());
        }
        self.owned(number)?.committed(commit, row);
        self.publish(number).await
    }

    fn count(&self, work: &Work<'_>) {
        for entry in &work.history {
            self.metrics.history.with_label_values(&[entry.kind.name()]).inc();
        }
        for reason in &work.ignored {
            self.metrics.ignored.with_label_values(&[reason]).inc();
        }
    }
}

impl Partition {
    /// Remembers what a commit has changed.
    fn committed(&mut self, commit: Commit, row: Option<i64>) {
        if let Some((topic, offset)) = commit.position {
            self.claim.positions.insert(topic, offset);
        }
        let earliest = commit
            .states
            .iter()
            .filter_map(|(_, deadline)| deadline.map(|d| d.due_at))
            .min();
        self.next_due = [self.next_due, earliest].into_iter().flatten().min();
        if let Some(id) = row {
            self.unpublished.push(OutboxRow {
                id,
                messages: commit.outbox,
            });
        }
    }
}

fn stage_error(error: StoreError) -> StageError {
    match error {
        StoreError::Fenced(partition) => StageError::Fenced(partition),
        other => StageError::Unavailable {
            dependency: "database",
            error: other.to_string(),
        },
    }
}
