//! Programs that others made, as Debian has them, raise an alert and clear it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use schemas::{Alert, Severity, Status};
use serde_json::{Value, json};
use tests::process::Process;
use tests::site::keys;
use tests::waiting::until;
use tests::{World, places, skipped};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

const SOON: Duration = Duration::from_secs(20);
/// An alert that ends by itself ends some seconds after its time.
const LATER: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn collectd_raises_an_alert_and_clears_it() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(program) = places::program("collectd") else {
        skipped(
            "collectd",
            "it is not on PATH (Debian: collectd-core, libriemann-client0)",
        );
        return Ok(());
    };
    let mut world = World::on_up("senders-collectd").await?;
    let mut collectd = Collectd::start(&world, &program).await?;
    collectd.measured("used interval=10", 97).await?;
    let name = "df-var/percent_bytes-used";
    let opened = alert(&world, name, Status::Open, SOON).await?;
    ensure!(
        opened.severity == Severity::Critical
            && opened.object == "db-1"
            && opened.integration == "riemann-collectd"
            && opened.labels["tags"] == "production",
        "{opened:?}"
    );
    collectd.measured("used interval=10", 90).await?;
    until("the severity is lower", SOON, async || {
        let alert = world.client.alert(opened.fingerprint).await?;
        Ok((alert.severity == Severity::Warning).then_some(()))
    })
    .await?;
    collectd.measured("used interval=10", 50).await?;
    let closed = alert(&world, name, Status::Closed, SOON).await?;
    ensure!(closed.fingerprint == opened.fingerprint, "{closed:?}");
    // It is measured every second, and then no more.
    collectd.measured("free interval=1", 97).await?;
    let name = "df-var/percent_bytes-free";
    alert(&world, name, Status::Open, SOON).await?;
    alert(&world, name, Status::Closed, LATER).await?;
    world.all_alive()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_raises_an_alert_and_clears_it() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(program) = places::program("swaks") else {
        skipped("mail", "swaks is not on PATH");
        return Ok(());
    };
    let mut world = World::on_up("senders-mail").await?;
    let said = mailed(
        &world,
        &program,
        "** PROBLEM Service Alert: web-1/http is CRITICAL **",
    )
    .await?;
    ensure!(said.contains("250 2.0.0 the alert is safe"), "{said}");
    let name = "Service web-1/http";
    let opened = alert(&world, name, Status::Open, SOON).await?;
    ensure!(
        opened.severity == Severity::Critical
            && opened.integration == "email-nagios"
            && opened.source == "nagios@mon-1.example.org"
            && opened.output == "from 3 s to 20 s",
        "{opened:?}"
    );
    let said = mailed(&world, &program, "a note on web-1").await?;
    ensure!(
        said.contains("554 5.6.0 subject \"a note on web-1\" does not begin with a state"),
        "{said}"
    );
    mailed(&world, &program, "** RECOVERY Service Alert: web-1/http is OK **").await?;
    let closed = alert(&world, name, Status::Closed, SOON).await?;
    ensure!(closed.fingerprint == opened.fingerprint, "{closed:?}");
    world.all_alive()
}

