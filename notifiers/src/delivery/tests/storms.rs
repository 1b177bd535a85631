use std::collections::BTreeSet;

use schemas::ReceiptOutcome;

use super::world::*;
use schemas::Channel::{Slack, Webhook};
use schemas::NotificationKind::{Close, Open, Update};

#[tokio::test(start_paused = true)]
async fn a_storm_is_sent_in_few_messages_and_so_is_its_end() {
    let mut world = World::new(Slack).await;
    let all = opens(Slack, 0..1_000);
    world.publish(&all).await;
    let ends = world.ends(&all).await;
    let references: BTreeSet<_> = ends
        .values()
        .map(|end| match end {
            ReceiptOutcome::Sent { reference, .. } => reference.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        (references.len(), world.made().len()),
        (2, 2),
        "one for each batch that was read"
    );
    let closes: Vec<_> = (0..1_000)
        .map(|alert| notification(Slack, alert, 2, Close))
        .collect();
    world.publish(&closes).await;
    world.ends(&closes).await;
    let sent: usize = world.made().iter().map(|made| made.ids.len()).sum();
    assert_eq!((sent, world.made().len()), (2_000, 4));
}

#[tokio::test(start_paused = true)]
async fn a_few_are_sent_one_by_one_within_the_rate_limit_and_pages_first() {
    let mut world = World::new(Slack).await;
    let mut some = opens(Slack, 0..15);
    world.publish(&some).await;
    tokio::time::sleep(2 * SECOND).await;
    let update = notification(Slack, 0, 2, Update);
    world
        .publish(&[update.clone(), notification(Slack, 99, 1, Open)])
        .await;
    some.extend([update.clone(), notification(Slack, 99, 1, Open)]);
    world.ends(&some).await;
    let made = world.made();
    assert_eq!(made.len(), 17);
    assert_eq!(made[16].ids, [update.notification_id]);
    assert_eq!(made.iter().filter(|made| made.at < SECOND / 2).count(), 5);
    assert!(made[16].at >= 11 * SECOND, "{:?}", made[16].at);
}

#[tokio::test(start_paused = true)]
async fn webhooks_are_sent_one_by_one_however_many() {
    let mut world = World::new(Webhook).await;
    world.script(sent);
    let all = opens(Webhook, 0..3_000);
    world.publish(&all).await;
    world.ends(&all).await;
    assert!(world.made().iter().all(|made| made.ids.len() == 1));
    assert_eq!(world.made().len(), 3_000);
}
