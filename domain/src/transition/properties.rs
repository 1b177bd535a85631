//! What holds for every history, whatever happens in whatever order.

use crate::words;
use std::collections::BTreeSet;

use proptest::prelude::*;
use schemas::{
    Action, Amendment, Channel, Command, DeliveryFailure, EventStatus, HistoryEntry, HistoryKind,
    LedgerState, Notification, NotificationKind, Receipt, ReceiptOutcome, Severity,
};
use uuid::Uuid;

use super::examples::{at, event, put, silence, site, step, working_hours};
use super::{Effect, Input, transition};
use crate::Pace;
use crate::state::AlertState;
use crate::transition::deadlines::{Deadline, kept_deadline, next_deadline};
use schemas::config::Step;

#[derive(Debug, Clone)]
enum Happening {
    Fires(Severity, u8),
    Ends,
    Repeats,
    Operator(Action),
    Delivered,
    Fails,
    /// A notifier says again what it has said some time ago.
    SaidAgain(prop::sample::Index),
    Time(i64),
    /// One of three silences is made or made anew: whom it concerns, and for how long.
    Silenced(u8, bool, i64),
    /// The silence is ended early.
    Expired(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    let severity = prop_oneof![
        Just(Severity::Warning),
        Just(Severity::Critical),
        Just(Severity::Down)
    ];
    let action = prop_oneof![
        Just(Action::Acknowledge { comment: None }),
        Just(Action::Unacknowledge),
        (1_i64..100_000).prop_map(|second| Action::Snooze {
            until: at(second),
            sticky_severity: second % 2 == 0,
            sticky_output: second % 3 == 0,
            comment: None
        }),
        (1_i64..100_000).prop_map(|second| Action::Downtime {
            until: at(second),
            comment: None
        }),
        Just(Action::CancelDowntime),
        Just(Action::Resolve { comment: None }),
        Just(Action::Unresolve),
        (any::<bool>(), 0_u8..3).prop_map(|(worse, output)| Action::Amend {
            amendment: Amendment {
                severity: worse.then_some(Severity::Urgent),
                output: (output > 0).then(|| format!("amended {output}")),
                ..Amendment::default()
            },
            comment: None,
        }),
        Just(Action::Unamend),
    ];
    prop_oneof![
        3 => (severity, 0_u8..3).prop_map(|(severity, output)| Happening::Fires(severity, output)),
        2 => Just(Happening::Ends),
        1 => Just(Happening::Repeats),
        2 => action.prop_map(Happening::Operator),
        3 => Just(Happening::Delivered),
        1 => Just(Happening::Fails),
        1 => any::<prop::sample::Index>().prop_map(Happening::SaidAgain),
        2 => (1_i64..40_000).prop_map(Happening::Time),
        2 => (0_u8..3, any::<bool>(), 1_i64..50_000)
            .prop_map(|(id, concerned, seconds)| Happening::Silenced(id, concerned, seconds)),
        1 => (0_u8..3).prop_map(Happening::Expired),
    ]
}

/// A world in which notifications wait for their receipts.
#[derive(Default)]
struct World {
    state: Option<AlertState>,
    /// As it was written last.
    stored: Option<AlertState>,
    now: i64,
    offset: u64,
    commands: u128,
    outbox: Vec<Notification>,
    told: Vec<Notification>,
    failed: BTreeSet<Uuid>,
    receipts: Vec<Receipt>,
    history: u64,
    lines: Vec<HistoryEntry>,
    version: u64,
    /// As the daemon has stored it.
    deadline: Option<Deadline>,
}

impl World {
    fn take(&mut self, input: Input<'_>, site: &crate::Site) {
        self.is_read_back(input, site);
        let mut before = self.state.clone();
        let outcome = transition(self.state.take(), input, at(self.now), site);
        if let (Effect::Nothing | Effect::Seen, Some(before), Some(after)) =
            (outcome.effect, &mut before, &outcome.state)
        {
            if outcome.effect == Effect::Seen {
                before.take_last_seen(after.last_seen());
                // It has rows of its own.
                before.ledger.clone_from(&after.ledger);
            }
            (before.origin, before.newest, before.heard) = (after.origin, after.newest, after.heard);
            assert_eq!(
                after, before,
                "what is not written has not changed, but for what was seen last"
            );
        }
        match (outcome.effect, &mut self.stored, &outcome.state) {
            (Effect::Nothing, _, _) => {}
            (Effect::Seen, Some(stored), Some(after)) => stored.take_last_seen(after.last_seen()),
            (_, stored, after) => stored.clone_from(after),
        }
        for entry in &outcome.history {
            assert_eq!(entry.sequence, self.history + 1, "the history has no gaps");
            self.history = entry.sequence;
        }
        self.lines.extend(outcome.history.clone());
        if let Some(state) = &outcome.state {
            assert!(state.alert.version >= self.version, "versions only grow");
            self.version = state.alert.version;
            let deadline = next_deadline(state, site, at(self.now));
            assert!(
                deadline.is_none_or(|deadline| deadline.due_at > at(self.now)),
                "no deadline is left behind"
            );
            let silence = site
                .silencing(&state.alert, at(self.now))
                .map(|silence| silence.ends_at);
            if let Some(until) = silence.max() {
                assert!(
                    outcome
                        .notifications
                        .iter()
                        .all(|n| n.kind != NotificationKind::Open),
                    "nobody is told anew under a silence"
                );
                // Who is not due before the silence ends has a deadline of their own.
                let open_for = at(self.now).duration_since(state.alert.opened_at).as_secs();
                let due = site.scenarios["default"]
                    .steps
                    .iter()
                    .filter(|step| i64::try_from(step.delay_seconds).is_ok_and(|delay| delay <= open_for));
                let told = state.steps.iter().filter(|step| step.is_notified);
                assert!(
                    deadline.is_some_and(|deadline| deadline.due_at <= until)
                        || !state.is_open()
                        || told.count() == due.count(),
                    "whoever is held back is looked at again when the silence ends"
                );
            }
        }
        let kept = |state: &AlertState| kept_deadline(state, site, at(self.now));
        let kept = outcome.state.as_ref().and_then(kept);
        let stored = self.deadline.map(|stored| stored.due_at);
        let has_come = stored.is_some_and(|due_at| due_at <= at(self.now));
        let earlier = kept.is_none_or(|kept| stored.is_none_or(|due_at| kept.due_at < due_at));
        let looked_at = matches!(input, Input::Deadline) && (has_come || earlier);
        if outcome.effect > Effect::Seen || looked_at {
            self.deadline = kept;
        }
        self.outbox.extend(outcome.notifications.clone());
        self.told.extend(outcome.notifications);
        self.state = outcome.state;
    }

