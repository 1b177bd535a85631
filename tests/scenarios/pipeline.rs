//! The main job, end to end: an alert comes in, is seen, is acted upon, reaches people, and is closed everywhere.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use schemas::{Alert, HistoryKind, OperatorState, Severity, Status};
use serde_json::{Value, json};
use tests::client::Client;
use tests::live::WsClient;
use tests::mocks::{slack, smtp};
use tests::process::Process;
use tests::site::{ENVIRONMENT, keys};
use tests::waiting::until;
use tests::{World, places, skipped};

/// Everything that is waited for here takes a blink; the limit is for a machine that is busy with something else.
const SOON: Duration = Duration::from_secs(20);
const NAME: &str = "CheckoutErrors";
const OPERATOR: &str = "ann";

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_lives_and_ends_everywhere_on_real_services() -> Result<()> {
    let _turn = tests::alone().await;
    match World::on_real_services("pipeline-real", 1).await? {
        Some(mut world) => alert_lives_and_ends_everywhere(&mut world).await,
        None => {
            skipped("the pipeline on real services", "Kafka and MariaDB are needed");
            Ok(())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_lives_and_ends_everywhere_on_up() -> Result<()> {
    let _turn = tests::alone().await;
    alert_lives_and_ends_everywhere(&mut World::on_up("pipeline-up").await?).await
}

/// What a newcomer does first.
#[tokio::test(flavor = "multi_thread")]
async fn the_curl_line_that_up_prints_raises_an_alert() -> Result<()> {
    let _turn = tests::alone().await;
    let mut world = World::as_a_newcomer("pipeline-newcomer").await?;
    let log = world.stage("up")?.log().to_owned();
    let said = std::fs::read_to_string(&log).context("what up said")?;
    let key = world.default_key()?;
    ensure!(
        said.contains(&key) && said.contains(&world.console_url()),
        "up said {said}"
    );
    if places::program("curl").is_none() {
        skipped("the line that up prints", "there is no curl");
        return Ok(());
    }
    // The command and the lines that go on with it.
    let mut more = true;
    let lines = said.lines().skip_while(|line| !line.trim().starts_with("curl "));
    let lines: Vec<_> = lines
        .take_while(|line| std::mem::replace(&mut more, line.ends_with('\\')))
        .collect();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &lines.join("\n")]);
    let status = Process::spawn("curl", command, &log.with_file_name("curl.log"))?
        .wait(SOON)
        .await?;
    ensure!(status.success(), "{status}: {lines:#?}");
    let open = async || Ok(world.client.alerts("").await?.into_iter().next());
    let alert = until("the alert", SOON, open).await?;
    ensure!(
        alert.severity == Severity::Critical && alert.output.contains("97 %"),
        "there is {alert:#?}"
    );
    Ok(())
}

async fn alert_lives_and_ends_everywhere(world: &mut World) -> Result<()> {
    let console = world.console().await?;
    let alert = it_opens(world, &console).await?;
    let told = everybody_is_told(world).await?;
    operators_act(world, &console, &alert).await?;
    the_source_closes_it(world, &console, &alert).await?;
    everybody_is_told_of_the_end(world, &told).await?;
    the_history_tells_it_all(world, &alert).await?;
    it_opens_again_and_an_operator_closes_it(world, &console, &alert).await?;
    every_stage_has_measured_it(world).await?;
    a_late_step_is_done_in_time_or_cancelled(world).await?;
    the_site_is_code(world).await?;
    world.all_alive()?;
    every_stage_ends_when_asked(world).await
}

/// When the first and the second episode begin, by the source.
const FIRST: &str = "2026-09-01T10:00:00.5Z";
const SECOND: &str = "2026-09-01T11:00:00Z";

fn alertmanager_body(status: &str, began_at: &str, summary: &str) -> Value {
    let ends = if status == "firing" {
        "0001-01-01T00:00:00Z"
    } else {
        "2026-09-01T10:30:00Z"
    };
    let labels = json!({
        "alertname": NAME, "instance": "pay-3:8080", "severity": "critical", "team": "pay"
    });
    json!({
        "version": "4",
        "groupKey": "{}/{team=\"pay\"}:{alertname=\"CheckoutErrors\"}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "reveille",
        "groupLabels": { "alertname": NAME },
        "commonLabels": labels,
        "commonAnnotations": { "summary": summary },
        "externalURL": "http://am-0:9093",
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": { "summary": summary, "runbook_url": "https://wiki.example/pay" },
            "startsAt": began_at,
            "endsAt": ends,
            "generatorURL": "http://prom:9090/graph",
            "fingerprint": "4f2b9c1d7a60e3aa"
        }]
    })
}

