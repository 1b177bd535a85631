use schemas::live::Filter;
use schemas::{Alert, OperatorState, Severity};
use store::{AlertQuery, Commit, StatusWanted, Store, StoreError};

use crate::backing::Backing;
use crate::samples::{alert, at, closed, fingerprint, history, state_of};

async fn put(store: &Store, alerts: impl IntoIterator<Item = Alert>) {
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let states = alerts.into_iter().map(|alert| (state_of(alert), None)).collect();
    store
        .commit(
            &claim,
            &Commit {
                states,
                ..Commit::default()
            },
        )
        .await
        .unwrap();
}

/// The objects of the alerts on all pages of so many.
async fn objects(store: &Store, status: StatusWanted, filter: Filter, limit: usize) -> Vec<String> {
    let mut query = AlertQuery {
        status,
        filter,
        limit,
        cursor: None,
    };
    let mut objects = Vec::new();
    loop {
        let page = store.alerts(&query).await.unwrap();
        assert!(page.rows.len() <= limit);
        objects.extend(page.rows.into_iter().map(|alert| alert.object));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return objects;
        }
    }
}

pub async fn a_list_is_filtered_by_every_condition(backing: &Backing) {
    let store = &backing.store;
    let shop = Alert {
        environment: "shop".to_owned(),
        ..alert(1)
    };
    let down = Alert {
        severity: Severity::Down,
        ..alert(2)
    };
    let handled = Alert {
        operator_state: OperatorState::Handled,
        name: "Zażółć".to_owned(),
        ..alert(3)
    };
    put(store, [shop, down, handled, alert(4), closed(5)]).await;
    let list = async |filter: Filter| objects(store, StatusWanted::Open, filter, 1).await;
    assert_eq!(list(Filter::default()).await, ["db-4", "db-3", "db-2", "db-1"]);
    let shops = Filter {
        environments: vec!["shop".to_owned(), "none".to_owned()],
        ..Filter::default()
    };
    assert_eq!(list(shops).await, ["db-1"]);
    let severities = vec![Severity::Down, Severity::Ok];
    assert_eq!(
        list(Filter {
            severities,
            ..Filter::default()
        })
        .await,
        ["db-2"]
    );
    let states = vec![OperatorState::Handled, OperatorState::Snoozed];
    assert_eq!(
        list(Filter {
            states,
            ..Filter::default()
        })
        .await,
        ["db-3"]
    );
    let matchers = vec!["team=~\"team-[12]\"".to_owned(), "object!=\"db-2\"".to_owned()];
    assert_eq!(
        list(Filter {
            matchers,
            ..Filter::default()
        })
        .await,
        ["db-4", "db-1"]
    );
    assert_eq!(
        list(Filter {
            text: "ZAŻÓŁĆ".to_owned(),
            ..Filter::default()
        })
        .await,
        ["db-3"]
    );
    assert_eq!(
        objects(store, StatusWanted::Closed, Filter::default(), 9).await,
        ["db-5"]
    );
}

pub async fn names_are_told_apart_by_case_and_trailing_space(backing: &Backing) {
    let store = &backing.store;
    let names = [
        "Pay",
        "pay",
        "pay ",
        "pày",
        &"long".repeat(100),
        &format!("{}er", "long".repeat(100)),
    ];
    let alerts = names.iter().zip(0..).map(|(name, n)| Alert {
        environment: (*name).to_owned(),
        ..alert(n)
    });
    put(store, alerts).await;
    for (name, number) in names.iter().zip(0..) {
        let filter = Filter {
            environments: vec![(*name).to_owned()],
            ..Filter::default()
        };
        let found = objects(store, StatusWanted::Open, filter, 10).await;
        assert_eq!(found, [format!("db-{number}")], "{name:?}");
    }
}

pub async fn pages_have_no_gaps_and_no_repeats_while_alerts_come_in(backing: &Backing) {
    let store = &backing.store;
    // Several that opened at the same time, and the place between them is where a page ends.
    let opened = |number: u64| Alert {
        opened_at: alert(number / 10).opened_at,
        ..alert(number)
    };
    put(store, (0..57).map(opened)).await;
    let mut query = AlertQuery {
        limit: 7,
        ..AlertQuery::default()
    };
    let mut seen = Vec::new();
    for arriving in 1_000.. {
        let page = store.alerts(&query).await.unwrap();
        seen.extend(page.rows.iter().map(|alert| alert.object.clone()));
        let order = |alert: &Alert| (alert.opened_at, alert.fingerprint);
        assert!(page.rows.is_sorted_by(|one, next| order(one) > order(next)));
        assert!(seen.len() <= 57, "repeats");
        put(store, [alert(arriving)]).await;
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
        assert_eq!(page.rows.len(), 7);
    }
    let mut expected: Vec<_> = (0..57).map(|number| format!("db-{number}")).collect();
    expected.sort_unstable();
    seen.sort_unstable();
    assert_eq!(seen, expected);
}

