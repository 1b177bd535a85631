//! The hot view: one record per open alert, and for some minutes after it closes a small one that says so.
//!
//! The aggregator writes it, every bridge reads it. Two backings: [`memory`] for `reveille up` and tests,
//! [`aerospike`] for a site. One contract suite runs on both.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use schemas::{Alert, Fingerprint};

pub mod aerospike;
pub mod memory;
mod text;

pub use aerospike::{AerospikeSettings, AerospikeView};
pub use memory::MemoryView;
pub use text::without_long_texts;

/// Why the view cannot do what it is asked. Trying again later is the answer to all of them.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// It cannot be reached, or it answers with an error.
    #[error("the view is not available: {0}")]
    Unavailable(String),
    /// It takes no writes, since it has no room.
    #[error("the view is full: {0}")]
    Full(String),
    /// A setting of the server must be changed first; the text names it.
    #[error("the view is not configured as it must be: {0}")]
    Misconfigured(String),
}

impl ViewError {
    /// What is waited for while the view has no room.
    pub const FULL: &'static str = "view full";

    /// What is waited for, as `/readyz` shows it.
    pub const fn dependency(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "view",
            Self::Full(_) => Self::FULL,
            Self::Misconfigured(_) => "view configuration",
        }
    }
}

/// An alert as the view has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Entry {
    Open(Arc<Alert>),
    /// It closed with this version; what else was known of it is not kept.
    Closed {
        fingerprint: Fingerprint,
        version: u64,
    },
}

impl Entry {
    /// Which alert.
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Open(alert) => alert.fingerprint,
            Self::Closed { fingerprint, .. } => *fingerprint,
        }
    }

    /// The version that the view has.
    pub fn version(&self) -> u64 {
        match self {
            Self::Open(alert) => alert.version,
            Self::Closed { version, .. } => *version,
        }
    }
}

/// What became of a [`View::put`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Written {
    /// Open alerts that the view had no room for; it has them as they were before, or not at all.
    pub no_room: Vec<Fingerprint>,
}

/// The servers of the view, and how much they hold. What differs between two looks tells whether records were lost.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Names of the nodes that answer.
    pub nodes: BTreeSet<String>,
    /// Changes with every change of the cluster; none while it is not settled.
    pub key: Option<String>,
    /// Records, without their copies on other nodes.
    pub records: u64,
    /// On how many nodes each record is.
    pub copies: u32,
    /// A node takes no writes, since it has no room.
    pub full: bool,
}

/// Of each alert the newest version.
fn newest(alerts: Vec<Arc<Alert>>) -> Vec<Arc<Alert>> {
    let mut newest: HashMap<Fingerprint, Arc<Alert>> = HashMap::with_capacity(alerts.len());
    for alert in alerts {
        match newest.entry(alert.fingerprint) {
            MapEntry::Occupied(mut entry) if entry.get().version < alert.version => {
                entry.insert(alert);
            }
            MapEntry::Occupied(_) => {}
            MapEntry::Vacant(entry) => {
                entry.insert(alert);
            }
        }
    }
    newest.into_values().collect()
}

/// Where the view is kept.
#[async_trait]
pub trait View: Send + Sync + 'static {
    /// Takes in versions of alerts. A version that is not newer than the one that is there changes nothing. That an
    /// alert has closed is kept for some minutes, so that an older version cannot bring it back; not, however, when the
    /// view does not hold the alert and is not filled yet, as it is then filled with what is open.
    ///
    /// A view without room still takes in what closes: it removes the alert.
    ///
    /// # Errors
    ///
    /// [`ViewError::Unavailable`]; some of the alerts may have been taken in.
    async fn put(&self, alerts: Vec<Arc<Alert>>) -> Result<Written, ViewError>;

    /// These alerts as the view has them, open or closed; what it does not have is left out.
    async fn get(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Entry>, ViewError>;

    /// All open alerts, in no order.
    async fn open(&self) -> Result<Vec<Arc<Alert>>, ViewError>;

    /// Whether the view has been filled since it was last empty; see [`View::mark_filled`].
    async fn is_filled(&self) -> Result<bool, ViewError>;

    /// The view holds every open alert from now on.
    async fn mark_filled(&self) -> Result<(), ViewError>;

    /// How the servers are at the moment.
    ///
    /// # Errors
    ///
    /// [`ViewError::Misconfigured`] when a setting of theirs keeps the view from working.
    async fn cluster(&self) -> Result<Cluster, ViewError>;
}
