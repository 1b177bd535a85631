//! Nothing that was accepted is lost and nothing is done twice, however often whatever is killed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use schemas::Fingerprint;
use serde_json::json;
use tests::audit::{Comment, Report, audit};
use tests::client::Client;
use tests::live::WsClient;
use tests::load::{self, Load};
use tests::site::{SLACK_CHANNELS, keys};
use tests::stage::Stage;
use tests::waiting::until;
use tests::world::START;
use tests::{World, number_from_environment, say, skipped};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long everything may take to be done when nobody disturbs any more.
const DRAIN: Duration = Duration::from_secs(90);
const OPERATORS: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_and_doubles_nothing_on_real_services() -> Result<()> {
    let _turn = tests::alone().await;
    let copies = usize::try_from(number_from_environment("REVEILLE_TEST_COPIES", 2)?)?;
    match World::on_real_services("kill-real", copies).await? {
        Some(mut world) => survive(&mut world, 60, 2500).await,
        None => {
            skipped("the kill test on real services", "Kafka and MariaDB are needed");
            Ok(())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_and_doubles_nothing_on_up() -> Result<()> {
    let _turn = tests::alone().await;
    survive(&mut World::on_up("kill-up").await?, 40, 2500).await
}

/// Alerts whose partitions are looked at while one of two copies is killed and started again.
const LANES: usize = 24;
/// A partition of a copy that was not killed holds an alert up no longer than this.
const STANDSTILL_MAX: Duration = Duration::from_secs(4);
/// How long an alert may take whose partition belongs to the copy that was killed.
const RETURN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn v5_a_copy_that_is_killed_and_starts_again_holds_up_its_own_partitions_only() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(mut world) = World::on_real_services("kill-one", 2).await? else {
        skipped("one copy killed on real services", "Kafka and MariaDB are needed");
        return Ok(());
    };
    let console = world.console().await?;
    for victim in ["daemon", "aggregator"] {
        if world.stage(victim).is_err() {
            continue;
        }
        let worst = standstills(&mut world, &console, victim).await?;
        let unharmed = worst.iter().filter(|worst| **worst < STANDSTILL_MAX).count();
        say(&format!(
            "one {victim} of two was killed; the longest waits of {LANES} alerts: {worst:?}"
        ));
        // Half of the partitions are the other copy's; the alerts are spread over all by chance.
        ensure!(
            unharmed >= LANES / 5,
            "all partitions stood still when one {victim} was killed: {worst:?}"
        );
    }
    Ok(())
}

/// Kills one copy and starts it again at once; answers how long each alert's updates took at most, from the shortest to
/// the longest.
async fn standstills(world: &mut World, console: &WsClient, victim: &str) -> Result<Vec<Duration>> {
    let stop = CancellationToken::new();
    let client = world.client.clone();
    let (rounds, mut counted) = watch::channel(0);
    let start = Instant::now();
    let lanes = (0..LANES).map(|lane| {
        let name = format!("{victim}-lane-{lane}");
        update_until(&client, console, name, &stop, &rounds)
    });
    let disturb = async {
        // Everything is under way.
        counted.wait_for(|rounds| *rounds >= LANES * 3).await?;
        let at = start.elapsed();
        world.stage(victim)?.kill();
        world.stage(victim)?.spawn()?;
        world.ready(START).await?;
        stop.cancel();
        Ok(at)
    };
    let (lanes, at) = tokio::try_join!(futures_util::future::try_join_all(lanes), disturb)?;
    let mut worst: Vec<_> = lanes
        .iter()
        .map(|waits| {
            let after = waits.iter().filter(|(end, _)| end.duration_since(start) > at);
            after.map(|(_, wait)| *wait).max().unwrap_or_default()
        })
        .collect();
    worst.sort_unstable();
    Ok(worst)
}

/// Updates one alert again and again, as soon as the console shows the last update; answers when each came and after how long.
async fn update_until(
    client: &Client,
    console: &WsClient,
    name: String,
    stop: &CancellationToken,
    rounds: &watch::Sender<usize>,
) -> Result<Vec<(Instant, Duration)>> {
    let mut waits = Vec::new();
    while !stop.is_cancelled() {
        let output = format!("update {};", waits.len());
        let body = json!({
            "alert_name": name,
            "alert_severity": "critical",
            "source": "lanes",
            "object": name,
            "notification_output": output,
        });
        let sent = Instant::now();
        let answer = client.post("api", keys::MACHINES, body.to_string()).await?;
        ensure!(answer.status.is_success(), "the collectors say {answer:?}");
        console
            .wait_until("the update on the screen", RETURN, |screen| {
                screen.by_name(&name).is_some_and(|alert| alert.output == output)
            })
            .await?;
        waits.push((Instant::now(), sent.elapsed()));
        rounds.send_modify(|rounds| *rounds += 1);
    }
    Ok(waits)
}

/// `REVEILLE_TEST_SECONDS`, `REVEILLE_TEST_PAUSE_MS` (between kills), `REVEILLE_TEST_ALERTS`, `REVEILLE_TEST_RATE` and
/// `REVEILLE_TEST_SEED` make it longer, rougher, wider, faster and different; `REVEILLE_TEST_COPIES` says how many copies
/// of the stages share the work.
async fn survive(world: &mut World, seconds: u64, pause_ms: u64) -> Result<()> {
    let seconds = number_from_environment("REVEILLE_TEST_SECONDS", seconds)?;
    let pause = Duration::from_millis(number_from_environment("REVEILLE_TEST_PAUSE_MS", pause_ms)?);
    let load = Load {
        alerts: usize::try_from(number_from_environment("REVEILLE_TEST_ALERTS", 300)?)?,
        events_per_second: number_from_environment("REVEILLE_TEST_RATE", 100)?,
        seed: number_from_environment("REVEILLE_TEST_SEED", rand::random::<u32>().into())?,
    };
    say(&format!("kill test of {seconds} s with {load:?}"));
    let console = world.console().await?;
    let stop = CancellationToken::new();
    let client = world.client.clone();
    let (stories, comments, ()) = tokio::try_join!(
        load.run(&client, stop.clone()),
        operate(&client, &console, stop.clone(), load.seed),
        disturb(
            world,
            Duration::from_secs(seconds),
            pause,
            load.seed,
            stop.clone()
        ),
    )?;
    world.ready(START).await?;
    let start = Instant::now();
    let stories = load::open_for_slack(stories, &client).await?;
    every_slack_channel_is_told(world).await?;
    let stories = load::end(stories, &client).await?;
    let report = audit(&client, &stories, &comments, DRAIN).await?;
    say(&format!("drained within {:?}", start.elapsed()));
    console
        .wait_until("an empty console", DRAIN, |screen| {
            screen.complete && screen.alerts.is_empty()
        })
        .await?;
    every_open_was_closed(world, &report)?;
    let left_behind = every_slack_message_was_closed(world)?;
    tell(world, &stories, &report, left_behind);
    ensure!(
        report.accepted > load.alerts * 4,
        "too little came through to prove anything: {report:?}"
    );
    Ok(())
}

/// Kills stages in turn, each time in another order, and now and then all at once; starts them again at once.
async fn disturb(
    world: &mut World,
    duration: Duration,
    pause: Duration,
    seed: u64,
    stop: CancellationToken,
) -> Result<()> {
    let start = Instant::now();
    let mut random = SmallRng::seed_from_u64(seed);
    let mut pace = tokio::time::interval(pause);
    'rounds: loop {
        let mut order: Vec<_> = (0..world.stages.len()).map(|index| vec![index]).collect();
        order.shuffle(&mut random);
        order.push((0..world.stages.len()).collect());
        for victims in order {
            pace.tick().await;
            if start.elapsed() > duration {
                break 'rounds;
            }
            world.all_alive()?;
            for victim in &victims {
                world.stages[*victim].kill();
            }
            for victim in &victims {
                world.stages[*victim].spawn()?;
            }
            // Not always at the same point of the start of the next one.
            pace.reset_after(pause.mul_f64(random.random_range(0.5..1.5)));
        }
    }
    stop.cancel();
    Ok(())
}

/// Some operators at once, as an action may wait for long while stages are killed.
async fn operate(
    client: &Client,
    console: &WsClient,
    stop: CancellationToken,
    seed: u64,
) -> Result<Vec<Comment>> {
    let operators = (0..OPERATORS).map(|number| comment(client, console, &stop, number, seed));
    Ok(futures_util::future::join_all(operators).await.concat())
}

/// An operator comments on what the console shows, and repeats each comment with the same key until it is answered.
async fn comment(
    client: &Client,
    console: &WsClient,
    stop: &CancellationToken,
    operator: u64,
    seed: u64,
) -> Vec<Comment> {
    let mut random = SmallRng::seed_from_u64(seed ^ operator);
    let mut comments = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(500));
    while stop.run_until_cancelled(pace.tick()).await.is_some() {
        let open: Vec<Fingerprint> = console.read(|screen| screen.alerts.keys().copied().collect());
        let Some(alert) = open.choose(&mut random).copied() else {
            continue;
        };
        let text = format!("comment {operator}-{:05};", comments.len());
        let mut comment = Comment {
            alert,
            text,
            answered: false,
        };
        for _ in 0..100 {
            let more = json!({ "comment": comment.text });
            let answer = client
                .act(
                    "comment",
                    alert,
                    &format!("operator-{operator}"),
                    &comment.text,
                    more,
                )
                .await;
            comment.answered = answer.is_ok_and(|answer| {
                let outcome = &answer.body["results"][0]["outcome"];
                outcome == "applied" || outcome == "unchanged"
            });
            if comment.answered {
                break;
            }
            pace.tick().await;
        }
        comments.push(comment);
    }
    comments
}