async fn send(world: &World, status: &str, began_at: &str, summary: &str) -> Result<()> {
    let body = alertmanager_body(status, began_at, summary);
    let events = world
        .client
        .ingest("prometheus", keys::PROMETHEUS, &body)
        .await?
        .events()?;
    ensure!(
        events.len() == 1,
        "one alert was sent, {} were accepted",
        events.len()
    );
    Ok(())
}

async fn it_opens(world: &World, console: &WsClient) -> Result<Alert> {
    send(world, "firing", FIRST, "5xx above 2 %").await?;
    let seen = console
        .wait_for("the alert on the console", SOON, |screen| {
            screen.by_name(NAME).cloned()
        })
        .await?;
    ensure!(
        seen.severity == Severity::Critical
            && seen.status == Status::Open
            && seen.environment == ENVIRONMENT
            && seen.integration == "prometheus-main"
            && seen.output.contains("5xx above 2 %")
            && seen.labels.get("team").is_some_and(|team| team == "pay"),
        "the console shows {seen:#?}"
    );
    let stored = world.client.alert(seen.fingerprint).await?;
    ensure!(
        stored.opened_at == seen.opened_at && stored.version >= seen.version,
        "the database has {stored:#?}"
    );
    let open = world.client.alerts("matcher=team%3D%22pay%22").await?;
    ensure!(
        open.iter().any(|alert| alert.fingerprint == seen.fingerprint),
        "the list has {open:#?}"
    );
    let counters = console.read(|screen| screen.counters.clone());
    ensure!(
        counters.total == 1 && counters.by_severity.get("critical") == Some(&1),
        "counted {counters:?}"
    );
    Ok(seen)
}

/// Where and how people were told.
struct Told {
    slack_ts: String,
    mail: smtp::Mail,
    webhooks: usize,
}

async fn everybody_is_told(world: &World) -> Result<Told> {
    let message = world
        .slack
        .message("the alert in Slack", SOON, |message| {
            message.channel == "COPS" && message.text().contains(NAME)
        })
        .await?;
    ensure!(
        message.text().contains(&world.console_url()),
        "no link to the console in {message:#?}"
    );
    let mail = world
        .smtp
        .mail("the alert by mail", SOON, |mail| {
            mail.header("subject").contains(NAME)
        })
        .await?;
    ensure!(
        mail.to == ["ops@example.org"] && mail.from == "reveille@example.org",
        "a mail {mail:#?}"
    );
    ensure!(
        !mail.header("message-id").is_empty(),
        "no Message-ID in {mail:#?}"
    );
    let webhook = world
        .webhook
        .message("the alert at the webhook receiver", SOON, |message| {
            is_about(&message.body, "alert.opened")
        })
        .await?;
    ensure!(webhook.path == "/hook", "it was sent to {}", webhook.path);
    let webhooks = world.webhook.read(|seen| seen.messages.len());
    Ok(Told {
        slack_ts: message.ts,
        mail,
        webhooks,
    })
}

/// Whether a webhook is of this type and about the alert.
fn is_about(body: &Value, kind: &str) -> bool {
    body["data"]["name"] == NAME && body["type"] == kind
}

