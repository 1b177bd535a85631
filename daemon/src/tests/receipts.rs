//! What channels say of their deliveries.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::dead_letters::DeadLetters;
use pipeline::log::{Consumer, Extent, Follower, From, Received};
use pipeline::{Log, LogError, Record, Stage};
use schemas::{HistoryKind, Notification, Receipt, ReceiptOutcome, Topic};
use tokio::sync::Barrier;

use super::*;
use crate::work::{Message, Work};

fn delivered(notification: &Notification) -> Receipt {
    Receipt {
        notification_id: notification.notification_id,
        fingerprint: notification.fingerprint,
        episode: notification.episode,
        sequence: notification.sequence,
        channel: notification.channel,
        destination: notification.destination.clone(),
        bot: notification.bot.clone(),
        kind: notification.kind,
        outcome: ReceiptOutcome::Sent {
            reference: None,
            latency_ms: 5,
        },
        attempts: 1,
        at: notification.created_at,
    }
}

/// The sequences of an alert's history, oldest first.
async fn sequences(world: &World) -> Vec<u64> {
    let alert = domain::fingerprint(["disk"]);
    let page = world.store.history(alert, 100, None).await.unwrap();
    page.rows.iter().rev().map(|entry| entry.sequence).collect()
}

#[test]
fn a_receipt_costs_a_line_and_a_row_and_not_the_alert() {
    let site = {
        let mut site = Site::default();
        site.apply("scenario/default", Some(scenario(vec![step(0)])));
        site
    };
    let now = "2026-09-01T10:00:00Z".parse().unwrap();
    let event = decorated("disk", EventStatus::Firing, 1, now);
    let opened = domain::transition(None, domain::Input::Event(&event), now, &site);
    let receipt = delivered(&opened.notifications[0]);
    let state = opened.state.unwrap();
    let states = HashMap::from([(state.alert.fingerprint, state)]);
    let mut work = Work::new(now, &site, states);
    work.message(&Message::Receipt(Box::new(receipt)), None);
    assert!(!work.is_nothing());
    let (commit, unchanged) = work.into_commit(BTreeMap::new());
    assert_eq!((commit.history.len(), commit.ledger.len()), (1, 1));
    assert_eq!((commit.states.len(), commit.outbox.len()), (0, 0));
    assert_eq!(
        unchanged.count(),
        1,
        "it is remembered with the number of its last line"
    );
}

#[tokio::test]
async fn a_history_has_no_gaps_over_a_restart_although_a_receipt_does_not_write_the_alert() {
    let mut world = World::new(vec![step(0)]).await;
    let mut first = world.daemon("first").await;
    let event = world.event("disk", EventStatus::Firing);
    first.process(&event).await.unwrap();
    let told: Vec<Notification> = world.published(schemas::Channel::Webhook.topic());
    let receipt = batch(Topic::NOTIFICATIONS_RECEIPTS, 0, &delivered(&told[0]));
    first.process(&receipt).await.unwrap();
    assert_eq!(sequences(&world).await, [1, 2, 3]);
    drop(first);

    let mut second = world.daemon("second").await;
    // The first could not say that the batch was done, so it comes again.
    second.process(&receipt).await.unwrap();
    let acknowledge = command(domain::fingerprint(["disk"]), world.clock.now());
    let acknowledge = batch(Topic::ALERTS_COMMANDS, 0, &acknowledge);
    second.process(&acknowledge).await.unwrap();
    assert_eq!(
        world.history("disk").await[..4],
        [
            HistoryKind::Opened,
            HistoryKind::Notifying,
            HistoryKind::Notified,
            HistoryKind::Acknowledged
        ]
    );
    assert_eq!(sequences(&world).await[..4], [1, 2, 3, 4]);
}

/// A log that takes a batch of one topic only together with one of another.
struct Together {
    log: SimulatedLog,
    both: Barrier,
}

#[async_trait]
impl Log for Together {
    async fn append(&self, topic: Topic, records: Vec<Record>) -> Result<(), LogError> {
        self.both.wait().await;
        self.log.append(topic, records).await
    }

    async fn join(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Consumer>, LogError> {
        self.log.join(group, topics).await
    }

    async fn follow(&self, topic: Topic, from: From) -> Result<Box<dyn Follower>, LogError> {
        self.log.follow(topic, from).await
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    async fn extent(&self, topic: Topic, partition: u32) -> Result<Extent, LogError> {
        self.log.extent(topic, partition).await
    }

    async fn record_at(
        &self,
        topic: Topic,
        partition: u32,
        offset: u64,
    ) -> Result<Option<Received>, LogError> {
        self.log.record_at(topic, partition, offset).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_commit_says_to_several_topics_is_published_side_by_side() {
    let log = SimulatedLog::new(1);
    let together = Together {
        log: log.clone(),
        both: Barrier::new(2),
    };
    let context = Context::new(Arc::new(together), Clock::system());
    let messages =
        [Topic::ALERTS_CHANGED, schemas::Channel::Webhook.topic()].map(|topic| store::OutboxMessage {
            topic: topic.name().to_owned(),
            key: "key".to_owned(),
            value: "{}".to_owned(),
            headers: Vec::new(),
        });
    let dead_letters = DeadLetters {
        log: context.log.as_ref(),
        metrics: &context.metrics,
        stage: "daemon",
        now: context.clock.now(),
    };
    let publish = store::publish(&dead_letters, &messages, Topic::ALERTS_CHANGED);
    tokio::time::timeout(Duration::from_secs(60), publish)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(log.records(Topic::ALERTS_CHANGED).len(), 1);
    assert_eq!(log.records(schemas::Channel::Webhook.topic()).len(), 1);
}
