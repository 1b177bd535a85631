use std::time::Duration;

use schemas::{Channel, NotificationKind, Severity};

use super::*;
use crate::delivery::pending::Now;
use crate::samples;

struct Rig {
    queue: Queue,
    now: Steady,
}

impl Rig {
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
        let endpoint = Arc::new(crate::delivery::pending::endpoint(&notification));
        let now = Now {
            wall: samples::at("2026-09-01T10:00:01Z"),
            steady: self.now,
        };
        self.queue
            .push(0, endpoint, PendingNotification::new(&notification, &record, now));
    }

    fn all(&mut self) -> Vec<OutgoingMessage> {
        std::iter::from_fn(|| self.queue.next(self.now)).collect()
    }

    /// When there is something to do.
    fn next_at(&self) -> Option<Steady> {
        let now = self.queue.first_admitted().map(|_| self.now);
        now.or_else(|| self.queue.next_at())
    }

    fn answer(&mut self, message: OutgoingMessage, answer: &SendResult) {
        self.queue.on_result(message, answer, self.now, &mut || 0.0);
    }

    fn after(&mut self, wait: Duration) {
        self.now = self.now.after(wait);
    }
}

use NotificationKind::{Close, Open, Update};

fn sent() -> SendResult {
    SendResult::Sent {
        reference: Some("C1:1".to_owned()),
    }
}

fn away() -> SendResult {
    SendResult::Transient {
        after: None,
        error: "away".to_owned(),
        maybe_delivered: false,
    }
}

/// Alert and sequence of each member of each message.
fn members(messages: &[OutgoingMessage]) -> Vec<Vec<(u8, u32)>> {
    let member = |pending: &PendingNotification| (pending.fingerprint.as_bytes()[0], pending.sequence);
    messages
        .iter()
        .map(|message| message.members.iter().map(member).collect())
        .collect()
}

#[test]
fn one_notification_of_an_alert_is_in_flight_at_a_destination_and_the_order_stays() {
    let mut rig = Rig::new(Channel::Webhook);
    rig.push("a", 1, 1, Open);
    rig.push("a", 1, 2, Close);
    rig.push("b", 1, 1, Open);
    // The open at `a` cannot have been delivered.
    assert_eq!(rig.queue.take_resolved().len(), 2);
    rig.push("a", 2, 1, Open);
    let mut messages = rig.all();
    assert_eq!(members(&messages).concat(), [(1, 1), (2, 1)]);
    rig.push("a", 2, 3, Close);
    rig.push("a", 2, 2, Update);
    assert!(rig.all().is_empty());
    rig.answer(messages.remove(1), &sent());
    let resolved: Vec<_> = rig
        .queue
        .take_resolved()
        .into_iter()
        .map(|s| (s.pending.sequence, s.disposition))
        .collect();
    let expected = Disposition::Sent {
        reference: Some("C1:1".to_owned()),
    };
    assert_eq!(resolved, [(2, Disposition::Superseded), (1, expected)]);
    assert_eq!(members(&rig.all()).concat(), [(2, 3)]);
}

#[test]
fn opens_go_first_when_the_rate_is_short() {
    let mut rig = Rig::new(Channel::Slack);
    for alert in 0..5 {
        rig.push("#ops", alert, 1, Open);
    }
    for message in rig.all() {
        rig.answer(message, &sent());
    }
    let burst = rig.all();
    assert_eq!(
        members(&burst).concat(),
        [(4, 1)],
        "four at once to one channel, and the burst is over with the fifth"
    );
    for message in burst {
        rig.answer(message, &sent());
    }
    rig.push("#ops", 1, 2, Update);
    rig.push("#ops", 9, 1, Open);
    assert!(rig.all().is_empty());
    rig.after(Duration::from_secs(1));
    assert_eq!(members(&rig.all()).concat(), [(9, 1)]);
    rig.after(Duration::from_secs(1));
    assert_eq!(members(&rig.all()).concat(), [(1, 2)]);
}

