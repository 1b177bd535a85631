//! A log that is older than the positions that were read to: its disk was put back, it lost its newest records in a power
//! cut, or it began anew.
//!
//! Whoever keeps its positions outside the log (the daemon and the notifiers, with their state in the database) keeps a
//! [`Trail`] beside each position: marks of some of the records that were read. When a partition is taken over, the log is
//! compared with it ([`checked`]). If it ends before the position, or holds other records than those that were read, it is
//! another generation of the log: reading goes on after the newest record that is known to be the same, so that nothing of
//! the new generation is passed over, whose offsets are the old ones. What was applied before and is read again is known
//! by what it says (see `domain::transition`).

use std::time::Duration;

use jiff::Timestamp;
use schemas::Topic;
use serde::{Deserialize, Serialize};

use crate::log::{Log, LogError, Received, fnv1a};
use crate::runner::Context;

/// `/readyz` names a log that was put back for so long after it was noticed.
const SHOWN_FOR: Duration = Duration::from_secs(600);
/// How often that is said.
const SHOWN_EVERY: Duration = Duration::from_secs(5);

/// What a record holds, in short: two records of one place that are not the same have different marks, but for one in
/// four billion. Headers do not count: when a stage does its work again only they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(u32);

impl Mark {
    /// Of this record.
    pub fn of(record: &Received) -> Self {
        let value = record.value.as_deref().unwrap_or_default();
        let parts = record.key.bytes().chain([0]).chain(value.iter().copied());
        let hash = fnv1a(parts);
        let (high, low) = (hash >> 32, hash & u64::from(u32::MAX));
        Self(u32::try_from(high ^ low).unwrap_or_default())
    }
}

/// The marks of some records of a partition that were read: of the last one, and of ever fewer before it, so that the
/// place where another generation of the log begins is found without reading everything again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// How often the log was found to be another one.
    generation: u32,
    /// Offsets and marks, newest first.
    marks: Vec<(u64, Mark)>,
}

impl Trail {
    /// As it was written by [`Trail::to_text`]; an empty one when that cannot be read, as it was before there were trails.
    pub fn from_text(text: Option<&String>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// To be stored beside the position.
    pub fn to_text(&self) -> String {
        // Numbers have a JSON form; an empty text is read as an empty trail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The generation of the log that was read last, beginning with 0.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Everything up to this record was read.
    pub fn read_to(&mut self, record: &Received) {
        self.cut(record.offset);
        self.marks.insert(0, (record.offset, Mark::of(record)));
        // Of those that are between 4^n and 4^(n+1) records back, the oldest one stays.
        let age = |offset: u64| (record.offset - offset).checked_ilog2().map(|log| log / 2);
        let ages: Vec<_> = self.marks.iter().map(|(offset, _)| age(*offset)).collect();
        let mut index = 0;
        self.marks.retain(|_| {
            index += 1;
            index == 1 || ages.get(index) != ages.get(index - 1)
        });
    }

    /// Forgets what is not before this offset.
    fn cut(&mut self, end: u64) {
        self.marks.retain(|(offset, _)| *offset < end);
    }
}

/// What was found when a log was compared with a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Which topic.
    pub topic: Topic,
    /// Which partition.
    pub partition: u32,
    /// Everything before this offset was read of the generation before.
    pub position: u64,
    /// The log's end now.
    pub end: u64,
    /// Where reading goes on.
    pub resumed_at: u64,
}

impl std::fmt::Display for Restored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            topic,
            partition,
            position,
            end,
            resumed_at,
        } = self;
        write!(
            f,
            "the log is older than the database: partition {partition} of {topic} ends at {end} or holds other records, \
             and was read to {position}; reading goes on at {resumed_at}"
        )
    }
}

/// Compares the log with a position and the trail to it; answers what differs, if anything does.
///
/// # Errors
///
/// When the log is away.
pub async fn compare(
    log: &dyn Log,
    (topic, partition): (Topic, u32),
    position: u64,
    trail: &Trail,
) -> Result<Option<Restored>, LogError> {
    let extent = log.extent(topic, partition).await?;
    let holds = |offset: u64, mark: Mark| async move {
        let found = log.record_at(topic, partition, offset).await?;
        Ok::<_, LogError>(found.is_some_and(|found| Mark::of(&found) == mark))
    };
    let same = match trail.marks.first() {
        _ if position > extent.end => false,
        None => true,
        Some((offset, _)) if *offset < extent.first => true,
        Some((offset, mark)) => {
            holds(*offset, *mark).await?
                // It may have been removed by retention a moment ago.
                || *offset < log.extent(topic, partition).await?.first
        }
    };
    if same {
        return Ok(None);
    }
    let mut resumed_at = extent.first;
    let there = |(offset, _): &&(u64, Mark)| (extent.first..extent.end).contains(offset);
    for (offset, mark) in trail.marks.iter().filter(there) {
        if holds(*offset, *mark).await? {
            resumed_at = offset + 1;
            break;
        }
    }
    Ok(Some(Restored {
        topic,
        partition,
        position,
        end: extent.end,
        resumed_at,
    }))
}

