use crate::words;
use proptest::prelude::*;
use schemas::config::{ClientHeartbeat, ConfigEntry, Heartbeat};
use schemas::{
    DecoratedEvent, EventKind, EventStatus, HeartbeatRun, HistoryKind, NotificationKind, Reason, Severity,
    Status,
};

use crate::transition::examples::{at, event};
use crate::transition::world::World;
use crate::transition::{Effect, Input};

const NAME: &str = "nightly-backup";

/// A world that waits for the heartbeat.
fn world() -> World {
    let mut world = World::new();
    let entry = ConfigEntry::Heartbeat(Heartbeat {
        name: NAME.to_owned(),
        integration: "default".to_owned(),
        period_seconds: 240,
        grace_seconds: 0,
        severity: Severity::Critical,
        labels: [].into(),
        alert: None,
        by_client: None,
    });
    world.site.apply(&entry.key(), Some(entry));
    world
}

fn call(second: i64, lifetime: i64) -> DecoratedEvent {
    let mut call = event(
        0,
        EventStatus::Resolved,
        Severity::Critical,
        "heartbeat nightly-backup was called",
    );
    call.event.accepted_at = at(second);
    call.event.expires_at = Some(at(second + lifetime));
    call.event.kind = called(HeartbeatRun::Succeeded);
    call
}

fn called(run: HeartbeatRun) -> EventKind {
    EventKind::HeartbeatCall {
        heartbeat: NAME.to_owned(),
        run,
    }
}

impl World {
    fn is_called(&mut self, lifetime: i64) {
        self.says(call(self.now, lifetime));
    }

    fn openings(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.alert.counts.opened)
    }

    /// Lives on until nothing is left to be done.
    fn lives_on(&mut self) {
        while let Some(due) = self.due() {
            self.now = self.now.max(due);
            self.wakes();
            while self.reads().is_some() {}
        }
    }
}

#[test]
fn calls_that_stop_open_an_alert_and_the_next_call_closes_it() {
    let mut world = world();
    world.is_called(240);
    let armed = world.reads_all();
    assert_eq!(
        (armed.effect, armed.history.len()),
        (Effect::Keep, 0),
        "nobody sees it yet"
    );
    assert_eq!((world.is_open(), world.due()), (false, Some(300)));

    world.now = 300;
    assert!(world.wakes().unwrap().question.is_some());
    assert!(!world.is_open(), "a question opens nothing");
    let missed = world.reads_all();
    let alert = missed.state.unwrap().alert;
    assert_eq!(
        (alert.status, alert.severity, alert.episode),
        (Status::Open, Severity::Critical, 1)
    );
    assert_eq!(
        alert.output,
        "no call of heartbeat nightly-backup since 2026-09-01T10:00:00Z"
    );
    assert_eq!((alert.first_opened_at, alert.version), (at(300), 1));
    assert_eq!(
        (
            missed.history[0].kind(),
            words::actor(&missed.history[0].happening.actor).as_str()
        ),
        (HistoryKind::Opened, "reveille")
    );
    assert_eq!(missed.notifications[0].kind, NotificationKind::Open);
    assert_eq!(world.due(), None);

    world.now = 1000;
    world.is_called(240);
    let back = world.reads_all();
    assert_eq!(back.notifications[0].kind, NotificationKind::Close);
    assert_eq!(
        (world.is_open(), world.due()),
        (false, Some(1300)),
        "and it is waited for again"
    );

    world.lives_on();
    let state = world.state.as_ref().unwrap();
    assert_eq!((world.openings(), state.alert.episode), (2, 2));
}

#[test]
fn c2_a_heartbeat_that_is_disabled_is_not_waited_for() {
    let mut world = world();
    world.is_called(240);
    world.reads_all();
    let mut heartbeat = world.site.heartbeats[NAME].clone();
    heartbeat.by_client = Some(ClientHeartbeat {
        disabled: true,
        ..ClientHeartbeat::default()
    });
    let entry = ConfigEntry::Heartbeat(heartbeat);
    world.site.apply(&entry.key(), Some(entry));
    world.lives_on();
    assert_eq!((world.openings(), world.due()), (0, None));
}

