//! The view in Aerospike.
//!
//! | Set | Key | Bins |
//! |---|---|---|
//! | `alerts` | fingerprint | `version`, `status`, `environment`, `counted` (where it counts), `body` (JSON) |
//! | `counters` | environment | `environment`, `counts` (map of `channel\|state\|severity` to a number) |
//! | `marks` | `filled` | `filled`; the record is there while the view holds every open alert |
//!
//! A write names the generation of the record that it replaces, so no older version wins, and the counters are moved
//! by exactly what was replaced. Only a crash or a time-out between the two writes leaves them wrong, until
//! [`View::recount`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ::aerospike::query::PartitionFilter;
use ::aerospike::{
    BasePolicy, BatchOperation, BatchPolicy, BatchReadPolicy, BatchWritePolicy, Bin, Bins, Client,
    ClientPolicy, Expiration, GenerationPolicy, Key, QueryPolicy, ReadPolicy, Record, RecordExistsAction,
    ResultCode, Statement, Value, WritePolicy, expressions, operations,
};
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use schemas::{Alert, Fingerprint, Status};
use tokio::sync::RwLock;

use crate::{CounterKey, View, ViewUnavailable, newest};

mod body;
mod counters;

use counters::{Counted, Moves};

/// Milliseconds after which a server that does not answer counts as away.
const AWAY_AFTER_MS: u32 = 1_000;
/// Milliseconds that a command may take with its retries.
const COMMAND_MAX_MS: u32 = 2_000;
/// Records of one batch command.
const BATCH_RECORDS: usize = 128;
/// Batch commands that are under way at once.
const BATCHES_AT_ONCE: usize = 4;
/// How often a write is tried again because somebody else wrote the record meanwhile.
const ROUNDS_MAX: usize = 20;
/// Seconds that a closed alert is kept, so that an older version cannot bring it back.
const CLOSED_FOR_S: u32 = 3_600;

/// The view in Aerospike.
pub struct AerospikeView {
    client: Client,
    namespace: String,
    prefix: String,
    /// Writers hold it for reading; a recount, which must not see a record written and not yet counted, for writing.
    counting: RwLock<()>,
}

/// What a record says before it is replaced.
struct Head {
    version: i64,
    generation: u32,
    counted: Counted,
}

impl AerospikeView {
    /// The view in this namespace of the cluster that these hosts (`host:port,host:port`) belong to. A cluster that is
    /// away is no error here: the client goes on looking for it.
    pub async fn connect(hosts: &str, namespace: &str) -> Result<Self, ViewUnavailable> {
        Self::connect_with_prefix(hosts, namespace, "").await
    }

    /// The same, in sets whose names begin with `prefix`, so that several views share a namespace.
    pub async fn connect_with_prefix(
        hosts: &str,
        namespace: &str,
        prefix: &str,
    ) -> Result<Self, ViewUnavailable> {
        let policy = ClientPolicy {
            timeout: AWAY_AFTER_MS,
            fail_if_not_connected: false,
            tend_interval: 500,
            ..ClientPolicy::default()
        };
        let client = Client::new(&policy, &hosts.to_owned())
            .await
            .map_err(unavailable("connecting to Aerospike"))?;
        let (namespace, prefix) = (namespace.to_owned(), prefix.to_owned());
        Ok(Self {
            client,
            namespace,
            prefix,
            counting: RwLock::default(),
        })
    }

