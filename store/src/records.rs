//! One alert and what is on record about it.

use jiff::Timestamp;
use schemas::{Alert, Fingerprint, HistoryEntry, LedgerEntry};
use serde::Deserialize;

use crate::connection::Statement;
use crate::values::{Reader, count};
use crate::{Page, Store, StoreError, last_seen};

/// The part of a stored state that everybody may see, and until when what the source said holds.
#[derive(Deserialize)]
pub(crate) struct Shown {
    pub(crate) alert: Alert,
    pub(crate) expiry: Option<End>,
    #[serde(default)]
    writes: u64,
}

#[derive(Deserialize)]
pub(crate) struct End {
    pub(crate) expires_at: Timestamp,
}

impl Shown {
    /// Reads a document and, in the column after it, when the source was last heard of.
    pub(crate) fn read(reader: &Reader<'_>, column: usize) -> Result<Self, StoreError> {
        let mut shown: Self = reader.document(column)?;
        let seen = last_seen::read(reader, column + 1)?;
        if let Some(seen) = seen.filter(|seen| seen.writes == shown.writes) {
            shown.alert.last_event_at = seen.last_event_at;
            if let (Some(end), Some(expires_at)) = (&mut shown.expiry, seen.expires_at) {
                end.expires_at = expires_at;
            }
        }
        Ok(shown)
    }
}

impl Store {
    /// One alert.
    pub async fn alert(&self, fingerprint: Fingerprint) -> Result<Option<Alert>, StoreError> {
        let mut session = self.read(format!("alert {fingerprint}")).await?;
        let select = format!(
            "SELECT alerts.document, {} FROM alerts {} WHERE alerts.fingerprint = ?",
            last_seen::COLUMN,
            last_seen::join(self.dialect())
        );
        let rows = session
            .fetch(Statement::kept(select), vec![fingerprint.into()])
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let reader = Reader {
            row,
            what: session.what(),
        };
        Ok(Some(Shown::read(&reader, 0)?.alert))
    }

    /// A page of an alert's history, newest first.
    pub async fn history(
        &self,
        fingerprint: Fingerprint,
        limit: usize,
        cursor: Option<u64>,
    ) -> Result<Page<HistoryEntry>, StoreError> {
        let mut session = self.read(format!("the history of alert {fingerprint}")).await?;
        let select = format!(
            "SELECT document, sequence FROM history WHERE alert = {} AND sequence < ? ORDER BY sequence DESC LIMIT ?",
            self.dialect().alert()
        );
        let before = count(cursor.unwrap_or(u64::MAX));
        let rows = session
            .fetch(
                Statement::kept(select),
                vec![fingerprint.into(), before, count(limit.saturating_add(1))],
            )
            .await?;
        let (mut entries, mut last) = (Vec::with_capacity(rows.len()), None);
        for row in rows.iter().take(limit) {
            let reader = Reader {
                row,
                what: session.what(),
            };
            let sequence: u64 = reader.number(1)?;
            let key = format!("{sequence} of alert {fingerprint}");
            entries.extend(self.unreadable().skip("history", key, reader.document(0))?);
            last = Some(sequence);
        }
        let next_cursor = last.filter(|_| rows.len() > limit).map(|last| last.to_string());
        Ok(Page {
            rows: entries,
            next_cursor,
        })
    }

    /// All ledger rows of an alert, newest first.
    pub async fn ledger(&self, fingerprint: Fingerprint) -> Result<Vec<LedgerEntry>, StoreError> {
        let mut session = self.read(format!("the ledger of alert {fingerprint}")).await?;
        let select = format!(
            "SELECT document FROM ledger WHERE alert = {}",
            self.dialect().alert()
        );
        let rows = session
            .fetch(Statement::kept(select), vec![fingerprint.into()])
            .await?;
        let mut entries: Vec<LedgerEntry> = Vec::with_capacity(rows.len());
        for row in &rows {
            let reader = Reader {
                row,
                what: session.what(),
            };
            entries.extend(
                self.unreadable()
                    .skip("ledger", fingerprint, reader.document(0))?,
            );
        }
        entries.sort_by(|one, other| {
            let newest_first = (other.episode, other.opened_at).cmp(&(one.episode, one.opened_at));
            newest_first.then_with(|| {
                (one.channel, &one.destination, &one.bot).cmp(&(
                    other.channel,
                    &other.destination,
                    &other.bot,
                ))
            })
        });
        Ok(entries)
    }
}