/// A call of the heartbeat under the identity that collectors give it.
fn identified_call(second: i64, run: HeartbeatRun) -> DecoratedEvent {
    let mut call = call(second, 240);
    call.event.kind = called(run);
    call.event.monitoring_system = crate::identity::HEARTBEAT.to_owned();
    call.event.object = NAME.to_owned();
    call.event.fingerprint = crate::identity::of_heartbeat("default", NAME);
    call
}

#[test]
fn an_alert_that_a_call_opens_after_its_heartbeat_was_removed_is_ended_soon() {
    let mut world = world();
    let key = format!("heartbeat/{NAME}");
    world.site.apply(&key, None);
    world.says(identified_call(0, HeartbeatRun::Failed));
    world.reads_all();
    assert!(world.is_open(), "the daemon may not know of it yet");
    assert_eq!(world.due(), Some(60));
    world.now = 60;
    let ended = world.wakes().unwrap();
    assert_eq!(ended.history[0].kind(), HistoryKind::Closed);
    let heartbeat = ended.history[0].happening.reasons.first();
    assert!(
        matches!(heartbeat, Some(Reason::HeartbeatRemoved { .. })),
        "{:?}",
        ended.history
    );
    assert_eq!((world.is_open(), world.due()), (false, None));
}

#[test]
fn a_heartbeat_that_this_version_cannot_read_is_not_removed() {
    let mut world = world();
    let key = format!("heartbeat/{NAME}");
    world.site.apply(&key, None);
    world.site.cannot_use(&key, &"no");
    world.says(identified_call(0, HeartbeatRun::Failed));
    world.reads_all();
    world.now = 60;
    world.take(Input::Deadline);
    assert!(world.is_open());
}

#[test]
fn a_heartbeat_that_is_removed_while_the_question_is_under_way_opens_nothing() {
    let mut world = world();
    world.says(identified_call(0, HeartbeatRun::Succeeded));
    world.reads_all();
    world.now = 300;
    world.wakes().unwrap();
    world.site.apply(&format!("heartbeat/{NAME}"), None);
    world.reads_all();
    assert_eq!((world.is_open(), world.due()), (false, None));
}

#[test]
fn a_call_that_was_accepted_in_time_is_never_missed_however_late_it_is_read() {
    let mut world = world();
    world.is_called(240);
    world.reads_all();
    world.now = 299;
    world.is_called(240);
    world.now = 300;
    world.wakes().unwrap();
    world.reads_all();
    assert_eq!((world.openings(), world.due()), (0, Some(600)));
}

#[test]
fn after_an_outage_of_ours_a_daily_call_is_waited_for_an_hour_and_no_day() {
    let day = 86_400;
    let mut world = world();
    world.is_called(day);
    world.reads_all();
    world.now = day + 60 + 600;
    assert_eq!(world.wakes().unwrap().question, None, "nobody was here to listen");
    assert_eq!(world.due(), Some(world.now + 3600 + 60));
    world.lives_on();
    assert!(world.is_open());
}

#[test]
fn a_heartbeat_that_the_site_has_no_more_is_not_waited_for() {
    let mut world = world();
    world.is_called(240);
    world.reads_all();
    world.site.apply("heartbeat/nightly-backup", None);
    world.now = 300;
    let forgotten = world.wakes().unwrap();
    assert_eq!((forgotten.question, forgotten.effect), (None, Effect::Keep));
    assert_eq!((world.openings(), world.due()), (0, None));

    world.is_called(240);
    world.reads_all();
    assert_eq!(
        world.due(),
        Some(600),
        "the stages may hear of a new one in any order"
    );
}

#[test]
fn what_the_last_call_says_is_what_the_alert_becomes() {
    let mut world = world();
    world.is_called(240);
    world.reads_all();
    let mut changed = call(10, 600);
    changed.event.severity = Severity::Warning;
    changed.event.labels = [("team".to_owned(), "web".to_owned())].into();
    world.now = 10;
    world.says(changed);
    assert_eq!(world.reads_all().effect, Effect::Keep);
    assert_eq!(world.due(), Some(670));
    world.lives_on();
    let alert = &world.state.as_ref().unwrap().alert;
    assert_eq!(
        (alert.severity, alert.labels["team"].as_str()),
        (Severity::Warning, "web")
    );
}

