//! The shell around the heart: what survives a crash, an outage and a rival.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::Site;
use jiff::Timestamp;
use pipeline::log::simulated::SimulatedLog;
use pipeline::log::{Batch, Received};
use pipeline::metrics::Metrics;
use pipeline::{Clock, Context, Stage, StageError};
use schemas::config::{ConfigEntry, Heartbeat, Revision, Scenario, Silence, Step};
use schemas::{
    Action, AlertChanged, AlertEvent, Channel, Command, CommandOutcome, DecoratedEvent, Endpoint, EventKind,
    EventStatus, Fingerprint, HeartbeatRun, HistoryKind, Notification, NotificationKind, Origin, Severity,
    Topic,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Store;
use tokio::sync::watch;
use uuid::Uuid;

use crate::metrics::DaemonMetrics;
use crate::retention::{self, Retention};
use crate::stage::Daemon;

mod heartbeat;
mod receipts;
mod refreshes;
mod restored;
mod unreadable;

/// A log, a store and a site that outlive the daemons that work on them.
struct World {
    log: SimulatedLog,
    store: Store,
    site: watch::Sender<Arc<Site>>,
    clock: Clock,
    offset: u64,
}

impl World {
    async fn new(steps: Vec<Step>) -> Self {
        let mut site = Site::default();
        site.apply("scenario/default", Some(scenario(steps)));
        site.apply(
            "revision/site",
            Some(ConfigEntry::Revision(Revision { revision: 1 })),
        );
        let (site, _) = watch::channel(Arc::new(site));
        let store = Store::in_memory().await.unwrap();
        store.migrate().await.unwrap();
        let log = SimulatedLog::new(1);
        log.take_positions_on_trust();
        Self {
            log,
            store,
            site,
            clock: Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap()),
            offset: 0,
        }
    }

    /// A daemon that has just been given the partition.
    async fn daemon(&self, owner: &str) -> Daemon {
        let mut daemon = self.unassigned(owner);
        daemon.assigned(&[0]).await.unwrap();
        daemon
    }

    fn unassigned(&self, owner: &str) -> Daemon {
        let metrics = Metrics::new();
        let context = Context {
            metrics: metrics.clone(),
            ..Context::new(Arc::new(self.log.clone()), self.clock.clone())
        };
        let metrics = DaemonMetrics::new(&metrics);
        Daemon::new(
            context,
            self.site.subscribe(),
            self.store.clone(),
            metrics,
            owner.to_owned(),
        )
    }

    /// Puts entries into the site, as its next revision.
    fn change_site(&self, entries: impl IntoIterator<Item = ConfigEntry>) {
        let mut site = Site::clone(&self.site.borrow());
        let revision = site.revision.unwrap_or(0) + 1;
        let revision = ConfigEntry::Revision(Revision { revision });
        for entry in entries.into_iter().chain([revision]) {
            site.apply(&entry.key(), Some(entry));
        }
        self.site.send_replace(Arc::new(site));
    }

    /// Removes an entry, as the next revision of the site.
    fn remove_from_site(&self, key: &str) {
        let mut site = Site::clone(&self.site.borrow());
        site.apply(key, None);
        self.site.send_replace(Arc::new(site));
        self.change_site([]);
    }

    /// A silence for alerts of this name that has begun and ends so many seconds from now.
    fn silence(&self, name: &str, seconds: i64) -> ConfigEntry {
        let now = self.clock.now();
        ConfigEntry::Silence(Silence {
            id: Uuid::from_u128(1),
            matchers: vec![domain::matcher::parse(&format!("alertname={name}")).unwrap()],
            starts_at: now - Duration::from_secs(1),
            ends_at: now + jiff::SignedDuration::from_secs(seconds),
            created_by: "Jane".to_owned(),
            comment: "new disks".to_owned(),
            updated_at: now,
        })
    }

    fn event(&mut self, name: &str, status: EventStatus) -> Batch {
        self.offset += 1;
        let event = decorated(name, status, self.offset, self.clock.now());
        batch(Topic::ALERTS_DECORATED, self.offset, &event)
    }

    fn published<T: DeserializeOwned>(&self, topic: Topic) -> Vec<T> {
        let records = self.log.records(topic);
        records
            .iter()
            .map(|record| serde_json::from_slice(record.value.as_deref().unwrap()).unwrap())
            .collect()
    }

    async fn history(&self, name: &str) -> Vec<HistoryKind> {
        let page = self
            .store
            .history(domain::fingerprint([name]), 100, None)
            .await
            .unwrap();
        page.rows.iter().rev().map(|entry| entry.kind()).collect()
    }
}

