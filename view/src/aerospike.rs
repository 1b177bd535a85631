//! The view in Aerospike.
//!
//! | Set | Key | Bins |
//! |---|---|---|
//! | `alerts` | fingerprint | `version`, `status`; of an open alert also `body` (JSON) |
//! | `marks` | `filled` | `filled`; the record is there while the view holds every open alert |
//!
//! A write names the generation of the record that it replaces, so no older version wins. A closed alert is a small record
//! that expires. A server without room refuses every write, also one that would make a record smaller, but takes deletions:
//! then an alert that closes is deleted.

use std::sync::Arc;

use ::aerospike::query::PartitionFilter;
use ::aerospike::{
    BasePolicy, BatchDeletePolicy, BatchOperation, BatchPolicy, BatchReadPolicy, BatchWritePolicy, Bin, Bins,
    Client, Expiration, GenerationPolicy, Key, QueryPolicy, ReadPolicy, Record, RecordExistsAction,
    ResultCode, Statement, Value, WritePolicy, expressions, operations,
};
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use schemas::{Alert, Fingerprint, Status};

use crate::{Cluster, Entry, View, ViewError, Written, newest};

mod body;
mod cluster;
mod settings;

pub use settings::AerospikeSettings;

/// Milliseconds after which a server that does not answer counts as away.
const AWAY_AFTER_MS: u32 = 1_000;
/// Milliseconds that a command may take with its retries.
const COMMAND_MAX_MS: u32 = 2_000;
/// Records of one batch command.
const BATCH_RECORDS: usize = 128;
/// Batch commands that are under way at once.
const BATCHES_AT_ONCE: usize = 4;
/// How often a write is tried again because another writer replaced the record meanwhile.
const ROUNDS_MAX: usize = 20;

/// The view in Aerospike.
pub struct AerospikeView {
    client: Client,
    settings: AerospikeSettings,
    prefix: String,
}

/// What a record says before it is replaced.
#[derive(Clone, Copy)]
struct Head {
    version: i64,
    generation: u32,
}

/// An alert to write, and the record that it replaces.
type Replacement = (Arc<Alert>, Option<Head>);

/// What one try left over.
#[derive(Default)]
struct Round {
    /// Another writer replaced these meanwhile.
    again: Vec<Arc<Alert>>,
    /// These have closed, and the server has no room to note it.
    to_delete: Vec<(Arc<Alert>, Head)>,
    /// These are open, and the server has no room for them.
    no_room: Vec<Fingerprint>,
}

impl AerospikeView {
    /// The view in the cluster of these settings. A cluster that is away is no error here: the client goes on looking
    /// for it.
    ///
    /// # Errors
    ///
    /// [`ViewError::Unavailable`] when the settings are of no use to the client.
    pub async fn connect(settings: &AerospikeSettings) -> Result<Self, ViewError> {
        Self::connect_with_prefix(settings, "").await
    }

    /// The same, in sets whose names begin with `prefix`, so that several views share a namespace.
    ///
    /// # Errors
    ///
    /// As for [`AerospikeView::connect`].
    pub async fn connect_with_prefix(settings: &AerospikeSettings, prefix: &str) -> Result<Self, ViewError> {
        let client = Client::new(&settings.client_policy(), &settings.hosts)
            .await
            .map_err(unavailable("connecting to Aerospike"))?;
        Ok(Self {
            client,
            settings: settings.clone(),
            prefix: prefix.to_owned(),
        })
    }

