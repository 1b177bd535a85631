use std::time::Duration;

use schemas::{Channel, Severity};

use super::*;
use crate::delivery::waiting::Now;
use crate::samples;

struct Desk {
    queue: Queue,
    now: Steady,
}

impl Desk {
    fn new(channel: Channel) -> Self {
        Self {
            queue: Queue::new(channel),
            now: Steady::MIN.after(Duration::from_secs(1_000_000)),
        }
    }

    fn push(&mut self, destination: &str, alert: u8, sequence: u32, kind: NotificationKind) {
        self.push_as(Severity::Critical, destination, alert, sequence, kind);
    }

    fn push_as(
        &mut self,
        severity: Severity,
        destination: &str,
        alert: u8,
        sequence: u32,
        kind: NotificationKind,
    ) {
        let mut notification = samples::notification(sequence, kind);
        notification.alert.severity = severity;
        notification.destination = destination.to_owned();
        notification.fingerprint = Fingerprint::from_bytes([alert; 16]);
        notification.notification_id = Uuid::from_u128(u128::from(alert) << 32 | u128::from(sequence));
        let record = pipeline::log::Received {
            offset: 0,
            key: String::new(),
            value: None,
            headers: Vec::new(),
        };
        let place = Arc::new(crate::delivery::waiting::place(&notification));
        let now = Now {
            wall: samples::at("2026-09-01T10:00:01Z"),
            steady: self.now,
        };
        self.queue
            .push(0, place, Waiting::new(&notification, &record, now));
    }

    fn all(&mut self) -> Vec<Parcel> {
        std::iter::from_fn(|| self.queue.next(self.now)).collect()
    }

    /// When there is something to do.
    fn next_at(&self) -> Option<Steady> {
        let now = self.queue.first_admitted().map(|_| self.now);
        now.or_else(|| self.queue.next_at())
    }

    fn answer(&mut self, parcel: Parcel, answer: &Answer) {
        self.queue.answered(parcel, answer, self.now, &mut || 0.0);
    }

    fn after(&mut self, wait: Duration) {
        self.now = self.now.after(wait);
    }
}

use NotificationKind::{Close, Open, Update};

fn sent() -> Answer {
    Answer::Sent {
        reference: Some("C1:1".to_owned()),
    }
}

fn away() -> Answer {
    Answer::Transient {
        after: None,
        error: "away".to_owned(),
        perhaps_delivered: false,
    }
}

/// Alert and sequence of each member of each parcel.
fn told(parcels: &[Parcel]) -> Vec<Vec<(u8, u32)>> {
    let member = |waiting: &Waiting| (waiting.fingerprint.as_bytes()[0], waiting.sequence);
    parcels
        .iter()
        .map(|parcel| parcel.members.iter().map(member).collect())
        .collect()
}

#[test]
fn of_one_alert_at_one_destination_one_is_under_way_and_the_order_stays() {
    let mut desk = Desk::new(Channel::Webhook);
    desk.push("a", 1, 1, Open);
    desk.push("a", 1, 2, Close);
    desk.push("b", 1, 1, Open);
    // Nobody can have heard of the open at `a`.
    assert_eq!(desk.queue.take_settled().len(), 2);
    desk.push("a", 2, 1, Open);
    let mut parcels = desk.all();
    assert_eq!(told(&parcels).concat(), [(1, 1), (2, 1)]);
    desk.push("a", 2, 3, Close);
    desk.push("a", 2, 2, Update);
    assert!(desk.all().is_empty());
    desk.answer(parcels.remove(1), &sent());
    let settled: Vec<_> = desk
        .queue
        .take_settled()
        .into_iter()
        .map(|s| (s.waiting.sequence, s.fate))
        .collect();
    let expected = Fate::Sent {
        reference: Some("C1:1".to_owned()),
    };
    assert_eq!(settled, [(2, Fate::Superseded), (1, expected)]);
    assert_eq!(told(&desk.all()).concat(), [(2, 3)]);
}

