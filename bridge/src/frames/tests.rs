use prometheus::{IntGauge, Opts};

use super::*;
use crate::examples::alert;
use crate::replica::Replica;
use schemas::Alert;
use schemas::live::Filter;

pub(crate) fn encoder(bytes_max: usize) -> Arc<Encoder> {
    Arc::new(Encoder {
        id: "bridge".to_owned(),
        texts: Texts::default(),
        memory: FrameMemory::new(bytes_max, IntGauge::new("bytes", "bytes").unwrap()),
        encoded: IntCounterVec::new(Opts::new("encoded", "encoded"), &["type"]).unwrap(),
    })
}

/// All frames, as a client reads them.
pub(crate) fn read_all(frames: &Frames) -> Vec<ServerMessage> {
    let mut all = Vec::new();
    loop {
        let frame = frames.frame(all.len());
        all.push(serde_json::from_str(&frame.text).unwrap());
        if frame.is_last {
            return all;
        }
    }
}

fn shown(count: u32) -> Vec<Arc<Shown>> {
    let mut replica = Replica::default();
    for number in 0..count {
        replica.apply(Arc::new(alert(number, 1)), None);
    }
    let news = replica.news(0, &Filter::default()).unwrap();
    news.into_iter().filter_map(|news| news.now).collect()
}

fn counters() -> Counters {
    Counters {
        total: 200,
        by_severity: [("critical".to_owned(), 200)].into(),
        ..Counters::default()
    }
}

#[test]
fn frames_are_what_the_schema_says() {
    let encoder = encoder(usize::MAX);
    let alerts = shown(200);
    let all: Vec<Alert> = alerts.iter().map(|shown| shown.alert.as_ref().clone()).collect();
    let snapshot = read_all(&Frames::snapshot(&encoder, 7, alerts.clone(), &counters()));
    assert!(snapshot.len() > 2, "{} frames", snapshot.len());
    let mut seen = Vec::new();
    for (number, frame) in snapshot.iter().enumerate() {
        let ServerMessage::Snapshot {
            cursor,
            alerts,
            first,
            complete,
            counters: counted,
        } = frame
        else {
            panic!("no snapshot")
        };
        let is_last = number + 1 == snapshot.len();
        assert_eq!((*first, *complete), (number == 0, is_last));
        assert_eq!(cursor, if is_last { "bridge-7" } else { "" });
        assert_eq!(*counted, counters());
        seen.extend(alerts.clone());
    }
    assert_eq!(seen, all);

    let removed = vec![all[0].fingerprint];
    let changes = Changes {
        changed: alerts,
        removed: removed.clone(),
        accepted_at: Vec::new(),
    };
    let delta = read_all(&Frames::delta(&encoder, 5..9, changes, &counters()));
    let mut seen = Vec::new();
    for (number, frame) in delta.iter().enumerate() {
        let ServerMessage::Delta {
            cursor,
            changed,
            removed: gone,
            counters: counted,
        } = frame
        else {
            panic!("no delta")
        };
        let is_last = number + 1 == delta.len();
        assert_eq!(cursor, if is_last { "bridge-9" } else { "bridge-5" });
        assert_eq!(gone.clone(), if is_last { removed.clone() } else { vec![] });
        assert_eq!(*counted, counters());
        seen.extend(changed.clone());
    }
    assert_eq!(seen, all);
    assert!(encoder.sequence("bridge-9") == Some(9) && encoder.sequence("other-9").is_none());
}

#[test]
fn v4_a_frame_is_encoded_once_and_v6_only_as_much_is_held_as_there_is_room_for() {
    let roomy = encoder(usize::MAX);
    let frames = Frames::snapshot(&roomy, 7, shown(200), &counters());
    let once = read_all(&frames);
    assert_eq!(read_all(&frames), once);
    let encoded = |encoder: &Encoder| encoder.encoded.with_label_values(&["snapshot"]).get();
    assert_eq!(encoded(&roomy), once.len() as u64);
    let bytes = frames.bytes();
    assert!(bytes > 64 * 1024);
    drop(frames);

    // The same frames, each made for each client, as far as there is no room for them.
    let narrow = encoder(64 * 1024);
    let frames = Frames::snapshot(&narrow, 7, shown(200), &counters());
    assert_eq!(read_all(&frames), once);
    assert_eq!(read_all(&frames), once);
    assert!(frames.bytes() <= 64 * 1024 && frames.bytes() > 28 * 1024);
    assert!(encoded(&narrow) > once.len() as u64);
    assert!(!narrow.memory.take(64 * 1024));
    drop(frames);
    assert!(narrow.memory.take(64 * 1024), "all was given back");
}
