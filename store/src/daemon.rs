//! What the daemon reads back: states, deadlines, the outbox.

use std::collections::HashMap;

use domain::AlertState;
use jiff::Timestamp;
use schemas::{Fingerprint, LedgerEntry};
use sqlx::any::AnyRow;

use crate::connection::{Session, Statement, list, padded};
use crate::values::{Reader, Value, count};
use crate::{OutboxRow, Store, StoreError};

/// The most fingerprints in one statement.
const FINGERPRINTS: usize = 1000;

impl Store {
    /// The states of these alerts, as far as they exist, each with its ledger rows that are not settled, or failed to open.
    pub async fn load(
        &self,
        fingerprints: &[Fingerprint],
    ) -> Result<HashMap<Fingerprint, AlertState>, StoreError> {
        let mut states = HashMap::with_capacity(fingerprints.len());
        if fingerprints.is_empty() {
            return Ok(states);
        }
        let mut session = self.read("alert states").await?;
        for fingerprints in fingerprints.chunks(FINGERPRINTS) {
            load_states(&mut session, fingerprints, &mut states).await?;
            load_ledger(&mut session, fingerprints, &mut states).await?;
        }
        Ok(states)
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
        (after, fingerprint): (Timestamp, Option<Fingerprint>),
        limit: usize,
    ) -> Result<Vec<(Fingerprint, Timestamp)>, StoreError> {
        let mut session = self.read(format!("deadlines of partition {partition}")).await?;
        // Written so that the index is entered at the place.
        let select = "SELECT fingerprint, due_at FROM alerts WHERE partition_number = ? AND due_at >= ? \
                      AND (due_at > ? OR fingerprint > ?) ORDER BY due_at, fingerprint LIMIT ?";
        let fingerprint = fingerprint.map_or_else(String::new, |fingerprint| fingerprint.to_string());
        let values = vec![
            partition.into(),
            after.into(),
            after.into(),
            fingerprint.into(),
            count(limit),
        ];
        let rows = session.fetch(select, values).await?;
        deadlines(&rows, session.what())
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

    /// What a daemon of this partition wrote to the outbox and did not say to have published, oldest first.
    pub async fn outbox(&self, partition: u32) -> Result<Vec<OutboxRow>, StoreError> {
        let mut session = self.read(format!("the outbox of partition {partition}")).await?;
        let select = "SELECT id, continues, messages FROM outbox WHERE partition_number = ? ORDER BY id";
        let mut outbox: Vec<OutboxRow> = Vec::new();
        for row in &session.fetch(select, vec![partition.into()]).await? {
            let reader = Reader {
                row,
                what: session.what(),
            };
            let (continues, messages) = (reader.optional_integer(1)?, reader.document::<Vec<_>>(2)?);
            match outbox.last_mut().filter(|last| Some(last.id) == continues) {
                Some(last) => last.messages.extend(messages),
                None => outbox.push(OutboxRow {
                    id: reader.integer(0)?,
                    messages,
                }),
            }
        }
        Ok(outbox)
    }
}

/// Rows of a fingerprint and a time.
fn deadlines(rows: &[AnyRow], what: &str) -> Result<Vec<(Fingerprint, Timestamp)>, StoreError> {
    let readers = rows.iter().map(|row| Reader { row, what });
    readers
        .map(|reader| Ok((reader.fingerprint(0)?, reader.time(1)?)))
        .collect()
}

async fn load_states(
    session: &mut Session,
    fingerprints: &[Fingerprint],
    states: &mut HashMap<Fingerprint, AlertState>,
) -> Result<(), StoreError> {
    let values = values(fingerprints);
    let select = format!(
        "SELECT document FROM alerts WHERE fingerprint IN ({})",
        list(values.len())
    );
    for row in session.fetch(Statement::kept(select), values).await? {
        let state: AlertState = Reader {
            row: &row,
            what: session.what(),
        }
        .document(0)?;
        states.insert(state.alert.fingerprint, state);
    }
    Ok(())
}

async fn load_ledger(
    session: &mut Session,
    fingerprints: &[Fingerprint],
    states: &mut HashMap<Fingerprint, AlertState>,
) -> Result<(), StoreError> {
    let values = values(fingerprints);
    let select = format!(
        "SELECT alerts.fingerprint, ledger.document FROM alerts JOIN ledger ON ledger.alert = {} \
         WHERE alerts.fingerprint IN ({}) AND (ledger.settled = 0 OR ledger.state = 'failed') \
         ORDER BY ledger.alert, ledger.episode, ledger.channel, ledger.destination_hash",
        session.dialect().alert_key(),
        list(values.len())
    );
    for row in session.fetch(Statement::kept(select), values).await? {
        let reader = Reader {
            row: &row,
            what: session.what(),
        };
        if let Some(state) = states.get_mut(&reader.fingerprint(0)?) {
            state.ledger.push(reader.document::<LedgerEntry>(1)?);
        }
    }
    Ok(())
}

fn values(fingerprints: &[Fingerprint]) -> Vec<Value> {
    let values = fingerprints.iter().map(|fingerprint| (*fingerprint).into());
    padded(values.collect())
}