#[test]
fn opens_go_first_when_the_rate_is_short() {
    let mut desk = Desk::new(Channel::Slack);
    for alert in 0..5 {
        desk.push("#ops", alert, 1, Open);
    }
    for parcel in desk.all() {
        desk.answer(parcel, &sent());
    }
    let burst = desk.all();
    assert_eq!(
        told(&burst).concat(),
        [(4, 1)],
        "four at once to one channel, and the burst is over with the fifth"
    );
    for parcel in burst {
        desk.answer(parcel, &sent());
    }
    desk.push("#ops", 1, 2, Update);
    desk.push("#ops", 9, 1, Open);
    assert!(desk.all().is_empty());
    desk.after(Duration::from_secs(1));
    assert_eq!(told(&desk.all()).concat(), [(9, 1)]);
    desk.after(Duration::from_secs(1));
    assert_eq!(told(&desk.all()).concat(), [(1, 2)]);
}

#[test]
fn a_storm_becomes_one_message_and_so_does_its_end() {
    let mut desk = Desk::new(Channel::Slack);
    for alert in 0..30 {
        desk.push("#ops", alert, 1, Open);
    }
    desk.push("#other", 1, 1, Open);
    let mut parcels = desk.all();
    parcels.sort_by_key(|parcel| parcel.members.len());
    assert_eq!(
        parcels
            .iter()
            .map(|parcel| parcel.members.len())
            .collect::<Vec<_>>(),
        [1, 30]
    );
    let storm = parcels.remove(1);
    let waiting = storm.members[3].clone();
    let place = Arc::clone(&storm.place);
    desk.answer(
        storm,
        &Answer::Sent {
            reference: Some("digest:C1:1".to_owned()),
        },
    );
    assert_eq!(
        desk.queue.opened_as(&place, &waiting).as_deref(),
        Some("digest:C1:1")
    );
    assert_eq!(desk.queue.take_settled().len(), 30);
    for alert in 0..30 {
        desk.push("#ops", alert, 2, Close);
    }
    let parcels = desk.all();
    assert_eq!(told(&parcels).iter().map(Vec::len).collect::<Vec<_>>(), [30]);
    for parcel in parcels {
        desk.answer(parcel, &away());
    }
    assert_eq!(desk.queue.held().count, 30);
    desk.after(Duration::from_secs(2));
    assert_eq!(
        told(&desk.all()).concat().len(),
        30,
        "a digest that failed is tried again"
    );
}

#[test]
fn a_destination_that_fails_is_tried_with_one_message_and_all_hurry_when_it_is_back() {
    let mut desk = Desk::new(Channel::Webhook);
    for alert in 0..200 {
        desk.push("dead", alert, 1, Open);
    }
    desk.push("fine", 0, 1, Open);
    let first = desk.all();
    assert_eq!(first.len(), 5, "who has not answered yet gets few at once");
    for parcel in first {
        let answer = if parcel.place.destination == "fine" {
            sent()
        } else {
            away()
        };
        desk.answer(parcel, &answer);
    }
    let mut attempts = 0;
    let outage_ends = desk.now.after(Duration::from_secs(3600));
    while desk.now < outage_ends {
        let at = desk.next_at().unwrap();
        desk.now = desk.now.max(at);
        let parcels = desk.all();
        attempts += parcels.len();
        for parcel in parcels {
            desk.answer(parcel, &away());
        }
    }
    assert!((200..700).contains(&attempts), "{attempts} attempts in an hour");
    desk.queue.take_settled();
    desk.now = desk.now.max(desk.next_at().unwrap());
    let probe = desk.all();
    assert_eq!(probe.len(), 1);
    for parcel in probe {
        desk.answer(parcel, &sent());
    }
    let start = desk.now;
    while desk.queue.held().count > 0 {
        desk.now = desk.now.max(desk.next_at().unwrap());
        for parcel in desk.all() {
            desk.answer(parcel, &sent());
        }
    }
    assert!(desk.now.since(start).as_secs() < 1);
    assert_eq!(desk.queue.take_settled().len(), 200);
}

