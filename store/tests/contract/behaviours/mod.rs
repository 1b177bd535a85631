//! What every database must do.

pub mod claims;
pub mod commits;
pub mod deliveries;
pub mod lists;
pub mod opsgenie;
pub mod sites;
