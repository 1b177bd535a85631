//! Rows that this version cannot read: they stay in their table, are left out of what is asked for, and are on record.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pipeline::{Health, Metrics};
use prometheus::{IntGaugeVec, Opts};

use crate::{Store, StoreError};

/// The most rows that are kept in mind by name.
const ROWS_NAMED_MAX: usize = 1000;

/// The unreadable rows that were met; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Unreadable(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The error, by table and key.
    rows: Mutex<BTreeMap<(&'static str, String), String>>,
    reporter: OnceLock<Reporter>,
}

/// Where an operator sees them.
struct Reporter {
    health: Health,
    rows: IntGaugeVec,
}

impl Store {
    /// Names rows that cannot be read in `/readyz` and counts them in a metric, from now on. A second call, also by
    /// another clone of the store, changes nothing.
    pub fn report_to(&self, health: &Health, metrics: &Metrics) {
        let unreadable = self.unreadable();
        let mut is_new = false;
        let reporter = unreadable.0.reporter.get_or_init(|| {
            is_new = true;
            Reporter {
                health: health.clone(),
                rows: metrics.register(IntGaugeVec::new(
                    Opts::new(
                        "reveille_store_unreadable_rows",
                        "Rows that this version cannot read and leaves out, by table.",
                    ),
                    &["table"],
                )),
            }
        });
        if is_new {
            for ((table, key), error) in &*unreadable.rows() {
                reporter.found(table, key, error);
            }
        }
    }

    /// The rows that could not be read so far, each with the error.
    pub fn unreadable_rows(&self) -> Vec<(String, String)> {
        let rows = self.unreadable().rows();
        rows.iter()
            .map(|((table, key), error)| (subject(table, key), error.clone()))
            .collect()
    }
}

impl Unreadable {
    /// The value, or nothing if its row cannot be read; what else went wrong stays an error.
    pub(crate) fn skip<T>(
        &self,
        table: &'static str,
        key: impl ToString,
        read: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Corrupt { error, .. }) => {
                self.found(table, key.to_string(), error);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    fn found(&self, table: &'static str, key: String, error: String) {
        let mut rows = self.rows();
        let place = (table, key);
        if rows.contains_key(&place) || rows.len() >= ROWS_NAMED_MAX {
            return;
        }
        tracing::error!(
            table,
            key = place.1,
            error,
            "a row cannot be read and is left out"
        );
        if let Some(reporter) = self.0.reporter.get() {
            reporter.found(table, &place.1, &error);
        }
        rows.insert(place, error);
    }

    /// The row could be read: it was put right.
    pub(crate) fn readable(&self, table: &'static str, key: impl ToString) {
        let mut rows = self.rows();
        if rows.is_empty() {
            return;
        }
        let place = (table, key.to_string());
        if rows.remove(&place).is_some()
            && let Some(reporter) = self.0.reporter.get()
        {
            reporter.health.clear(&subject(table, &place.1));
            reporter.rows.with_label_values(&[table]).dec();
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<(&'static str, String), String>> {
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter {
    fn found(&self, table: &str, key: &str, error: &str) {
        self.health.warn(
            &subject(table, key),
            &format!("cannot be read and is left out: {error}"),
        );
        self.rows.with_label_values(&[table]).inc();
    }
}

fn subject(table: &str, key: &str) -> String {
    format!("{table} {key}")
}
