//! The channels against little servers of their own, over real connections.

mod email;
mod slack;
#[path = "../support/mod.rs"]
mod support;
mod webhook;
