//! Rows of alerts that this version cannot read.

use super::*;

/// A store in a file, of which the row of one alert has a word that this version does not know.
async fn tampered(world: &mut World, directory: &tempfile::TempDir, name: &str) {
    let url = format!("sqlite://{}/store.sqlite", directory.path().display());
    world.store = Store::open(&url).await.unwrap();
    world.store.migrate().await.unwrap();
    let mut daemon = world.daemon("before").await;
    for name in [name, "cpu"] {
        let firing = world.event(name, EventStatus::Firing);
        daemon.process(&firing).await.unwrap();
    }
    drop(daemon);
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let changed = sqlx::query(
        "UPDATE alerts SET document = replace(document, '\"severity\":\"critical\"', '\"severity\":\"dire\"'), \
         due_at = 0 WHERE fingerprint = ?",
    )
    .bind(domain::fingerprint([name]).to_string())
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(changed.rows_affected(), 1);
    pool.close().await;
}

#[tokio::test]
async fn l7_a_row_that_cannot_be_read_holds_up_no_other_alert() {
    let mut world = World::new(vec![step(0)]).await;
    let directory = tempfile::tempdir().unwrap();
    tampered(&mut world, &directory, "disk").await;
    let mut daemon = world.daemon("after").await;

    let mut both = world.event("disk", EventStatus::Resolved);
    both.records
        .extend(world.event("memory", EventStatus::Firing).records);
    both.records
        .extend(world.event("cpu", EventStatus::Resolved).records);
    daemon.process(&both).await.unwrap();
    assert_eq!(
        world.history("memory").await,
        [HistoryKind::Opened, HistoryKind::Notifying]
    );
    assert_eq!(world.history("cpu").await.last(), Some(&HistoryKind::Closed));
    let kept: Vec<schemas::rejection::DeadLetter> = world.published(Topic::ALERTS_DECORATED_DLQ);
    assert_eq!(kept.len(), 1);
    assert!(kept[0].error.contains("dire"), "{kept:?}");
    assert_eq!(
        world.history("disk").await,
        [HistoryKind::Opened, HistoryKind::Notifying],
        "it is left as it is stored"
    );

    let rows = world.store.unreadable_rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].0, format!("alerts {}", domain::fingerprint(["disk"])));
}

#[tokio::test]
async fn l7_a_command_for_a_row_that_cannot_be_read_is_answered() {
    let mut world = World::new(vec![]).await;
    let directory = tempfile::tempdir().unwrap();
    tampered(&mut world, &directory, "disk").await;
    let mut daemon = world.daemon("after").await;
    let command = command(domain::fingerprint(["disk"]), world.clock.now());
    daemon
        .process(&batch(Topic::ALERTS_COMMANDS, 0, &command))
        .await
        .unwrap();
    let changes: Vec<AlertChanged> = world.published(Topic::ALERTS_CHANGED);
    let answer = &changes.last().unwrap().answers[0];
    assert_eq!(answer.outcome, CommandOutcome::Refused);
    assert!(
        answer.reason.as_ref().unwrap().contains("cannot read it"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn l7_the_deadline_of_a_row_that_cannot_be_read_does_not_come_again_at_once() {
    let mut world = World::new(vec![]).await;
    let directory = tempfile::tempdir().unwrap();
    tampered(&mut world, &directory, "disk").await;
    let mut daemon = world.daemon("after").await;
    assert!(daemon.wake_at().unwrap() < world.clock.now());
    daemon.wake().await.unwrap();
    assert!(daemon.wake_at().unwrap() > world.clock.now());
}
