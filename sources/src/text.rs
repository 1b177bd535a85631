//! What words in a text mean: states, severities, addresses, and tests of a connection.

pub(crate) mod address;
pub(crate) mod severity;
pub(crate) mod state_words;
pub(crate) mod test_alerts;
