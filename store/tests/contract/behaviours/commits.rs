use std::collections::HashMap;

use domain::AlertState;
use domain::deadlines::{Deadline, DeadlineKind};
use domain::state::{Expiry, StepState};
use schemas::alert::Snooze;
use schemas::{HoldKind, LedgerState, Reason, Topic, What};
use store::{AlertQuery, Commit, OutboxRow, StoreError};
use tokio::task::JoinSet;

use crate::backing::Backing;
use crate::samples::{alert, at, closed, fingerprint, history, ledger, message, state, state_of};

/// A state with something odd in every place.
fn odd(number: u64) -> AlertState {
    let mut alert = alert(number);
    alert.environment = "Zahlungsverkehr 💶 ".repeat(40);
    alert.name = "naïve 日本語 \u{202e}right to left\u{202c} e\u{301} \u{feff}\u{ffff}\u{10ffff}".to_owned();
    alert.output = "🚒 it's \"burning\" \\ `x`; -- %s ?\r\n\t\u{1}".repeat(20_000);
    alert.previous_output = Some(String::new());
    alert.labels = [
        ("🙂".to_owned(), " ".to_owned()),
        ("a".repeat(5_000), "ß".repeat(5_000)),
    ]
    .into();
    alert.snooze = Some(Snooze {
        by: "Zoë".to_owned(),
        at: at(1),
        until: at(1_000_000_000),
        sticky_severity: true,
        sticky_output: false,
        comment: Some("💤".to_owned()),
    });
    let step = StepState {
        id: "é".repeat(50),
        is_notified: true,
        is_retry: true,
        due_at: Some(at(3)),
        held_since: Some(at(2)),
        suppressed_by: vec![Reason::Held {
            hold: HoldKind::Acknowledgement,
            by: "Zoë".to_owned(),
            assignee: None,
            until: None,
        }],
    };
    AlertState {
        steps: vec![step],
        missing_scenario: Some("nächtlich".to_owned()),
        reopened_at: [at(1), at(2)].into(),
        applied_keys: ["ключ".to_owned()].into(),
        expiry: Some(Expiry {
            heard_at: at(1),
            lifetime_seconds: 60,
            expires_at: at(61),
            asked_at: Some(at(76)),
            heartbeat: Some("nightly".to_owned()),
        }),
        ..state_of(alert)
    }
}

pub async fn states_come_back_as_they_were(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let mut expected = odd(1);
    let mut entry = ledger(1, &"é".repeat(1_024), LedgerState::Open);
    entry.error = Some("💥".repeat(10_000));
    let mut line = history(1, 1);
    line.happening.what = What::OutputChanged {
        output: "🧯".repeat(50_000),
    };
    let commit = Commit {
        states: vec![(expected.clone(), None), (state(2), None)],
        history: vec![line.clone()],
        ledger: vec![(expected.alert.fingerprint, entry.clone())],
        ..Commit::default()
    };
    store.commit(&claim, &commit).await.unwrap();
    expected.ledger = vec![entry.clone()];

    let loaded = store
        .load(&[fingerprint(1), fingerprint(2), fingerprint(3)])
        .await
        .unwrap();
    assert_eq!(
        loaded,
        HashMap::from([(fingerprint(1), expected.clone()), (fingerprint(2), state(2))])
    );
    assert_eq!(store.alert(fingerprint(1)).await.unwrap(), Some(expected.alert));
    assert_eq!(store.alert(fingerprint(3)).await.unwrap(), None);
    assert_eq!(
        store.history(fingerprint(1), 10, None).await.unwrap().rows,
        [line]
    );
    assert_eq!(store.ledger(fingerprint(1)).await.unwrap(), [entry]);
}

