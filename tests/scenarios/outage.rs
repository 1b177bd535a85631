//! Broker, database and view are away for a while, under load: nothing accepted is lost, nothing exits, all go on by
//! themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use schemas::HistoryKind;
use serde_json::{Value, json};
use tests::audit::audit;
use tests::client::Client;
use tests::live::Screen;
use tests::load::{self, Load};
use tests::mocks::Behaviour;
use tests::services::{Aerospike, Services};
use tests::site::keys;
use tests::waiting::until;
use tests::{World, number_from_environment, say, skipped};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long all may take to notice an outage, or its end.
const NOTICE: Duration = Duration::from_secs(30);
const DRAIN: Duration = Duration::from_secs(90);
/// How long a sender waits for its answer while the broker is away.
const PROMPT: Duration = Duration::from_secs(3);

/// So many alerts are open when the view forgets them.
const FORGOTTEN: usize = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Broker,
    Database,
    View,
}

impl Part {
    /// The name in `/readyz`.
    fn name(self) -> &'static str {
        match self {
            Part::Broker => "log",
            Part::Database => "database",
            Part::View => "view",
        }
    }

    /// The stages that cannot go on without it.
    fn needed_by(self) -> &'static [&'static str] {
        match self {
            Part::Broker => &["collectors", "decorator", "daemon", "notifiers", "api", "bridge"],
            Part::Database => &["daemon", "notifiers"],
            Part::View => &["aggregator", "bridge"],
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broker_database_and_view_may_be_away() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(mut world) = on_services_of_our_own("outage").await? else {
        return Ok(());
    };
    let away = Duration::from_secs(number_from_environment("REVEILLE_TEST_AWAY", 30)?);
    let load = Load {
        alerts: 200,
        events_per_second: 60,
        seed: 7,
    };
    let stop = CancellationToken::new();
    let client = world.client.clone();
    let (stories, ()) = tokio::try_join!(load.run(&client, stop.clone()), async {
        for part in [Part::Broker, Part::Database] {
            outage(&mut world, part, away).await?;
        }
        stop.cancel();
        Ok(())
    })?;
    let stories = load::end(stories, &client).await?;
    let report = audit(&client, &stories, &[], DRAIN).await?;
    world.all_alive()?;
    let (sent, unanswered) = load::count(&stories);
    say(&format!(
        "outages of {away:?}: {sent} events sent, {} accepted, {unanswered} refused or without an answer \
         ({} of them applied)",
        report.accepted, report.maybe_applied
    ));
    the_view_may_forget_everything(&mut world).await
}

/// What a collector accepts while the broker is away waits on its disk, also when it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_without_the_broker_arrives_when_it_is_back() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(mut world) = on_services_of_our_own("outage-spool").await? else {
        return Ok(());
    };
    let away = Duration::from_secs(number_from_environment("REVEILLE_TEST_AWAY", 60)?);
    let load = Load {
        alerts: 120,
        events_per_second: 60,
        seed: 11,
    };
    let stop_load = CancellationToken::new();
    let client = world.client.clone();
    let (stories, spooled) = tokio::try_join!(load.run(&client, stop_load.clone()), async {
        something_comes_through(&world).await?;
        stop(&mut world, Part::Broker)?;
        let half = Instant::now() + away / 2;
        everybody_says_so(&world, Part::Broker).await?;
        tokio::time::sleep_until(half).await;
        let asked = Instant::now();
        is_accepted(&client, "Spooled", "warning").await?;
        ensure!(asked.elapsed() < PROMPT, "the answer took {:?}", asked.elapsed());
        let collectors = world.stage("collectors")?;
        let spooled = collectors.metric("reveille_spool_records", "").await?;
        collectors.kill();
        collectors.spawn()?;
        // It knows the site from the last one, and goes on.
        until("the next collector accepts", NOTICE, async || {
            Ok(is_accepted(&client, "Spooled again", "warning").await.ok())
        })
        .await?;
        tokio::time::sleep(away / 2).await;
        start_again(&mut world, Part::Broker).await?;
        world.ready(NOTICE).await?;
        something_comes_through(&world).await?;
        stop_load.cancel();
        Ok(spooled.unwrap_or(0.0))
    })?;
    ensure!(
        spooled > 0.0,
        "nothing was in the spool when the collector was killed"
    );
    let drained = world
        .stage("collectors")?
        .metric("reveille_spool_drained_total", "")
        .await?;
    ensure!(
        drained >= Some(spooled),
        "{drained:?} records were drained of {spooled} that were in the spool"
    );
    let stories = load::end(stories, &client).await?;
    let report = audit(&client, &stories, &[], DRAIN).await?;
    ensure!(
        client.alerts("text=Spooled").await?.len() == 2,
        "the alerts of the outage are not there"
    );
    world.all_alive()?;
    let (sent, unanswered) = load::count(&stories);
    say(&format!(
        "the broker was away for {away:?}: {sent} events sent, {} accepted, {spooled} of them in the spool when the \
         collector was killed, {unanswered} refused or without an answer ({} of them applied)",
        report.accepted, report.maybe_applied
    ));
    Ok(())
}

