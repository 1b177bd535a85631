//! Faults of single parts where they are: receivers and mail servers that hang, a record that the broker refuses, a row that
//! cannot be read, a publisher that is held up. All others go on.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use schemas::{Alert, HistoryKind};
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::site::{ENVIRONMENT, keys};
use tests::waiting::until;
use tests::{World, places, skipped};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const NOTICE: Duration = Duration::from_secs(30);
/// How long all may take to arrive that waited for a part.
const ARRIVAL: Duration = Duration::from_secs(120);

fn alert(name: &str, object: &str, output: &str) -> Value {
    json!({
        "alert_name": name, "alert_severity": "critical", "source": "faults", "object": object,
        "notification_output": output,
    })
}

async fn post(client: &Client, key: &str, body: &Value) -> Result<Answer> {
    let answer = client.ingest("api", key, body).await?;
    answer.events()?;
    Ok(answer)
}

/// A listener that takes every connection and says nothing.
struct Hanging {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Hanging {
    /// At an address of its own: receivers are told apart by their host.
    async fn start(host: &str) -> Result<Self> {
        let address: SocketAddr = format!("{host}:{}", places::free_port()?).parse()?;
        let listener = TcpListener::bind(address)
            .await
            .context("listening at another address of loopback")?;
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// With the site's entries, further ones.
fn with_more(site: &str, more: &[(&str, String)]) -> String {
    let mut site = site.replace(
        "destination: \"ops@example.org\"",
        "destination: \"ops@example.org\", bot: mail",
    );
    for (section, entries) in more {
        site = site.replacen(&format!("{section}:\n"), &format!("{section}:\n{entries}"), 1);
    }
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn l9_receivers_and_mail_servers_that_hang_hold_up_no_others() -> Result<()> {
    const RECEIVERS: usize = 8;
    const ALERTS_OF_EACH: usize = 100;
    const RECIPIENTS: usize = 12;
    /// A page takes a moment; one that waits for a slot of a receiver that hangs, ten seconds and more.
    const AT_ONCE: Duration = Duration::from_secs(5);
    let _turn = tests::alone().await;
    let mut world = World::on_up("faults-hanging").await?;
    let client = world.client.clone();
    let mut hanging = Vec::new();
    let (mut scenarios, mut integrations) = (String::new(), String::new());
    for number in 0..RECEIVERS {
        let receiver = Hanging::start(&format!("127.0.0.{}", number + 2)).await?;
        let url = format!("http://{}/", receiver.address);
        scenarios.push_str(&format!(
            "  - {{name: hangs-{number}, steps: [{{channel: webhook, destination: \"{url}\"}}]}}\n"
        ));
        integrations.push_str(&format!(
            "  - {{name: hangs-{number}, type: api, environment: {ENVIRONMENT}, scenario: hangs-{number}, \
             key: key-of-what-hangs-{number}}}\n"
        ));
        hanging.push(receiver);
    }
    let mails = Hanging::start("127.0.0.40").await?;
    let steps = (0..RECIPIENTS).map(|number| {
        format!("{{channel: email, destination: \"hangs-{number}@example.org\", bot: mail-that-hangs}}")
    });
    let steps = steps.collect::<Vec<_>>().join(", ");
    scenarios.push_str(&format!("  - {{name: mail-hangs, steps: [{steps}]}}\n"));
    integrations.push_str(&format!(
        "  - {{name: mail-hangs, type: api, environment: {ENVIRONMENT}, scenario: mail-hangs, key: key-of-mail-that-hangs}}\n"
    ));
    let (host, port) = (mails.address.ip(), mails.address.port());
    let bots = format!(
        "  - {{name: mail-that-hangs, channel: email, settings: {{host: {host}, port: \"{port}\", tls: none, \
         from: \"reveille@example.org\"}}, secrets: {{}}}}\n"
    );
    let site = with_more(
        &world.site(),
        &[
            ("scenarios", scenarios),
            ("integrations", integrations),
            ("bots", bots),
        ],
    );
    let (taken, said) = world.apply(&site, &[]).await?;
    ensure!(taken, "the site was not applied: {said}");
    until("the collectors know the site", NOTICE, async || {
        let answer = client.post("api", "key-of-mail-that-hangs", "").await?;
        Ok((answer.status == StatusCode::BAD_REQUEST).then_some(()))
    })
    .await?;

    post(&client, "key-of-mail-that-hangs", &alert("Hangs", "mail", "x")).await?;
    for number in 0..RECEIVERS {
        for object in 0..ALERTS_OF_EACH {
            let object = format!("{number}-{object}");
            post(
                &client,
                &format!("key-of-what-hangs-{number}"),
                &alert("Hangs", &object, "x"),
            )
            .await?;
        }
    }
    for number in 0..5 {
        let (name, told_at) = (format!("Well {number}"), Instant::now());
        post(&client, keys::API, &alert(&name, "web-1", "x")).await?;
        let like = |message: &tests::mocks::webhook::Message| message.body.to_string().contains(&name);
        world
            .webhook
            .message("the page of a receiver that is well", NOTICE, like)
            .await?;
        let like = |mail: &tests::mocks::smtp::Mail| mail.header("subject").contains(&name);
        world
            .smtp
            .mail("the mail by a server that is well", NOTICE, like)
            .await?;
        let took = told_at.elapsed();
        ensure!(took < AT_ONCE, "page {number} took {took:?}");
    }
    world.all_alive()
}

#[tokio::test(flavor = "multi_thread")]
async fn l8_a_record_that_kafka_refuses_for_good_holds_up_no_other_in_the_spool() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(mut world) = World::on_real_services("faults-refused", 1).await? else {
        skipped("the record that Kafka refuses", "Kafka and MariaDB are needed");
        return Ok(());
    };
    let client = world.client.clone();
    let services = world.services.as_mut().context("the services")?;
    if !services.kafka.is_own() {
        skipped("the record that Kafka refuses", "the broker is not ours to stop");
        return Ok(());
    }
    services
        .kafka
        .set_topic("alerts.collected", "max.message.bytes=8000")
        .await?;
    services.kafka.kill()?;
    world.stage("collectors")?.waits("log", NOTICE).await?;
    // Within the collectors' bounds, and over the topic's however it is compressed.
    let text: String = (0..15_000)
        .map(|_| char::from(rand::random_range(b'0'..=b'z')))
        .collect();
    let large = alert("Large", "large", &text);
    for (name, body) in [
        ("before", alert("Small", "before", "x")),
        ("large", large),
        ("behind", alert("Small", "behind", "x")),
    ] {
        let answer = post(&client, keys::MACHINES, &body).await;
        answer.with_context(|| format!("{name} was not taken into the spool"))?;
    }
    let waiting = world
        .stage("collectors")?
        .metric("reveille_spool_records", "")
        .await?;
    ensure!(waiting >= Some(3.0), "{waiting:?} records wait in the spool");
    let services = world.services.as_mut().context("the services")?;
    services.kafka.start_again().await?;
    world.ready(ARRIVAL).await?;
    until("all that is not too large", ARRIVAL, async || {
        Ok((client.alerts("text=Small").await?.len() == 2).then_some(()))
    })
    .await?;
    ensure!(
        client.alerts("text=Large").await?.is_empty(),
        "the broker took it all the same"
    );
    until("the spool is empty", ARRIVAL, async || {
        let waiting = world
            .stage("collectors")?
            .metric("reveille_spool_records", "")
            .await?;
        Ok((waiting == Some(0.0)).then_some(()))
    })
    .await?;
    post(&client, keys::MACHINES, &alert("Small", "later", "x")).await?;
    until("what comes later", ARRIVAL, async || {
        Ok((client.alerts("text=Small").await?.len() == 3).then_some(()))
    })
    .await?;
    world.all_alive()
}

#[tokio::test(flavor = "multi_thread")]
async fn l7_a_row_that_was_edited_in_the_database_of_up_holds_up_no_other() -> Result<()> {
    const ALERTS: usize = 40;
    let _turn = tests::alone().await;
    let Some(sqlite) = places::program("sqlite3") else {
        skipped("the row that cannot be read", "sqlite3 is not on PATH");
        return Ok(());
    };
    let mut world = World::on_up("faults-row").await?;
    let client = world.client.clone();
    let say = async |output: &str| {
        for number in 0..ALERTS {
            post(
                &client,
                keys::MACHINES,
                &alert("Row", &format!("row-{number}"), output),
            )
            .await?;
        }
        Ok::<_, anyhow::Error>(())
    };
    let with_output = async |output: &str| {
        let alerts = client.alerts("text=Row").await?;
        Ok::<_, anyhow::Error>(
            alerts
                .into_iter()
                .filter(|alert| alert.output == output)
                .collect::<Vec<Alert>>(),
        )
    };
    say("first").await?;
    until("all alerts", NOTICE, async || {
        Ok((with_output("first").await?.len() == ALERTS).then_some(()))
    })
    .await?;
    let row = with_output("first").await?.remove(0).fingerprint;
    // As a newer version might write it.
    let edit = format!(
        "PRAGMA busy_timeout = 5000; UPDATE alerts SET document = replace(document, '\"severity\":\"critical\"', \
         '\"severity\":\"apocalyptic\"') WHERE fingerprint = '{row}';"
    );
    let database = database_of(&world)?;
    let edited = Command::new(sqlite).arg(&database).arg(&edit).output()?;
    ensure!(
        edited.status.success(),
        "{}",
        String::from_utf8_lossy(&edited.stderr)
    );
    ensure!(
        client.alerts("text=Row").await?.len() == ALERTS - 1,
        "the list of the running process is not that of the rows that can be read"
    );

    // What the daemon remembers is gone with its process.
    let up = world.stage("up")?;
    up.terminate(NOTICE).await?;
    up.spawn()?;
    world.ready(ARRIVAL).await?;
    say("second").await?;
    until("all others", ARRIVAL, async || {
        Ok((with_output("second").await?.len() == ALERTS - 1).then_some(()))
    })
    .await?;
    let console = world.console().await?;
    console
        .wait_until("a console with all others", NOTICE, |screen| {
            screen.complete && screen.alerts.len() == ALERTS - 1
        })
        .await?;
    let up = world.stage("up")?;
    let unreadable = up.metric("reveille_store_unreadable_rows", "alerts").await?;
    ensure!(unreadable == Some(1.0), "{unreadable:?} rows cannot be read");
    let said = up.admin("/readyz").await?.body.to_string();
    ensure!(
        said.contains(&row.to_string()),
        "/readyz does not name the row: {said}"
    );
    let answer = client.act("acknowledge", row, "ann", "l7", json!({})).await?;
    ensure!(
        !answer.body.to_string().contains("\"applied\""),
        "an action on it was applied: {answer:?}"
    );
    world.all_alive()
}

/// The file of `up`'s database.
fn database_of(world: &World) -> Result<std::path::PathBuf> {
    let folder = world.folder("up")?;
    let files = std::fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_database = |path: &std::path::PathBuf| {
        let beginning = std::fs::read(path).unwrap_or_default();
        beginning.starts_with(b"SQLite format 3")
    };
    let mut files = files.filter(|path| path.is_file());
    files
        .find(is_database)
        .with_context(|| format!("no database in {}", folder.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn l4_two_apis_of_which_each_is_held_up_take_nothing_back_of_each_other() -> Result<()> {
    const SILENCES: usize = 24;
    const HELD_UP: Duration = Duration::from_millis(100);
    let _turn = tests::alone().await;
    let Some(mut world) = World::on_real_services("faults-publishers", 1).await? else {
        skipped("the publisher that is held up", "Kafka and MariaDB are needed");
        return Ok(());
    };
    let other = world.another_api()?;
    world.ready(ARRIVAL).await?;
    let apis: Vec<u32> = world
        .stages
        .iter()
        .filter(|stage| stage.name() == "api")
        .filter_map(tests::stage::Stage::id)
        .collect();
    let clients = [world.client.clone(), other];
    let now = jiff::Timestamp::now();
    let ends = now.checked_add(jiff::SignedDuration::from_hours(1))?;
    let silence = |number: usize| {
        json!({
            "matchers": [
                { "name": "alertname", "value": format!("Silenced {number} .*"), "isRegex": true, "isEqual": true },
            ],
            "startsAt": now.to_string(), "endsAt": ends.to_string(), "createdBy": "ann", "comment": "two publishers",
        })
    };
    for number in (0..SILENCES).step_by(2) {
        // One stands still with its request in work, while the other changes the site.
        let (held, quick) = (number / 2 % 2, 1 - number / 2 % 2);
        let request = tokio::spawn({
            let (client, body) = (clients[held].clone(), silence(number));
            async move { client.send_to_api("/api/v2/silences", &body).await }
        });
        tokio::time::sleep(Duration::from_millis(u64::try_from(number)? * 2)).await;
        signal("STOP", apis[held])?;
        let body = silence(number + 1);
        let changed = clients[quick].send_to_api("/api/v2/silences", &body);
        // The one that stands still may hold a lock of the database: it goes on before the wait for
        // that lock ends, whether or not the other has its answer.
        let (changed, continued) = tokio::join!(changed, async {
            tokio::time::sleep(HELD_UP).await;
            signal("CONT", apis[held])
        });
        continued?;
        for answer in [changed?, request.await??] {
            ensure!(answer.status.is_success(), "{answer:?}");
        }
    }
    // The daemon hears of the last ones a moment later; then it has heard of all others.
    let mut attempt = 0;
    for number in [SILENCES - 2, SILENCES - 1] {
        until("the last silences hold", NOTICE, async || {
            attempt += 1;
            let is_held = is_silenced(&world.client, number, &format!("attempt-{attempt}")).await?;
            Ok(is_held.then_some(()))
        })
        .await?;
    }
    for number in 0..SILENCES {
        ensure!(
            is_silenced(&world.client, number, "once").await?,
            "silence {number} was taken back"
        );
    }
    world.all_alive()
}

/// Whether a new alert is held back by the silence of its name.
async fn is_silenced(client: &Client, number: usize, object: &str) -> Result<bool> {
    let name = format!("Silenced {number} {object}");
    let body = alert(&name, object, "x");
    post(client, keys::MACHINES, &body).await?;
    until("its step is evaluated", NOTICE, async || {
        let alerts = client.alerts("text=Silenced").await?;
        let Some(alert) = alerts.into_iter().find(|alert| alert.name == name) else {
            return Ok(None);
        };
        let history = client.history(alert.fingerprint).await?;
        let line = history
            .into_iter()
            .find(|line| matches!(line.kind, HistoryKind::HeldBack | HistoryKind::Notifying));
        Ok(line.map(|line| line.message.contains("silenced by ann")))
    })
    .await
}

fn signal(name: &str, process: u32) -> Result<()> {
    let status = Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status()?;
    ensure!(status.success(), "SIG{name} did not reach {process}");
    Ok(())
}
