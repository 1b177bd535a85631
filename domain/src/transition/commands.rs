//! What becomes of an alert when an operator acts.

use schemas::alert::{Acknowledgement, Assignment, Handling, Snooze};
use schemas::{
    Action, Actor, AlertEvent, Command, CommandAnswer, CommandOutcome, Happening, Reason, What, Wish,
};

use super::{Change, Ignored, amendment, events};
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

/// Does what a sender wants. It waits for no answer, so what cannot be done is put on record.
pub(super) fn wished(change: &mut Change<'_>, event: &AlertEvent, wish: &Wish) {
    let (author, actor) = match &wish.author {
        Some(author) => (author, Actor::User { name: author.clone() }),
        None => (&event.integration, events::actor(event)),
    };
    match act(change, author, &wish.action) {
        Verdict::Applied(what) => {
            carry_out(change, happening(actor, what, &wish.action), Some(event));
            remember(change, event.event_id.to_string());
        }
        Verdict::Unchanged(_) => change.ignored = Some(Ignored::Refresh),
        Verdict::Refused(problem) => {
            let happening = Happening {
                actor,
                what: What::Refused {
                    action: wish.action.name().to_owned(),
                },
                reasons: vec![Reason::Invalid { problem }],
            };
            change.note(happening, Some(event));
        }
    }
}

pub(super) enum Verdict {
    Applied(What),
    Unchanged(&'static str),
    Refused(String),
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
            events::close(change, happening, event);
        }
        What::Reopened { .. } => events::reopen(change, (happening.actor, happening.reasons), event),
        _ => {
            change.tell_followers(&happening);
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
        action => mute(change, author, action),
    }
}

/// The actions that say who has an open alert, or for how long it is hidden.
fn mute(change: &mut Change<'_>, author: &str, action: &Action) -> Verdict {
    let now = change.now;
    let by = author.to_owned();
    let alert = &mut change.state.alert;
    let past = || Verdict::Refused("`until` is past: give a time in the future".to_owned());
    match action {
        Action::Acknowledge { .. } if alert.acknowledgement.is_some() => {
            Verdict::Unchanged("the alert is acknowledged")
        }
        Action::Acknowledge { comment } => {
            alert.acknowledgement = Some(Acknowledgement {
                by,
                at: now,
                comment: comment.clone(),
            });
            alert.counts.acknowledged += 1;
            Verdict::Applied(What::Acknowledged)
        }
        Action::Unacknowledge => match alert.acknowledgement.take() {
            Some(_) => Verdict::Applied(What::Unacknowledged),
            None => Verdict::Unchanged("the alert is not acknowledged"),
        },
        Action::Snooze { until, .. } if *until <= now => past(),
        Action::Snooze {
            until,
            sticky_severity,
            sticky_output,
            comment,
        } => {
            alert.snooze = Some(Snooze {
                by,
                at: now,
                until: *until,
                sticky_severity: *sticky_severity,
                sticky_output: *sticky_output,
                comment: comment.clone(),
            });
            alert.handling = None;
            alert.counts.snoozed += 1;
            Verdict::Applied(What::Snoozed { until: *until })
        }
        Action::Unsnooze => match alert.snooze.take() {
            Some(_) => Verdict::Applied(What::Unsnoozed),
            None => Verdict::Unchanged("the alert is not snoozed"),
        },
        Action::Handle { until, .. } if *until <= now => past(),
        Action::Handle { until, assignee } => {
            let assignee = assignee.clone().unwrap_or_else(|| by.clone());
            alert.handling = Some(Handling {
                by,
                assignee: assignee.clone(),
                at: now,
                until: *until,
            });
            Verdict::Applied(What::Handled {
                assignee,
                until: *until,
            })
        }
        Action::Unhandle => match alert.handling.take() {
            Some(_) => Verdict::Applied(What::Unhandled),
            None => Verdict::Unchanged("nobody handles the alert"),
        },
        Action::Assign {
            until: Some(until), ..
        } if *until <= now => past(),
        Action::Assign {
            assignee,
            until,
            comment,
        } => {
            alert.assignment = Some(Assignment {
                by,
                assignee: assignee.clone(),
                at: now,
                until: *until,
                comment: comment.clone(),
            });
            Verdict::Applied(What::Assigned {
                assignee: assignee.clone(),
            })
        }
        Action::Unassign => match alert.assignment.take() {
            Some(assignment) => Verdict::Applied(What::Unassigned {
                assignee: assignment.assignee,
            }),
            None => Verdict::Unchanged("the alert is assigned to nobody"),
        },
        Action::Amend { .. }
        | Action::Unamend
        | Action::Comment { .. }
        | Action::Uncomment
        | Action::Resolve { .. }
        | Action::Unresolve => Verdict::Unchanged("done elsewhere"),
    }
}