pub async fn open_and_closed_alerts_are_listed_together_in_order(backing: &Backing) {
    let store = &backing.store;
    put(
        store,
        (0..20).map(|number| {
            if number % 3 == 0 {
                closed(number)
            } else {
                alert(number)
            }
        }),
    )
    .await;
    let expected: Vec<_> = (0..20).rev().map(|number| format!("db-{number}")).collect();
    for limit in [1, 3, 20, 600] {
        assert_eq!(
            objects(store, StatusWanted::Any, Filter::default(), limit).await,
            expected
        );
    }
    let filter = Filter {
        severities: vec![Severity::Critical],
        text: "DB-1".to_owned(),
        ..Filter::default()
    };
    assert_eq!(objects(store, StatusWanted::Any, filter, 4).await.len(), 11);
}

pub async fn closed_alerts_are_listed_with_what_has_closed_last_first(backing: &Backing) {
    let store = &backing.store;
    // What opened first closes last, three at a time.
    let ended = |number: u64| Alert {
        closed_at: Some(at(1_000 - i64::try_from(number / 3).unwrap())),
        ..closed(number)
    };
    put(store, (0..30).map(ended)).await;
    put(store, (30..40).map(alert)).await;
    let mut query = AlertQuery {
        status: StatusWanted::Closed,
        limit: 7,
        ..AlertQuery::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = store.alerts(&query).await.unwrap();
        seen.extend(page.rows);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let order = |alert: &Alert| (alert.closed_at, alert.fingerprint);
    assert!(seen.is_sorted_by(|one, next| order(one) > order(next)));
    assert_eq!(seen.len(), 30);
}

pub async fn a_long_search_is_answered_in_parts(backing: &Backing) {
    let store = &backing.store;
    for chunk in 0..42 {
        put(store, (0..500).map(|number| alert(chunk * 500 + number))).await;
    }
    let filter = Filter {
        matchers: vec!["object=\"db-0\"".to_owned()],
        ..Filter::default()
    };
    let mut query = AlertQuery {
        filter,
        limit: 10,
        ..AlertQuery::default()
    };
    let first = store.alerts(&query).await.unwrap();
    assert_eq!(first.rows, []);
    query.cursor = Some(first.next_cursor.unwrap());
    let second = store.alerts(&query).await.unwrap();
    assert_eq!((second.rows, second.next_cursor), (vec![alert(0)], None));
}

pub async fn open_alerts_come_in_the_order_of_their_fingerprints(backing: &Backing) {
    let store = &backing.store;
    put(
        store,
        (0..25).map(|number| {
            if number % 5 == 0 {
                closed(number)
            } else {
                alert(number)
            }
        }),
    )
    .await;
    let mut expected: Vec<_> = (0..25)
        .filter(|number| number % 5 != 0)
        .map(fingerprint)
        .collect();
    expected.sort_unstable();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let part = store.open_alerts(after, 6).await.unwrap();
        seen.extend(part.iter().map(|alert| alert.fingerprint));
        after = seen.last().copied();
        if part.len() < 6 {
            break;
        }
    }
    assert_eq!(seen, expected);
}

pub async fn history_is_paged_newest_first(backing: &Backing) {
    let store = &backing.store;
    put(store, [alert(1), alert(2)]).await;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let history = (1..=10)
        .map(|sequence| history(1, sequence))
        .chain([history(2, 1)])
        .collect();
    store
        .commit(
            &claim,
            &Commit {
                history,
                ..Commit::default()
            },
        )
        .await
        .unwrap();
    let (mut sequences, mut cursor) = (Vec::new(), None);
    for expected in [4, 4, 2] {
        let page = store.history(fingerprint(1), 4, cursor).await.unwrap();
        assert_eq!(page.rows.len(), expected);
        sequences.extend(page.rows.iter().map(|entry| entry.sequence));
        cursor = page.next_cursor.map(|cursor| cursor.parse().unwrap());
    }
    assert_eq!((sequences, cursor), ((1..=10).rev().collect(), None));
    let page = store.history(fingerprint(1), 10, None).await.unwrap();
    assert_eq!(page.next_cursor, None, "a full page without a next one says so");
}