#[test]
fn a_storm_becomes_one_message_and_so_does_its_end() {
    let mut rig = Rig::new(Channel::Slack);
    for alert in 0..30 {
        rig.push("#ops", alert, 1, Open);
    }
    rig.push("#other", 1, 1, Open);
    let mut messages = rig.all();
    messages.sort_by_key(|message| message.members.len());
    assert_eq!(
        messages
            .iter()
            .map(|message| message.members.len())
            .collect::<Vec<_>>(),
        [1, 30]
    );
    let storm = messages.remove(1);
    let pending = storm.members[3].clone();
    let endpoint = Arc::clone(&storm.endpoint);
    rig.answer(
        storm,
        &SendResult::Sent {
            reference: Some("digest:C1:1".to_owned()),
        },
    );
    assert_eq!(
        rig.queue.thread_ref(&endpoint, &pending).as_deref(),
        Some("digest:C1:1")
    );
    assert_eq!(rig.queue.take_resolved().len(), 30);
    for alert in 0..30 {
        rig.push("#ops", alert, 2, Close);
    }
    let messages = rig.all();
    assert_eq!(members(&messages).iter().map(Vec::len).collect::<Vec<_>>(), [30]);
    for message in messages {
        rig.answer(message, &away());
    }
    assert_eq!(rig.queue.held().count, 30);
    rig.after(Duration::from_secs(2));
    assert_eq!(
        members(&rig.all()).concat().len(),
        30,
        "a digest that failed is tried again"
    );
}

#[test]
fn a_destination_that_fails_is_tried_with_one_message_and_all_hurry_when_it_is_back() {
    let mut rig = Rig::new(Channel::Webhook);
    for alert in 0..200 {
        rig.push("dead", alert, 1, Open);
    }
    rig.push("fine", 0, 1, Open);
    let first = rig.all();
    assert_eq!(first.len(), 5, "who has not answered yet gets few at once");
    for message in first {
        let answer = if message.endpoint.destination == "fine" {
            sent()
        } else {
            away()
        };
        rig.answer(message, &answer);
    }
    let mut attempts = 0;
    let outage_ends = rig.now.after(Duration::from_secs(3600));
    while rig.now < outage_ends {
        let at = rig.next_at().unwrap();
        rig.now = rig.now.max(at);
        let messages = rig.all();
        attempts += messages.len();
        for message in messages {
            rig.answer(message, &away());
        }
    }
    assert!((200..700).contains(&attempts), "{attempts} attempts in an hour");
    rig.queue.take_resolved();
    rig.now = rig.now.max(rig.next_at().unwrap());
    let probe = rig.all();
    assert_eq!(probe.len(), 1);
    for message in probe {
        rig.answer(message, &sent());
    }
    let start = rig.now;
    while rig.queue.held().count > 0 {
        rig.now = rig.now.max(rig.next_at().unwrap());
        for message in rig.all() {
            rig.answer(message, &sent());
        }
    }
    assert!(rig.now.since(start).as_secs() < 1);
    assert_eq!(rig.queue.take_resolved().len(), 200);
}

#[test]
fn what_goes_away_with_its_partition_is_not_sent() {
    let mut rig = Rig::new(Channel::Webhook);
    rig.push("a", 1, 1, Open);
    let in_flight = rig.all().remove(0);
    rig.push("a", 1, 2, Close);
    rig.push("a", 2, 1, Open);
    rig.queue.release(0);
    assert_eq!((rig.queue.held().count, rig.queue.next_at()), (0, None));
    rig.answer(in_flight, &away());
    assert_eq!((rig.queue.held().count, rig.queue.next_at()), (0, None));
    assert_eq!(rig.queue.take_resolved().len(), 1, "its result is still recorded");
}

#[test]
fn destinations_take_turns() {
    let mut rig = Rig::new(Channel::Webhook);
    for alert in 0..3 {
        rig.push("busy", alert, 1, Open);
    }
    rig.push("quiet", 7, 1, Open);
    assert_eq!(
        members(&rig.all()).concat()[..2]
            .iter()
            .filter(|(alert, _)| *alert == 7)
            .count(),
        1
    );
}

#[test]
fn what_was_opened_one_by_one_is_closed_one_by_one_where_messages_are_edited() {
    for (channel, messages) in [(Channel::Slack, 30), (Channel::Email, 1)] {
        let mut rig = Rig::new(channel);
        for alert in 0..30 {
            rig.push("ops", alert, 1, Open);
            rig.after(Duration::from_secs(1));
            for message in rig.all() {
                rig.answer(message, &sent());
            }
        }
        for alert in 0..30 {
            rig.push("ops", alert, 2, Close);
        }
        let mut made = 0;
        while let Some(at) = rig.next_at() {
            rig.now = rig.now.max(at);
            for message in rig.all() {
                made += 1;
                rig.answer(message, &sent());
            }
        }
        assert_eq!(made, messages, "{channel}");
    }
}