/// What the receivers saw: whatever was opened there is closed there.
fn every_open_was_closed(world: &World, report: &Report) -> Result<()> {
    let mut open = BTreeMap::new();
    world.webhook.read(|seen| {
        ensure!(seen.refused.is_empty(), "the receiver refused {:?}", seen.refused);
        for message in &seen.messages {
            let data = &message.body["data"];
            let is_open = open
                .entry((data["name"].to_string(), data["episode"].to_string()))
                .or_insert(false);
            match message.body["type"]
                .as_str()
                .context("a webhook without a type")?
            {
                "alert.opened" => *is_open = true,
                "alert.closed" => *is_open = false,
                _ => {}
            }
        }
        Ok(())
    })?;
    let left: Vec<_> = open
        .iter()
        .filter(|(_, open)| **open)
        .map(|(key, _)| key)
        .collect();
    ensure!(
        left.is_empty(),
        "{} were opened at the receiver and not closed, such as {:?}",
        left.len(),
        left.first()
    );
    ensure!(
        open.len() >= report.alerts.len(),
        "only {} openings were told",
        open.len()
    );
    Ok(())
}

/// What is open when nobody disturbs any more is told, also where all before it ended before it could be told.
async fn every_slack_channel_is_told(world: &World) -> Result<()> {
    let mut told = BTreeMap::new();
    let all_told = until("every Slack channel shows what is open", DRAIN, async || {
        told = slack_channels(world)?;
        let open = told.values().filter(|closed| closed.last() == Some(&false));
        Ok((open.count() == SLACK_CHANNELS).then_some(()))
    });
    let all_told = all_told.await;
    all_told.with_context(|| format!("the channels' messages, closed or not: {told:?}"))
}