    /// A daemon that reads the alert from the database goes on with the next number of the history.
    fn is_read_back(&self, input: Input<'_>, site: &crate::Site) {
        let (Some(stored), Some(known)) = (&self.stored, &self.state) else {
            return;
        };
        let mut state: AlertState = serde_json::from_value(document(stored)).unwrap();
        state.ledger.clone_from(&known.ledger);
        let outcome = transition(Some(state), input, at(self.now), site);
        if let Some(entry) = outcome.history.first() {
            assert_eq!(entry.sequence, self.history + 1, "the history has no gaps");
        }
    }

    /// Changes a silence, and looks at the alert as the daemon does: when it is due, and if the change affects it.
    fn change_silence(&mut self, site: &mut crate::Site, changed: schemas::config::Silence) {
        if self.deadline.is_some_and(|stored| stored.due_at <= at(self.now)) {
            self.wake_all(site);
        }
        let before = site.clone();
        put(site, changed);
        let affected = site.affected_since(&before, at(self.now));
        let Some(state) = &self.state else { return };
        let found = |stored: Deadline| {
            let crate::site::Affected::Some(alerts) = &affected else {
                return true;
            };
            let until = alerts.silenced_until();
            stored.is_silenced && until.is_some_and(|until| stored.due_at <= until)
        };
        if affected.contains(&state.alert) && self.deadline.is_some_and(found) {
            self.wake_all(site);
        } else {
            let outcome = transition(self.state.clone(), Input::Deadline, at(self.now), site);
            assert_eq!(
                outcome.notifications,
                [],
                "an alert that is not looked at has nothing to notify of"
            );
        }
    }