#[test]
fn a_destination_that_is_back_is_noticed_within_a_minute_although_all_wait_for_hours() {
    let mut rig = Rig::new(Channel::Webhook);
    for alert in 0..5 {
        rig.push("a", alert, 1, Open);
    }
    for _ in 0..600 {
        rig.after(Duration::from_secs(60));
        for message in rig.all() {
            rig.answer(message, &away());
        }
    }
    rig.after(Duration::from_secs(60));
    let probe = rig.all();
    assert_eq!(members(&probe).concat().len(), 1, "one of them is tried");
    for message in probe {
        rig.answer(message, &sent());
    }
    assert_eq!(members(&rig.all()).concat().len(), 4, "and then all go");
}

#[test]
fn a_provider_that_wants_to_be_left_alone_is_not_probed() {
    let mut rig = Rig::new(Channel::Webhook);
    rig.push("a", 1, 1, Open);
    let asks = SendResult::Transient {
        after: Some(Duration::from_secs(600)),
        error: "429".to_owned(),
        maybe_delivered: false,
    };
    for message in rig.all() {
        rig.answer(message, &asks);
    }
    rig.after(Duration::from_secs(599));
    assert!(rig.all().is_empty());
    rig.after(Duration::from_secs(1));
    assert_eq!(rig.all().len(), 1);
}

#[test]
fn what_wakes_people_goes_first_and_the_worst_before_all() {
    let mut rig = Rig::new(Channel::Email);
    let fillers: Vec<_> = (0..8)
        .map(|number| format!("filler-{number}@example.com"))
        .collect();
    let people = ["a@example.com", "b@example.com", "c@example.com", "d@example.com"];
    for known in fillers.iter().map(String::as_str).chain(people) {
        rig.push(known, 1, 1, Open);
        for message in rig.all() {
            rig.answer(message, &sent());
        }
    }
    for filler in &fillers {
        rig.push(filler, 2, 1, Open);
    }
    let in_flight = rig.all();
    assert_eq!(in_flight.len(), 8, "all slots of the account are taken");
    rig.push_as(Severity::Down, people[0], 51, 2, Close);
    rig.push_as(Severity::Warning, people[1], 52, 1, Open);
    rig.push_as(Severity::Critical, people[2], 53, 1, Open);
    rig.push_as(Severity::Warning, people[3], 54, 1, Open);
    rig.push_as(Severity::Down, people[3], 55, 1, Open);
    assert!(rig.all().is_empty());
    let mut order = Vec::new();
    for message in in_flight {
        rig.answer(message, &sent());
        for message in rig.all() {
            order.extend(members(std::slice::from_ref(&message)).concat());
            rig.answer(message, &sent());
        }
    }
    let alerts: Vec<_> = order.into_iter().map(|(alert, _)| alert).collect();
    assert_eq!(alerts, [55, 53, 52, 54, 51]);
}

#[test]
fn l9_hosts_that_hang_leave_slots_to_the_others() {
    let mut rig = Rig::new(Channel::Webhook);
    let host = |number| format!("https://host-{number}.example/");
    for number in 0..8 {
        for alert in 0..100 {
            rig.push(&host(number), alert, 1, Open);
        }
    }
    let hanging = rig.all();
    assert_eq!(hanging.len(), 8 * 4);
    rig.push("https://well.example/", 1, 1, Open);
    assert_eq!(rig.all().len(), 1, "at once");
    // Their time is up: from now on each of them is tried with one at a time.
    for message in hanging {
        rig.answer(message, &away());
    }
    rig.after(Duration::from_secs(15));
    assert_eq!(rig.all().len(), 8);
}

#[test]
fn l9_hosts_that_answered_before_they_hang_leave_slots_to_the_others_too() {
    let mut rig = Rig::new(Channel::Webhook);
    let host = |number| format!("https://host-{number}.example/");
    for number in 0..8 {
        rig.push(&host(number), 200, 1, Open);
    }
    for message in rig.all() {
        rig.answer(message, &sent());
    }
    for number in 0..8 {
        for alert in 0..100 {
            rig.push(&host(number), alert, 1, Open);
        }
    }
    let hanging = rig.all();
    assert!(hanging.len() < 192, "{}", hanging.len());
    rig.push("https://well.example/", 1, 1, Open);
    assert_eq!(rig.all().len(), 1, "at once");
}

