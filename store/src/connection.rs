//! Connections and transactions.

use std::sync::Once;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::pool::PoolConnection;
use sqlx::{
    Any, AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Connection, Row, SqlSafeStr, SqlStr,
    Transaction,
};
use tokio::time::timeout;

use crate::StoreError;
use crate::dialect::{Dialect, SQLITE_READER_GREETING};
use crate::pool::{Pool, Pooled};
use crate::unreadable::Unreadable;
use crate::values::Value;

/// Within this time a statement is answered, or the database counts as away.
const MARIADB_ANSWER: Duration = Duration::from_secs(30);
/// Writers of SQLite wait for each other, one transaction at a time.
const SQLITE_ACQUIRE: Duration = Duration::from_secs(30);
/// Readers of a store, or of a clone with readers of its own.
const SQLITE_READERS: u32 = 3;
/// The most bytes of a multi-row statement: below MariaDB's limit of a packet.
const STATEMENT_BYTES: usize = 4 << 20;
/// How many rows or values a statement may have, besides one. There are few sizes, so that every text is prepared once
/// for each connection: preparing one anew, and closing it, costs MariaDB's client more than the statement itself.
const SIZES: [usize; 16] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100, 150, 250, 500, 1000];
/// The most rows in one statement: below SQLite's limit of parameters.
const STATEMENT_ROWS: usize = 100;
/// All the texts of all sizes that one connection keeps prepared.
const MARIADB_STATEMENTS: &str = "256";

/// The store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    connections: Connections,
    dialect: Dialect,
    in_memory: bool,
    /// How the file of SQLite is opened.
    file: Option<AnyConnectOptions>,
    unreadable: Unreadable,
}

#[derive(Clone)]
enum Connections {
    Sqlite { writers: AnyPool, readers: AnyPool },
    MariaDb(Pool),
}

