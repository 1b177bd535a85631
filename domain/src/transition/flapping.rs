//! Whether an alert opens again too often.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// Reopenings within [`WINDOW`] after which an alert is called flapping.
const REOPENINGS: usize = 5;
/// How long a reopening counts.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Whether an alert that opens again now has done so too often.
pub(super) fn flaps(reopened_at: &mut VecDeque<Timestamp>, now: Timestamp) -> bool {
    reopened_at.push_back(now);
    while reopened_at
        .front()
        .is_some_and(|at| now.duration_since(*at) > WINDOW)
        || reopened_at.len() > REOPENINGS + 1
    {
        reopened_at.pop_front();
    }
    reopened_at.len() > REOPENINGS
}