pub async fn a_newer_state_replaces_the_older(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let mut ended = state_of(closed(1));
    ended.alert.version = 2;
    for state in [state(1), ended.clone()] {
        store
            .commit(
                &claim,
                &Commit {
                    states: vec![(state, None)],
                    ..Commit::default()
                },
            )
            .await
            .unwrap();
    }
    assert_eq!(
        store.load(&[fingerprint(1)]).await.unwrap()[&fingerprint(1)],
        ended
    );
    assert_eq!(store.open_alerts(None, 10).await.unwrap(), []);
}

pub async fn a_commit_that_fails_in_its_middle_leaves_nothing(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let first = Commit {
        states: vec![(state(1), None)],
        history: vec![history(1, 1)],
        ..Commit::default()
    };
    store.commit(&claim, &first).await.unwrap();
    let due = Deadline {
        due_at: at(1),
        kind: DeadlineKind::Step,
        is_silenced: false,
    };
    let second = Commit {
        states: vec![(state(2), Some(due))],
        history: vec![history(2, 1), history(1, 1)],
        ledger: vec![(fingerprint(2), ledger(1, "#a", LedgerState::Open))],
        outbox: vec![message("a", "1")],
        published: Vec::new(),
        positions: [(Topic::ALERTS_DECORATED, 5)].into(),
        outcomes: Vec::new(),
        seen: Vec::new(),
    };
    let failed = store.commit(&claim, &second).await.unwrap_err();
    assert!(
        matches!(failed, StoreError::Corrupt { .. }),
        "two writers of one alert are no outage: {failed}"
    );
    assert!(store.load(&[fingerprint(2)]).await.unwrap().is_empty());
    assert_eq!(store.history(fingerprint(2), 10, None).await.unwrap().rows, []);
    assert_eq!(store.ledger(fingerprint(2)).await.unwrap(), []);
    assert_eq!(store.next_due(0).await.unwrap(), None);
    assert_eq!(store.outbox(&claim).await.unwrap(), []);
    assert_eq!(
        store.claim("daemon", 0, "test").await.unwrap().positions,
        [].into()
    );
}

pub async fn the_outbox_keeps_its_order_until_rows_are_published(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let other = store.claim("daemon", 1, "test").await.unwrap();
    let write = async |claim, messages: &[&str], published: &[i64]| {
        let outbox = messages.iter().map(|value| message("key", value)).collect();
        store
            .commit(
                claim,
                &Commit {
                    outbox,
                    published: published.to_vec(),
                    ..Commit::default()
                },
            )
            .await
            .unwrap()
    };
    let first = write(&claim, &["1", "2"], &[]).await.unwrap();
    write(&other, &["of another partition"], &[]).await.unwrap();
    let second = write(&claim, &["3 🙂"], &[]).await.unwrap();
    assert_eq!(write(&claim, &[], &[]).await, None, "no messages, no row");
    let row = |id, values: &[&str]| OutboxRow {
        id,
        messages: values.iter().map(|v| message("key", v)).collect(),
    };
    assert_eq!(
        store.outbox(&claim).await.unwrap(),
        [row(first, &["1", "2"]), row(second, &["3 🙂"])]
    );

    let third = write(&claim, &["4"], &[second, first]).await.unwrap();
    assert_eq!(store.outbox(&claim).await.unwrap(), [row(third, &["4"])]);
    write(&claim, &[], &[third]).await;
    let fourth = write(&claim, &["5"], &[]).await.unwrap();
    assert!(fourth > third, "the id of a removed row does not come back");
    assert_eq!(store.outbox(&other).await.unwrap().len(), 1);
}

