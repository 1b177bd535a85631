//! The log comes back older than the database: its folder was put back, deleted, damaged and rescued, or the disk of a single broker
//! was put back. All that is accepted from then on appears.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::json;
use tests::client::Client;
use tests::site::keys;
use tests::waiting::until;
use tests::{World, places, skipped};

/// So many alerts each time.
const ALERTS: usize = 60;
const END: Duration = Duration::from_secs(30);
/// How long stages may take until all they were sent has arrived.
const ARRIVAL: Duration = Duration::from_secs(120);

/// Posts alerts with this word in their names; each is answered as accepted.
async fn post(client: &Client, word: &str) -> Result<()> {
    for number in 0..ALERTS {
        let body = json!({
            "alert_name": format!("{word} {number}"), "alert_severity": "warning", "source": "log-restore",
            "object": format!("{word}-{number}"), "notification_output": "x",
        });
        client.ingest("api", keys::MACHINES, &body).await?.events()?;
    }
    Ok(())
}

/// Waits until all alerts with this word are there.
async fn all_appear(client: &Client, word: &str) -> Result<()> {
    let mut found = 0;
    let all = until("all alerts", ARRIVAL, async || {
        found = client.alerts(&format!("text={word}&limit=1000")).await?.len();
        Ok((found == ALERTS).then_some(()))
    });
    let all = all.await;
    all.with_context(|| format!("{found} of {ALERTS} of {word} are there"))
}

/// What `/readyz` says waits for something, or nothing when it is ready.
async fn named(world: &mut World) -> Result<String> {
    let up = world.stage("up")?;
    Ok(up.waits_for().await?.join("\n"))
}

fn copied(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").args([from, to]).status()?;
    ensure!(status.success(), "{} was not copied", from.display());
    Ok(())
}

fn log_of(world: &World) -> Result<PathBuf> {
    Ok(world.folder("up")?.join("log"))
}

/// `up` after something was done to its log while it was stopped.
async fn after(world: &mut World, change: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let log = log_of(world)?;
    world.stage("up")?.terminate(END).await?;
    change(&log)?;
    world.stage("up")?.spawn()?;
    it_takes_alerts(world).await
}

