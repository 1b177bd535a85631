use std::sync::atomic::{AtomicU32, Ordering};

use schemas::{DeliveryFailure, ReceiptOutcome};

use super::world::*;
use crate::sender::SendResult;
use schemas::Channel::{Slack, Webhook};
use schemas::NotificationKind::Open;

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_on_schedule_and_not_before_the_provider_wants_it() {
    let mut world = World::new(Slack).await;
    let count = AtomicU32::new(0);
    world.script(move |made| match count.fetch_add(1, Ordering::Relaxed) {
        0 => away(),
        1 => SendResult::Transient {
            after: Some(90 * SECOND),
            error: "slow down".to_owned(),
            maybe_delivered: false,
        },
        2 => away(),
        _ => sent(made),
    });
    world.publish(&[notification(Slack, 1, 1, Open)]).await;
    let receipts = world.receipts(2).await;
    let times: Vec<_> = world
        .made()
        .windows(2)
        .map(|pair| (pair[1].at - pair[0].at).as_secs_f64())
        .collect();
    let planned = [1.0, 90.0, 30.0];
    for (time, planned) in times.iter().zip(planned) {
        assert!((planned..planned * 1.1 + 0.01).contains(time), "{times:?}");
    }
    assert!(matches!(&receipts[0].outcome, ReceiptOutcome::Retrying { error, .. } if error == "away"));
    assert!(
        matches!(&receipts[1].outcome, ReceiptOutcome::Sent { .. }),
        "retrying is said once"
    );
    assert_eq!((receipts[0].attempts, receipts[1].attempts), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn after_seventy_five_hours_it_is_given_up_as_a_dead_letter() {
    let mut world = World::new(Webhook).await;
    world.script(|_| away());
    let lost = notification(Webhook, 1, 1, Open);
    world.publish(std::slice::from_ref(&lost)).await;
    let ends = world.ends(std::slice::from_ref(&lost)).await;
    let failure = DeliveryFailure::Expired;
    assert_eq!(
        ends[&lost.notification_id],
        ReceiptOutcome::Failed {
            failure,
            error: "away".to_owned()
        }
    );
    let made = world.made();
    let took = made.last().unwrap().at;
    assert!(took > 75 * HOUR && took < 76 * HOUR, "{took:?}");
    let longest = made.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap();
    assert!(longest < 61 * SECOND, "it was tried once a minute: {longest:?}");
    let kept: schemas::rejection::DeadLetter =
        serde_json::from_slice(world.dead_letters()[0].value.as_deref().unwrap()).unwrap();
    assert_eq!(
        (kept.topic.as_str(), kept.error.as_str()),
        ("notifications.webhook", "away")
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_will_never_take_becomes_a_dead_letter_at_once() {
    let mut world = World::new(Slack).await;
    world.script(|_| SendResult::BadDestination("Slack says channel_not_found".to_owned()));
    let lost = notification(Slack, 1, 1, Open);
    world.publish(std::slice::from_ref(&lost)).await;
    let ends = world.ends(std::slice::from_ref(&lost)).await;
    assert!(matches!(
        ends[&lost.notification_id],
        ReceiptOutcome::Failed {
            failure: DeliveryFailure::BadDestination,
            ..
        }
    ));
    assert_eq!((world.made().len(), world.dead_letters().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn without_a_bot_it_waits_for_one_for_an_hour() {
    let mut world = World::new(Slack).await;
    world.bots(&[]);
    let waits = notification(Slack, 1, 1, Open);
    world.publish(std::slice::from_ref(&waits)).await;
    let receipts = world.receipts(1).await;
    let error = "no slack bot is configured: declare one under `bots`";
    assert!(matches!(&receipts[0].outcome, ReceiptOutcome::Retrying { error: said, .. } if said == error));
    tokio::time::sleep(600 * SECOND).await;
    let declared_at = world.clock.now();
    world.bots(&["new"]);
    world.ends(std::slice::from_ref(&waits)).await;
    let wait = world.clock.now().duration_since(declared_at);
    assert!(wait.as_secs() < 2, "sent {wait} after the bot was declared");

    world.bots(&[]);
    let lost = notification(Slack, 2, 1, Open);
    let start = world.clock.now();
    world.publish(std::slice::from_ref(&lost)).await;
    let ends = world.ends(std::slice::from_ref(&lost)).await;
    assert_eq!(
        ends[&lost.notification_id],
        ReceiptOutcome::Failed {
            failure: DeliveryFailure::BadCredentials,
            error: error.to_owned()
        }
    );
    let minutes = world.clock.now().duration_since(start).as_mins();
    assert!((59..=62).contains(&minutes), "{minutes} minutes");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_dead_for_an_hour_gets_everything_soon_after() {
    let mut world = World::new(Webhook).await;
    let back_at = HOUR;
    world.script(move |made| if made.at < back_at { away() } else { sent(made) });
    let all = opens(Webhook, 0..500);
    world.publish(&all).await;
    world.ends(&all).await;
    let last = world.made().iter().map(|made| made.at).max().unwrap();
    assert!(last < back_at + 60 * SECOND, "the last was sent at {last:?}");
    let in_vain = world.made().iter().filter(|made| made.at < back_at).count();
    assert!(in_vain < 1_500, "{in_vain} attempts in vain");
}