pub async fn a_large_outbox_row_comes_back_whole(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    // More than MariaDB takes in one packet.
    let messages: Vec<_> = (0..20)
        .map(|number| message(&number.to_string(), &"x".repeat(1 << 20)))
        .collect();
    let write = async |outbox| {
        store
            .commit(
                &claim,
                &Commit {
                    outbox,
                    ..Commit::default()
                },
            )
            .await
            .unwrap()
            .unwrap()
    };
    let large = write(messages.clone()).await;
    let small = write(vec![message("a", "1")]).await;
    let outbox = store.outbox(&claim).await.unwrap();
    assert!(
        outbox
            == [
                OutboxRow { id: large, messages },
                OutboxRow {
                    id: small,
                    messages: vec![message("a", "1")]
                }
            ]
    );
    store
        .commit(
            &claim,
            &Commit {
                published: vec![large],
                ..Commit::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(
        store.outbox(&claim).await.unwrap().len(),
        1,
        "all of its parts are gone"
    );
}

pub async fn the_time_of_a_last_event_is_read_everywhere_and_belongs_to_one_writing_of_the_state(
    backing: &Backing,
) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let mut state = state(1);
    state.writes = 1;
    state.expiry = Some(Expiry {
        heard_at: at(1),
        lifetime_seconds: 300,
        expires_at: at(301),
        asked_at: None,
        heartbeat: None,
    });
    let write = async |commit: Commit| {
        store.commit(&claim, &commit).await.unwrap();
    };
    write(Commit {
        states: vec![(state.clone(), None)],
        ..Commit::default()
    })
    .await;
    let (fingerprint, mut heard) = (fingerprint(1), state.clone());
    heard.alert.last_event_at = at(60);
    let expiry = heard.expiry.as_mut().unwrap();
    (expiry.heard_at, expiry.expires_at) = (at(60), at(360));
    // Twice, as it is written again and again.
    for last_event_at in [at(50), at(60)] {
        let mut seen = heard.last_seen();
        seen.last_event_at = last_event_at;
        write(Commit {
            seen: vec![(fingerprint, seen)],
            ..Commit::default()
        })
        .await;
    }
    let loaded = async || {
        store
            .load(&[fingerprint])
            .await
            .unwrap()
            .remove(&fingerprint)
            .unwrap()
    };
    assert_eq!(loaded().await, heard);
    let shown = async || {
        let query = AlertQuery {
            limit: 10,
            ..AlertQuery::default()
        };
        let (alert, end) = store.open_alerts_with_ends(None, 10).await.unwrap().remove(0);
        let others = [
            store.alert(fingerprint).await.unwrap().unwrap(),
            store.alerts(&query).await.unwrap().rows.remove(0),
            store.open_alerts(None, 10).await.unwrap().remove(0),
        ];
        assert!(others.iter().all(|other| *other == alert), "{others:?}");
        (alert.last_event_at, end)
    };
    assert_eq!(shown().await, (at(60), Some(at(360))));

    // The next state knows better, though its source was last heard of before.
    state.writes = 2;
    write(Commit {
        states: vec![(state.clone(), None)],
        ..Commit::default()
    })
    .await;
    assert_eq!(loaded().await, state);
    assert_eq!(shown().await, (state.alert.last_event_at, Some(at(301))));
}

pub async fn deadlines_come_most_overdue_first_and_follow_the_state(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let other = store.claim("daemon", 1, "test").await.unwrap();
    let due = |seconds| {
        Some(Deadline {
            due_at: at(seconds),
            kind: DeadlineKind::HoldEnd,
            is_silenced: false,
        })
    };
    let write = async |claim, states| {
        store
            .commit(
                claim,
                &Commit {
                    states,
                    ..Commit::default()
                },
            )
            .await
            .unwrap();
    };
    write(
        &claim,
        vec![
            (state(1), due(30)),
            (state(2), due(10)),
            (state(3), due(20)),
            (state(4), None),
        ],
    )
    .await;
    write(&other, vec![(state(5), due(5))]).await;
    assert_eq!(store.next_due(0).await.unwrap(), Some(at(10)));
    assert_eq!(store.due(0, at(9), 10).await.unwrap(), []);
    assert_eq!(
        store.due(0, at(20), 10).await.unwrap(),
        [(fingerprint(2), at(10)), (fingerprint(3), at(20))]
    );
    assert_eq!(store.due(0, at(99), 1).await.unwrap(), [(fingerprint(2), at(10))]);
    let beginning = (jiff::Timestamp::MIN, None);
    assert_eq!(
        store.scheduled(0, beginning, 2).await.unwrap(),
        [(fingerprint(2), at(10)), (fingerprint(3), at(20))]
    );
    assert_eq!(
        store
            .scheduled(0, (at(20), Some(fingerprint(3))), 10)
            .await
            .unwrap(),
        [(fingerprint(1), at(30))],
        "whatever is due or not, after the place"
    );

    let silenced = |seconds| {
        due(seconds).map(|due| Deadline {
            is_silenced: true,
            ..due
        })
    };
    write(&claim, vec![(state(1), silenced(30)), (state(3), silenced(20))]).await;
    write(&other, vec![(state(5), silenced(5))]).await;
    assert_eq!(
        store.silenced(0, beginning, at(29), 10).await.unwrap(),
        [(fingerprint(3), at(20))]
    );
    assert_eq!(
        store.silenced(0, beginning, at(99), 1).await.unwrap(),
        [(fingerprint(3), at(20))]
    );
    assert_eq!(
        store
            .silenced(0, (at(20), Some(fingerprint(3))), at(99), 10)
            .await
            .unwrap(),
        [(fingerprint(1), at(30))],
        "after the place, and of this partition"
    );
    assert_eq!(
        store
            .scheduled_among(0, &[1, 4, 5, 9].map(fingerprint))
            .await
            .unwrap(),
        [(fingerprint(1), at(30))],
        "with a deadline, and of this partition"
    );
    write(&claim, vec![(state(1), due(30)), (state(3), due(20))]).await;
    assert_eq!(store.silenced(0, beginning, at(99), 10).await.unwrap(), []);

    // What is due at the end of time is read as such.
    let last = Deadline {
        due_at: jiff::Timestamp::MAX,
        kind: DeadlineKind::Expiry,
        is_silenced: false,
    };
    write(&claim, vec![(state(4), Some(last))]).await;
    let after = store
        .scheduled(0, (at(30), Some(fingerprint(1))), 10)
        .await
        .unwrap();
    assert_eq!(after.len(), 1);
    write(&claim, vec![(state(4), None)]).await;

    // One goes away, one moves, and one comes over from the other partition.
    write(
        &claim,
        vec![(state(2), None), (state(3), due(40)), (state(5), due(50))],
    )
    .await;
    let expected = [
        (fingerprint(1), at(30)),
        (fingerprint(3), at(40)),
        (fingerprint(5), at(50)),
    ];
    assert_eq!(store.due(0, at(99), 10).await.unwrap(), expected);
    assert_eq!(store.next_due(1).await.unwrap(), None);
}

pub async fn only_ledger_rows_that_are_unsettled_or_failed_are_loaded(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let write = async |rows: Vec<(u32, &str, LedgerState)>| {
        let ledger = rows
            .into_iter()
            .map(|(episode, to, state)| (fingerprint(1), ledger(episode, to, state)))
            .collect();
        store
            .commit(
                &claim,
                &Commit {
                    ledger,
                    states: vec![(state(1), None)],
                    ..Commit::default()
                },
            )
            .await
            .unwrap();
    };
    write(vec![
        (1, "#a", LedgerState::Open),
        (1, "#A", LedgerState::Opening),
        (1, "#b", LedgerState::Failed),
        (1, "#c", LedgerState::NotClosed),
    ])
    .await;
    write(vec![
        (1, "#a", LedgerState::Closed),
        (2, "#a", LedgerState::Closing),
    ])
    .await;
    let loaded = store
        .load(&[fingerprint(1)])
        .await
        .unwrap()
        .remove(&fingerprint(1))
        .unwrap();
    let mut loaded: Vec<_> = loaded
        .ledger
        .iter()
        .map(|row| (row.episode, row.destination.as_str()))
        .collect();
    loaded.sort_unstable();
    assert_eq!(loaded, [(1, "#A"), (1, "#b"), (2, "#a")]);
    let all = store.ledger(fingerprint(1)).await.unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|row| (row.episode, row.destination.as_str(), row.state))
        .collect();
    let expected = [
        (2, "#a", LedgerState::Closing),
        (1, "#A", LedgerState::Opening),
        (1, "#a", LedgerState::Closed),
        (1, "#b", LedgerState::Failed),
        (1, "#c", LedgerState::NotClosed),
    ];
    assert_eq!(all, expected);
}

