//! What the tests of the routes have in common.

use std::collections::BTreeMap;

use axum::Router;
use chassis::session::Access;
use domain::{Input, Site};
use jiff::Timestamp;
use schemas::{DecoratedEvent, Principal};
use store::{Commit, NewRevision, Store};

use crate::Api;

/// The routes, for everyone on this machine.
pub(crate) fn guarded(api: &Api) -> Router {
    Access::new(None, None, "").guard(api.routes())
}

/// Sets these entries of the site.
pub(crate) async fn set_entries(store: &Store, set: &BTreeMap<String, String>) {
    let new = NewRevision {
        expected: store.site().await.unwrap().revision,
        set,
        remove: &[],
        by: &Principal::system(),
        at: Timestamp::UNIX_EPOCH,
        keep: 100,
    };
    store.change_site(&new).await.unwrap();
}

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
