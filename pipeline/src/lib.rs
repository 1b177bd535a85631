//! How a stage runs: the log it reads and writes, the runner around it, and its health.
//!
//! A stage is written once and runs on any [`log::Log`]: Apache Kafka, the embedded durable log of `reveille up`, or
//! the simulated one of the tests. Everything that differs between them ends in this crate.

pub mod clock;
pub mod dead_letters;
pub mod health;
pub mod log;
pub mod metrics;
pub mod restored;
pub mod runner;
pub mod trace;

pub use clock::{Clock, Steady};
pub use health::Health;
pub use log::{Log, LogError, Record};
pub use metrics::{Metrics, StageMetrics};
pub use runner::{Context, Stage, StageError};
