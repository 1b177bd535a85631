use std::collections::BTreeSet;

use pipeline::Log;
use pipeline::log::{Consumer, Delivery, Positions};
use schemas::ReceiptOutcome;

use super::world::*;
use schemas::Channel::{Slack, Webhook};
use schemas::NotificationKind::{Close, Open};

#[tokio::test(start_paused = true)]
async fn a_notifier_that_is_killed_again_and_again_loses_nothing() {
    let mut world = World::new(Webhook).await;
    let all = opens(Webhook, 0..400);
    let fails_first = |made: &Made| made.ids[0].as_u128().is_multiple_of(7) && made.at < 3 * SECOND;
    world.slow_script(move |made| (SECOND / 10, if fails_first(made) { away() } else { sent(made) }));
    for (round, part) in all.chunks(100).enumerate() {
        world.publish(part).await;
        // Each time a little later in what it does.
        tokio::time::sleep(SECOND / 50 * u32::try_from(round * 3 + 1).unwrap()).await;
        world.kill().await;
        world.start();
    }
    let ends = world.ends(&all).await;
    assert!(
        ends.values()
            .all(|end| matches!(end, ReceiptOutcome::Sent { .. }))
    );
    let sent: BTreeSet<_> = world.made().into_iter().flat_map(|made| made.ids).collect();
    assert_eq!(sent.len(), all.len(), "what was sent twice has the same id");
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_is_stopped_finishes_what_it_has_begun() {
    let mut world = World::new(Webhook).await;
    let all = opens(Webhook, 0..300);
    world.slow_script(|made| (SECOND / 2, sent(made)));
    world.publish(&all).await;
    tokio::time::sleep(SECOND / 4).await;
    world.stop().await;
    let begun = world.made().len();
    assert!(begun > 0 && begun < 300, "{begun}");
    world.start();
    world.ends(&all).await;
    assert_eq!(world.made().len(), 300, "nothing was sent twice");
    assert_eq!(
        world.receipts(300).await.len(),
        300,
        "no receipt was published twice"
    );
}

#[tokio::test(start_paused = true)]
async fn an_open_that_was_in_flight_at_the_crash_is_closed() {
    let mut world = World::new(Slack).await;
    world.slow_script(|made| (10 * SECOND, sent(made)));
    let all = [notification(Slack, 1, 1, Open), notification(Slack, 1, 2, Close)];
    world.publish(&all[..1]).await;
    tokio::time::sleep(SECOND).await;
    world.kill().await;
    world.publish(&all[1..]).await;
    world.start();
    let ends = world.ends(&all).await;
    assert!(
        ends.values()
            .all(|end| matches!(end, ReceiptOutcome::Sent { .. })),
        "{ends:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_first_message_is_still_known() {
    let mut world = World::new(Slack).await;
    let all = [notification(Slack, 1, 1, Open), notification(Slack, 1, 2, Close)];
    world.publish(&all[..1]).await;
    world.ends(&all[..1]).await;
    world.kill().await;
    world.start();
    world.publish(&all[1..]).await;
    world.ends(&all).await;
    assert_eq!(world.made()[1].thread_ref.as_deref(), Some("C1:101"));
}

async fn assigned(consumer: &mut dyn Consumer) -> Vec<u32> {
    loop {
        if let Delivery::Assigned(partitions) = consumer.next().await.unwrap() {
            return partitions;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_notifications_of_a_lost_partition_are_not_sent_until_it_comes_back() {
    let mut world = World::with_partitions(Webhook, 2).await;
    world.script(|_| away());
    // One destination in each of the two partitions.
    let mut all = opens(Webhook, 0..2);
    let partition = |key: &str| pipeline::log::partition_of(key, 2);
    let name = |wanted| {
        (0..)
            .map(|n| format!("d{n}"))
            .find(|name| partition(name) == wanted)
            .unwrap()
    };
    (all[0].destination, all[1].destination) = (name(0), name(1));
    world.publish(&all).await;
    world.receipts(2).await;

    let mut other = world
        .log
        .join("notifiers.webhook", &[Webhook.topic()])
        .await
        .unwrap();
    assert_eq!(assigned(other.as_mut()).await, [1]);
    other.start(&Positions::new()).await.unwrap();
    let taken_at = world.made().len();
    tokio::time::sleep(HOUR).await;
    let theirs = all[1].notification_id;
    let attempts: Vec<_> = world.made()[taken_at..]
        .iter()
        .flat_map(|made| made.ids.clone())
        .collect();
    assert!(!attempts.contains(&theirs) && attempts.len() > 2, "{attempts:?}");

    drop(other);
    world.script(sent);
    let ends = world.ends(&all).await;
    assert!(
        ends.values()
            .all(|end| matches!(end, ReceiptOutcome::Sent { .. })),
        "{ends:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_lost_stops_sending_and_is_taken_again() {
    let mut world = World::new(Webhook).await;
    world.script(|_| away());
    let all = opens(Webhook, 0..5);
    world.publish(&all).await;
    world.receipts(5).await;
    world
        .store
        .claim("notifiers.webhook", 0, "another")
        .await
        .unwrap();
    world.script(sent);
    let ends = world.ends(&all).await;
    assert!(
        ends.values()
            .all(|end| matches!(end, ReceiptOutcome::Sent { .. })),
        "{ends:?}"
    );
    let claim = world.store.claim("notifiers.webhook", 0, "test").await.unwrap();
    assert!(claim.epoch >= 4, "it was claimed again: {}", claim.epoch);
}

#[tokio::test(start_paused = true)]
async fn receipts_wait_for_a_log_that_is_away() {
    let mut world = World::new(Webhook).await;
    let all = opens(Webhook, 0..5);
    world.script(|made| if made.at < 10 * SECOND { away() } else { sent(made) });
    world.publish(&all).await;
    world.receipts(5).await;
    world.log.set_available(false);
    tokio::time::sleep(HOUR).await;
    assert_eq!(
        world.made().iter().filter(|made| made.at > 10 * SECOND).count(),
        5,
        "people do not wait for it"
    );
    world.log.set_available(true);
    let ends = world.ends(&all).await;
    assert!(
        ends.values()
            .all(|end| matches!(end, ReceiptOutcome::Sent { .. })),
        "{ends:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn receipts_that_were_stored_and_not_published_are_published_by_the_next_owner() {
    let mut world = World::new(Webhook).await;
    let all = opens(Webhook, 0..50);
    world.publish(&all).await;
    tokio::time::sleep(SECOND / 20).await;
    world.log.set_available(false);
    tokio::time::sleep(30 * SECOND).await;
    world.kill().await;
    assert_eq!(world.made().len(), 50);
    let claim = world.store.claim("notifiers.webhook", 0, "test").await.unwrap();
    let stored: usize = {
        let rows = world.store.outbox(&claim).await.unwrap();
        rows.iter().map(|row| row.messages.len()).sum()
    };
    assert_eq!(stored, 50);
    world.log.set_available(true);
    world.start();
    let ends = world.ends(&all).await;
    assert!(
        ends.values()
            .all(|end| matches!(end, ReceiptOutcome::Sent { .. })),
        "{ends:?}"
    );
    world.stop().await;
    assert_eq!(world.made().len(), 50, "nothing was sent twice");
    let claim = world.store.claim("notifiers.webhook", 0, "test").await.unwrap();
    assert_eq!(
        world.store.outbox(&claim).await.unwrap(),
        [],
        "what was published is removed"
    );
}
