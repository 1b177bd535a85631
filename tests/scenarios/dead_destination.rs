//! What a destination that accepts no connection costs the others, and the process.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::World;
use tests::mocks::WebhookReceiver;
use tests::site::{ENVIRONMENT, keys};
use tests::waiting::until;

/// More than the notifiers hold of a channel in memory.
const ALERTS: usize = 56_000;
const ALERTS_PER_BODY: usize = 1_000;
const BODIES_AT_ONCE: usize = 4;
/// How much memory the process may take, at any time.
const MEMORY_BYTES_MAX: u64 = 400_000_000;
/// The integration whose alerts are for the dead destination.
const KEY: &str = "key-of-api-dead-destination";
const CHANNEL: &str = "channel=\"webhook\"";
/// A debug build on a busy machine takes a while until it has decided all of them.
const DECIDED: Duration = Duration::from_secs(240);
/// A few seconds, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// A destination that fails is probed once a minute.
const PROBED: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_dead_destination_fills_no_memory_and_holds_up_no_other() -> Result<()> {
    let _turn = tests::alone().await;
    let mut world = World::on_up("dead_destination").await?;
    let mut dead = WebhookReceiver::start().await?;
    dead.listener.go_away().await;
    let address = dead.listener.address().to_string();
    declare(&world, &dead.url("hook")).await?;

    let begun = Instant::now();
    stream::iter((0..ALERTS).step_by(ALERTS_PER_BODY))
        .map(|first| post(&world, first))
        .buffer_unordered(BODIES_AT_ONCE)
        .try_collect::<()>()
        .await?;
    let accepted = begun.elapsed();
    until("all of them wait", DECIDED, async || {
        Ok((waiting(&mut world).await? >= ALERTS as f64).then_some(()))
    })
    .await?;
    let decided = begun.elapsed();

    let other = alert("for the other destination", "critical");
    world
        .client
        .ingest("api", keys::MACHINES, &other)
        .await?
        .events()?;
    let posted = Instant::now();
    let is_other = |body: &Value| body["data"]["name"] == other["alert_name"];
    world
        .webhook
        .message("the alert at the other destination", SOON, |message| {
            is_other(&message.body)
        })
        .await?;
    let told = posted.elapsed();
    is_named(&mut world, &address).await?;
    let peak = world.stage("up")?.peak_memory_bytes()?;
    tests::say(&format!(
        "{ALERTS} alerts for a dead destination: accepted after {accepted:?}, waiting after {decided:?}; the other destination \
         was notified after {told:?}; at most {peak} bytes of memory"
    ));
    ensure!(
        peak < MEMORY_BYTES_MAX,
        "the process took {peak} bytes, and {MEMORY_BYTES_MAX} are allowed"
    );

    dead.listener.come_back().await?;
    dead.message("a delivery after the destination came back", PROBED, |_| true)
        .await?;
    world.all_alive()
}

/// Adds an integration whose alerts are for this destination alone.
async fn declare(world: &World, destination: &str) -> Result<()> {
    let scenario = format!(
        "scenarios:\n  - name: dead\n    steps:\n      - {{channel: webhook, destination: \"{destination}\"}}\n"
    );
    let integration = format!(
        "integrations:\n  - {{name: api-dead, type: api, environment: {ENVIRONMENT}, scenario: dead, key: {KEY}}}\n"
    );
    let site =
        world
            .site()
            .replacen("scenarios:\n", &scenario, 1)
            .replacen("integrations:\n", &integration, 1);
    let (taken, said) = world.apply(&site, &[]).await?;
    ensure!(taken, "the site was not applied: {said}");
    until("the collectors know the key", SOON, async || {
        let answer = world.client.post("api", KEY, "").await?;
        Ok((answer.status == StatusCode::BAD_REQUEST).then_some(()))
    })
    .await
}

async fn post(world: &World, first: usize) -> Result<()> {
    let alerts: Value = (first..first + ALERTS_PER_BODY)
        .map(|number| alert(&format!("disk {number}"), "warning"))
        .collect();
    world.client.ingest_until_taken("api", KEY, &alerts).await?;
    Ok(())
}

fn alert(name: &str, severity: &str) -> Value {
    json!({
        "alert_name": name, "alert_severity": severity, "source": "monitor", "object": "host",
        "notification_output": "the disk is full",
    })
}

/// How many notifications wait, in memory and in the database.
async fn waiting(world: &mut World) -> Result<f64> {
    let up = world.stage("up")?;
    let held = up.metric("reveille_notifications_waiting", CHANNEL).await?;
    let left = up.metric("reveille_notifications_left_in_store", CHANNEL).await?;
    Ok(held.unwrap_or_default() + left.unwrap_or_default())
}

/// An operator sees which destination it is, and that one fails.
async fn is_named(world: &mut World, address: &str) -> Result<()> {
    let up = world.stage("up")?;
    let ready = up.admin("/readyz").await?;
    let warnings = ready.body["warnings"].as_array().context("no warnings")?;
    let names = |warning: &Value| {
        let text = warning["warning"].as_str().unwrap_or_default();
        text.contains(address)
    };
    ensure!(
        ready.status.is_success() && warnings.iter().any(names),
        "/readyz says {ready:?}"
    );
    let labels = format!("{CHANNEL},state=\"backoff\"");
    let failing = up.metric("reveille_notification_destinations", &labels).await?;
    ensure!(failing == Some(1.0), "{failing:?} destinations are in backoff");
    Ok(())
}
