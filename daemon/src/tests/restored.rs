//! A log that is older than the database.

use pipeline::Log;
use pipeline::log::Record;

use super::*;

const TOPIC: Topic = Topic::ALERTS_DECORATED;

async fn decorated(world: &mut World, name: &str, status: EventStatus) {
    tokio::time::advance(Duration::from_secs(1)).await;
    let event = world.event(name, status).records.remove(0);
    let record = Record {
        key: "key".to_owned(),
        value: event.value,
        headers: event.headers,
    };
    world.log.append(TOPIC, vec![record]).await.unwrap();
}

/// Processes all that the log holds from this offset on, a few records at a time.
async fn read(world: &World, daemon: &mut Daemon, from: u64) {
    let records: Vec<_> = world
        .log
        .records(TOPIC)
        .into_iter()
        .filter(|record| record.offset >= from)
        .collect();
    for records in records.chunks(3) {
        let batch = Batch {
            topic: TOPIC,
            partition: 0,
            records: records.to_vec(),
        };
        daemon.process(&batch).await.unwrap();
    }
}

/// Twenty alerts were applied; the log loses the last five and gets ten others at the same places.
#[tokio::test(start_paused = true)]
async fn l2_what_comes_after_a_log_was_put_back_is_applied_and_nothing_twice() {
    let mut world = World::new(vec![]).await;
    world.log = SimulatedLog::new(1);
    let mut daemon = world.daemon("before").await;
    for number in 0..20 {
        decorated(&mut world, &format!("old {number}"), EventStatus::Firing).await;
    }
    read(&world, &mut daemon, 0).await;
    drop(daemon);

    world.log.put_back(5);
    world.offset -= 5;
    decorated(&mut world, "old 19", EventStatus::Resolved).await;
    for number in 0..10 {
        decorated(&mut world, &format!("new {number}"), EventStatus::Firing).await;
    }
    let mut daemon = world.unassigned("after");
    let positions = daemon.assigned(&[0]).await.unwrap();
    let resumed_at = positions[&(TOPIC, 0)];
    assert!((1..=15).contains(&resumed_at), "{resumed_at}");
    read(&world, &mut daemon, resumed_at).await;
    for name in (0..19)
        .map(|number| format!("old {number}"))
        .chain((0..10).map(|number| format!("new {number}")))
    {
        assert_eq!(world.history(&name).await, [HistoryKind::Opened], "{name}");
    }
    assert_eq!(
        world.history("old 19").await,
        [HistoryKind::Opened, HistoryKind::Closed]
    );

    // It is noticed once.
    drop(daemon);
    let positions = world.unassigned("later").assigned(&[0]).await.unwrap();
    assert_eq!(positions[&(TOPIC, 0)], 26);
}
