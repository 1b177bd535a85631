//! How much memory one sender can make the process take.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tests::World;
use tests::site::keys;

const BODIES: usize = 36;
const ALERTS_PER_BODY: usize = 38;
const TEXT_BYTES: usize = 200_000;
/// Together 274 MB of text.
const ALERTS: usize = BODIES * ALERTS_PER_BODY;
/// How much memory the process may take, at any time.
const MEMORY_BYTES_MAX: u64 = 400_000_000;
/// A debug build on a busy machine takes a while.
const LATER: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn s7_text_of_one_key_never_takes_the_process_over_its_bound() -> Result<()> {
    let _turn = tests::alone().await;
    let mut world = World::on_up("memory").await?;
    let console = world.console().await?;
    let begun = world.stage("up")?.peak_memory_bytes()?;
    // All at once; who is told to come again does.
    let refused = try_join_all((0..BODIES).map(|body| post(&world, body))).await?;
    console
        .wait_until("all alerts", LATER, |screen| screen.alerts.len() == ALERTS)
        .await?;
    let longest = console.read(|screen| screen.alerts.values().map(|alert| alert.output.len()).max());
    ensure!(
        longest.is_some_and(|longest| longest < 10_000),
        "the console has {longest:?} bytes of one text"
    );
    let alert = console.read(|screen| screen.alerts.values().next().cloned());
    if let Some(alert) = alert {
        let kept = world.client.alert(alert.fingerprint).await?.output;
        ensure!(
            kept.len() > 15_000 && kept.ends_with("bytes of the text left out]"),
            "the database has {} bytes of it, which end in {:?}",
            kept.len(),
            kept.get(kept.len().saturating_sub(60)..)
        );
    }
    let peak = world.stage("up")?.peak_memory_bytes()?;
    tests::say(&format!(
        "{ALERTS} alerts with {TEXT_BYTES} bytes of text each: {begun} bytes of memory before, at most {peak} then; \
         {} bodies came again",
        refused.into_iter().sum::<usize>()
    ));
    ensure!(
        peak < MEMORY_BYTES_MAX,
        "the process took {peak} bytes, and {MEMORY_BYTES_MAX} are allowed"
    );
    world.all_alive()
}

async fn post(world: &World, body: usize) -> Result<usize> {
    let alert = |number: usize| -> Value {
        json!({
            "alert_name": format!("large {body} {number}"), "alert_severity": "critical", "source": "monitor",
            "object": "host", "notification_output": "x".repeat(TEXT_BYTES),
        })
    };
    let alerts: Value = (0..ALERTS_PER_BODY).map(alert).collect();
    world.client.ingest_until_taken("api", keys::API, &alerts).await
}