fn decorated(name: &str, status: EventStatus, offset: u64, now: Timestamp) -> DecoratedEvent {
    DecoratedEvent {
        event: AlertEvent {
            event_id: Uuid::from_u128(offset.into()),
            fingerprint: domain::fingerprint([name]),
            accepted_at: now,
            occurred_at: None,
            expires_at: None,
            outcome_wanted: false,
            key: None,
            kind: status.into(),
            severity: Severity::Critical,
            integration: "default".to_owned(),
            monitoring_system: "api".to_owned(),
            source: "test".to_owned(),
            service: None,
            object: "host-1".to_owned(),
            name: name.to_owned(),
            output: "99 %".to_owned(),
            labels: [].into(),
            annotations: [].into(),
            links: [].into(),
            environment: None,
            scenario: None,
        },
        origin: Origin { partition: 0, offset },
        spooled: false,
        rules: Vec::new(),
        environment: "default".to_owned(),
        scenario: "default".to_owned(),
    }
}

/// The state of an alert that has just opened.
pub(crate) fn open_state(name: &str) -> domain::AlertState {
    let now = "2026-09-01T10:00:00Z".parse().unwrap();
    let event = decorated(name, EventStatus::Firing, 1, now);
    let outcome = domain::transition(None, domain::Input::Event(&event), now, &Site::default());
    outcome.state.unwrap()
}

fn batch(topic: Topic, offset: u64, message: &impl Serialize) -> Batch {
    raw_batch(topic, offset, &serde_json::to_vec(message).unwrap())
}

fn raw_batch(topic: Topic, offset: u64, value: &[u8]) -> Batch {
    let record = Received {
        offset,
        key: "key".to_owned(),
        value: Some(Bytes::copy_from_slice(value)),
        headers: vec![(
            "traceparent".to_owned(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        )],
    };
    Batch {
        topic,
        partition: 0,
        records: vec![record],
    }
}

fn content(batch: &Batch) -> DecoratedEvent {
    serde_json::from_slice(batch.records[0].value.as_deref().unwrap()).unwrap()
}

fn scenario(steps: Vec<Step>) -> ConfigEntry {
    ConfigEntry::Scenario(Scenario {
        name: "default".to_owned(),
        description: String::new(),
        number: None,
        steps,
    })
}

fn step(delay_seconds: u64) -> Step {
    Step {
        id: "first".to_owned(),
        targets: vec![Endpoint {
            channel: Channel::Webhook,
            destination: "https://example.org".to_owned(),
            bot: None,
        }],
        delay_seconds,
        window: None,
        minimum_severity: Severity::Information,
    }
}

fn command(fingerprint: Fingerprint, requested_at: Timestamp) -> Command {
    Command {
        command_id: Uuid::from_u128(7),
        idempotency_key: "key".to_owned(),
        fingerprint,
        author: "ann".to_owned(),
        requested_by: schemas::Principal::token("shared"),
        requested_at,
        action: Action::Acknowledge { comment: None },
    }
}

#[tokio::test]
async fn what_was_committed_and_not_published_is_published_by_the_next_owner() {
    let mut world = World::new(vec![step(0)]).await;
    let mut first = world.daemon("first").await;
    let event = world.event("disk", EventStatus::Firing);
    world.log.set_available(false);
    let error = first.process(&event).await.unwrap_err();
    assert!(
        matches!(
            error,
            StageError::Unavailable {
                dependency: "log",
                ..
            }
        ),
        "{error}"
    );
    drop(first);

    world.log.set_available(true);
    let mut second = world.daemon("second").await;
    let told: Vec<Notification> = world.published(Channel::Webhook.topic());
    assert_eq!(told.len(), 1);
    // The first could not say that the batch was done, so it comes again.
    second.process(&event).await.unwrap();
    assert_eq!(
        world.history("disk").await,
        [HistoryKind::Opened, HistoryKind::Notifying]
    );
    assert_eq!(world.published::<AlertChanged>(Topic::ALERTS_CHANGED).len(), 1);
    assert_eq!(world.published::<Notification>(Channel::Webhook.topic()).len(), 1);
}

#[tokio::test]
async fn who_has_lost_the_partition_cannot_commit() {
    let mut world = World::new(vec![]).await;
    let mut slow = world.daemon("slow").await;
    let mut rival = world.daemon("rival").await;
    let event = world.event("disk", EventStatus::Firing);
    let error = slow.process(&event).await.unwrap_err();
    assert!(matches!(error, StageError::Fenced(0)), "{error}");
    assert!(world.history("disk").await.is_empty());
    rival.process(&event).await.unwrap();
    assert_eq!(world.history("disk").await, [HistoryKind::Opened]);
}

#[tokio::test]
async fn the_trace_of_an_event_goes_on_to_its_notification() {
    let mut world = World::new(vec![step(0)]).await;
    let mut daemon = world.daemon("one").await;
    daemon
        .process(&world.event("disk", EventStatus::Firing))
        .await
        .unwrap();
    let notification = &world.log.records(Channel::Webhook.topic())[0];
    assert!(
        notification
            .header("traceparent")
            .unwrap()
            .contains("4bf92f3577b34da6a3ce929d0e0e4736")
    );
    assert_eq!(notification.key, "https://example.org");
}

#[tokio::test]
async fn a_poison_message_becomes_a_dead_letter_and_the_partition_goes_on() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("one").await;
    daemon
        .process(&raw_batch(Topic::ALERTS_DECORATED, 0, b"{}"))
        .await
        .unwrap();
    let kept: Vec<schemas::rejection::DeadLetter> = world.published(Topic::ALERTS_DECORATED_DLQ);
    assert!(kept[0].error.contains("missing field"), "{kept:?}");
    daemon
        .process(&world.event("disk", EventStatus::Firing))
        .await
        .unwrap();
    assert_eq!(world.history("disk").await, [HistoryKind::Opened]);
}

