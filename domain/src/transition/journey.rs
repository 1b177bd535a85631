//! What is still to come for an alert, for people who ask.

use jiff::Timestamp;
use schemas::config::Scenario;
use schemas::{Endpoint, Expected, Upcoming};

use super::{escalation, retry, suppression};
use crate::state::AlertState;
use crate::{Site, words};

/// What is still to come, soonest first; what waits for no time comes last.
pub fn upcoming(state: &AlertState, site: &Site, now: Timestamp) -> Vec<Upcoming> {
    let mut all = Vec::new();
    if state.is_open() {
        let name = &state.alert.scenario;
        match site.scenarios.get(name) {
            Some(scenario) => all.extend(steps(state, scenario, site, now)),
            None => all.push((
                None,
                Expected::NoScenario {
                    scenario: name.clone(),
                },
            )),
        }
    }
    for hold in &state.holds {
        if let Some(until) = hold.until {
            all.push((Some(until), Expected::HoldEnd { hold: hold.kind }));
        }
    }
    if let Some(expiry) = &state.expiry {
        let expected = match &expiry.heartbeat {
            Some(heartbeat) => Expected::HeartbeatMissed {
                heartbeat: heartbeat.clone(),
            },
            None => Expected::SourceSilent,
        };
        all.push((Some(expiry.due_at()), expected));
    }
    all.sort_by_key(|(at, _)| at.unwrap_or(Timestamp::MAX));
    all.into_iter()
        .map(|(at, details)| Upcoming {
            at,
            message: words::expected(&details),
            details,
        })
        .collect()
}

fn steps(
    state: &AlertState,
    scenario: &Scenario,
    site: &Site,
    now: Timestamp,
) -> Vec<(Option<Timestamp>, Expected)> {
    let mut all = Vec::new();
    for (index, step) in scenario.steps.iter().enumerate() {
        let known = state.steps.iter().find(|known| known.id == step.id);
        if known.is_some_and(|known| known.is_notified) {
            let retries = step
                .targets
                .iter()
                .filter_map(|target| further_attempt(state, target, site));
            all.extend(retries);
            continue;
        }
        let at = escalation::deadline(state, step, site, now).map(|deadline| deadline.due_at);
        let expected = Expected::Step {
            scenario: scenario.name.clone(),
            number: u32::try_from(index + 1).unwrap_or(u32::MAX),
            id: step.id.clone(),
            endpoints: step.targets.clone(),
            reasons: suppression::reasons(state, step, site, now),
        };
        all.push((at, expected));
    }
    all
}

/// The next attempt at an endpoint that could not be notified.
fn further_attempt(
    state: &AlertState,
    target: &Endpoint,
    site: &Site,
) -> Option<(Option<Timestamp>, Expected)> {
    let row = escalation::row_of(state, site, target)?;
    let at = retry::retry_at(row)?;
    let expected = Expected::Retry {
        endpoint: target.clone(),
        error: row.error.clone().unwrap_or_default(),
    };
    Some((Some(at), expected))
}

#[cfg(test)]
mod tests {
    use schemas::config::Step;
    use schemas::{Action, Channel, DeliveryFailure, ReceiptOutcome, Severity};

    use super::*;
    use crate::transition::examples::{at, step};
    use crate::transition::story::Story;

    fn later(destination: &str, delay_seconds: u64) -> Step {
        Step {
            delay_seconds,
            ..step(Channel::Slack, destination)
        }
    }

    fn told(story: &Story) -> Vec<(Option<i64>, String)> {
        upcoming(story.state.as_ref().unwrap(), &story.site, story.now)
            .into_iter()
            .map(|one| {
                (
                    one.at.map(|time| time.duration_since(at(0)).as_secs()),
                    one.message,
                )
            })
            .collect()
    }

    #[test]
    fn steps_to_come_have_their_time_and_all_reasons_that_hold_them_back() {
        let mut severe = later("#night", 600);
        severe.minimum_severity = Severity::Urgent;
        let mut story = Story::new(vec![later("#ops", 0), later("#boss", 300), severe]);
        story.fires(0, Severity::Critical, "99 %");
        assert_eq!(
            told(&story),
            [
                (Some(300), "scenario default step 2 notifies slack #boss".to_owned()),
                (
                    Some(600),
                    "scenario default step 3 notifies slack #night, unless this still holds: severity critical is below urgent"
                        .to_owned()
                ),
            ]
        );
        story.operator(
            10,
            Action::Snooze {
                until: at(100),
                sticky_severity: false,
                sticky_output: false,
                comment: None,
            },
        );
        let after = told(&story);
        assert_eq!(after[0], (Some(100), "the snooze ends".to_owned()));
        assert!(
            after[1].1.contains("the alert is snoozed by ann until"),
            "{after:?}"
        );
        story.ends(20);
        let after = told(&story);
        assert_eq!(after, [(Some(100), "the snooze ends".to_owned())]);
    }

    #[test]
    fn what_could_not_be_delivered_is_tried_again_and_a_missing_scenario_is_named() {
        let mut story = Story::new(vec![later("#ops", 0)]);
        let opened = story.fires(0, Severity::Critical, "99 %");
        let failed = ReceiptOutcome::Failed {
            failure: DeliveryFailure::BadDestination,
            error: "channel_not_found".to_owned(),
        };
        story.receipt(1, &opened.notifications[0], failed);
        assert_eq!(
            told(&story),
            [(
                Some(3_601),
                "slack #ops is tried again: channel_not_found".to_owned()
            )]
        );
        story.site.apply("scenario/default", None);
        assert_eq!(
            told(&story),
            [(
                None,
                "nobody is notified: there is no scenario default".to_owned()
            )]
        );
    }
}
