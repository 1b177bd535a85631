use schemas::ReceiptOutcome;

use super::world::*;
use crate::sender::SendResult;
use schemas::Channel::Slack;
use schemas::NotificationKind::{Close, Open, Update};

#[tokio::test(start_paused = true)]
async fn a_notification_is_sent_once_and_what_follows_knows_its_message() {
    let mut world = World::new(Slack).await;
    let open = notification(Slack, 1, 1, Open);
    world.publish(&[open.clone(), open.clone()]).await;
    let receipts = world.receipts(1).await;
    let outcome = ReceiptOutcome::Sent {
        reference: Some("C1:101".to_owned()),
        latency_ms: 100,
    };
    assert_eq!((&receipts[0].outcome, receipts[0].attempts), (&outcome, 1));
    // The daemon says it again, after a crash of its own.
    let close = notification(Slack, 1, 2, Close);
    world.publish(&[open.clone(), close.clone()]).await;
    world.ends(&[open, close.clone()]).await;
    let made: Vec<_> = world
        .made()
        .into_iter()
        .map(|made| (made.kind, made.thread_ref))
        .collect();
    assert_eq!(made, [(Open, None), (Close, Some("C1:101".to_owned()))]);
    world.stop().await;
    let claim = world.store.claim("notifiers.slack", 0, "test").await.unwrap();
    let left = world.store.unfinished(&claim, 0, 10).await.unwrap();
    assert_eq!(left.deliveries, []);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_one_alert_stays_in_order_and_what_is_old_is_left_out() {
    let mut world = World::new(Slack).await;
    world.slow_script(|made| (if made.kind == Open { 3 * SECOND } else { SECOND }, sent(made)));
    let all = [
        notification(Slack, 1, 1, Open),
        notification(Slack, 1, 2, Update),
        notification(Slack, 1, 3, Update),
        notification(Slack, 1, 4, Close),
    ];
    world.publish(&all[..1]).await;
    tokio::time::sleep(SECOND).await;
    world.publish(&all[1..]).await;
    let ends = world.ends(&all).await;
    let superseded: Vec<_> = all
        .iter()
        .map(|n| ends[&n.notification_id] == ReceiptOutcome::Superseded)
        .collect();
    assert_eq!(superseded, [false, true, true, false]);
    assert_eq!(
        world.made().iter().map(|made| made.kind).collect::<Vec<_>>(),
        [Open, Close]
    );
}

#[tokio::test(start_paused = true)]
async fn an_undelivered_open_is_superseded_with_its_close() {
    let mut world = World::new(Slack).await;
    world.script(|_| away());
    let all = [notification(Slack, 1, 1, Open), notification(Slack, 1, 2, Close)];
    world.publish(&all[..1]).await;
    world.receipts(1).await;
    world.publish(&all[1..]).await;
    let ends = world.ends(&all).await;
    assert!(
        ends.values().all(|end| *end == ReceiptOutcome::Superseded),
        "{ends:?}"
    );
    assert_eq!(world.made().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_open_that_may_have_been_delivered_is_closed() {
    let mut world = World::new(Slack).await;
    world.slow_script(|made| {
        let lost = SendResult::Transient {
            after: None,
            error: "no answer".to_owned(),
            maybe_delivered: true,
        };
        if made.at < SECOND {
            (10 * SECOND, lost)
        } else {
            (SECOND, sent(made))
        }
    });
    let all = [notification(Slack, 1, 1, Open), notification(Slack, 1, 2, Close)];
    world.publish(&all).await;
    // Both were read at once, so the open was not delivered; the next one is in flight when its close comes.
    world.ends(&all).await;
    assert_eq!(world.made().len(), 0);
    let all = [notification(Slack, 2, 1, Open), notification(Slack, 2, 2, Close)];
    world.publish(&all[..1]).await;
    tokio::time::sleep(SECOND / 2).await;
    world.publish(&all[1..]).await;
    let ends = world.ends(&all).await;
    assert!(
        all.iter()
            .all(|n| matches!(ends[&n.notification_id], ReceiptOutcome::Sent { .. })),
        "{ends:?}"
    );
    assert_eq!(
        world.made().iter().map(|made| made.kind).collect::<Vec<_>>(),
        [Open, Open, Close]
    );
}

#[tokio::test(start_paused = true)]
async fn no_close_is_sent_for_what_could_not_be_opened() {
    let mut world = World::new(Slack).await;
    world.script(|_| SendResult::Refused("msg_too_long".to_owned()));
    let all = [notification(Slack, 1, 1, Open), notification(Slack, 1, 2, Close)];
    world.publish(&all[..1]).await;
    world.ends(&all[..1]).await;
    world.publish(&all[1..]).await;
    let ends = world.ends(&all).await;
    assert_eq!(ends[&all[1].notification_id], ReceiptOutcome::Superseded);
    assert_eq!(world.made().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_notification_of_the_channel_becomes_a_dead_letter_and_the_others_go_on() {
    let mut world = World::new(Slack).await;
    let stray = notification(schemas::Channel::Email, 1, 1, Open);
    let fine = notification(Slack, 2, 1, Open);
    world.publish(&[stray, fine.clone()]).await;
    world.ends(&[fine]).await;
    let kept: schemas::rejection::DeadLetter =
        serde_json::from_slice(world.dead_letters()[0].value.as_deref().unwrap()).unwrap();
    assert_eq!(kept.error, "channel is email, but this is the topic of slack");
}