#[test]
fn what_goes_away_with_its_partition_is_not_sent() {
    let mut desk = Desk::new(Channel::Webhook);
    desk.push("a", 1, 1, Open);
    let under_way = desk.all().remove(0);
    desk.push("a", 1, 2, Close);
    desk.push("a", 2, 1, Open);
    desk.queue.release(0);
    assert_eq!((desk.queue.held().count, desk.queue.next_at()), (0, None));
    desk.answer(under_way, &away());
    assert_eq!((desk.queue.held().count, desk.queue.next_at()), (0, None));
    assert_eq!(
        desk.queue.take_settled().len(),
        1,
        "what became of it is still told"
    );
}

#[test]
fn destinations_take_turns() {
    let mut desk = Desk::new(Channel::Webhook);
    for alert in 0..3 {
        desk.push("busy", alert, 1, Open);
    }
    desk.push("quiet", 7, 1, Open);
    assert_eq!(
        told(&desk.all()).concat()[..2]
            .iter()
            .filter(|(alert, _)| *alert == 7)
            .count(),
        1
    );
}

#[test]
fn what_was_opened_one_by_one_is_closed_one_by_one_where_messages_are_edited() {
    for (channel, messages) in [(Channel::Slack, 30), (Channel::Email, 1)] {
        let mut desk = Desk::new(channel);
        for alert in 0..30 {
            desk.push("ops", alert, 1, Open);
            desk.after(Duration::from_secs(1));
            for parcel in desk.all() {
                desk.answer(parcel, &sent());
            }
        }
        for alert in 0..30 {
            desk.push("ops", alert, 2, Close);
        }
        let mut made = 0;
        while let Some(at) = desk.next_at() {
            desk.now = desk.now.max(at);
            for parcel in desk.all() {
                made += 1;
                desk.answer(parcel, &sent());
            }
        }
        assert_eq!(made, messages, "{channel}");
    }
}

#[test]
fn a_destination_that_is_back_is_noticed_within_a_minute_although_all_wait_for_hours() {
    let mut desk = Desk::new(Channel::Webhook);
    for alert in 0..5 {
        desk.push("a", alert, 1, Open);
    }
    for _ in 0..600 {
        desk.after(Duration::from_secs(60));
        for parcel in desk.all() {
            desk.answer(parcel, &away());
        }
    }
    desk.after(Duration::from_secs(60));
    let probe = desk.all();
    assert_eq!(told(&probe).concat().len(), 1, "one of them is tried");
    for parcel in probe {
        desk.answer(parcel, &sent());
    }
    assert_eq!(told(&desk.all()).concat().len(), 4, "and then all go");
}

#[test]
fn a_provider_that_wants_to_be_left_alone_is_not_probed() {
    let mut desk = Desk::new(Channel::Webhook);
    desk.push("a", 1, 1, Open);
    let asks = Answer::Transient {
        after: Some(Duration::from_secs(600)),
        error: "429".to_owned(),
        perhaps_delivered: false,
    };
    for parcel in desk.all() {
        desk.answer(parcel, &asks);
    }
    desk.after(Duration::from_secs(599));
    assert!(desk.all().is_empty());
    desk.after(Duration::from_secs(1));
    assert_eq!(desk.all().len(), 1);
}