    fn set(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn key(&self, set: &str, key: String) -> Result<Key, ViewError> {
        Key::new(self.settings.namespace.clone(), self.set(set), Value::String(key))
            .map_err(unavailable("making a key"))
    }

    /// Reads these bins of alerts; `None` for those that are not there.
    async fn read(
        &self,
        fingerprints: impl Iterator<Item = Fingerprint>,
        bins: &[&str],
    ) -> Result<Vec<Option<Record>>, ViewError> {
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

    /// Writes what is newer than what is there; answers the open alerts that there was no room for.
    async fn write_newer(&self, mut alerts: Vec<Arc<Alert>>) -> Result<Vec<Fingerprint>, ViewError> {
        let mut no_room = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let mut round = self.write_round(alerts).await?;
            no_room.append(&mut round.no_room);
            let to_delete = std::mem::take(&mut round.to_delete);
            round.again.append(&mut self.delete_closed(to_delete).await?);
            if round.again.is_empty() {
                return Ok(no_room);
            }
            alerts = round.again;
        }
        let error = "other writers replaced the same alerts again and again".to_owned();
        Err(ViewError::Unavailable(error))
    }

    /// One try.
    async fn write_round(&self, alerts: Vec<Arc<Alert>>) -> Result<Round, ViewError> {
        let newer = self.newer(alerts).await?;
        if newer.is_empty() {
            return Ok(Round::default());
        }
        let mut rows = newer
            .iter()
            .map(|(alert, head)| self.write(alert, *head))
            .collect::<Result<Vec<_>, _>>()?;
        self.write_batch(&mut rows, "writing alerts").await?;
        let mut round = Round::default();
        for (row, (alert, head)) in rows.iter().zip(newer) {
            match row.result_code() {
                Some(ResultCode::Ok) => {}
                Some(
                    ResultCode::GenerationError
                    | ResultCode::KeyExistsError
                    | ResultCode::KeyNotFoundError
                    | ResultCode::KeyBusy,
                ) => round.again.push(alert),
                Some(code) if has_no_room(code) => match (alert.status, head) {
                    (Status::Open, _) => round.no_room.push(alert.fingerprint),
                    (Status::Closed, Some(head)) => round.to_delete.push((alert, head)),
                    (Status::Closed, None) => {}
                },
                _ => return Err(row_failed("writing an alert", row)),
            }
        }
        Ok(round)
    }

    /// Those that are newer than what is there, with what is there. Without the closings of what is not there while the
    /// view is not filled.
    async fn newer(&self, alerts: Vec<Arc<Alert>>) -> Result<Vec<Replacement>, ViewError> {
        let heads = self
            .read(alerts.iter().map(|alert| alert.fingerprint), HEAD_BINS)
            .await?;
        let mut newer: Vec<_> = alerts
            .into_iter()
            .zip(heads.iter().map(|record| record.as_ref().map(Head::of)))
            .filter(|(alert, head)| head.is_none_or(|head| head.version < version(alert)))
            .collect();
        let unknown = |(alert, head): &Replacement| alert.status == Status::Closed && head.is_none();
        if newer.iter().any(unknown) && !self.is_filled().await? {
            newer.retain(|replacement| !unknown(replacement));
        }
        Ok(newer)
    }

    fn write(&self, alert: &Alert, head: Option<Head>) -> Result<BatchOperation, ViewError> {
        let mut bins = vec![
            Bin::new("version", Value::Int(version(alert))),
            Bin::new("status", Value::from(status_name(alert.status))),
        ];
        let expiration = match alert.status {
            Status::Open => {
                bins.push(Bin::new("body", Value::Blob(body::encode(alert)?)));
                Expiration::Never
            }
            Status::Closed => {
                let seconds = u32::try_from(self.settings.closed_for.as_secs()).unwrap_or(u32::MAX);
                Expiration::Seconds(seconds.max(1))
            }
        };
        let policy = match head {
            None => BatchWritePolicy {
                record_exists_action: RecordExistsAction::CreateOnly,
                expiration,
                ..BatchWritePolicy::default()
            },
            // All bins are replaced, so nothing is left of the body of an alert that closes.
            Some(head) => BatchWritePolicy {
                record_exists_action: RecordExistsAction::ReplaceOnly,
                generation_policy: GenerationPolicy::ExpectGenEqual,
                generation: head.generation,
                expiration,
                ..BatchWritePolicy::default()
            },
        };
        let key = self.key("alerts", alert.fingerprint.to_string())?;
        Ok(BatchOperation::write(
            &policy,
            key,
            bins.iter().map(operations::put).collect::<Vec<_>>(),
        ))
    }

    /// Deletes alerts that have closed; answers those whose records another writer replaced meanwhile.
    async fn delete_closed(&self, closed: Vec<(Arc<Alert>, Head)>) -> Result<Vec<Arc<Alert>>, ViewError> {
        if closed.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = closed
            .iter()
            .map(|(alert, head)| {
                let policy = BatchDeletePolicy {
                    generation_policy: GenerationPolicy::ExpectGenEqual,
                    generation: head.generation,
                    ..BatchDeletePolicy::default()
                };
                let key = self.key("alerts", alert.fingerprint.to_string())?;
                Ok(BatchOperation::delete(&policy, key))
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.write_batch(&mut rows, "deleting closed alerts").await?;
        let mut again = Vec::new();
        for (row, (alert, _)) in rows.iter().zip(closed) {
            match row.result_code() {
                Some(ResultCode::Ok | ResultCode::KeyNotFoundError) => {}
                Some(ResultCode::GenerationError | ResultCode::KeyBusy) => again.push(alert),
                _ => return Err(row_failed("deleting a closed alert", row)),
            }
        }
        Ok(again)
    }

    async fn write_batch(&self, rows: &mut [BatchOperation], what: &'static str) -> Result<(), ViewError> {
        let policy = BatchPolicy {
            base_policy: base_policy(0),
            ..BatchPolicy::write_default()
        };
        self.client.batch(&policy, rows).await.map_err(unavailable(what))
    }

    /// Reads these bins of all records of a set that pass the filter.
    async fn scan(
        &self,
        set: &str,
        bins: &[&str],
        filter: Option<expressions::Expression>,
        mut each: impl FnMut(Record) + Send,
    ) -> Result<(), ViewError> {
        let mut policy = QueryPolicy::default();
        policy.base_policy.socket_timeout = 5 * AWAY_AFTER_MS;
        policy.base_policy.max_retries = 1;
        policy.base_policy.filter_expression = filter;
        let statement = Statement::new(&self.settings.namespace, self.set(set), Bins::from(bins));
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
    async fn put(&self, alerts: Vec<Arc<Alert>>) -> Result<Written, ViewError> {
        let alerts = newest(alerts);
        let writes: Vec<_> = alerts
            .chunks(BATCH_RECORDS)
            .map(|chunk| self.write_newer(chunk.to_vec()))
            .collect();
        let results: Vec<_> = stream::iter(writes)
            .buffer_unordered(BATCHES_AT_ONCE)
            .collect()
            .await;
        let mut written = Written::default();
        for no_room in results {
            written.no_room.extend(no_room?);
        }
        Ok(written)
    }

    async fn get(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Entry>, ViewError> {
        let reads = fingerprints.chunks(BATCH_RECORDS).map(|chunk| async move {
            let records = self.read(chunk.iter().copied(), ENTRY_BINS).await?;
            let records = chunk.iter().zip(records);
            let entries = records.filter_map(|(fingerprint, record)| entry(*fingerprint, record?));
            Ok(entries.collect::<Vec<_>>())
        });
        let reads: Vec<_> = reads.collect();
        let read: Vec<_> = stream::iter(reads).buffered(BATCHES_AT_ONCE).collect().await;
        let mut entries = Vec::with_capacity(fingerprints.len());
        for found in read {
            entries.append(&mut found?);
        }
        Ok(entries)
    }

    async fn open(&self) -> Result<Vec<Arc<Alert>>, ViewError> {
        let mut alerts = Vec::new();
        self.scan("alerts", &["body"], Some(is_open()), |record| {
            alerts.extend(body::decode(record))
        })
        .await?;
        Ok(alerts)
    }

    async fn is_filled(&self) -> Result<bool, ViewError> {
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

    async fn mark_filled(&self) -> Result<(), ViewError> {
        let key = self.key("marks", "filled".to_owned())?;
        let policy = WritePolicy {
            base_policy: base_policy(0),
            expiration: Expiration::Never,
            ..WritePolicy::default()
        };
        let bin = Bin::new("filled", Value::Bool(true));
        match self.client.put(&policy, &key, &[bin]).await {
            Ok(()) => Ok(()),
            Err(error) if error.matches(NO_ROOM) => {
                Err(ViewError::Full(format!("marking the view as filled: {error}")))
            }
            Err(error) => Err(unavailable("marking the view as filled")(error)),
        }
    }

    async fn cluster(&self) -> Result<Cluster, ViewError> {
        self.look_at_cluster().await
    }
}

const HEAD_BINS: &[&str] = &["version"];
const ENTRY_BINS: &[&str] = &["version", "status", "body"];

/// How a server refuses a write that it has no room for. The codes are those of
/// <https://aerospike.com/docs/database/reference/error-codes>: 8, 18 and 22; the last also stands for limits of a set.
const NO_ROOM: &[ResultCode] = &[
    ResultCode::ServerMemError,
    ResultCode::DeviceOverload,
    ResultCode::FailForbidden,
];

fn has_no_room(code: ResultCode) -> bool {
    NO_ROOM.contains(&code)
}

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
        }
    }
}

fn entry(fingerprint: Fingerprint, record: Record) -> Option<Entry> {
    let closed = matches!(record.bins.get("status"), Some(Value::String(status)) if status == status_name(Status::Closed));
    if closed {
        let version = u64::try_from(Head::of(&record).version).ok()?;
        return Some(Entry::Closed { fingerprint, version });
    }
    body::decode(record).map(Entry::Open)
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

fn unavailable(what: &'static str) -> impl Fn(::aerospike::Error) -> ViewError {
    move |error| ViewError::Unavailable(format!("{what}: {error}"))
}

fn row_failed(what: &'static str, row: &BatchOperation) -> ViewError {
    let error = match row.error() {
        Some(error) => format!("{what}: {error}"),
        None => format!("{what}: no answer"),
    };
    match row.result_code() {
        Some(code) if has_no_room(code) => ViewError::Full(error),
        _ => ViewError::Unavailable(error),
    }
}
