use std::collections::BTreeMap;

use domain::CompiledFilter;
use proptest::prelude::*;
use schemas::live::{Filter, ServerMessage};
use schemas::{Alert, Fingerprint};

use super::*;
use crate::examples::{alert, closed, fingerprint};
use crate::frames::tests::{encoder, read_all};

/// What a client shows, by the frames that it was sent.
#[derive(Default)]
struct Client {
    position: u64,
    shown: BTreeMap<Fingerprint, Alert>,
    total: u64,
}

impl Client {
    /// As the console does it.
    fn see(&mut self, frames: &Frames) {
        for message in read_all(frames) {
            match message {
                ServerMessage::Snapshot {
                    alerts,
                    first,
                    counters,
                    ..
                } => {
                    if first {
                        self.shown.clear();
                    }
                    self.shown
                        .extend(alerts.into_iter().map(|alert| (alert.fingerprint, alert)));
                    self.total = counters.total;
                }
                ServerMessage::Delta {
                    changed,
                    removed,
                    counters,
                    ..
                } => {
                    for alert in changed {
                        let known = self.shown.get(&alert.fingerprint);
                        if known.is_none_or(|known| known.version < alert.version) {
                            self.shown.insert(alert.fingerprint, alert);
                        }
                    }
                    self.shown.retain(|shown, _| !removed.contains(shown));
                    self.total = counters.total;
                }
                other => panic!("{other:?}"),
            }
        }
        self.position = frames.to;
    }

    /// Takes one step; answers whether there was one.
    fn follow(&mut self, stream: &mut Stream, replica: &Replica) -> bool {
        match stream.after(replica, self.position) {
            Next::Frames(frames) => self.see(&frames),
            Next::Nothing(position) => {
                let is_news = position > self.position;
                self.position = position;
                return is_news;
            }
            Next::Lost => self.see(&stream.snapshot(replica).unwrap()),
        }
        true
    }
}

async fn stream(filter: &Filter, replica: &Replica) -> Stream {
    let filter = CompiledFilter::compile(filter).unwrap();
    let screen = Subscription::begin(filter, &replica.list(), replica.head()).await;
    Stream::new(encoder(usize::MAX), screen)
}

