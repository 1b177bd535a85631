use std::collections::BTreeMap;

use store::{StoreError, StoredSite};
use tokio::task::JoinSet;

use crate::backing::Backing;

fn entries(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
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
    assert_eq!(store.change_site(0, &first, &[]).await.unwrap(), 1);
    let second = entries(&[("environment/pay", "{\"a\":2}")]);
    match store.change_site(0, &second, std::slice::from_ref(&long)).await {
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
        store
            .change_site(1, &second, &[long, "bot/none".to_owned()])
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
            store
                .change_site(0, &entries(&[("rules/all", &number.to_string())]), &[])
                .await
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
    store
        .change_site(0, &entries(&[("environment/pay", "{}")]), &[])
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
