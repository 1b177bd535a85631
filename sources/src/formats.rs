//! The formats that bodies are written in, read leniently where their meaning is beyond doubt.

pub(crate) mod charset;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod lenient;
pub(crate) mod xml;

/// How many alerts one body has at the most.
pub const MAX_ALERTS_PER_BODY: usize = domain::mapping::ITEMS_MAX;