#[tokio::test]
async fn a_command_is_answered_even_if_it_changes_nothing() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("one").await;
    daemon
        .process(&world.event("disk", EventStatus::Firing))
        .await
        .unwrap();
    let fingerprint = domain::fingerprint(["disk"]);
    let acknowledge = command(fingerprint, world.clock.now());
    daemon
        .process(&batch(Topic::ALERTS_COMMANDS, 0, &acknowledge))
        .await
        .unwrap();
    daemon
        .process(&batch(Topic::ALERTS_COMMANDS, 1, &acknowledge))
        .await
        .unwrap();
    let stranger = command(domain::fingerprint(["other"]), world.clock.now());
    daemon
        .process(&batch(Topic::ALERTS_COMMANDS, 2, &stranger))
        .await
        .unwrap();
    let changes: Vec<AlertChanged> = world.published(Topic::ALERTS_CHANGED);
    let answers: Vec<_> = changes
        .iter()
        .flat_map(|change| &change.answers)
        .map(|answer| answer.outcome)
        .collect();
    assert_eq!(
        answers,
        [
            CommandOutcome::Applied,
            CommandOutcome::Applied,
            CommandOutcome::Unknown
        ]
    );
    assert!(changes[3].alert.is_none());
}

#[tokio::test]
async fn a_deadline_fires_at_its_time_after_a_restart() {
    let mut world = World::new(vec![step(300)]).await;
    let mut first = world.daemon("first").await;
    first
        .process(&world.event("disk", EventStatus::Firing))
        .await
        .unwrap();
    drop(first);
    let mut second = world.daemon("second").await;
    second.wake().await.unwrap();
    let due = second.wake_at().unwrap();
    assert!(due > world.clock.now());
    assert!(
        world
            .published::<Notification>(Channel::Webhook.topic())
            .is_empty(),
        "not before its time"
    );

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(301)).await;
    tokio::time::resume();
    second.wake().await.unwrap();
    let told: Vec<Notification> = world.published(Channel::Webhook.topic());
    assert_eq!(
        told.iter().map(|n| n.kind).collect::<Vec<_>>(),
        [NotificationKind::Open]
    );
    assert!(second.wake_at() > Some(world.clock.now() + Duration::from_secs(86_400)));
}

