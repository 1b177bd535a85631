//! How many alerts the store takes per second: `cargo run --release -p store --example commit_rate [URL]`.
//!
//! Batches of 500, each alert with a state, a history entry, a ledger row and a message in the outbox, first new
//! alerts, then changes of known ones, each loaded before. Without a URL in a fresh SQLite file.

#![allow(clippy::print_stdout, reason = "it prints what it has measured")]

use std::time::{Duration, Instant};

use domain::AlertState;
use domain::deadlines::{Deadline, DeadlineKind};
use jiff::{SignedDuration, Timestamp};
use schemas::{Fingerprint, HistoryEntry, LedgerEntry, Notification, Topic};
use store::{Commit, DeliveryState, DeliveryUpdate, OutboxMessage, Store, StoreError};

type Failure = Box<dyn std::error::Error>;

const BATCH: u64 = 500;
const BATCHES: u64 = 200;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let file = format!("sqlite://{}/store.sqlite", directory.path().display());
    let url = std::env::args().nth(1).unwrap_or(file);
    let store = Store::open(&url).await?;
    store.migrate().await?;
    let daemon = store.claim("daemon", 0, "commit_rate").await?;
    let notifier = store.claim("notifiers.slack", 0, "commit_rate").await?;

    let mut published = Vec::new();
    let mut meter = Meter::of("new alerts");
    for batch in 0..BATCHES {
        let commit = commit(batch, 1, published)?;
        published = meter
            .measure(store.commit(&daemon, &commit))
            .await?
            .into_iter()
            .collect();
    }
    let mut meter = meter.next("changes of known alerts");
    for batch in 0..BATCHES {
        let commit = commit(batch, 2, published)?;
        meter
            .measure(store.load(&numbers(batch).map(fingerprint).collect::<Vec<_>>()))
            .await?;
        published = meter
            .measure(store.commit(&daemon, &commit))
            .await?
            .into_iter()
            .collect();
    }
    let mut meter = meter.next("open alerts read back, 1,000 at once");
    let mut after = None;
    loop {
        let alerts = meter.measure(store.open_alerts(after, 1000)).await?;
        after = alerts.last().map(|alert| alert.fingerprint);
        if alerts.len() < 1000 {
            break;
        }
    }
    let mut meter = meter.next("deliveries accepted");
    for batch in 0..BATCHES {
        let new: Vec<_> = numbers(batch).map(notification).collect::<Result<_, _>>()?;
        meter
            .measure(store.accept(&notifier, &new, (schemas::Channel::Slack.topic(), batch)))
            .await?;
    }
    let mut meter = meter.next("deliveries sent");
    for batch in 0..BATCHES {
        let updates: Vec<_> = numbers(batch).map(update).collect::<Result<_, _>>()?;
        meter
            .measure(store.update_deliveries(&notifier, &updates, &[], &[]))
            .await?;
    }
    meter.next("");
    println!("resident memory: {} MB", resident()?);
    Ok(())
}

/// Counts the time and the processor's time inside the store.
struct Meter {
    what: &'static str,
    time: Duration,
    processor: Duration,
}

impl Meter {
    fn of(what: &'static str) -> Self {
        Self {
            what,
            time: Duration::ZERO,
            processor: Duration::ZERO,
        }
    }

    async fn measure<T>(&mut self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
        let (begin, processor) = (Instant::now(), processor()?);
        let done = work.await?;
        self.time += begin.elapsed();
        self.processor += self::processor()?.saturating_sub(processor);
        Ok(done)
    }

    fn next(self, what: &'static str) -> Self {
        let number = (BATCH * BATCHES) as f64;
        let (rate, each) = (
            number / self.time.as_secs_f64(),
            self.processor.as_secs_f64() * 1e6 / number,
        );
        println!("{}: {rate:.0}/s, {each:.0} µs of processor time each", self.what);
        Self::of(what)
    }
}

/// Processor time of all threads so far.
fn processor() -> Result<Duration, Failure> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let statistics = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += statistics.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn commit(batch: u64, sequence: u64, published: Vec<i64>) -> Result<Commit, Failure> {
    let mut commit = Commit {
        published,
        positions: [(Topic::ALERTS_DECORATED, batch)].into(),
        ..Commit::default()
    };
    for number in numbers(batch) {
        let state = state(number, sequence)?;
        let due_at = state
            .alert
            .opened_at
            .checked_add(SignedDuration::from_secs(300))?;
        commit.outbox.push(OutboxMessage {
            topic: Topic::ALERTS_CHANGED.name().to_owned(),
            key: state.alert.fingerprint.to_string(),
            value: serde_json::to_string(&state.alert)?,
            headers: vec![("schema-version".to_owned(), "1".to_owned())],
        });
        commit.history.push(history(number, sequence)?);
        commit.ledger.push((state.alert.fingerprint, ledger()?));
        commit.states.push((
            state,
            Some(Deadline {
                due_at,
                kind: DeadlineKind::Step,
                is_silenced: false,
            }),
        ));
    }
    Ok(commit)
}

