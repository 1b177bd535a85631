//! How long a page of a list takes, at the beginning and at the end: `cargo run -p store --example listing [URL]`.
//!
//! 100,000 open alerts in eight environments, in pages of 1,000 of one environment, then 200,000 closed ones of which
//! none meets the condition. Without a URL in a fresh SQLite file.

// The document of an alert is one large literal.
#![recursion_limit = "256"]
#![allow(clippy::print_stdout, reason = "it prints what it has measured")]

use std::time::{Duration, Instant};

use domain::AlertState;
use jiff::{SignedDuration, Timestamp};
use schemas::live::Filter;
use schemas::{Fingerprint, Severity};
use store::{AlertQuery, Commit, StatusWanted, Store, StoreError};

type Failure = Box<dyn std::error::Error>;

const OPEN: u64 = 100_000;
const CLOSED: u64 = 200_000;
const BATCH: u64 = 500;
const ENVIRONMENTS: u64 = 8;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let file = format!("sqlite://{}/store.sqlite", directory.path().display());
    let url = std::env::args().nth(1).unwrap_or(file);
    let store = Store::open(&url).await?;
    store.migrate().await?;
    let claim = store.claim("daemon", 0, "listing").await?;
    for batch in 0..(OPEN + CLOSED) / BATCH {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        let states: Result<Vec<_>, Failure> = numbers.map(|number| Ok((state(number)?, None))).collect();
        let commit = Commit {
            states: states?,
            ..Commit::default()
        };
        store.commit(&claim, &commit).await?;
    }
    let environment = Filter {
        environments: vec!["environment-3".to_owned()],
        ..Filter::default()
    };
    let down = Filter {
        severities: vec![Severity::Down],
        ..Filter::default()
    };
    let all = Filter::default();
    measure(&store, "open, one environment", StatusWanted::Open, environment).await?;
    measure(&store, "open, all", StatusWanted::Open, all.clone()).await?;
    measure(&store, "closed, severity down", StatusWanted::Closed, down).await?;
    measure(&store, "closed, all", StatusWanted::Closed, all).await?;
    let begun = Instant::now();
    let (mut after, mut pages, mut slowest) = (None, 0, Duration::ZERO);
    loop {
        let begun = Instant::now();
        let alerts = store.open_alerts(after, 1000).await?;
        slowest = slowest.max(begun.elapsed());
        after = alerts.last().map(|alert| alert.fingerprint);
        pages += 1;
        if after.is_none() {
            break;
        }
    }
    let total = begun.elapsed();
    println!("open, for a rebuild of the view: {pages} pages in {total:.1?}, the slowest in {slowest:.1?}");
    Ok(())
}

async fn measure(store: &Store, what: &str, status: StatusWanted, filter: Filter) -> Result<(), StoreError> {
    let mut query = AlertQuery {
        status,
        filter,
        limit: 1000,
        cursor: None,
    };
    let (mut times, mut alerts) = (Vec::new(), 0);
    loop {
        let begun = Instant::now();
        let page = store.alerts(&query).await?;
        times.push(begun.elapsed());
        alerts += page.rows.len();
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    let slowest = times.iter().max().copied().unwrap_or_default();
    println!(
        "{what}: {alerts} alerts in {} pages; the first in {first:.1?}, the last in {last:.1?}, the slowest in {slowest:.1?}",
        times.len()
    );
    Ok(())
}

/// The state of an alert, of some two kilobytes.
fn state(number: u64) -> Result<AlertState, Failure> {
    let opened_at =
        Timestamp::from_second(1_750_000_000)? + SignedDuration::from_millis(i64::try_from(number)?);
    let closed_at = (number >= OPEN).then_some(opened_at + SignedDuration::from_secs(60));
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let document = serde_json::json!({
        "alert": {
            "fingerprint": Fingerprint::from_bytes(mixed.to_be_bytes()), "version": 1,
            "environment": format!("environment-{}", number % ENVIRONMENTS), "scenario": "on-call",
            "integration": "prometheus", "monitoring_system": "prometheus", "source": "http://prometheus:9090",
            "service": null, "object": format!("db-{number}"), "name": "DiskFull", "severity": "critical",
            "status": if closed_at.is_some() { "closed" } else { "open" }, "badge": null,
            "operator_state": "active", "output": "97 % full ".repeat(150), "previous_output": null,
            "labels": {"team": "pay"}, "annotations": {}, "links": {}, "acknowledgement": null, "snooze": null, "handling": null,
            "assignment": null, "amended": null, "comment": null, "channels": [], "episode": 1,
            "first_opened_at": opened_at, "opened_at": opened_at, "last_event_at": opened_at,
            "changed_at": opened_at, "began_at": null, "closed_at": closed_at, "total_duration_ms": 0,
            "counts": {"opened": 1, "updated": 0, "severity_changed": 0, "closed": 0, "acknowledged": 0, "snoozed": 0}
        },
        "origin": null,
        "history_sequence": 1
    });
    Ok(serde_json::from_value(document)?)
}
