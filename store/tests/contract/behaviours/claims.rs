use std::collections::BTreeMap;

use schemas::{LedgerState, Topic};
use store::{Claim, Commit, StoreError};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::backing::Backing;
use crate::samples::{fingerprint, history, ledger, message, notification, state};

fn at_position(offset: u64) -> Commit {
    Commit {
        positions: [(Topic::ALERTS_DECORATED, offset)].into(),
        ..Commit::default()
    }
}

pub async fn whoever_lost_a_partition_cannot_write_it(backing: &Backing) {
    let (first, second) = (&backing.store, backing.again().await);
    let old = first.claim("daemon", 3, "first").await.unwrap();
    let new = second.claim("daemon", 3, "second").await.unwrap();
    assert!(new.epoch > old.epoch);

    let commit = Commit {
        states: vec![(state(1), None)],
        ..at_position(7)
    };
    assert!(matches!(
        first.commit(&old, &commit).await,
        Err(StoreError::Fenced(3))
    ));
    let accepted = first
        .accept(&old, &[notification(1)], (schemas::Channel::Slack.topic(), 1))
        .await;
    assert!(matches!(accepted, Err(StoreError::Fenced(3))));
    assert!(matches!(
        first.update_deliveries(&old, &[], &[], &[]).await,
        Err(StoreError::Fenced(3))
    ));

    second.commit(&new, &Commit::default()).await.unwrap();
    assert!(
        first
            .load(&[state(1).alert.fingerprint])
            .await
            .unwrap()
            .is_empty(),
        "nothing of it was done"
    );
    assert_eq!(
        first.claim("daemon", 3, "third").await.unwrap().positions,
        [].into()
    );
}

pub async fn of_many_claimers_at_once_only_the_last_can_write(backing: &Backing) {
    let mut claimers = JoinSet::new();
    for number in 0..8 {
        let store = backing.again().await;
        claimers.spawn(async move {
            store
                .claim("daemon", 0, &format!("claimer {number}"))
                .await
                .unwrap()
        });
    }
    let mut claims = claimers.join_all().await;
    claims.sort_by_key(|claim| claim.epoch);
    let epochs: Vec<_> = claims.iter().map(|claim| claim.epoch).collect();
    assert_eq!(epochs, [1, 2, 3, 4, 5, 6, 7, 8]);
    let last = claims.pop().unwrap();
    for lost in claims {
        let answer = backing.store.commit(&lost, &at_position(1)).await;
        assert!(matches!(answer, Err(StoreError::Fenced(0))));
    }
    backing.store.commit(&last, &at_position(1)).await.unwrap();
}

/// The old owner commits as fast as it can while the partition is taken from it.
pub async fn a_claim_sees_every_commit_that_succeeded_before_it(backing: &Backing) {
    let old = backing.store.claim("daemon", 0, "old").await.unwrap();
    let (store, other) = (backing.store.clone(), backing.again().await);
    let (started, first_commit_done) = oneshot::channel();
    let (claimed, mut taken) = oneshot::channel();
    let committing = tokio::spawn(async move {
        let mut started = Some(started);
        let mut committed = 0;
        loop {
            let too_late = taken.try_recv().is_ok();
            match store.commit(&old, &at_position(committed + 1)).await {
                Ok(_) => committed += 1,
                Err(StoreError::Fenced(0)) => return committed,
                Err(other) => panic!("{other}"),
            }
            assert!(!too_late, "committed although the partition was taken");
            if let Some(started) = started.take() {
                started.send(()).unwrap();
            }
        }
    });
    first_commit_done.await.unwrap();
    let new = other.claim("daemon", 0, "new").await.unwrap();
    // Nobody may be there to hear it any more.
    let _ = claimed.send(());
    assert_eq!(new.positions[&Topic::ALERTS_DECORATED], committing.await.unwrap());
}

/// Each changes its own alerts again and again, whose fingerprints lie between those of the others.
pub async fn partitions_commit_at_the_same_time_without_disturbing_each_other(backing: &Backing) {
    let mut partitions = JoinSet::new();
    for partition in 0..4 {
        let store = backing.again().await;
        partitions.spawn(async move {
            let claim = store.claim("daemon", partition, "test").await.unwrap();
            let numbers = || (0..100).map(|number| number * 4 + u64::from(partition));
            let mut published = Vec::new();
            for round in 1..=10 {
                let commit = Commit {
                    states: numbers().map(|number| (state(number), None)).collect(),
                    history: numbers().map(|number| history(number, round)).collect(),
                    ledger: numbers()
                        .map(|n| (fingerprint(n), ledger(1, "#a", LedgerState::Open)))
                        .collect(),
                    outbox: vec![message("a", "1")],
                    published,
                    positions: [(Topic::ALERTS_DECORATED, round)].into(),
                    outcomes: Vec::new(),
                    seen: Vec::new(),
                };
                published = store.commit(&claim, &commit).await.unwrap().into_iter().collect();
            }
        });
    }
    partitions.join_all().await;
    for partition in 0..4 {
        let claim = backing.store.claim("daemon", partition, "test").await.unwrap();
        assert_eq!(claim.positions, [(Topic::ALERTS_DECORATED, 10)].into());
        assert_eq!(backing.store.outbox(&claim).await.unwrap().len(), 1);
    }
    let lines = backing
        .store
        .history(fingerprint(399), 20, None)
        .await
        .unwrap()
        .rows;
    assert_eq!(lines.len(), 10);
}

pub async fn positions_belong_to_scope_topic_and_partition(backing: &Backing) {
    let store = &backing.store;
    let commit = async |scope: &str, partition, topic, offset| {
        let claim = store.claim(scope, partition, "test").await.unwrap();
        let commit = Commit {
            positions: [(topic, offset)].into(),
            ..Commit::default()
        };
        store.commit(&claim, &commit).await.unwrap();
    };
    commit("daemon", 0, Topic::ALERTS_DECORATED, 1).await;
    commit("daemon", 0, Topic::ALERTS_DECORATED, 10).await;
    commit("daemon", 0, Topic::ALERTS_COMMANDS, 20).await;
    commit("daemon", 1, Topic::ALERTS_DECORATED, 30).await;
    commit("Daemon", 0, Topic::ALERTS_DECORATED, 40).await;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    assert_eq!(
        claim.positions,
        [(Topic::ALERTS_DECORATED, 10), (Topic::ALERTS_COMMANDS, 20)].into()
    );
    assert_eq!(claim.epoch, 4);
    let both: BTreeMap<_, _> = [(Topic::ALERTS_DECORATED, 11), (Topic::NOTIFICATIONS_RECEIPTS, 50)].into();
    let commit_of_both = Commit {
        positions: both,
        ..Commit::default()
    };
    store.commit(&claim, &commit_of_both).await.unwrap();
    let Claim { positions, .. } = store.claim("daemon", 0, "test").await.unwrap();
    assert_eq!(
        positions,
        [
            (Topic::ALERTS_DECORATED, 11),
            (Topic::ALERTS_COMMANDS, 20),
            (Topic::NOTIFICATIONS_RECEIPTS, 50)
        ]
        .into()
    );
    let other = store.claim("daemon", 1, "test").await.unwrap();
    assert_eq!(other.positions, [(Topic::ALERTS_DECORATED, 30)].into());
}