async fn operators_act(world: &World, console: &WsClient, alert: &Alert) -> Result<()> {
    let id = alert.fingerprint;
    let acted = async |action: &str, more: Value| {
        world
            .client
            .acted(action, id, OPERATOR, &format!("key-{action}"), more)
            .await
    };
    let is = async |state: OperatorState| {
        let like = |screen: &tests::live::Screen| {
            screen
                .alerts
                .get(&id)
                .is_some_and(|alert| alert.operator_state == state)
        };
        console.wait_until(state.name(), SOON, like).await
    };
    let now = acted("acknowledge", json!({ "comment": "on it" })).await?;
    ensure!(
        now.acknowledgement.as_ref().is_some_and(|it| it.by == OPERATOR),
        "answered {now:#?}"
    );
    is(OperatorState::Acknowledged).await?;
    let again = world
        .client
        .act("acknowledge", id, OPERATOR, "key-acknowledge", json!({}))
        .await?;
    ensure!(
        again.body["results"][0]["outcome"] == "applied" && again.body["results"][0]["reason"].is_string(),
        "the same key twice: {again:?}"
    );
    acted("unacknowledge", json!({})).await?;
    is(OperatorState::Active).await?;
    acted("assign", json!({ "assignee": "bob" })).await?;
    is(OperatorState::Assigned).await?;
    acted("unassign", json!({})).await?;
    acted("comment", json!({ "comment": "it is the new release" })).await?;
    let until = Timestamp::now() + SignedDuration::from_hours(1);
    acted("snooze", json!({ "until": until })).await?;
    is(OperatorState::Snoozed).await?;
    let followed = |message: &slack::Message| message.edits + message.replies.len() as u32 > 0;
    world
        .slack
        .message("the actions in Slack", SOON, followed)
        .await?;
    Ok(())
}

async fn the_source_closes_it(world: &World, console: &WsClient, alert: &Alert) -> Result<()> {
    send(world, "resolved", FIRST, "5xx above 2 %").await?;
    let id = alert.fingerprint;
    console
        .wait_until("the end on the console", SOON, |screen| {
            !screen.alerts.contains_key(&id)
        })
        .await?;
    let stored = world.client.alert(id).await?;
    ensure!(
        stored.status == Status::Closed && stored.closed_at.is_some(),
        "the database has {stored:#?}"
    );
    let closed = world.client.alerts("state=closed").await?;
    ensure!(
        closed.iter().any(|alert| alert.fingerprint == id),
        "the list has {closed:#?}"
    );
    Ok(())
}

/// The alert is snoozed: a close follows every open all the same.
async fn everybody_is_told_of_the_end(world: &World, told: &Told) -> Result<()> {
    let message = world
        .slack
        .message("the end in Slack", SOON, |message| {
            message.ts == told.slack_ts && says_closed(&message.text())
        })
        .await?;
    let messages = world.slack.read(|seen| seen.messages.len());
    ensure!(
        messages == 1,
        "one alert, one message, not {messages}, the first of which is {message:#?}"
    );
    let mail = world
        .smtp
        .mail("the end by mail", SOON, |mail| {
            says_closed(mail.header("subject"))
        })
        .await?;
    let thread = format!("{} {}", mail.header("references"), mail.header("in-reply-to"));
    ensure!(
        thread.contains(told.mail.header("message-id")),
        "not in the thread of {:#?}: {mail:#?}",
        told.mail
    );
    world
        .webhook
        .message("the end at the webhook receiver", SOON, |message| {
            is_about(&message.body, "alert.closed")
        })
        .await?;
    world.webhook.read(|seen| {
        ensure!(seen.refused.is_empty(), "the receiver refused {:?}", seen.refused);
        ensure!(
            seen.messages.len() > told.webhooks,
            "it was told no more than the opening"
        );
        Ok(())
    })?;
    world.slack.read(|seen| {
        ensure!(seen.refused.is_empty(), "Slack refused {:?}", seen.refused);
        Ok(())
    })
}

fn says_closed(text: &str) -> bool {
    text.contains("[closed]")
}

