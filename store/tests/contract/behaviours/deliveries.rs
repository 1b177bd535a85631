use domain::steps::{Deadline, DeadlineKind};
use jiff::SignedDuration;
use schemas::{Channel, Notification, NotificationKind, Receipt, ReceiptOutcome, Topic};
use store::{Claim, Commit, Delivery, DeliveryState, DeliveryUpdate, Store};

use crate::backing::Backing;
use crate::samples::{alert, at, closed, fingerprint, history, ledger, notification, state_of};

const TOPIC: Topic = Topic::NOTIFICATIONS_SLACK;

async fn claimed(store: &Store) -> Claim {
    store.claim("notifiers.slack", 2, "test").await.unwrap()
}

fn receipt(notification: &Notification, outcome: ReceiptOutcome) -> Receipt {
    Receipt {
        notification_id: notification.notification_id,
        fingerprint: notification.fingerprint,
        episode: notification.episode,
        sequence: notification.sequence,
        channel: notification.channel,
        destination: notification.destination.clone(),
        kind: notification.kind,
        outcome,
        attempts: 1,
        at: at(1),
    }
}

fn update(notification: &Notification, state: DeliveryState, receipt: Option<Receipt>) -> DeliveryUpdate {
    DeliveryUpdate {
        notification_id: notification.notification_id,
        state,
        attempts: 3,
        next_attempt_at: at(77),
        reference: Some("1712.5 🙂".to_owned()),
        receipt,
    }
}

pub async fn a_delivery_is_unfinished_until_it_is_sent_and_its_receipt_published(backing: &Backing) {
    let store = &backing.store;
    let claim = claimed(store).await;
    let new = notification(1);
    store
        .accept(&claim, std::slice::from_ref(&new), (TOPIC, 1))
        .await
        .unwrap();
    let fresh = Delivery {
        notification: new.clone(),
        state: DeliveryState::Pending,
        attempts: 0,
        next_attempt_at: new.created_at,
        reference: None,
        receipt: None,
    };
    assert_eq!(
        store.unfinished(&claim, 0, 100).await.unwrap().deliveries,
        std::slice::from_ref(&fresh)
    );

    let error = "HTTP 500 💥".to_owned();
    let late = receipt(
        &new,
        ReceiptOutcome::Retrying {
            error,
            next_attempt_at: at(77),
        },
    );
    let again = update(&new, DeliveryState::Pending, Some(late.clone()));
    store.update_deliveries(&claim, &[again], &[]).await.unwrap();
    let waiting = Delivery {
        attempts: 3,
        next_attempt_at: at(77),
        reference: Some("1712.5 🙂".to_owned()),
        receipt: Some(late),
        ..fresh
    };
    assert_eq!(
        store.unfinished(&claim, 0, 100).await.unwrap().deliveries,
        std::slice::from_ref(&waiting)
    );

    // Accepted again, as after a crash: it stays as it is.
    store
        .accept(&claim, std::slice::from_ref(&new), (TOPIC, 2))
        .await
        .unwrap();
    store
        .update_deliveries(&claim, &[], &[new.notification_id])
        .await
        .unwrap();
    let unsaid = Delivery {
        receipt: None,
        ..waiting
    };
    assert_eq!(
        store.unfinished(&claim, 0, 100).await.unwrap().deliveries,
        std::slice::from_ref(&unsaid)
    );

    // The receipt of the update stays, although one before it was published just now.
    let sent = receipt(
        &new,
        ReceiptOutcome::Sent {
            reference: None,
            latency_ms: 5,
        },
    );
    let done = update(&new, DeliveryState::Sent, Some(sent.clone()));
    store
        .update_deliveries(&claim, &[done], &[new.notification_id])
        .await
        .unwrap();
    let unpublished = Delivery {
        state: DeliveryState::Sent,
        receipt: Some(sent),
        ..unsaid
    };
    assert_eq!(
        store.unfinished(&claim, 0, 100).await.unwrap().deliveries,
        [unpublished]
    );

    store
        .update_deliveries(&claim, &[], &[new.notification_id])
        .await
        .unwrap();
    assert_eq!(store.unfinished(&claim, 0, 100).await.unwrap().deliveries, []);
    store.accept(&claim, &[new], (TOPIC, 3)).await.unwrap();
    assert_eq!(
        store.unfinished(&claim, 0, 100).await.unwrap().deliveries,
        [],
        "what was sent is not sent again"
    );
    assert_eq!(claimed(store).await.positions, [(TOPIC, 3)].into());
    let known = store
        .known(&[uuid::Uuid::nil(), notification(1).notification_id])
        .await;
    assert_eq!(known.unwrap(), [notification(1).notification_id]);
}

