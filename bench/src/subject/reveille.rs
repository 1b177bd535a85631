//! Starting Reveille.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use tests::client;
use tests::places;
use tests::process::Process;
use tests::services::Services;
use tests::waiting::until;

use super::{Audience, Ingest, Kind, Part, START, Subject};
use crate::bodies::{distinct, requests};
use crate::http::Connection;
use crate::sink::Sink;

/// Every stage that runs on the real services, in the order in which they are started.
const STAGES: [&str; 7] = [
    "api",
    "collectors",
    "decorator",
    "daemon",
    "aggregator",
    "bridge",
    "notifiers",
];

/// The alert that shows that the site has reached the collectors; no measurement uses its number.
const FIRST_ALERT: usize = 999_999_999;

/// Everything in one process.
pub(super) async fn up(logs: &Path) -> Result<Subject> {
    let (listen, admin) = (places::free_address()?, places::free_address()?);
    let data = folder()?;
    let mut command = reveille()?;
    command.arg("up").arg("--data").arg(data.path().join("up"));
    command
        .arg(format!("--listen={listen}"))
        .arg(format!("--admin-listen={admin}"));
    command.env("REVEILLE_ALLOW_PRIVATE_DESTINATIONS", "true");
    let process = Process::spawn("up", command, &logs.join("up.log"))?;
    let mut subject = Subject {
        kind: Kind::Up,
        ingest: ingest(listen),
        sink: Sink::open().await?,
        bridge: Some(listen),
        api: Some(listen),
        parts: vec![part("up", process, admin)],
        services: None,
        http: http_client()?,
        logs: logs.to_owned(),
        data,
    };
    subject.prepare().await?;
    Ok(subject)
}

/// Each stage its own process. None, with a loud line, where there is no Kafka or no MariaDB.
pub(super) async fn on_services(logs: &Path) -> Result<Option<Subject>> {
    let data = folder()?;
    let Some(services) = Services::start(data.path(), logs).await? else {
        return Ok(None);
    };
    let (collectors, bridge, api) = (
        places::free_address()?,
        places::free_address()?,
        places::free_address()?,
    );
    let mut subject = Subject {
        kind: Kind::Services,
        ingest: ingest(collectors),
        sink: Sink::open().await?,
        bridge: Some(bridge),
        api: Some(api),
        parts: Vec::new(),
        services: Some(services),
        http: http_client()?,
        logs: logs.to_owned(),
        data,
    };
    let listens = BTreeMap::from([("api", api), ("collectors", collectors), ("bridge", bridge)]);
    let settings = subject.settings(api)?;
    let stages = STAGES
        .into_iter()
        .filter(|stage| *stage != "aggregator" || settings.contains_key("REVEILLE_AEROSPIKE"));
    for stage in stages {
        let admin = places::free_address()?;
        let mut command = reveille()?;
        command.arg(stage).envs(&settings);
        command.env("REVEILLE_ADMIN_LISTEN", admin.to_string());
        if let Some(listen) = listens.get(stage) {
            command.env("REVEILLE_LISTEN", listen.to_string());
        }
        let process = Process::spawn(stage, command, &logs.join(format!("{stage}.log")))?;
        subject.parts.push(part(stage, process, admin));
    }
    subject.prepare().await?;
    Ok(Some(subject))
}

impl Subject {
    /// Declares the site, and waits until alerts go in.
    async fn prepare(&mut self) -> Result<()> {
        let api = self.api.context("there is no API")?;
        until("the API's first answer", START, async || {
            self.all_alive()?;
            let url = format!("http://{api}/api/v1/alerts?limit=1");
            let answer = client::get(&self.http, &url).await?;
            ensure!(answer.status.is_success(), "the API says {answer:?}");
            Ok(Some(()))
        })
        .await
        .with_context(|| format!("see {}", self.logs.display()))?;
        self.apply(api).await?;
        for part in &mut self.parts {
            let Some(admin) = part.admin else { continue };
            let http = self.http.clone();
            let ask = async || {
                let answer = client::get(&http, &format!("http://{admin}/readyz")).await?;
                ensure!(answer.status.is_success(), "/readyz says {}", answer.body);
                Ok(())
            };
            part.process.works(START, ask).await?;
        }
        for audience in [Audience::Console, Audience::Receiver] {
            let request = requests(&self.ingest, audience, &distinct(FIRST_ALERT, 1), 1);
            until("the first alert is accepted", START, async || {
                let mut connection = Connection::open(self.ingest.address).await?;
                let status = connection.send(&request[0]).await?;
                ensure!(matches!(status, 200..=299), "the collectors say {status}");
                Ok(Some(()))
            })
            .await?;
        }
        Ok(())
    }

