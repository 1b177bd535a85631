//! The history in words: the only place where text for people is made of what happened to an alert.

use jiff::{SignedDuration, Timestamp};
use schemas::{
    Actor, Difference, Endpoint, Expected, Happening, HistoryEntry, HoldKind, NotificationKind, Reason,
    ShownHistoryEntry, What,
};

/// A line of the history as it is shown.
pub fn shown(entry: HistoryEntry) -> ShownHistoryEntry {
    ShownHistoryEntry {
        fingerprint: entry.fingerprint,
        sequence: entry.sequence,
        at: entry.at,
        kind: entry.kind(),
        actor: actor(&entry.happening.actor),
        message: message(&entry.happening),
        details: entry.happening,
        event_id: entry.event_id,
        received: entry.received,
    }
}

/// Who did it: `operator NAME`, `integration NAME`, `scenario NAME step NUMBER`, `channel NAME` or `reveille`.
pub fn actor(actor: &Actor) -> String {
    match actor {
        Actor::User { name, .. } => format!("operator {name}"),
        Actor::Integration { name } => format!("integration {name}"),
        Actor::Step { scenario, number } => format!("scenario {scenario} step {number}"),
        Actor::Channel { channel } => format!("channel {channel}"),
        Actor::System => "reveille".to_owned(),
    }
}

/// The name of who did it.
pub fn name(actor: &Actor) -> &str {
    match actor {
        Actor::User { name, .. } | Actor::Integration { name } => name,
        Actor::Step { scenario, .. } => scenario,
        Actor::Channel { channel } => channel.name(),
        Actor::System => "reveille",
    }
}

/// What happened and why.
pub fn message(happening: &Happening) -> String {
    let reasons = &happening.reasons;
    match &happening.what {
        What::Opened { severity, output } => format!("opened as {severity}: {output}"),
        What::Reopened { severity, output } => format!("opened again as {severity}: {output}"),
        What::Closed { output } => closed(happening, output.as_deref()),
        What::OutputChanged { output } => output.clone(),
        What::DetailsChanged => "name, labels, annotations or links changed".to_owned(),
        What::SourceValuesChanged { severity, output } => {
            format!("its source says {severity}: {output}, beneath what was amended")
        }
        What::EndNotApplied { output } => format!("{}; it says: {output}", joined(reasons)),
        What::Remarked => joined(reasons),
        What::SeverityChanged { from, to, output } => {
            format!("severity changed from {from} to {to}: {output}")
        }
        What::Rerouted {
            environment,
            scenario,
        } => format!("now in environment {environment}, scenario {scenario}"),
        What::Amended { differences } => {
            with_comment(format!("amended: {}", different(differences)), reasons)
        }
        What::Unamended { differences } if differences.is_empty() => "amendment taken back".to_owned(),
        What::Unamended { differences } => format!("amendment taken back: {}", different(differences)),
        What::Commented { comment } => format!("commented: {comment}"),
        What::Uncommented { comment } => format!("took back the comment: {comment}"),
        What::Refused { action } => format!("{action} was not done: {}", joined(reasons)),
        What::Notifying { endpoint } if reasons.is_empty() => format!("{} is notified", named(endpoint)),
        What::Notifying { endpoint } => {
            format!("{} is notified again, as {}", named(endpoint), joined(reasons))
        }
        What::HeldBack { endpoints } if endpoints.is_empty() => {
            format!("nobody is notified: {}", joined(reasons))
        }
        What::HeldBack { endpoints } => not_notified(endpoints, reasons),
        What::HoldBegan {
            hold,
            assignee,
            until,
        } => match at_source(reasons) {
            Some(by) => format!(
                "{} at the source by {by}",
                hold_began(*hold, assignee.as_deref(), *until)
            ),
            None => with_comment(hold_began(*hold, assignee.as_deref(), *until), reasons),
        },
        What::HoldEnded { hold, assignee } => hold_ended(happening, *hold, assignee.as_deref()),
        What::Notified {
            notification,
            endpoint,
            attempts,
        } => delivered(*notification, endpoint, *attempts),
        What::Retrying {
            notification,
            endpoint,
            next_attempt_at,
            error,
        } => format!(
            "{} to {} not delivered yet, tried again at {next_attempt_at}: {error}",
            verb(*notification),
            endpoint.destination
        ),
        What::NotDelivered {
            notification,
            endpoint,
            failure,
            error,
        } => format!(
            "{} to {} not delivered ({}): {error}",
            verb(*notification),
            endpoint.destination,
            failure.name()
        ),
    }
}

