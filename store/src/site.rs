//! The configuration.

use std::collections::BTreeMap;

use crate::connection::{Statement, list, row};
use crate::values::{Reader, Value, count, hash};
use crate::{Store, StoreError, StoredSite};

const WHAT: &str = "the configuration";

impl Store {
    /// The configuration.
    pub async fn site(&self) -> Result<StoredSite, StoreError> {
        let mut session = self.read(WHAT).await?;
        // One statement, so that the entries are those of the revision.
        let select = "SELECT site_revision.revision, site_revision.published_revision, site.entry_key, site.document \
                      FROM site_revision LEFT JOIN site ON site_revision.id = 1";
        let mut stored = StoredSite::default();
        for row in &session.fetch(select, Vec::new()).await? {
            let reader = Reader { row, what: WHAT };
            stored.revision = reader.number(0)?;
            stored.published = reader.integer(0)? == reader.integer(1)?;
            if let (Some(key), Some(document)) = (reader.optional_text(2)?, reader.optional_text(3)?) {
                stored.entries.insert(key.to_owned(), document.to_owned());
            }
        }
        Ok(stored)
    }

    /// Changes the configuration: sets these entries, removes these keys. Answers the new revision.
    pub async fn change_site(
        &self,
        expected: u64,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<u64, StoreError> {
        let mut session = self.write(WHAT).await?;
        let advance = "UPDATE site_revision SET revision = revision + 1 WHERE id = 1 AND revision = ?";
        if session.execute(advance, vec![count(expected)]).await? == 0 {
            let rows = session
                .fetch("SELECT revision FROM site_revision WHERE id = 1", Vec::new())
                .await?;
            let row = rows
                .first()
                .ok_or_else(|| StoreError::corrupt(WHAT, "its revision is not there"))?;
            return Err(StoreError::Conflict {
                expected,
                found: Reader { row, what: WHAT }.number(0)?,
            });
        }
        for keys in remove.chunks(500) {
            let text = format!("DELETE FROM site WHERE key_hash IN ({})", list(keys.len()));
            session
                .execute(Statement::once(text), keys.iter().map(|key| hash(key)).collect())
                .await?;
        }
        let entry = |(key, document): (&String, &String)| -> Vec<Value> {
            vec![hash(key), key.as_str().into(), document.as_str().into()]
        };
        let end = self.dialect().or_replace("key_hash", &["document"]);
        session
            .insert(
                "site (key_hash, entry_key, document)",
                &row(3),
                set.iter().map(entry).collect(),
                &end,
            )
            .await?;
        session.commit().await?;
        Ok(expected + 1)
    }

    /// This revision is on the `config` topic.
    pub async fn site_published(&self, revision: u64) -> Result<(), StoreError> {
        let mut session = self.write(WHAT).await?;
        let statement =
            "UPDATE site_revision SET published_revision = ? WHERE id = 1 AND published_revision < ?";
        session
            .execute(statement, vec![count(revision), count(revision)])
            .await?;
        session.commit().await
    }
}