impl Store {
    /// Opens the store at `sqlite:///path/to/file` (made when it is not there) or `mysql://user:password@host:port/database`.
    /// Does not wait for a database that is away.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let invalid = |reason: &str| {
            let remedy = "use sqlite:///path/to/file or mysql://user:password@host:port/database";
            StoreError::Invalid(format!("the URL of the store {reason}: {remedy}"))
        };
        let mut options: AnyConnectOptions = url.parse().map_err(|_| invalid("is not understood"))?;
        match options.database_url.scheme() {
            "mysql" | "mariadb" => {
                let mut query = options.database_url.query_pairs_mut();
                query.append_pair("statement-cache-capacity", MARIADB_STATEMENTS);
                drop(query);
                Ok(Self::mariadb(options))
            }
            "sqlite" => {
                let given = options.database_url.query_pairs().any(|(name, _)| name == "mode");
                if !given {
                    options.database_url.query_pairs_mut().append_pair("mode", "rwc");
                }
                Ok(Self::sqlite(options))
            }
            _ => Err(invalid("begins with an unknown scheme")),
        }
    }

    /// A store in memory, that is gone with its last clone.
    ///
    /// It is for tests: tokio's paused clock stands still while a statement runs.
    pub async fn in_memory() -> Result<Self, StoreError> {
        let options = "sqlite::memory:"
            .parse()
            .map_err(|error| StoreError::of("the store in memory", error))?;
        let pool = sqlite_pool(options, 1, Dialect::Sqlite.greeting());
        let store = Self {
            connections: Connections::Sqlite {
                writers: pool.clone(),
                readers: pool,
            },
            dialect: Dialect::Sqlite,
            in_memory: true,
            file: None,
            unreadable: Unreadable::default(),
        };
        store.migrate().await?;
        Ok(store)
    }

    fn mariadb(options: AnyConnectOptions) -> Self {
        sqlx::any::install_default_drivers();
        let options = options.disable_statement_logging();
        Self {
            connections: Connections::MariaDb(Pool::new(options, Dialect::MariaDb.greeting())),
            dialect: Dialect::MariaDb,
            in_memory: false,
            file: None,
            unreadable: Unreadable::default(),
        }
    }

    fn sqlite(options: AnyConnectOptions) -> Self {
        Self {
            connections: Connections::Sqlite {
                writers: sqlite_pool(options.clone(), 1, Dialect::Sqlite.greeting()),
                readers: sqlite_pool(options.clone(), SQLITE_READERS, SQLITE_READER_GREETING),
            },
            dialect: Dialect::Sqlite,
            in_memory: false,
            file: Some(options),
            unreadable: Unreadable::default(),
        }
    }

    /// The same store for a stage whose reads must not wait for those of others: on SQLite with connections of its own
    /// for reading. On MariaDB the pool is large enough for all stages of a process.
    #[must_use]
    pub fn with_readers_of_its_own(&self) -> Self {
        let mut store = self.clone();
        if let (Some(options), Connections::Sqlite { readers, .. }) = (&self.file, &mut store.connections) {
            *readers = sqlite_pool(options.clone(), SQLITE_READERS, SQLITE_READER_GREETING);
        }
        store
    }

    /// What could not be read.
    pub(crate) const fn unreadable(&self) -> &Unreadable {
        &self.unreadable
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Looks through the file of SQLite for damage; does nothing on MariaDB, whose server does so itself.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] with the first damage that is found.
    pub async fn check(&self) -> Result<(), StoreError> {
        const WHAT: &str = "the database";
        let Some(options) = &self.file else {
            return Ok(());
        };
        let failed = |error| StoreError::of(WHAT, error);
        // Not one of a pool, which would try again and again to greet a file that is damaged.
        let mut connection = AnyConnection::connect_with(options).await.map_err(failed)?;
        let found = sqlx::query("PRAGMA quick_check(1)")
            .fetch_one(&mut connection)
            .await;
        let found: String = found.and_then(|row| row.try_get(0)).map_err(failed)?;
        connection.close().await.map_err(failed)?;
        if found == "ok" {
            Ok(())
        } else {
            Err(StoreError::corrupt(WHAT, found))
        }
    }

    /// A connection for reading `what`.
    pub(crate) async fn read(&self, what: impl Into<String>) -> Result<Session, StoreError> {
        let (hold, what) = (self.hold(), what.into());
        let work = match &self.connections {
            Connections::Sqlite { readers, .. } => readers.acquire().await.map(Work::Reading),
            Connections::MariaDb(pool) => pool.acquire().await.map(|connection| Work::MariaDb {
                connection,
                writes: false,
            }),
        };
        match work {
            Ok(work) => Ok(Session {
                work,
                dialect: self.dialect,
                what,
                _hold: hold,
            }),
            Err(error) => Err(StoreError::of(&what, error)),
        }
    }

    /// A transaction for writing `what`. Unless it is committed nothing of it is done.
    pub(crate) async fn write(&self, what: impl Into<String>) -> Result<Session, StoreError> {
        let (hold, what) = (self.hold(), what.into());
        let work = match &self.connections {
            Connections::Sqlite { writers, .. } => {
                let transaction = writers.begin_with(self.dialect.begin()).await;
                transaction
                    .map(Work::Writing)
                    .map_err(|error| StoreError::of(&what, error))?
            }
            Connections::MariaDb(pool) => Work::MariaDb {
                connection: pool
                    .acquire()
                    .await
                    .map_err(|error| StoreError::of(&what, error))?,
                writes: true,
            },
        };
        let mut session = Session {
            work,
            dialect: self.dialect,
            what,
            _hold: hold,
        };
        session.begin().await?;
        Ok(session)
    }

    /// A connection of its own, outside any transaction, that is closed afterwards.
    pub(crate) async fn detached(&self, what: &str) -> Result<AnyConnection, StoreError> {
        let connection = match &self.connections {
            Connections::Sqlite { writers, .. } => writers.acquire().await.map(PoolConnection::detach),
            Connections::MariaDb(pool) => pool.acquire().await.and_then(Pooled::detach),
        };
        connection.map_err(|error| StoreError::of(what, error))
    }

    fn hold(&self) -> Option<Hold> {
        self.in_memory.then(Hold::new)
    }
}

fn pool_options(greeting: &'static str) -> AnyPoolOptions {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
    AnyPoolOptions::new().after_connect(move |connection, _| {
        Box::pin(async move { sqlx::raw_sql(greeting).execute(connection).await.map(drop) })
    })
}

fn sqlite_pool(options: AnyConnectOptions, connections: u32, greeting: &'static str) -> AnyPool {
    pool_options(greeting)
        .max_connections(connections)
        .acquire_timeout(SQLITE_ACQUIRE)
        .test_before_acquire(false)
        // When a commit fails (a full disk, no file descriptors), SQLite has rolled back by itself, and the client goes on
        // believing that the transaction is open: it would refuse each further one. Such a connection is closed.
        .before_acquire(|connection, _| {
            Box::pin(async move { Ok(!Connection::is_in_transaction(connection)) })
        })
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options.disable_statement_logging())
}

/// While it lives, tokio's paused clock does not run ahead: it never does while a blocking task runs.
struct Hold(#[allow(dead_code, reason = "dropping it ends the blocking task")] std::sync::mpsc::Sender<()>);

impl Hold {
    fn new() -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || receiver.recv());
        Self(sender)
    }
}

/// The text of a statement, and whether its preparation is worth keeping.
pub(crate) struct Statement {
    text: SqlStr,
    kept: bool,
}

impl From<&'static str> for Statement {
    fn from(text: &'static str) -> Self {
        Self {
            text: text.into_sql_str(),
            kept: true,
        }
    }
}

