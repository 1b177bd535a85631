//! What people do with an open alert: each is a row of one list, and whatever begins, ends, holds a step back or is undone is read
//! from it. A further kind is a row of [`HoldKind`] with its words.

use jiff::Timestamp;
use schemas::alert::{Acknowledgement, Assignment, Downtime, Handling, OperatorState, Snooze};
use schemas::{Actor, Alert, Happening, HoldKind, Reason, What};

use super::change::Change;
use crate::state::{EndsWith, Hold};

/// What happens to an alert that may end a hold, beside its time and the person who takes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The severity changed.
    Severity,
    /// The output changed.
    Output,
    /// The alert closed: its holds end without a line of their own.
    Close,
    /// The alert opened again.
    Reopen,
}

impl Ending {
    fn reason(self) -> Option<Reason> {
        match self {
            Ending::Severity => Some(Reason::SeverityChanged),
            Ending::Output => Some(Reason::OutputChanged),
            Ending::Reopen => Some(Reason::Reopened),
            Ending::Close => None,
        }
    }
}

/// A person has seen it: until the severity changes or it closes.
pub(super) fn acknowledgement(by: &str, since: Timestamp, comment: Option<String>) -> Hold {
    Hold {
        kind: HoldKind::Acknowledgement,
        by: by.to_owned(),
        assignee: None,
        since,
        until: None,
        ends_with: EndsWith {
            severity: true,
            output: false,
            close: true,
            reopen: false,
        },
        comment,
    }
}

/// It is hidden: until a time, and until the severity or the output changes unless that is sticky. Without any stickiness it ends
/// also when the alert opens again.
pub(super) fn snooze(
    (by, since, comment): (&str, Timestamp, Option<String>),
    until: Timestamp,
    (sticky_severity, sticky_output): (bool, bool),
) -> Hold {
    Hold {
        kind: HoldKind::Snooze,
        by: by.to_owned(),
        assignee: None,
        since,
        until: Some(until),
        ends_with: EndsWith {
            severity: !sticky_severity,
            output: !sticky_output,
            close: false,
            reopen: !sticky_severity && !sticky_output,
        },
        comment,
    }
}

/// It is expected to be there: until a time, whatever its source says, over an end and another opening too.
pub(super) fn downtime((by, since, comment): (&str, Timestamp, Option<String>), until: Timestamp) -> Hold {
    Hold {
        kind: HoldKind::Downtime,
        by: by.to_owned(),
        assignee: None,
        since,
        until: Some(until),
        ends_with: EndsWith {
            severity: false,
            output: false,
            close: false,
            reopen: false,
        },
        comment,
    }
}

/// A person owns it: until a time, if one is given, the severity changes or it opens again. Who had it may not know that it is another
/// problem then, and nobody else would be notified.
pub(super) fn assignment(
    (by, since, comment): (&str, Timestamp, Option<String>),
    assignee: &str,
    until: Option<Timestamp>,
) -> Hold {
    Hold {
        kind: HoldKind::Assignment,
        by: by.to_owned(),
        assignee: Some(assignee.to_owned()),
        since,
        until,
        ends_with: EndsWith {
            severity: true,
            output: false,
            close: false,
            reopen: true,
        },
        comment,
    }
}

/// A person works on it: until a time, or until it closes.
pub(super) fn handling((by, since): (&str, Timestamp), assignee: Option<&str>, until: Timestamp) -> Hold {
    Hold {
        kind: HoldKind::Handling,
        by: by.to_owned(),
        assignee: Some(assignee.unwrap_or(by).to_owned()),
        since,
        until: Some(until),
        ends_with: EndsWith {
            severity: false,
            output: false,
            close: true,
            reopen: false,
        },
        comment: None,
    }
}

/// The hold of a kind, while there is one.
pub(crate) fn find(holds: &[Hold], kind: HoldKind) -> Option<&Hold> {
    holds.iter().find(|hold| hold.kind == kind)
}