fn numbers(batch: u64) -> std::ops::Range<u64> {
    batch * BATCH..(batch + 1) * BATCH
}

/// In no order, like hashes.
fn fingerprint(number: u64) -> Fingerprint {
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Fingerprint::from_bytes(mixed.to_be_bytes())
}

fn at(number: u64) -> Result<Timestamp, Failure> {
    Ok(Timestamp::from_millisecond(
        1_750_000_000_000 + i64::try_from(number)?,
    )?)
}

fn state(number: u64, version: u64) -> Result<AlertState, Failure> {
    let at = at(number)?;
    Ok(serde_json::from_value(serde_json::json!({
        "alert": {
            "fingerprint": fingerprint(number), "version": version, "environment": format!("team-{}", number % 20),
            "scenario": "on-call", "integration": "prometheus-production", "monitoring_system": "prometheus",
            "source": "http://prometheus.example.org:9090", "object": format!("web-{number}.example.org"),
            "name": "HighErrorRate", "severity": "critical", "status": "open", "operator_state": "active",
            "output": format!("5xx responses are at {} % for ten minutes, which is more than 5 %", number % 100),
            "labels": {
                "alertname": "HighErrorRate", "instance": format!("web-{number}.example.org:8080"), "job": "web",
                "cluster": "eu-west-1", "namespace": "shop", "pod": format!("web-{number:08x}"), "team": "shop"
            },
            "links": {
                "source": "http://prometheus.example.org:9090/graph?g0.expr=rate",
                "runbook": "https://runbooks.example.org/high-error-rate"
            },
            "channels": ["slack"], "episode": 1, "first_opened_at": at, "opened_at": at, "last_event_at": at,
            "changed_at": at, "total_duration_ms": 0,
            "counts": {
                "opened": 1, "updated": version, "severity_changed": 0, "closed": 0, "acknowledged": 0, "snoozed": 0
            }
        },
        "origin": null, "history_sequence": version,
        "steps": [{ "channel": "slack", "destination": "#on-call", "delay_seconds": 0, "told": true }]
    }))?)
}

fn history(number: u64, sequence: u64) -> Result<HistoryEntry, Failure> {
    Ok(serde_json::from_value(serde_json::json!({
        "fingerprint": fingerprint(number), "sequence": sequence, "at": at(number)?,
        "actor": { "type": "integration", "name": "prometheus-production" },
        "what": { "type": "opened", "severity": "critical", "output": "5xx responses are at 7 %" }
    }))?)
}

fn ledger() -> Result<LedgerEntry, Failure> {
    Ok(serde_json::from_value(serde_json::json!({
        "episode": 1, "channel": "slack", "destination": "#on-call", "state": "opening", "sequence": 1,
        "opened_at": at(0)?, "changed_at": at(0)?
    }))?)
}

fn notification(number: u64) -> Result<Notification, Failure> {
    let id = uuid::Uuid::from_u128(u128::from_be_bytes(*fingerprint(number).as_bytes()));
    Ok(serde_json::from_value(serde_json::json!({
        "notification_id": id, "fingerprint": fingerprint(number), "episode": 1, "sequence": 1, "channel": "slack",
        "destination": "#on-call", "kind": "open", "cause": "opened", "reason": "critical HighErrorRate",
        "alert": state(number, 1)?.alert, "accepted_at": at(number)?, "created_at": at(number)?
    }))?)
}

fn update(number: u64) -> Result<DeliveryUpdate, Failure> {
    let notification = notification(number)?;
    Ok(DeliveryUpdate {
        notification_id: notification.notification_id,
        state: DeliveryState::Failed,
        attempts: 1,
        next_attempt_at: at(number)?,
        reference: None,
    })
}

fn resident() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .ok_or("no VmRSS")?;
    let kilobytes: String = line.chars().filter(char::is_ascii_digit).collect();
    Ok(kilobytes.parse::<u64>()? / 1024)
}
