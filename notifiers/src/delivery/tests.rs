//! The loop with a provider of which everything is decided here.

mod clock;
mod hanging;
mod order;
mod overflow;
mod restarts;
mod retries;
mod storms;
mod world;
