//! What could not be used, kept whole so that nothing vanishes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The header in which a body shows, when it is posted again, that it was its sender's when it came.
pub const HEADER_VOUCHER: &str = "reveille-voucher";

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
    /// What `body_base64` holds.
    #[serde(default, skip_serializing_if = "RejectedKind::is_body")]
    pub kind: RejectedKind,
    /// Where it was posted to, without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The headers that say how the body is to be read, by their names in small letters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The environment that the query asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The scenario that the query asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The bytes as they came, in base64.
    pub body_base64: String,
    /// Only the beginning was kept: the rest was too long, or never came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// What was rejected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectedKind {
    /// A body, as its sender posted it.
    #[default]
    Body,
    /// An event that a rule dropped: a message of `alerts.collected`.
    Event,
}

impl RejectedKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_body(&self) -> bool {
        *self == Self::Body
    }
}

/// A message that a stage could not use, with its error. Topic `<topic>.dlq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
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
