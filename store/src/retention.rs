//! Forgetting what is old.

use jiff::Timestamp;

use crate::connection::{Session, Statement, list};
use crate::values::{Reader, Value, count};
use crate::{Store, StoreError};

/// The most rows whose keys go into one statement.
const AT_ONCE: usize = 500;

impl Store {
    /// Removes finished deliveries of notifications that were decided before this time, at most so many; answers how
    /// many. What was delivered of an alert that is still open stays, as later messages refer to it.
    pub async fn prune(&self, older_than: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut session = self.write("old deliveries").await?;
        let select = "SELECT deliveries.notification_id FROM deliveries \
                      WHERE deliveries.created_at < ? AND deliveries.unfinished = 0 AND NOT EXISTS \
                      (SELECT 1 FROM alerts WHERE alerts.fingerprint = deliveries.fingerprint AND alerts.status = 'open') \
                      ORDER BY deliveries.created_at LIMIT ?";
        let ids = keys(&mut session, select, vec![older_than.into(), count(limit)]).await?;
        let removed = remove(&mut session, "deliveries WHERE", "notification_id", &ids, &[]).await?;
        session.commit().await?;
        Ok(removed)
    }

    /// Removes the history and the settled ledger rows of alerts that closed before this time, of at most so many
    /// alerts; answers how many rows. The alerts themselves stay, and their history goes on with the next number.
    pub async fn prune_history(&self, closed_before: Timestamp, alerts: usize) -> Result<u64, StoreError> {
        let mut session = self.write("old history").await?;
        let select = "SELECT fingerprint FROM alerts \
                      WHERE status = 'closed' AND opened_at < ? AND closed_at < ? AND EXISTS \
                      (SELECT 1 FROM history WHERE history.fingerprint = alerts.fingerprint AND history.at < ?) LIMIT ?";
        let before: Value = closed_before.into();
        let values = vec![before.clone(), before.clone(), before.clone(), count(alerts)];
        let fingerprints = keys(&mut session, select, values).await?;
        // Whatever is newer belongs to an alert that has opened again just now.
        let history = remove(
            &mut session,
            "history WHERE at < ? AND",
            "fingerprint",
            &fingerprints,
            &[before],
        )
        .await?;
        let ledger = remove(
            &mut session,
            "ledger WHERE settled = 1 AND",
            "fingerprint",
            &fingerprints,
            &[],
        )
        .await?;
        session.commit().await?;
        Ok(history + ledger)
    }
}

async fn keys(
    session: &mut Session,
    select: &'static str,
    values: Vec<Value>,
) -> Result<Vec<Value>, StoreError> {
    let rows = session.fetch(select, values).await?;
    rows.iter()
        .map(|row| {
            Ok(Reader {
                row,
                what: session.what(),
            }
            .text(0)?
            .into())
        })
        .collect()
}

async fn remove(
    session: &mut Session,
    from: &str,
    column: &str,
    keys: &[Value],
    before: &[Value],
) -> Result<u64, StoreError> {
    let mut removed = 0;
    for keys in keys.chunks(AT_ONCE) {
        let text = format!("DELETE FROM {from} {column} IN ({})", list(keys.len()));
        removed += session
            .execute(Statement::once(text), [before, keys].concat())
            .await?;
    }
    Ok(removed)
}
