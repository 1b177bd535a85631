//! Parsers of what monitoring systems send: bodies in, events out.
//!
//! Each source is a pure function from headers and body to [`ParsedBody`]. It decides which parts of the body tell one alert
//! from every other, and what the body means; [`Delivery`] makes events of that, in the same way for all. This crate has no
//! server, no runtime and no log: collectors, `reveille try` and importers share it.

mod bounds;
mod delivery;
pub mod dry_run;
mod error;
mod event;
mod formats;
pub mod heartbeat;
pub mod mapping;
mod parsed;
pub mod ready_made;
mod registry;
mod source;
pub mod systems;
mod text;

pub use bounds::Shortened;
pub use delivery::{Delivery, EventBatch, Receipt, encode};
pub use error::SourceError;
pub use event::SourceEvent;
pub use formats::MAX_ALERTS_PER_BODY;
pub use heartbeat::HEARTBEAT;
pub use parsed::{ParsedBody, SourceActionRequest};
pub use registry::{SOURCES, find, nearest};
pub use source::{ParseBody, Source};

#[cfg(test)]
mod tests;
