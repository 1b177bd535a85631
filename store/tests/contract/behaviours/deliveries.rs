use domain::deadlines::{Deadline, DeadlineKind};
use jiff::SignedDuration;
use schemas::{Channel, Notification, NotificationKind, ReceiptOutcome, Topic};
use store::{Claim, Commit, Delivery, DeliveryState, DeliveryUpdate, OutboxRow, Store};

use crate::backing::Backing;
use crate::samples::{alert, at, closed, fingerprint, history, ledger, message, notification, state_of};

const TOPIC: Topic = Channel::Slack.topic();

async fn claimed(store: &Store) -> Claim {
    store.claim("notifiers.slack", 2, "test").await.unwrap()
}

fn update(notification: &Notification, state: DeliveryState) -> DeliveryUpdate {
    DeliveryUpdate {
        notification_id: notification.notification_id,
        state,
        attempts: 3,
        next_attempt_at: at(77),
        reference: Some("1712.5 🙂".to_owned()),
    }
}

pub async fn a_delivery_is_unfinished_until_it_is_sent(backing: &Backing) {
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

    let again = update(&new, DeliveryState::Pending);
    store.update_deliveries(&claim, &[again], &[], &[]).await.unwrap();
    let waiting = Delivery {
        attempts: 3,
        next_attempt_at: at(77),
        reference: Some("1712.5 🙂".to_owned()),
        ..fresh
    };
    // Accepted again, as after a crash: it stays as it is.
    store
        .accept(&claim, std::slice::from_ref(&new), (TOPIC, 2))
        .await
        .unwrap();
    assert_eq!(
        store.unfinished(&claim, 0, 100).await.unwrap().deliveries,
        [waiting]
    );

    let done = update(&new, DeliveryState::Sent);
    store.update_deliveries(&claim, &[done], &[], &[]).await.unwrap();
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

pub async fn receipts_wait_in_the_outbox_of_their_owner_until_they_are_published(backing: &Backing) {
    let store = &backing.store;
    let claim = claimed(store).await;
    let others = [
        store.claim("daemon", 2, "test").await.unwrap(),
        store.claim("notifiers.email", 2, "test").await.unwrap(),
        store.claim("notifiers.slack", 1, "test").await.unwrap(),
    ];
    store
        .accept(&claim, &[notification(1)], (TOPIC, 1))
        .await
        .unwrap();
    let [first, second] = ["first", "second"].map(|value| vec![message("1", value)]);
    let sent = [update(&notification(1), DeliveryState::Sent)];
    let row = store.update_deliveries(&claim, &sent, &first, &[]).await.unwrap();
    let first = OutboxRow {
        id: row.unwrap(),
        messages: first,
    };
    assert_eq!(store.outbox(&claim).await.unwrap(), std::slice::from_ref(&first));
    for other in &others {
        assert_eq!(store.outbox(other).await.unwrap(), [], "{other:?}");
    }
    // Whoever lost the partition writes none.
    let new = claimed(store).await;
    let published = [first.id];
    let lost = store.update_deliveries(&claim, &[], &second, &published);
    assert!(matches!(lost.await, Err(store::StoreError::Fenced(2))));
    assert_eq!(store.outbox(&new).await.unwrap(), std::slice::from_ref(&first));
    // What was published goes with the next that is written.
    let row = store.update_deliveries(&new, &[], &second, &published);
    let second = OutboxRow {
        id: row.await.unwrap().unwrap(),
        messages: second,
    };
    assert_eq!(store.outbox(&new).await.unwrap(), std::slice::from_ref(&second));
    let row = store
        .update_deliveries(&new, &[], &[], &[second.id])
        .await
        .unwrap();
    assert_eq!(row, None);
    assert_eq!(store.outbox(&new).await.unwrap(), []);
}

pub async fn what_a_version_before_has_left_is_found(backing: &Backing) {
    let store = &backing.store;
    let claim = claimed(store).await;
    store
        .accept(&claim, &[notification(1), notification(2)], (TOPIC, 1))
        .await
        .unwrap();
    let sent = [update(&notification(1), DeliveryState::Sent)];
    store.update_deliveries(&claim, &sent, &[], &[]).await.unwrap();
    let left = r#"UPDATE deliveries SET unfinished = 1, receipt = CONCAT('{"notification_id":"', notification_id,
        '","fingerprint":"', fingerprint, '","episode":1,"sequence":1,"channel":"slack","destination":"x","kind":"open",
        "outcome":{"type":"superseded"},"attempts":1,"at":"2026-09-01T10:00:00Z"}')"#;
    let outbox = "INSERT INTO outbox (partition_number, messages) VALUES (2, '[]')";
    if !backing.tamper(left).await || !backing.tamper(outbox).await {
        return;
    }
    let deliveries = store.unfinished(&claim, 0, 100).await.unwrap().deliveries;
    let receipts = deliveries.iter().map(|delivery| delivery.receipt.as_ref());
    assert!(
        receipts
            .flatten()
            .all(|receipt| receipt.outcome == ReceiptOutcome::Superseded)
    );
    let ids: Vec<_> = deliveries
        .iter()
        .filter_map(|delivery| Some(delivery.receipt.as_ref()?.notification_id))
        .collect();
    assert_eq!(ids, [1, 2].map(|n| notification(n).notification_id));
    store.forget_receipts(&claim, &ids).await.unwrap();
    let left = store.unfinished(&claim, 0, 100).await.unwrap().deliveries;
    let left: Vec<_> = left
        .iter()
        .map(|delivery| (&delivery.notification, &delivery.receipt))
        .collect();
    assert_eq!(left, [(&notification(2), &None)], "it is still to be sent");
    // A row without an owner is the daemon's.
    let daemon = store.claim("daemon", 2, "test").await.unwrap();
    assert_eq!(store.outbox(&claim).await.unwrap(), []);
    assert_eq!(store.outbox(&daemon).await.unwrap().len(), 1);
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
        update(&notification(9), DeliveryState::Superseded),
        update(&notification(1), DeliveryState::Failed),
    ];
    store.update_deliveries(&claim, &gone, &[], &[]).await.unwrap();
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
        ..update(new, DeliveryState::Pending)
    };
    let updates: Vec<_> = (0..).zip(&notifications).map(change).collect();
    store.update_deliveries(&claim, &updates, &[], &[]).await.unwrap();
    let stored = store.unfinished(&claim, 0, 230).await.unwrap().deliveries;
    assert_eq!(stored.len(), 230);
    for (delivery, update) in stored.iter().zip(&updates) {
        assert_eq!(delivery.notification.notification_id, update.notification_id);
        assert_eq!(delivery.attempts, update.attempts);
        assert_eq!(delivery.next_attempt_at, update.next_attempt_at);
        assert_eq!(delivery.reference, update.reference);
    }

    // Most end alike; of what was tried again before it ended, the end counts.
    let end = |(number, new): (u32, &Notification)| DeliveryUpdate {
        reference: (number % 7 == 0).then(|| number.to_string()),
        ..update(new, DeliveryState::Sent)
    };
    let ends: Vec<_> = (0..).zip(&notifications).map(end).collect();
    let both: Vec<_> = updates.iter().take(20).chain(&ends).cloned().collect();
    store.update_deliveries(&claim, &both, &[], &[]).await.unwrap();
    let stored = store.unfinished(&claim, 0, 231).await.unwrap().deliveries;
    assert!(stored.is_empty(), "nothing is left to do for them");
    for (new, end) in notifications.iter().zip(&ends) {
        let thread_ref = store
            .thread_ref(
                new.fingerprint,
                new.episode,
                new.channel,
                (&new.destination, new.bot.as_deref()),
            )
            .await
            .unwrap();
        assert_eq!(thread_ref, end.reference);
    }
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
    let thread_ref = async |episode, channel, destination: &str, bot: Option<&str>| {
        store
            .thread_ref(fingerprint(1), episode, channel, (destination, bot))
            .await
            .unwrap()
    };
    let others = DeliveryUpdate {
        reference: Some("later".to_owned()),
        ..update(&later, DeliveryState::Sent)
    };
    store
        .update_deliveries(&claim, &[others, update(&open, DeliveryState::Pending)], &[], &[])
        .await
        .unwrap();
    assert_eq!(
        thread_ref(1, Channel::Slack, "#on-call", None).await,
        None,
        "not sent yet"
    );
    store
        .update_deliveries(&claim, &[update(&open, DeliveryState::Sent)], &[], &[])
        .await
        .unwrap();
    assert_eq!(
        thread_ref(1, Channel::Slack, "#on-call", None).await.as_deref(),
        Some("1712.5 🙂")
    );
    assert_eq!(thread_ref(2, Channel::Slack, "#on-call", None).await, None);
    assert_eq!(thread_ref(1, Channel::Email, "#on-call", None).await, None);
    assert_eq!(thread_ref(1, Channel::Slack, "#On-Call", None).await, None);
    assert_eq!(
        thread_ref(1, Channel::Slack, "#on-call", Some("other")).await,
        None
    );
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
        .map(|n| update(&notification(n), DeliveryState::Sent))
        .into();
    store.update_deliveries(&claim, &sent, &[], &[]).await.unwrap();
    let old = notification(5).created_at + SignedDuration::from_millis(1);
    let removed = [
        store.prune(old, 2).await.unwrap(),
        store.prune(old, 2).await.unwrap(),
    ];
    assert_eq!((removed, store.prune(old, 2).await.unwrap()), ([2, 1], 0));
    let known = async |number| {
        store
            .thread_ref(fingerprint(number), 1, Channel::Slack, ("#on-call", None))
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
        kind: DeadlineKind::HoldEnd,
        is_silenced: false,
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