    async fn apply(&self, api: SocketAddr) -> Result<()> {
        let path = self.data.path().join("site.yaml");
        std::fs::write(&path, site(&self.sink.url())).context("writing the site")?;
        let mut command = reveille()?;
        command.arg("apply").arg(format!("--url=http://{api}"));
        command.arg(format!("--file={}", path.display()));
        let mut process = Process::spawn("apply", command, &self.logs.join("apply.log"))?;
        let status = process.wait(START).await?;
        ensure!(
            status.success(),
            "the site was not applied; {}",
            process.last_words()
        );
        Ok(())
    }

    /// What all stages are told, as environment variables.
    fn settings(&self, api: SocketAddr) -> Result<BTreeMap<&'static str, String>> {
        let services = self.services.as_ref().context("there are no services")?;
        let mut settings = BTreeMap::from([
            ("REVEILLE_KAFKA", services.kafka.address().to_owned()),
            ("REVEILLE_DATABASE", services.mariadb.url().to_owned()),
            ("REVEILLE_SECRET_KEY", STANDARD.encode(rand::random::<[u8; 32]>())),
            ("REVEILLE_CONSOLE_URL", format!("http://{api}")),
            ("REVEILLE_ALLOW_PRIVATE_DESTINATIONS", "true".to_owned()),
        ]);
        if let Some(aerospike) = &services.aerospike {
            settings.insert("REVEILLE_AEROSPIKE", aerospike.address().to_owned());
        }
        Ok(settings)
    }
}

/// Statements that clients sent to the server, itself asked by the server's own client program.
pub(super) fn statements(url: &str) -> Option<f64> {
    let client = places::program("mariadb")?;
    let (user, address) = url.strip_prefix("mysql://")?.split_once('/')?.0.split_once('@')?;
    let (host, port) = address.split_once(':')?;
    let output = Command::new(client)
        .args([
            "--no-defaults",
            "--batch",
            "--skip-column-names",
            "--protocol=tcp",
        ])
        .args(["--host", host, "--port", port, "--user", user])
        .args(["--execute", "SHOW GLOBAL STATUS LIKE 'Questions'"])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}

fn site(hook: &str) -> String {
    format!(
        "environments:
  - {{name: bench}}
scenarios:
  - {{name: console, steps: []}}
  - {{name: receiver, steps: [{{channel: webhook, destination: \"{hook}\"}}]}}
integrations:
  - {{name: console, type: prometheus, environment: bench, scenario: console, key: {}}}
  - {{name: receiver, type: prometheus, environment: bench, scenario: receiver, key: {}}}
bots:
  - {{name: webhook, channel: webhook, secrets: {{signing_secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}}}
",
        key(Audience::Console),
        key(Audience::Receiver),
    )
}

fn key(audience: Audience) -> String {
    format!("key-of-the-bench-{}", audience.name())
}

fn ingest(address: SocketAddr) -> Ingest {
    let path = |audience| format!("/monitoring-system/prometheus?integration_key={}", key(audience));
    Ingest {
        address,
        console: path(Audience::Console),
        receiver: path(Audience::Receiver),
        api_v2: false,
    }
}

fn part(name: &str, process: Process, admin: SocketAddr) -> Part {
    Part {
        name: name.to_owned(),
        process,
        admin: Some(admin),
    }
}

/// The binary beside this one or at `REVEILLE_BIN`, with none of our own settings.
fn reveille() -> Result<Command> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REVEILLE_")) {
        command.env_remove(name);
    }
    Ok(command)
}

/// Where `reveille` is.
pub(crate) fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("REVEILLE_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("where this executable is")?;
    let folders = own.ancestors().skip(1).take(2);
    let mut found = folders
        .map(|folder| folder.join("reveille"))
        .filter(|path| path.is_file());
    found
        .next()
        .context("there is no `reveille` beside this program: build it with `cargo build --release -p reveille`, or set REVEILLE_BIN")
}

/// A folder for data beside this program: on the disk that is measured, not in a file system in memory.
pub(super) fn folder() -> Result<TempDir> {
    let own = std::env::current_exe().context("where this executable is")?;
    let parent = own.parent().unwrap_or(Path::new("."));
    TempDir::with_prefix_in("bench-data-", parent).context("a folder for data")
}

pub(super) fn http_client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .no_proxy()
        .build()
        .context("an HTTP client")
}
