//! The steps of a scenario: who is told, when, and by which rule somebody is not.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use schemas::config::{Scenario, Silence, Step};
use schemas::{
    Actor, Alert, Channel, Happening, HistoryKind, LedgerEntry, LedgerState, NotificationKind, Reason,
    Target, What,
};

use crate::Site;
use crate::state::{AlertState, Expiry, Hold, StepState};
use crate::transition::{Change, heartbeat, retry, text};
use crate::window::Window;

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
    let alert = &state.alert;
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
    let scenario = site.scenarios.get(&alert.scenario).filter(|_| state.is_open());
    let steps: Vec<_> = scenario
        .into_iter()
        .flat_map(numbered)
        .filter_map(|(_, occurrence, step)| {
            let mut known = state.steps.iter();
            let known = known.find(|known| known.is_of(step, occurrence));
            step_deadline(state, step, known, site, now)
        })
        .collect();
    let is_silenced = steps.iter().any(|step| step.is_silenced);
    let first = ends.chain(steps).min_by_key(|deadline| deadline.due_at)?;
    Some(Deadline { is_silenced, ..first })
}

/// As [`next_deadline`], but every open alert has one, at the end of time if need be: so those that a changed site may
/// concern are found.
pub fn kept_deadline(state: &AlertState, site: &Site, now: Timestamp) -> Option<Deadline> {
    let on_a_change = Deadline::of(DeadlineKind::Site, END_OF_TIME);
    next_deadline(state, site, now).or_else(|| state.is_open().then_some(on_a_change))
}

/// The steps, with their place and how many before them have the same channel, destination and delay.
fn numbered(scenario: &Scenario) -> impl Iterator<Item = (usize, usize, &Step)> {
    scenario.steps.iter().enumerate().map(|(index, step)| {
        let before = scenario.steps[..index].iter();
        let occurrence = before.filter(|before| name(before) == name(step)).count();
        (index, occurrence, step)
    })
}

/// What names a step, so that a changed scenario keeps what is done.
fn name(step: &Step) -> (Channel, &str, u64) {
    (step.channel, &step.destination, step.delay_seconds)
}

/// When a step that was not told yet is to be evaluated again: when its delay is over, and when what holds it back ends by
/// itself. Other holds end with an input, and each input evaluates every step.
fn step_deadline(
    state: &AlertState,
    step: &Step,
    known: Option<&StepState>,
    site: &Site,
    now: Timestamp,
) -> Option<Deadline> {
    let at = |due_at| Deadline::of(DeadlineKind::Step, due_at);
    if known.is_some_and(|known| known.told) {
        return row_of(state, step).and_then(retry::retry_at).map(at);
    }
    let alert = &state.alert;
    let due_at = known
        .and_then(|known| known.due_at)
        .unwrap_or_else(|| nominal_due_at(alert, step));
    let due_at = (due_at > now).then_some(due_at);
    if known.is_some_and(|known| known.held_since.is_none()) {
        return due_at.map(at);
    }
    let silence_end = silence(alert, site, now).map(|silence| silence.ends_at);
    let window = step.window.as_ref().and_then(|window| Window::parse(window).ok());
    let opening = window
        .filter(|window| !window.contains(now))
        .and_then(|window| window.next_opening(now));
    // While a silence lasts the opening of the window changes nothing.
    let first = due_at.into_iter().chain(silence_end.or(opening)).min()?;
    Some(Deadline {
        is_silenced: silence_end.is_some(),
        ..at(first)
    })
}

/// The silence that holds the alert back longest, if one does.
fn silence<'s>(alert: &Alert, site: &'s Site, now: Timestamp) -> Option<&'s Silence> {
    site.silencing(alert, now)
        .max_by_key(|silence| (silence.ends_at, silence.id))
}

/// When a step is due if nothing holds it back.
fn nominal_due_at(alert: &Alert, step: &Step) -> Timestamp {
    let delay = SignedDuration::from_secs(i64::try_from(step.delay_seconds).unwrap_or(i64::MAX));
    alert.opened_at.checked_add(delay).unwrap_or(Timestamp::MAX)
}

/// Evaluates every step: keeps for how long it is held back, tells the people of one that is due, or puts on record by which
/// rules they are not told.
pub(crate) fn advance(change: &mut Change<'_>) {
    if !change.state.is_open() {
        return;
    }
    let site = change.site;
    let name = &change.state.alert.scenario;
    let Some(scenario) = site.scenarios.get(name) else {
        if change.opens() || change.state.missing_scenario.as_ref() != Some(name) {
            let scenario = name.clone();
            change.state.missing_scenario = Some(scenario.clone());
            let happening = Happening {
                actor: Actor::System,
                what: What::HeldBack { target: None },
                reasons: vec![Reason::NoScenario { scenario }],
            };
            change.keep();
            change.note(happening, None);
        }
        return;
    };
    if change.state.missing_scenario.take().is_some() {
        change.keep();
    }
    for (index, occurrence, step) in numbered(scenario) {
        evaluate(change, scenario, (index, occurrence), step);
    }
}

