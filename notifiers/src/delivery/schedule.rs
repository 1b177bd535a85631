//! The retry schedule: when a failed attempt is made again.

use std::time::Duration;

use crate::sender::SendResult;
use schemas::DeliveryFailure;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// The waits after the first, second … failed attempt: 75 h 37 min in all. Meanwhile a failing destination is probed with
/// one of its pending notifications.
pub(crate) const WAITS: [Duration; 12] = [
    Duration::from_secs(SECOND),
    Duration::from_secs(5 * SECOND),
    Duration::from_secs(30 * SECOND),
    Duration::from_secs(2 * MINUTE),
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(30 * MINUTE),
    Duration::from_secs(2 * HOUR),
    Duration::from_secs(5 * HOUR),
    Duration::from_secs(10 * HOUR),
    Duration::from_secs(14 * HOUR),
    Duration::from_secs(20 * HOUR),
    Duration::from_secs(24 * HOUR),
];

/// A notification does not expire before it is this old, however many attempts were made: some are made early, as a probe
/// or when a destination works again.
pub(crate) const BUDGET: Duration = Duration::from_secs(75 * HOUR);
/// The longest pause that a provider can ask for.
pub(crate) const LONGEST_AFTER: Duration = Duration::from_secs(24 * HOUR);
/// The interval of attempts with refused credentials, and for how long they are made: an operator has to correct them.
pub(crate) const CREDENTIALS_WAIT: Duration = Duration::from_secs(MINUTE);
pub(crate) const CREDENTIALS_BUDGET: Duration = Duration::from_secs(HOUR);

/// The past of a notification when an attempt has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past {
    /// Attempts, including this one.
    pub(crate) attempts: u32,
    /// Since the daemon decided the notification.
    pub(crate) age: Duration,
    /// Since the destination began to refuse the credentials.
    pub(crate) credentials_bad_for: Duration,
    /// From 0 to 1, so that notifications that failed together are not retried together.
    pub(crate) jitter: f64,
}

/// What follows from the result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Delivered.
    Sent { reference: Option<String> },
    /// Retried after this wait.
    Again {
        wait: Duration,
        error: String,
        maybe_delivered: bool,
    },
    /// Failed permanently.
    Never { failure: DeliveryFailure, error: String },
}

/// What follows from the result of an attempt.
pub(crate) fn next(result: &SendResult, past: Past) -> Next {
    match result.clone() {
        SendResult::Sent { reference } => Next::Sent { reference },
        SendResult::Transient {
            after,
            error,
            maybe_delivered,
        } => match wait(past, after) {
            Some(wait) => Next::Again {
                wait,
                error,
                maybe_delivered,
            },
            None => Next::Never {
                failure: DeliveryFailure::Expired,
                error,
            },
        },
        SendResult::BadCredentials(error) if past.credentials_bad_for < CREDENTIALS_BUDGET => Next::Again {
            wait: CREDENTIALS_WAIT,
            error,
            maybe_delivered: false,
        },
        SendResult::BadCredentials(error) => Next::Never {
            failure: DeliveryFailure::BadCredentials,
            error,
        },
        SendResult::BadDestination(error) => Next::Never {
            failure: DeliveryFailure::BadDestination,
            error,
        },
        SendResult::Refused(error) => Next::Never {
            failure: DeliveryFailure::Refused,
            error,
        },
    }
}

/// The wait after a transient failure; `None` when the budget is spent.
fn wait(past: Past, after: Option<Duration>) -> Option<Duration> {
    let made = usize::try_from(past.attempts.max(1)).unwrap_or(usize::MAX);
    if made > WAITS.len() && past.age >= BUDGET {
        return None;
    }
    let jittered = jittered(past.attempts, past.jitter.clamp(0.0, 1.0));
    Some(jittered.max(after.unwrap_or_default().min(LONGEST_AFTER)))
}

/// The longest wait that is planned after so many attempts, without what the provider asks for.
pub(crate) fn longest_wait(attempts: u32) -> Duration {
    match attempts {
        0 => Duration::ZERO,
        _ => jittered(attempts, 1.0),
    }
}

fn jittered(attempts: u32, jitter: f64) -> Duration {
    let made = usize::try_from(attempts.max(1)).unwrap_or(usize::MAX);
    WAITS[(made - 1).min(WAITS.len() - 1)].mul_f64(1.0 + jitter / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(attempts: u32, age_hours: u64, jitter: f64) -> Past {
        Past {
            attempts,
            age: Duration::from_secs(age_hours * HOUR),
            credentials_bad_for: Duration::ZERO,
            jitter,
        }
    }

    #[test]
    fn thirteen_attempts_in_seventy_five_hours() {
        let waits: Vec<_> = (1..=12)
            .map(|attempts| wait(past(attempts, 100, 0.0), None).unwrap())
            .collect();
        assert_eq!(waits, WAITS);
        let all: Duration = waits.iter().sum();
        assert_eq!(all, Duration::from_secs(75 * HOUR + 37 * MINUTE + 36));
        assert_eq!(wait(past(13, 76, 0.0), None), None);
        assert_eq!(
            wait(past(13, 20, 0.0), None),
            Some(WAITS[11]),
            "made early, so there is time left"
        );
    }

    #[test]
    fn the_provider_can_ask_for_a_longer_wait_but_not_for_a_shorter_one() {
        assert_eq!(
            wait(past(1, 0, 0.0), Some(Duration::from_secs(90))),
            Some(Duration::from_secs(90))
        );
        assert_eq!(
            wait(past(5, 0, 0.0), Some(Duration::from_secs(1))),
            Some(WAITS[4])
        );
        assert_eq!(wait(past(1, 0, 0.0), Some(Duration::MAX)), Some(LONGEST_AFTER));
    }

    #[test]
    fn jitter_only_makes_it_later() {
        assert_eq!(wait(past(3, 0, 1.0), None), Some(Duration::from_secs(33)));
        assert!(wait(past(3, 0, 0.5), None).unwrap() > WAITS[2]);
    }

    #[test]
    fn wrong_credentials_are_tried_for_an_hour() {
        let answer = SendResult::BadCredentials("no".to_owned());
        let after = |minutes| {
            let past = Past {
                credentials_bad_for: Duration::from_secs(minutes * MINUTE),
                ..past(40, 0, 0.0)
            };
            next(&answer, past)
        };
        assert!(matches!(
            after(59),
            Next::Again {
                wait: CREDENTIALS_WAIT,
                ..
            }
        ));
        assert!(matches!(
            after(60),
            Next::Never {
                failure: DeliveryFailure::BadCredentials,
                ..
            }
        ));
    }
}
