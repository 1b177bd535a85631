//! Counters: one record per environment with a map of numbers.

use std::collections::{BTreeMap, HashMap};

use ::aerospike::operations::maps;
use ::aerospike::operations::maps::MapOrder;
use ::aerospike::{
    Bin, GenerationPolicy, MapPolicy, MapWriteFlags, Record, RecordExistsAction, ResultCode, Value,
    WritePolicy, operations,
};
use schemas::Alert;

use super::{AerospikeView, unavailable, write_policy};
use crate::{CounterKey, ViewUnavailable};

/// Where an alert counts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub environment: String,
    /// Keys of the environment's map.
    pub keys: Vec<String>,
}

/// How the counters are to move: by environment and key.
#[derive(Debug, Default)]
pub(super) struct Moves(BTreeMap<String, BTreeMap<String, i64>>);

/// One environment's counters as they are stored.
#[derive(Debug, Default)]
pub(super) struct Stored {
    environment: String,
    generation: u32,
    counts: BTreeMap<String, i64>,
}

impl Counted {
    pub fn of(alert: &Alert) -> Self {
        let keys = CounterKey::of(alert).iter().map(map_key).collect();
        Self {
            environment: alert.environment.clone(),
            keys,
        }
    }

    /// As the alert's record says.
    pub fn stored(record: &Record) -> Self {
        let keys = match record.bins.get("counted") {
            Some(Value::List(keys)) => keys.iter().filter_map(text).collect(),
            _ => Vec::new(),
        };
        Self {
            environment: record.bins.get("environment").and_then(text).unwrap_or_default(),
            keys,
        }
    }

    pub fn to_value(&self) -> Value {
        Value::List(self.keys.iter().map(Value::from).collect())
    }
}

impl Moves {
    /// An alert counted there and counts here now.
    pub fn replace(&mut self, before: Option<Counted>, after: Counted) {
        for (counted, by) in before.into_iter().map(|before| (before, -1)).chain([(after, 1)]) {
            let counts = self.0.entry(counted.environment).or_default();
            for key in counted.keys {
                *counts.entry(key).or_default() += by;
            }
        }
    }

    pub fn add(&mut self, other: Moves) {
        for (environment, counts) in other.0 {
            let sums = self.0.entry(environment).or_default();
            for (key, by) in counts {
                *sums.entry(key).or_default() += by;
            }
        }
    }
}

impl Stored {
    fn of(record: &Record) -> Option<Self> {
        let environment = record.bins.get("environment").and_then(text)?;
        let mut counts = BTreeMap::new();
        if let Some(Value::OrderedMap(map)) = record.bins.get("counts") {
            counts.extend(map.iter().filter_map(entry));
        } else if let Some(Value::SortedMap(map)) = record.bins.get("counts") {
            counts.extend(map.iter().filter_map(entry));
        }
        Some(Self {
            environment,
            generation: record.generation,
            counts,
        })
    }

    pub fn read(&self) -> impl Iterator<Item = (CounterKey, u64)> {
        self.counts.iter().filter_map(|(key, count)| {
            let count = u64::try_from(*count).ok().filter(|count| *count > 0)?;
            Some((counter_key(&self.environment, key)?, count))
        })
    }
}

impl AerospikeView {
    pub(super) async fn stored_counters(&self) -> Result<HashMap<String, Stored>, ViewUnavailable> {
        let mut stored = HashMap::new();
        self.scan("counters", &["environment", "counts"], None, |record| {
            stored.extend(Stored::of(&record).map(|counters| (counters.environment.clone(), counters)));
        })
        .await?;
        Ok(stored)
    }