#[test]
fn calls_that_come_often_are_not_kept_each_time() {
    let mut world = world();
    world.is_called(240);
    world.reads_all();
    let mut kept = 0;
    for second in 1..=600 {
        world.now = second;
        world.is_called(240);
        kept += i32::from(world.reads_all().effect == Effect::Seen);
    }
    assert_eq!(kept, 10, "once a minute");
}

/// A call that says how a run stands.
fn run(run: HeartbeatRun, second: i64, lifetime: Option<i64>) -> DecoratedEvent {
    let mut call = call(second, 0);
    call.event.kind = called(run);
    call.event.expires_at = lifetime.map(|lifetime| at(second + lifetime));
    call.event.output = "heartbeat nightly-backup has failed".to_owned();
    call
}

#[test]
fn i18_a_run_that_fails_opens_at_once_and_one_that_succeeds_closes() {
    for known_before in [true, false] {
        let mut world = world();
        if known_before {
            world.is_called(240);
            world.reads_all();
        }
        world.now = 10;
        world.says(run(HeartbeatRun::Failed, 10, None));
        let failed = world.reads_all();
        assert_eq!(
            failed.notifications[0].kind,
            NotificationKind::Open,
            "{known_before}"
        );
        assert_eq!(
            failed.state.unwrap().alert.output,
            "heartbeat nightly-backup has failed"
        );
        assert_eq!(world.due(), None, "a failure does not wait for the next call");
        world.now = 20;
        world.says(run(HeartbeatRun::Failed, 20, None));
        world.reads_all();
        assert_eq!(world.openings(), 1, "it has failed again");
        world.now = 30;
        world.is_called(240);
        assert_eq!(world.reads_all().notifications[0].kind, NotificationKind::Close);
        assert_eq!((world.is_open(), world.due()), (false, Some(330)));
    }
}

#[test]
fn i18_a_run_that_has_begun_must_end_and_its_time_is_measured() {
    let mut world = world();
    world.is_called(86_400);
    world.reads_all();
    world.now = 100;
    world.says(run(HeartbeatRun::Began, 100, Some(240)));
    let began = world.reads_all();
    assert_eq!((began.notifications.len(), world.is_open()), (0, false));
    assert_eq!(world.due(), Some(400), "long before the next day");
    world.now = 175;
    world.is_called(86_400);
    world.reads_all();
    let output = world.state.as_ref().unwrap().alert.output.clone();
    assert_eq!(
        output,
        "heartbeat nightly-backup was called, 1m 15s after its run began"
    );
    assert_eq!(world.due(), Some(175 + 86_400 + 60));

    world.now = 1000;
    world.says(run(HeartbeatRun::Began, 1000, Some(240)));
    world.reads_all();
    world.lives_on();
    assert!(world.is_open());
    let output = world.state.as_ref().unwrap().alert.output.clone();
    assert_eq!(
        output,
        "the run of heartbeat nightly-backup that began at 2026-09-01T10:16:40Z has not ended"
    );
    // Another run that begins is no sign that all is well.
    world.says(run(HeartbeatRun::Began, world.now, Some(240)));
    world.reads_all();
    assert!(world.is_open());
}

#[test]
fn i18_a_run_that_begins_before_any_call_is_waited_for() {
    let mut world = world();
    world.says(run(HeartbeatRun::Began, 0, Some(240)));
    world.reads_all();
    assert_eq!((world.is_open(), world.due()), (false, Some(300)));
    world.lives_on();
    assert!(world.is_open());
}

proptest! {
    #[test]
    fn whatever_has_happened_calls_that_stop_open_one_alert_and_only_one(
        lifetime in 5_i64..600,
        steps in prop::collection::vec((0_i64..400, 0_usize..5, any::<bool>(), 0_usize..4), 1..40)
    ) {
        let mut world = world();
        world.is_called(lifetime);
        // Time passes, some of what was accepted is read, deadlines are looked at or not, a stage dies and repeats itself.
        for (seconds, reads, wakes, repeats) in steps {
            world.now += seconds;
            for _ in 0..reads {
                world.reads();
            }
            if wakes {
                world.wakes();
            }
            world.read = world.read.saturating_sub(repeats);
        }
        while world.reads().is_some() {}
        world.lives_on();
        prop_assert!(world.is_open());
        prop_assert_eq!(world.openings(), 1);
    }
}