/// Sends mail; answers what both sides have said.
async fn mailed(world: &World, program: &Path, subject: &str) -> Result<String> {
    let mut command = Command::new(program);
    command
        .args([
            "--server",
            "127.0.0.1",
            "--port",
            &world.mail()?.port().to_string(),
        ])
        .args(["--from", "nagios@mon-1.example.org"])
        .args(["--to", &format!("nagios+{}@reveille.example.org", keys::EMAIL)])
        .args([
            "--header",
            &format!("Subject: {subject}"),
            "--body",
            "from 3 s to 20 s",
        ]);
    let mut process = world.beside("swaks", command)?;
    process.wait(SOON).await?;
    Ok(process.last_words())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_raises_an_alert_and_clears_it() -> Result<()> {
    let _turn = tests::alone().await;
    let (Some(broker), Some(publisher)) = (places::program("mosquitto"), places::program("mosquitto_pub"))
    else {
        skipped("MQTT", "mosquitto or mosquitto_pub is not on PATH");
        return Ok(());
    };
    let mut world = World::on_up("senders-mqtt").await?;
    let mut command = Command::new(broker);
    command.args(["-p", &world.mqtt()?.port().to_string()]);
    let _broker = world.beside("mosquitto", command)?;
    let publish = async |topic: &str, message: &str| published(&world, &publisher, topic, message).await;
    until("the topics are subscribed to", LATER, async || {
        // Nobody hears what is published before that.
        publish("tele/boiler/LWT", "Offline").await?;
        let alerts = world.client.alerts("").await?;
        Ok(alerts.into_iter().find(|alert| alert.object == "boiler"))
    })
    .await?;
    publish("tele/boiler/LWT", "Online").await?;
    let presence = alert(&world, "device away", Status::Closed, SOON).await?;
    ensure!(presence.integration == "mqtt-presence", "{presence:?}");
    let backup = |severity: &str| {
        format!(
            r#"{{"alert_name":"backup late","alert_severity":"{severity}","source":"bacula","object":"db-1","notification_output":"10 h late"}}"#
        )
    };
    publish("backups/db-1", &backup("warning")).await?;
    let opened = alert(&world, "backup late", Status::Open, SOON).await?;
    ensure!(
        opened.severity == Severity::Warning && opened.integration == "mqtt-backups",
        "{opened:?}"
    );
    publish("backups/db-1", "no JSON").await?;
    until("what cannot be used is kept", SOON, async || {
        let (listed, said) = world.command(&["rejected", "list"]).await?;
        ensure!(listed, "{said}");
        Ok(said.contains("mqtt-backups").then_some(()))
    })
    .await?;
    // The broker keeps what is published while nobody is there.
    world.stage("up")?.kill();
    published(&world, &publisher, "backups/db-1", &backup("ok")).await?;
    world.stage("up")?.spawn()?;
    world.ready(LATER).await?;
    let closed = alert(&world, "backup late", Status::Closed, SOON).await?;
    ensure!(closed.fingerprint == opened.fingerprint, "{closed:?}");
    world.all_alive()
}

/// Publishes a message, and waits until the broker has it.
async fn published(world: &World, publisher: &Path, topic: &str, message: &str) -> Result<()> {
    let mut command = Command::new(publisher);
    command
        .args(["-p", &world.mqtt()?.port().to_string()])
        .args(["-q", "1", "-t", topic, "-m", message]);
    world.beside("mosquitto_pub", command)?.wait(SOON).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_pages_us_as_opsgenie_and_what_is_amended_holds() -> Result<()> {
    let _turn = tests::alone().await;
    let Some(program) = places::program("prometheus-alertmanager") else {
        skipped("Opsgenie's API", "prometheus-alertmanager is not on PATH");
        return Ok(());
    };
    let mut world = World::on_up("senders-opsgenie").await?;
    let alertmanager = Alertmanager::start(&world, &program).await?;
    alertmanager.says("DiskFull", "db-1", "91 %", false).await?;
    let opened = alert(&world, "DiskFull", Status::Open, SOON).await?;
    ensure!(
        opened.severity == Severity::Warning
            && opened.output == "db-1: 91 % "
            && opened.integration == "opsgenie-alertmanager",
        "{opened:?}"
    );
    // Somebody knows better, and a note comes right behind.
    let alias = &opened.labels["alias"];
    opsgenie(
        &world,
        Method::PUT,
        alias,
        "priority",
        json!({ "priority": "P1" }),
    )
    .await?;
    opsgenie(
        &world,
        Method::POST,
        alias,
        "notes",
        json!({ "note": "the shop is down", "user": "ann" }),
    )
    .await?;
    // Its group has another alert: it creates ours anew, and then says message and description again.
    alertmanager.says("DiskFull", "db-2", "95 %", false).await?;
    let amended = until("the other description", SOON, async || {
        let alert = world.client.alert(opened.fingerprint).await?;
        Ok((alert.output == "db-1: 91 % db-2: 95 % ").then_some(alert))
    })
    .await?;
    ensure!(
        amended.severity == Severity::Urgent && amended.comment.as_deref() == Some("the shop is down"),
        "{amended:?}"
    );
    for object in ["db-1", "db-2"] {
        alertmanager.says("DiskFull", object, "over", true).await?;
    }
    let closed = alert(&world, "DiskFull", Status::Closed, SOON).await?;
    ensure!(closed.fingerprint == opened.fingerprint, "{closed:?}");
    world.all_alive()
}

/// What a client of Opsgenie's does to an alert.
async fn opsgenie(world: &World, method: Method, alias: &str, deed: &str, body: Value) -> Result<()> {
    let console = world.console_url();
    let url = format!("{console}/v2/alerts/{alias}/{deed}?identifierType=alias");
    let request = reqwest::Client::new()
        .request(method, url)
        .header("authorization", format!("GenieKey {}", keys::OPSGENIE))
        .json(&body);
    request.send().await?.error_for_status()?;
    Ok(())
}

/// An Alertmanager that pages through Opsgenie, and takes us for that.
struct Alertmanager {
    _process: Process,
    alerts: String,
}

impl Alertmanager {
    async fn start(world: &World, program: &Path) -> Result<Self> {
        let folder = world.folder("alertmanager")?;
        let settings = folder.join("alertmanager.yml");
        let (url, key) = (world.console_url(), keys::OPSGENIE);
        let receiver = format!(
            "{{api_url: \"{url}\", api_key: {key}, update_alerts: true, message: \"{{{{ .CommonLabels.alertname }}}}\", \
             description: \"{{{{ range .Alerts }}}}{{{{ .Labels.host }}}}: {{{{ .Annotations.summary }}}} {{{{ end }}}}\"}}"
        );
        let configuration = format!(
            "route: {{receiver: opsgenie, group_by: [alertname], group_wait: 1s, group_interval: 1s}}
receivers:
  - name: opsgenie
    opsgenie_configs: [{receiver}]
"
        );
        std::fs::write(&settings, configuration).context("Alertmanager's configuration")?;
        let address = places::free_address()?;
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=");
        let process = world.beside("alertmanager", command)?;
        let alerts = format!("http://{address}/api/v2/alerts");
        until("Alertmanager answers", SOON, async || {
            let answer = reqwest::get(&alerts).await;
            Ok(answer
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(()))
        })
        .await
        .with_context(|| process.last_words())?;
        Ok(Self {
            _process: process,
            alerts,
        })
    }

    /// Tells it of an alert, or of its end.
    async fn says(&self, name: &str, host: &str, summary: &str, ended: bool) -> Result<()> {
        let mut alert = json!({
            "labels": { "alertname": name, "host": host },
            "annotations": { "summary": summary },
        });
        if ended {
            alert["endsAt"] = json!(jiff::Timestamp::now().to_string());
        }
        let told = reqwest::Client::new().post(&self.alerts).json(&json!([alert]));
        told.send().await?.error_for_status()?;
        Ok(())
    }
}

/// The alert of this name, when it is in this state.
async fn alert(world: &World, name: &str, status: Status, within: Duration) -> Result<Alert> {
    until(&format!("{name} is {status:?}"), within, async || {
        let alerts = world.client.alerts("state=any").await?;
        Ok(alerts
            .into_iter()
            .find(|alert| alert.name == name && alert.status == status))
    })
    .await
}

/// collectd with thresholds for what it is told to have measured.
struct Collectd {
    _process: Process,
    socket: BufReader<UnixStream>,
}

impl Collectd {
    async fn start(world: &World, program: &Path) -> Result<Self> {
        let folder = world.folder("collectd")?;
        // The name of a socket must be short, so it stands in the folder in which collectd runs.
        let settings = folder.join("collectd.conf");
        let riemann = world.riemann()?;
        std::fs::write(&settings, configuration(riemann.port())).context("collectd's configuration")?;
        let mut command = Command::new(program);
        command
            .arg("-f")
            .arg("-C")
            .arg(&settings)
            .arg("-P")
            .arg(folder.join("pid"));
        command.current_dir(&folder);
        let process = world.beside("collectd", command)?;
        let stream = until("collectd listens", SOON, async || {
            Ok(Some(UnixStream::connect(folder.join("socket")).await?))
        })
        .await
        .with_context(|| process.last_words())?;
        Ok(Self {
            _process: process,
            socket: BufReader::new(stream),
        })
    }

    /// Lets collectd have measured how full a disk is.
    async fn measured(&mut self, what: &str, percent: u32) -> Result<()> {
        let line = format!("PUTVAL db-1/df-var/percent_bytes-{what} N:{percent}\n");
        self.socket.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        self.socket.read_line(&mut answer).await?;
        ensure!(answer.starts_with("0 "), "collectd says {answer}");
        Ok(())
    }
}

fn configuration(port: u16) -> String {
    format!(
        r#"
Hostname "db-1"
FQDNLookup false
BaseDir "."
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File stderr
</Plugin>
LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "socket"
</Plugin>
LoadPlugin threshold
<Plugin threshold>
  <Plugin "df">
    <Type "percent_bytes">
      WarningMax 80
      FailureMax 95
    </Type>
  </Plugin>
</Plugin>
LoadPlugin write_riemann
<Plugin write_riemann>
  <Node "reveille">
    Host "127.0.0.1"
    Port "{port}"
    Protocol TCP
    CheckThresholds true
    Notifications false
    Batch false
  </Node>
  Tag "production"
  Attribute "integration_key" "{key}"
</Plugin>
"#,
        key = keys::RIEMANN,
    )
}
