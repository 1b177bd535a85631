use super::world::*;
use schemas::Channel::Webhook;
use schemas::Notification;
use schemas::NotificationKind::{Close, Open};

use crate::delivery::overflow::HELD_PER_DESTINATION;

fn elsewhere(alert: u32) -> Notification {
    let mut notification = notification(Webhook, alert, 1, Open);
    notification.destination = "https://well.example.com/".to_owned();
    notification
}

const ELSEWHERE: u32 = 900_000;

#[tokio::test(start_paused = true)]
async fn l1_a_dead_destination_does_not_hold_up_others() {
    let mut world = World::new(Webhook).await;
    world.script(|made| {
        if made.ids[0].as_u128() >= u128::from(ELSEWHERE) * 100 {
            sent(made)
        } else {
            away()
        }
    });
    let many = u32::try_from(HELD_PER_DESTINATION).unwrap() + 1_500;
    let dead = opens(Webhook, 0..many);
    world.publish(&dead).await;
    let before = world.clock.now();
    world.publish(&[elsewhere(ELSEWHERE)]).await;
    world.ends(&[elsewhere(ELSEWHERE)]).await;
    assert!(world.clock.now().duration_since(before).as_secs() < 2);

    // What has opened and closed while it stayed in the store says nothing to the destination.
    let (over, close) = (
        notification(Webhook, many, 1, Open),
        notification(Webhook, many, 2, Close),
    );
    world.publish(&[over.clone(), close.clone()]).await;

    world.kill().await;
    world.start();
    let before = world.clock.now();
    world.publish(&[elsewhere(ELSEWHERE + 1)]).await;
    world.ends(&[elsewhere(ELSEWHERE + 1)]).await;
    assert!(world.clock.now().duration_since(before).as_secs() < 2);

    world.script(sent);
    let ends = world.ends(&dead).await;
    assert!(ends.len() >= dead.len());
    world.ends(&[over, close]).await;
}
