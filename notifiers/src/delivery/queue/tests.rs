use std::time::Duration;

use schemas::Channel;

use super::*;
use crate::samples;

struct Desk {
    queue: Queue,
    now: Timestamp,
}

impl Desk {
    fn new(channel: Channel) -> Self {
        Self {
            queue: Queue::new(Limits::of(channel)),
            now: samples::at("2026-09-01T10:00:01Z"),
        }
    }

    fn push(&mut self, destination: &str, alert: u8, sequence: u32, kind: NotificationKind) {
        let mut notification = samples::notification(sequence, kind);
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
        self.queue
            .push(0, place, Waiting::new(&notification, &record, self.now));
    }

    fn all(&mut self) -> Vec<Parcel> {
        std::iter::from_fn(|| self.queue.next(self.now)).collect()
    }

    fn answer(&mut self, parcel: Parcel, answer: &Answer) {
        self.queue.answered(parcel, answer, self.now, &mut || 0.0);
    }

    fn after(&mut self, wait: Duration) {
        self.now = self.now.checked_add(wait).unwrap();
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
    assert_eq!(desk.queue.len(), 30);
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
    assert_eq!(first.len(), 65, "so many may be under way at one destination");
    for parcel in first {
        let answer = if parcel.place.destination == "fine" {
            sent()
        } else {
            away()
        };
        desk.answer(parcel, &answer);
    }
    let mut attempts = 0;
    let outage_ends = desk.now.checked_add(Duration::from_secs(3600)).unwrap();
    while desk.now < outage_ends {
        let at = desk.queue.next_at().unwrap();
        desk.now = desk.now.max(at);
        let parcels = desk.all();
        attempts += parcels.len();
        for parcel in parcels {
            desk.answer(parcel, &away());
        }
    }
    assert!((200..700).contains(&attempts), "{attempts} attempts in an hour");
    desk.queue.take_settled();
    desk.now = desk.now.max(desk.queue.next_at().unwrap());
    let probe = desk.all();
    assert_eq!(probe.len(), 1);
    for parcel in probe {
        desk.answer(parcel, &sent());
    }
    let start = desk.now;
    while desk.queue.len() > 0 {
        desk.now = desk.now.max(desk.queue.next_at().unwrap());
        for parcel in desk.all() {
            desk.answer(parcel, &sent());
        }
    }
    assert!(desk.now.duration_since(start).as_secs() < 1);
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
    assert_eq!((desk.queue.len(), desk.queue.next_at()), (0, None));
    desk.answer(under_way, &away());
    assert_eq!((desk.queue.len(), desk.queue.next_at()), (0, None));
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
        while let Some(at) = desk.queue.next_at() {
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