/// The same for a notification, which says also who did it.
pub fn notice(happening: &Happening) -> String {
    let message = message(happening);
    let is_action = match &happening.actor {
        Actor::User { .. } => true,
        Actor::Integration { .. } => is_action(happening),
        Actor::Step { .. } | Actor::Channel { .. } | Actor::System => false,
    };
    match (&happening.what, is_action) {
        (What::Closed { .. }, _) | (_, false) => message,
        _ => format!("{message} by {}", name(&happening.actor)),
    }
}

/// What a sender requested to be done, as a person would.
fn is_action(happening: &Happening) -> bool {
    let at_source = happening
        .reasons
        .iter()
        .any(|reason| matches!(reason, Reason::AtSource { .. }));
    !at_source
        && !matches!(
            happening.what,
            What::Opened { .. }
                | What::Reopened { .. }
                | What::OutputChanged { .. }
                | What::DetailsChanged
                | What::SourceValuesChanged { .. }
                | What::EndNotApplied { .. }
                | What::SeverityChanged { .. }
        )
}

fn closed(happening: &Happening, output: Option<&str>) -> String {
    match (output, &happening.actor) {
        (Some(output), _) => format!("ended by its source: {output}"),
        (None, Actor::System) => joined(&happening.reasons),
        (None, actor) => with_comment(format!("resolved by {}", name(actor)), &happening.reasons),
    }
}

fn hold_began(hold: HoldKind, assignee: Option<&str>, until: Option<Timestamp>) -> String {
    let assignee = assignee.unwrap_or_default();
    let mut words = match hold {
        HoldKind::Acknowledgement => "acknowledged".to_owned(),
        HoldKind::Snooze => "snoozed".to_owned(),
        HoldKind::Downtime => "in downtime".to_owned(),
        HoldKind::Assignment => format!("assigned to {assignee}"),
        HoldKind::Handling => format!("{assignee} handles it"),
    };
    if let Some(until) = until {
        words = format!("{words} until {until}");
    }
    words
}

/// A person took it back, or it ended by itself.
fn hold_ended(happening: &Happening, hold: HoldKind, assignee: Option<&str>) -> String {
    let reasons = &happening.reasons;
    let short = match hold {
        HoldKind::Acknowledgement => "acknowledgement",
        HoldKind::Snooze => "snooze",
        HoldKind::Downtime => "downtime",
        HoldKind::Assignment => "assignment",
        HoldKind::Handling => "handling",
    };
    let long = match assignee.filter(|_| hold == HoldKind::Assignment) {
        Some(assignee) => format!("the assignment to {assignee}"),
        None => hold_name(hold).to_owned(),
    };
    match happening.actor {
        Actor::System if reasons.contains(&Reason::Expired) => format!("{long} has ended"),
        Actor::System => format!("{long} has ended, as {}", joined(reasons)),
        _ => format!("{short} taken back"),
    }
}

/// Why a hold holds notifications back, as a part of a sentence.
fn held(hold: HoldKind, by: &str, assignee: Option<&str>, until: Option<Timestamp>) -> String {
    let assignee = assignee.unwrap_or(by);
    let mut words = match hold {
        HoldKind::Acknowledgement => format!("the alert is acknowledged by {by}"),
        HoldKind::Snooze => format!("the alert is snoozed by {by}"),
        HoldKind::Downtime => format!("the alert is in downtime by {by}"),
        HoldKind::Assignment => format!("the alert is assigned to {assignee} by {by}"),
        HoldKind::Handling => format!("the alert is handled by {assignee} (said by {by})"),
    };
    if let Some(until) = until {
        words = format!("{words} until {until}");
    }
    words
}

fn at_source(reasons: &[Reason]) -> Option<&str> {
    reasons.iter().find_map(|reason| match reason {
        Reason::AtSource { by } => Some(by.as_str()),
        _ => None,
    })
}

fn delivered(notification: NotificationKind, endpoint: &Endpoint, attempts: u32) -> String {
    let delivered = format!("{} delivered to {}", verb(notification), endpoint.destination);
    match attempts {
        0 | 1 => delivered,
        attempts => format!("{delivered} at attempt {attempts}"),
    }
}

fn verb(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::Open => "opening",
        NotificationKind::Update => "update",
        NotificationKind::Close => "close",
    }
}

fn named(endpoint: &Endpoint) -> String {
    format!("{} {}", endpoint.channel, endpoint.destination)
}

fn not_notified(endpoints: &[Endpoint], reasons: &[Reason]) -> String {
    let names: Vec<_> = endpoints.iter().map(named).collect();
    let are = if endpoints.len() == 1 { "is" } else { "are" };
    format!("{} {are} not notified: {}", names.join(", "), joined(reasons))
}

