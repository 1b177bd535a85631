//! The next thing that happens to an alert by itself.

use jiff::Timestamp;

use super::{escalation, heartbeat, text};
use crate::Site;
use crate::state::{AlertState, Expiry};

/// Nobody will see it: the year 9999.
const END_OF_TIME: Timestamp = Timestamp::constant(253_370_764_800, 0);

/// The next thing that will happen to an alert by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub due_at: Timestamp,
    /// What.
    pub kind: DeadlineKind,
    /// A silence holds a step of the alert back: another silence in its place, or none, may notify its people before then.
    pub is_silenced: bool,
}

/// What happens to an alert by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadlineKind {
    /// A step of the scenario is due, its time window opens, or the silence that holds it back ends.
    Step,
    /// A hold ends: a snooze, a handling or an assignment.
    HoldEnd,
    /// The source has been silent for too long.
    Expiry,
    /// A change of the text is recorded.
    Text,
    /// Nothing happens to the open alert by itself, but another site may.
    Site,
}

impl Deadline {
    fn of(kind: DeadlineKind, due_at: Timestamp) -> Self {
        Self {
            due_at,
            kind,
            is_silenced: false,
        }
    }
}

impl DeadlineKind {
    /// The word for it, as in the database and the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            DeadlineKind::Step => "step",
            DeadlineKind::HoldEnd => "hold_end",
            DeadlineKind::Expiry => "expiry",
            DeadlineKind::Text => "text",
            DeadlineKind::Site => "site",
        }
    }
}

/// The next thing that will happen to the alert by itself, if anything.
pub fn next_deadline(state: &AlertState, site: &Site, now: Timestamp) -> Option<Deadline> {
    let ends = [
        (
            DeadlineKind::HoldEnd,
            state.holds.iter().filter_map(|hold| hold.until).min(),
        ),
        (DeadlineKind::Expiry, state.expiry.as_ref().map(Expiry::due_at)),
        (DeadlineKind::Expiry, heartbeat::removal_deadline(state, site)),
        (DeadlineKind::Text, text::deadline(state, site.pace)),
    ];
    let ends = ends
        .into_iter()
        .filter_map(|(kind, at)| at.map(|due_at| Deadline::of(kind, due_at)));
    let steps = escalation::deadlines(state, site, now);
    let is_silenced = steps.iter().any(|step| step.is_silenced);
    let steps = steps
        .into_iter()
        .map(|step| Deadline::of(DeadlineKind::Step, step.due_at));
    let first = ends.chain(steps).min_by_key(|deadline| deadline.due_at)?;
    Some(Deadline { is_silenced, ..first })
}

/// As [`next_deadline`], but every open alert has one, at the end of time if need be: so those that a changed site may
/// concern are found.
pub fn kept_deadline(state: &AlertState, site: &Site, now: Timestamp) -> Option<Deadline> {
    let on_a_change = Deadline::of(DeadlineKind::Site, END_OF_TIME);
    next_deadline(state, site, now).or_else(|| state.is_open().then_some(on_a_change))
}