/// Begins a hold, in place of another one of its kind.
pub(super) fn begin(change: &mut Change<'_>, hold: Hold) -> What {
    let began = hold.began();
    let counts = &mut change.state.alert.counts;
    match hold.kind {
        HoldKind::Acknowledgement => counts.acknowledged += 1,
        HoldKind::Snooze => counts.snoozed += 1,
        HoldKind::Downtime | HoldKind::Assignment | HoldKind::Handling => {}
    }
    let replaces = |other: &Hold| {
        other.kind == hold.kind || (hold.kind, other.kind) == (HoldKind::Snooze, HoldKind::Handling)
    };
    change.state.holds.retain(|other| !replaces(other));
    change.state.holds.push(hold);
    change.state.holds.sort_by_key(|hold| hold.kind);
    began
}

/// Ends the hold of a kind, as a person asked for it; `None` when there is none.
pub(super) fn take_back(change: &mut Change<'_>, kind: HoldKind) -> Option<What> {
    let index = change.state.holds.iter().position(|hold| hold.kind == kind)?;
    Some(change.state.holds.remove(index).ended())
}

/// Ends the holds whose time is over; answers whether there were any.
pub(super) fn end_expired(change: &mut Change<'_>) -> bool {
    let now = change.now;
    let expired: Vec<_> = change
        .state
        .holds
        .extract_if(.., |hold| hold.until.is_some_and(|until| until <= now))
        .collect();
    let found = !expired.is_empty();
    for hold in expired {
        let happening = by_itself(&hold, Reason::Expired);
        change.notify_followers(&happening);
        change.record(happening, None);
    }
    found
}

/// Ends the holds that end with this, but for one kind that is excepted; answers those that have ended.
pub(super) fn end_with(change: &mut Change<'_>, ending: Ending, except: Option<HoldKind>) -> Vec<Hold> {
    let ended: Vec<_> = change
        .state
        .holds
        .extract_if(.., |hold| {
            hold.ends_with.contains(ending) && Some(hold.kind) != except
        })
        .collect();
    if let Some(reason) = ending.reason() {
        for hold in &ended {
            change.record(by_itself(hold, reason.clone()), None);
        }
    }
    ended
}

fn by_itself(hold: &Hold, reason: Reason) -> Happening {
    Happening {
        actor: Actor::System,
        what: hold.ended(),
        reasons: vec![reason],
    }
}

/// Shows the holds in the fields that they have in an alert.
pub(super) fn show(holds: &[Hold], alert: &mut Alert) {
    let find = |kind| find(holds, kind);
    alert.operator_state = holds
        .first()
        .map_or(OperatorState::Active, |hold| hold.kind.state());
    alert.acknowledgement = find(HoldKind::Acknowledgement).map(|hold| Acknowledgement {
        by: hold.by.clone(),
        at: hold.since,
        comment: hold.comment.clone(),
    });
    alert.snooze = find(HoldKind::Snooze).map(|hold| Snooze {
        by: hold.by.clone(),
        at: hold.since,
        until: hold.end(),
        sticky_severity: !hold.ends_with.severity,
        sticky_output: !hold.ends_with.output,
        comment: hold.comment.clone(),
    });
    alert.downtime = find(HoldKind::Downtime).map(|hold| Downtime {
        by: hold.by.clone(),
        at: hold.since,
        until: hold.end(),
        comment: hold.comment.clone(),
    });
    alert.assignment = find(HoldKind::Assignment).map(|hold| Assignment {
        by: hold.by.clone(),
        assignee: hold.assignee().to_owned(),
        at: hold.since,
        until: hold.until,
        comment: hold.comment.clone(),
    });
    alert.handling = find(HoldKind::Handling).map(|hold| Handling {
        by: hold.by.clone(),
        assignee: hold.assignee().to_owned(),
        at: hold.since,
        until: hold.end(),
    });
}

