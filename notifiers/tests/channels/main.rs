//! The channels against little servers of their own, over real connections.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

mod email;
mod ntfy;
mod slack;
#[path = "../support/mod.rs"]
mod support;
mod webhook;
