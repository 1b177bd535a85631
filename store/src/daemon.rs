//! What the daemon reads back: states and deadlines.

use std::collections::HashMap;

use domain::AlertState;
use jiff::Timestamp;
use schemas::Fingerprint;
use sqlx::any::AnyRow;

use crate::connection::{Session, Statement, list, padded};
use crate::values::{Reader, Value, count};
use crate::{Loaded, Store, StoreError, last_seen};

/// The most fingerprints in one statement.
const FINGERPRINTS: usize = 1000;

impl Store {
    /// The states of these alerts, as far as they exist and can be read, each with its ledger rows that are not settled,
    /// or failed to open.
    pub async fn load(
        &self,
        fingerprints: &[Fingerprint],
    ) -> Result<HashMap<Fingerprint, AlertState>, StoreError> {
        Ok(self.load_known(fingerprints).await?.states)
    }

    /// The same, and which of these alerts are stored and cannot be read: who writes states must leave them alone.
    pub async fn load_known(&self, fingerprints: &[Fingerprint]) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        if fingerprints.is_empty() {
            return Ok(loaded);
        }
        loaded.states.reserve(fingerprints.len());
        let mut session = self.read("alert states").await?;
        for fingerprints in fingerprints.chunks(FINGERPRINTS) {
            self.load_states(&mut session, fingerprints, &mut loaded).await?;
            let known = fingerprints
                .iter()
                .filter(|fingerprint| loaded.states.contains_key(fingerprint));
            let known: Vec<_> = known.copied().collect();
            // Of many new alerts there is nothing to ask.
            if !known.is_empty() {
                self.load_ledger(&mut session, &known, &mut loaded).await?;
            }
        }
        Ok(loaded)
    }

    /// The alerts of the partition whose deadline has come, most overdue first, with their deadline.
    pub async fn due(
        &self,
        partition: u32,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Fingerprint, Timestamp)>, StoreError> {
        let mut session = self.read(format!("deadlines of partition {partition}")).await?;
        let select = "SELECT fingerprint, due_at FROM alerts WHERE partition_number = ? AND due_at <= ? \
                      ORDER BY due_at, fingerprint LIMIT ?";
        let rows = session
            .fetch(select, vec![partition.into(), now.into(), count(limit)])
            .await?;
        deadlines(&rows, session.what())
    }

    /// The alerts of the partition that have a deadline, in the order of [`Store::due`], after a place in it.
    pub async fn scheduled(
        &self,
        partition: u32,
        after: (Timestamp, Option<Fingerprint>),
        limit: usize,
    ) -> Result<Vec<(Fingerprint, Timestamp)>, StoreError> {
        self.scheduled_where("", Vec::new(), partition, after, limit)
            .await
    }

    /// Those of [`Store::scheduled`] of which a silence may hold a step back, and whose deadline is not later than `until`.
    pub async fn silenced(
        &self,
        partition: u32,
        after: (Timestamp, Option<Fingerprint>),
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Fingerprint, Timestamp)>, StoreError> {
        let condition = "silenced = 1 AND due_at <= ? AND ";
        self.scheduled_where(condition, vec![until.into()], partition, after, limit)
            .await
    }

    /// The same under a further condition, which has these values.
    async fn scheduled_where(
        &self,
        condition: &str,
        values: Vec<Value>,
        partition: u32,
        (after, fingerprint): (Timestamp, Option<Fingerprint>),
        limit: usize,
    ) -> Result<Vec<(Fingerprint, Timestamp)>, StoreError> {
        let mut session = self.read(format!("deadlines of partition {partition}")).await?;
        // Written so that the index is entered at the place.
        let select = format!(
            "SELECT fingerprint, due_at FROM alerts WHERE partition_number = ? AND {condition}due_at >= ? \
             AND (due_at > ? OR fingerprint > ?) ORDER BY due_at, fingerprint LIMIT ?"
        );
        let fingerprint = fingerprint.map_or_else(String::new, |fingerprint| fingerprint.to_string());
        let place = [after.into(), after.into(), fingerprint.into(), count(limit)];
        let all = [partition.into()]
            .into_iter()
            .chain(values)
            .chain(place)
            .collect();
        let rows = session.fetch(Statement::kept(select), all).await?;
        deadlines(&rows, session.what())
    }

    /// Which of these alerts belong to the partition and have a deadline, and that.
    pub async fn scheduled_among(
        &self,
        partition: u32,
        fingerprints: &[Fingerprint],
    ) -> Result<Vec<(Fingerprint, Timestamp)>, StoreError> {
        let mut session = self.read(format!("deadlines of partition {partition}")).await?;
        let mut found = Vec::new();
        for fingerprints in fingerprints.chunks(FINGERPRINTS) {
            let mut values = values(fingerprints);
            let select = format!(
                "SELECT fingerprint, due_at FROM alerts WHERE fingerprint IN ({}) AND partition_number = ? \
                 AND due_at IS NOT NULL ORDER BY fingerprint",
                list(values.len())
            );
            values.push(partition.into());
            let rows = session.fetch(Statement::kept(select), values).await?;
            found.extend(deadlines(&rows, session.what())?);
        }
        Ok(found)
    }

    /// When the next deadline of the partition is.
    pub async fn next_due(&self, partition: u32) -> Result<Option<Timestamp>, StoreError> {
        let mut session = self.read(format!("deadlines of partition {partition}")).await?;
        let select = "SELECT due_at FROM alerts WHERE partition_number = ? AND due_at IS NOT NULL \
                      ORDER BY due_at LIMIT 1";
        let rows = session.fetch(select, vec![partition.into()]).await?;
        rows.first()
            .map(|row| {
                Reader {
                    row,
                    what: session.what(),
                }
                .time(0)
            })
            .transpose()
    }

    async fn load_states(
        &self,
        session: &mut Session,
        fingerprints: &[Fingerprint],
        loaded: &mut Loaded,
    ) -> Result<(), StoreError> {
        let values = values(fingerprints);
        let select = format!(
            "SELECT alerts.fingerprint, alerts.document, {} FROM alerts {} WHERE alerts.fingerprint IN ({})",
            last_seen::COLUMN,
            last_seen::join(session.dialect()),
            list(values.len())
        );
        for row in session.fetch(Statement::kept(select), values).await? {
            let reader = Reader {
                row: &row,
                what: session.what(),
            };
            let fingerprint = reader.fingerprint(0)?;
            let state = reader.document::<AlertState>(1).and_then(|mut state| {
                if let Some(seen) = last_seen::read(&reader, 2)? {
                    state.take_last_seen(seen);
                }
                Ok(state)
            });
            self.keep_readable(loaded, "alerts", fingerprint, state, |loaded, state| {
                self.unreadable().readable("alerts", fingerprint);
                loaded.states.insert(fingerprint, state);
            })?;
        }
        Ok(())
    }

    async fn load_ledger(
        &self,
        session: &mut Session,
        fingerprints: &[Fingerprint],
        loaded: &mut Loaded,
    ) -> Result<(), StoreError> {
        let values = values(fingerprints);
        let select = format!(
            "SELECT alerts.fingerprint, ledger.document FROM alerts JOIN ledger ON ledger.alert = {} \
             WHERE alerts.fingerprint IN ({}) AND (ledger.settled = 0 OR ledger.state = 'failed') \
             ORDER BY ledger.alert, ledger.episode, ledger.channel, ledger.endpoint_hash",
            session.dialect().alert_key(),
            list(values.len())
        );
        for row in session.fetch(Statement::kept(select), values).await? {
            let reader = Reader {
                row: &row,
                what: session.what(),
            };
            let fingerprint = reader.fingerprint(0)?;
            if loaded.states.contains_key(&fingerprint) {
                self.keep_readable(
                    loaded,
                    "ledger",
                    fingerprint,
                    reader.document(1),
                    |loaded, entry| {
                        if let Some(state) = loaded.states.get_mut(&fingerprint) {
                            state.ledger.push(entry);
                        }
                    },
                )?;
            }
        }
        Ok(())
    }

    /// An alert of which one row cannot be read is not known at all: what is decided would be wrong.
    fn keep_readable<T>(
        &self,
        loaded: &mut Loaded,
        table: &'static str,
        fingerprint: Fingerprint,
        read: Result<T, StoreError>,
        keep: impl FnOnce(&mut Loaded, T),
    ) -> Result<(), StoreError> {
        let error = read.as_ref().err().map(ToString::to_string);
        match (self.unreadable().skip(table, fingerprint, read)?, error) {
            (Some(value), _) => keep(loaded, value),
            (None, error) => {
                loaded.states.remove(&fingerprint);
                loaded.unreadable.insert(fingerprint, error.unwrap_or_default());
            }
        }
        Ok(())
    }
}

/// Rows of a fingerprint and a time.
fn deadlines(rows: &[AnyRow], what: &str) -> Result<Vec<(Fingerprint, Timestamp)>, StoreError> {
    let readers = rows.iter().map(|row| Reader { row, what });
    readers
        .map(|reader| Ok((reader.fingerprint(0)?, reader.time(1)?)))
        .collect()
}

fn values(fingerprints: &[Fingerprint]) -> Vec<Value> {
    let values = fingerprints.iter().map(|fingerprint| (*fingerprint).into());
    padded(values.collect())
}