#[derive(Debug, Clone)]
enum Step {
    Open { number: u32, passes: bool },
    Close { number: u32 },
    Advance,
    Follow { client: usize },
    Resume { client: usize },
    Begin { client: usize },
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..4_usize;
    prop_oneof![
        6 => (0..12_u32, any::<bool>()).prop_map(|(number, passes)| Step::Open { number, passes }),
        3 => (0..12_u32).prop_map(|number| Step::Close { number }),
        3 => Just(Step::Advance),
        3 => client.clone().prop_map(|client| Step::Follow { client }),
        1 => client.clone().prop_map(|client| Step::Resume { client }),
        1 => client.prop_map(|client| Step::Begin { client }),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    #[test]
    fn clients_that_share_frames_all_come_to_the_truth_however_late_they_are(
        steps in prop::collection::vec(step(), 1..150),
        remembered in 3..60_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let filter = Filter { environments: vec!["production".to_owned()], ..Filter::default() };
            let mut replica = Replica::remembering(remembered);
            let mut truth: BTreeMap<Fingerprint, Alert> = BTreeMap::new();
            let mut shared = stream(&filter, &replica).await;
            let mut clients: [Client; 4] = Default::default();
            for (version, step) in (1..).zip(steps) {
                match step {
                    Step::Open { number, passes } => {
                        let environment = if passes { "production" } else { "test" }.to_owned();
                        let changed = Alert { environment, ..alert(number, version) };
                        truth.insert(changed.fingerprint, changed.clone());
                        replica.apply(Arc::new(changed), None);
                    }
                    Step::Close { number } => {
                        truth.remove(&fingerprint(number));
                        replica.apply(Arc::new(closed(number, version)), None);
                    }
                    Step::Advance if !shared.advance(&replica) => {
                        shared = stream(&filter, &replica).await;
                    }
                    Step::Advance => {}
                    Step::Follow { client } => {
                        if shared.advance(&replica) {
                            clients[client].follow(&mut shared, &replica);
                        }
                    }
                    Step::Resume { client } => {
                        if let Some(frames) = shared.resume(&replica, clients[client].position) {
                            clients[client].see(&frames);
                        }
                    }
                    Step::Begin { client } => {
                        if let Some(snapshot) = shared.snapshot(&replica) {
                            clients[client].see(&snapshot);
                        }
                    }
                    Step::Forget => shared.forget_beginnings(),
                }
            }
            if !shared.advance(&replica) {
                shared = stream(&filter, &replica).await;
            }
            truth.retain(|_, alert| alert.environment == "production");
            for client in &mut clients {
                while client.follow(&mut shared, &replica) {}
                prop_assert_eq!(&client.shown, &truth);
                if client.position > 0 {
                    prop_assert_eq!(client.total, truth.len() as u64);
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn v4_one_snapshot_and_one_delta_serve_all_clients_of_a_filter() {
    let mut replica = Replica::default();
    for number in 0..10 {
        replica.apply(Arc::new(alert(number, 1)), None);
    }
    let mut shared = stream(&Filter::default(), &replica).await;
    let first = shared.snapshot(&replica).unwrap();
    replica.apply(Arc::new(alert(1, 2)), None);
    let second = shared.snapshot(&replica).unwrap();
    assert!(Arc::ptr_eq(&first, &second), "one change does not make it old");
    assert!(shared.advance(&replica));
    let deltas = [first.to, first.to].map(|since| match shared.after(&replica, since) {
        Next::Frames(frames) => frames,
        _ => panic!("no delta"),
    });
    assert!(Arc::ptr_eq(&deltas[0], &deltas[1]));
    assert!(!deltas[0].is_snapshot() && deltas[0].len() == 1);

    for version in 3..=SNAPSHOT_CHANGES_MAX + 3 {
        replica.apply(Arc::new(alert(1, version)), None);
    }
    let third = shared.snapshot(&replica).unwrap();
    assert!(!Arc::ptr_eq(&first, &third), "it was overtaken by too much");
    shared.forget_beginnings();
    assert!(!Arc::ptr_eq(&shared.snapshot(&replica).unwrap(), &third));
}

#[tokio::test]
async fn v4_clients_that_come_back_with_the_same_cursor_are_sent_the_same() {
    let mut replica = Replica::default();
    replica.apply(Arc::new(alert(1, 1)), None);
    let mut shared = stream(&Filter::default(), &replica).await;
    replica.apply(Arc::new(alert(2, 1)), None);
    let missed = [0, 0].map(|since| shared.resume(&replica, since).unwrap());
    assert!(Arc::ptr_eq(&missed[0], &missed[1]));
    assert_eq!(missed[0].len(), 2);
    assert_eq!(shared.resume(&replica, 1).unwrap().len(), 1);
    assert!(shared.resume(&replica, 99).is_none(), "no cursor of this stream");
}

#[tokio::test]
async fn v6_deltas_are_kept_up_to_a_number_of_bytes_and_of_alerts() {
    let mut replica = Replica::default();
    let mut shared = stream(&Filter::default(), &replica).await;
    for version in 1..=40 {
        let output = "x".repeat(100_000);
        replica.apply(
            Arc::new(Alert {
                output,
                ..alert(1, version)
            }),
            None,
        );
        assert!(shared.advance(&replica));
        if let Next::Frames(frames) = shared.after(&replica, version - 1) {
            read_all(&frames);
        }
    }
    let held: usize = shared.recent.iter().map(|delta| delta.bytes()).sum();
    assert!(
        held <= RECENT_BYTES_MAX + 110_000 && shared.recent.len() > 5,
        "{held}"
    );
    let Next::Frames(caught_up) = shared.after(&replica, 1) else {
        panic!("no frames")
    };
    assert_eq!((caught_up.len(), caught_up.to), (1, 40), "the latest state alone");

    for number in 2..10 {
        for alerts in 0..1_000 {
            replica.apply(Arc::new(alert(number * 1_000 + alerts, 1)), None);
        }
        assert!(shared.advance(&replica));
    }
    assert!(shared.recent.len() <= 2);
}
