//! The contract between the stages: the messages, and the topics that carry them.
//!
//! Every type here that travels on a topic has a JSON Schema beside this crate
//! (`schemas/<topic>/v1.schema.json`, generated from the types and compared by a test) and examples
//! (`schemas/<topic>/examples/`). The crate does no I/O and knows no Kafka, SQL or HTTP.
//!
//! All times are UTC and travel as RFC 3339 text. Unknown fields are ignored when read, so that a newer writer
//! can talk to an older reader.

pub mod alert;
pub mod change;
pub mod channels;
pub mod command;
pub mod config;
pub mod event;
pub mod fingerprint;
pub mod history;
pub mod hold;
pub mod journey;
pub mod live;
pub mod notification;
pub mod principal;
pub mod rejection;
pub mod topics;
pub mod usage;

pub use alert::{Alert, Amended, Amendment, Badge, OperatorState, Severity, Status};
pub use change::{AlertChanged, CommandAnswer, CommandOutcome, ViewChanged};
pub use channels::{Channel, ChannelSpec};
pub use command::{Action, ActionRequest, Command, VERBS, Verb};
pub use event::{AlertEvent, DecoratedEvent, EndEvidence, EventKind, EventStatus, HeartbeatRun, Origin};
pub use fingerprint::Fingerprint;
pub use history::{
    Actor, Difference, Happening, HistoryEntry, HistoryKind, Reason, Received, ShownHistoryEntry, What,
};
pub use hold::HoldKind;
pub use journey::{Expected, Journey, Upcoming};
pub use notification::{
    DeliveryFailure, Endpoint, FailedOpen, LedgerEntry, LedgerState, Notification, NotificationKind, Receipt,
    ReceiptOutcome,
};
pub use principal::{Permission, Principal, Role, Via};
pub use topics::Topic;
pub use usage::{KeyRefusal, KeyUsage};

/// Version of the messages in this crate; travels in the header [`HEADER_SCHEMA_VERSION`].
pub const SCHEMA_VERSION: &str = "1";
/// Header of every record: the version of its schema.
pub const HEADER_SCHEMA_VERSION: &str = "schema-version";
/// Header of every record: the W3C trace context (<https://www.w3.org/TR/trace-context/>).
pub const HEADER_TRACEPARENT: &str = "traceparent";
/// Header of a record that waited in a collector's spool, and may therefore be there a second time, or late.
pub const HEADER_SPOOLED: &str = "spooled";