/// Slack cannot recognise what it was told before. So a message whose receipt was lost in a kill may stay behind as it
/// is, but there is a later one in its place, and the last one of each channel is closed.
fn every_slack_message_was_closed(world: &World) -> Result<u64> {
    let channels = slack_channels(world)?;
    let left_open: Vec<_> = channels
        .iter()
        .filter(|(_, closed)| closed.last() != Some(&true))
        .collect();
    ensure!(left_open.is_empty(), "left open in Slack: {left_open:?}");
    let left_behind = channels.values().flatten().filter(|closed| !**closed).count() as u64;
    let kills: u64 = world
        .stages
        .iter()
        .filter(|stage| is_told_by(stage))
        .map(Stage::kills)
        .sum();
    ensure!(
        left_behind <= kills,
        "{left_behind} Slack messages were left behind by {kills} kills"
    );
    Ok(left_behind)
}

/// The messages of each channel, in the order of their posting: whether each shows a closed alert.
fn slack_channels(world: &World) -> Result<BTreeMap<String, Vec<bool>>> {
    world.slack.read(|seen| {
        ensure!(seen.refused.is_empty(), "Slack refused {:?}", seen.refused);
        let mut channels: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for message in &seen.messages {
            let text = message.body["text"].as_str();
            let closed = text.is_some_and(|text| text.contains("[closed]"));
            channels.entry(message.channel.clone()).or_default().push(closed);
        }
        Ok(channels)
    })
}

fn is_told_by(stage: &Stage) -> bool {
    matches!(stage.name(), "notifiers" | "up")
}

fn tell(world: &World, stories: &[load::Story], report: &Report, left_behind: u64) {
    let mut kills: BTreeMap<&str, u64> = BTreeMap::new();
    for stage in &world.stages {
        *kills.entry(stage.name()).or_default() += stage.kills();
    }
    let (sent, unanswered) = load::count(stories);
    let (webhooks, duplicates) = world.webhook.read(|seen| (seen.messages.len(), seen.duplicates));
    let slack = world.slack.read(|seen| seen.messages.len());
    say(&format!(
        "killed {kills:?}; {sent} events sent, {} accepted, {unanswered} without an answer ({} of them applied); \
         {} comments; {webhooks} webhooks, {duplicates} of them twice; {slack} Slack messages, {left_behind} \
         of them left behind; \
         {} destinations opened and closed",
        report.accepted, report.maybe_applied, report.comments, report.closed_rows,
    ));
}