fn evaluate(change: &mut Change<'_>, scenario: &Scenario, (index, occurrence): (usize, usize), step: &Step) {
    let mut known = change.state.steps.iter();
    let known = known.position(|known| known.is_of(step, occurrence));
    let known = known.unwrap_or_else(|| {
        change.state.steps.push(StepState::of(step, occurrence));
        change.state.steps.len() - 1
    });
    if change.state.steps[known].told {
        let row = row_of(&change.state, step);
        if !row.is_some_and(|row| retry::is_due(row, &change.state.alert, change.site, change.now)) {
            return;
        }
        change.state.steps[known].make_due(change.now);
    }
    let reasons = suppression(&change.state, step, change.site, change.now);
    let nominal = nominal_due_at(&change.state.alert, step);
    let now = change.now;
    let (due_at, has_changed) = change.state.steps[known].track_hold(nominal, !reasons.is_empty(), now);
    if has_changed {
        change.keep();
    }
    if due_at > now {
        return;
    }
    if reasons.is_empty() {
        change.state.steps[known].told = true;
        change.state.steps[known].suppressed_by.clear();
        change.keep();
        tell(change, scenario, index, step);
    } else if change.state.steps[known].suppressed_by != reasons {
        change.state.steps[known].suppressed_by.clone_from(&reasons);
        let happening = Happening {
            actor: actor(scenario, index),
            what: What::HeldBack {
                target: Some(target(step)),
            },
            reasons,
        };
        change.keep();
        change.note(happening, None);
    }
}

/// All that holds a step back now; it is taken when there is nothing.
fn suppression(state: &AlertState, step: &Step, site: &Site, now: Timestamp) -> Vec<Reason> {
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

fn tell(change: &mut Change<'_>, scenario: &Scenario, index: usize, step: &Step) {
    let open = row_index(&change.state, step);
    let failed = open
        .map(|row| &change.state.ledger[row])
        .filter(|row| row.state == LedgerState::Failed);
    let again = failed.map(|row| Reason::NotDelivered {
        error: row.error.clone().unwrap_or_default(),
    });
    let alert = &change.state.alert;
    let episode = alert.episode;
    let reason = format!("{} {}: {}", alert.severity, alert.name, alert.output);
    let happening = Happening {
        actor: actor(scenario, index),
        what: What::Notifying { target: target(step) },
        reasons: again.into_iter().collect(),
    };
    change.note(happening, None);
    match open {
        Some(row) if change.state.ledger[row].state == LedgerState::Failed => {
            change.state.ledger[row].state = LedgerState::Opening;
            change.state.ledger[row].failed = None;
            change.hand_out(row, NotificationKind::Open, HistoryKind::Opened, &reason);
        }
        // A later step to the same destination reminds of what is open there.
        Some(row) => change.hand_out(
            row,
            NotificationKind::Update,
            HistoryKind::Notifying,
            "still open",
        ),
        None => {
            let now = change.now;
            let row = change.open_row(LedgerEntry {
                episode,
                channel: step.channel,
                destination: step.destination.clone(),
                bot: step.bot.clone(),
                state: LedgerState::Opening,
                sequence: 0,
                settled_sequence: 0,
                reference: None,
                opened_at: now,
                changed_at: now,
                error: None,
                failed: None,
            });
            change.hand_out(row, NotificationKind::Open, HistoryKind::Opened, &reason);
        }
    }
}

/// The row of the ledger that a step has opened in this episode.
fn row_of<'s>(state: &'s AlertState, step: &Step) -> Option<&'s LedgerEntry> {
    row_index(state, step).and_then(|index| state.ledger.get(index))
}

fn row_index(state: &AlertState, step: &Step) -> Option<usize> {
    let is_of = |row: &LedgerEntry| {
        row.episode == state.alert.episode
            && row.channel == step.channel
            && row.destination == step.destination
    };
    state.ledger.iter().position(is_of)
}

fn target(step: &Step) -> Target {
    Target {
        channel: step.channel,
        destination: step.destination.clone(),
    }
}

fn actor(scenario: &Scenario, index: usize) -> Actor {
    Actor::Step {
        scenario: scenario.name.clone(),
        number: u32::try_from(index + 1).unwrap_or(u32::MAX),
    }
}

impl StepState {
    fn of(step: &Step, occurrence: usize) -> Self {
        Self {
            channel: step.channel,
            destination: step.destination.clone(),
            delay_seconds: step.delay_seconds,
            occurrence,
            told: false,
            due_at: None,
            held_since: None,
            suppressed_by: Vec::new(),
        }
    }

    /// Its people are notified again, unless something holds the step back.
    fn make_due(&mut self, now: Timestamp) {
        self.told = false;
        self.due_at = Some(now);
        self.held_since = None;
        self.suppressed_by.clear();
    }

    /// Keeps since when the step is held back; when a hold ends, its duration moves the due time. Answers the due time, and whether
    /// anything has changed.
    fn track_hold(&mut self, nominal_due_at: Timestamp, is_held: bool, now: Timestamp) -> (Timestamp, bool) {
        let before = (self.due_at, self.held_since);
        let due_at = self.due_at.unwrap_or(nominal_due_at);
        let due_at = match (is_held, self.held_since) {
            (true, None) => {
                self.held_since = Some(now);
                due_at
            }
            (false, Some(since)) => {
                self.held_since = None;
                // The delay of one that was due already is over.
                let lasted = if since < due_at {
                    now.duration_since(since)
                } else {
                    SignedDuration::ZERO
                };
                due_at.saturating_add(lasted).unwrap_or(Timestamp::MAX)
            }
            _ => due_at,
        };
        self.due_at = Some(due_at).filter(|due_at| *due_at != nominal_due_at);
        (due_at, before != (self.due_at, self.held_since))
    }

    fn is_of(&self, step: &Step, occurrence: usize) -> bool {
        (self.channel, self.destination.as_str(), self.delay_seconds) == name(step)
            && self.occurrence == occurrence
    }
}