async fn is_accepted(client: &Client, name: &str, severity: &str) -> Result<()> {
    let body = json!({
        "alert_name": name, "alert_severity": severity, "source": "outage", "object": "web-1",
        "notification_output": "x",
    });
    let answer = client.ingest("api", keys::MACHINES, &body).await?;
    answer.events().map(drop)
}

/// Kafka and MariaDB that may be stopped; says so when there are none.
async fn on_services_of_our_own(scenario: &str) -> Result<Option<World>> {
    let Some(world) = World::on_real_services(scenario, 1).await? else {
        skipped("the outage test", "Kafka and MariaDB are needed");
        return Ok(None);
    };
    let services = world.services.as_ref();
    if !services.is_some_and(|services| services.kafka.is_own() && services.mariadb.is_own()) {
        skipped(
            "the outage test",
            "Kafka and MariaDB given by address are not ours to stop",
        );
        return Ok(None);
    }
    Ok(Some(world))
}

/// Aerospike is gone, and empty when it is back: the view is built anew from the database.
async fn the_view_may_forget_everything(world: &mut World) -> Result<()> {
    let own = world
        .services
        .as_ref()
        .and_then(|services| services.aerospike.as_ref());
    if !own.is_some_and(Aerospike::is_own) {
        skipped(
            "the outage of the view",
            "there is no Aerospike that is ours to stop",
        );
        return Ok(());
    }
    let client = world.client.clone();
    let say =
        async |number: usize, severity: &str| is_accepted(&client, &format!("view-{number}"), severity).await;
    for number in 0..FORGOTTEN {
        say(number, "warning").await?;
    }
    let console = world.console().await?;
    let all = |screen: &Screen| screen.complete && screen.alerts.len() == FORGOTTEN;
    console
        .wait_until("all alerts on the console", NOTICE, all)
        .await?;
    stop(world, Part::View)?;
    everybody_says_so(world, Part::View).await?;
    start_again(world, Part::View).await?;
    world.ready(NOTICE).await?;
    let newcomer = world.console().await?;
    newcomer
        .wait_until("all alerts on a new console", NOTICE, all)
        .await?;
    say(0, "ok").await?;
    for console in [&console, &newcomer] {
        let one_less = |screen: &Screen| screen.complete && screen.alerts.len() == FORGOTTEN - 1;
        console
            .wait_until("a change on the console", NOTICE, one_less)
            .await?;
    }
    world.all_alive()
}

/// Slack has enough of us, the receiver is broken, the mail server is gone: all are told once they are back, and the
/// close comes after the open.
#[tokio::test(flavor = "multi_thread")]
async fn providers_may_be_away() -> Result<()> {
    let _turn = tests::alone().await;
    let mut world = World::on_up("outage-providers").await?;
    world.slack.listener.behave(Behaviour::TooMany(2));
    world
        .webhook
        .listener
        .behave(Behaviour::Failing(StatusCode::BAD_GATEWAY));
    world.smtp.go_away().await;
    let body = |severity: &str| json!({ "alert_name": "Unheard", "alert_severity": severity, "source": "outage", "object": "web-1", "notification_output": "x" });
    world
        .client
        .ingest("api", keys::API, &body("critical"))
        .await?
        .events()?;
    let told = until("all three are tried", NOTICE, async || {
        let alerts = world.client.alerts("text=Unheard").await?;
        let Some(alert) = alerts.into_iter().next() else {
            return Ok(None);
        };
        let history = world.client.history(alert.fingerprint).await?;
        let retrying = history
            .iter()
            .filter(|entry| entry.kind == HistoryKind::Retrying)
            .count();
        Ok((retrying == 3).then_some(alert.fingerprint))
    });
    let alert = told.await?;
    world.slack.listener.behave(Behaviour::Well);
    world.webhook.listener.behave(Behaviour::Well);
    world.smtp.come_back().await?;
    let state = async |wanted: &str| {
        let mut last = Value::Null;
        let all = until(wanted, DRAIN, async || {
            last = world.client.notifications(alert).await?;
            let rows = last["notifications"].as_array().context("no list")?;
            Ok((rows.len() == 3 && rows.iter().all(|row| row["state"] == wanted)).then_some(()))
        });
        let all = all.await;
        all.with_context(|| format!("the ledger has {last:#}"))
    };
    state("open").await?;
    world
        .client
        .ingest("api", keys::API, &body("ok"))
        .await?
        .events()?;
    state("closed").await?;
    ensure!(
        world.slack.listener.refused() > 0 && world.webhook.listener.refused() > 0,
        "nobody was refused"
    );
    ensure!(
        world.slack.read(|seen| seen.messages.len()) == 1,
        "Slack has more than one message"
    );
    ensure!(
        world.smtp.mails().len() == 2,
        "there are {:#?}",
        world.smtp.mails()
    );
    world.all_alive()
}