async fn the_history_tells_it_all(world: &World, alert: &Alert) -> Result<()> {
    let id = alert.fingerprint;
    let rows = settled(world, id, 3).await?;
    ensure!(
        rows.iter().all(|row| row["state"] == "closed"),
        "the ledger has {rows:#?}"
    );
    let history = world.client.history(id).await?;
    let kinds: Vec<_> = history.iter().map(|entry| entry.kind).collect();
    let story = [
        HistoryKind::Opened,
        HistoryKind::Notifying,
        HistoryKind::Acknowledged,
        HistoryKind::Unacknowledged,
        HistoryKind::Assigned,
        HistoryKind::Unassigned,
        HistoryKind::Commented,
        HistoryKind::Snoozed,
        HistoryKind::Closed,
    ];
    let mut rest = kinds.iter();
    ensure!(
        story.iter().all(|kind| rest.any(|found| found == kind)),
        "the history is {history:#?}"
    );
    let count = |kind| kinds.iter().filter(|found| **found == kind).count();
    ensure!(
        count(HistoryKind::Notifying) == 3,
        "three were to be told: {history:#?}"
    );
    for what in ["opening delivered", "close delivered"] {
        let told = history
            .iter()
            .filter(|entry| entry.message.starts_with(what))
            .count();
        ensure!(told == 3, "{what} {told} times: {history:#?}");
    }
    ensure!(
        count(HistoryKind::NotDelivered) == 0,
        "somebody was not told: {history:#?}"
    );
    ensure!(
        history
            .iter()
            .map(|entry| entry.sequence)
            .eq(1..=history.len() as u64),
        "gaps in {history:#?}"
    );
    let acknowledged = history
        .iter()
        .find(|entry| entry.kind == HistoryKind::Acknowledged);
    let acknowledged = acknowledged.context("no acknowledgement in the history")?;
    ensure!(
        acknowledged.actor == format!("operator {OPERATOR}") && acknowledged.message.contains("on it"),
        "who acknowledged it, and why: {acknowledged:?}"
    );
    Ok(())
}

/// The ledger of an alert, when it has so many rows and nothing more will happen to them.
async fn settled(world: &World, id: schemas::Fingerprint, count: usize) -> Result<Vec<Value>> {
    let mut last = Value::Null;
    let settled = until("the ledger is settled", SOON, async || {
        last = world.client.notifications(id).await?;
        let rows = last["notifications"].as_array().cloned().context("no list")?;
        let done = rows
            .iter()
            .all(|row| matches!(row["state"].as_str(), Some("closed" | "failed" | "not_closed")));
        Ok((done && rows.len() == count).then_some(rows))
    });
    let settled = settled.await;
    settled.with_context(|| format!("the ledger has {last:#}"))
}

async fn it_opens_again_and_an_operator_closes_it(
    world: &World,
    console: &WsClient,
    alert: &Alert,
) -> Result<()> {
    let id = alert.fingerprint;
    // A snooze that is not sticky ends with the episode.
    send(world, "firing", SECOND, "5xx above 3 %").await?;
    let like = |screen: &tests::live::Screen| screen.alerts.get(&id).is_some_and(|alert| alert.episode == 2);
    console
        .wait_until("the second episode on the console", SOON, like)
        .await?;
    let three = |message: &&tests::mocks::webhook::Message| is_about(&message.body, "alert.opened");
    let look = async || {
        let slack = world.slack.read(|seen| seen.messages.len());
        let webhooks = world
            .webhook
            .read(|seen| seen.messages.iter().filter(three).count());
        Ok((slack == 2 && webhooks == 2 && world.smtp.mails().len() >= 3).then_some(()))
    };
    until("everybody is told of the second episode", SOON, look).await?;
    let now = world
        .client
        .acted(
            "resolve",
            id,
            OPERATOR,
            "key-resolve",
            json!({ "comment": "rolled back" }),
        )
        .await?;
    ensure!(now.status == Status::Closed, "answered {now:#?}");
    console
        .wait_until("the end on the console", SOON, |screen| {
            !screen.alerts.contains_key(&id)
        })
        .await?;
    let rows = settled(world, id, 6).await?;
    ensure!(
        rows.iter().all(|row| row["state"] == "closed"),
        "the ledger has {rows:#?}"
    );
    Ok(())
}

/// One alert lives for longer than the delay of its step, even if the daemon is killed meanwhile; the other does not.
async fn a_late_step_is_done_in_time_or_cancelled(world: &mut World) -> Result<()> {
    let send = async |client: &Client, name: &str, severity: &str| {
        let body = json!({ "alert_name": name, "alert_severity": severity, "source": "late", "object": "web-1", "notification_output": "x" });
        client.ingest("api", keys::LATER, &body).await?.events()
    };
    let client = world.client.clone();
    send(&client, "ShortLived", "critical").await?;
    send(&client, "ShortLived", "ok").await?;
    send(&client, "LongLived", "critical").await?;
    let opened = until("the opening", SOON, async || {
        let alerts = client.alerts("text=LongLived").await?;
        Ok(alerts.into_iter().next())
    });
    let opened = opened.await?;
    let daemon = world.stage("daemon")?;
    daemon.kill();
    daemon.spawn()?;
    let told = |message: &slack::Message| message.channel == "CLATER" && message.text().contains("LongLived");
    world.slack.message("the late step", SOON, told).await?;
    let since = Timestamp::now().duration_since(opened.opened_at);
    ensure!(
        since >= SignedDuration::from_secs(2),
        "told {since} after the opening, not two seconds"
    );
    world.ready(SOON).await?;
    send(&client, "LongLived", "ok").await?;
    settled(world, opened.fingerprint, 1).await?;
    let early = world.slack.read(|seen| {
        seen.messages
            .iter()
            .any(|message| message.text().contains("ShortLived"))
    });
    ensure!(!early, "a step was done for an alert that had ended before");
    Ok(())
}

