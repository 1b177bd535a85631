//! The loop around a stage: reads, hands over, waits when a dependency is away, and tells how it goes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use schemas::Topic;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::health::Task;
use crate::log::{Batch, Consumer, Delivery, Log, LogError, Positions};
use crate::metrics::{Metrics, StageMetrics};
use crate::trace::Tracer;
use crate::{Clock, Health, Steady};

/// What every stage of a process shares.
#[derive(Clone)]
pub struct Context {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The clock.
    pub clock: Clock,
    /// Where tasks say how they are.
    pub health: Health,
    /// What is measured; every stage may register more of its own under `reveille_<stage>_`.
    pub metrics: Metrics,
    /// Where spans go.
    pub tracer: Tracer,
    /// Cancelled when the process is to end.
    pub shutdown: CancellationToken,
}

impl Context {
    /// On this log and by this clock: with metrics and a health of its own, without spans, and not yet to end.
    pub fn new(log: Arc<dyn Log>, clock: Clock) -> Self {
        Self {
            log,
            health: Health::new(clock.clone()),
            clock,
            metrics: Metrics::new(),
            tracer: Tracer::disabled(),
            shutdown: CancellationToken::new(),
        }
    }
}

/// Why a stage cannot go on now.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A dependency is away; the same work is handed over again after a wait.
    #[error("{dependency} is not available: {error}")]
    Unavailable {
        /// What is away, as `/readyz` shows it: `database`, `log`, `view` …
        dependency: &'static str,
        /// What it said.
        error: String,
    },
    /// Somebody else owns the partition now; the stage leaves the group and joins anew.
    #[error("partition {0} belongs to somebody else now")]
    Fenced(u32),
}

/// For what a stage appends. A stage whose records the log may never take ([`LogError::is_final`]) must look for that
/// first and make them dead letters ([`crate::dead_letters::DeadLetters::append`]), since waiting does not help.
impl From<LogError> for StageError {
    fn from(error: LogError) -> Self {
        Self::Unavailable {
            dependency: "log",
            error: error.to_string(),
        }
    }
}

/// What is done with records. Everything that can go wrong with a single record is the stage's own matter (it makes
/// it a dead letter); only what concerns all records is an error.
#[async_trait]
pub trait Stage: Send {
    /// These partitions are now ours: where to begin. Empty = where the log says.
    async fn assigned(&mut self, partitions: &[u32]) -> Result<Positions, StageError> {
        let _ = partitions;
        Ok(Positions::new())
    }

    /// These partitions are no longer ours.
    async fn revoked(&mut self, partitions: &[u32]) {
        let _ = partitions;
    }

    /// Does the work of a batch so that doing it twice does no harm. When it answers `Ok` the batch is done for ever,
    /// and its position is committed to the log if [`Stage::commits_to_log`].
    async fn process(&mut self, batch: &Batch) -> Result<(), StageError>;

    /// When [`Stage::wake`] wants to be called, if at all.
    fn wake_at(&self) -> Option<Timestamp> {
        None
    }

    /// The time of [`Stage::wake_at`] has come.
    async fn wake(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    /// Whether the log keeps the positions; not when they live with the stage's state.
    fn commits_to_log(&self) -> bool {
        true
    }
}

/// The first wait for a dependency that is away; each further one is twice as long.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait for a dependency that is away.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often an idle stage says that it lives, and how many records wait for it.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Partitions that one member works on in turn. While it waits for the database or the log with one of them, the
/// others wait too; other members go on.
const PARTITIONS_PER_MEMBER: u32 = 2;

/// Runs a stage as several members of `group`, side by side, until shutdown: one for every few partitions that the
/// topics have.
pub async fn run_side_by_side<S: Stage + 'static>(
    context: Context,
    name: &'static str,
    group: &str,
    topics: &'static [Topic],
    metrics: StageMetrics,
    make: impl FnMut() -> S + Clone + Send + 'static,
) {
    let partitions = topics.iter().map(|topic| context.log.partitions(*topic)).max();
    let members = partitions.unwrap_or(1).div_ceil(PARTITIONS_PER_MEMBER).max(1);
    let mut running = JoinSet::new();
    for member in 1..=members {
        let task = match member {
            1 => name.to_owned(),
            _ => format!("{name} {member}"),
        };
        let runner = Runner::new(context.clone(), name, context.health.task(task), metrics.clone());
        let (group, make) = (group.to_owned(), make.clone());
        running.spawn(async move { runner.run(&group, topics, make).await });
    }
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            // A panic: `/healthz` is red from now on, and whoever watches it decides.
            tracing::error!(stage = name, %error, "a member has died");
        }
    }
}

