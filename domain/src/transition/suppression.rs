//! What holds a step of the scenario back. All reasons that hold are named, not the first.

use std::cmp::Reverse;

use jiff::Timestamp;
use schemas::config::{Silence, Step};
use schemas::{Alert, Reason};

use crate::Site;
use crate::state::{AlertState, Hold};
use crate::window::Window;

/// All that holds a step back now; it is taken when there is nothing.
pub(super) fn reasons(state: &AlertState, step: &Step, site: &Site, now: Timestamp) -> Vec<Reason> {
    let alert = &state.alert;
    let below = (alert.severity < step.minimum_severity).then_some(Reason::SeverityBelow {
        severity: alert.severity,
        minimum: step.minimum_severity,
    });
    let mut silences: Vec<_> = site.silencing(alert, now).collect();
    // The one that lasts longest comes first.
    silences.sort_by_key(|silence| Reverse((silence.ends_at, silence.id)));
    let silenced = silences.into_iter().map(|silence| Reason::Silenced {
        silence: silence.id,
        by: silence.created_by.clone(),
        until: silence.ends_at,
        comment: silence.comment.clone(),
    });
    below
        .into_iter()
        .chain(state.holds.iter().map(Hold::reason))
        .chain(silenced)
        .chain(window_closed(step, now))
        .collect()
}

fn window_closed(step: &Step, now: Timestamp) -> Option<Reason> {
    let text = step.window.as_ref()?;
    // A window that cannot be parsed is refused when it is applied; should one slip through, people are notified.
    let window = Window::parse(text).ok()?;
    (!window.contains(now)).then(|| Reason::WindowClosed {
        from: text.from.clone(),
        to: text.to.clone(),
        time_zone: text.time_zone.clone(),
    })
}

/// The silence that holds the alert back longest, if one does.
pub(super) fn longest_silence<'s>(alert: &Alert, site: &'s Site, now: Timestamp) -> Option<&'s Silence> {
    site.silencing(alert, now)
        .max_by_key(|silence| (silence.ends_at, silence.id))
}

/// When the window of a step that is closed now opens next.
pub(super) fn next_opening(step: &Step, now: Timestamp) -> Option<Timestamp> {
    let window = Window::parse(step.window.as_ref()?).ok()?;
    if window.contains(now) {
        return None;
    }
    window.next_opening(now)
}
