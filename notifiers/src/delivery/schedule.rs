//! When a failed attempt is made again, as data.

use std::time::Duration;

use crate::answer::Answer;
use schemas::DeliveryFailure;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// The waits after the first, second … failed attempt: 75 h 37 min in all. Meanwhile a destination that fails is probed
/// with one of those that wait for it.
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

/// A notification is not given up before it is this old, however many attempts were made: some are made early, as a
/// probe or when a destination seems to be back.
pub(crate) const BUDGET: Duration = Duration::from_secs(75 * HOUR);
/// No provider can ask for a longer silence.
pub(crate) const LONGEST_AFTER: Duration = Duration::from_secs(24 * HOUR);
/// How often wrong credentials are tried again, and for how long: somebody has to put them right.
pub(crate) const CREDENTIALS_WAIT: Duration = Duration::from_secs(MINUTE);
pub(crate) const CREDENTIALS_BUDGET: Duration = Duration::from_secs(HOUR);

/// What is known of a notification when an attempt has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past {
    /// Attempts that were made, with this one.
    pub(crate) attempts: u32,
    /// Since the notification was decided.
    pub(crate) age: Duration,
    /// Since the credentials began to be refused at this destination.
    pub(crate) credentials_bad_for: Duration,
    /// From 0 to 1, so that what failed together does not come back together.
    pub(crate) jitter: f64,
}

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is done.
    Sent { reference: Option<String> },
    /// Tried again after this wait.
    Again {
        wait: Duration,
        error: String,
        perhaps_delivered: bool,
    },
    /// Never tried again.
    Never { failure: DeliveryFailure, error: String },
}

/// What follows from an answer.
pub(crate) fn next(answer: &Answer, past: Past) -> Next {
    match answer.clone() {
        Answer::Sent { reference } => Next::Sent { reference },
        Answer::Transient {
            after,
            error,
            perhaps_delivered,
        } => match wait(past, after) {
            Some(wait) => Next::Again {
                wait,
                error,
                perhaps_delivered,
            },
            None => Next::Never {
                failure: DeliveryFailure::Expired,
                error,
            },
        },
        Answer::BadCredentials(error) if past.credentials_bad_for < CREDENTIALS_BUDGET => Next::Again {
            wait: CREDENTIALS_WAIT,
            error,
            perhaps_delivered: false,
        },
        Answer::BadCredentials(error) => Next::Never {
            failure: DeliveryFailure::BadCredentials,
            error,
        },
        Answer::BadDestination(error) => Next::Never {
            failure: DeliveryFailure::BadDestination,
            error,
        },
        Answer::Refused(error) => Next::Never {
            failure: DeliveryFailure::Refused,
            error,
        },
    }
}

/// The wait after a transient failure; none when the time is up.
fn wait(past: Past, after: Option<Duration>) -> Option<Duration> {
    let made = usize::try_from(past.attempts.max(1)).unwrap_or(usize::MAX);
    if made > WAITS.len() && past.age >= BUDGET {
        return None;
    }
    let jittered = jittered(past.attempts, past.jitter.clamp(0.0, 1.0));
    Some(jittered.max(after.unwrap_or_default().min(LONGEST_AFTER)))
}

/// The longest that is planned after so many attempts, whatever the provider has asked for.
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
        let answer = Answer::BadCredentials("no".to_owned());
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
