//! What the tests of the routes have in common.

use domain::{Input, Site};
use jiff::Timestamp;
use schemas::DecoratedEvent;
use store::{Commit, Store};

/// A store in memory, with the alerts that these events open.
pub(crate) async fn store_with(events: &[DecoratedEvent], site: &Site, now: Timestamp) -> Store {
    let store = Store::in_memory().await.unwrap();
    store.migrate().await.unwrap();
    let opened = |event| {
        (
            domain::transition(None, Input::Event(event), now, site)
                .state
                .unwrap(),
            None,
        )
    };
    let claim = store.claim("daemon", 0, "test").await.unwrap();
    let commit = Commit {
        states: events.iter().map(opened).collect(),
        ..Commit::default()
    };
    store.commit(&claim, &commit).await.unwrap();
    store
}
