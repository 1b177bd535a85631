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
        let mut removed = 0;
        for ids in ids.chunks(AT_ONCE) {
            let text = format!(
                "DELETE FROM deliveries WHERE notification_id IN ({})",
                list(ids.len())
            );
            removed += session.execute(Statement::once(text), ids.to_vec()).await?;
        }
        session.commit().await?;
        Ok(removed)
    }

    /// Removes the history and the settled ledger rows of alerts that closed before this time, of at most so many
    /// alerts; answers how many rows. The alerts themselves stay, and their history goes on with the next number.
    pub async fn prune_history(&self, closed_before: Timestamp, alerts: usize) -> Result<u64, StoreError> {
        let mut session = self.write("old history").await?;
        let select = format!(
            "SELECT fingerprint FROM alerts WHERE status = 'closed' AND opened_at < ? AND closed_at < ? AND EXISTS \
             (SELECT 1 FROM history WHERE history.alert = {} AND history.at < ?) LIMIT ?",
            self.dialect().alert_key()
        );
        let before: Value = closed_before.into();
        let values = vec![before.clone(), before.clone(), before.clone(), count(alerts)];
        let fingerprints = keys(&mut session, Statement::kept(select), values).await?;
        let mut removed = 0;
        for fingerprints in fingerprints.chunks(AT_ONCE) {
            let alerts = self.dialect().alerts(fingerprints.len());
            // Whatever is newer belongs to an alert that has opened again just now.
            let history = format!("DELETE FROM history WHERE alert IN ({alerts}) AND at < ?");
            let values = [fingerprints, std::slice::from_ref(&before)].concat();
            removed += session.execute(Statement::once(history), values).await?;
            let ledger = format!("DELETE FROM ledger WHERE alert IN ({alerts}) AND settled = 1");
            removed += session
                .execute(Statement::once(ledger), fingerprints.to_vec())
                .await?;
        }
        session.commit().await?;
        Ok(removed)
    }
}

async fn keys(
    session: &mut Session,
    select: impl Into<Statement>,
    values: Vec<Value>,
) -> Result<Vec<Value>, StoreError> {
    let rows = session.fetch(select, values).await?;
    let keys = rows.iter().map(|row| {
        Ok(Reader {
            row,
            what: session.what(),
        }
        .text(0)?
        .into())
    });
    keys.collect()
}
