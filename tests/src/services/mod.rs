//! The real services: Apache Kafka, MariaDB and, where there is one, Aerospike.
//!
//! Each is used at the address that the environment gives, or else started with data and port of its own.

pub mod aerospike;
pub mod kafka;
pub mod mariadb;

use std::path::Path;

use anyhow::Result;

pub use aerospike::Aerospike;
pub use kafka::Kafka;
pub use mariadb::MariaDb;

/// What the stages stand on.
#[derive(Debug)]
pub struct Services {
    /// The log.
    pub kafka: Kafka,
    /// The state store.
    pub mariadb: MariaDb,
    /// The view store; without it every bridge keeps the view in its own memory.
    pub aerospike: Option<Aerospike>,
}

impl Services {
    /// Starts them, or says loudly why not. `data` holds what they keep, `logs` what they say.
    pub async fn start(data: &Path, logs: &Path) -> Result<Option<Self>> {
        let (kafka, mariadb, aerospike) = tokio::try_join!(
            Kafka::start(data, logs),
            MariaDb::start(data, logs),
            Aerospike::start(data, logs)
        )?;
        Ok(match (kafka, mariadb) {
            (Some(kafka), Some(mariadb)) => Some(Self {
                kafka,
                mariadb,
                aerospike,
            }),
            _ => None,
        })
    }
}
