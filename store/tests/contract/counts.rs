//! How much is asked of MariaDB.

use std::time::{Duration, Instant};

use schemas::{LedgerState, Topic};
use store::{Claim, Commit, DeliveryState, DeliveryUpdate, Store};

use crate::backing::Backing;
use crate::proxy::{Asked, Proxy};
use crate::samples::{at, fingerprint, history, ledger, message, notification, state};

/// Alerts in a batch.
const BATCH: u64 = 64;

/// A store whose every request is counted.
struct Counted {
    backing: Backing,
    proxy: Proxy,
    store: Store,
}

impl Counted {
    async fn new() -> Option<Self> {
        let backing = Backing::mariadb().await?;
        let (proxy, store) = through_proxy(&backing).await;
        Some(Self {
            backing,
            proxy,
            store,
        })
    }

    /// What is asked for the work, once everything that is prepared once is prepared. A connection that has rested for a
    /// second may be pinged, so only what took less counts.
    async fn of(&self, mut work: impl AsyncFnMut(u64)) -> Asked {
        work(0).await;
        for time in 1.. {
            work(2 * time - 1).await;
            let (begun, _) = (Instant::now(), self.proxy.asked());
            work(2 * time).await;
            if begun.elapsed() < Duration::from_secs(1) {
                return self.proxy.asked();
            }
        }
        unreachable!("the loop has no end")
    }
}

/// The store of a backing on MariaDB, over a line of its own.
pub async fn through_proxy(backing: &Backing) -> (Proxy, Store) {
    let url = backing.url().unwrap();
    let address = url.rsplit_once('/').unwrap().0;
    let address = address.rsplit_once(['@', '/']).unwrap().1.to_owned();
    let proxy = Proxy::to(address.clone()).await;
    let url = url.replace(&address, &format!("127.0.0.1:{}", proxy.port));
    let store = Store::open(&url).await.unwrap();
    (proxy, store)
}

fn of_a_batch(time: u64) -> Commit {
    let alerts = 1..=BATCH;
    let row = |number| (fingerprint(number), ledger(1, "#on-call", LedgerState::Opening));
    Commit {
        states: alerts.clone().map(|number| (state(number), None)).collect(),
        history: alerts.clone().map(|number| history(number, time + 1)).collect(),
        ledger: alerts.map(row).collect(),
        outbox: vec![message("a", "b")],
        positions: [(Topic::ALERTS_DECORATED, time)].into(),
        ..Commit::default()
    }
}

fn sent(number: u64) -> DeliveryUpdate {
    DeliveryUpdate {
        notification_id: notification(number).notification_id,
        state: DeliveryState::Sent,
        attempts: 1,
        next_attempt_at: at(1),
        reference: None,
    }
}

async fn accept(store: &Store, claim: &Claim, time: u64) {
    let first = time * BATCH;
    let new: Vec<_> = (first..first + BATCH).map(notification).collect();
    let position = (schemas::Channel::Slack.topic(), time);
    store.accept(claim, &new, position).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_just_used_is_used_again_without_a_ping_and_prepares_nothing_twice() {
    let Some(counted) = Counted::new().await else {
        return;
    };
    let store = &counted.store;
    let daemon = store.claim("daemon", 0, "test").await.unwrap();
    let commit = counted
        .of(async |time| {
            store.commit(&daemon, &of_a_batch(time)).await.unwrap();
        })
        .await;
    // The transaction is begun and committed; the claim, states, history, ledger, outbox and position are a statement each.
    let commit = (
        commit.connections,
        commit.pings(),
        commit.prepared(),
        commit.queries(),
        commit.executed(),
    );
    assert_eq!(commit, (0, 0, 0, 2, 6));

    let known: Vec<_> = (1..=BATCH).map(fingerprint).collect();
    let load = counted
        .of(async |_| {
            store.load(&known).await.unwrap();
        })
        .await;
    let load = (load.connections, load.pings(), load.queries(), load.executed());
    assert_eq!(load, (0, 0, 0, 2));

    let unknown: Vec<_> = (1..=BATCH).map(|number| fingerprint(number + 10_000)).collect();
    let load = counted
        .of(async |_| {
            store.load(&unknown).await.unwrap();
        })
        .await;
    assert_eq!((load.queries(), load.executed()), (0, 1));

    let notifier = store.claim("notifiers.slack", 0, "test").await.unwrap();
    let accepted = counted
        .of(async |time| accept(store, &notifier, time).await)
        .await;
    let accepted = (
        accepted.connections,
        accepted.pings(),
        accepted.queries(),
        accepted.executed(),
    );
    assert_eq!(accepted, (0, 0, 2, 3));

    let ended = counted
        .of(async |time| {
            let ended: Vec<_> = (0..BATCH).map(|number| sent(time * BATCH + number)).collect();
            let receipts: Vec<_> = (0..BATCH).map(|_| message("a", "receipt")).collect();
            let published = [i64::MAX];
            store
                .update_deliveries(&notifier, &ended, &receipts, &published)
                .await
                .unwrap();
        })
        .await;
    // The claim, all that ended alike, two for what was published before, and one row for all receipts.
    let ended = (
        ended.connections,
        ended.pings(),
        ended.prepared(),
        ended.queries(),
        ended.executed(),
    );
    assert_eq!(ended, (0, 0, 0, 2, 5));
    counted.backing.remove().await;
}

#[tokio::test]
async fn a_transaction_that_is_not_committed_is_undone_and_holds_up_no_other() {
    let Some(counted) = Counted::new().await else {
        return;
    };
    let store = &counted.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    store.commit(&claim, &of_a_batch(0)).await.unwrap();
    // The same lines of the history again: it fails in its middle, holding the claim's row.
    store.commit(&claim, &of_a_batch(0)).await.unwrap_err();
    store.commit(&claim, &of_a_batch(1)).await.unwrap();
    counted.backing.remove().await;
}

#[tokio::test]
async fn when_one_connection_breaks_all_that_rest_are_asked_before_they_are_used() {
    let Some(backing) = Backing::mariadb().await else {
        return;
    };
    let (proxy, store) = through_proxy(&backing).await;
    let alert = fingerprint(1);
    let (first, second, third) = tokio::join!(store.alert(alert), store.alert(alert), store.alert(alert));
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert!(proxy.asked().connections > 1);
    proxy.cut();
    store.alert(alert).await.unwrap_err();
    proxy.mend();
    for _ in 0..3 {
        store.alert(alert).await.unwrap();
    }
    backing.remove().await;
}
