//! What every process shares: its settings, the site it serves, secrets, logs, traces, health and signals.

pub mod addresses;
pub mod admin;
pub mod attempts;
pub mod connections;
pub mod mqtt;
pub mod principal;
pub mod secrets;
pub mod server;
pub mod session;
pub mod settings;
pub mod site;
pub mod telemetry;
pub mod tls;

/// Chooses the cryptography of every TLS connection. Must be called once, first thing in `main`: building an HTTP
/// client before it would panic.
pub fn install_cryptography() {
    // A second call finds the first one's choice, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
