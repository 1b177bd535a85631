//! Events of an episode that has ended, which arrive late: the second sender of a pair, or a retry.
//!
//! The clock of the source tells them from news. A problem that began when the ended episode began, or before, is that
//! problem; an end that is not later than the end of the episode before is that end. Neither opens or closes anything.

use jiff::SignedDuration;
use schemas::{Actor, AlertEvent, EventStatus, Happening, Reason, Status, What};

use super::change::Change;
use super::outcome::Ignored;
use crate::state::EndedEpisode;

/// For how long after the end a problem with the old beginning is a late event. Later it is the problem again: a source that was
/// silent for some time, so that it was thought to have ended, names the old beginning when it is back. Alertmanager sends the next
/// notification of a group after 5 minutes (`group_interval`), and the second of a pair waits for seconds
/// (<https://prometheus.io/docs/alerting/latest/configuration/#route>, `cluster.peer-timeout`).
const LATE_WITHIN: SignedDuration = SignedDuration::from_mins(4);

/// Keeps what tells late events of the episode that its source ends now.
pub(super) fn remember(change: &mut Change<'_>, event: &AlertEvent) {
    change.state.ended = Some(EndedEpisode {
        began_at: change.state.alert.began_at,
        ended_at: event.occurred_at,
        closed_at: change.now,
        is_noted: false,
    });
}

/// Ignores a late event of an episode that has ended; answers whether it is one.
pub(super) fn ignore_if_late(change: &mut Change<'_>, event: &AlertEvent) -> bool {
    let (Some(ended), Some(occurred_at)) = (&mut change.state.ended, event.occurred_at) else {
        return false;
    };
    let is_late = match (change.state.alert.status, event.status()) {
        (Status::Closed, Some(EventStatus::Firing)) => {
            ended.began_at.is_some_and(|began_at| occurred_at <= began_at)
                && event.accepted_at.duration_since(ended.closed_at) < LATE_WITHIN
        }
        (Status::Open, Some(EventStatus::Resolved)) => {
            ended.ended_at.is_some_and(|ended_at| occurred_at <= ended_at)
        }
        _ => false,
    };
    if is_late && !std::mem::replace(&mut ended.is_noted, true) {
        let happening = Happening {
            actor: Actor::System,
            what: What::Remarked,
            reasons: vec![Reason::EndedEpisode { occurred_at }],
        };
        change.keep();
        change.note(happening, Some(event));
    }
    if is_late {
        change.ignored = Some(Ignored::EndedEpisode);
    }
    is_late
}

#[cfg(test)]
mod tests {
    use schemas::{Action, EventStatus, HistoryKind, Severity, Status};

    use super::super::examples::{at, event};
    use super::super::story::{Story, kinds};
    use super::super::{Ignored, Input, Outcome};

    /// An event that is accepted at a second and is of another one by the clock of its source.
    fn source(story: &mut Story, second: i64, status: EventStatus, occurred: i64) -> Outcome {
        story.offset += 1;
        let mut event = event(story.offset, status, Severity::Critical, "99 %");
        event.event.accepted_at = at(second);
        event.event.occurred_at = Some(at(occurred));
        story.take(Input::Event(&event), at(second))
    }

    fn ended() -> Story {
        let mut story = Story::new(vec![]);
        source(&mut story, 10, EventStatus::Firing, 5);
        source(&mut story, 60, EventStatus::Resolved, 55);
        assert_eq!(story.alert().status, Status::Closed);
        story
    }

    #[test]
    fn l13_what_an_ended_episode_began_with_does_not_open_it_again() {
        let mut story = ended();
        let late = source(&mut story, 70, EventStatus::Firing, 5);
        assert_eq!(kinds(&late), [HistoryKind::Updated], "the history says so");
        assert_eq!(story.alert().status, Status::Closed);
        let again = source(&mut story, 71, EventStatus::Firing, 5);
        assert_eq!(kinds(&again), [], "once");
        assert_eq!(again.ignored, Some(Ignored::EndedEpisode));
        source(&mut story, 80, EventStatus::Firing, 75);
        assert_eq!(story.alert().status, Status::Open, "a new problem opens it");
    }

    #[test]
    fn l13_the_end_of_an_ended_episode_does_not_close_the_next_one() {
        let mut story = ended();
        source(&mut story, 70, EventStatus::Firing, 65);
        let late = source(&mut story, 71, EventStatus::Resolved, 55);
        assert_eq!(kinds(&late), [HistoryKind::Updated]);
        assert_eq!(story.alert().status, Status::Open);
        source(&mut story, 90, EventStatus::Resolved, 85);
        assert_eq!(story.alert().status, Status::Closed);
    }

    #[test]
    fn l13_a_problem_that_is_back_after_a_while_opens_whatever_its_beginning() {
        let mut story = ended();
        source(&mut story, 60 + 240, EventStatus::Firing, 5);
        assert_eq!(story.alert().status, Status::Open);
    }

    #[test]
    fn l13_what_a_person_has_closed_opens_again_when_it_still_fires() {
        let mut story = Story::new(vec![]);
        source(&mut story, 10, EventStatus::Firing, 5);
        story.operator(20, Action::Resolve { comment: None });
        source(&mut story, 30, EventStatus::Firing, 5);
        assert_eq!(story.alert().status, Status::Open);
    }
}
