//! The stage around the heart: claims, transactions, deadlines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::Site;
use domain::site::Affected;
use jiff::{SignedDuration, Timestamp};
use pipeline::dead_letters::DeadLetters;
use pipeline::log::{Batch, Positions, Received};
use pipeline::restored::{self, Trail};
use pipeline::{Context, Stage, StageError, Steady, dead_letters};
use schemas::{Fingerprint, Topic};
use store::{Claim, Commit, Loaded, OutboxRow, Store, StoreError};
use tokio::sync::watch;

use crate::metrics::DaemonMetrics;
use crate::recent::Recent;
use crate::work::{Message, Work, not_done, traceparent};

/// So long may what was read wait for a commit as long as nothing comes of it: refreshes cost no transactions then.
const POSITIONS_WAIT: Duration = Duration::from_secs(1);
/// Deadlines that are applied in one transaction, and alerts that are looked at again at once.
const DEADLINES_AT_ONCE: usize = 500;
/// The deadline of an alert whose state cannot be read is tried again after so long, if a version has come that can.
const UNREADABLE_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);

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
    /// What was read of the assigned partitions, came to nothing, and is not committed yet.
    uncommitted: BTreeMap<u32, Uncommitted>,
    /// Up to where messages that could not be read were made dead letters: their batch comes again when its commit fails.
    dead_lettered: BTreeMap<(u32, Topic), u64>,
}

/// Where reading goes on, although the store does not know. The next commit of the partition tells it, whatever it is
/// about: what is read again after a crash must come before all that was committed.
struct Uncommitted {
    positions: BTreeMap<Topic, u64>,
    /// When it is committed at the latest.
    due: Steady,
}

/// A partition that is claimed.
struct Partition {
    claim: Claim,
    recent: Recent,
    next_due: Option<Timestamp>,
    /// Committed, and not yet known to be published.
    unpublished: Vec<OutboxRow>,
    /// Published, and not yet removed from the outbox.
    published: Vec<i64>,
    /// The newest site that its alerts were compared with.
    site: Arc<Site>,
    /// Set while its alerts are looked at again, since that site may tell more than one before.
    review: Option<Review>,
}

/// Which alerts of a partition are looked at again, and how far that is. Its end is stored as the partition's position on
/// the configuration: the revision under which no step is held back any more by what is gone. A daemon that claims the
/// partition under another revision looks at all that are open, since it does not know what held them back.
#[derive(Clone)]
struct Review {
    of: Affected,
    after: (Timestamp, Option<Fingerprint>),
}