pub async fn deliveries_come_in_the_order_in_which_they_were_accepted(backing: &Backing) {
    let store = &backing.store;
    let claim = claimed(store).await;
    let other = store.claim("notifiers.email", 2, "test").await.unwrap();
    let accept = async |claim, numbers: &[u64]| {
        let notifications: Vec<_> = numbers.iter().copied().map(notification).collect();
        store.accept(claim, &notifications, (TOPIC, 1)).await.unwrap();
    };
    accept(&claim, &[5, 3, 9]).await;
    accept(&other, &[7]).await;
    accept(&claim, &[3, 1, 8, 3]).await;
    let gone = [
        update(&notification(9), DeliveryState::Superseded, None),
        update(&notification(1), DeliveryState::Failed, None),
    ];
    store.update_deliveries(&claim, &gone, &[]).await.unwrap();
    let order: Vec<_> = store
        .unfinished(&claim, 0, 100)
        .await
        .unwrap()
        .deliveries
        .into_iter()
        .map(|d| d.notification)
        .collect();
    assert_eq!(order, [notification(5), notification(3), notification(8)]);
}

pub async fn many_deliveries_are_updated_each_with_its_own_values(backing: &Backing) {
    let store = &backing.store;
    let claim = claimed(store).await;
    let notifications: Vec<_> = (0..230).map(notification).collect();
    store.accept(&claim, &notifications, (TOPIC, 1)).await.unwrap();
    let change = |(number, new): (u32, &Notification)| DeliveryUpdate {
        attempts: number,
        next_attempt_at: at(number.into()),
        reference: (number % 2 == 0).then(|| number.to_string()),
        ..update(new, DeliveryState::Pending, None)
    };
    let updates: Vec<_> = (0..).zip(&notifications).map(change).collect();
    store.update_deliveries(&claim, &updates, &[]).await.unwrap();
    let stored = store.unfinished(&claim, 0, 230).await.unwrap().deliveries;
    assert_eq!(stored.len(), 230);
    for (delivery, update) in stored.iter().zip(&updates) {
        assert_eq!(delivery.notification.notification_id, update.notification_id);
        assert_eq!(delivery.attempts, update.attempts);
        assert_eq!(delivery.next_attempt_at, update.next_attempt_at);
        assert_eq!(delivery.reference, update.reference);
    }

    // Most end alike, each with its own receipt; of what was tried again before it ended, the end counts.
    let end = |(number, new): (u32, &Notification)| DeliveryUpdate {
        reference: (number % 7 == 0).then(|| number.to_string()),
        ..update(
            new,
            DeliveryState::Sent,
            Some(receipt(new, ReceiptOutcome::Superseded)),
        )
    };
    let ends: Vec<_> = (0..).zip(&notifications).map(end).collect();
    let both: Vec<_> = updates.iter().take(20).chain(&ends).cloned().collect();
    store.update_deliveries(&claim, &both, &[]).await.unwrap();
    let stored = store.unfinished(&claim, 0, 231).await.unwrap().deliveries;
    assert_eq!(stored.len(), 230);
    for (delivery, end) in stored.iter().zip(&ends) {
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Sent, 3));
        assert_eq!(delivery.reference, end.reference);
        assert_eq!(delivery.receipt, end.receipt);
    }
    let without: Vec<_> = ends
        .iter()
        .map(|end| DeliveryUpdate {
            receipt: None,
            ..end.clone()
        })
        .collect();
    store.update_deliveries(&claim, &without, &[]).await.unwrap();
    let stored = store.unfinished(&claim, 0, 231).await.unwrap().deliveries;
    assert!(stored.is_empty(), "nothing is left to do for them");
}

pub async fn the_message_that_opened_an_episode_is_known(backing: &Backing) {
    let store = &backing.store;
    let claim = claimed(store).await;
    let open = notification(1);
    let later = Notification {
        kind: NotificationKind::Update,
        sequence: 2,
        ..notification(2)
    };
    let later = Notification {
        fingerprint: open.fingerprint,
        destination: open.destination.clone(),
        ..later
    };
    store
        .accept(&claim, &[open.clone(), later.clone()], (TOPIC, 1))
        .await
        .unwrap();
    let opened_as = async |episode, channel, destination: &str| {
        store
            .opened_as(fingerprint(1), episode, channel, destination)
            .await
            .unwrap()
    };
    let others = DeliveryUpdate {
        reference: Some("later".to_owned()),
        ..update(&later, DeliveryState::Sent, None)
    };
    store
        .update_deliveries(
            &claim,
            &[others, update(&open, DeliveryState::Pending, None)],
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        opened_as(1, Channel::Slack, "#on-call").await,
        None,
        "not sent yet"
    );
    store
        .update_deliveries(&claim, &[update(&open, DeliveryState::Sent, None)], &[])
        .await
        .unwrap();
    assert_eq!(
        opened_as(1, Channel::Slack, "#on-call").await.as_deref(),
        Some("1712.5 🙂")
    );
    assert_eq!(opened_as(2, Channel::Slack, "#on-call").await, None);
    assert_eq!(opened_as(1, Channel::Email, "#on-call").await, None);
    assert_eq!(opened_as(1, Channel::Slack, "#On-Call").await, None);
}

