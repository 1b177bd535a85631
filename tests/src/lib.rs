//! What the scenarios in `scenarios/` stand on: real services, the stages as processes, people's ends (Slack, mail,
//! webhooks) as mocks, clients, a load with a memory, and the judge that compares.
//!
//! Nothing here sleeps for a fixed time: it waits for a condition, up to a limit. Only the state of a foreign process
//! is asked again and again.

pub mod audit;
pub mod client;
pub mod live;
pub mod load;
pub mod mocks;
pub mod places;
pub mod process;
pub mod recorded;
pub mod services;
pub mod site;
pub mod stage;
pub mod waiting;
pub mod world;

pub use world::World;

use std::io::Write;
use std::sync::Once;

/// Says something that is seen even when the test passes: libtest swallows only what `println!` writes.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One loud line about what was not tested, and why.
pub fn skipped(what: &str, why: &str) {
    say(&format!("SKIPPED: {what}: {why}"));
}

/// Chooses the cryptography of HTTP clients, once.
pub fn install_cryptography() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A scenario has the machine for itself: the tests of one binary take turns.
pub async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

/// A number from the environment, to run a scenario longer or harder than usual.
pub fn number_from_environment(name: &str, usual: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Err(_) => Ok(usual),
        Ok(text) => text
            .parse()
            .map_err(|_| anyhow::anyhow!("{name}={text:?} is not a number")),
    }
}
