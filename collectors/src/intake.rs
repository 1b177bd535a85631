//! What every request passes between its head and its events: key, body and its memory, limits, signatures, decoding.

pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod decode;
pub(crate) mod decode_slots;
pub(crate) mod error;
pub(crate) mod key;
pub(crate) mod open_alerts;
pub(crate) mod query;
pub(crate) mod rate_limit;
pub(crate) mod rejected;
pub(crate) mod request;
pub(crate) mod signature;
pub(crate) mod sns;
pub(crate) mod transfer_rate;
