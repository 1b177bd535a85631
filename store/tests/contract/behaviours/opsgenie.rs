use store::{Attachment, Commit, RequestOutcome};
use uuid::Uuid;

use crate::backing::Backing;
use crate::samples::{at, closed, fingerprint, state, state_of};

fn outcome(number: u128, outcome: &str) -> RequestOutcome {
    RequestOutcome {
        event_id: Uuid::from_u128(number),
        at: at(i64::try_from(number).unwrap()),
        outcome: outcome.to_owned(),
    }
}

pub async fn c2_outcomes_of_requests_are_kept_and_forgotten_by_their_age(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let commit = Commit {
        outcomes: (1..=4).map(|number| outcome(number, "nothing_open")).collect(),
        ..Commit::default()
    };
    store.commit(&claim, &commit).await.unwrap();
    // A batch that comes again says the same again.
    store.commit(&claim, &commit).await.unwrap();
    let known = store.request_outcome(Uuid::from_u128(2)).await.unwrap();
    assert_eq!(known, Some(outcome(2, "nothing_open")));
    assert_eq!(store.prune_outcomes(at(4), 2).await.unwrap(), 2);
    assert_eq!(store.prune_outcomes(at(4), 2).await.unwrap(), 1);
    assert_eq!(store.prune_outcomes(at(4), 2).await.unwrap(), 0);
    assert_eq!(store.request_outcome(Uuid::from_u128(2)).await.unwrap(), None);
    assert!(store.request_outcome(Uuid::from_u128(4)).await.unwrap().is_some());
}

pub async fn c2_saved_searches_have_names_of_their_own_in_their_integration(backing: &Backing) {
    let store = &backing.store;
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let put = |integration, id, name, document| store.put_saved_search(integration, id, name, document, 2);
    assert!(put("a", one, "n", "1").await.unwrap());
    assert!(!put("a", other, "n", "2").await.unwrap(), "the name is taken");
    assert!(put("b", Uuid::from_u128(3), "n", "3").await.unwrap());
    assert!(put("a", one, "m", "4").await.unwrap());
    assert!(put("a", other, "n", "5").await.unwrap());
    assert!(!put("a", Uuid::from_u128(4), "o", "6").await.unwrap(), "too many");
    let mut found = store.saved_searches("a").await.unwrap();
    found.sort();
    assert_eq!(found, ["4", "5"]);
    assert!(!store.remove_saved_search("b", one).await.unwrap());
    assert!(store.remove_saved_search("a", one).await.unwrap());
    assert_eq!(store.saved_searches("a").await.unwrap(), ["5"]);
}

pub async fn c2_attachments_belong_to_their_alert_and_go_with_it(backing: &Backing) {
    let store = &backing.store;
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let commit = Commit {
        states: vec![(state_of(closed(1)), None), (state(2), None)],
        ..Commit::default()
    };
    store.commit(&claim, &commit).await.unwrap();
    let attachment = Attachment {
        id: 7,
        bytes: 3,
        name: "ä.log".to_owned(),
    };
    let content = "QUJD".repeat(400_000);
    for (alert, expected) in [(1, 7), (1, 8), (2, 7)] {
        let added = store.add_attachment(fingerprint(alert), "a", &attachment, &content);
        assert_eq!(added.await.unwrap(), expected);
    }
    assert_eq!(store.attached_bytes("a").await.unwrap(), 9);
    assert_eq!(store.attached_bytes("b").await.unwrap(), 0);
    let ids = async |alert| -> Vec<i64> {
        let attachments = store.attachments(fingerprint(alert)).await.unwrap();
        attachments.iter().map(|attachment| attachment.id).collect()
    };
    assert_eq!(ids(1).await, [7, 8]);
    let found = store.attachment(fingerprint(2), 7).await.unwrap();
    assert_eq!(found, Some((attachment, content)));
    assert_eq!(store.attachment(fingerprint(2), 8).await.unwrap(), None);
    assert!(store.remove_attachment(fingerprint(1), 7).await.unwrap());
    assert!(!store.remove_attachment(fingerprint(1), 7).await.unwrap());
    assert_eq!(ids(1).await, [8]);
    assert_eq!(store.remove_closed(jiff::Timestamp::MAX, 10).await.unwrap(), 1);
    assert_eq!((ids(1).await.len(), ids(2).await.len()), (0, 1));
}
