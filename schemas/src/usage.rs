//! How the keys of integrations are used.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What one run of a collector has seen of one key. Topic `integrations.usage` (compacted), key [`KeyUsage::key`].
///
/// Counts only grow within a run; the sum over all runs is what is known of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyUsage {
    /// SHA-256 of the key, in hexadecimal digits; `mqtt/` and the integration for what comes by its MQTT topics.
    pub key_hash: String,
    /// The run of the collector: another one after each start.
    pub run: Uuid,
    /// When the key was last shown, with whatever success.
    pub last_used: Timestamp,
    /// Requests that were taken.
    pub accepted: u64,
    /// Alerts in them.
    pub alerts: u64,
    /// Requests that were refused, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, u64>,
    /// The last request that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<KeyRefusal>,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyRefusal {
    /// When.
    pub at: Timestamp,
    /// The word for the reason, as in the answer and the metrics.
    pub reason: String,
    /// What the sender was told.
    pub message: String,
}

impl KeyUsage {
    /// Key on the topic: `key hash/run`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.key_hash, self.run)
    }
}
