//! The daemon's transaction.

use domain::AlertState;
use domain::deadlines::Deadline;
use jiff::Timestamp;
use schemas::{Fingerprint, HistoryEntry, LedgerEntry};

use crate::claims::{fence, store_positions};
use crate::connection::{Session, list, row};
use crate::opsgenie::put_outcomes;
use crate::outbox::{outbox_rows, put_outbox, remove_published};
use crate::values::{Value, count, document, endpoint, name, status};
use crate::{Claim, Commit, Store, StoreError, last_seen};

impl Store {
    /// Does all of it or nothing; answers the id of the outbox row, if one was written.
    pub async fn commit(&self, claim: &Claim, commit: &Commit) -> Result<Option<i64>, StoreError> {
        // All text is made before the transaction begins, which keeps other writers waiting.
        let states = rows(&commit.states, |(state, deadline)| {
            state_row(claim.partition, state, *deadline)
        })?;
        let seen = rows(&commit.seen, last_seen::row)?;
        let history = rows(&commit.history, history_row)?;
        let ledger = rows(&commit.ledger, ledger_row)?;
        let outbox = outbox_rows(&commit.outbox)?;

        let what = format!("the commit of {} partition {}", claim.scope, claim.partition);
        let mut session = self.write(what).await?;
        fence(&mut session, claim).await?;
        put_states(&mut session, states).await?;
        last_seen::put(&mut session, seen).await?;
        put_history(&mut session, history).await?;
        put_ledger(&mut session, ledger).await?;
        remove_published(&mut session, &commit.published).await?;
        put_outcomes(&mut session, commit).await?;
        let first = put_outbox(&mut session, claim, outbox).await?;
        let positions = commit.positions.iter().map(|(topic, offset)| (*topic, *offset));
        store_positions(&mut session, claim, positions).await?;
        session.commit().await?;
        Ok(first)
    }

    /// Puts the deadlines of these alerts off, without reading or writing their states.
    pub async fn postpone(
        &self,
        claim: &Claim,
        alerts: impl IntoIterator<Item = Fingerprint>,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        let what = format!("deadlines of {} partition {}", claim.scope, claim.partition);
        let mut session = self.write(what).await?;
        fence(&mut session, claim).await?;
        let update = "UPDATE alerts SET due_at = ? WHERE fingerprint = ? AND partition_number = ?";
        for fingerprint in alerts {
            let values = vec![due_at.into(), fingerprint.into(), claim.partition.into()];
            session.execute(update, values).await?;
        }
        session.commit().await
    }
}

fn rows<T, R>(of: &[T], row: impl FnMut(&T) -> Result<R, StoreError>) -> Result<Vec<R>, StoreError> {
    of.iter().map(row).collect()
}

async fn put_states(session: &mut Session, states: Vec<Vec<Value>>) -> Result<(), StoreError> {
    let into = "alerts (fingerprint, partition_number, status, environment, severity, operator_state, opened_at, \
                changed_at, closed_at, due_at, due_kind, silenced, document)";
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
        "silenced",
        "document",
    ];
    let end = session.dialect().or_replace("fingerprint", &replaced);
    session.insert(into, &row(13), states, &end).await
}

/// A line that is there already means that two write the same alert, and fails.
async fn put_history(session: &mut Session, history: Vec<Vec<Value>>) -> Result<(), StoreError> {
    let row = format!("({}, {})", session.dialect().alert(), list(3));
    session
        .insert("history (alert, sequence, at, document)", &row, history, "")
        .await
}

async fn put_ledger(session: &mut Session, ledger: Vec<Vec<Value>>) -> Result<(), StoreError> {
    let into = "ledger (alert, episode, channel, endpoint_hash, state, settled, document)";
    let row = format!("({}, {})", session.dialect().alert(), list(6));
    let keys = "alert, episode, channel, endpoint_hash";
    let end = session
        .dialect()
        .or_replace(keys, &["state", "settled", "document"]);
    session.insert(into, &row, ledger, &end).await
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
        match alert.episode {
            // Nothing has happened yet: it is in no list.
            0 => "awaited",
            _ => status(alert.status),
        }
        .into(),
        name(&alert.environment),
        count(alert.severity.number()),
        alert.operator_state.name().into(),
        alert.opened_at.into(),
        alert.changed_at.into(),
        alert.closed_at.into(),
        deadline.map(|deadline| deadline.due_at).into(),
        deadline.map(|deadline| deadline.kind.name()).into(),
        deadline.is_some_and(|deadline| deadline.is_silenced).into(),
        document("a new state", state)?,
    ])
}

fn history_row(entry: &HistoryEntry) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        entry.fingerprint.into(),
        count(entry.sequence),
        entry.at.into(),
        document("a new history entry", entry)?,
    ])
}

fn ledger_row((fingerprint, entry): &(Fingerprint, LedgerEntry)) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        (*fingerprint).into(),
        entry.episode.into(),
        entry.channel.name().into(),
        endpoint(&entry.destination, entry.bot.as_deref()),
        entry.state.name().into(),
        entry.state.settled().into(),
        document("a new ledger row", entry)?,
    ])
}
