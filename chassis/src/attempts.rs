//! Wrong credentials: counted, logged, and answered the later the more of them come from one address.
//!
//! Only wrong ones wait: a correct credential is never looked up here, so a flood from an address does no harm to a good
//! sender behind the same one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipeline::metrics::Metrics;
use prometheus::{IntCounterVec, Opts};
use tokio::time::Instant;

/// So many attempts of an address are answered at once: people mistype.
const PROMPT_ATTEMPTS: u32 = 3;
/// What the next one waits; each further one waits twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The longest wait.
const DELAY_MAX: Duration = Duration::from_secs(5);
/// An address that has made no attempt for so long begins anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// There is one log line for an address in this time.
const LOGGED_EVERY: Duration = Duration::from_secs(60);
/// So many addresses are remembered; the one that is silent longest is forgotten for a new one.
const ADDRESSES_MAX: usize = 4096;

/// In the extensions of a response: its request has shown a credential that is wrong, not none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongCredential {
    /// An access token, or the session of one.
    Operator,
    /// An integration key.
    Sender,
}

impl WrongCredential {
    fn label(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Sender => "sender",
        }
    }
}

/// The wrong attempts of all addresses.
#[derive(Clone)]
pub(crate) struct Attempts(Arc<Shared>);

struct Shared {
    addresses: Mutex<HashMap<IpAddr, Record>>,
    counted: IntCounterVec,
}

struct Record {
    attempts: u32,
    last_at: Instant,
    logged_at: Option<Instant>,
    not_logged: u64,
}

impl Attempts {
    /// To be made once per process.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let counted = Opts::new(
            "reveille_wrong_credentials_total",
            "Requests that have shown a wrong access token or session (operator) or a wrong integration key (sender).",
        );
        Self(Arc::new(Shared {
            addresses: Mutex::default(),
            counted: metrics.register(IntCounterVec::new(counted, &["kind"])),
        }))
    }

    /// Counts a wrong credential from an address (a /64 with IPv6), and returns how long its answer has to wait.
    pub(crate) fn wrong(&self, address: IpAddr, kind: WrongCredential) -> Duration {
        self.0.counted.with_label_values(&[kind.label()]).inc();
        let now = Instant::now();
        let mut addresses = self.addresses();
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&address) {
            forget_some(&mut addresses, now);
        }
        let record = addresses.entry(address).or_insert(Record {
            attempts: 0,
            last_at: now,
            logged_at: None,
            not_logged: 0,
        });
        if now.duration_since(record.last_at) >= FORGOTTEN_AFTER {
            record.attempts = 0;
        }
        record.attempts = record.attempts.saturating_add(1);
        record.last_at = now;
        record.not_logged += 1;
        let (attempts, not_logged) = (record.attempts, record.not_logged);
        let is_due = |at: Instant| now.duration_since(at) >= LOGGED_EVERY;
        if record.logged_at.is_none_or(is_due) {
            record.logged_at = Some(now);
            record.not_logged = 0;
            drop(addresses);
            tracing::warn!(%address, kind = kind.label(), attempts = not_logged, "wrong credentials");
        }
        delay(attempts)
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, Record>> {
        self.0.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets addresses that begin anew anyway, or else the one that is silent longest.
fn forget_some(addresses: &mut HashMap<IpAddr, Record>, now: Instant) {
    addresses.retain(|_, record| now.duration_since(record.last_at) < FORGOTTEN_AFTER);
    if addresses.len() >= ADDRESSES_MAX {
        let silent = addresses.iter().min_by_key(|(_, record)| record.last_at);
        if let Some(address) = silent.map(|(address, _)| *address) {
            addresses.remove(&address);
        }
    }
}

fn delay(attempts: u32) -> Duration {
    let Some(doublings) = attempts.checked_sub(PROMPT_ATTEMPTS + 1) else {
        return Duration::ZERO;
    };
    FIRST_DELAY.saturating_mul(1 << doublings.min(10)).min(DELAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn s6_each_wrong_attempt_of_an_address_waits_longer_and_rest_is_rewarded() {
        let attempts = Attempts::new(&Metrics::new());
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let waits = |last| {
            attempts
                .wrong(address(last), WrongCredential::Operator)
                .as_millis()
        };
        let first: Vec<_> = (0..11).map(|_| waits(1)).collect();
        assert_eq!(first, [0, 0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(waits(2), 0, "another address");
        for _ in 0..200 {
            waits(1);
        }
        assert_eq!(waits(1), 5000);
        tokio::time::advance(FORGOTTEN_AFTER).await;
        assert_eq!(waits(1), 0);
        assert_eq!(attempts.0.counted.with_label_values(&["operator"]).get(), 214);
    }

    #[tokio::test(start_paused = true)]
    async fn s6_a_bounded_number_of_addresses_is_remembered() {
        let attempts = Attempts::new(&Metrics::new());
        for number in 0..=u32::try_from(ADDRESSES_MAX).unwrap() {
            attempts.wrong(IpAddr::from(number.to_be_bytes()), WrongCredential::Sender);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let addresses = attempts.addresses();
        assert_eq!(addresses.len(), ADDRESSES_MAX);
        assert!(
            !addresses.contains_key(&IpAddr::from([0, 0, 0, 0])),
            "the oldest is forgotten"
        );
    }
}
