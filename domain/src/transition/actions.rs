//! What becomes of an alert when a person acts, or its sender requests an action.

use jiff::Timestamp;
use schemas::{
    Action, ActionRequest, Actor, AlertEvent, Command, CommandAnswer, CommandOutcome, Happening, HoldKind,
    Reason, Via, What,
};

use super::change::{Change, Verdict};
use super::outcome::Ignored;
use super::{amendment, holds, lifecycle};
use crate::state::REMEMBERED_KEYS;

/// The answer to a command about an alert that does not exist.
pub(super) fn unknown(command: &Command) -> CommandAnswer {
    CommandAnswer {
        command_id: command.command_id,
        outcome: CommandOutcome::Unknown,
        reason: Some(format!("there is no alert {}", command.fingerprint)),
    }
}

/// Applies a command and answers it.
pub(super) fn apply(change: &mut Change<'_>, command: &Command) {
    if change.state.applied_keys.contains(&command.idempotency_key) {
        // As it was answered then: the answer may have been lost.
        let reason = "this idempotency key was applied before".to_owned();
        change.answer(command, CommandOutcome::Applied, Some(reason));
        return;
    }
    match act(change, &command.author, &command.action) {
        Verdict::Applied(what) => {
            let actor = Actor::User {
                name: command.author.clone(),
                via: command.requested_by.via.clone(),
            };
            carry_out(change, happening(actor, what, &command.action), None);
            remember(change, command.idempotency_key.clone());
            change.answer(command, CommandOutcome::Applied, None);
        }
        Verdict::Unchanged(reason) => {
            change.answer(command, CommandOutcome::Unchanged, Some(reason.to_owned()));
        }
        Verdict::Refused(reason) => change.answer(command, CommandOutcome::Refused, Some(reason)),
    }
}

/// Applies what a sender requests. It waits for no answer, so what cannot be done is a line of the history.
pub(super) fn requested(change: &mut Change<'_>, event: &AlertEvent, request: &ActionRequest) {
    let (author, actor) = match &request.author {
        Some(author) => (author, person(author, event)),
        None => (&event.integration, lifecycle::source_actor(event)),
    };
    match act(change, author, &request.action) {
        Verdict::Applied(what) => {
            carry_out(change, happening(actor, what, &request.action), Some(event));
            remember(change, event.event_id.to_string());
        }
        Verdict::Unchanged(_) => change.ignored = Some(Ignored::Refresh),
        Verdict::Refused(problem) => {
            let happening = Happening {
                actor,
                what: What::Refused {
                    action: request.action.name().to_owned(),
                },
                reasons: vec![Reason::Invalid { problem }],
            };
            change.note(happening, Some(event));
        }
    }
}

/// A person whom a sender names.
fn person(name: &str, event: &AlertEvent) -> Actor {
    Actor::User {
        name: name.to_owned(),
        via: Via::IntegrationKey {
            integration: event.integration.clone(),
        },
    }
}

fn happening(actor: Actor, what: What, action: &Action) -> Happening {
    let comment = action.comment().map(|comment| Reason::Comment {
        comment: comment.to_owned(),
    });
    Happening {
        actor,
        what,
        reasons: comment.into_iter().collect(),
    }
}

fn carry_out(change: &mut Change<'_>, happening: Happening, event: Option<&AlertEvent>) {
    // Closing and opening write their own line, as events do.
    match &happening.what {
        What::Closed { .. } => {
            change.state.ended = None;
            lifecycle::close(change, happening, event);
        }
        What::Reopened { .. } => lifecycle::reopen(change, (happening.actor, happening.reasons), event),
        _ => {
            change.notify_followers(&happening);
            change.record(happening, event);
        }
    }
}

fn remember(change: &mut Change<'_>, key: String) {
    let keys = &mut change.state.applied_keys;
    keys.push_back(key);
    if keys.len() > REMEMBERED_KEYS {
        keys.pop_front();
    }
}

fn act(change: &mut Change<'_>, author: &str, action: &Action) -> Verdict {
    let is_open = change.state.is_open();
    match action {
        Action::Comment { comment } => {
            change.state.alert.comment = Some(comment.clone());
            Verdict::Applied(What::Commented {
                comment: comment.clone(),
            })
        }
        Action::Uncomment => match change.state.alert.comment.take() {
            Some(comment) => Verdict::Applied(What::Uncommented { comment }),
            None => Verdict::Unchanged("there is no comment"),
        },
        Action::Unresolve if is_open => Verdict::Unchanged("the alert is open"),
        Action::Unresolve => Verdict::Applied(What::Reopened {
            severity: change.state.alert.severity,
            output: change.state.alert.output.clone(),
        }),
        Action::Resolve { .. } if !is_open => Verdict::Unchanged("the alert is closed"),
        Action::Resolve { .. } => Verdict::Applied(What::Closed { output: None }),
        _ if !is_open => Verdict::Refused("the alert is closed".to_owned()),
        Action::Amend { amendment, .. } => amendment::amend(change, author, amendment),
        Action::Unamend => amendment::unamend(change),
        action => hold(change, author, action),
    }
}

/// The actions that begin a hold, or take it back.
fn hold(change: &mut Change<'_>, author: &str, action: &Action) -> Verdict {
    let now = change.now;
    let past = |until: &Timestamp| *until <= now;
    let new = match action {
        Action::Acknowledge { .. } if is_held(change, HoldKind::Acknowledgement) => {
            return Verdict::Unchanged("the alert is acknowledged");
        }
        Action::Snooze { until, .. }
        | Action::Downtime { until, .. }
        | Action::Handle { until, .. }
        | Action::Assign {
            until: Some(until), ..
        } if past(until) => {
            return Verdict::Refused("`until` is past: give a time in the future".to_owned());
        }
        Action::Acknowledge { comment } => holds::acknowledgement(author, now, comment.clone()),
        Action::Snooze {
            until,
            sticky_severity,
            sticky_output,
            comment,
        } => holds::snooze(
            (author, now, comment.clone()),
            *until,
            (*sticky_severity, *sticky_output),
        ),
        Action::Downtime { until, comment } => holds::downtime((author, now, comment.clone()), *until),
        Action::Handle { until, assignee } => holds::handling((author, now), assignee.as_deref(), *until),
        Action::Assign {
            assignee,
            until,
            comment,
        } => holds::assignment((author, now, comment.clone()), assignee, *until),
        Action::Unacknowledge => {
            return take_back(change, HoldKind::Acknowledgement, "the alert is not acknowledged");
        }
        Action::Unsnooze => return take_back(change, HoldKind::Snooze, "the alert is not snoozed"),
        Action::CancelDowntime => {
            return take_back(change, HoldKind::Downtime, "the alert is not in downtime");
        }
        Action::Unhandle => return take_back(change, HoldKind::Handling, "nobody handles the alert"),
        Action::Unassign => {
            return take_back(change, HoldKind::Assignment, "the alert is assigned to nobody");
        }
        Action::Amend { .. }
        | Action::Unamend
        | Action::Comment { .. }
        | Action::Uncomment
        | Action::Resolve { .. }
        | Action::Unresolve => return Verdict::Unchanged("done elsewhere"),
    };
    Verdict::Applied(holds::begin(change, new))
}

fn is_held(change: &Change<'_>, kind: HoldKind) -> bool {
    holds::find(&change.state.holds, kind).is_some()
}

fn take_back(change: &mut Change<'_>, kind: HoldKind, otherwise: &'static str) -> Verdict {
    match holds::take_back(change, kind) {
        Some(what) => Verdict::Applied(what),
        None => Verdict::Unchanged(otherwise),
    }
}
