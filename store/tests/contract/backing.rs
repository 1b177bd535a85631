//! An empty store on each database.

use sqlx::{AnyPool, Connection, MySqlConnection};
use store::Store;
use tempfile::TempDir;

use crate::mariadb;

/// An empty store, and how to come to the same data again.
pub struct Backing {
    /// The store.
    pub store: Store,
    url: Option<String>,
    _directory: Option<TempDir>,
    database: Option<String>,
}

impl Backing {
    pub async fn sqlite_in_a_file() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/store.sqlite", directory.path().display());
        let store = Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        Self {
            store,
            url: Some(url),
            _directory: Some(directory),
            database: None,
        }
    }

    pub async fn sqlite_in_memory() -> Self {
        Self {
            store: Store::in_memory().await.unwrap(),
            url: None,
            _directory: None,
            database: None,
        }
    }

    /// None, with a word on stderr, when there is no MariaDB.
    pub async fn mariadb() -> Option<Self> {
        let database = format!("reveille_test_{}", uuid::Uuid::now_v7().simple());
        let url = format!("{}/{database}", mariadb::server()?);
        administer(&format!("CREATE DATABASE {database}")).await;
        let store = Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        Some(Self {
            store,
            url: Some(url),
            _directory: None,
            database: Some(database),
        })
    }

    /// The same data through other connections, as another process would see it. In memory there is no other.
    pub async fn again(&self) -> Store {
        match &self.url {
            Some(url) => Store::open(url).await.unwrap(),
            None => self.store.clone(),
        }
    }

    /// A statement behind the store's back; false in memory, where nobody can come.
    pub async fn tamper(&self, statement: &'static str) -> bool {
        let Some(url) = &self.url else { return false };
        let pool = AnyPool::connect(url).await.unwrap();
        sqlx::raw_sql(statement).execute(&pool).await.unwrap();
        pool.close().await;
        true
    }

    /// Removes the database from the server.
    pub async fn remove(self) {
        if let Some(database) = self.database {
            administer(&format!("DROP DATABASE {database}")).await;
        }
    }

    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

async fn administer(statement: &str) {
    let url = mariadb::server().unwrap();
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}
