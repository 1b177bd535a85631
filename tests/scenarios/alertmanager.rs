//! Programs that speak to an Alertmanager take us for one: Debian's Prometheus sends, `amtool` asks and silences.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use schemas::{Alert, HistoryKind, Status};
use serde_json::Value;
use tests::mocks::listener::Listener;
use tests::process::Process;
use tests::recorded::Recorded;
use tests::site::keys;
use tests::waiting::until;
use tests::{World, places, skipped};

/// Prometheus evaluates and scrapes every second here; the limit is for a machine that is busy with something else.
const SOON: Duration = Duration::from_secs(60);
const NAME: &str = "BrokenDisk";
const RULES: &str = r#"groups:
  - name: disks
    rules:
      - alert: BrokenDisk
        expr: broken == 1
        labels: {severity: critical}
        annotations: {summary: "the disk is broken"}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_and_amtool_take_us_for_an_alertmanager() -> Result<()> {
    let _turn = tests::alone().await;
    let (Some(prometheus), Some(amtool)) = (places::program("prometheus"), places::program("amtool")) else {
        skipped(
            "Prometheus and amtool against us",
            "Debian's packages prometheus and prometheus-alertmanager are needed",
        );
        return Ok(());
    };
    let mut world = World::on_up("alertmanager").await?;
    let amtool = Amtool {
        program: amtool,
        url: world.console_url(),
    };
    let silence = amtool
        .run(&[
            "silence",
            "add",
            "--author=jane",
            "--comment=new disks",
            "--duration=2h",
            "alertname=BrokenDisk",
        ])?
        .trim()
        .to_owned();

    let disk = Disk::start().await?;
    disk.broken.change(|broken| *broken = true);
    // Two of them, as a highly available pair is run.
    let folder = tempfile::tempdir()?;
    let mut pair = Vec::new();
    for name in ["prometheus-a", "prometheus-b"] {
        let folder = folder.path().join(name);
        pair.push(start_prometheus(
            &prometheus,
            name,
            &folder,
            &world,
            disk.listener.address(),
        )?);
    }
    let alert = until("the alert", SOON, async || Ok(the_alert(&world, "open").await?)).await?;
    ensure!(alert.output == "the disk is broken", "there is {alert:#?}");
    held_back(&world, &alert, &silence).await?;
    amtool_sees(&amtool, &alert, &silence)?;

    amtool.run(&["silence", "expire", &silence])?;
    told(&world, "alert.opened").await?;
    let active = amtool.json(&["alert", "query", "alertname=BrokenDisk"])?;
    ensure!(active[0]["status"]["state"] == "active", "amtool sees {active}");

    disk.broken.change(|broken| *broken = false);
    told(&world, "alert.closed").await?;
    let closed = until("the end", SOON, async || Ok(the_alert(&world, "closed").await?)).await?;
    ensure!(
        closed.fingerprint == alert.fingerprint && closed.episode == 1,
        "the two of the pair speak of one alert, and its end is one: {closed:#?}"
    );
    drop(pair);
    world.all_alive()
}

/// The alert, if it is the only one in this state.
async fn the_alert(world: &World, state: &str) -> Result<Option<Alert>> {
    let mut alerts = world.client.alerts(&format!("state={state}")).await?;
    alerts.retain(|alert| alert.name == NAME);
    ensure!(alerts.len() <= 1, "the pair made several alerts: {alerts:#?}");
    Ok(alerts.pop())
}

async fn held_back(world: &World, alert: &Alert, silence: &str) -> Result<()> {
    let history = world.client.history(alert.fingerprint).await?;
    let held_back: Vec<_> = history
        .iter()
        .filter(|entry| entry.kind == HistoryKind::HeldBack)
        .collect();
    ensure!(
        held_back.len() == 3,
        "each of three should be held back: {history:#?}"
    );
    for entry in held_back {
        let message = &entry.message;
        ensure!(
            message.contains("silenced by jane")
                && message.contains("new disks")
                && message.contains(silence),
            "the history says {message}"
        );
    }
    ensure!(
        alert.status == Status::Open && world.webhook.read(|seen| seen.messages.is_empty()),
        "somebody was told of {alert:#?}"
    );
    Ok(())
}

fn amtool_sees(amtool: &Amtool, alert: &Alert, silence: &str) -> Result<()> {
    let silences = amtool.json(&["silence", "query"])?;
    ensure!(
        silences[0]["id"] == silence
            && silences[0]["createdBy"] == "jane"
            && silences[0]["status"]["state"] == "active",
        "amtool sees {silences}"
    );
    let suppressed = amtool.json(&["alert", "query", "--silenced", "severity=critical"])?;
    ensure!(
        suppressed[0]["labels"]["alertname"] == alert.name.as_str()
            && suppressed[0]["fingerprint"]
                .as_str()
                .is_some_and(|hash| hash.len() == 16)
            && suppressed[0]["status"]["state"] == "suppressed"
            && suppressed[0]["status"]["silencedBy"][0] == silence,
        "amtool sees {suppressed}"
    );
    let others = amtool.json(&["alert", "query", "--silenced", "alertname=Other"])?;
    ensure!(
        others.as_array().is_some_and(Vec::is_empty),
        "amtool sees {others}"
    );
    let said = amtool.run(&["config", "routes", "show"])?;
    ensure!(said.contains("everybody"), "amtool shows the receivers: {said}");
    Ok(())
}

async fn told(world: &World, kind: &str) -> Result<()> {
    world
        .webhook
        .message(kind, SOON, |message| {
            message.body["data"]["name"] == NAME && message.body["type"] == kind
        })
        .await?;
    Ok(())
}

struct Amtool {
    program: PathBuf,
    url: String,
}

impl Amtool {
    fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.program)
            .arg(format!("--alertmanager.url={}", self.url))
            .args(arguments)
            .output()
            .context("starting amtool")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "amtool {arguments:?}: {said}{complaint}");
        Ok(said)
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let said = self.run(&[&["-o", "json"], arguments].concat())?;
        serde_json::from_str(&said).with_context(|| format!("amtool {arguments:?} said {said}"))
    }
}

/// What Prometheus watches.
struct Disk {
    listener: Listener,
    broken: Recorded<bool>,
}

impl Disk {
    async fn start() -> Result<Self> {
        let broken = Recorded::<bool>::default();
        let metrics = async |State(broken): State<Recorded<bool>>| {
            let broken = broken.read(|broken| u8::from(*broken));
            format!("broken {broken}\n")
        };
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .with_state(broken.clone());
        Ok(Self {
            listener: Listener::start(routes).await?,
            broken,
        })
    }
}

fn start_prometheus(
    program: &Path,
    name: &str,
    folder: &Path,
    world: &World,
    disk: SocketAddr,
) -> Result<Process> {
    std::fs::create_dir_all(folder)?;
    let reveille = world.console_url().replace("http://", "");
    let key = keys::PROMETHEUS;
    let configuration = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: disks
    static_configs: [{{targets: [\"{disk}\"]}}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: [\"{reveille}\"]}}]
      authorization: {{credentials: {key}}}
"
    );
    std::fs::write(folder.join("prometheus.yml"), configuration)?;
    std::fs::write(folder.join("rules.yml"), RULES)?;
    let mut command = Command::new(program);
    command
        .arg(format!(
            "--config.file={}",
            folder.join("prometheus.yml").display()
        ))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={}", places::free_address()?));
    Process::spawn(name, command, &places::logs(name)?.join("log"))
}
