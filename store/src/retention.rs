//! Forgetting what is old.

use jiff::Timestamp;
use schemas::Fingerprint;

use crate::connection::{Session, Statement, list};
use crate::values::{Reader, Value, count};
use crate::{Store, StoreError};

/// The most rows or alerts that go in one transaction: others wait for it.
const AT_ONCE: usize = 100;

/// A step of a walk through the alerts that closed long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// Rows that were removed.
    pub rows: u64,
    /// Where the walk goes on; `None` at its end.
    pub next: Option<(Timestamp, Fingerprint)>,
}

impl Store {
    /// Removes finished deliveries of notifications that were decided before this time, at most so many; answers how
    /// many. What was delivered of an alert that is still open stays, as later messages refer to it.
    pub async fn prune(&self, older_than: Timestamp, limit: usize) -> Result<u64, StoreError> {
        // Looked for without the lock of a writer: finished deliveries stay finished.
        let mut session = self.read("old deliveries").await?;
        let select = "SELECT deliveries.notification_id FROM deliveries \
                      WHERE deliveries.created_at < ? AND deliveries.unfinished = 0 AND NOT EXISTS \
                      (SELECT 1 FROM alerts WHERE alerts.fingerprint = deliveries.fingerprint AND alerts.status = 'open') \
                      ORDER BY deliveries.created_at LIMIT ?";
        let ids = keys(&mut session, select, vec![older_than.into(), count(limit)]).await?;
        drop(session);
        let mut removed = 0;
        for ids in ids.chunks(AT_ONCE) {
            let mut session = self.write("old deliveries").await?;
            let text = format!(
                "DELETE FROM deliveries WHERE notification_id IN ({}) AND unfinished = 0",
                list(ids.len())
            );
            removed += session.execute(Statement::once(text), ids.to_vec()).await?;
            session.commit().await?;
        }
        Ok(removed)
    }

    /// Removes alerts that closed before this time and wait for nothing, with their history and ledger: at most so many,
    /// what closed first before the others. Answers how many. Whatever is heard of one of them later is a new alert.
    pub async fn remove_closed(&self, closed_before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut session = self.read("alerts that closed long ago").await?;
        let settled = format!(
            "status = 'closed' AND closed_at IS NOT NULL AND closed_at < ? AND due_at IS NULL AND NOT EXISTS \
             (SELECT 1 FROM ledger WHERE ledger.alert = {} AND ledger.settled = 0)",
            self.dialect().alert_key()
        );
        let select = format!(
            "SELECT fingerprint FROM alerts {} WHERE {settled} ORDER BY closed_at, fingerprint LIMIT ?",
            self.dialect().by_index("alerts_by_closing")
        );
        let before: Value = closed_before.into();
        let fingerprints = keys(
            &mut session,
            Statement::kept(select),
            vec![before.clone(), count(limit)],
        )
        .await?;
        drop(session);
        let mut removed = 0;
        for fingerprints in fingerprints.chunks(AT_ONCE) {
            removed += self.remove_alerts(fingerprints, &settled, &before).await?;
        }
        Ok(removed)
    }

    /// Those of these alerts that are still so, as one of them may have opened again just now.
    async fn remove_alerts(
        &self,
        fingerprints: &[Value],
        settled: &str,
        before: &Value,
    ) -> Result<u64, StoreError> {
        let mut session = self.write("alerts that closed long ago").await?;
        let select = format!(
            "SELECT fingerprint FROM alerts WHERE fingerprint IN ({}) AND {settled}{}",
            list(fingerprints.len()),
            self.dialect().for_update()
        );
        let values = [fingerprints, std::slice::from_ref(before)].concat();
        let still = keys(&mut session, Statement::once(select), values).await?;
        let mut removed = 0;
        if !still.is_empty() {
            let alerts = self.dialect().alerts(still.len());
            for table in ["history", "ledger", "last_seen"] {
                let text = format!("DELETE FROM {table} WHERE alert IN ({alerts})");
                session.execute(Statement::once(text), still.clone()).await?;
            }
            let text = format!(
                "DELETE FROM attachments WHERE fingerprint IN ({})",
                list(still.len())
            );
            session.execute(Statement::once(text), still.clone()).await?;
            let text = format!("DELETE FROM alerts WHERE fingerprint IN ({})", list(still.len()));
            removed = session.execute(Statement::once(text), still).await?;
        }
        session.commit().await?;
        Ok(removed)
    }

    /// Removes the history and the settled ledger rows of alerts that closed before this time: looks at so many alerts
    /// after a place, in the order in which they closed. The alerts themselves stay, and their history goes on with the
    /// next number.
    pub async fn prune_history(
        &self,
        closed_before: Timestamp,
        after: Option<(Timestamp, Fingerprint)>,
        alerts: usize,
    ) -> Result<Pruned, StoreError> {
        let mut session = self.read("old history").await?;
        let select = format!(
            "SELECT closed_at, fingerprint, EXISTS \
             (SELECT 1 FROM history WHERE history.alert = {} AND history.at < ?) FROM alerts {} \
             WHERE status = 'closed' AND closed_at IS NOT NULL AND closed_at < ? AND closed_at >= ? \
             AND (closed_at > ? OR fingerprint > ?) ORDER BY closed_at, fingerprint LIMIT ?",
            self.dialect().alert_key(),
            self.dialect().by_index("alerts_by_closing"),
        );
        let before: Value = closed_before.into();
        let place = after.map_or(Timestamp::MIN, |(at, _)| at);
        let fingerprint = after.map_or_else(String::new, |(_, fingerprint)| fingerprint.to_string());
        let values = vec![
            before.clone(),
            before.clone(),
            place.into(),
            place.into(),
            fingerprint.into(),
            count(alerts),
        ];
        let rows = session.fetch(Statement::kept(select), values).await?;
        let (mut old, mut next) = (Vec::new(), None);
        for row in &rows {
            let reader = Reader {
                row,
                what: session.what(),
            };
            let fingerprint = reader.fingerprint(1)?;
            next = Some((reader.time(0)?, fingerprint));
            if reader.integer(2)? != 0 {
                old.push(fingerprint.into());
            }
        }
        drop(session);
        Ok(Pruned {
            rows: self.remove_history(&old, &before).await?,
            next: next.filter(|_| rows.len() == alerts),
        })
    }

    async fn remove_history(&self, fingerprints: &[Value], before: &Value) -> Result<u64, StoreError> {
        let mut removed = 0;
        for fingerprints in fingerprints.chunks(AT_ONCE) {
            let mut session = self.write("old history").await?;
            let alerts = self.dialect().alerts(fingerprints.len());
            // Whatever is newer belongs to an alert that has opened again just now.
            let history = format!("DELETE FROM history WHERE alert IN ({alerts}) AND at < ?");
            let values = [fingerprints, std::slice::from_ref(before)].concat();
            removed += session.execute(Statement::once(history), values).await?;
            let ledger = format!("DELETE FROM ledger WHERE alert IN ({alerts}) AND settled = 1");
            removed += session
                .execute(Statement::once(ledger), fingerprints.to_vec())
                .await?;
            session.commit().await?;
        }
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
