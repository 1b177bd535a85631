//! Values that tests of this crate begin with.

use jiff::Timestamp;
use schemas::config::{ConfigEntry, Scenario, Silence, Step, TimeWindow};
use schemas::{AlertEvent, Channel, DecoratedEvent, Endpoint, EventStatus, Origin, Severity};
use uuid::Uuid;

use super::{Input, transition};
use crate::{AlertState, Site, identity};

/// Ten o'clock, and these many seconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_788_256_800 + seconds).unwrap()
}

/// A site whose scenario `default` has these steps.
pub fn site(steps: Vec<Step>) -> Site {
    let mut site = Site::default();
    let scenario = Scenario {
        name: "default".to_owned(),
        description: String::new(),
        number: None,
        steps: with_ids(steps),
    };
    site.apply("scenario/default", Some(ConfigEntry::Scenario(scenario)));
    site
}

/// The steps with the ids that a site gives them.
pub fn with_ids(mut steps: Vec<Step>) -> Vec<Step> {
    for index in 0..steps.len() {
        let (before, rest) = steps.split_at_mut(index);
        rest[0].id = identity::of_step(&rest[0].targets, rest[0].delay_seconds, before);
    }
    steps
}

/// An endpoint of the channel's only bot.
pub fn endpoint(channel: Channel, destination: &str) -> Endpoint {
    Endpoint {
        channel,
        destination: destination.to_owned(),
        bot: None,
    }
}

/// A step at once, for everything.
pub fn step(channel: Channel, destination: &str) -> Step {
    Step {
        id: String::new(),
        targets: vec![endpoint(channel, destination)],
        delay_seconds: 0,
        window: None,
        minimum_severity: Severity::Information,
    }
}

/// From nine to five, every day, UTC.
pub fn working_hours() -> TimeWindow {
    TimeWindow {
        from: "09:00".to_owned(),
        to: "17:00".to_owned(),
        days: vec![],
        time_zone: "UTC".to_owned(),
    }
}

/// An event of the one alert that the tests are about.
pub fn event(offset: u64, status: EventStatus, severity: Severity, output: &str) -> DecoratedEvent {
    DecoratedEvent {
        event: AlertEvent {
            event_id: Uuid::from_u128(offset.into()),
            fingerprint: crate::fingerprint(["disk full"]),
            accepted_at: at(0),
            occurred_at: None,
            expires_at: None,
            outcome_wanted: false,
            key: None,
            kind: status.into(),
            severity,
            integration: "default".to_owned(),
            monitoring_system: "api".to_owned(),
            source: "nagios-1".to_owned(),
            service: None,
            object: "host-1".to_owned(),
            name: "disk full".to_owned(),
            output: output.to_owned(),
            labels: [("team".to_owned(), "pay".to_owned())].into(),
            annotations: [].into(),
            links: [].into(),
            environment: None,
            scenario: None,
        },
        origin: Origin { partition: 0, offset },
        spooled: false,
        rules: Vec::new(),
        environment: "default".to_owned(),
        scenario: "default".to_owned(),
    }
}

/// The alert, opened as critical at ten o'clock, with nobody to tell.
pub fn open_alert() -> AlertState {
    let event = event(0, EventStatus::Firing, Severity::Critical, "99 %");
    transition(None, Input::Event(&event), at(0), &site(vec![]))
        .state
        .unwrap()
}

/// A silence of Jane's with these matchers, between these seconds after ten o'clock.
pub fn silence(id: u128, matchers: &[&str], starts: i64, ends: i64) -> Silence {
    Silence {
        id: Uuid::from_u128(id),
        matchers: matchers
            .iter()
            .map(|matcher| crate::matcher::parse(matcher).unwrap())
            .collect(),
        starts_at: at(starts),
        ends_at: at(ends),
        created_by: "Jane".to_owned(),
        comment: "new disks".to_owned(),
        updated_at: at(starts),
    }
}

/// Puts a silence into the site, or takes its place.
pub fn put(site: &mut Site, silence: Silence) {
    let entry = ConfigEntry::Silence(silence);
    site.apply(&entry.key(), Some(entry));
}