/// Compares the log with a position, and answers where to go on. When that is another generation of the log, the trail is
/// shortened to what is still there, and the log, `/readyz` and a metric say so.
///
/// # Errors
///
/// When the log is away.
pub async fn checked(
    context: &Context,
    stage: &'static str,
    place: (Topic, u32),
    position: u64,
    trail: &mut Trail,
) -> Result<u64, LogError> {
    match compare(context.log.as_ref(), place, position, trail).await? {
        None => Ok(position),
        Some(restored) => {
            trail.cut(restored.resumed_at);
            trail.generation += 1;
            announce(context, stage, &restored);
            Ok(restored.resumed_at)
        }
    }
}

fn announce(context: &Context, stage: &'static str, restored: &Restored) {
    let text = restored.to_string();
    tracing::error!(stage, "{text}");
    context.metrics.stage_error(stage, "log_restored");
    let name = format!("{stage} {}/{}", restored.topic, restored.partition);
    let (task, shutdown, clock) = (
        context.health.task(name),
        context.shutdown.clone(),
        context.clock.clone(),
    );
    task.waiting(&text);
    let shown_until = clock.now().saturating_add(SHOWN_FOR).unwrap_or(Timestamp::MAX);
    tokio::spawn(async move {
        while clock.now() < shown_until {
            task.waiting(&text);
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(SHOWN_EVERY) => {}
            }
        }
        task.ended();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use crate::log::Record;
    use crate::log::simulated::SimulatedLog;
    use std::sync::Arc;

    const TOPIC: Topic = Topic::ALERTS_DECORATED;

    async fn append(log: &SimulatedLog, from: u64, to: u64, word: &str) {
        for number in from..to {
            let record = Record {
                key: "a".to_owned(),
                value: Some(format!("{word} {number}").into()),
                headers: Vec::new(),
            };
            log.append(TOPIC, vec![record]).await.unwrap();
        }
    }

    /// As a stage keeps it that reads one record after the other.
    fn trail(log: &SimulatedLog) -> Trail {
        let mut trail = Trail::default();
        for record in log.records(TOPIC) {
            trail.read_to(&record);
        }
        Trail::from_text(Some(&trail.to_text()))
    }

    async fn resumed(log: &SimulatedLog, position: u64, trail: &Trail) -> Option<u64> {
        let restored = compare(log, (TOPIC, 0), position, trail).await.unwrap();
        restored.map(|restored| restored.resumed_at)
    }

    #[tokio::test(start_paused = true)]
    async fn a_trail_is_short_and_reaches_to_the_beginning() {
        let log = SimulatedLog::new(1);
        append(&log, 0, 5000, "old").await;
        let trail = trail(&log);
        assert!(trail.marks.len() < 16, "{trail:?}");
        assert_eq!(trail.marks.first().unwrap().0, 4999);
        assert!(trail.marks.last().unwrap().0 < 3000, "{trail:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn l2_nothing_of_a_log_that_was_put_back_is_passed_over() {
        for lost in [1, 3, 60, 900, 1000] {
            for new in [0, 1, 59, 60, 61, 2000] {
                let log = SimulatedLog::new(1);
                append(&log, 0, 1000, "old").await;
                let trail = trail(&log);
                assert_eq!(resumed(&log, 1000, &trail).await, None, "nothing has happened");
                log.put_back(lost);
                append(&log, 1000 - lost, 1000 - lost + new, "new").await;
                let resumed = resumed(&log, 1000, &trail).await.expect("it is noticed");
                assert!(resumed <= 1000 - lost, "lost {lost}, new {new}: {resumed}");
                assert!(
                    1000 - resumed <= 16 * lost.max(16),
                    "not everything is read again: {resumed}"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_applied_before_the_loss_is_the_same_log() {
        let log = SimulatedLog::new(1);
        append(&log, 0, 100, "old").await;
        let trail = trail(&log);
        append(&log, 100, 200, "old").await;
        log.put_back(100);
        append(&log, 100, 120, "new").await;
        assert_eq!(
            resumed(&log, 100, &trail).await,
            None,
            "no more was read than is there"
        );
        assert_eq!(
            resumed(&log, 100, &Trail::default()).await,
            None,
            "from before there were trails"
        );
        assert_eq!(resumed(&log, 121, &Trail::default()).await, Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn l2_readyz_names_both_numbers_for_a_while() {
        let log = SimulatedLog::new(1);
        append(&log, 0, 100, "old").await;
        let mut trail = trail(&log);
        log.put_back(60);
        let clock = Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap());
        let context = Context::new(Arc::new(log), clock);
        let at = checked(&context, "daemon", (TOPIC, 0), 100, &mut trail)
            .await
            .unwrap();
        assert!(at <= 40, "{at}");
        assert_eq!(trail.generation(), 1);
        let report = context.health.report().remove(0);
        assert!(report.healthy && !report.ready());
        let text = report.waiting_for.unwrap();
        for part in ["alerts.decorated", "partition 0", "40", "100"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(context.metrics.stage_errors("daemon", "log_restored"), 1);
        tokio::time::sleep(SHOWN_FOR + SHOWN_EVERY).await;
        assert!(context.health.report().is_empty());
        assert_eq!(
            checked(&context, "daemon", (TOPIC, 0), at, &mut trail)
                .await
                .unwrap(),
            at,
            "it is noticed once"
        );
    }
}