    fn happens(&mut self, happening: &Happening, site: &mut crate::Site) {
        self.now += 1;
        match happening {
            Happening::Fires(severity, output) => {
                self.offset += 1;
                let event = event(self.offset, EventStatus::Firing, *severity, &output.to_string());
                self.take(Input::Event(&event), site);
            }
            Happening::Ends => {
                self.offset += 1;
                let event = event(self.offset, EventStatus::Resolved, Severity::Ok, "fine");
                self.take(Input::Event(&event), site);
            }
            Happening::Repeats if self.offset > 0 => {
                // Or a step would be held back by another rule since it was looked at.
                self.wake_all(site);
                let before = self.state.clone();
                let event = event(self.offset, EventStatus::Firing, Severity::Urgent, "again");
                self.take(Input::Event(&event), site);
                if before.as_ref().is_some_and(|state| state.origin.is_some()) {
                    assert_eq!(self.state, before, "what was applied changes nothing");
                }
            }
            Happening::Repeats => {}
            Happening::Operator(action) => {
                self.commands += 1;
                let command = Command {
                    command_id: Uuid::from_u128(self.commands),
                    idempotency_key: self.commands.to_string(),
                    fingerprint: crate::fingerprint(["disk full"]),
                    author: "ann".to_owned(),
                    requested_by: schemas::Principal::token("shared"),
                    requested_at: at(self.now),
                    action: action.clone(),
                };
                self.take(Input::Command(&command), site);
            }
            Happening::Delivered => {
                self.receipt(
                    ReceiptOutcome::Sent {
                        reference: None,
                        latency_ms: 1,
                    },
                    site,
                );
            }
            Happening::Fails => self.receipt(
                ReceiptOutcome::Failed {
                    failure: DeliveryFailure::Refused,
                    error: "no".to_owned(),
                },
                site,
            ),
            Happening::SaidAgain(which) if !self.receipts.is_empty() => {
                self.wake_all(site);
                let (receipt, before) = (which.get(&self.receipts).clone(), self.state.clone());
                self.take(Input::Receipt(&receipt), site);
                assert_eq!(self.state, before, "what is known changes nothing");
            }
            Happening::SaidAgain(_) => {}
            Happening::Time(seconds) => {
                self.now += seconds;
                self.wake_all(site);
            }
            Happening::Silenced(id, concerned, seconds) => {
                let matcher = if *concerned { "team=pay" } else { "team=ship" };
                let ends = self.now + seconds;
                self.change_silence(site, silence(u128::from(*id), &[matcher], self.now, ends));
            }
            Happening::Expired(id) => {
                let ended = silence(u128::from(*id), &["team=pay"], self.now, self.now);
                self.change_silence(site, ended);
            }
        }
    }

    fn wake_all(&mut self, site: &crate::Site) {
        if self.state.is_some() {
            self.take(Input::Deadline, site);
        }
    }