/// Runs a stage as a member of `group` until shutdown. `make` builds a fresh stage for each membership, so no state
/// leaks from one to the next.
pub async fn run<S: Stage>(
    context: Context,
    name: &'static str,
    group: &str,
    topics: &[Topic],
    metrics: StageMetrics,
    make: impl FnMut() -> S + Send,
) {
    let task = context.health.task(name);
    Runner::new(context, name, task, metrics)
        .run(group, topics, make)
        .await;
}

/// This membership is over: by shutdown, or because somebody else owns the partition.
#[derive(Debug)]
struct Over;

struct Runner {
    context: Context,
    name: &'static str,
    metrics: StageMetrics,
    task: Task,
    outage: Option<Outage>,
    /// The log was away since the partitions were assigned. When it is back it may be another one, so they are taken
    /// anew, and with them the positions are compared with it.
    log_was_away: bool,
    /// What this member has told of its lag.
    lag: BTreeMap<Topic, u64>,
}

/// Something is away at the moment.
struct Outage {
    dependency: &'static str,
    since: Steady,
    wait: Duration,
}

impl Runner {
    fn new(context: Context, name: &'static str, task: Task, metrics: StageMetrics) -> Self {
        Self {
            context,
            name,
            metrics,
            task,
            outage: None,
            log_was_away: false,
            lag: BTreeMap::new(),
        }
    }

    /// One membership after the other, until shutdown.
    async fn run<S: Stage>(mut self, group: &str, topics: &[Topic], mut make: impl FnMut() -> S + Send) {
        while !self.context.shutdown.is_cancelled() {
            let stage = make();
            if let Ok(consumer) = self.join(group, topics).await {
                self.serve(consumer, stage, &mut make).await;
            }
            self.tell_lag(BTreeMap::new());
        }
        self.recovered();
        self.task.ended();
    }