fn different(differences: &[Difference]) -> String {
    let words = differences.iter().map(|difference| match difference {
        Difference::Scenario { from, to } => format!("scenario {to} instead of {from}"),
        Difference::Severity { from, to } => format!("severity {to} instead of {from}"),
        Difference::Name { from, to } => format!("name {to:?} instead of {from:?}"),
        Difference::Output { to } => format!("output {to:?}"),
        Difference::Label {
            name,
            to: Some(value),
        } => format!("{name}={value:?}"),
        Difference::Label { name, to: None } => format!("no {name}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn with_comment(message: String, reasons: &[Reason]) -> String {
    let comment = reasons.iter().find_map(|reason| match reason {
        Reason::Comment { comment } if !comment.is_empty() => Some(comment),
        _ => None,
    });
    match comment {
        Some(comment) => format!("{message}: {comment}"),
        None => message,
    }
}

/// All reasons, as parts of a sentence.
fn joined(reasons: &[Reason]) -> String {
    reasons.iter().map(reason).collect::<Vec<_>>().join("; ")
}

/// What is still to come.
pub fn expected(expected: &Expected) -> String {
    match expected {
        Expected::Step {
            scenario,
            number,
            endpoints,
            reasons,
            ..
        } => {
            let names: Vec<_> = endpoints.iter().map(named).collect();
            let notifies = format!("scenario {scenario} step {number} notifies {}", names.join(", "));
            match reasons.as_slice() {
                [] => notifies,
                reasons => format!("{notifies}, unless this still holds: {}", joined(reasons)),
            }
        }
        Expected::Retry { endpoint, error } => format!("{} is tried again: {error}", named(endpoint)),
        Expected::NoScenario { scenario } => format!("nobody is notified: there is no scenario {scenario}"),
        Expected::HoldEnd { hold } => format!("{} ends", hold_name(*hold)),
        Expected::SourceSilent => "it ends if its source stays silent until then".to_owned(),
        Expected::HeartbeatMissed { heartbeat } => {
            format!("it opens unless heartbeat {heartbeat} is called until then")
        }
    }
}

const fn hold_name(hold: HoldKind) -> &'static str {
    match hold {
        HoldKind::Acknowledgement => "the acknowledgement",
        HoldKind::Snooze => "the snooze",
        HoldKind::Downtime => "the downtime",
        HoldKind::Assignment => "the assignment",
        HoldKind::Handling => "the time to handle it",
    }
}

/// One reason, as a part of a sentence.
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Comment { comment } => comment.clone(),
        Reason::Invalid { problem } => problem.clone(),
        Reason::SeverityBelow { severity, minimum } => format!("severity {severity} is below {minimum}"),
        Reason::Held {
            hold,
            by,
            assignee,
            until,
        } => held(*hold, by, assignee.as_deref(), *until),
        Reason::Silenced {
            silence,
            by,
            until,
            comment,
        } => {
            let by = if by.is_empty() {
                "a person without a name"
            } else {
                by
            };
            let comment = match comment.as_str() {
                "" => String::new(),
                comment => format!(": {comment}"),
            };
            format!("silenced by {by} until {until}{comment} (silence {silence})")
        }
        Reason::WindowClosed { from, to, time_zone } => {
            format!("outside its time window {from}–{to} {time_zone}")
        }
        Reason::NoScenario { scenario } => format!("there is no scenario {scenario}"),
        Reason::SeverityChanged => "the severity has changed".to_owned(),
        Reason::OutputChanged => "the output has changed".to_owned(),
        Reason::Reopened => "the alert is open again".to_owned(),
        Reason::Expired => "its time is over".to_owned(),
        Reason::AtSource { by } => format!("{by} did so at the source"),
        Reason::SourceSilent { since } => format!("its source has been silent since {since:.0}"),
        Reason::NotDelivered { error } => format!("the opening could not be delivered: {error}"),
        Reason::HeartbeatMissed { heartbeat } => format!("heartbeat {heartbeat} was not called in time"),
        Reason::HeartbeatRemoved { heartbeat } => {
            format!("heartbeat {heartbeat} was removed from the site, so no call will end it")
        }
        Reason::SeveralTexts => {
            "its color says that a problem has ended, but different texts have opened the \
             alert, so it stays open: the next message in words, or a person, ends it"
                .to_owned()
        }
        Reason::EndedEpisode { occurred_at } => format!(
            "an event of an episode that has ended arrived late and was ignored: by its source it is of {occurred_at:.0}"
        ),
        Reason::SenderClockBehind {
            at_least_seconds,
            at_most_seconds,
        } => format!(
            "the clock of its sender is behind by at least {:#} and at most {:#}, or it has ended already: the end \
             that it names had passed on arrival",
            SignedDuration::from_secs(*at_least_seconds),
            SignedDuration::from_secs(*at_most_seconds)
        ),
        Reason::SenderClockAhead {
            at_least_seconds,
            began_at,
        } => format!(
            "the clock of its sender is ahead by at least {:#}: it says that it began at {began_at:.0}",
            SignedDuration::from_secs(*at_least_seconds)
        ),
    }
}