async fn outage(world: &mut World, part: Part, away: Duration) -> Result<()> {
    something_comes_through(world).await?;
    let console = world.console().await?;
    stop(world, part)?;
    let back = Instant::now() + away;
    everybody_says_so(world, part).await?;
    // The daemon cannot go on without either, so what the console shows grows old, and the console says so.
    console
        .wait_until("the console is stale", NOTICE, |screen| screen.stale)
        .await?;
    world.all_alive()?;
    tokio::time::sleep_until(back).await;
    world.all_alive()?;
    for stage in &world.stages {
        let health = stage.admin("/healthz").await?;
        ensure!(
            health.status.is_success(),
            "{} waits, so it is healthy, but says {health:?}",
            stage.name()
        );
    }
    start_again(world, part).await?;
    let start = Instant::now();
    world.ready(NOTICE).await?;
    something_comes_through(world).await?;
    console
        .wait_until("the console is current", NOTICE, |screen| !screen.stale)
        .await?;
    say(&format!(
        "{part:?} was away; all went on {:?} after it was back",
        start.elapsed()
    ));
    Ok(())
}

/// A new change of any alert reaches the database.
async fn something_comes_through(world: &World) -> Result<()> {
    let newest = async || {
        let alerts = world.client.alerts("state=any").await?;
        Ok::<_, anyhow::Error>(alerts.iter().map(|alert| alert.changed_at).max())
    };
    let before = until("a look at the database", NOTICE, async || {
        newest().await.map(Some)
    })
    .await?;
    until("a new change", NOTICE, async || {
        Ok((newest().await? > before).then_some(()))
    })
    .await
}

fn stop(world: &mut World, part: Part) -> Result<()> {
    match (&mut world.services, part) {
        (Some(services), Part::Broker) => services.kafka.kill(),
        (Some(services), Part::Database) => services.mariadb.kill(),
        (
            Some(Services {
                aerospike: Some(aerospike),
                ..
            }),
            Part::View,
        ) => aerospike.kill(),
        (_, Part::View) | (None, _) => Ok(()),
    }
}

async fn start_again(world: &mut World, part: Part) -> Result<()> {
    match (&mut world.services, part) {
        (Some(services), Part::Broker) => services.kafka.start_again().await,
        (Some(services), Part::Database) => services.mariadb.start_again().await,
        (
            Some(Services {
                aerospike: Some(aerospike),
                ..
            }),
            Part::View,
        ) => aerospike.start_again().await,
        (_, Part::View) | (None, _) => Ok(()),
    }
}

async fn everybody_says_so(world: &World, part: Part) -> Result<()> {
    let mut said = BTreeMap::new();
    let what = format!("/readyz names the {}", part.name());
    let all_say = until(&what, NOTICE, async || {
        for stage in world
            .stages
            .iter()
            .filter(|stage| part.needed_by().contains(&stage.name()))
        {
            said.insert(stage.name().to_owned(), stage.waits_for().await?);
        }
        let named = |waits: &Vec<String>| waits.iter().any(|what| what.contains(part.name()));
        Ok(said.values().all(named).then_some(()))
    });
    let all_say = all_say.await;
    all_say.with_context(|| format!("they say {said:?}"))
}
