//! What clients of Opsgenie's API keep here: saved searches, attachments, and what came of their requests.

use jiff::Timestamp;
use schemas::Fingerprint;
use uuid::Uuid;

use crate::connection::{Session, Statement, list, row};
use crate::dialect::Dialect;
use crate::values::{Reader, Value, count, hash};
use crate::{Attachment, Commit, RequestOutcome, Store, StoreError};

const SEARCHES: &str = "the saved searches";

/// Records what came of requests. A batch may be repeated, and says the same again.
pub(crate) async fn put_outcomes(session: &mut Session, commit: &Commit) -> Result<(), StoreError> {
    let values = |outcome: &RequestOutcome| -> Vec<Value> {
        let id = outcome.event_id.to_string();
        vec![id.into(), outcome.at.into(), outcome.outcome.as_str().into()]
    };
    let end = session.dialect().or_replace("event_id", &["at", "outcome"]);
    let into = "request_outcomes (event_id, at, outcome)";
    let rows = commit.outcomes.iter().map(values).collect();
    session.insert(into, &row(3), rows, &end).await
}

impl Store {
    /// What came of a request, if nothing of it is in the history of an alert and it was not forgotten.
    pub async fn request_outcome(&self, event_id: Uuid) -> Result<Option<RequestOutcome>, StoreError> {
        let mut session = self.read(format!("the outcome of request {event_id}")).await?;
        let select = "SELECT at, outcome FROM request_outcomes WHERE event_id = ?";
        let rows = session.fetch(select, vec![event_id.to_string().into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let what = session.what();
        let reader = Reader { row, what };
        Ok(Some(RequestOutcome {
            event_id,
            at: reader.time(0)?,
            outcome: reader.text(1)?.to_owned(),
        }))
    }

    /// Forgets outcomes from before this time, at most so many; answers how many.
    pub async fn prune_outcomes(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut session = self.read("old outcomes of requests").await?;
        let select = "SELECT event_id FROM request_outcomes WHERE at < ? ORDER BY at LIMIT ?";
        let rows = session.fetch(select, vec![before.into(), count(limit)]).await?;
        let what = session.what().to_owned();
        let ids = rows
            .iter()
            .map(|row| Reader { row, what: &what }.text(0).map(Value::from));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        drop(session);
        if ids.is_empty() {
            return Ok(0);
        }
        let mut session = self.write("old outcomes of requests").await?;
        let delete = format!(
            "DELETE FROM request_outcomes WHERE event_id IN ({})",
            list(ids.len())
        );
        let removed = session.execute(Statement::once(delete), ids).await?;
        session.commit().await?;
        Ok(removed)
    }

    /// The saved searches of an integration, JSON text, in no order.
    pub async fn saved_searches(&self, integration: &str) -> Result<Vec<String>, StoreError> {
        let mut session = self.read(SEARCHES).await?;
        let select = "SELECT document FROM saved_searches WHERE integration_hash = ?";
        let rows = session.fetch(select, vec![hash(integration)]).await?;
        let text = |row| Reader { row, what: SEARCHES }.text(0).map(str::to_owned);
        rows.iter().map(text).collect()
    }

    /// Keeps a saved search in place of the one with this id, if there is one. Answers false, and keeps nothing, when another
    /// one of the integration has the name, or when there would be more than `most`.
    pub async fn put_saved_search(
        &self,
        integration: &str,
        id: Uuid,
        name: &str,
        document: &str,
        most: usize,
    ) -> Result<bool, StoreError> {
        let mut session = self.write(SEARCHES).await?;
        let key = id.to_string();
        session
            .execute(
                "DELETE FROM saved_searches WHERE integration_hash = ? AND id = ?",
                vec![hash(integration), key.as_str().into()],
            )
            .await?;
        let select = "SELECT name_hash FROM saved_searches WHERE integration_hash = ?";
        let rows = session.fetch(select, vec![hash(integration)]).await?;
        let names = rows.iter().map(|row| Reader { row, what: SEARCHES }.text(0));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let taken = matches!(hash(name), Value::Text(wanted) if names.contains(&wanted.as_str()));
        if names.len() >= most || taken {
            return Ok(false);
        }
        let into = "saved_searches (integration_hash, name_hash, id, document)";
        let values = vec![hash(integration), hash(name), key.into(), document.into()];
        session.insert(into, &row(4), vec![values], "").await?;
        session.commit().await?;
        Ok(true)
    }

    /// Removes a saved search; answers whether there was one.
    pub async fn remove_saved_search(&self, integration: &str, id: Uuid) -> Result<bool, StoreError> {
        let mut session = self.write(SEARCHES).await?;
        let delete = "DELETE FROM saved_searches WHERE integration_hash = ? AND id = ?";
        let removed = session
            .execute(delete, vec![hash(integration), id.to_string().into()])
            .await?;
        session.commit().await?;
        Ok(removed > 0)
    }

    /// The attachments of an alert without their contents, oldest first.
    pub async fn attachments(&self, fingerprint: Fingerprint) -> Result<Vec<Attachment>, StoreError> {
        let mut session = self
            .read(format!("the attachments of alert {fingerprint}"))
            .await?;
        let select = "SELECT id, bytes, name FROM attachments WHERE fingerprint = ? ORDER BY id";
        let rows = session.fetch(select, vec![fingerprint.into()]).await?;
        let what = session.what();
        let attachment = |row| attachment(&Reader { row, what });
        rows.iter().map(attachment).collect()
    }

    /// The bytes of all attachments of an integration.
    pub async fn attached_bytes(&self, integration: &str) -> Result<u64, StoreError> {
        let mut session = self.read("the size of attachments").await?;
        let sum = match session.dialect() {
            Dialect::Sqlite => "COALESCE(SUM(bytes), 0)",
            Dialect::MariaDb => "CAST(COALESCE(SUM(bytes), 0) AS SIGNED)",
        };
        let select = format!("SELECT {sum} FROM attachments WHERE integration_hash = ?");
        let rows = session
            .fetch(Statement::kept(select), vec![hash(integration)])
            .await?;
        let what = session.what();
        rows.first().map_or(Ok(0), |row| Reader { row, what }.number(0))
    }

    /// Keeps an attachment, whose content is base64. Its id is `id`, or the first number above those of the alert's others.
    pub async fn add_attachment(
        &self,
        fingerprint: Fingerprint,
        integration: &str,
        attachment: &Attachment,
        content: &str,
    ) -> Result<i64, StoreError> {
        let what = format!("an attachment of alert {fingerprint}");
        let mut session = self.write(what).await?;
        let select = "SELECT COALESCE(MAX(id), 0) FROM attachments WHERE fingerprint = ?";
        let rows = session.fetch(select, vec![fingerprint.into()]).await?;
        let what = session.what();
        let greatest = rows
            .first()
            .map_or(Ok(0), |row| Reader { row, what }.integer(0))?;
        let id = attachment.id.max(greatest.saturating_add(1));
        let values = vec![
            fingerprint.into(),
            id.into(),
            hash(integration),
            count(attachment.bytes),
            attachment.name.as_str().into(),
            content.into(),
        ];
        let into = "attachments (fingerprint, id, integration_hash, bytes, name, content)";
        session.insert(into, &row(6), vec![values], "").await?;
        session.commit().await?;
        Ok(id)
    }

    /// An attachment and its content in base64.
    pub async fn attachment(
        &self,
        fingerprint: Fingerprint,
        id: i64,
    ) -> Result<Option<(Attachment, String)>, StoreError> {
        let mut session = self
            .read(format!("attachment {id} of alert {fingerprint}"))
            .await?;
        let select = "SELECT id, bytes, name, content FROM attachments WHERE fingerprint = ? AND id = ?";
        let rows = session.fetch(select, vec![fingerprint.into(), id.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let what = session.what();
        let reader = Reader { row, what };
        Ok(Some((attachment(&reader)?, reader.text(3)?.to_owned())))
    }

    /// Removes an attachment; answers whether there was one.
    pub async fn remove_attachment(&self, fingerprint: Fingerprint, id: i64) -> Result<bool, StoreError> {
        let mut session = self
            .write(format!("attachment {id} of alert {fingerprint}"))
            .await?;
        let delete = "DELETE FROM attachments WHERE fingerprint = ? AND id = ?";
        let removed = session
            .execute(delete, vec![fingerprint.into(), id.into()])
            .await?;
        session.commit().await?;
        Ok(removed > 0)
    }
}

fn attachment(reader: &Reader<'_>) -> Result<Attachment, StoreError> {
    Ok(Attachment {
        id: reader.integer(0)?,
        bytes: reader.number(1)?,
        name: reader.text(2)?.to_owned(),
    })
}