pub async fn many_alerts_are_loaded_at_once(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let numbers = 0..2_100;
    let commit = Commit {
        states: numbers.clone().map(|number| (state(number), None)).collect(),
        history: numbers.clone().map(|number| history(number, 1)).collect(),
        ledger: numbers
            .clone()
            .map(|n| (fingerprint(n), ledger(1, "#a", LedgerState::Open)))
            .collect(),
        ..Commit::default()
    };
    store.commit(&claim, &commit).await.unwrap();
    let fingerprints: Vec<_> = numbers.map(fingerprint).collect();
    let loaded = store.load(&fingerprints).await.unwrap();
    assert_eq!(loaded.len(), 2_100);
    assert!(loaded.values().all(|state| state.ledger.len() == 1));
    assert!(store.load(&[]).await.unwrap().is_empty());
}

pub async fn migrating_again_and_at_the_same_time_does_no_harm(backing: &Backing) {
    let claim = backing.store.claim("daemon", 0, "test").await.unwrap();
    backing
        .store
        .commit(
            &claim,
            &Commit {
                states: vec![(state(1), None)],
                ..Commit::default()
            },
        )
        .await
        .unwrap();
    let mut migrating = JoinSet::new();
    for _ in 0..6 {
        let store = backing.again().await;
        migrating.spawn(async move { store.migrate().await.unwrap() });
    }
    migrating.join_all().await;
    // And from nothing.
    if backing
        .tamper(
            "DROP TABLE migrations; DROP TABLE alerts; DROP TABLE history; DROP TABLE ledger;
                       DROP TABLE outbox; DROP TABLE claims; DROP TABLE positions; DROP TABLE deliveries;
                       DROP TABLE site; DROP TABLE site_revision; DROP TABLE site_revisions; DROP TABLE request_outcomes;
                       DROP TABLE saved_searches; DROP TABLE attachments; DROP TABLE last_seen",
        )
        .await
    {
        let mut migrating = JoinSet::new();
        for _ in 0..6 {
            let store = backing.again().await;
            migrating.spawn(async move { store.migrate().await.unwrap() });
        }
        migrating.join_all().await;
        assert_eq!(backing.again().await.site().await.unwrap().revision, 0);
    } else {
        assert_eq!(backing.store.alert(fingerprint(1)).await.unwrap(), Some(alert(1)));
    }
}

pub async fn data_survives_reopening(backing: &Backing) {
    let claim = backing.store.claim("daemon", 0, "test").await.unwrap();
    let commit = Commit {
        states: vec![(state(1), None)],
        outbox: vec![message("a", "1")],
        positions: [(Topic::ALERTS_DECORATED, 1)].into(),
        ..Commit::default()
    };
    backing.store.commit(&claim, &commit).await.unwrap();
    let again = backing.again().await;
    again.migrate().await.unwrap();
    assert_eq!(again.alert(fingerprint(1)).await.unwrap(), Some(alert(1)));
    assert_eq!(again.outbox(&claim).await.unwrap().len(), 1);
    let claimed = again.claim("daemon", 0, "test").await.unwrap();
    assert_eq!(
        (claimed.epoch, claimed.positions),
        (2, [(Topic::ALERTS_DECORATED, 1)].into())
    );
}
