//! The steps of a scenario: which endpoints are notified, and when.

use jiff::{SignedDuration, Timestamp};
use schemas::config::{Scenario, Step};
use schemas::{
    Actor, Alert, Endpoint, Happening, HistoryKind, LedgerEntry, LedgerState, NotificationKind, Reason, What,
};

use super::change::Change;
use super::{retry, suppression};
use crate::Site;
use crate::state::{AlertState, StepState};

/// When a step is to be evaluated again.
pub(super) struct StepDeadline {
    pub(super) due_at: Timestamp,
    /// A silence holds it back.
    pub(super) is_silenced: bool,
}

/// When the steps of an open alert are to be evaluated again.
pub(super) fn deadlines(state: &AlertState, site: &Site, now: Timestamp) -> Vec<StepDeadline> {
    let scenario = site
        .scenarios
        .get(&state.alert.scenario)
        .filter(|_| state.is_open());
    let steps = scenario.into_iter().flat_map(|scenario| &scenario.steps);
    steps
        .filter_map(|step| deadline(state, step, site, now))
        .collect()
}

/// When a step is to be evaluated again: when its delay is over, when what holds it back ends by itself, and when an endpoint that
/// could not be reached is tried again. Other holds end with an input, and each input evaluates every step.
pub(super) fn deadline(state: &AlertState, step: &Step, site: &Site, now: Timestamp) -> Option<StepDeadline> {
    let at = |due_at| StepDeadline {
        due_at,
        is_silenced: false,
    };
    let known = state.steps.iter().find(|known| known.id == step.id);
    if known.is_some_and(|known| known.is_notified) {
        let rows = step
            .targets
            .iter()
            .filter_map(|target| row_of(state, site, target));
        return rows.filter_map(retry::retry_at).min().map(at);
    }
    let alert = &state.alert;
    let due_at = known
        .and_then(|known| known.due_at)
        .unwrap_or_else(|| nominal_due_at(alert, step));
    let due_at = (due_at > now).then_some(due_at);
    if known.is_some_and(|known| known.held_since.is_none()) {
        return due_at.map(at);
    }
    let silence_end = suppression::longest_silence(alert, site, now).map(|silence| silence.ends_at);
    let opening = suppression::next_opening(step, now);
    // While a silence lasts the opening of the window changes nothing.
    let first = due_at.into_iter().chain(silence_end.or(opening)).min()?;
    Some(StepDeadline {
        due_at: first,
        is_silenced: silence_end.is_some(),
    })
}

/// When a step is due if nothing holds it back.
fn nominal_due_at(alert: &Alert, step: &Step) -> Timestamp {
    let delay = SignedDuration::from_secs(i64::try_from(step.delay_seconds).unwrap_or(i64::MAX));
    alert.opened_at.checked_add(delay).unwrap_or(Timestamp::MAX)
}

/// Evaluates every step: keeps for how long it is held back, notifies the endpoints of one that is due, or puts on record for which
/// reasons they are not notified.
pub(super) fn advance(change: &mut Change<'_>) {
    if !change.state.is_open() {
        return;
    }
    let site = change.site;
    let name = &change.state.alert.scenario;
    let Some(scenario) = site.scenarios.get(name) else {
        note_missing_scenario(change);
        return;
    };
    if change.state.missing_scenario.take().is_some() {
        change.keep();
    }
    for number in 1..=scenario.steps.len() {
        evaluate(change, scenario, number);
    }
}

/// The history says once that nobody is notified, since there is no such scenario.
fn note_missing_scenario(change: &mut Change<'_>) {
    let name = &change.state.alert.scenario;
    if !change.opens() && change.state.missing_scenario.as_ref() == Some(name) {
        return;
    }
    let scenario = name.clone();
    change.state.missing_scenario = Some(scenario.clone());
    let happening = Happening {
        actor: Actor::System,
        what: What::HeldBack {
            endpoints: Vec::new(),
        },
        reasons: vec![Reason::NoScenario { scenario }],
    };
    change.keep();
    change.note(happening, None);
}

