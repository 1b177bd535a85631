//! The configuration and its revisions.
//!
//! Each version of an entry is a row with the revisions in which it holds, so a revision takes only the room of what it
//! changed, and the site of any revision that is kept is one query.

use std::collections::BTreeMap;

use crate::connection::{Session, Statement, list, row};
use crate::values::{Reader, Value, count, document, hash};
use crate::{NewRevision, Page, SiteRevision, Store, StoreError, StoredSite};

const WHAT: &str = "the configuration";
/// The end of what holds now.
const FOREVER: i64 = i64::MAX;
/// Keys in one statement.
const KEYS_AT_ONCE: usize = 500;

impl Store {
    /// The configuration.
    pub async fn site(&self) -> Result<StoredSite, StoreError> {
        let mut session = self.read(WHAT).await?;
        // One statement, so that the entries are those of the revision.
        let select = "SELECT site_revision.revision, site_revision.published_revision, site.entry_key, site.document \
                      FROM site_revision LEFT JOIN site ON site.until_revision = ? WHERE site_revision.id = 1";
        let mut stored = StoredSite::default();
        for row in &session.fetch(select, vec![FOREVER.into()]).await? {
            let reader = Reader { row, what: WHAT };
            stored.revision = reader.number(0)?;
            stored.published = reader.integer(0)? == reader.integer(1)?;
            stored.entries.extend(entry(&reader)?);
        }
        Ok(stored)
    }

    /// Changes the configuration. Answers the new revision.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] if the configuration is not at the expected revision any more; nothing is changed then.
    pub async fn change_site(&self, new: &NewRevision<'_>) -> Result<u64, StoreError> {
        let mut session = self.write(WHAT).await?;
        let advance = "UPDATE site_revision SET revision = revision + 1 WHERE id = 1 AND revision = ?";
        if session.execute(advance, vec![count(new.expected)]).await? == 0 {
            return Err(conflict(&mut session, new.expected).await?);
        }
        let revision = new.expected + 1;
        let changed: Vec<_> = new.set.keys().chain(new.remove).collect();
        for keys in changed.chunks(KEYS_AT_ONCE) {
            let text = format!(
                "UPDATE site SET until_revision = ? WHERE until_revision = ? AND key_hash IN ({})",
                list(keys.len())
            );
            let bounds = [count(revision), FOREVER.into()];
            let values = bounds.into_iter().chain(keys.iter().map(|key| hash(key)));
            session.execute(Statement::once(text), values.collect()).await?;
        }
        let version = |(key, document): (&String, &String)| -> Vec<Value> {
            vec![
                hash(key),
                count(revision),
                FOREVER.into(),
                key.as_str().into(),
                document.as_str().into(),
            ]
        };
        let into = "site (key_hash, since_revision, until_revision, entry_key, document)";
        let versions = new.set.iter().map(version).collect();
        session.insert(into, &row(5), versions, "").await?;
        let made = vec![count(revision), new.at.into(), document(WHAT, new.by)?];
        let into = "site_revisions (revision, at, document)";
        session.insert(into, &row(3), vec![made], "").await?;
        forget_revisions(&mut session, revision, new.keep).await?;
        session.commit().await?;
        Ok(revision)
    }

    /// Who made which revision, newest first: at most so many, below a revision if one is given.
    pub async fn site_revisions(
        &self,
        limit: usize,
        below: Option<u64>,
    ) -> Result<Page<SiteRevision>, StoreError> {
        let mut session = self.read(WHAT).await?;
        let select = "SELECT revision, at, document FROM site_revisions WHERE revision < ? \
                      ORDER BY revision DESC LIMIT ?";
        let below = below.map_or(FOREVER.into(), count);
        let values = vec![below, count(limit.saturating_add(1))];
        let rows = session.fetch(select, values).await?;
        let revisions = rows.iter().take(limit).map(|row| {
            let reader = Reader { row, what: WHAT };
            revision(&reader)
        });
        let revisions = revisions.collect::<Result<Vec<_>, _>>()?;
        let last = revisions.last().filter(|_| rows.len() > limit);
        Ok(Page {
            next_cursor: last.map(|last| last.revision.to_string()),
            rows: revisions,
        })
    }

    /// A revision that is kept, and the entries that it had, by their key.
    pub async fn site_at(
        &self,
        wanted: u64,
    ) -> Result<Option<(SiteRevision, BTreeMap<String, String>)>, StoreError> {
        let mut session = self.read(WHAT).await?;
        let select = "SELECT site_revisions.revision, site_revisions.at, site.entry_key, site.document, \
                      site_revisions.document FROM site_revisions LEFT JOIN site \
                      ON site.since_revision <= site_revisions.revision \
                      AND site.until_revision > site_revisions.revision WHERE site_revisions.revision = ?";
        let rows = session.fetch(select, vec![count(wanted)]).await?;
        let mut entries = BTreeMap::new();
        for row in &rows {
            entries.extend(entry(&Reader { row, what: WHAT })?);
        }
        let Some(row) = rows.first() else { return Ok(None) };
        let reader = Reader { row, what: WHAT };
        let found = SiteRevision {
            revision: reader.number(0)?,
            at: reader.time(1)?,
            by: reader.document(4)?,
        };
        Ok(Some((found, entries)))
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

/// The key and the document of an entry in the third and fourth column, if there is one.
fn entry(reader: &Reader<'_>) -> Result<Option<(String, String)>, StoreError> {
    let (key, document) = (reader.optional_text(2)?, reader.optional_text(3)?);
    Ok(key
        .zip(document)
        .map(|(key, document)| (key.to_owned(), document.to_owned())))
}

fn revision(reader: &Reader<'_>) -> Result<SiteRevision, StoreError> {
    Ok(SiteRevision {
        revision: reader.number(0)?,
        at: reader.time(1)?,
        by: reader.document(2)?,
    })
}

async fn conflict(session: &mut Session, expected: u64) -> Result<StoreError, StoreError> {
    let select = "SELECT revision FROM site_revision WHERE id = 1";
    let rows = session.fetch(select, Vec::new()).await?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::corrupt(WHAT, "its revision is not there"))?;
    let found = Reader { row, what: WHAT }.number(0)?;
    Ok(StoreError::Conflict { expected, found })
}

/// Removes the revisions before the newest `keep`, and the versions that hold in none that is left.
async fn forget_revisions(session: &mut Session, newest: u64, keep: u32) -> Result<(), StoreError> {
    let oldest = (newest + 1).saturating_sub(keep.max(1).into());
    let delete = "DELETE FROM site_revisions WHERE revision < ?";
    session.execute(delete, vec![count(oldest)]).await?;
    let delete = "DELETE FROM site WHERE until_revision <= ?";
    session.execute(delete, vec![count(oldest)]).await?;
    Ok(())
}