    fn receipt(&mut self, outcome: ReceiptOutcome, site: &crate::Site) {
        if self.outbox.is_empty() {
            return;
        }
        let notification = self.outbox.remove(0);
        if matches!(outcome, ReceiptOutcome::Failed { .. }) {
            self.failed.insert(notification.notification_id);
        }
        let receipt = Receipt {
            notification_id: notification.notification_id,
            fingerprint: notification.fingerprint,
            episode: notification.episode,
            sequence: notification.sequence,
            channel: notification.channel,
            destination: notification.destination,
            bot: notification.bot,
            kind: notification.kind,
            outcome,
            attempts: 1,
            at: at(self.now),
        };
        self.take(Input::Receipt(&receipt), site);
        self.receipts.push(receipt);
    }
}

/// As the database has it.
fn document(state: &AlertState) -> serde_json::Value {
    serde_json::to_value(state).unwrap()
}

fn steps() -> Vec<Step> {
    vec![
        step(Channel::Slack, "#ops"),
        Step {
            delay_seconds: 600,
            ..step(Channel::Email, "boss@b")
        },
        Step {
            window: Some(working_hours()),
            ..step(Channel::Webhook, "https://x")
        },
        Step {
            minimum_severity: Severity::Critical,
            delay_seconds: 60,
            ..step(Channel::Slack, "#ops")
        },
    ]
}

proptest! {
    #[test]
    fn whatever_happens_every_open_is_followed_by_one_close(
        happenings in prop::collection::vec(happening(), 1..60)
    ) {
        let mut site = site(steps());
        let mut world = World::default();
        for happening in &happenings {
            world.happens(happening, &mut site);
        }
        world.happens(&Happening::Ends, &mut site);
        while !world.outbox.is_empty() {
            world.happens(&Happening::Delivered, &mut site);
        }
        if let Some(state) = &world.state {
            prop_assert!(state.ledger.is_empty(), "everything is settled: {:?}", state.ledger);
        }
        assert_each_row_is_told_in_order(&world.told, &world.failed);
    }
}

/// For each alert, episode and destination: sequences from 1 without gaps, an open first and again only after one
/// that failed, and nothing after a close, which comes unless the last open failed.
fn assert_each_row_is_told_in_order(told: &[Notification], failed: &BTreeSet<Uuid>) {
    let mut rows = std::collections::BTreeMap::<_, Vec<&Notification>>::new();
    for notification in told {
        let key = (
            notification.episode,
            notification.channel,
            notification.destination.clone(),
        );
        rows.entry(key).or_default().push(notification);
    }
    for row in rows.values() {
        let sequences: Vec<_> = row.iter().map(|n| n.sequence).collect();
        assert_eq!(
            sequences,
            (1..=u32::try_from(row.len()).unwrap()).collect::<Vec<_>>()
        );
        assert_eq!(row[0].kind, NotificationKind::Open);
        let opens: Vec<_> = row.iter().filter(|n| n.kind == NotificationKind::Open).collect();
        let (last_open, earlier) = opens.split_last().unwrap();
        assert!(
            earlier.iter().all(|n| failed.contains(&n.notification_id)),
            "opened again only after a failure"
        );
        let closes = row.iter().filter(|n| n.kind == NotificationKind::Close).count();
        assert!(closes <= 1, "at most one close");
        if closes == 1 {
            assert_eq!(
                row.last().map(|n| n.kind),
                Some(NotificationKind::Close),
                "the close is last"
            );
        } else {
            assert!(
                failed.contains(&last_open.notification_id),
                "only what failed to open is not closed"
            );
        }
    }
}

proptest! {
    #[test]
    fn the_last_text_is_recorded_and_sent_when_its_time_has_passed(
        happenings in prop::collection::vec(refreshed(), 1..60),
        seconds in prop_oneof![Just(0_u32), Just(7), Just(60)],
    ) {
        let mut site = site(steps());
        site.pace = Pace::of_seconds(None, Some(seconds));
        let mut world = World::default();
        for happening in &happenings {
            world.happens(happening, &mut site);
        }
        world.happens(&Happening::Time(i64::from(seconds)), &mut site);
        if let Some(state) = world.state.as_ref().filter(|state| state.is_open()) {
            for row in state.ledger.iter().filter(|row| row.state == LedgerState::Open && row.channel != Channel::Email) {
                let last = world.told.iter().rfind(|told| told.episode == row.episode && told.destination == row.destination);
                prop_assert_eq!(&last.unwrap().alert.output, &state.alert.output);
            }
            let has_text = |line: &&HistoryEntry| matches!(
                line.kind(),
                HistoryKind::Opened | HistoryKind::Reopened | HistoryKind::SeverityChanged | HistoryKind::Updated
            );
            let last = world.lines.iter().rfind(has_text).unwrap();
            prop_assert!(words::message(&last.happening).ends_with(&state.alert.output), "{} is the last", state.alert.output);
        }
        let (mut recorded, mut closed) = (None, false);
        for line in world.lines.iter().rev() {
            match line.kind() {
                HistoryKind::Updated if !closed => {
                    prop_assert!(recorded.is_none_or(|later| at(0) + (later - line.at) >= at(i64::from(seconds))));
                    recorded = Some(line.at);
                }
                HistoryKind::Opened | HistoryKind::Reopened => recorded = None,
                _ => {}
            }
            closed = line.kind() == HistoryKind::Closed;
        }
    }
}

/// What a source with a number in its text does, and what may happen meanwhile.
fn refreshed() -> impl Strategy<Value = Happening> {
    let severity = prop_oneof![9 => Just(Severity::Critical), 1 => Just(Severity::Down)];
    prop_oneof![
        12 => (severity, any::<u8>()).prop_map(|(severity, output)| Happening::Fires(severity, output)),
        1 => Just(Happening::Ends),
        1 => Just(Happening::Operator(Action::Acknowledge { comment: None })),
        3 => Just(Happening::Delivered),
        2 => (1_i64..100).prop_map(Happening::Time),
    ]
}

proptest! {
    /// A collector that drains its spool may write any stretch of it again, under new offsets, as it cannot know
    /// whether the log has it.
    #[test]
    fn what_a_spool_brings_twice_counts_once(
        said in prop::collection::vec((0_u8..4, 0_u8..3), 1..20),
        stretch in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        first_unmarked in any::<bool>(),
    ) {
        let site = site(steps());
        let events: Vec<_> = (1_i64..)
            .zip(&said)
            .map(|(second, (severity, output))| {
                let (status, severity) = match severity {
                    0 => (EventStatus::Resolved, Severity::Ok),
                    1 => (EventStatus::Firing, Severity::Warning),
                    2 => (EventStatus::Firing, Severity::Down),
                    _ => (EventStatus::Acknowledged, Severity::Warning),
                };
                let mut event = event(0, status, severity, &output.to_string());
                event.event.accepted_at = at(second);
                event.event.event_id = Uuid::from_u128(u128::MAX - u128::from(second.unsigned_abs()));
                event.spooled = true;
                event
            })
            .collect();
        let (one, other) = (stretch.0.index(events.len()), stretch.1.index(events.len()));
        let (from, to) = (one.min(other), one.max(other) + 1);
        let run = |events: &mut dyn Iterator<Item = &schemas::DecoratedEvent>| {
            let (mut state, mut history) = (None, Vec::new());
            for (offset, event) in (1..).zip(events) {
                let mut event = event.clone();
                event.origin.offset = offset;
                // What went to the log directly, and perhaps got there, is not marked; its copy from the spool is.
                event.spooled &= !(first_unmarked && offset <= to as u64);
                let outcome = transition(state, Input::Event(&event), at(100), &site);
                history.extend(outcome.history);
                state = outcome.state;
            }
            let alert = state.map(|state| (state.alert, state.ledger));
            (alert, history)
        };
        let once = run(&mut events.iter());
        let twice = run(&mut events[..to].iter().chain(&events[from..]));
        prop_assert_eq!(once, twice);
    }
}
