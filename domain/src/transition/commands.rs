//! What becomes of an alert when an operator acts.

use schemas::alert::{Acknowledgement, Assignment, Handling, Snooze};
use schemas::{Action, AlertEvent, Command, CommandAnswer, CommandOutcome, HistoryKind, Wish};

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
        Verdict::Applied(kind, message) => {
            let actor = format!("operator {}", command.author);
            carry_out(change, (kind, &message), actor, &command.author, None);
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
        Some(author) => (author, format!("operator {author}")),
        None => (&event.integration, events::actor(event)),
    };
    match act(change, author, &wish.action) {
        Verdict::Applied(kind, message) => {
            carry_out(change, (kind, &message), actor, author, Some(event));
            remember(change, event.event_id.to_string());
        }
        Verdict::Unchanged(_) => change.ignored = Some(Ignored::Refresh),
        Verdict::Refused(reason) => {
            let message = format!("{} was not done: {reason}", wish.action.name());
            change.note(HistoryKind::Refused, actor, message, Some(event));
        }
    }
}

pub(super) enum Verdict {
    Applied(HistoryKind, String),
    Unchanged(&'static str),
    Refused(String),
}

fn carry_out(
    change: &mut Change<'_>,
    (kind, message): (HistoryKind, &str),
    actor: String,
    author: &str,
    event: Option<&AlertEvent>,
) {
    // Closing and opening write their own line, as events do.
    match kind {
        HistoryKind::Closed => events::close(change, actor, message, event),
        HistoryKind::Reopened => events::reopen(change, actor, message, event),
        _ => {
            change.record(kind, actor, message, event);
            change.tell_followers(kind, &format!("{message} by {author}"));
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
            Verdict::Applied(HistoryKind::Commented, format!("commented: {comment}"))
        }
        Action::Uncomment => match change.state.alert.comment.take() {
            Some(comment) => Verdict::Applied(
                HistoryKind::Uncommented,
                format!("took back the comment: {comment}"),
            ),
            None => Verdict::Unchanged("there is no comment"),
        },
        Action::Unresolve if is_open => Verdict::Unchanged("the alert is open"),
        Action::Unresolve => Verdict::Applied(HistoryKind::Reopened, "opened again".to_owned()),
        Action::Resolve { .. } if !is_open => Verdict::Unchanged("the alert is closed"),
        Action::Resolve { comment } => Verdict::Applied(
            HistoryKind::Closed,
            with_comment(format!("resolved by {author}"), comment.as_deref()),
        ),
        _ if !is_open => Verdict::Refused("the alert is closed".to_owned()),
        Action::Amend { amendment, comment } => match amendment::amend(change, author, amendment) {
            Verdict::Applied(kind, message) => {
                Verdict::Applied(kind, with_comment(message, comment.as_deref()))
            }
            other => other,
        },
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
            Verdict::Applied(
                HistoryKind::Acknowledged,
                with_comment("acknowledged".to_owned(), comment.as_deref()),
            )
        }
        Action::Unacknowledge => match alert.acknowledgement.take() {
            Some(_) => Verdict::Applied(
                HistoryKind::Unacknowledged,
                "acknowledgement taken back".to_owned(),
            ),
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
            Verdict::Applied(
                HistoryKind::Snoozed,
                with_comment(format!("snoozed until {until}"), comment.as_deref()),
            )
        }
        Action::Unsnooze => match alert.snooze.take() {
            Some(_) => Verdict::Applied(HistoryKind::Unsnoozed, "snooze taken back".to_owned()),
            None => Verdict::Unchanged("the alert is not snoozed"),
        },
        Action::Handle { until, .. } if *until <= now => past(),
        Action::Handle { until, assignee } => {
            let assignee = assignee.clone().unwrap_or_else(|| by.clone());
            let message = format!("{assignee} handles it until {until}");
            alert.handling = Some(Handling {
                by,
                assignee,
                at: now,
                until: *until,
            });
            Verdict::Applied(HistoryKind::Handled, message)
        }
        Action::Unhandle => match alert.handling.take() {
            Some(_) => Verdict::Applied(HistoryKind::Unhandled, "handling taken back".to_owned()),
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
            let message = with_comment(format!("assigned to {assignee}"), comment.as_deref());
            alert.assignment = Some(Assignment {
                by,
                assignee: assignee.clone(),
                at: now,
                until: *until,
                comment: comment.clone(),
            });
            Verdict::Applied(HistoryKind::Assigned, message)
        }
        Action::Unassign => match alert.assignment.take() {
            Some(_) => Verdict::Applied(HistoryKind::Unassigned, "assignment taken back".to_owned()),
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

fn with_comment(message: String, comment: Option<&str>) -> String {
    match comment {
        Some(comment) if !comment.is_empty() => format!("{message}: {comment}"),
        _ => message,
    }
}