/// Applying twice changes nothing, a mistake is shown where it is and nothing is applied, and a change is followed
/// without a restart.
async fn the_site_is_code(world: &World) -> Result<()> {
    let site = world.site();
    let (taken, said) = world.apply(&site, &[]).await?;
    ensure!(taken && said.contains("Nothing differs"), "applied twice: {said}");
    let wrong = site.replace("channel: email", "channel: pigeon");
    let line = wrong
        .lines()
        .position(|line| line.contains("channel: pigeon"))
        .context("no such line")?
        + 1;
    let (taken, said) = world.apply(&wrong, &[]).await?;
    ensure!(
        !taken && said.contains(&format!("site.yaml:{line}:")),
        "a channel that is none: {said}"
    );
    let wider = site.replace(keys::LATER, "another-key-of-api-later");
    let (taken, said) = world.apply(&wider, &["--dry-run"]).await?;
    ensure!(taken && said.contains("api-later"), "what would change: {said}");
    let knock = async |key: &str| Ok::<_, anyhow::Error>(world.client.post("api", key, "").await?.status);
    ensure!(
        knock(keys::LATER).await? == StatusCode::BAD_REQUEST,
        "a dry run took a key away"
    );
    let (taken, said) = world.apply(&wider, &[]).await?;
    ensure!(taken, "a key is changed: {said}");
    let changed = async || {
        let (old, new) = (
            knock(keys::LATER).await?,
            knock("another-key-of-api-later").await?,
        );
        Ok((old == StatusCode::UNAUTHORIZED && new == StatusCode::BAD_REQUEST).then_some(()))
    };
    until("the new key instead of the old", SOON, changed).await
}

async fn every_stage_has_measured_it(world: &mut World) -> Result<()> {
    let with_aggregator = world
        .services
        .as_ref()
        .is_none_or(|services| services.aerospike.is_some());
    let measured = [
        (
            "collectors",
            "reveille_collectors_events_total",
            "source=\"prometheus\"",
        ),
        ("decorator", "reveille_stage_records_total", "stage=\"decorator\""),
        ("daemon", "reveille_stage_records_total", "stage=\"daemon\""),
        (
            "daemon",
            "reveille_hop_seconds_count",
            "hop=\"accepted_to_committed\"",
        ),
        (
            "aggregator",
            "reveille_hop_seconds_count",
            "hop=\"accepted_to_view\"",
        ),
        ("bridge", "reveille_bridge_accept_to_screen_seconds_count", ""),
        (
            "notifiers",
            "reveille_hop_seconds_count",
            "hop=\"accepted_to_sent\"",
        ),
        ("notifiers", "reveille_notifications_total", "channel=\"slack\""),
        ("notifiers", "reveille_notifications_total", "channel=\"email\""),
        ("notifiers", "reveille_notifications_total", "channel=\"webhook\""),
    ];
    for (stage, metric, labels) in measured {
        if stage == "aggregator" && !with_aggregator {
            continue;
        }
        let count = world.stage(stage)?.metric(metric, labels).await?;
        ensure!(
            count.is_some_and(|count| count > 0.0),
            "{stage}: {metric}{{{labels}}} is {count:?}"
        );
    }
    for stage in &world.stages {
        let health = stage.admin("/healthz").await?;
        ensure!(health.status.is_success(), "{} says {health:?}", stage.name());
    }
    Ok(())
}

async fn every_stage_ends_when_asked(world: &mut World) -> Result<()> {
    for stage in &mut world.stages {
        let status = stage.terminate(SOON).await?;
        ensure!(
            status.success(),
            "{} ended with {status}; see {}",
            stage.name(),
            stage.log().display()
        );
    }
    Ok(())
}
