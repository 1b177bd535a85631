//! Connections to MariaDB: the one that was used last is used next.
//!
//! The pool of sqlx hands out the connection that has rested longest, so under load every statement is prepared on every
//! connection, and it pings a connection when it is handed out and again when it comes back, each a round trip. Here a
//! connection that has just answered is used as it is. One that has rested is asked first, and so is every one that
//! rested when another broke: a server that was restarted breaks all of them at once.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, Connection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// Within this time there is a connection, or the database counts as away.
const ACQUIRE: Duration = Duration::from_secs(5);
/// The most connections that are open at once.
const CONNECTIONS: usize = 16;
/// A connection that has rested for less is not asked whether it is there.
const FRESH: Duration = Duration::from_secs(1);
/// So long a connection that has rested may take to answer that it is there.
const PING: Duration = Duration::from_secs(2);
/// A connection that has rested for so long is closed,
const LONGEST_REST: Duration = Duration::from_secs(300);
/// and so is one that was opened so long ago: the name of the server may mean another one by now.
const LONGEST_LIFE: Duration = Duration::from_secs(1800);
/// The waits for a server that refuses connections grow from this
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
/// to this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// So long a connection may take to say goodbye.
const CLOSE: Duration = Duration::from_secs(5);

/// The connections; cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    options: AnyConnectOptions,
    /// What is said to every new connection.
    greeting: &'static str,
    resting: Mutex<Resting>,
    permits: Arc<Semaphore>,
}

#[derive(Default)]
struct Resting {
    /// The one that was used last is the last.
    connections: Vec<Rested>,
    /// When a connection broke last.
    broke_at: Option<Instant>,
}

struct Rested {
    connection: AnyConnection,
    opened_at: Instant,
    since: Instant,
}

/// A connection that is in use. It goes back to the others when it is dropped, if nothing is left undone on it; otherwise it
/// is closed, and the server undoes what was not committed.
pub(crate) struct Pooled {
    connection: Option<AnyConnection>,
    opened_at: Instant,
    is_clean: bool,
    pool: Pool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// Opens connections as they are needed.
    pub(crate) fn new(options: AnyConnectOptions, greeting: &'static str) -> Self {
        Self(Arc::new(Shared {
            options,
            greeting,
            resting: Mutex::default(),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
        }))
    }

    /// A connection that is there as far as can be known.
    pub(crate) async fn acquire(&self) -> Result<Pooled, sqlx::Error> {
        timeout(ACQUIRE, self.connection())
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn connection(&self) -> Result<Pooled, sqlx::Error> {
        let permits = Arc::clone(&self.0.permits);
        let permit = permits
            .acquire_owned()
            .await
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let pooled = |connection, opened_at| Pooled {
            connection: Some(connection),
            opened_at,
            is_clean: true,
            pool: self.clone(),
            _permit: permit,
        };
        while let Some((mut rested, is_fresh)) = self.take() {
            if is_fresh || matches!(timeout(PING, rested.connection.ping()).await, Ok(Ok(()))) {
                return Ok(pooled(rested.connection, rested.opened_at));
            }
            tracing::info!("a connection to the database that has rested is gone; opening another one");
        }
        let opened_at = Instant::now();
        let mut connection = self.connect().await?;
        sqlx::raw_sql(self.0.greeting).execute(&mut connection).await?;
        Ok(pooled(connection, opened_at))
    }

    /// Opens a connection. A server that refuses it is perhaps being started again, which is worth some waiting.
    async fn connect(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut wait = SHORTEST_WAIT;
        loop {
            match AnyConnection::connect_with(&self.0.options).await {
                Err(sqlx::Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                connected => return connected,
            }
        }
    }

    /// The connection that was used last, and whether it need not be asked. Those that have rested too long are closed.
    fn take(&self) -> Option<(Rested, bool)> {
        let now = Instant::now();
        let mut resting = self.resting();
        let old = resting
            .connections
            .iter()
            .take_while(|rested| now.duration_since(rested.since) >= LONGEST_REST)
            .count();
        for rested in resting.connections.drain(..old) {
            close(rested.connection);
        }
        let rested = resting.connections.pop()?;
        let broke_since = resting.broke_at.is_some_and(|broke_at| broke_at >= rested.since);
        let is_fresh = !broke_since && now.duration_since(rested.since) < FRESH;
        Some((rested, is_fresh))
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        self.0.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pooled {
    /// The connection, for something that must come to its end ([`Pooled::end`]) before the connection is good for others.
    ///
    /// # Errors
    ///
    /// None that happens: a connection that is in use is there.
    pub(crate) fn begin(&mut self) -> Result<&mut AnyConnection, sqlx::Error> {
        self.is_clean = false;
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// What was under way has come to its end.
    pub(crate) const fn end(&mut self) {
        self.is_clean = true;
    }

    /// The connection, which does not come back.
    pub(crate) fn detach(mut self) -> Result<AnyConnection, sqlx::Error> {
        self.connection.take().ok_or(sqlx::Error::PoolClosed)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let now = Instant::now();
        if !self.is_clean {
            self.pool.resting().broke_at = Some(now);
        } else if now.duration_since(self.opened_at) >= LONGEST_LIFE {
            close(connection);
        } else {
            self.pool.resting().connections.push(Rested {
                connection,
                opened_at: self.opened_at,
                since: now,
            });
        }
    }
}

/// Closes a connection in good order, beside everything else.
fn close(connection: AnyConnection) {
    // Without a runtime the process is ending, and the server notices that the connection is gone.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(timeout(CLOSE, connection.close()));
    }
}
