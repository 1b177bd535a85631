use std::time::Duration;

use schemas::Channel::{Email, Webhook};
use schemas::Notification;
use schemas::NotificationKind::Open;

use super::world::*;
use crate::sender::SendResult;

/// Longer than any page may wait.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Takes the whole time that a channel gives it, and says nothing.
fn hangs(made: &Made, time: Duration) -> (Duration, SendResult) {
    let hangs = made.destination.contains("hangs");
    let nothing = SendResult::Transient {
        after: None,
        error: "no answer in time".to_owned(),
        maybe_delivered: true,
    };
    if hangs {
        (time, nothing)
    } else {
        (SECOND / 10, sent(made))
    }
}

fn to(mut notification: Notification, destination: &str, bot: Option<&str>) -> Notification {
    notification.destination = destination.to_owned();
    notification.bot = bot.map(str::to_owned);
    notification
}

/// Sends one page every few seconds, each of which must be sent at once.
async fn pages_go_at_once(world: &mut World, page: impl Fn(u32) -> Notification) {
    for number in 0..20 {
        let page = page(900_000 + number);
        let published_at = world.clock.steady();
        world.publish(std::slice::from_ref(&page)).await;
        world.ends(&[page]).await;
        let took = world.clock.steady().since(published_at);
        assert!(took < AT_ONCE, "page {number} took {took:?}");
        tokio::time::sleep(7 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn l9_a_hanging_receiver_does_not_hold_up_others() {
    let mut world = World::new(Webhook).await;
    world.slow_script(|made| hangs(made, 15 * SECOND));
    for host in 0..8_u32 {
        let url = format!("https://hangs-{host}.example.com/");
        let alerts = opens(Webhook, host * 100..host * 100 + 100);
        let all: Vec<_> = alerts.into_iter().map(|one| to(one, &url, None)).collect();
        world.publish(&all).await;
    }
    pages_go_at_once(&mut world, |alert| {
        to(
            notification(Webhook, alert, 1, Open),
            "https://well.example.com/",
            None,
        )
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn l9_a_path_that_hangs_does_not_hold_up_the_others_of_its_host() {
    let mut world = World::new(Webhook).await;
    world.slow_script(|made| hangs(made, 15 * SECOND));
    for path in 0..8_u32 {
        let url = format!("https://one.example.com/hangs-{path}");
        let alerts = opens(Webhook, path * 100..path * 100 + 100);
        let all: Vec<_> = alerts.into_iter().map(|one| to(one, &url, None)).collect();
        world.publish(&all).await;
    }
    pages_go_at_once(&mut world, |alert| {
        to(
            notification(Webhook, alert, 1, Open),
            "https://one.example.com/well",
            None,
        )
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn l9_a_hanging_mail_server_does_not_hold_up_another() {
    let mut world = World::new(Email).await;
    world.bots(&["hangs", "well"]);
    world.slow_script(|made| hangs(made, 45 * SECOND));
    let recipients = (0..12_u32).map(|number| {
        to(
            notification(Email, number, 1, Open),
            &format!("hangs-{number}@example.com"),
            Some("hangs"),
        )
    });
    world.publish(&recipients.collect::<Vec<_>>()).await;
    pages_go_at_once(&mut world, |alert| {
        to(
            notification(Email, alert, 1, Open),
            "ann@example.com",
            Some("well"),
        )
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn l9_receivers_that_begin_to_hang_together_do_not_hold_up_others() {
    let mut world = World::new(Webhook).await;
    let first: Vec<_> = (0..8_u32)
        .map(|host| {
            to(
                notification(Webhook, host, 1, Open),
                &format!("https://hangs-{host}.example.com/"),
                None,
            )
        })
        .collect();
    world.publish(&first).await;
    world.ends(&first).await;
    world.slow_script(|made| hangs(made, 15 * SECOND));
    for host in 0..8_u32 {
        let url = format!("https://hangs-{host}.example.com/");
        let alerts = opens(Webhook, 1_000 + host * 100..1_100 + host * 100);
        let all: Vec<_> = alerts.into_iter().map(|one| to(one, &url, None)).collect();
        world.publish(&all).await;
    }
    pages_go_at_once(&mut world, |alert| {
        to(
            notification(Webhook, alert, 1, Open),
            "https://well.example.com/",
            None,
        )
    })
    .await;
}
