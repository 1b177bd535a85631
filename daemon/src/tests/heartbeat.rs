use super::*;
use crate::heartbeat::Living;

impl World {
    fn living(&self, owner: &str) -> Living {
        let context = Context::new(Arc::new(self.log.clone()), self.clock.clone());
        Living::new(context, self.unassigned(owner))
    }
}

#[tokio::test]
async fn v2_a_partition_says_every_few_seconds_that_its_daemon_lives() {
    let world = World::new(vec![]).await;
    let mut living = world.living("one");
    assert_eq!(living.wake_at(), None, "it has no partition yet");
    living.assigned(&[0]).await.unwrap();
    assert!(living.wake_at() <= Some(world.clock.now()));
    let first = world.clock.now();
    living.wake().await.unwrap();
    let next = living.wake_at().unwrap();
    assert_eq!(next.duration_since(first).as_secs(), 5);
    living.wake().await.unwrap();
    let said: Vec<AlertChanged> = world.published(Topic::ALERTS_CHANGED);
    assert_eq!(said.len(), 1, "and not before the time has come again");
    assert!(said[0].heartbeat && said[0].alert.is_none());
    assert!(said[0].accepted_at >= first);

    living.revoked(&[0]).await;
    assert_eq!(living.wake_at(), None);
}

#[tokio::test(start_paused = true)]
async fn l6_heartbeats_go_on_when_the_clock_is_set_back() {
    let world = World::new(vec![]).await;
    let mut living = world.living("one");
    living.assigned(&[0]).await.unwrap();
    living.wake().await.unwrap();
    world.clock.step(jiff::SignedDuration::from_hours(-1));
    let next = living.wake_at().unwrap().duration_since(world.clock.now());
    assert!(next.as_secs() <= 5, "{next}");
    tokio::time::advance(std::time::Duration::from_secs(5)).await;
    living.wake().await.unwrap();
    let said: Vec<AlertChanged> = world.published(Topic::ALERTS_CHANGED);
    assert_eq!(said.len(), 2);
}