/// Evaluates the step with this number, from 1.
fn evaluate(change: &mut Change<'_>, scenario: &Scenario, number: usize) {
    let Some(step) = scenario.steps.get(number - 1) else {
        return;
    };
    let known = change.state.steps.iter().position(|known| known.id == step.id);
    let known = known.unwrap_or_else(|| {
        change.state.steps.push(StepState::of(step));
        change.state.steps.len() - 1
    });
    if change.state.steps[known].is_notified {
        if !step.targets.iter().any(|target| is_retried(change, target)) {
            return;
        }
        change.state.steps[known].retry(change.now);
    }
    let reasons = suppression::reasons(&change.state, step, change.site, change.now);
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
        let is_retry = std::mem::take(&mut change.state.steps[known].is_retry);
        change.state.steps[known].is_notified = true;
        change.state.steps[known].suppressed_by.clear();
        change.keep();
        for target in &step.targets {
            if !is_retry || is_retried(change, target) {
                notify(change, actor(scenario, number), target);
            }
        }
    } else if change.state.steps[known].suppressed_by != reasons {
        change.state.steps[known].suppressed_by.clone_from(&reasons);
        let happening = Happening {
            actor: actor(scenario, number),
            what: What::HeldBack {
                endpoints: step.targets.clone(),
            },
            reasons,
        };
        change.keep();
        change.note(happening, None);
    }
}

/// Whether an endpoint whose open could not be delivered is tried again now.
fn is_retried(change: &Change<'_>, target: &Endpoint) -> bool {
    row_of(&change.state, change.site, target)
        .is_some_and(|row| retry::is_due(row, &change.state.alert, change.site, change.now))
}

/// Hands a notification to the channel of an endpoint: an open, or what reminds of an open one.
fn notify(change: &mut Change<'_>, actor: Actor, target: &Endpoint) {
    let row = row_index(&change.state, change.site, target);
    let failed = row
        .map(|row| &change.state.ledger[row])
        .filter(|row| row.state == LedgerState::Failed);
    let again = failed.map(|row| Reason::NotDelivered {
        error: row.error.clone().unwrap_or_default(),
    });
    let alert = &change.state.alert;
    let reason = format!("{} {}: {}", alert.severity, alert.name, alert.output);
    let happening = Happening {
        actor,
        what: What::Notifying {
            endpoint: target.clone(),
        },
        reasons: again.into_iter().collect(),
    };
    change.note(happening, None);
    match row {
        Some(row) if change.state.ledger[row].state == LedgerState::Failed => {
            change.state.ledger[row].state = LedgerState::Opening;
            change.state.ledger[row].failed = None;
            change.hand_out(row, NotificationKind::Open, HistoryKind::Opened, &reason);
        }
        // A later step to the same endpoint reminds of what is open there.
        Some(row) => change.hand_out(
            row,
            NotificationKind::Update,
            HistoryKind::Notifying,
            "still open",
        ),
        None => {
            let row = open_row(change, target);
            change.hand_out(row, NotificationKind::Open, HistoryKind::Opened, &reason);
        }
    }
}

fn open_row(change: &mut Change<'_>, target: &Endpoint) -> usize {
    let now = change.now;
    let entry = LedgerEntry {
        episode: change.state.alert.episode,
        channel: target.channel,
        destination: target.destination.clone(),
        bot: target.bot.clone(),
        state: LedgerState::Opening,
        sequence: 0,
        settled_sequence: 0,
        reference: None,
        opened_at: now,
        changed_at: now,
        error: None,
        failed: None,
    };
    change.state.ledger.push(entry);
    change.state.ledger.len() - 1
}

/// The row of the ledger of an endpoint in this episode.
pub(super) fn row_of<'s>(state: &'s AlertState, site: &Site, target: &Endpoint) -> Option<&'s LedgerEntry> {
    row_index(state, site, target).and_then(|index| state.ledger.get(index))
}

fn row_index(state: &AlertState, site: &Site, target: &Endpoint) -> Option<usize> {
    let is_of = |row: &LedgerEntry| {
        row.episode == state.alert.episode
            && row.channel == target.channel
            && row.destination == target.destination
            && is_same_bot(site, target, row.bot.as_deref())
    };
    state.ledger.iter().position(is_of)
}

/// A channel's only bot is the same whether or not it is named.
fn is_same_bot(site: &Site, target: &Endpoint, bot: Option<&str>) -> bool {
    let resolved = |bot| site.bot(target.channel, bot).map(|bot| &bot.name);
    target.bot.as_deref() == bot
        || resolved(bot).is_some_and(|bot| resolved(target.bot.as_deref()) == Some(bot))
}

fn actor(scenario: &Scenario, number: usize) -> Actor {
    Actor::Step {
        scenario: scenario.name.clone(),
        number: u32::try_from(number).unwrap_or(u32::MAX),
    }
}

impl StepState {
    fn of(step: &Step) -> Self {
        Self {
            id: step.id.clone(),
            is_notified: false,
            is_retry: false,
            due_at: None,
            held_since: None,
            suppressed_by: Vec::new(),
        }
    }

    /// Its endpoints that could not be reached are notified again, unless something holds the step back.
    fn retry(&mut self, now: Timestamp) {
        self.is_notified = false;
        self.is_retry = true;
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
}

#[cfg(test)]
mod tests;
