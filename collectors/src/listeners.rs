//! The protocols other than HTTP by which senders reach the collectors: ports for SMTP and Riemann, and a client of MQTT.

pub(crate) mod mqtt;
pub(crate) mod riemann;
pub(crate) mod smtp;
mod tcp;