impl Statement {
    /// One of few texts that come again and again.
    pub(crate) fn kept(text: String) -> Self {
        Self {
            text: AssertSqlSafe(text).into_sql_str(),
            kept: true,
        }
    }

    /// A text whose length depends on the data.
    pub(crate) fn once(text: String) -> Self {
        Self {
            text: AssertSqlSafe(text).into_sql_str(),
            kept: false,
        }
    }
}

/// A connection while it is used for one thing.
pub(crate) struct Session {
    work: Work,
    dialect: Dialect,
    what: String,
    _hold: Option<Hold>,
}

enum Work {
    Reading(PoolConnection<Any>),
    Writing(Transaction<'static, Any>),
    /// Whether in a transaction, which is begun and committed by statements.
    MariaDb {
        connection: Pooled,
        writes: bool,
    },
}

impl Session {
    /// What is being done, for messages.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Whose SQL is spoken.
    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Begins the transaction, where that is a statement of its own.
    async fn begin(&mut self) -> Result<(), StoreError> {
        if let Work::MariaDb { writes: true, .. } = &self.work {
            self.say(self.dialect.begin()).await?;
        }
        Ok(())
    }

    /// Does the statement; answers how many rows it touched.
    pub(crate) async fn execute(
        &mut self,
        statement: impl Into<Statement>,
        values: Vec<Value>,
    ) -> Result<u64, StoreError> {
        let limit = self.limit();
        let answer = bound(statement.into(), values).execute(self.connection()?);
        let result = within(limit, answer)
            .await
            .map_err(|error| error.into_store_error(&self.what))?;
        self.answered();
        Ok(result.rows_affected())
    }

    /// The rows of the statement.
    pub(crate) async fn fetch(
        &mut self,
        statement: impl Into<Statement>,
        values: Vec<Value>,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let limit = self.limit();
        let answer = bound(statement.into(), values).fetch_all(self.connection()?);
        let rows = within(limit, answer)
            .await
            .map_err(|error| error.into_store_error(&self.what))?;
        self.answered();
        Ok(rows)
    }

    /// Does a statement without values.
    async fn say(&mut self, statement: &'static str) -> Result<(), StoreError> {
        let limit = self.limit();
        let answer = sqlx::raw_sql(statement).execute(self.connection()?);
        within(limit, answer)
            .await
            .map(drop)
            .map_err(|error| error.into_store_error(&self.what))
    }

    /// A connection of MariaDB is good for others when nothing is under way on it, nor a transaction.
    fn answered(&mut self) {
        if let Work::MariaDb {
            connection,
            writes: false,
        } = &mut self.work
        {
            connection.end();
        }
    }

    /// Inserts rows, whose places are written as in `row`, in as few statements as their size allows.
    pub(crate) async fn insert(
        &mut self,
        into: &str,
        row: &str,
        rows: Vec<Vec<Value>>,
        end: &str,
    ) -> Result<(), StoreError> {
        let mut rows = rows.into_iter().peekable();
        while let Some(mut values) = rows.next() {
            let most = size_within(rows.len() + 1).min(STATEMENT_ROWS);
            let mut bytes: usize = values.iter().map(Value::size).sum();
            let mut count = 1;
            while let Some(row) = rows.next_if(|row| {
                bytes += row.iter().map(Value::size).sum::<usize>();
                count < most && bytes <= STATEMENT_BYTES
            }) {
                values.extend(row);
                count += 1;
            }
            let mut places = format!("{row},").repeat(count);
            places.pop();
            let text = format!("INSERT INTO {into} VALUES {places}{end}");
            let statement = if count == most {
                Statement::kept(text)
            } else {
                // Its rows are huge, so what it costs to prepare it does not count.
                Statement::once(text)
            };
            self.execute(statement, values).await?;
        }
        Ok(())
    }

    /// Makes what was written last.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        if let Work::MariaDb { writes: true, .. } = &self.work {
            self.say("COMMIT").await?;
        }
        match self.work {
            Work::Reading(_) => Ok(()),
            Work::Writing(transaction) => transaction
                .commit()
                .await
                .map_err(|error| StoreError::of(&self.what, error)),
            Work::MariaDb { mut connection, .. } => {
                connection.end();
                Ok(())
            }
        }
    }

    fn limit(&self) -> Option<Duration> {
        (self.dialect == Dialect::MariaDb).then_some(MARIADB_ANSWER)
    }

    /// The connection itself. Until [`Session::answered`] it is not good for anything else.
    pub(crate) fn connection(&mut self) -> Result<&mut AnyConnection, StoreError> {
        match &mut self.work {
            Work::Reading(connection) => Ok(connection),
            Work::Writing(transaction) => Ok(transaction),
            Work::MariaDb { connection, .. } => {
                let connection = connection.begin();
                connection.map_err(|error| StoreError::of(&self.what, error))
            }
        }
    }
}

