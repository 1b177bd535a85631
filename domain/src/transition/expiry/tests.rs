use crate::words;
use proptest::prelude::*;
use schemas::{DecoratedEvent, EventKind, EventStatus, HistoryKind, NotificationKind, Severity, Status};

use crate::transition::examples::{at, event};
use crate::transition::world::World;
use crate::transition::{Effect, Ignored};

/// Says at this second that the disk is full, and that this holds for so many seconds.
fn firing(offset: u64, second: i64, lifetime: i64) -> DecoratedEvent {
    let mut decorated = event(offset, EventStatus::Firing, Severity::Critical, "99 %");
    decorated.event.accepted_at = at(second);
    decorated.event.expires_at = Some(at(second + lifetime));
    decorated
}

impl World {
    fn fires(&mut self, lifetime: i64) {
        self.says(firing(0, self.now, lifetime));
    }
}

#[test]
fn an_alert_whose_source_falls_silent_is_closed_and_the_history_says_since_when() {
    let mut world = World::new();
    world.fires(240);
    world.reads_all();
    assert_eq!(world.due(), Some(300), "the slack is added");
    world.now = 300;
    let asked = world.wakes().unwrap();
    assert_eq!(
        asked.question.map(|question| question.kind),
        Some(EventKind::Probe { silent_since: at(0) })
    );
    assert!(world.is_open(), "a question ends nothing");
    assert_eq!(world.due(), Some(360), "it is put again if it gets lost");
    let closed = world.reads_all();
    assert_eq!(closed.state.unwrap().alert.status, Status::Closed);
    let line = closed.history.first().unwrap();
    assert_eq!(
        (
            line.kind(),
            words::actor(&line.happening.actor).as_str(),
            words::message(&line.happening).as_str()
        ),
        (
            HistoryKind::Closed,
            "reveille",
            "its source has been silent since 2026-09-01T10:00:00Z"
        )
    );
    assert_eq!(closed.notifications[0].kind, NotificationKind::Close);
    assert_eq!(world.due(), None);
}

#[test]
fn a_refresh_that_only_moves_the_end_is_not_kept_each_time() {
    let mut world = World::new();
    world.fires(60);
    world.reads_all();
    let mut kept = 0;
    for second in (5..=600).step_by(5) {
        world.now = second;
        world.fires(60);
        let outcome = world.reads_all();
        match outcome.effect {
            Effect::Nothing => assert_eq!(outcome.ignored, Some(Ignored::Refresh)),
            _ => kept += 1,
        }
        assert!(
            world.due().unwrap() >= second + 60,
            "it never ends before its time"
        );
    }
    assert_eq!(kept, 40, "every fifteen seconds");
}

#[test]
fn what_was_accepted_before_the_question_is_read_before_its_answer() {
    let mut world = World::new();
    world.fires(240);
    world.reads_all();
    world.now = 299;
    world.fires(240);
    world.now = 300;
    world.wakes().unwrap();
    let answered = world.reads_all();
    assert_eq!(answered.ignored, Some(Ignored::Overtaken));
    assert!(world.is_open());
    assert_eq!(world.due(), Some(600));
}

#[test]
fn after_an_outage_of_ours_sources_have_their_whole_time_again() {
    let mut away = World::new();
    away.fires(240);
    away.reads_all();
    away.now = 4000;
    assert_eq!(away.wakes().unwrap().question, None);
    assert_eq!((away.is_open(), away.due()), (true, Some(4300)));

    let mut held_up = World::new();
    held_up.fires(240);
    held_up.reads_all();
    held_up.now = 300;
    held_up.wakes().unwrap();
    held_up.now = 361;
    held_up.reads_all();
    assert_eq!((held_up.is_open(), held_up.due()), (true, Some(661)));
}

#[test]
fn an_event_without_an_end_holds_until_its_source_says_otherwise() {
    let mut world = World::new();
    world.fires(240);
    world.reads_all();
    let mut for_ever = firing(1, 10, 0);
    for_ever.event.expires_at = None;
    world.says(for_ever);
    world.now = 10;
    assert_eq!(world.reads_all().effect, Effect::Keep);
    assert_eq!(world.due(), None);
}

#[test]
fn an_alert_that_has_ended_expires_no_more() {
    let mut world = World::new();
    world.fires(240);
    world.reads_all();
    let mut ended = event(1, EventStatus::Resolved, Severity::Ok, "fine");
    ended.event.expires_at = Some(at(1000));
    world.says(ended);
    world.reads_all();
    assert_eq!((world.is_open(), world.due()), (false, None));
}

#[derive(Debug, Clone)]
enum Happening {
    /// Time goes on.
    Time(i64),
    /// The daemon reads so much of what was accepted.
    Reads(usize),
    /// The daemon looks at its deadlines.
    Wakes,
    /// A stage has died, and does what it did last again.
    Repeats(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (1_i64..400).prop_map(Happening::Time),
        3 => (1_usize..20).prop_map(Happening::Reads),
        3 => Just(Happening::Wakes),
        1 => (1_usize..10).prop_map(Happening::Repeats),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_to_us_a_source_that_speaks_in_time_is_never_taken_for_silent(
        lifetime in 5_i64..600,
        often in 1_i64..5,
        happenings in prop::collection::vec(happening(), 1..80)
    ) {
        let mut world = World::new();
        let every = (lifetime / often).max(1);
        let mut next = 0;
        for happening in happenings {
            match happening {
                Happening::Time(seconds) => {
                    let until = world.now + seconds;
                    while next <= until {
                        world.now = next;
                        world.fires(lifetime);
                        next += every;
                    }
                    world.now = until;
                }
                Happening::Reads(count) => {
                    for _ in 0..count {
                        world.reads();
                    }
                }
                Happening::Wakes => drop(world.wakes()),
                Happening::Repeats(count) => world.read = world.read.saturating_sub(count),
            }
            let closed = world.state.as_ref().map_or(0, |state| state.alert.counts.closed);
            prop_assert_eq!(closed, 0);
        }
    }

    #[test]
    fn whatever_has_happened_a_silent_source_ends_its_alert_in_the_end(
        lifetime in 5_i64..600,
        happenings in prop::collection::vec(happening(), 1..40)
    ) {
        let mut world = World::new();
        world.fires(lifetime);
        for happening in happenings {
            match happening {
                Happening::Time(seconds) => world.now += seconds,
                Happening::Reads(count) => {
                    for _ in 0..count {
                        world.reads();
                    }
                }
                Happening::Wakes => drop(world.wakes()),
                Happening::Repeats(count) => world.read = world.read.saturating_sub(count),
            }
        }
        while world.reads().is_some() {}
        let silent_from = world.now;
        while let Some(due) = world.due() {
            world.now = world.now.max(due);
            world.wakes();
            while world.reads().is_some() {}
        }
        prop_assert!(!world.is_open());
        prop_assert!(world.now - silent_from <= 2 * (lifetime + 60) + 60, "at the latest after twice its time");
    }
}