/// It listens a moment after its start, and knows the site another moment later. That the log is another one is named while
/// all goes on, so `/readyz` says nothing here.
async fn it_takes_alerts(world: &World) -> Result<()> {
    until("the collectors know the site", ARRIVAL, async || {
        let answer = world.client.post("api", keys::MACHINES, "").await;
        Ok(answer
            .is_ok_and(|answer| answer.status == StatusCode::BAD_REQUEST)
            .then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn l2_an_older_log_and_a_deleted_one_lose_no_alert_that_is_accepted_later() -> Result<()> {
    let _turn = tests::alone().await;
    let mut world = World::on_up("log-restore").await?;
    let client = world.client.clone();
    let log = log_of(&world)?;
    let older = log.with_file_name("older");
    post(&client, "before").await?;
    all_appear(&client, "before").await?;
    after(&mut world, |log| copied(log, &older)).await?;
    post(&client, "between").await?;
    all_appear(&client, "between").await?;

    after(&mut world, |log| {
        fs::remove_dir_all(log)?;
        Ok(fs::rename(&older, log)?)
    })
    .await?;
    post(&client, "restored").await?;
    all_appear(&client, "restored").await?;
    let said = named(&mut world).await?;
    ensure!(
        said.contains("the log is older than the database"),
        "/readyz says {said}"
    );

    after(&mut world, |log| Ok(fs::remove_dir_all(log)?)).await?;
    post(&client, "deleted").await?;
    all_appear(&client, "deleted").await?;
    all_appear(&client, "between").await?;
    world.all_alive()
}

#[tokio::test(flavor = "multi_thread")]
async fn s8_a_damaged_log_is_named_and_rescued_and_loses_no_alert_that_is_accepted_later() -> Result<()> {
    let _turn = tests::alone().await;
    let mut world = World::on_up("log-rescue").await?;
    let client = world.client.clone();
    post(&client, "before").await?;
    all_appear(&client, "before").await?;
    world.stage("up")?.terminate(END).await?;
    let log = log_of(&world)?;
    let journal = fs::read_dir(&log)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|end| end == "jnl"))
        .context("there is no journal")?;
    let mut bytes = fs::read(&journal)?;
    let word = b"before 30";
    let at = bytes
        .windows(word.len())
        .position(|window| window == word)
        .context("no record")?;
    bytes[at] ^= 0x20;
    fs::write(&journal, bytes)?;

    world.stage("up")?.spawn()?;
    let ended = until("it ends", END, async || Ok(world.stage("up")?.ended())).await?;
    let said = fs::read_to_string(world.stage("up")?.log())?;
    ensure!(!ended.success(), "it goes on with a damaged log");
    for part in [
        &*journal.display().to_string(),
        ", byte ",
        "reveille log rescue --data",
    ] {
        ensure!(said.contains(part), "{part} is not named: {said}");
    }
    let data = world.folder("up")?;
    let output = Command::new(places::reveille()?)
        .args(["log", "rescue", "--data"])
        .arg(&data)
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(
        told.contains("Saved: ") && told.contains("log.damaged-"),
        "{told}"
    );
    world.stage("up")?.spawn()?;
    it_takes_alerts(&world).await?;
    post(&client, "rescued").await?;
    all_appear(&client, "rescued").await?;
    all_appear(&client, "before").await?;
    world.all_alive()
}

#[tokio::test(flavor = "multi_thread")]
async fn l3_descriptors_that_ran_out_are_no_matter_once_there_are_some_again() -> Result<()> {
    let _turn = tests::alone().await;
    let mut world = World::on_up("descriptors").await?;
    let client = world.client.clone();
    post(&client, "before").await?;
    all_appear(&client, "before").await?;
    let id = world.stage("up")?.id().context("it does not run")?;
    let limited = |limit: &str| -> Result<()> {
        let status = Command::new("prlimit")
            .args(["--pid", &id.to_string(), &format!("--nofile={limit}:")])
            .status()?;
        ensure!(status.success(), "prlimit could not limit descriptors to {limit}");
        Ok(())
    };
    limited("16")?;
    // Whatever is answered here, it ends.
    for number in 0..ALERTS {
        let body = json!({
            "alert_name": format!("meanwhile {number}"), "alert_severity": "warning", "source": "log-restore",
            "object": format!("m-{number}"), "notification_output": "x".repeat(100_000),
        });
        let _ = tokio::time::timeout(
            Duration::from_secs(1),
            client.ingest("api", keys::MACHINES, &body),
        )
        .await;
    }
    limited("1024")?;
    until("it accepts again", ARRIVAL, async || {
        Ok(post(&client, "afterwards").await.ok())
    })
    .await?;
    all_appear(&client, "afterwards").await?;
    world.ready(ARRIVAL).await?;
    world.all_alive()
}

#[tokio::test(flavor = "multi_thread")]
async fn l2_a_broker_whose_disk_was_put_back_loses_no_alert_that_is_accepted_later() -> Result<()> {
    let _turn = tests::alone().await;
    let world = World::on_real_services("log-restore-kafka", 1).await?;
    let Some(mut world) = world.filter(|world| {
        world
            .services
            .as_ref()
            .is_some_and(|services| services.kafka.is_own())
    }) else {
        skipped(
            "the broker whose disk is put back",
            "Kafka that is ours to stop and MariaDB are needed",
        );
        return Ok(());
    };
    let client = world.client.clone();
    let data = world.folder("kafka")?.join("data");
    let older = data.with_file_name("older");
    post(&client, "before").await?;
    all_appear(&client, "before").await?;
    kafka(&mut world)?.kill()?;
    copied(&data, &older)?;
    kafka(&mut world)?.start_again().await?;
    world.ready(ARRIVAL).await?;
    post(&client, "between").await?;
    all_appear(&client, "between").await?;

    kafka(&mut world)?.kill()?;
    fs::remove_dir_all(&data)?;
    fs::rename(&older, &data)?;
    kafka(&mut world)?.start_again().await?;
    post(&client, "restored").await?;
    all_appear(&client, "restored").await?;
    all_appear(&client, "between").await?;
    world.all_alive()
}

fn kafka(world: &mut World) -> Result<&mut tests::services::Kafka> {
    let services = world.services.as_mut().context("there are no services")?;
    Ok(&mut services.kafka)
}