#[test]
fn what_wakes_people_goes_first_and_the_worst_before_all() {
    let mut desk = Desk::new(Channel::Email);
    let fillers: Vec<_> = (0..8)
        .map(|number| format!("filler-{number}@example.com"))
        .collect();
    let people = ["a@example.com", "b@example.com", "c@example.com", "d@example.com"];
    for known in fillers.iter().map(String::as_str).chain(people) {
        desk.push(known, 1, 1, Open);
        for parcel in desk.all() {
            desk.answer(parcel, &sent());
        }
    }
    for filler in &fillers {
        desk.push(filler, 2, 1, Open);
    }
    let under_way = desk.all();
    assert_eq!(under_way.len(), 8, "all slots of the account are taken");
    desk.push_as(Severity::Down, people[0], 51, 2, Close);
    desk.push_as(Severity::Warning, people[1], 52, 1, Open);
    desk.push_as(Severity::Critical, people[2], 53, 1, Open);
    desk.push_as(Severity::Warning, people[3], 54, 1, Open);
    desk.push_as(Severity::Down, people[3], 55, 1, Open);
    assert!(desk.all().is_empty());
    let mut order = Vec::new();
    for parcel in under_way {
        desk.answer(parcel, &sent());
        for parcel in desk.all() {
            order.extend(told(std::slice::from_ref(&parcel)).concat());
            desk.answer(parcel, &sent());
        }
    }
    let alerts: Vec<_> = order.into_iter().map(|(alert, _)| alert).collect();
    assert_eq!(alerts, [55, 53, 52, 54, 51]);
}

#[test]
fn l9_hosts_that_hang_leave_slots_to_the_others() {
    let mut desk = Desk::new(Channel::Webhook);
    let host = |number| format!("https://host-{number}.example/");
    for number in 0..8 {
        for alert in 0..100 {
            desk.push(&host(number), alert, 1, Open);
        }
    }
    let hanging = desk.all();
    assert_eq!(hanging.len(), 8 * 4);
    desk.push("https://well.example/", 1, 1, Open);
    assert_eq!(desk.all().len(), 1, "at once");
    // Their time is up: from now on each of them is tried with one at a time.
    for parcel in hanging {
        desk.answer(parcel, &away());
    }
    desk.after(Duration::from_secs(15));
    assert_eq!(desk.all().len(), 8);
}

#[test]
fn l9_hosts_that_answered_before_they_hang_leave_slots_to_the_others_too() {
    let mut desk = Desk::new(Channel::Webhook);
    let host = |number| format!("https://host-{number}.example/");
    for number in 0..8 {
        desk.push(&host(number), 200, 1, Open);
    }
    for parcel in desk.all() {
        desk.answer(parcel, &sent());
    }
    for number in 0..8 {
        for alert in 0..100 {
            desk.push(&host(number), alert, 1, Open);
        }
    }
    let hanging = desk.all();
    assert!(hanging.len() < 192, "{}", hanging.len());
    desk.push("https://well.example/", 1, 1, Open);
    assert_eq!(desk.all().len(), 1, "at once");
}

#[test]
fn l9_paths_of_one_host_that_hang_leave_slots_to_its_other_paths() {
    let mut desk = Desk::new(Channel::Webhook);
    let path = |number| format!("https://one.example/{number}");
    for number in 0..8 {
        for alert in 0..100 {
            desk.push(&path(number), alert, 1, Open);
        }
    }
    let mut hanging = desk.all();
    desk.push("https://one.example/well", 1, 1, Open);
    let well = desk.all();
    assert_eq!(told(&well).concat(), [(1, 1)]);
    for parcel in well {
        desk.answer(parcel, &sent());
    }
    hanging.extend(desk.all());
    for round in 2..20 {
        for parcel in hanging {
            desk.answer(parcel, &away());
        }
        desk.after(Duration::from_secs(15));
        hanging = desk.all();
        desk.push("https://one.example/well", round, 1, Open);
        let well = desk.all();
        assert_eq!(well.len(), 1, "in round {round}");
        for parcel in well {
            desk.answer(parcel, &sent());
        }
    }
}