#[test]
fn l9_paths_of_one_host_that_hang_leave_slots_to_its_other_paths() {
    let mut rig = Rig::new(Channel::Webhook);
    let path = |number| format!("https://one.example/{number}");
    for number in 0..8 {
        for alert in 0..100 {
            rig.push(&path(number), alert, 1, Open);
        }
    }
    let mut hanging = rig.all();
    rig.push("https://one.example/well", 1, 1, Open);
    let well = rig.all();
    assert_eq!(members(&well).concat(), [(1, 1)]);
    for message in well {
        rig.answer(message, &sent());
    }
    hanging.extend(rig.all());
    for round in 2..20 {
        for message in hanging {
            rig.answer(message, &away());
        }
        rig.after(Duration::from_secs(15));
        hanging = rig.all();
        rig.push("https://one.example/well", round, 1, Open);
        let well = rig.all();
        assert_eq!(well.len(), 1, "in round {round}");
        for message in well {
            rig.answer(message, &sent());
        }
    }
}

#[test]
fn l9_a_mail_server_that_hangs_leaves_slots_to_the_others() {
    let mut rig = Rig::new(Channel::Email);
    let with_bot = |rig: &mut Rig, bot: &str, to: &str, alert| {
        let mut notification = samples::notification(1, Open);
        notification.destination = to.to_owned();
        notification.bot = Some(bot.to_owned());
        notification.fingerprint = Fingerprint::from_bytes([alert; 16]);
        let now = Now {
            wall: samples::at("2026-09-01T10:00:01Z"),
            steady: rig.now,
        };
        let record = pipeline::log::Received {
            offset: 0,
            key: String::new(),
            value: None,
            headers: Vec::new(),
        };
        let endpoint = Arc::new(crate::delivery::pending::endpoint(&notification));
        rig.queue
            .push(0, endpoint, PendingNotification::new(&notification, &record, now));
    };
    for server in ["a", "b", "c"] {
        for recipient in 0..12 {
            with_bot(&mut rig, server, &format!("r{recipient}@example.com"), 1);
        }
    }
    let mut hanging = rig.all();
    for round in 2..20 {
        with_bot(&mut rig, "well", "ann@example.com", round);
        let well = rig.all();
        assert_eq!(well.len(), 1, "in round {round}");
        for message in well {
            rig.answer(message, &sent());
        }
        for message in hanging {
            rig.answer(message, &away());
        }
        rig.after(Duration::from_secs(45));
        hanging = rig.all();
        assert!(hanging.len() <= 24, "{}", hanging.len());
    }
}

#[test]
fn what_is_broken_off_gives_its_slot_back() {
    let mut rig = Rig::new(Channel::Webhook);
    for round in 0..500_u32 {
        rig.push("https://one.example/", 1, round + 1, Open);
        let mut messages = rig.all();
        assert_eq!(messages.len(), 1);
        rig.queue.release(0);
        rig.queue.abandoned(&messages.remove(0).group);
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
        /// After any history, a destination that answered last gets a slot for an open, unless all are taken.
        #[test]
        fn l9_who_answered_last_is_sent_to_at_once(
            channel in prop_oneof![Just(Channel::Webhook), Just(Channel::Email)],
            events in prop::collection::vec(event(), 0..400),
        ) {
            let mut rig = Rig::new(channel);
            let name = |number: u8| match channel {
                Channel::Webhook => format!("https://host-{}.example/{number}", number / 3),
                _ => format!("r{number}@example.com"),
            };
            let well = match channel {
                Channel::Webhook => "https://well.example/".to_owned(),
                _ => "well@example.com".to_owned(),
            };
            rig.push(&well, 1, 1, Open);
            for message in rig.all() {
                rig.answer(message, &sent());
            }
            let mut in_flight: Vec<OutgoingMessage> = Vec::new();
            let mut alert = 0_u8;
            for (who, event) in events {
                let oldest = in_flight.iter().position(|message| message.endpoint.destination == name(who));
                match (event, oldest) {
                    (Event::Comes, _) => {
                        alert = alert.wrapping_add(1);
                        rig.push(&name(who), alert, 1, Open);
                    }
                    (Event::Answers, Some(oldest)) => rig.answer(in_flight.remove(oldest), &sent()),
                    (Event::Fails, Some(oldest)) => rig.answer(in_flight.remove(oldest), &away()),
                    (Event::Passes, _) => rig.after(Duration::from_secs(20)),
                    _ => {}
                }
                in_flight.extend(rig.all());
                let limits = Limits::of(channel);
                prop_assert!(in_flight.len() <= limits.in_flight);
            }
            let free = match channel {
                Channel::Webhook => Limits::of(channel).in_flight,
                _ => Limits::of(channel).in_flight_per_group,
            } - in_flight.len();
            rig.push(&well, 2, 1, Open);
            let came = rig.all();
            let served = came.iter().any(|message| message.endpoint.destination == well);
            prop_assert!(served || free == 0, "{free} are free");
        }
    }
}