pub async fn old_deliveries_are_removed_but_not_those_of_open_alerts(backing: &Backing) {
    let store = &backing.store;
    let daemon = store.claim("daemon", 0, "test").await.unwrap();
    let states = vec![
        (state_of(alert(1)), None),
        (state_of(closed(2)), None),
        (state_of(closed(4)), None),
    ];
    store
        .commit(
            &daemon,
            &Commit {
                states,
                ..Commit::default()
            },
        )
        .await
        .unwrap();
    let claim = claimed(store).await;
    let notifications: Vec<_> = (1..=6).map(notification).collect();
    store.accept(&claim, &notifications, (TOPIC, 1)).await.unwrap();
    // The fourth is not sent, the sixth is young, and the first belongs to an open alert.
    let sent: Vec<_> = [1, 2, 3, 5, 6]
        .map(|n| update(&notification(n), DeliveryState::Sent, None))
        .into();
    store.update_deliveries(&claim, &sent, &[]).await.unwrap();
    let old = notification(5).created_at + SignedDuration::from_millis(1);
    let removed = [
        store.prune(old, 2).await.unwrap(),
        store.prune(old, 2).await.unwrap(),
    ];
    assert_eq!((removed, store.prune(old, 2).await.unwrap()), ([2, 1], 0));
    let known = async |number| {
        store
            .opened_as(fingerprint(number), 1, Channel::Slack, "#on-call")
            .await
            .unwrap()
            .is_some()
    };
    assert!(known(1).await && !known(2).await && !known(3).await && !known(5).await && known(6).await);
    assert_eq!(
        store.unfinished(&claim, 0, 100).await.unwrap().deliveries.len(),
        1
    );
}

pub async fn old_history_is_removed_but_not_that_of_open_alerts(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let settled = schemas::LedgerState::Closed;
    let commit = Commit {
        states: vec![
            (state_of(alert(1)), None),
            (state_of(closed(2)), None),
            (state_of(closed(9)), None),
        ],
        history: [1, 2, 9]
            .iter()
            .flat_map(|n| [history(*n, 1), history(*n, 2)])
            .collect(),
        ledger: vec![
            (fingerprint(1), ledger(1, "#a", settled)),
            (fingerprint(2), ledger(1, "#a", settled)),
        ],
        ..Commit::default()
    };
    store.commit(&claim, &commit).await.unwrap();
    let first = store.prune_history(at(8), None, 1).await.unwrap();
    assert_eq!((first.rows, first.next), (3, Some((at(3), fingerprint(2)))));
    let second = store.prune_history(at(8), first.next, 1).await.unwrap();
    assert_eq!((second.rows, second.next), (0, None));
    assert_eq!(store.prune_history(at(8), None, 10).await.unwrap().rows, 0);
    for (number, left) in [(1, 2), (2, 0), (9, 2)] {
        assert_eq!(
            store
                .history(fingerprint(number), 10, None)
                .await
                .unwrap()
                .rows
                .len(),
            left,
            "{number}"
        );
    }
    assert_eq!(store.ledger(fingerprint(1)).await.unwrap().len(), 1);
    assert_eq!(
        store.alert(fingerprint(2)).await.unwrap(),
        Some(closed(2)),
        "the alert itself stays"
    );
}

pub async fn alerts_that_closed_long_ago_are_removed_with_all_that_belongs_to_them(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let deadline = Deadline {
        due_at: at(1_000),
        kind: DeadlineKind::SnoozeEnd,
    };
    let settled = schemas::LedgerState::Closed;
    let commit = Commit {
        // Open, closed, closing, waiting for something, closed and closed too late.
        states: vec![
            (state_of(alert(1)), None),
            (state_of(closed(2)), None),
            (state_of(closed(3)), None),
            (state_of(closed(4)), Some(deadline)),
            (state_of(closed(5)), None),
            (state_of(closed(9)), None),
        ],
        history: [1, 2, 9].iter().map(|n| history(*n, 1)).collect(),
        ledger: vec![
            (fingerprint(2), ledger(1, "#a", settled)),
            (fingerprint(3), ledger(1, "#a", schemas::LedgerState::Closing)),
        ],
        ..Commit::default()
    };
    store.commit(&claim, &commit).await.unwrap();
    assert_eq!(store.remove_closed(at(8), 1).await.unwrap(), 1, "the oldest");
    assert_eq!(store.alert(fingerprint(2)).await.unwrap(), None);
    assert_eq!(store.remove_closed(at(8), 10).await.unwrap(), 1);
    assert_eq!(store.remove_closed(at(8), 10).await.unwrap(), 0);
    for (number, left) in [(1, true), (2, false), (3, true), (4, true), (5, false), (9, true)] {
        let known = store.alert(fingerprint(number)).await.unwrap();
        assert_eq!(known.is_some(), left, "{number}");
    }
    // It begins anew, with the first line of a history.
    let commit = Commit {
        states: vec![(state_of(alert(2)), None)],
        history: vec![history(2, 1)],
        ..Commit::default()
    };
    store.commit(&claim, &commit).await.unwrap();
    assert_eq!(
        store.history(fingerprint(2), 10, None).await.unwrap().rows.len(),
        1
    );
    assert_eq!(store.ledger(fingerprint(2)).await.unwrap(), []);
}
