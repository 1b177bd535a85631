use jiff::SignedDuration;
use schemas::Channel::{Email, Slack, Webhook};
use schemas::NotificationKind::Open;

use super::world::*;

#[tokio::test(start_paused = true)]
async fn l6_a_page_is_sent_at_once_after_any_change_of_the_clock() {
    for channel in [Slack, Email, Webhook] {
        let mut world = World::new(channel).await;
        // One hour ahead, a page, put right, a page to the same destination.
        for (alert, hours) in [(1, 1), (2, -1), (3, -1), (4, 1), (5, 30 * 24)] {
            world.clock.step(SignedDuration::from_hours(hours));
            let page = notification(channel, alert, 1, Open);
            let published_at = world.clock.steady();
            world.publish(std::slice::from_ref(&page)).await;
            world.ends(&[page]).await;
            let took = world.clock.steady().since(published_at);
            assert!(took < 2 * SECOND, "{channel} {alert} took {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn l6_retries_keep_their_schedule_after_any_change_of_the_clock() {
    let mut world = World::new(Webhook).await;
    world.script(|_| away());
    world.publish(&[notification(Webhook, 1, 1, Open)]).await;
    world.receipts(1).await;
    world.clock.step(SignedDuration::from_hours(-1));
    tokio::time::sleep(10 * SECOND).await;
    let times: Vec<_> = world.made().iter().map(|made| made.at.as_secs()).collect();
    assert_eq!(times.len(), 3, "after 1 s and 5 s: {times:?}");
    world.clock.step(SignedDuration::from_hours(24 * 30));
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(world.made().len(), 3, "it is not yet time, nor is it too old");
}

#[tokio::test(start_paused = true)]
async fn l6_a_retry_that_was_stored_before_the_clock_was_set_back_is_not_an_hour_away() {
    let mut world = World::new(Webhook).await;
    world.clock.step(SignedDuration::from_hours(1));
    world.script(|_| away());
    let page = notification(Webhook, 1, 1, Open);
    world.publish(std::slice::from_ref(&page)).await;
    world.receipts(1).await;
    world.kill().await;
    world.clock.step(SignedDuration::from_hours(-1));
    world.script(sent);
    world.start();
    let started_at = world.clock.steady();
    world.ends(&[page]).await;
    let took = world.clock.steady().since(started_at);
    assert!(took < 10 * SECOND, "{took:?}");
}