    async fn join(&mut self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, Over> {
        loop {
            match self.context.log.join(group, topics).await {
                Ok(consumer) => return Ok(consumer),
                Err(error) => self.wait_after(error.into()).await?,
            }
        }
    }

    /// One membership, until shutdown or until it is fenced.
    async fn serve<S: Stage>(
        &mut self,
        mut consumer: Box<dyn Consumer>,
        mut stage: S,
        make: &mut (impl FnMut() -> S + Send),
    ) -> Over {
        let shutdown = self.context.shutdown.clone();
        let mut sign_of_life = tokio::time::interval(SIGN_OF_LIFE);
        sign_of_life.set_missed_tick_behavior(MissedTickBehavior::Delay);
        sign_of_life.reset();
        loop {
            let done = tokio::select! {
                () = shutdown.cancelled() => Err(Over),
                () = wake_time(&self.context.clock, stage.wake_at()) => self.wake(&mut stage).await,
                _ = sign_of_life.tick() => {
                    self.recovered();
                    self.tell_lag(consumer.lag());
                    self.same_log()
                }
                delivery = consumer.next() => match delivery {
                    Ok(Delivery::Assigned(partitions)) => {
                        self.log_was_away = false;
                        self.assigned(&mut stage, consumer.as_mut(), &partitions).await
                    }
                    Ok(Delivery::Revoked(partitions)) => {
                        tracing::info!(stage = self.name, ?partitions, "partitions were taken away");
                        stage.revoked(&partitions).await;
                        stage = make();
                        Ok(())
                    }
                    Ok(Delivery::Batch(batch)) => match self.same_log() {
                        Ok(()) => self.process(&mut stage, consumer.as_mut(), &batch).await,
                        over => over,
                    },
                    Err(error @ LogError::WentBack { .. }) => {
                        tracing::error!(stage = self.name, %error, "taking the partitions anew");
                        self.metrics.error("log_went_back");
                        // What is known of the group may be from before, too.
                        let waited = self.wait_after(error.into()).await;
                        waited.and(Err(Over))
                    }
                    Err(error) => {
                        self.log_was_away = true;
                        let waited = self.wait_after(error.into()).await;
                        // Only a whole silent interval without a new error means that the log is back.
                        sign_of_life.reset();
                        waited
                    }
                },
            };
            if let Err(over) = done {
                return over;
            }
        }
    }

    /// Ends the membership when the log was away: only a new one compares the positions with it.
    fn same_log(&mut self) -> Result<(), Over> {
        if std::mem::take(&mut self.log_was_away) {
            tracing::info!(stage = self.name, "the log is back; taking the partitions anew");
            return Err(Over);
        }
        Ok(())
    }

    async fn assigned<S: Stage>(
        &mut self,
        stage: &mut S,
        consumer: &mut dyn Consumer,
        partitions: &[u32],
    ) -> Result<(), Over> {
        let positions = loop {
            match stage.assigned(partitions).await {
                Ok(positions) => break positions,
                Err(error) => self.wait_after(error).await?,
            }
        };
        while let Err(error) = consumer.start(&positions).await {
            self.wait_after(error.into()).await?;
        }
        tracing::info!(stage = self.name, ?partitions, "partitions were assigned");
        self.recovered();
        self.tell_lag(consumer.lag());
        Ok(())
    }

    async fn process<S: Stage>(
        &mut self,
        stage: &mut S,
        consumer: &mut dyn Consumer,
        batch: &Batch,
    ) -> Result<(), Over> {
        loop {
            let start = Instant::now();
            match stage.process(batch).await {
                Ok(()) => {
                    self.metrics.batch_seconds(start.elapsed().as_secs_f64());
                    self.metrics.records(batch.topic, batch.records.len());
                    break;
                }
                Err(error) => self.wait_after(error).await?,
            }
        }
        if stage.commits_to_log() {
            while let Err(error) = consumer
                .commit(batch.topic, batch.partition, batch.next_offset())
                .await
            {
                self.wait_after(error.into()).await?;
            }
        }
        self.recovered();
        Ok(())
    }

    async fn wake<S: Stage>(&mut self, stage: &mut S) -> Result<(), Over> {
        while let Err(error) = stage.wake().await {
            self.wait_after(error).await?;
        }
        self.recovered();
        Ok(())
    }

    /// Every member adds its own lag to that of the stage.
    fn tell_lag(&mut self, lag: BTreeMap<Topic, u64>) {
        for (topic, records) in &lag {
            let before = self.lag.remove(topic).unwrap_or(0);
            self.metrics.lag_moved(*topic, before, *records);
        }
        for (topic, before) in std::mem::replace(&mut self.lag, lag) {
            self.metrics.lag_moved(topic, before, 0);
        }
    }

    /// Waits before the same is tried again. The first error of an outage is logged, the others are only counted.
    async fn wait_after(&mut self, error: StageError) -> Result<(), Over> {
        let (dependency, fenced) = match &error {
            StageError::Unavailable { dependency, .. } => (*dependency, false),
            StageError::Fenced(_) => ("group", true),
        };
        self.metrics.error(if fenced { "fenced" } else { dependency });
        if self
            .outage
            .as_ref()
            .is_none_or(|outage| outage.dependency != dependency)
        {
            self.recovered();
            tracing::warn!(stage = self.name, dependency, %error, "waiting");
            self.metrics.waiting(dependency, true);
            self.outage = Some(Outage {
                dependency,
                since: self.context.clock.steady(),
                wait: SHORTEST_WAIT,
            });
        }
        self.task.waiting(dependency);
        let wait = self.outage.as_mut().map_or(SHORTEST_WAIT, Outage::next_wait);
        tokio::select! {
            () = self.context.shutdown.cancelled() => Err(Over),
            () = tokio::time::sleep(wait) => if fenced { Err(Over) } else { Ok(()) },
        }
    }

    fn recovered(&mut self) {
        if let Some(Outage {
            dependency, since, ..
        }) = self.outage.take()
        {
            let seconds = self.context.clock.steady().since(since).as_secs();
            tracing::info!(stage = self.name, dependency, seconds, "going on");
            self.metrics.waiting(dependency, false);
        }
        self.task.progress();
    }
}

impl Outage {
    /// Between half the wait and the whole, so that stages do not all come back at the same instant.
    fn next_wait(&mut self) -> Duration {
        let wait = self.wait.mul_f64(rand::random_range(0.5..=1.0));
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        wait
    }
}

async fn wake_time(clock: &Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
