//! Changes of an alert's text, which some sources make with every refresh.
//!
//! The alert always has the last text, and the console shows it. A line of the history and a message to those who follow
//! are worth it at most once in [`crate::Pace::text`]; what changes sooner waits for that time to pass.

use jiff::Timestamp;
use schemas::{Actor, AlertEvent, Happening, What};

use super::change::Change;
use crate::Pace;
use crate::state::{AlertState, TextChange, TextRecord};

/// The text has changed. It is recorded now if the last change was recorded long enough ago, or if something else has
/// ended with it.
pub(super) fn changed(change: &mut Change<'_>, event: &AlertEvent, what: TextChange, at_once: bool) {
    let before = change.state.text;
    let what = what.max(before.and_then(|before| before.waiting).unwrap_or(what));
    match before {
        Some(before) if !at_once && change.now < due_at(&before, change.site.pace) => {
            change.state.text = Some(TextRecord {
                waiting: Some(what),
                ..before
            });
            change.publish();
        }
        _ => record(change, what, Some(event)),
    }
}

/// The text is on record with something else.
pub(super) fn recorded(change: &mut Change<'_>) {
    change.state.text = Some(TextRecord {
        recorded_at: change.now,
        waiting: None,
    });
}

/// Records what has waited long enough.
pub(super) fn advance(change: &mut Change<'_>) {
    if let Some(text) = change.state.text
        && let Some(what) = text.waiting
        && change.now >= due_at(&text, change.site.pace)
    {
        record(change, what, None);
    }
}

/// The alert ends: the last text is kept in its history. The message of the end has the alert as it is then.
pub(super) fn keep_last(change: &mut Change<'_>) {
    if let Some(what) = change.state.text.take().and_then(|text| text.waiting) {
        let happening = happening(change, what);
        change.record(happening, None);
    }
}

/// When a change that waits is recorded.
pub(crate) fn deadline(state: &AlertState, pace: Pace) -> Option<Timestamp> {
    let text = state.text.as_ref().filter(|text| text.waiting.is_some())?;
    Some(due_at(text, pace))
}

fn due_at(text: &TextRecord, pace: Pace) -> Timestamp {
    text.recorded_at
        .saturating_add(pace.text)
        .unwrap_or(Timestamp::MAX)
}

fn record(change: &mut Change<'_>, what: TextChange, event: Option<&AlertEvent>) {
    let happening = happening(change, what);
    recorded(change);
    if what != TextChange::Beneath {
        change.notify_followers(&happening);
    }
    change.record(happening, event);
}

fn happening(change: &Change<'_>, what: TextChange) -> Happening {
    let alert = &change.state.alert;
    let what = match (what, &change.state.said) {
        (TextChange::Details, _) => What::DetailsChanged,
        (TextChange::Beneath, Some(said)) => What::SourceValuesChanged {
            severity: said.severity,
            output: said.output.clone(),
        },
        (TextChange::Output | TextChange::Beneath, _) => What::OutputChanged {
            output: alert.output.clone(),
        },
    };
    Happening {
        actor: Actor::Integration {
            name: alert.integration.clone(),
        },
        what,
        reasons: Vec::new(),
    }
}
