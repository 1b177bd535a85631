//! Where MariaDB and SQLite differ.

use crate::connection::list;

/// Whose SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    MariaDb,
    Sqlite,
}

/// What is said to every new connection of SQLite that only reads. Its cache is small, as the file is in the
/// machine's page cache anyway.
pub(crate) const SQLITE_READER_GREETING: &str = "PRAGMA busy_timeout = 5000; PRAGMA cache_size = -2000";

impl Dialect {
    /// What begins a transaction that writes. SQLite takes the writer's lock at once: a transaction that has read
    /// before it writes would fail instead of waiting.
    pub(crate) const fn begin(self) -> &'static str {
        match self {
            Dialect::MariaDb => "BEGIN",
            Dialect::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// What is said to every new connection that may write.
    pub(crate) const fn greeting(self) -> &'static str {
        match self {
            // Strict, so that nothing is ever cut to fit. Whoever waits long for a lock tries again instead.
            Dialect::MariaDb => {
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
                 SET SESSION innodb_lock_wait_timeout = 10;
                 SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
            }
            // Checkpoints are rare, as neighbouring commits change the same pages.
            Dialect::Sqlite => {
                "PRAGMA busy_timeout = 5000;
                 PRAGMA page_size = 8192;
                 PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA foreign_keys = OFF;
                 PRAGMA wal_autocheckpoint = 5000;
                 PRAGMA cache_size = -16000"
            }
        }
    }

    /// Stands for the alert whose fingerprint is the parameter, in the tables of what belongs to it.
    pub(crate) const fn alert(self) -> &'static str {
        match self {
            Dialect::MariaDb => "?",
            Dialect::Sqlite => "(SELECT id FROM alerts WHERE fingerprint = ?)",
        }
    }

    /// Stands for the alerts whose fingerprints are so many parameters.
    pub(crate) fn alerts(self, number: usize) -> String {
        match self {
            Dialect::MariaDb => list(number),
            Dialect::Sqlite => format!("SELECT id FROM alerts WHERE fingerprint IN ({})", list(number)),
        }
    }

    /// The column of `alerts` that the tables of what belongs to an alert refer to.
    pub(crate) const fn alert_key(self) -> &'static str {
        match self {
            Dialect::MariaDb => "alerts.fingerprint",
            Dialect::Sqlite => "alerts.id",
        }
    }

    /// Makes a statement use this index of `alerts`, whatever the statistics say.
    pub(crate) fn by_index(self, index: &str) -> String {
        match self {
            Dialect::MariaDb => format!("FORCE INDEX ({index})"),
            Dialect::Sqlite => format!("INDEXED BY {index}"),
        }
    }

    /// The end of a `SELECT` whose rows no other transaction may write until the end of the transaction. In SQLite a transaction
    /// that writes is alone anyway.
    pub(crate) const fn for_update(self) -> &'static str {
        match self {
            Dialect::MariaDb => " FOR UPDATE",
            Dialect::Sqlite => "",
        }
    }

    /// A join that reads its left side first.
    pub(crate) const fn join_in_order(self) -> &'static str {
        match self {
            Dialect::MariaDb => "STRAIGHT_JOIN",
            Dialect::Sqlite => "CROSS JOIN",
        }
    }

    /// The end of an `INSERT` that replaces these columns of a row that is there already.
    pub(crate) fn or_replace(self, keys: &str, columns: &[&str]) -> String {
        let assignments: Vec<_> = columns
            .iter()
            .map(|column| match self {
                Dialect::MariaDb => format!("{column} = VALUES({column})"),
                Dialect::Sqlite => format!("{column} = excluded.{column}"),
            })
            .collect();
        match self {
            Dialect::MariaDb => format!(" ON DUPLICATE KEY UPDATE {}", assignments.join(", ")),
            Dialect::Sqlite => format!(" ON CONFLICT ({keys}) DO UPDATE SET {}", assignments.join(", ")),
        }
    }

    /// The end of an `INSERT` that leaves a row that is there already as it is.
    pub(crate) fn or_keep(self, key: &str) -> String {
        match self {
            Dialect::MariaDb => format!(" ON DUPLICATE KEY UPDATE {key} = {key}"),
            Dialect::Sqlite => format!(" ON CONFLICT ({key}) DO NOTHING"),
        }
    }
}
