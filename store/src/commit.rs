//! The daemon's transaction.

use domain::AlertState;
use domain::steps::Deadline;
use schemas::{Fingerprint, HistoryEntry, LedgerEntry};

use crate::claims::{fence, store_position};
use crate::connection::{Session, Statement, list, row};
use crate::values::{Reader, Value, count, document, hash, name, status};
use crate::{Claim, Commit, OutboxMessage, Store, StoreError};

/// The most of one row of the outbox; more than this goes into further rows, so that none outgrows a packet.
const OUTBOX_BYTES: usize = 2 << 20;
/// The most ids in one statement.
const IDS: usize = 1000;

impl Store {
    /// Does all of it or nothing; answers the id of the outbox row, if one was written.
    pub async fn commit(&self, claim: &Claim, commit: &Commit) -> Result<Option<i64>, StoreError> {
        let mut session = self
            .write(format!(
                "the commit of {} partition {}",
                claim.scope, claim.partition
            ))
            .await?;
        fence(&mut session, claim).await?;
        self.put_states(&mut session, claim.partition, &commit.states)
            .await?;
        self.put_history(&mut session, &commit.history).await?;
        self.put_ledger(&mut session, &commit.ledger).await?;
        remove_published(&mut session, &commit.published).await?;
        let outbox = put_outbox(&mut session, claim.partition, &commit.outbox).await?;
        if let Some(position) = commit.position {
            store_position(self, &mut session, claim, position).await?;
        }
        session.commit().await?;
        Ok(outbox)
    }

    async fn put_states(
        &self,
        session: &mut Session,
        partition: u32,
        states: &[(AlertState, Option<Deadline>)],
    ) -> Result<(), StoreError> {
        let rows: Result<Vec<_>, _> = states
            .iter()
            .map(|(state, deadline)| state_row(partition, state, *deadline))
            .collect();
        let into = "alerts (fingerprint, partition_number, status, environment, severity, operator_state, opened_at, \
                    changed_at, closed_at, due_at, due_kind, document)";
        let replaced = [
            "partition_number",
            "status",
            "environment",
            "severity",
            "operator_state",
            "opened_at",
            "changed_at",
            "closed_at",
            "due_at",
            "due_kind",
            "document",
        ];
        session
            .insert(into, &row(12), rows?, &self.dialect().or_replace("fingerprint", &replaced))
            .await
    }

    /// A line that is there already means that two write the same alert, and fails.
    async fn put_history(&self, session: &mut Session, history: &[HistoryEntry]) -> Result<(), StoreError> {
        let line = |entry: &HistoryEntry| {
            let document = document("a new history entry", entry)?;
            Ok(vec![entry.fingerprint.into(), count(entry.sequence), entry.at.into(), document])
        };
        let rows: Result<Vec<_>, StoreError> = history.iter().map(line).collect();
        let row = format!("({}, {})", self.dialect().alert(), list(3));
        session.insert("history (alert, sequence, at, document)", &row, rows?, "").await
    }

    async fn put_ledger(
        &self,
        session: &mut Session,
        ledger: &[(Fingerprint, LedgerEntry)],
    ) -> Result<(), StoreError> {
        let rows: Result<Vec<_>, _> = ledger.iter().map(ledger_row).collect();
        let into = "ledger (alert, episode, channel, destination_hash, state, settled, document)";
        let keys = "alert, episode, channel, destination_hash";
        let row = format!("({}, {})", self.dialect().alert(), list(6));
        session
            .insert(
                into,
                &row,
                rows?,
                &self.dialect().or_replace(keys, &["state", "settled", "document"]),
            )
            .await
    }
}

fn state_row(
    partition: u32,
    state: &AlertState,
    deadline: Option<Deadline>,
) -> Result<Vec<Value>, StoreError> {
    let alert = &state.alert;
    Ok(vec![
        alert.fingerprint.into(),
        partition.into(),
        status(alert.status).into(),
        name(&alert.environment),
        count(alert.severity.number()),
        alert.operator_state.name().into(),
        alert.opened_at.into(),
        alert.changed_at.into(),
        alert.closed_at.into(),
        deadline.map(|deadline| deadline.due_at).into(),
        deadline.map(|deadline| deadline.kind.name()).into(),
        document("a new state", state)?,
    ])
}

fn ledger_row((fingerprint, entry): &(Fingerprint, LedgerEntry)) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        (*fingerprint).into(),
        entry.episode.into(),
        entry.channel.name().into(),
        hash(&entry.destination),
        entry.state.name().into(),
        entry.state.settled().into(),
        document("a new ledger row", entry)?,
    ])
}

async fn remove_published(session: &mut Session, published: &[i64]) -> Result<(), StoreError> {
    for ids in published.chunks(IDS) {
        let values: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
        // Two statements, as each uses its own index.
        for column in ["id", "continues"] {
            let text = format!("DELETE FROM outbox WHERE {column} IN ({})", list(ids.len()));
            let statement = if ids.len() == 1 {
                Statement::kept(text)
            } else {
                Statement::once(text)
            };
            session.execute(statement, values.clone()).await?;
        }
    }
    Ok(())
}

async fn put_outbox(
    session: &mut Session,
    partition: u32,
    messages: &[OutboxMessage],
) -> Result<Option<i64>, StoreError> {
    let mut first = None;
    for part in parts(messages) {
        let insert =
            "INSERT INTO outbox (partition_number, continues, messages) VALUES (?, ?, ?) RETURNING id";
        let values = vec![
            partition.into(),
            first.into(),
            document("new outbox messages", &part)?,
        ];
        let rows = session.fetch(insert, values).await?;
        if first.is_none() {
            let row = rows
                .first()
                .ok_or_else(|| StoreError::corrupt(session.what(), "the outbox gave no id"))?;
            first = Some(
                Reader {
                    row,
                    what: session.what(),
                }
                .integer(0)?,
            );
        }
    }
    Ok(first)
}

/// The messages in parts of limited size.
fn parts(messages: &[OutboxMessage]) -> Vec<&[OutboxMessage]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, message) in messages.iter().enumerate() {
        let size = message.value.len() + message.key.len();
        if index > start && bytes + size > OUTBOX_BYTES {
            parts.push(&messages[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    if start < messages.len() {
        parts.push(&messages[start..]);
    }
    parts
}
