//! The state store: alerts, their history and ledger, deadlines, deliveries, configuration, positions.
//!
//! One set of statements runs on MariaDB and on SQLite; where the dialects differ the difference is in one place,
//! `dialect`. The same contract tests run on both. Everything a stage decides from one batch, with the position after
//! it, is one transaction, and that transaction names the epoch under which the stage owns the partition: whoever
//! lost the partition cannot commit.

mod claims;
mod commit;
mod connection;
mod daemon;
mod deliveries;
mod dialect;
mod error;
mod last_seen;
mod listing;
mod migrations;
mod model;
mod opsgenie;
mod outbox;
mod pool;
mod records;
mod retention;
mod site;
mod unreadable;
mod values;

pub use connection::Store;
pub use deliveries::DeliveryPage;
pub use error::StoreError;
pub use model::{
    AlertQuery, Attachment, Claim, Commit, Delivery, DeliveryState, DeliveryUpdate, Loaded, NewRevision,
    OutboxMessage, OutboxRow, Page, RequestOutcome, SiteRevision, StatusWanted, StoredSite,
};
pub use outbox::publish;
pub use retention::Pruned;