type Query = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

fn bound(statement: Statement, values: Vec<Value>) -> Query {
    let query = sqlx::query(statement.text).persistent(statement.kept);
    values.into_iter().fold(query, |query, value| match value {
        Value::Integer(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
        Value::Null => query.bind(None::<String>),
    })
}

enum Unanswered {
    Late(Duration),
    Sql(sqlx::Error),
}

impl Unanswered {
    fn into_store_error(self, what: &str) -> StoreError {
        match self {
            Unanswered::Late(limit) => StoreError::too_slow(what, limit),
            Unanswered::Sql(error) => StoreError::of(what, error),
        }
    }
}

async fn within<T>(
    limit: Option<Duration>,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Unanswered> {
    match limit {
        Some(limit) => timeout(limit, answer)
            .await
            .map_err(|_| Unanswered::Late(limit))?
            .map_err(Unanswered::Sql),
        None => answer.await.map_err(Unanswered::Sql),
    }
}

/// `?,?,?`: places for so many values.
pub(crate) fn list(values: usize) -> String {
    let mut text = "?,".repeat(values);
    text.pop();
    text
}

/// The largest size of a statement that is not larger than this.
fn size_within(wanted: usize) -> usize {
    let smaller = SIZES.iter().rev().find(|size| **size <= wanted);
    smaller.copied().unwrap_or(1)
}

/// The values for an `IN (…)`, of a size that comes again: the last one stands there more than once, which changes
/// nothing.
pub(crate) fn padded<T: Clone>(mut values: Vec<T>) -> Vec<T> {
    if let Some(last) = values.last().cloned()
        && values.len() > 1
    {
        let size = SIZES.iter().find(|size| **size >= values.len());
        values.resize(size.copied().unwrap_or(values.len()), last);
    }
    values
}

/// `(?,?,?)`: a row of places for so many values.
pub(crate) fn row(values: usize) -> String {
    format!("({})", list(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn s8_a_damaged_file_is_found_and_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.sqlite");
        let store = Store::open(&format!("sqlite://{}", file.display()))
            .await
            .unwrap();
        let mut connection = AnyConnection::connect_with(store.file.as_ref().unwrap())
            .await
            .unwrap();
        let fill = "CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
                    SELECT i, hex(zeroblob(20)) AS content FROM n; CREATE INDEX numbers ON filler (i)";
        sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        store.check().await.unwrap();
        let whole = std::fs::read(&file).unwrap();
        // The first page, the list of tables, the head of a page of the index.
        for at in [0, 100, whole.len() - 4096] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            std::fs::write(&file, &bytes).unwrap();
            let error = store.check().await.unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }), "byte {at}: {error}");
        }
    }

    #[tokio::test]
    async fn l3_a_connection_that_is_left_in_a_transaction_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("state.sqlite").display());
        let store = Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        let mut session = store.write("a table").await.unwrap();
        session
            .execute("CREATE TABLE filler (content BLOB)", Vec::new())
            .await
            .unwrap();
        session.commit().await.unwrap();
        let fill = "INSERT INTO filler VALUES (zeroblob(4000000))";
        let mut full = store.write("a write on a full disk").await.unwrap();
        // As on a full disk: SQLite cannot grow the file, and rolls the transaction back by itself.
        sqlx::raw_sql("PRAGMA max_page_count = 1")
            .execute(full.connection().unwrap())
            .await
            .unwrap();
        full.execute(fill, Vec::new()).await.unwrap_err();
        full.commit().await.unwrap_err();
        let mut next = store.write("the next write").await.unwrap();
        sqlx::raw_sql("PRAGMA max_page_count = 1000000")
            .execute(next.connection().unwrap())
            .await
            .unwrap();
        next.execute(fill, Vec::new()).await.unwrap();
        next.commit().await.unwrap();
    }

    #[test]
    fn statements_have_few_sizes() {
        let sizes = |count: usize| {
            let mut left = count;
            let mut sizes = Vec::new();
            while left > 0 {
                sizes.push(size_within(left).min(STATEMENT_ROWS));
                left -= sizes[sizes.len() - 1];
            }
            sizes
        };
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(95), [64, 24, 6, 1]);
        assert_eq!(sizes(230), [100, 100, 24, 6]);
    }

    #[test]
    fn padding_adds_only_what_is_there() {
        assert!(padded(Vec::<i64>::new()).is_empty());
        assert_eq!(padded(vec![7]), [7]);
        assert_eq!(padded(vec![1, 2, 3, 4, 5]), [1, 2, 3, 4, 5, 5]);
        assert_eq!(padded((0..1200).collect::<Vec<_>>()).len(), 1200);
    }
}
