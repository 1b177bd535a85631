//! What could not be used, kept whole so that nothing vanishes.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A webhook body, or an event, that was not taken on, with the reason. Topic `ingest.rejected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    /// When.
    pub at: Timestamp,
    /// Type of the monitoring system, as in the path.
    pub monitoring_system: String,
    /// Name of the integration, if the key was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Why, with the field and the remedy.
    pub reason: String,
    /// The bytes as they came, in base64.
    pub body_base64: String,
}

/// A message that a stage could not use, with its error. Topic `<topic>.parked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Parked {
    /// When.
    pub at: Timestamp,
    /// Which stage gave up.
    pub stage: String,
    /// Where it was read.
    pub topic: String,
    /// Which partition.
    pub partition: u32,
    /// Which offset.
    pub offset: u64,
    /// Why.
    pub error: String,
    /// The bytes as they came, in base64.
    pub value_base64: String,
}