#[test]
fn l9_a_mail_server_that_hangs_leaves_slots_to_the_others() {
    let mut desk = Desk::new(Channel::Email);
    let with_bot = |desk: &mut Desk, bot: &str, to: &str, alert| {
        let mut notification = samples::notification(1, Open);
        notification.destination = to.to_owned();
        notification.bot = Some(bot.to_owned());
        notification.fingerprint = Fingerprint::from_bytes([alert; 16]);
        let now = Now {
            wall: samples::at("2026-09-01T10:00:01Z"),
            steady: desk.now,
        };
        let record = pipeline::log::Received {
            offset: 0,
            key: String::new(),
            value: None,
            headers: Vec::new(),
        };
        let place = Arc::new(crate::delivery::waiting::place(&notification));
        desk.queue
            .push(0, place, Waiting::new(&notification, &record, now));
    };
    for server in ["a", "b", "c"] {
        for recipient in 0..12 {
            with_bot(&mut desk, server, &format!("r{recipient}@example.com"), 1);
        }
    }
    let mut hanging = desk.all();
    for round in 2..20 {
        with_bot(&mut desk, "well", "ann@example.com", round);
        let well = desk.all();
        assert_eq!(well.len(), 1, "in round {round}");
        for parcel in well {
            desk.answer(parcel, &sent());
        }
        for parcel in hanging {
            desk.answer(parcel, &away());
        }
        desk.after(Duration::from_secs(45));
        hanging = desk.all();
        assert!(hanging.len() <= 24, "{}", hanging.len());
    }
}

#[test]
fn what_is_broken_off_gives_its_slot_back() {
    let mut desk = Desk::new(Channel::Webhook);
    for round in 0..500_u32 {
        desk.push("https://one.example/", 1, round + 1, Open);
        let mut parcels = desk.all();
        assert_eq!(parcels.len(), 1);
        desk.queue.release(0);
        desk.queue.abandoned(&parcels.remove(0).group);
    }
}

mod property {
    use proptest::prelude::*;

    use super::*;

    /// What happens to a destination: something comes for it, or its oldest attempt ends.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Comes,
        Answers,
        Fails,
        Passes,
    }

    fn event() -> impl Strategy<Value = (u8, Event)> {
        let event = prop_oneof![
            6 => Just(Event::Comes),
            2 => Just(Event::Answers),
            2 => Just(Event::Fails),
            1 => Just(Event::Passes),
        ];
        (0_u8..12, event)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever came before: a destination that answered last gets a slot for what wakes people, unless all are taken.
        #[test]
        fn l9_who_answered_last_is_sent_to_at_once(
            channel in prop_oneof![Just(Channel::Webhook), Just(Channel::Email)],
            events in prop::collection::vec(event(), 0..400),
        ) {
            let mut desk = Desk::new(channel);
            let name = |number: u8| match channel {
                Channel::Webhook => format!("https://host-{}.example/{number}", number / 3),
                _ => format!("r{number}@example.com"),
            };
            let well = match channel {
                Channel::Webhook => "https://well.example/".to_owned(),
                _ => "well@example.com".to_owned(),
            };
            desk.push(&well, 1, 1, Open);
            for parcel in desk.all() {
                desk.answer(parcel, &sent());
            }
            let mut under_way: Vec<Parcel> = Vec::new();
            let mut alert = 0_u8;
            for (who, event) in events {
                let oldest = under_way.iter().position(|parcel| parcel.place.destination == name(who));
                match (event, oldest) {
                    (Event::Comes, _) => {
                        alert = alert.wrapping_add(1);
                        desk.push(&name(who), alert, 1, Open);
                    }
                    (Event::Answers, Some(oldest)) => desk.answer(under_way.remove(oldest), &sent()),
                    (Event::Fails, Some(oldest)) => desk.answer(under_way.remove(oldest), &away()),
                    (Event::Passes, _) => desk.after(Duration::from_secs(20)),
                    _ => {}
                }
                under_way.extend(desk.all());
                let limits = Limits::of(channel);
                prop_assert!(under_way.len() <= limits.in_flight);
            }
            let free = match channel {
                Channel::Webhook => Limits::of(channel).in_flight,
                _ => Limits::of(channel).in_flight_per_group,
            } - under_way.len();
            desk.push(&well, 2, 1, Open);
            let came = desk.all();
            let served = came.iter().any(|parcel| parcel.place.destination == well);
            prop_assert!(served || free == 0, "{free} are free");
        }
    }
}
