//! The hot view: one record per open alert, kept some time after it closes, and counters.
//!
//! The aggregator writes it, every bridge reads it. Two backings: [`memory`] for `reveille up` and tests,
//! [`aerospike`] for a site. One contract suite runs on both.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use schemas::{Alert, Channel, Fingerprint, Status};

pub mod aerospike;
pub mod memory;

pub use aerospike::AerospikeView;
pub use memory::MemoryView;

/// The view cannot be reached; waiting and trying again is the only answer.
#[derive(Debug, thiserror::Error)]
#[error("the view is not available: {0}")]
pub struct ViewUnavailable(pub String);

/// What counters are kept by. An alert counts once without a channel, and once for each of [`Alert::channels`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct CounterKey {
    pub environment: String,
    pub channel: Option<Channel>,
    pub state: String,
    pub severity: String,
}

impl CounterKey {
    /// The keys under which this alert counts; none when it is closed.
    pub fn of(alert: &Alert) -> Vec<CounterKey> {
        if alert.status == Status::Closed {
            return Vec::new();
        }
        let channels = std::iter::once(None).chain(alert.channels.iter().copied().map(Some));
        channels
            .map(|channel| CounterKey {
                environment: alert.environment.clone(),
                channel,
                state: alert.operator_state.name().to_owned(),
                severity: alert.severity.name().to_owned(),
            })
            .collect()
    }
}

/// Of each alert the newest version.
fn newest(alerts: Vec<Arc<Alert>>) -> Vec<Arc<Alert>> {
    let mut newest: HashMap<Fingerprint, Arc<Alert>> = HashMap::with_capacity(alerts.len());
    for alert in alerts {
        match newest.entry(alert.fingerprint) {
            Entry::Occupied(mut entry) if entry.get().version < alert.version => {
                entry.insert(alert);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(entry) => {
                entry.insert(alert);
            }
        }
    }
    newest.into_values().collect()
}

/// Where the view is kept.
#[async_trait]
pub trait View: Send + Sync + 'static {
    /// Takes in versions of alerts. A version that is not newer than the one that is there changes nothing. A closed
    /// alert stays, marked closed, for some time, so that an older version cannot bring it back.
    async fn put(&self, alerts: Vec<Arc<Alert>>) -> Result<(), ViewUnavailable>;

    /// These alerts as the view has them, open or closed; what it does not have is left out.
    async fn get(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Arc<Alert>>, ViewUnavailable>;

    /// All open alerts, in no order.
    async fn open(&self) -> Result<Vec<Arc<Alert>>, ViewUnavailable>;

    /// Counts of open alerts.
    async fn counters(&self) -> Result<BTreeMap<CounterKey, u64>, ViewUnavailable>;

    /// Counts anew from the records; mends counters that a crash has left wrong. Answers how many were wrong.
    async fn recount(&self) -> Result<u64, ViewUnavailable>;

    /// Whether the view has been filled since it was last empty; see [`View::mark_filled`].
    async fn is_filled(&self) -> Result<bool, ViewUnavailable>;

    /// The view holds every open alert from now on.
    async fn mark_filled(&self) -> Result<(), ViewUnavailable>;
}
