//! When the source of an alert was last heard of, written apart from the alert's state.

use domain::LastSeen;
use schemas::Fingerprint;

use crate::StoreError;
use crate::connection::Session;
use crate::dialect::Dialect;
use crate::values::{Reader, Value, document};

/// The column of a `SELECT` that [`join`] gives.
pub(crate) const COLUMN: &str = "last_seen.document";

/// What joins it to `alerts`.
pub(crate) fn join(dialect: Dialect) -> String {
    format!("LEFT JOIN last_seen ON last_seen.alert = {}", dialect.alert_key())
}

/// Reads it, if there is any.
pub(crate) fn read(reader: &Reader<'_>, column: usize) -> Result<Option<LastSeen>, StoreError> {
    match reader.optional_text(column)? {
        Some(_) => reader.document(column).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn row((fingerprint, seen): &(Fingerprint, LastSeen)) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        (*fingerprint).into(),
        document("the time of a last event", seen)?,
    ])
}

pub(crate) async fn put(session: &mut Session, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
    let dialect = session.dialect();
    let row = format!("({}, ?)", dialect.alert());
    let end = dialect.or_replace("alert", &["document"]);
    session
        .insert("last_seen (alert, document)", &row, rows, &end)
        .await
}
