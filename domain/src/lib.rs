//! What an alert is and what becomes of it.
//!
//! Values in, values out: this crate knows no Kafka, SQL or HTTP, and no clock. The daemon, the tests and a replay all
//! run the same [`transition()`].

pub mod alert_bounds;
pub mod expression;
pub mod filter;
pub mod identity;
pub mod mapping;
pub mod matcher;
pub mod opsgenie;
pub mod rules;
pub mod silence;
pub mod site;
pub mod state;
pub mod topic_filter;
pub mod transition;
pub mod window;
pub mod words;

pub use alert_bounds::AlertBounds;
pub use filter::CompiledFilter;
pub use identity::fingerprint;
pub use mapping::CompiledMapping;
pub use silence::CompiledSilence;
pub use site::{Pace, Site};
pub use state::{AlertState, LastSeen};
pub use transition::{Input, Outcome, deadlines, journey, transition};
