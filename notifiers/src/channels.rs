//! The channels, one file each: how to say one notification, and how to read the provider's answer.
//!
//! Each has a pure `compose` that respects the provider's limits, and a `send` that makes one attempt. No channel knows
//! another; what they share is the wording of facts, cutting text and reading HTTP answers.

mod addresses;
pub mod email;
mod facts;
mod http;
pub mod slack;
mod text;
pub mod webhook;
