//! What is told again and again: it costs little, and is remembered and forgotten without a trace.

use super::*;
use domain::words;

/// What became of two alerts by the same story, told to one daemon, or to a new one for each message. The new ones say
/// some things again.
async fn story(one_daemon: bool) -> BTreeSet<String> {
    let mut world = World::new(vec![step(0)]).await;
    let mut daemon = world.daemon("one").await;
    let acknowledge = command(domain::fingerprint(["disk"]), world.clock.now());
    let mut batches = Vec::new();
    for (name, status) in [
        ("disk", EventStatus::Firing),
        ("cpu", EventStatus::Firing),
        ("disk", EventStatus::Firing),
        ("cpu", EventStatus::Resolved),
        ("disk", EventStatus::Acknowledged),
        ("cpu", EventStatus::Resolved),
        ("cpu", EventStatus::Firing),
        ("disk", EventStatus::Firing),
    ] {
        let mut batch = world.event(name, status);
        let both = world.event("disk", EventStatus::Firing);
        batch.records.extend(both.records);
        batches.push(batch);
    }
    batches.insert(3, batch(Topic::ALERTS_COMMANDS, 0, &acknowledge));
    batches.push(world.event("disk", EventStatus::Resolved));
    for batch in batches {
        if !one_daemon {
            daemon = world.daemon("next").await;
        }
        daemon.process(&batch).await.unwrap();
    }
    let changes: Vec<AlertChanged> = world.published(Topic::ALERTS_CHANGED);
    let told: Vec<Notification> = world.published(schemas::Channel::Webhook.topic());
    let changes = changes.into_iter().map(|change| {
        let alert = change.alert.unwrap();
        let (name, state) = (alert.name, alert.operator_state);
        serde_json::json!([
            name,
            alert.version,
            alert.status,
            state,
            alert.counts,
            alert.channels
        ])
    });
    let told = told
        .into_iter()
        .map(|told| serde_json::json!([told.alert.name, told.kind, told.episode, told.sequence]));
    let mut became: BTreeSet<_> = changes.chain(told).map(|one| one.to_string()).collect();
    for name in ["disk", "cpu"] {
        became.insert(format!("{name}: {:?}", world.history(name).await));
    }
    became
}

#[tokio::test]
async fn a_daemon_that_remembers_decides_like_one_that_reads_everything_anew() {
    let remembered = story(true).await;
    assert!(remembered.len() > 8, "{remembered:#?}");
    assert_eq!(remembered, story(false).await);
}

/// Where a daemon that claims the partition now begins with what was decorated.
async fn begins_at(world: &World) -> u64 {
    let positions = world.unassigned("next").assigned(&[0]).await.unwrap();
    positions[&(Topic::ALERTS_DECORATED, 0)]
}

