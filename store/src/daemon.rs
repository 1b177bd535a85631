//! What the daemon reads back: states, deadlines, the outbox.

use std::collections::HashMap;

use domain::AlertState;
use jiff::Timestamp;
use schemas::{Fingerprint, LedgerEntry};

use crate::connection::{Session, Statement, list};
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
        let readers = rows.iter().map(|row| Reader {
            row,
            what: session.what(),
        });
        readers
            .map(|reader| Ok((reader.fingerprint(0)?, reader.time(1)?)))
            .collect()
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

async fn load_states(
    session: &mut Session,
    fingerprints: &[Fingerprint],
    states: &mut HashMap<Fingerprint, AlertState>,
) -> Result<(), StoreError> {
    let select = format!(
        "SELECT document FROM alerts WHERE fingerprint IN ({})",
        list(fingerprints.len())
    );
    for row in session
        .fetch(sized(select, fingerprints), values(fingerprints))
        .await?
    {
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
    let select = format!(
        "SELECT alerts.fingerprint, ledger.document FROM alerts JOIN ledger ON ledger.alert = {} \
         WHERE alerts.fingerprint IN ({}) AND (ledger.settled = 0 OR ledger.state = 'failed') \
         ORDER BY ledger.alert, ledger.episode, ledger.channel, ledger.destination_hash",
        session.dialect().alert_key(),
        list(fingerprints.len())
    );
    for row in session
        .fetch(sized(select, fingerprints), values(fingerprints))
        .await?
    {
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
    fingerprints
        .iter()
        .map(|fingerprint| (*fingerprint).into())
        .collect()
}

fn sized(text: String, fingerprints: &[Fingerprint]) -> Statement {
    if fingerprints.len() == 1 {
        Statement::kept(text)
    } else {
        Statement::once(text)
    }
}
