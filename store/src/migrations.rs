//! Bringing the tables up to date.

use sqlx::{AnyConnection, Connection, Row};

use crate::dialect::Dialect;
use crate::{Store, StoreError};

const WHAT: &str = "the migration of the tables";

/// The steps, oldest first. A step that was released never changes.
const MARIADB: &[&str] = &[
    include_str!("../migrations/mariadb/0001_tables.sql"),
    include_str!("../migrations/mariadb/0002_newest_closed.sql"),
    include_str!("../migrations/mariadb/0003_lists.sql"),
    include_str!("../migrations/mariadb/0004_trails.sql"),
    include_str!("../migrations/mariadb/0005_opsgenie.sql"),
    include_str!("../migrations/mariadb/0006_outbox_scope.sql"),
    include_str!("../migrations/mariadb/0007_silenced.sql"),
    include_str!("../migrations/mariadb/0008_last_seen.sql"),
    include_str!("../migrations/mariadb/0009_site_revisions.sql"),
];
const SQLITE: &[&str] = &[
    include_str!("../migrations/sqlite/0001_tables.sql"),
    include_str!("../migrations/sqlite/0002_newest_closed.sql"),
    include_str!("../migrations/sqlite/0003_lists.sql"),
    include_str!("../migrations/sqlite/0004_trails.sql"),
    include_str!("../migrations/sqlite/0005_opsgenie.sql"),
    include_str!("../migrations/sqlite/0006_outbox_scope.sql"),
    include_str!("../migrations/sqlite/0007_silenced.sql"),
    include_str!("../migrations/sqlite/0008_last_seen.sql"),
    include_str!("../migrations/sqlite/0009_site_revisions.sql"),
];

impl Store {
    /// Brings the tables up to date. Several processes may call it at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self.dialect() {
            Dialect::Sqlite => self.migrate_sqlite().await,
            Dialect::MariaDb => self.migrate_mariadb().await,
        }
    }

    /// DDL is transactional here, and the transaction keeps others out.
    async fn migrate_sqlite(&self) -> Result<(), StoreError> {
        let mut session = self.write(WHAT).await?;
        let connection = session.connection()?;
        upgrade(connection, SQLITE)
            .await
            .map_err(|error| StoreError::of(WHAT, error))?;
        session.commit().await
    }

    /// A lock of the server keeps others out; it ends with the connection, whatever happens here.
    async fn migrate_mariadb(&self) -> Result<(), StoreError> {
        let failed = |error| StoreError::of(WHAT, error);
        let mut connection = self.detached(WHAT).await?;
        let lock = "SELECT CAST(COALESCE(GET_LOCK(CONCAT('reveille.', MD5(DATABASE())), 20), 0) AS SIGNED)";
        let taken: i64 = sqlx::query(lock)
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?
            .try_get(0)
            .map_err(failed)?;
        if taken != 1 {
            return Err(StoreError::Unavailable(format!(
                "{WHAT}: another process has been at it for 20 s"
            )));
        }
        upgrade(&mut connection, MARIADB).await.map_err(failed)?;
        connection.close().await.map_err(failed)
    }
}

async fn upgrade(connection: &mut AnyConnection, steps: &'static [&'static str]) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS migrations (version BIGINT NOT NULL PRIMARY KEY)")
        .execute(&mut *connection)
        .await?;
    let done: i64 = sqlx::query("SELECT COALESCE(MAX(version), 0) FROM migrations")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    for (version, step) in (1_i64..).zip(steps).filter(|(version, _)| *version > done) {
        sqlx::raw_sql(*step).execute(&mut *connection).await?;
        sqlx::query("INSERT INTO migrations (version) VALUES (?)")
            .bind(version)
            .execute(&mut *connection)
            .await?;
        tracing::info!(version, "the tables were brought up to date");
    }
    Ok(())
}