#[tokio::test]
async fn whether_a_source_is_silent_is_asked_on_the_way_of_the_events_and_survives_a_restart() {
    let mut world = World::new(vec![]).await;
    let mut first = world.daemon("first").await;
    let mut firing: DecoratedEvent = content(&world.event("disk", EventStatus::Firing));
    firing.event.expires_at = Some(world.clock.now() + Duration::from_secs(240));
    first
        .process(&batch(Topic::ALERTS_DECORATED, world.offset, &firing))
        .await
        .unwrap();
    drop(first);

    let mut second = world.daemon("second").await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(300)).await;
    tokio::time::resume();
    second.wake().await.unwrap();
    let questions: Vec<AlertEvent> = world.published(Topic::ALERTS_COLLECTED);
    assert_eq!(questions.len(), 1);
    let probe = EventKind::Probe {
        silent_since: firing.event.accepted_at,
    };
    assert_eq!(questions[0].kind, probe);
    assert_eq!(
        world.log.records(Topic::ALERTS_COLLECTED)[0].key,
        questions[0].fingerprint.to_string()
    );
    assert_eq!(world.history("disk").await, [HistoryKind::Opened]);
    drop(second);

    let mut third = world.daemon("third").await;
    firing.event = questions[0].clone();
    firing.origin.offset += 1;
    third
        .process(&batch(Topic::ALERTS_DECORATED, world.offset + 1, &firing))
        .await
        .unwrap();
    assert_eq!(
        world.history("disk").await,
        [HistoryKind::Opened, HistoryKind::Closed]
    );
}

#[tokio::test]
async fn c2_what_a_request_did_not_change_is_on_record_for_who_may_ask() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("first").await;
    for (outcome_wanted, name, expected) in
        [(true, "nothing", Some("nothing_open")), (false, "nothing", None)]
    {
        let mut close: DecoratedEvent = content(&world.event(name, EventStatus::Resolved));
        close.event.outcome_wanted = outcome_wanted;
        close.event.event_id = uuid::Uuid::now_v7();
        let batch = batch(Topic::ALERTS_DECORATED, world.offset, &close);
        daemon.process(&batch).await.unwrap();
        let outcome = world.store.request_outcome(close.event.event_id).await.unwrap();
        assert_eq!(outcome.map(|outcome| outcome.outcome).as_deref(), expected);
    }
}

