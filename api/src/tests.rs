//! What the tests of the routes have in common.

use std::collections::BTreeMap;

use axum::Router;
use chassis::session::Access;
use domain::{Input, Site};
use jiff::Timestamp;
use schemas::{AlertEvent, DecoratedEvent, EventKind, Origin, Principal, Severity};
use store::{Commit, NewRevision, Store};
use uuid::Uuid;

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

/// An alert of Prometheus that has just opened.
pub(crate) fn event(name: &str) -> DecoratedEvent {
    DecoratedEvent {
        event: AlertEvent {
            event_id: Uuid::from_u128(1),
            fingerprint: domain::fingerprint([name]),
            accepted_at: "2026-09-01T09:59:00Z".parse().unwrap(),
            occurred_at: Some("2026-09-01T09:58:00Z".parse().unwrap()),
            expires_at: None,
            outcome_wanted: false,
            key: None,
            kind: EventKind::Firing { acknowledged: false },
            severity: Severity::Critical,
            integration: "main".to_owned(),
            monitoring_system: "prometheus".to_owned(),
            source: "prom:9090".to_owned(),
            service: None,
            object: "web-1".to_owned(),
            name: name.to_owned(),
            output: "99 %\nof /var".to_owned(),
            labels: [("team".to_owned(), "pay".to_owned())].into(),
            annotations: [
                ("summary".to_owned(), "/var is full".to_owned()),
                ("impact".to_owned(), " orders\nare lost ".to_owned()),
            ]
            .into(),
            links: [
                ("Prometheus Graph".to_owned(), "http://prom:9090/graph".to_owned()),
                ("Runbook URL".to_owned(), "https://run.example.org".to_owned()),
            ]
            .into(),
            environment: None,
            scenario: None,
        },
        origin: Origin {
            partition: 0,
            offset: 1,
        },
        spooled: false,
        rules: Vec::new(),
        environment: "production".to_owned(),
        scenario: "everybody".to_owned(),
    }
}
