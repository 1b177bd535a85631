//! How a destination has answered lately, and until when nothing is sent to it.

use std::time::Duration;

use pipeline::Steady;

use super::schedule::{CREDENTIALS_BUDGET, CREDENTIALS_WAIT, LONGEST_AFTER};
use super::slots::Standing;
use crate::sender::SendResult;

/// The backoff after the first failure; each further one is twice as long.
const MIN_BACKOFF: Duration = Duration::from_millis(250);
/// The longest backoff: a new notification is tried after this time at the latest.
const MAX_BACKOFF: Duration = Duration::from_secs(15);
/// So long after a failure a pending notification is tried before its time, to notice that the destination works again; then
/// all that is pending for it is sent.
const PROBE_AFTER: Duration = Duration::from_secs(60);

/// The recent results of one destination.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    standing: Standing,
    failures: u32,
    backoff_until: Steady,
    probe_at: Steady,
    /// The provider has asked for a pause, or the credentials are refused.
    asked_until: Steady,
    credentials_bad_since: Option<Steady>,
}

/// What a result means for the notifications that are pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Learned {
    /// For how long the credentials have been refused.
    pub(crate) credentials_bad_for: Duration,
    /// The destination works again: all that is pending is tried now.
    pub(crate) works_again: bool,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self {
            standing: Standing::New,
            failures: 0,
            backoff_until: Steady::MIN,
            probe_at: Steady::MIN,
            asked_until: Steady::MIN,
            credentials_bad_since: None,
        }
    }

    pub(crate) const fn standing(&self) -> Standing {
        self.standing
    }

    /// The last attempt failed.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// The provider has asked for a pause, or refuses the credentials.
    pub(crate) fn is_paused(&self, now: Steady) -> bool {
        self.asked_until > now
    }

    /// When a notification that is due at `due` may be sent.
    pub(crate) fn earliest(&self, due: Steady) -> Steady {
        let due = if self.is_failing() {
            due.min(self.probe_at)
        } else {
            due
        };
        due.max(self.backoff_until).max(self.asked_until)
    }

    /// Learns from the result of an attempt.
    pub(crate) fn on_result(&mut self, result: &SendResult, now: Steady) -> Learned {
        let after = |wait: Duration| now.after(wait);
        self.standing = Standing::after(result);
        let mut learned = Learned {
            credentials_bad_for: Duration::ZERO,
            works_again: false,
        };
        match result {
            SendResult::Transient { after: asked, .. } => {
                // Attempts that were in flight together fail together; that counts once.
                if now >= self.backoff_until {
                    let backoff = MIN_BACKOFF
                        .saturating_mul(1 << self.failures.min(16))
                        .min(MAX_BACKOFF);
                    self.backoff_until = after(backoff);
                    self.failures = self.failures.saturating_add(1);
                }
                self.probe_at = after(PROBE_AFTER);
                if let Some(asked) = asked {
                    self.asked_until = self.asked_until.max(after((*asked).min(LONGEST_AFTER)));
                }
            }
            SendResult::BadCredentials(_) => {
                let since = *self.credentials_bad_since.get_or_insert(now);
                self.asked_until = self.asked_until.max(after(CREDENTIALS_WAIT));
                learned.credentials_bad_for = now.since(since);
                if learned.credentials_bad_for >= CREDENTIALS_BUDGET {
                    // The budget of all that are pending for these credentials is spent.
                    self.asked_until = Steady::MIN;
                }
            }
            SendResult::Sent { .. } | SendResult::BadDestination(_) | SendResult::Refused(_) => {
                learned.works_again = self.is_failing();
                self.failures = 0;
                self.backoff_until = Steady::MIN;
                self.credentials_bad_since = None;
            }
        }
        learned
    }

    /// The credentials may have been corrected; answers whether they were refused before.
    pub(crate) fn credentials_changed(&mut self) -> bool {
        let were_refused = self.credentials_bad_since.take().is_some();
        if were_refused {
            self.asked_until = Steady::MIN;
        }
        were_refused
    }
}