impl EndsWith {
    const fn contains(self, ending: Ending) -> bool {
        match ending {
            Ending::Severity => self.severity,
            Ending::Output => self.output,
            Ending::Close => self.close,
            Ending::Reopen => self.reopen,
        }
    }
}

impl Hold {
    /// Why it holds steps back.
    pub(crate) fn reason(&self) -> Reason {
        Reason::Held {
            hold: self.kind,
            by: self.by.clone(),
            assignee: self.assignee.clone(),
            until: self.until,
        }
    }

    fn began(&self) -> What {
        What::HoldBegan {
            hold: self.kind,
            assignee: self.assignee.clone(),
            until: self.until,
        }
    }

    fn ended(&self) -> What {
        What::HoldEnded {
            hold: self.kind,
            assignee: self.assignee.clone(),
        }
    }

    fn assignee(&self) -> &str {
        self.assignee.as_deref().unwrap_or(&self.by)
    }

    /// The end, of a kind that always has one.
    fn end(&self) -> Timestamp {
        self.until.unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use schemas::{Action, CommandOutcome, HistoryKind, NotificationKind, OperatorState, Severity};

    use crate::transition::Input;
    use crate::transition::deadlines::{DeadlineKind, next_deadline};
    use crate::transition::examples::{at, step};
    use crate::transition::story::{Story, answer, kinds, told};
    use crate::words;

    fn downtime(story: &mut Story, second: i64, until: i64) -> crate::Outcome {
        let action = Action::Downtime {
            until: at(until),
            comment: Some("new disks".to_owned()),
        };
        story.operator(second, action)
    }

    fn critical_only() -> Story {
        let mut step = step(schemas::Channel::Slack, "#ops");
        step.minimum_severity = Severity::Critical;
        Story::new(vec![step])
    }

    #[test]
    fn a_downtime_holds_back_until_its_end_over_a_close_and_another_opening() {
        let mut story = critical_only();
        story.fires(0, Severity::Warning, "80 %");
        let began = downtime(&mut story, 1, 600);
        // The step was held back before, for its severity; now for the downtime too.
        assert_eq!(kinds(&began), [HistoryKind::DowntimeBegan, HistoryKind::HeldBack]);
        assert_eq!(
            words::message(&began.history[0].happening),
            "in downtime until 2026-09-01T10:10:00Z: new disks"
        );
        assert_eq!(story.alert().operator_state, OperatorState::InDowntime);
        assert_eq!(told(&story.fires(2, Severity::Critical, "99 %")), []);
        story.ends(3);
        assert_eq!(told(&story.fires(300, Severity::Critical, "98 %")), []);
        assert_eq!(story.alert().downtime.as_ref().unwrap().until, at(600));

        let deadline = next_deadline(story.state.as_ref().unwrap(), &story.site, at(300)).unwrap();
        assert_eq!((deadline.kind, deadline.due_at), (DeadlineKind::HoldEnd, at(600)));
        let ended = story.take(Input::Deadline, at(600));
        assert_eq!(
            kinds(&ended),
            [HistoryKind::DowntimeEnded, HistoryKind::Notifying]
        );
        assert_eq!(told(&ended), [(NotificationKind::Open, "#ops")]);
        assert_eq!(story.alert().operator_state, OperatorState::Active);
    }

    #[test]
    fn a_downtime_can_be_cancelled_and_must_end_in_the_future() {
        let mut story = critical_only();
        story.fires(0, Severity::Critical, "99 %");
        assert_eq!(answer(&downtime(&mut story, 5, 5)), CommandOutcome::Refused);
        downtime(&mut story, 10, 600);
        let cancelled = story.operator(20, Action::CancelDowntime);
        assert_eq!(kinds(&cancelled), [HistoryKind::DowntimeEnded]);
        assert_eq!(story.alert().downtime, None);
        assert_eq!(
            answer(&story.operator(30, Action::CancelDowntime)),
            CommandOutcome::Unchanged
        );
    }
}
