//! What can go wrong, and which of it waiting may cure.

use sqlx::mysql::MySqlDatabaseError;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or did not answer in time; waiting and trying again may help. Whether a commit
    /// that ends so was done is not known: claim the partition again and go on from its positions.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Somebody else has claimed the partition since.
    #[error("partition {0} belongs to somebody else now")]
    Fenced(u32),
    /// The configuration was changed by somebody else meanwhile.
    #[error("the configuration is at revision {found}, not {expected}: read it again and repeat the change")]
    #[allow(missing_docs)]
    Conflict { expected: u64, found: u64 },
    /// What is stored cannot be read, or what is to be stored contradicts it; trying again does not help.
    #[error("stored data of {what} cannot be used: {error}")]
    #[allow(missing_docs)]
    Corrupt { what: String, error: String },
    /// What was asked cannot be understood; names the field and the remedy.
    #[error("{0}")]
    Invalid(String),
}

impl StoreError {
    pub(crate) fn corrupt(what: impl Into<String>, error: impl ToString) -> Self {
        StoreError::Corrupt {
            what: what.into(),
            error: error.to_string(),
        }
    }

    /// What an error of the driver means, with what was being done.
    pub(crate) fn of(what: &str, error: sqlx::Error) -> Self {
        if is_damaged_file(&error) {
            let remedy = "the file of the database is damaged: stop the process, and put the file back from a backup or save \
                          what is good of it with sqlite3's .recover";
            StoreError::corrupt(what, format!("{error}; {remedy}"))
        } else if cannot_be_cured(&error) {
            StoreError::corrupt(what, error)
        } else {
            StoreError::Unavailable(format!("{what}: {error}"))
        }
    }

    pub(crate) fn too_slow(what: &str, limit: std::time::Duration) -> Self {
        StoreError::Unavailable(format!("{what}: no answer within {} s", limit.as_secs()))
    }
}

/// SQLite finds that its file is not as it was written.
fn is_damaged_file(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    let is_sqlite = error.try_downcast_ref::<MySqlDatabaseError>().is_none();
    is_sqlite
        && error
            .code()
            .is_some_and(|code| [CORRUPT, NOT_A_DATABASE].contains(&plain_code(&code)))
}

/// Only what lies in the data itself cannot be cured by waiting. All the rest, wrong passwords and missing tables
/// too, may be put right by somebody while the stage waits.
fn cannot_be_cured(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::AnyDriverError(_)
        | sqlx::Error::RowNotFound => true,
        sqlx::Error::Database(error) => match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => mariadb_data_error(error),
            None => error.code().is_some_and(|code| sqlite_data_error(&code)),
        },
        _ => false,
    }
}

fn mariadb_data_error(error: &MySqlDatabaseError) -> bool {
    /// A statement is larger than the server's `max_allowed_packet`.
    const PACKET_TOO_LARGE: u16 = 1153;
    // Classes of SQLSTATE: data exception, integrity constraint violation.
    let class = error.code().unwrap_or_default();
    class.starts_with("22") || class.starts_with("23") || error.number() == PACKET_TOO_LARGE
}

// Result codes of SQLite (<https://www.sqlite.org/rescode.html>).
const CORRUPT: i32 = 11;
const NOT_A_DATABASE: i32 = 26;

fn sqlite_data_error(code: &str) -> bool {
    const TOO_BIG: i32 = 18;
    const CONSTRAINT: i32 = 19;
    const MISMATCH: i32 = 20;
    [CORRUPT, TOO_BIG, CONSTRAINT, MISMATCH, NOT_A_DATABASE].contains(&plain_code(code))
}

/// The low byte of an extended code.
fn plain_code(code: &str) -> i32 {
    code.parse::<i32>().unwrap_or_default() & 0xff
}