    pub(super) async fn move_counters(&self, moves: Moves) -> Result<(), ViewUnavailable> {
        for (environment, counts) in moves.0 {
            let increments = counts.into_iter().filter(|(_, by)| *by != 0).map(|(key, by)| {
                maps::increment_value(&ordered(), "counts", Value::String(key), Value::Int(by))
            });
            let mut changes: Vec<_> = increments.collect();
            if changes.is_empty() {
                continue;
            }
            let key = self.key("counters", environment.clone())?;
            changes.push(operations::put(&Bin::new(
                "environment",
                Value::String(environment),
            )));
            self.client
                .operate(&write_policy(), &key, &changes)
                .await
                .map_err(unavailable("moving the counters"))?;
        }
        Ok(())
    }

    /// Writes the true counts where the stored ones differ, unless somebody has moved those meanwhile: then the next
    /// recount sees to it. Answers how many were wrong.
    pub(super) async fn mend_counters(
        &self,
        mut stored: HashMap<String, Stored>,
        mut truth: HashMap<String, BTreeMap<String, i64>>,
    ) -> Result<u64, ViewUnavailable> {
        for environment in stored.keys() {
            truth.entry(environment.clone()).or_default();
        }
        let mut mended = 0;
        for (environment, counts) in truth {
            let before = stored.remove(&environment);
            let wrong = differences(before.as_ref().map(|stored| &stored.counts), &counts);
            if wrong > 0 && self.replace_counters(environment, before, counts).await? {
                mended += wrong;
            }
        }
        Ok(mended)
    }

    async fn replace_counters(
        &self,
        environment: String,
        before: Option<Stored>,
        counts: BTreeMap<String, i64>,
    ) -> Result<bool, ViewUnavailable> {
        let policy = match before {
            None => WritePolicy {
                record_exists_action: RecordExistsAction::CreateOnly,
                ..write_policy()
            },
            Some(before) => WritePolicy {
                generation_policy: GenerationPolicy::ExpectGenEqual,
                generation: before.generation,
                ..write_policy()
            },
        };
        let key = self.key("counters", environment.clone())?;
        let counts = counts
            .into_iter()
            .map(|(key, count)| (Value::String(key), Value::Int(count)));
        let bins = [
            Bin::new("environment", Value::String(environment)),
            Bin::new("counts", Value::SortedMap(counts.collect())),
        ];
        match self.client.put(&policy, &key, &bins).await {
            Ok(()) => Ok(true),
            Err(error) if error.matches(&[ResultCode::GenerationError, ResultCode::KeyExistsError]) => {
                Ok(false)
            }
            Err(error) => Err(unavailable("mending the counters")(error)),
        }
    }
}

fn ordered() -> MapPolicy {
    MapPolicy::new(MapOrder::KeyOrdered, MapWriteFlags::DEFAULT)
}

/// How many of the counts differ; one that is not there is zero.
fn differences(stored: Option<&BTreeMap<String, i64>>, truth: &BTreeMap<String, i64>) -> u64 {
    let empty = BTreeMap::new();
    let stored = stored.unwrap_or(&empty);
    let differ = |key: &&String| stored.get(*key).unwrap_or(&0) != truth.get(*key).unwrap_or(&0);
    let only_stored = stored.keys().filter(|key| !truth.contains_key(*key));
    truth
        .keys()
        .chain(only_stored)
        .filter(differ)
        .fold(0, |wrong, _| wrong + 1)
}

fn map_key(key: &CounterKey) -> String {
    let channel = key.channel.map_or("", |channel| channel.name());
    format!("{channel}|{}|{}", key.state, key.severity)
}

fn counter_key(environment: &str, key: &str) -> Option<CounterKey> {
    let mut parts = key.splitn(3, '|');
    let (channel, state, severity) = (parts.next()?, parts.next()?, parts.next()?);
    let channel = if channel.is_empty() {
        None
    } else {
        Some(channel.parse().ok()?)
    };
    Some(CounterKey {
        environment: environment.to_owned(),
        channel,
        state: state.to_owned(),
        severity: severity.to_owned(),
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn entry((key, count): (&Value, &Value)) -> Option<(String, i64)> {
    match count {
        Value::Int(count) => Some((text(key)?, *count)),
        _ => None,
    }
}