    fn set(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn key(&self, set: &str, key: String) -> Result<Key, ViewUnavailable> {
        Key::new(self.namespace.clone(), self.set(set), Value::String(key))
            .map_err(unavailable("making a key"))
    }

    /// Reads these bins of alerts; `None` for those that are not there.
    async fn read(
        &self,
        fingerprints: impl Iterator<Item = Fingerprint>,
        bins: &[&str],
    ) -> Result<Vec<Option<Record>>, ViewUnavailable> {
        let policy = BatchReadPolicy::default();
        let mut rows = fingerprints
            .map(|fingerprint| {
                let key = self.key("alerts", fingerprint.to_string())?;
                Ok(BatchOperation::read(&policy, key, Bins::from(bins)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let policy = BatchPolicy {
            base_policy: base_policy(1),
            ..BatchPolicy::default()
        };
        self.client
            .batch(&policy, &mut rows)
            .await
            .map_err(unavailable("reading alerts"))?;
        rows.iter_mut()
            .map(|row| match row.result_code() {
                Some(ResultCode::Ok) => Ok(row.take_record()),
                Some(ResultCode::KeyNotFoundError) => Ok(None),
                _ => Err(row_failed("reading an alert", row)),
            })
            .collect()
    }

    /// Writes what is newer than what is there, and notes how the counters are to move; they are moved even when it
    /// fails half-way.
    async fn write_newer(&self, mut alerts: Vec<Arc<Alert>>) -> (Moves, Result<(), ViewUnavailable>) {
        let mut moves = Moves::default();
        for _ in 0..ROUNDS_MAX {
            match self.write_round(alerts, &mut moves).await {
                Ok(again) if again.is_empty() => return (moves, Ok(())),
                Ok(again) => alerts = again,
                Err(error) => return (moves, Err(error)),
            }
        }
        let error = "other writers replaced the same alerts again and again".to_owned();
        (moves, Err(ViewUnavailable(error)))
    }

    /// One try; answers the alerts that somebody else wrote meanwhile.
    async fn write_round(
        &self,
        alerts: Vec<Arc<Alert>>,
        moves: &mut Moves,
    ) -> Result<Vec<Arc<Alert>>, ViewUnavailable> {
        let heads = self
            .read(alerts.iter().map(|alert| alert.fingerprint), HEAD_BINS)
            .await?;
        let newer: Vec<_> = alerts
            .into_iter()
            .zip(heads.iter().map(|record| record.as_ref().map(Head::of)))
            .filter(|(alert, head)| head.as_ref().is_none_or(|head| head.version < version(alert)))
            .collect();
        if newer.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = newer
            .iter()
            .map(|(alert, head)| self.write(alert, head.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        let policy = BatchPolicy {
            base_policy: base_policy(0),
            ..BatchPolicy::write_default()
        };
        let sent = self.client.batch(&policy, &mut rows).await;
        let mut again = Vec::new();
        let mut failed = sent.map_err(unavailable("writing alerts"));
        for (row, (alert, head)) in rows.iter().zip(newer) {
            match row.result_code() {
                Some(ResultCode::Ok) => moves.replace(head.map(|head| head.counted), Counted::of(&alert)),
                Some(
                    ResultCode::GenerationError
                    | ResultCode::KeyExistsError
                    | ResultCode::KeyNotFoundError
                    | ResultCode::KeyBusy,
                ) => again.push(alert),
                _ => failed = failed.and(Err(row_failed("writing an alert", row))),
            }
        }
        failed.map(|()| again)
    }

    fn write(&self, alert: &Alert, head: Option<&Head>) -> Result<BatchOperation, ViewUnavailable> {
        let expiration = match alert.status {
            Status::Open => Expiration::Never,
            Status::Closed => Expiration::Seconds(CLOSED_FOR_S),
        };
        let policy = match head {
            None => BatchWritePolicy {
                record_exists_action: RecordExistsAction::CreateOnly,
                expiration,
                ..BatchWritePolicy::default()
            },
            Some(head) => BatchWritePolicy {
                generation_policy: GenerationPolicy::ExpectGenEqual,
                generation: head.generation,
                expiration,
                ..BatchWritePolicy::default()
            },
        };
        let bins = [
            Bin::new("version", Value::Int(version(alert))),
            Bin::new("status", Value::from(status_name(alert.status))),
            Bin::new("environment", Value::from(&alert.environment)),
            Bin::new("counted", Counted::of(alert).to_value()),
            Bin::new("body", Value::Blob(body::encode(alert)?)),
        ];
        let key = self.key("alerts", alert.fingerprint.to_string())?;
        Ok(BatchOperation::write(
            &policy,
            key,
            bins.iter().map(operations::put).collect::<Vec<_>>(),
        ))
    }

    /// Reads these bins of all records of a set that pass the filter.
    async fn scan(
        &self,
        set: &str,
        bins: &[&str],
        filter: Option<expressions::Expression>,
        mut each: impl FnMut(Record) + Send,
    ) -> Result<(), ViewUnavailable> {
        let mut policy = QueryPolicy::default();
        policy.base_policy.socket_timeout = 5 * AWAY_AFTER_MS;
        policy.base_policy.max_retries = 1;
        policy.base_policy.filter_expression = filter;
        let statement = Statement::new(&self.namespace, self.set(set), Bins::from(bins));
        let failed = || unavailable("reading a whole set");
        let found = self
            .client
            .query(&policy, PartitionFilter::all(), statement)
            .await
            .map_err(failed())?;
        let mut records = found.into_stream();
        while let Some(record) = records.next().await {
            each(record.map_err(failed())?);
        }
        Ok(())
    }
}

#[async_trait]
impl View for AerospikeView {
    async fn put(&self, alerts: Vec<Arc<Alert>>) -> Result<(), ViewUnavailable> {
        let _counting = self.counting.read().await;
        let alerts = newest(alerts);
        let writes: Vec<_> = alerts
            .chunks(BATCH_RECORDS)
            .map(|chunk| self.write_newer(chunk.to_vec()))
            .collect();
        let written: Vec<_> = stream::iter(writes)
            .buffer_unordered(BATCHES_AT_ONCE)
            .collect()
            .await;
        let mut moves = Moves::default();
        let mut outcome = Ok(());
        for (moved, result) in written {
            moves.add(moved);
            outcome = outcome.and(result);
        }
        self.move_counters(moves).await?;
        outcome
    }

    async fn get(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Arc<Alert>>, ViewUnavailable> {
        let reads = fingerprints
            .chunks(BATCH_RECORDS)
            .map(|chunk| self.read(chunk.iter().copied(), &["body"]));
        let reads: Vec<_> = reads.collect();
        let read: Vec<_> = stream::iter(reads).buffered(BATCHES_AT_ONCE).collect().await;
        let mut alerts = Vec::with_capacity(fingerprints.len());
        for records in read {
            alerts.extend(records?.into_iter().flatten().filter_map(body::decode));
        }
        Ok(alerts)
    }

    async fn open(&self) -> Result<Vec<Arc<Alert>>, ViewUnavailable> {
        let mut alerts = Vec::new();
        self.scan("alerts", &["body"], Some(is_open()), |record| {
            alerts.extend(body::decode(record))
        })
        .await?;
        Ok(alerts)
    }

    async fn counters(&self) -> Result<BTreeMap<CounterKey, u64>, ViewUnavailable> {
        let stored = self.stored_counters().await?;
        Ok(stored.values().flat_map(counters::Stored::read).collect())
    }

    async fn recount(&self) -> Result<u64, ViewUnavailable> {
        let _nobody_writes = self.counting.write().await;
        let stored = self.stored_counters().await?;
        let mut truth: HashMap<String, BTreeMap<String, i64>> = HashMap::new();
        self.scan("alerts", &["environment", "counted"], Some(is_open()), |record| {
            let counted = Counted::stored(&record);
            let counts = truth.entry(counted.environment).or_default();
            for key in counted.keys {
                *counts.entry(key).or_default() += 1;
            }
        })
        .await?;
        self.mend_counters(stored, truth).await
    }

    async fn is_filled(&self) -> Result<bool, ViewUnavailable> {
        let key = self.key("marks", "filled".to_owned())?;
        let policy = ReadPolicy {
            base_policy: base_policy(1),
        };
        match self.client.get(&policy, &key, Bins::None).await {
            Ok(_) => Ok(true),
            Err(error) if error.matches(&[ResultCode::KeyNotFoundError]) => Ok(false),
            Err(error) => Err(unavailable("reading whether the view is filled")(error)),
        }
    }

    async fn mark_filled(&self) -> Result<(), ViewUnavailable> {
        let key = self.key("marks", "filled".to_owned())?;
        let bin = Bin::new("filled", Value::Bool(true));
        self.client
            .put(&write_policy(), &key, &[bin])
            .await
            .map_err(unavailable("marking the view as filled"))
    }
}

const HEAD_BINS: &[&str] = &["version", "environment", "counted"];

impl Head {
    fn of(record: &Record) -> Self {
        let version = match record.bins.get("version") {
            Some(Value::Int(version)) => *version,
            // A record without one is no use; anything is newer.
            _ => -1,
        };
        Self {
            version,
            generation: record.generation,
            counted: Counted::stored(record),
        }
    }
}

fn version(alert: &Alert) -> i64 {
    i64::try_from(alert.version).unwrap_or(i64::MAX)
}

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Closed => "closed",
    }
}

fn is_open() -> expressions::Expression {
    expressions::eq(
        expressions::string_bin("status"),
        expressions::string_val(status_name(Status::Open)),
    )
}

fn base_policy(max_retries: usize) -> BasePolicy {
    BasePolicy {
        socket_timeout: AWAY_AFTER_MS,
        total_timeout: COMMAND_MAX_MS,
        max_retries,
        ..BasePolicy::default()
    }
}

/// Of a single record that never expires.
fn write_policy() -> WritePolicy {
    WritePolicy {
        base_policy: base_policy(0),
        expiration: Expiration::Never,
        ..WritePolicy::default()
    }
}

fn unavailable(what: &'static str) -> impl Fn(::aerospike::Error) -> ViewUnavailable {
    move |error| ViewUnavailable(format!("{what}: {error}"))
}

fn row_failed(what: &'static str, row: &BatchOperation) -> ViewUnavailable {
    match row.error() {
        Some(error) => ViewUnavailable(format!("{what}: {error}")),
        None => ViewUnavailable(format!("{what}: no answer")),
    }
}