#[tokio::test(start_paused = true)]
async fn what_came_to_nothing_is_committed_a_second_later() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("one").await;
    daemon.wake().await.unwrap();
    for _ in 0..3 {
        let firing = world.event("disk", EventStatus::Firing);
        daemon.process(&firing).await.unwrap();
    }
    assert_eq!(begins_at(&world).await, 2, "only the first changed anything");

    let mut daemon = world.daemon("two").await;
    daemon.wake().await.unwrap();
    let firing = world.event("disk", EventStatus::Firing);
    daemon.process(&firing).await.unwrap();
    let due = daemon.wake_at().unwrap();
    assert!(due <= world.clock.now() + Duration::from_secs(1));
    world.clock.sleep_until(due).await;
    daemon.wake().await.unwrap();
    assert!(daemon.wake_at() > Some(world.clock.now() + Duration::from_secs(86_400)));
    assert_eq!(begins_at(&world).await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_changes_nothing_writes_a_small_row_and_what_it_says_outlives_the_daemon() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("one").await;
    let say = |world: &mut World| {
        let mut firing = content(&world.event("disk", EventStatus::Firing));
        let lifetime = Duration::from_secs(300);
        firing.event.expires_at = Some(world.clock.now() + lifetime);
        batch(Topic::ALERTS_DECORATED, world.offset, &firing)
    };
    daemon.process(&say(&mut world)).await.unwrap();
    let written = |daemon: &Daemon| {
        let written = &daemon.metrics().written;
        ["state", "last_seen"].map(|what| written.with_label_values(&[what]).get())
    };
    assert_eq!(written(&daemon), [1, 0]);
    let opened_at = world.clock.now();
    let fingerprint = domain::fingerprint(["disk"]);
    for minute in 1..=4 {
        let due = opened_at + jiff::SignedDuration::from_secs(61 * minute);
        world.clock.sleep_until(due).await;
        daemon.process(&say(&mut world)).await.unwrap();
        assert_eq!(written(&daemon), [1, u64::try_from(minute).unwrap()]);
        let shown = world.store.alert(fingerprint).await.unwrap().unwrap();
        assert_eq!(shown.last_event_at, world.clock.now());
    }
    let last_at = world.clock.now();
    let ends = world.store.open_alerts_with_ends(None, 10).await.unwrap();
    assert_eq!(ends[0].1, Some(last_at + Duration::from_secs(300)));
    let listed = world
        .store
        .alerts(&store::AlertQuery {
            limit: 10,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(listed.rows[0].last_event_at, last_at);

    // Another daemon knows until when it holds: the deadline that is stored comes, and nothing is asked.
    let mut daemon = world.daemon("two").await;
    world.clock.sleep_until(last_at + Duration::from_secs(290)).await;
    daemon.wake().await.unwrap();
    assert_eq!(world.log.records(Topic::ALERTS_COLLECTED).len(), 0);
    assert_eq!(written(&daemon), [1, 0], "with its next deadline");
    world.clock.sleep_until(last_at + Duration::from_secs(361)).await;
    daemon.wake().await.unwrap();
    assert_eq!(
        world.log.records(Topic::ALERTS_COLLECTED).len(),
        1,
        "now it is asked"
    );
    let shown = world.store.alert(fingerprint).await.unwrap().unwrap();
    assert_eq!(shown.last_event_at, last_at);
}

#[tokio::test]
async fn what_came_to_nothing_before_a_commit_is_never_read_again_after_it() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("one").await;
    for _ in 0..2 {
        let firing = world.event("disk", EventStatus::Firing);
        daemon.process(&firing).await.unwrap();
    }
    let resolve = Command {
        action: Action::Resolve { comment: None },
        ..command(domain::fingerprint(["disk"]), world.clock.now())
    };
    daemon
        .process(&batch(Topic::ALERTS_COMMANDS, 0, &resolve))
        .await
        .unwrap();
    assert_eq!(
        begins_at(&world).await,
        3,
        "or the alert would be opened again by what it said before it was closed"
    );
    assert_eq!(
        world.history("disk").await,
        [HistoryKind::Opened, HistoryKind::Closed]
    );
}

#[tokio::test]
async fn what_comes_again_after_it_came_to_nothing_is_not_done_again() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("one").await;
    let resolved = world.event("disk", EventStatus::Resolved);
    daemon.process(&resolved).await.unwrap();
    let mut changed = content(&resolved);
    changed.event.kind = EventStatus::Firing.into();
    let again = batch(Topic::ALERTS_DECORATED, world.offset, &changed);
    daemon.process(&again).await.unwrap();
    assert!(world.history("disk").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn text_that_changes_all_the_time_is_stored_and_sent_once_in_a_while_and_the_last_is_never_lost() {
    let mut world = World::new(vec![step(0)]).await;
    let mut daemon = world.daemon("one").await;
    for number in 0..20 {
        let mut batch = world.event("disk", EventStatus::Firing);
        let mut changed = content(&batch);
        changed.event.output = format!("{number} requests");
        batch = super::batch(Topic::ALERTS_DECORATED, world.offset, &changed);
        daemon.process(&batch).await.unwrap();
    }
    let told = |world: &World| -> Vec<String> {
        let told: Vec<Notification> = world.published(schemas::Channel::Webhook.topic());
        told.into_iter().map(|told| told.alert.output).collect()
    };
    assert_eq!(told(&world), ["0 requests", "1 requests"]);
    // Whoever claims the partition next knows of it.
    let mut daemon = world.daemon("two").await;
    let due = world.clock.now() + Duration::from_secs(60);
    while world.clock.now() < due {
        daemon.wake().await.unwrap();
        let next = daemon.wake_at().unwrap().min(due);
        world.clock.sleep_until(next).await;
    }
    daemon.wake().await.unwrap();
    assert_eq!(told(&world), ["0 requests", "1 requests", "19 requests"]);
    let page = world
        .store
        .history(domain::fingerprint(["disk"]), 100, None)
        .await
        .unwrap();
    assert_eq!(words::message(&page.rows[0].happening), "19 requests");
    let updates = page
        .rows
        .iter()
        .filter(|entry| entry.kind() == HistoryKind::Updated);
    assert_eq!(updates.count(), 2);
}