#[tokio::test]
async fn calls_of_a_heartbeat_that_stop_are_missed_once_whichever_daemon_dies_meanwhile() {
    let mut world = World::new(vec![step(0)]).await;
    world.change_site([ConfigEntry::Heartbeat(Heartbeat {
        name: "nightly".to_owned(),
        integration: "default".to_owned(),
        period_seconds: 240,
        grace_seconds: 0,
        severity: Severity::Critical,
        labels: [].into(),
        alert: None,
        by_client: None,
    })]);
    let mut call: DecoratedEvent = content(&world.event("missed", EventStatus::Resolved));
    call.event.expires_at = Some(world.clock.now() + Duration::from_secs(240));
    call.event.kind = EventKind::HeartbeatCall {
        heartbeat: "nightly".to_owned(),
        run: HeartbeatRun::Succeeded,
    };
    let called = batch(Topic::ALERTS_DECORATED, world.offset, &call);
    world.daemon("first").await.process(&called).await.unwrap();
    assert!(world.published::<AlertChanged>(Topic::ALERTS_CHANGED).is_empty());

    let mut second = world.daemon("second").await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(300)).await;
    tokio::time::resume();
    second.wake().await.unwrap();
    drop(second);
    let questions: Vec<AlertEvent> = world.published(Topic::ALERTS_COLLECTED);
    assert_eq!(questions.len(), 1);
    assert!(world.history("missed").await.is_empty());

    call.event = questions[0].clone();
    call.origin.offset += 1;
    let answer = batch(Topic::ALERTS_DECORATED, world.offset + 1, &call);
    world.daemon("third").await.process(&answer).await.unwrap();
    // It comes again, to a daemon that does not know that it was read.
    call.origin.offset += 1;
    let again = batch(Topic::ALERTS_DECORATED, world.offset + 2, &call);
    world.daemon("fourth").await.process(&again).await.unwrap();
    assert_eq!(
        world.history("missed").await,
        [HistoryKind::Opened, HistoryKind::Notifying]
    );
    // A daemon that takes over publishes once more what nobody marked as published; the id is the same.
    let told: Vec<Notification> = world.published(Channel::Webhook.topic());
    let ids: BTreeSet<_> = told
        .iter()
        .map(|notification| notification.notification_id)
        .collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn nothing_is_decided_before_the_site_is_known() {
    let world = World::new(vec![]).await;
    world.site.send_replace(Arc::new(Site::default()));
    let error = world.unassigned("early").assigned(&[0]).await.unwrap_err();
    assert!(
        matches!(
            error,
            StageError::Unavailable {
                dependency: "configuration",
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn many_events_of_one_batch_are_one_transaction_and_one_change() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("one").await;
    let mut whole = world.event("disk", EventStatus::Firing);
    for status in [EventStatus::Resolved, EventStatus::Firing, EventStatus::Firing] {
        whole.records.extend(world.event("disk", status).records);
    }
    daemon.process(&whole).await.unwrap();
    let changes: Vec<AlertChanged> = world.published(Topic::ALERTS_CHANGED);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].alert.as_ref().unwrap().version, 3);
    let kinds = [HistoryKind::Opened, HistoryKind::Closed, HistoryKind::Reopened];
    assert_eq!(world.history("disk").await, kinds);
}

#[tokio::test(start_paused = true)]
async fn history_is_forgotten_long_after_the_alert_has_closed_and_not_before() {
    let mut world = World::new(Vec::new()).await;
    let mut daemon = world.daemon("one").await;
    let firing = world.event("disk", EventStatus::Firing);
    daemon.process(&firing).await.unwrap();
    let resolved = world.event("disk", EventStatus::Resolved);
    daemon.process(&resolved).await.unwrap();
    let fingerprint = domain::fingerprint(["disk"]);
    let lines = async || {
        world
            .store
            .history(fingerprint, 100, None)
            .await
            .unwrap()
            .rows
            .len()
    };
    let kept = lines().await;
    assert!(kept >= 2);

    let after = |days: i64| world.clock.now() + jiff::SignedDuration::from_hours(days * 24);
    let retention = Retention::of_days(None, Some(30), Some(60));
    let mut pruning = retention::Pruning::new(world.store.clone(), retention);
    assert!(!pruning.step(after(29)).await.unwrap());
    assert_eq!(lines().await, kept);
    assert!(pruning.step(after(31)).await.unwrap());
    assert_eq!(lines().await, 0);
    assert!(world.store.alert(fingerprint).await.unwrap().is_some());
    assert!(pruning.step(after(61)).await.unwrap());
    assert!(world.store.alert(fingerprint).await.unwrap().is_none());
    assert!(!pruning.step(after(61)).await.unwrap());
}

#[tokio::test]
async fn whom_a_silence_held_back_is_told_when_it_is_ended_early() {
    let mut world = World::new(vec![step(0)]).await;
    let mut daemon = world.daemon("one").await;
    daemon.wake().await.unwrap();
    world.change_site([world.silence("disk", 3600)]);
    for name in ["disk", "cpu"] {
        let event = world.event(name, EventStatus::Firing);
        daemon.process(&event).await.unwrap();
    }
    daemon.wake().await.unwrap();
    let told = |world: &World| -> Vec<String> {
        let told: Vec<Notification> = world.published(Channel::Webhook.topic());
        told.into_iter().map(|told| told.alert.name).collect()
    };
    assert_eq!(told(&world), ["cpu"]);
    assert_eq!(
        world.history("disk").await,
        [HistoryKind::Opened, HistoryKind::HeldBack]
    );
    assert!(daemon.wake_at().unwrap() > world.clock.now());

    world.change_site([world.silence("disk", 0)]);
    assert!(
        daemon.wake_at().unwrap() < world.clock.now(),
        "it is looked at now"
    );
    daemon.wake().await.unwrap();
    assert_eq!(told(&world), ["cpu", "disk"]);
    assert!(daemon.wake_at().unwrap() > world.clock.now(), "and then no more");
}

#[tokio::test]
async fn a_silence_that_was_ended_while_no_daemon_ran_holds_nobody_back() {
    let mut world = World::new(vec![step(0)]).await;
    let mut first = world.daemon("first").await;
    world.change_site([world.silence("disk", 3600)]);
    first
        .process(&world.event("disk", EventStatus::Firing))
        .await
        .unwrap();
    first.wake().await.unwrap();
    drop(first);

    world.change_site([world.silence("disk", 0)]);
    let mut second = world.daemon("second").await;
    second.wake().await.unwrap();
    let told: Vec<Notification> = world.published(Channel::Webhook.topic());
    assert_eq!(told.len(), 1);
}

#[tokio::test]
async fn more_alerts_than_are_looked_at_at_once_are_all_told_and_the_others_are_not_written() {
    let mut world = World::new(vec![step(0)]).await;
    let mut daemon = world.daemon("one").await;
    world.change_site([world.silence("disk", 3600)]);
    let mut batch = world.event("disk", EventStatus::Firing);
    let first = content(&batch);
    for number in 1..1200_u32 {
        let mut event = first.clone();
        event.event.fingerprint = domain::fingerprint(["disk", &number.to_string()]);
        if number.is_multiple_of(2) {
            // Not silenced, but with a deadline of its own.
            event.event.name = "cpu".to_owned();
            event.event.expires_at = Some(world.clock.now() + Duration::from_secs(7200));
        }
        batch.records.push(
            raw_batch(
                Topic::ALERTS_DECORATED,
                u64::from(number) + 1,
                &serde_json::to_vec(&event).unwrap(),
            )
            .records
            .remove(0),
        );
    }
    daemon.process(&batch).await.unwrap();
    let changes = world.log.records(Topic::ALERTS_CHANGED).len();
    world.change_site([world.silence("disk", 0)]);
    while daemon.wake_at().is_some_and(|at| at <= world.clock.now()) {
        daemon.wake().await.unwrap();
    }
    let told: Vec<Notification> = world.published(Channel::Webhook.topic());
    assert_eq!(told.len(), 1200);
    assert_eq!(world.log.records(Topic::ALERTS_CHANGED).len(), changes + 601);
}

#[tokio::test]
async fn a_change_of_silences_evaluates_only_the_alerts_that_it_held_back() {
    let mut world = World::new(vec![step(0)]).await;
    let mut daemon = world.daemon("one").await;
    daemon.wake().await.unwrap();
    world.change_site([world.silence("disk", 3600)]);
    let expiring = [("cpu", true), ("fan", true), ("disk", true), ("ram", false)];
    for (name, expires) in expiring {
        let mut event = content(&world.event(name, EventStatus::Firing));
        let in_an_hour = world.clock.now() + Duration::from_secs(1800);
        event.event.expires_at = expires.then_some(in_an_hour);
        let batch = batch(Topic::ALERTS_DECORATED, world.offset, &event);
        daemon.process(&batch).await.unwrap();
    }
    let before = daemon.metrics().reevaluated.get();
    world.change_site([world.silence("disk", 7200)]);
    daemon.wake().await.unwrap();
    assert_eq!(daemon.metrics().reevaluated.get() - before, 0, "it lasts longer");
    let cpu = world.silence("cpu", 3600);
    world.change_site([cpu]);
    daemon.wake().await.unwrap();
    assert_eq!(
        daemon.metrics().reevaluated.get() - before,
        1,
        "only what it no longer concerns"
    );
    let told: Vec<Notification> = world.published(Channel::Webhook.topic());
    let told: Vec<_> = told.into_iter().map(|told| told.alert.name).collect();
    assert_eq!(told, ["cpu", "fan", "ram", "disk"]);
    world.change_site([world.silence("cpu", 0)]);
    daemon.wake().await.unwrap();
    assert_eq!(
        daemon.metrics().reevaluated.get() - before,
        1,
        "whose people were notified before it began is not held back"
    );
}

#[tokio::test]
async fn a_silence_that_goes_before_the_daemon_has_looked_at_its_coming_holds_nothing_back() {
    let mut world = World::new(vec![step(0)]).await;
    let mut daemon = world.daemon("one").await;
    daemon.wake().await.unwrap();
    world.change_site([world.silence("disk", 3600)]);
    let event = world.event("disk", EventStatus::Firing);
    daemon.process(&event).await.unwrap();
    world.change_site([world.silence("disk", 0)]);
    daemon.wake().await.unwrap();
    let told: Vec<Notification> = world.published(Channel::Webhook.topic());
    assert_eq!(told.len(), 1);
}

#[tokio::test]
async fn an_open_alert_whose_heartbeat_is_removed_is_ended_with_a_line_that_says_so() {
    let mut world = World::new(vec![step(0)]).await;
    let mut daemon = world.daemon("one").await;
    let declared = |name: &str| {
        ConfigEntry::Heartbeat(Heartbeat {
            name: name.to_owned(),
            integration: "default".to_owned(),
            period_seconds: 300,
            grace_seconds: 0,
            severity: Severity::Critical,
            labels: [].into(),
            alert: None,
            by_client: None,
        })
    };
    world.change_site(["nightly", "hourly"].map(declared));
    daemon.wake().await.unwrap();
    for name in ["nightly", "hourly"] {
        let mut failed = content(&world.event(name, EventStatus::Firing));
        failed.event.fingerprint = domain::identity::of_heartbeat("default", name);
        failed.event.kind = EventKind::HeartbeatCall {
            heartbeat: name.to_owned(),
            run: HeartbeatRun::Failed,
        };
        failed.event.monitoring_system = "heartbeat".to_owned();
        failed.event.integration = "default".to_owned();
        failed.event.object = name.to_owned();
        let batch = batch(Topic::ALERTS_DECORATED, world.offset, &failed);
        daemon.process(&batch).await.unwrap();
    }
    let open = async |world: &World| -> Vec<String> {
        let open = world.store.open_alerts(None, 10).await.unwrap();
        open.into_iter().map(|alert| alert.object).collect()
    };
    assert_eq!(open(&world).await.len(), 2);
    assert!(daemon.wake_at().unwrap() > world.clock.now());

    world.remove_from_site("heartbeat/nightly");
    daemon.wake().await.unwrap();
    assert_eq!(open(&world).await, ["hourly"]);
    let fingerprint = domain::identity::of_heartbeat("default", "nightly");
    let page = world.store.history(fingerprint, 10, None).await.unwrap();
    assert_eq!(page.rows[0].kind(), HistoryKind::Closed);
    let said = domain::words::message(&page.rows[0].happening);
    assert!(said.contains("nightly was removed from the site"), "{said}");
    let told: Vec<Notification> = world.published(Channel::Webhook.topic());
    assert_eq!(told.last().unwrap().kind, NotificationKind::Close);
    assert!(daemon.wake_at().unwrap() > world.clock.now(), "and then no more");
}

#[tokio::test]
async fn a_poison_message_becomes_a_dead_letter_once_however_often_its_batch_comes() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("one").await;
    let mut batch = raw_batch(Topic::ALERTS_DECORATED, 0, b"{}");
    let event = world.event("disk", EventStatus::Firing);
    batch.records.extend(event.records);
    batch.records[1].offset = 1;
    // Somebody else has claimed the partition, so the commit fails.
    world.store.claim("daemon", 0, "other").await.unwrap();
    daemon.process(&batch).await.unwrap_err();
    daemon.process(&batch).await.unwrap();
    let kept: Vec<schemas::rejection::DeadLetter> = world.published(Topic::ALERTS_DECORATED_DLQ);
    assert_eq!(kept.len(), 1);
    assert_eq!(world.history("disk").await, [HistoryKind::Opened]);
}

#[tokio::test]
async fn whom_a_scenario_did_not_name_is_told_once_it_does() {
    let mut world = World::new(vec![]).await;
    let mut daemon = world.daemon("one").await;
    daemon.wake().await.unwrap();
    let event = world.event("disk", EventStatus::Firing);
    daemon.process(&event).await.unwrap();
    world.change_site([scenario(vec![step(0)])]);
    assert!(daemon.wake_at().unwrap() < world.clock.now());
    daemon.wake().await.unwrap();
    let told: Vec<Notification> = world.published(Channel::Webhook.topic());
    assert_eq!(told.len(), 1);
    assert!(daemon.wake_at().unwrap() > world.clock.now(), "and then no more");
}