pub async fn what_cannot_be_understood_is_refused_with_a_remedy(backing: &Backing) {
    let store = &backing.store;
    let plain = AlertQuery {
        limit: 1,
        ..AlertQuery::default()
    };
    let matchers = Filter {
        matchers: vec!["team".to_owned()],
        ..Filter::default()
    };
    for (query, expected) in [
        (
            AlertQuery {
                limit: 0,
                ..plain.clone()
            },
            "limit: must be at least 1",
        ),
        (
            AlertQuery {
                filter: matchers,
                ..plain.clone()
            },
            "filter: matcher \"team\" is not understood",
        ),
        (
            AlertQuery {
                cursor: Some("7".to_owned()),
                ..plain.clone()
            },
            "leave it out to begin anew",
        ),
    ] {
        match store.alerts(&query).await {
            Err(StoreError::Invalid(message)) => assert!(message.contains(expected), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        Store::open("postgres://localhost/x").await,
        Err(StoreError::Invalid(_))
    ));
    assert!(matches!(
        Store::open("/var/lib/reveille").await,
        Err(StoreError::Invalid(_))
    ));
}

pub async fn what_cannot_be_read_is_called_corrupt(backing: &Backing) {
    put(&backing.store, [alert(1)]).await;
    if backing
        .tamper("UPDATE alerts SET document = '{\"alert\":7}'")
        .await
    {
        match backing.store.alert(fingerprint(1)).await {
            Err(StoreError::Corrupt { what, .. }) => assert_eq!(what, format!("alert {}", fingerprint(1))),
            other => panic!("{other:?}"),
        }
    }
}

pub async fn l7_rows_that_cannot_be_read_are_left_out_and_named(backing: &Backing) {
    let store = &backing.store;
    put(store, (1..=5).map(alert)).await;
    if !backing
        .tamper("UPDATE alerts SET document = '{\"alert\":7}' WHERE opened_at IN (1750000003000000, 1750000005000000)")
        .await
    {
        return;
    }
    let listed = objects(store, StatusWanted::Open, Filter::default(), 1).await;
    assert_eq!(listed, ["db-4", "db-2", "db-1"]);
    let sieved = Filter {
        text: "db-".to_owned(),
        ..Filter::default()
    };
    assert_eq!(objects(store, StatusWanted::Any, sieved, 2).await.len(), 3);
    let mut seen = Vec::new();
    while let [alert] = &store.open_alerts(seen.last().copied(), 1).await.unwrap()[..] {
        seen.push(alert.fingerprint);
    }
    assert_eq!(seen.len(), 3, "{seen:?}");

    let numbers: Vec<_> = (1..=6).map(fingerprint).collect();
    let loaded = store.load_known(&numbers).await.unwrap();
    assert_eq!(loaded.states.len(), 3);
    let unreadable: Vec<_> = loaded.unreadable.keys().copied().collect();
    let mut expected = [fingerprint(3), fingerprint(5)];
    expected.sort_unstable();
    assert_eq!(unreadable, expected);
    assert_eq!(store.unreadable_rows().len(), 2);

    // Put right, they are no longer named.
    put(store, [alert(3), alert(5)]).await;
    assert_eq!(store.load_known(&numbers).await.unwrap().states.len(), 5);
    assert_eq!(store.unreadable_rows(), []);
}

/// Of several thousand alerts few meet the conditions, first, in the middle and last.
pub async fn l5_rare_alerts_are_found_wherever_they_are(backing: &Backing) {
    let store = &backing.store;
    let rare = |number: u64| [0, 1, 1_400, 4_998].contains(&number);
    for chunk in 0..10 {
        let numbers = chunk * 500..(chunk + 1) * 500;
        let alerts = numbers.map(|number| Alert {
            severity: if rare(number) {
                Severity::Down
            } else {
                Severity::Critical
            },
            opened_at: at(i64::try_from(number / 7).unwrap()),
            ..if number % 2 == 0 {
                closed(number)
            } else {
                alert(number)
            }
        });
        put(store, alerts).await;
    }
    let filter = Filter {
        severities: vec![Severity::Down],
        ..Filter::default()
    };
    let list = async |status, limit| objects(store, status, filter.clone(), limit).await;
    for limit in [1, 2, 1_000] {
        let open = list(StatusWanted::Open, limit).await;
        let closed = list(StatusWanted::Closed, limit).await;
        let any = list(StatusWanted::Any, limit).await;
        assert_eq!(open, ["db-1"], "{limit}");
        assert_eq!(closed, ["db-4998", "db-1400", "db-0"], "{limit}");
        assert_eq!(
            (any.len(), &any[0], &any[1]),
            (4, &closed[0], &closed[1]),
            "{limit}"
        );
    }
}

pub async fn an_alert_that_is_only_waited_for_is_in_no_list(backing: &Backing) {
    let store = &backing.store;
    let awaited = Alert {
        episode: 0,
        ..closed(1)
    };
    put(store, [awaited, closed(2)]).await;
    let listed = objects(store, StatusWanted::Any, Filter::default(), 10).await;
    assert_eq!(listed, ["db-2"]);
    let loaded = store.load(&[fingerprint(1)]).await.unwrap();
    assert_eq!(loaded.len(), 1, "but its daemon has it");
}