impl Review {
    fn of(of: Affected) -> Self {
        Self {
            of,
            after: (Timestamp::MIN, None),
        }
    }
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
            for topic in crate::TOPICS {
                positions.insert((topic, *partition), self.position(*partition, topic)?);
            }
            self.publish(*partition).await?;
        }
        Ok(positions)
    }

    async fn revoked(&mut self, partitions: &[u32]) {
        self.assigned.retain(|partition| !partitions.contains(partition));
        self.partitions
            .retain(|partition, _| !partitions.contains(partition));
        self.uncommitted
            .retain(|partition, _| !partitions.contains(partition));
        self.dead_lettered
            .retain(|(partition, _), _| !partitions.contains(partition));
    }

    async fn process(&mut self, batch: &Batch) -> Result<(), StageError> {
        self.claim(batch.partition).await?;
        self.publish(batch.partition).await?;
        let position = self.position(batch.partition, batch.topic)?;
        let records = not_done(batch, position).iter();
        let read: Vec<_> = records
            .map(|record| (record, Message::read(batch.topic, record)))
            .collect();
        let known = read.iter().filter_map(|(_, message)| message.as_ref().ok());
        let fingerprints: BTreeSet<_> = known.map(Message::fingerprint).collect();
        let loaded = self
            .states(batch.partition, fingerprints.into_iter().collect())
            .await?;
        let now = self.context.clock.now();
        let site = self.current_site(now);
        let mut work = Work::new(now, &site, loaded.states);
        let mut has_dead_letters = false;
        for (record, message) in &read {
            let problem = match message {
                Ok(message) => loaded
                    .unreadable
                    .get(&message.fingerprint())
                    .map(|error| unreadable(message.fingerprint(), error)),
                Err(error) => Some(error.clone()),
            };
            let trace = traceparent(&self.context.tracer, record, now, self.context.clock.now());
            match (message, problem) {
                (Ok(message), None) => work.message(message, trace),
                (message, Some(problem)) => {
                    self.dead_letter_once(batch, record, &problem).await?;
                    has_dead_letters = true;
                    if let Ok(Message::Command(command)) = message {
                        work.refuse(command, problem);
                    }
                }
                (Err(_), None) => {}
            }
        }
        let end = (batch.topic, batch.next_offset().max(position));
        self.owned(batch.partition)?.read_to(batch);
        if work.is_nothing() && !has_dead_letters {
            self.count(&work);
            self.owned(batch.partition)?.recent.keep(work.into_states());
            self.came_to_nothing(batch.partition, end);
            return Ok(());
        }
        self.carry_out(batch.partition, work, Some(end)).await
    }

    fn wake_at(&self) -> Option<Timestamp> {
        if self.assigned.len() > self.partitions.len() {
            // A claim was given up after a commit whose fate is unknown.
            return Some(Timestamp::MIN);
        }
        let site = self.site.borrow();
        let reviews =
            |partition: &Partition| partition.review.is_some() || !Arc::ptr_eq(&partition.site, &site);
        if self.partitions.values().any(reviews) {
            return Some(Timestamp::MIN);
        }
        let deadlines = self
            .partitions
            .values()
            .filter_map(|partition| partition.next_due);
        let positions = self.uncommitted.values().map(|uncommitted| uncommitted.due).min();
        let positions = positions.map(|due| self.context.clock.wall_at(due));
        deadlines.chain(positions).min()
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
        self.review(now).await?;
        self.commit_positions(now).await
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
            uncommitted: BTreeMap::new(),
            dead_lettered: BTreeMap::new(),
        }
    }

    /// Claims the partition unless this membership has done so.
    async fn claim(&mut self, number: u32) -> Result<(), StageError> {
        if self.partitions.contains_key(&number) {
            return Ok(());
        }
        let mut claim = self
            .store
            .claim("daemon", number, &self.owner)
            .await
            .map_err(stage_error)?;
        self.compare_with_log(&mut claim).await?;
        let unpublished = self.store.outbox(&claim).await.map_err(stage_error)?;
        let next_due = self.store.next_due(number).await.map_err(stage_error)?;
        let site = Arc::clone(&self.site.borrow());
        if let Some(uncommitted) = self.uncommitted.get_mut(&number) {
            // Somebody else may have come further meanwhile.
            uncommitted.positions.retain(|topic, offset| {
                let known = claim.positions.get(topic).copied();
                known < Some(*offset)
            });
        }
        let reviewed = claim.positions.get(&Topic::CONFIG).copied();
        let partition = Partition {
            review: (reviewed != site.revision).then(|| Review::of(Affected::All)),
            site,
            claim,
            recent: Recent::of_one_in(self.context.log.partitions(Topic::ALERTS_DECORATED)),
            next_due,
            unpublished,
            published: Vec::new(),
        };
        self.partitions.insert(number, partition);
        Ok(())
    }

    /// Goes back where the log is another one than was read. What is read again was applied, and is known by that.
    async fn compare_with_log(&mut self, claim: &mut Claim) -> Result<(), StageError> {
        for topic in crate::TOPICS {
            let Some(position) = claim.positions.get(&topic).copied() else {
                continue;
            };
            let place = (topic, claim.partition);
            let mut trail = Trail::from_text(claim.trails.get(&topic));
            let resumed_at = restored::checked(&self.context, "daemon", place, position, &mut trail).await?;
            if resumed_at == position {
                continue;
            }
            claim.positions.insert(topic, resumed_at);
            claim.trails.insert(topic, trail.to_text());
            self.dead_lettered.remove(&(claim.partition, topic));
            if let Some(uncommitted) = self.uncommitted.get_mut(&claim.partition) {
                uncommitted.positions.remove(&topic);
            }
            // Stored with the next commit, at the latest in a second.
            self.came_to_nothing(claim.partition, (topic, resumed_at));
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn metrics(&self) -> &DaemonMetrics {
        &self.metrics
    }

    /// Whether any partition is assigned.
    pub(crate) fn owns_any(&self) -> bool {
        !self.assigned.is_empty()
    }

    /// The partitions that it could work on now: they are claimed, and the database answers.
    pub(crate) async fn check_owned(&mut self) -> Result<Vec<u32>, StageError> {
        for partition in self.assigned.clone() {
            self.claim(partition).await?;
            self.store.next_due(partition).await.map_err(stage_error)?;
        }
        Ok(self.assigned.iter().copied().collect())
    }

    fn owned(&mut self, number: u32) -> Result<&mut Partition, StageError> {
        self.partitions.get_mut(&number).ok_or(StageError::Fenced(number))
    }

    /// The states of these alerts, as they are stored, and which of them cannot be read.
    async fn states(
        &mut self,
        number: u32,
        mut fingerprints: Vec<Fingerprint>,
    ) -> Result<Loaded, StageError> {
        let states = self.owned(number)?.recent.take(&fingerprints);
        fingerprints.retain(|fingerprint| !states.contains_key(fingerprint));
        let mut loaded = self.store.load_known(&fingerprints).await.map_err(stage_error)?;
        loaded.states.extend(states);
        Ok(loaded)
    }

    /// Where reading goes on. A partition that was never read begins at the oldest record, whatever the log remembers of
    /// the group.
    fn position(&mut self, number: u32, topic: Topic) -> Result<u64, StageError> {
        let committed = self.owned(number)?.claim.positions.get(&topic).copied();
        let uncommitted = self.uncommitted.get(&number);
        let uncommitted = uncommitted.and_then(|uncommitted| uncommitted.positions.get(&topic).copied());
        Ok(committed.max(uncommitted).unwrap_or(0))
    }

    fn came_to_nothing(&mut self, number: u32, (topic, offset): (Topic, u64)) {
        let due = self.context.clock.steady().after(POSITIONS_WAIT);
        let uncommitted = self.uncommitted.entry(number).or_insert_with(|| Uncommitted {
            positions: BTreeMap::new(),
            due,
        });
        uncommitted.positions.insert(topic, offset);
    }

    /// Commits what has waited long enough.
    async fn commit_positions(&mut self, now: Timestamp) -> Result<(), StageError> {
        let moment = self.context.clock.steady();
        let due = self.uncommitted.iter();
        let due = due.filter(|(_, uncommitted)| uncommitted.due <= moment);
        let due: Vec<_> = due.map(|(number, _)| *number).collect();
        let site = Arc::clone(&self.site.borrow());
        for number in due {
            let nothing = Work::new(now, &site, HashMap::new());
            self.carry_out(number, nothing, None).await?;
        }
        Ok(())
    }

    /// Publishes what was committed and not published, oldest first.
    async fn publish(&mut self, number: u32) -> Result<(), StageError> {
        let context = self.context.clone();
        let dead_letters = DeadLetters {
            log: context.log.as_ref(),
            metrics: &context.metrics,
            stage: "daemon",
            now: context.clock.now(),
        };
        let partition = self.owned(number)?;
        while let Some(row) = partition.unpublished.first() {
            // All that the daemon publishes is about a change of an alert.
            store::publish(&dead_letters, &row.messages, Topic::ALERTS_CHANGED).await?;
            let row = partition.unpublished.remove(0);
            partition.published.push(row.id);
        }
        Ok(())
    }

    /// Makes a message a dead letter, unless that was done already: its batch comes again when its commit fails.
    async fn dead_letter_once(
        &mut self,
        batch: &Batch,
        record: &Received,
        error: &str,
    ) -> Result<(), StageError> {
        let place = (batch.partition, batch.topic);
        if self
            .dead_lettered
            .get(&place)
            .is_some_and(|last| record.offset <= *last)
        {
            return Ok(());
        }
        self.write_dead_letter(batch, record, error).await?;
        self.dead_lettered.insert(place, record.offset);
        Ok(())
    }

    async fn write_dead_letter(
        &self,
        batch: &Batch,
        record: &Received,
        error: &str,
    ) -> Result<(), StageError> {
        tracing::error!(topic = %batch.topic, offset = record.offset, error, "a message becomes a dead letter");
        if let Some((topic, record)) =
            dead_letters::dead_letter(batch, record, "daemon", error, self.context.clock.now())
        {
            self.context.log.append(topic, vec![record]).await?;
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
        let loaded = self.states(number, fingerprints).await?;
        let site = self.current_site(now);
        let mut work = Work::new(now, &site, loaded.states);
        for (fingerprint, due_at) in &due {
            self.metrics
                .lateness
                .observe(now.duration_since(*due_at).as_secs_f64());
            work.deadline(*fingerprint);
        }
        self.carry_out(number, work, None).await?;
        if !loaded.unreadable.is_empty() {
            // Or they would be due again at once, before all others.
            let claim = self.owned(number)?.claim.clone();
            let later = now.saturating_add(UNREADABLE_AGAIN_AFTER).unwrap_or(now);
            let postponed = self.store.postpone(&claim, loaded.unreadable.into_keys(), later);
            postponed.await.map_err(stage_error)?;
        }
        let next_due = self.store.next_due(number).await.map_err(stage_error)?;
        self.owned(number)?.next_due = next_due;
        Ok(())
    }

    /// The site as it is now. What a change of it affects is noted before anything is decided under it: a silence that comes
    /// and goes while a batch is committed is among those that were there.
    fn current_site(&mut self, now: Timestamp) -> Arc<Site> {
        let site = Arc::clone(&self.site.borrow());
        for partition in self.partitions.values_mut() {
            if Arc::ptr_eq(&partition.site, &site) {
                continue;
            }
            let affected = site.affected_since(&partition.site, now);
            if !affected.is_none() {
                let unfinished = partition.review.take().map(|review| review.of);
                partition.review = Some(Review::of(match unfinished {
                    Some(unfinished) => unfinished.and(affected),
                    None => affected,
                }));
            }
            partition.site = Arc::clone(&site);
        }
        site
    }

    /// Looks again, a part at a time, at the alerts of all partitions that a change of the site affects.
    async fn review(&mut self, now: Timestamp) -> Result<(), StageError> {
        let site = self.current_site(now);
        let reviews = self.partitions.iter();
        let reviews = reviews.filter_map(|(number, partition)| Some((*number, partition.review.clone()?)));
        for (number, review) in reviews.collect::<Vec<_>>() {
            self.look_again(number, review, &site, now).await?;
        }
        Ok(())
    }

    async fn look_again(
        &mut self,
        number: u32,
        review: Review,
        site: &Site,
        now: Timestamp,
    ) -> Result<(), StageError> {
        let (scheduled, next) = self.affected(number, &review).await?;
        let fingerprints: Vec<_> = scheduled.iter().map(|(fingerprint, _)| *fingerprint).collect();
        let loaded = self.states(number, fingerprints).await?;
        let mut work = Work::new(now, site, loaded.states);
        for (fingerprint, due_at) in &scheduled {
            if work
                .state(*fingerprint)
                .is_some_and(|state| review.of.contains(&state.alert))
            {
                work.look_again(*fingerprint, *due_at);
                self.metrics.reevaluated.inc();
            }
        }
        let end = site.revision.filter(|_| next.is_none());
        if end.is_some() || !work.is_nothing() {
            self.carry_out(number, work, end.map(|revision| (Topic::CONFIG, revision)))
                .await?;
        } else {
            self.owned(number)?.recent.keep(work.into_states());
        }
        self.owned(number)?.review = next;
        Ok(())
    }

    /// The next alerts of a review, with their deadlines, and where it goes on, if it does.
    async fn affected(
        &self,
        number: u32,
        review: &Review,
    ) -> Result<(Vec<(Fingerprint, Timestamp)>, Option<Review>), StageError> {
        let store = &self.store;
        let scheduled = match &review.of {
            Affected::All => store.scheduled(number, review.after, DEADLINES_AT_ONCE).await,
            Affected::Some(alerts) => match alerts.silenced_until() {
                Some(until) => {
                    store
                        .silenced(number, review.after, until, DEADLINES_AT_ONCE)
                        .await
                }
                None => Ok(Vec::new()),
            },
        };
        let mut scheduled = scheduled.map_err(stage_error)?;
        let next = scheduled.last().filter(|_| scheduled.len() == DEADLINES_AT_ONCE);
        let next = next.map(|(fingerprint, due_at)| Review {
            of: review.of.clone(),
            after: (*due_at, Some(*fingerprint)),
        });
        if let (Affected::Some(alerts), None) = (&review.of, &next)
            && !alerts.heartbeats.is_empty()
        {
            let heartbeats: Vec<_> = alerts.heartbeats.iter().copied().collect();
            let of_heartbeats = store
                .scheduled_among(number, &heartbeats)
                .await
                .map_err(stage_error)?;
            // One of them may be silenced, too.
            scheduled.retain(|(fingerprint, _)| !alerts.heartbeats.contains(fingerprint));
            scheduled.extend(of_heartbeats);
        }
        Ok((scheduled, next))
    }

    /// Commits the work, with the position after it and after all that came to nothing before, and publishes it.
    async fn carry_out(
        &mut self,
        number: u32,
        work: Work<'_>,
        position: Option<(Topic, u64)>,
    ) -> Result<(), StageError> {
        self.count(&work);
        let accepted_at = work.accepted_at.clone();
        let uncommitted = self.uncommitted.get(&number);
        let positions = uncommitted.map(|uncommitted| uncommitted.positions.clone());
        let mut positions = positions.unwrap_or_default();
        positions.extend(position);
        let (mut commit, unchanged) = work.into_commit(positions);
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
        for (what, written) in [("state", commit.states.len()), ("last_seen", commit.seen.len())] {
            let written = u64::try_from(written).unwrap_or(u64::MAX);
            self.metrics.written.with_label_values(&[what]).inc_by(written);
        }
        self.uncommitted.remove(&number);
        let now = self.context.clock.now();
        for accepted_at in accepted_at {
            self.metrics
                .accepted_to_committed
                .observe(now.duration_since(accepted_at).as_secs_f64());
        }
        let partition = self.owned(number)?;
        partition.recent.keep(unchanged);
        partition.committed(commit, row);
        self.publish(number).await
    }

    fn count(&self, work: &Work<'_>) {
        for entry in &work.history {
            self.metrics
                .history
                .with_label_values(&[entry.kind().name()])
                .inc();
        }
        for reason in &work.ignored {
            self.metrics.ignored.with_label_values(&[reason]).inc();
        }
    }
}

impl Partition {
    /// Keeps in mind what the log held where it was read last; stored with the position.
    fn read_to(&mut self, batch: &Batch) {
        if let Some(last) = batch.records.last() {
            let mut trail = Trail::from_text(self.claim.trails.get(&batch.topic));
            trail.read_to(last);
            self.claim.trails.insert(batch.topic, trail.to_text());
        }
    }

    /// Remembers what a commit has changed.
    fn committed(&mut self, commit: Commit, row: Option<i64>) {
        self.claim.positions.extend(commit.positions);
        let earliest = commit
            .states
            .iter()
            .filter_map(|(_, deadline)| deadline.map(|d| d.due_at))
            .min();
        self.next_due = [self.next_due, earliest].into_iter().flatten().min();
        self.recent
            .keep(commit.states.into_iter().map(|(state, _)| state));
        if let Some(id) = row {
            self.unpublished.push(OutboxRow {
                id,
                messages: commit.outbox,
            });
        }
    }
}

fn unreadable(fingerprint: Fingerprint, error: &str) -> String {
    format!("the alert {fingerprint} is left as it is stored, as this version cannot read it: {error}")
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
