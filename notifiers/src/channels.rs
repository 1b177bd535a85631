//! The channels, one file each: how to compose the message of a notification, and how to read the provider's answer.
//!
//! Each has a pure `compose` that respects the provider's limits, and a `send` that makes one attempt. No channel knows
//! another; they share the wording of facts, cutting text, and HTTP clients and answers.

mod addresses;
pub mod email;
mod facts;
mod http;
pub mod slack;
mod text;
pub mod webhook;
