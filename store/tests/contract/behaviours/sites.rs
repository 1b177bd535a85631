use std::collections::BTreeMap;

use schemas::Principal;
use store::{NewRevision, Store, StoreError, StoredSite};
use tokio::task::JoinSet;

use crate::backing::Backing;
use crate::samples::at;

fn entries(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// A change that `ann` makes at the second of the revision, of which `keep` are kept.
async fn change_keeping(
    store: &Store,
    keep: u32,
    expected: u64,
    set: &BTreeMap<String, String>,
    remove: &[String],
) -> Result<u64, StoreError> {
    let new = NewRevision {
        expected,
        set,
        remove,
        by: &Principal::token("ann"),
        at: at(i64::try_from(expected).unwrap() + 1),
        keep,
    };
    store.change_site(&new).await
}

async fn change(
    store: &Store,
    expected: u64,
    set: &BTreeMap<String, String>,
    remove: &[String],
) -> Result<u64, StoreError> {
    change_keeping(store, 100, expected, set, remove).await
}

pub async fn a_change_of_an_old_revision_is_a_conflict(backing: &Backing) {
    let store = &backing.store;
    assert_eq!(store.site().await.unwrap(), StoredSite::default());
    let long = format!("scenario/{}", "é".repeat(3_000));
    let first = entries(&[
        ("environment/pay", "{\"a\":1}"),
        ("environment/Pay", "{}"),
        (&long, "💥"),
    ]);
    assert_eq!(change(store, 0, &first, &[]).await.unwrap(), 1);
    let second = entries(&[("environment/pay", "{\"a\":2}")]);
    match change(store, 0, &second, std::slice::from_ref(&long)).await {
        Err(StoreError::Conflict {
            expected: 0,
            found: 1,
        }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(
        store.site().await.unwrap().entries,
        first,
        "nothing of it was done"
    );
    assert_eq!(
        change(store, 1, &second, &[long, "bot/none".to_owned()])
            .await
            .unwrap(),
        2
    );
    let expected = entries(&[("environment/Pay", "{}"), ("environment/pay", "{\"a\":2}")]);
    assert_eq!(
        store.site().await.unwrap(),
        StoredSite {
            revision: 2,
            entries: expected,
            published: false
        }
    );
}

pub async fn of_many_changes_at_once_one_wins(backing: &Backing) {
    let mut changes = JoinSet::new();
    for number in 0..8 {
        let store = backing.again().await;
        changes.spawn(async move {
            change(&store, 0, &entries(&[("rules/all", &number.to_string())]), &[]).await
        });
    }
    let answers = changes.join_all().await;
    let won = answers.iter().filter(|answer| matches!(answer, Ok(1))).count();
    let lost = answers
        .iter()
        .filter(|a| {
            matches!(
                a,
                Err(StoreError::Conflict {
                    expected: 0,
                    found: 1
                })
            )
        })
        .count();
    assert_eq!((won, lost), (1, 7), "{answers:?}");
}

pub async fn a_revision_counts_as_published_until_the_next_change(backing: &Backing) {
    let store = &backing.store;
    let published = async || store.site().await.unwrap().published;
    assert!(!published().await, "the empty site too has to be told");
    store.site_published(0).await.unwrap();
    assert!(published().await);
    change(store, 0, &entries(&[("environment/pay", "{}")]), &[])
        .await
        .unwrap();
    assert!(!published().await);
    store.site_published(1).await.unwrap();
    store.site_published(0).await.unwrap();
    assert!(
        published().await,
        "an old message that comes late changes nothing"
    );
}

pub async fn every_revision_can_be_read_as_it_was(backing: &Backing) {
    let store = &backing.store;
    let first = entries(&[("environment/pay", "1"), ("bot/chat", "1")]);
    change(store, 0, &first, &[]).await.unwrap();
    let second = entries(&[("environment/pay", "2"), ("rules/all", "2")]);
    change(store, 1, &second, &["bot/chat".to_owned()]).await.unwrap();
    // What was removed comes again.
    change(store, 2, &entries(&[("bot/chat", "3")]), &[])
        .await
        .unwrap();
    for (revision, expected) in [
        (1, first),
        (2, second),
        (
            3,
            entries(&[("environment/pay", "2"), ("rules/all", "2"), ("bot/chat", "3")]),
        ),
    ] {
        let (made, found) = store.site_at(revision).await.unwrap().unwrap();
        assert_eq!(found, expected, "{revision}");
        assert_eq!((made.revision, made.by), (revision, Principal::token("ann")));
        assert_eq!(made.at, at(i64::try_from(revision).unwrap()));
    }
    let now = store.site().await.unwrap();
    assert_eq!(store.site_at(3).await.unwrap().unwrap().1, now.entries);
    assert!(store.site_at(0).await.unwrap().is_none());
    assert!(store.site_at(4).await.unwrap().is_none());
}

pub async fn an_empty_revision_is_one(backing: &Backing) {
    let store = &backing.store;
    change(store, 0, &entries(&[("bot/chat", "1")]), &[])
        .await
        .unwrap();
    change(store, 1, &entries(&[]), &["bot/chat".to_owned()])
        .await
        .unwrap();
    let (made, found) = store.site_at(2).await.unwrap().unwrap();
    assert_eq!((made.revision, found.len()), (2, 0));
}

pub async fn revisions_are_listed_newest_first_in_pages(backing: &Backing) {
    let store = &backing.store;
    for expected in 0..5 {
        change(store, expected, &entries(&[("bot/chat", "1")]), &[])
            .await
            .unwrap();
    }
    let mut found = Vec::new();
    let mut below = None;
    loop {
        let page = store.site_revisions(2, below).await.unwrap();
        assert!(page.rows.len() <= 2);
        found.extend(page.rows.iter().map(|made| made.revision));
        match page.next_cursor {
            None => break,
            Some(cursor) => below = Some(cursor.parse().unwrap()),
        }
    }
    assert_eq!(found, [5, 4, 3, 2, 1]);
}

pub async fn only_the_newest_revisions_are_kept_and_each_of_them_is_whole(backing: &Backing) {
    let store = &backing.store;
    let stays = entries(&[("environment/pay", "stays"), ("bot/chat", "1")]);
    change(store, 0, &stays, &[]).await.unwrap();
    for expected in 1..6 {
        let set = entries(&[("bot/chat", &(expected + 1).to_string())]);
        change_keeping(store, 3, expected, &set, &[]).await.unwrap();
    }
    let page = store.site_revisions(10, None).await.unwrap();
    let kept: Vec<_> = page.rows.iter().map(|made| made.revision).collect();
    assert_eq!(kept, [6, 5, 4]);
    for revision in kept {
        let (_, found) = store.site_at(revision).await.unwrap().unwrap();
        let expected = entries(&[("environment/pay", "stays"), ("bot/chat", &revision.to_string())]);
        assert_eq!(found, expected);
    }
    assert!(store.site_at(3).await.unwrap().is_none());
    // A lower bound takes effect with the next change.
    change_keeping(store, 1, 6, &entries(&[]), &["bot/chat".to_owned()])
        .await
        .unwrap();
    assert_eq!(store.site_revisions(10, None).await.unwrap().rows.len(), 1);
    assert_eq!(
        store.site().await.unwrap().entries,
        entries(&[("environment/pay", "stays")])
    );
}
