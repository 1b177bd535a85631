//! A whole Reveille with everything around it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use reqwest::StatusCode;
use schemas::live::Filter;
use tempfile::TempDir;

use crate::client::Client;
use crate::live::WsClient;
use crate::mocks::{MockSlack, SmtpSink, WebhookReceiver};
use crate::places;
use crate::process::Process;
use crate::services::Services;
use crate::site::{self, ENVIRONMENT, keys};
use crate::stage::Stage;
use crate::waiting::until;

/// How long the stages may take to be ready.
pub const START: Duration = Duration::from_secs(90);
/// The audits follow every event by its text, so each change of a text is a line of the history at once.
const EVERY_TEXT: &str = "text_changes_seconds";

/// Stages, services and people's ends.
#[derive(Debug)]
pub struct World {
    /// In the order of the flow; one named `up` when it is all in one process.
    pub stages: Vec<Stage>,
    /// What the stages stand on; none for `up`.
    pub services: Option<Services>,
    /// Where Slack messages arrive.
    pub slack: MockSlack,
    /// Where mails arrive.
    pub smtp: SmtpSink,
    /// Where webhooks arrive.
    pub webhook: WebhookReceiver,
    /// Speaks to collectors and API.
    pub client: Client,
    api: SocketAddr,
    bridge: SocketAddr,
    riemann: Option<SocketAddr>,
    mail: Option<SocketAddr>,
    mqtt: Option<SocketAddr>,
    logs: PathBuf,
    data: TempDir,
}

impl World {
    /// Every stage as its own process on Kafka, MariaDB and, where there is one, Aerospike. Says loudly when there is
    /// no Kafka or no MariaDB. Of the stages that share their work by partitions there are so many copies.
    pub async fn on_real_services(scenario: &str, copies: usize) -> Result<Option<Self>> {
        let (logs, data) = folders(scenario)?;
        let Some(services) = Services::start(data.path(), &logs).await? else {
            return Ok(None);
        };
        let (slack, smtp, webhook) =
            tokio::try_join!(MockSlack::start(), SmtpSink::start(), WebhookReceiver::start())?;
        let (collectors, bridge, api) = (
            places::free_address()?,
            places::free_address()?,
            places::free_address()?,
        );
        let mut world = Self {
            stages: Vec::new(),
            services: Some(services),
            slack,
            smtp,
            webhook,
            client: Client::new(collectors, api)?,
            api,
            bridge,
            riemann: None,
            mail: None,
            mqtt: None,
            logs,
            data,
        };
        let settings = world.settings()?;
        world.start_stage("api", &settings, Some(api))?;
        world.start_stage("collectors", &settings, Some(collectors))?;
        world.start_stage("bridge", &settings, Some(bridge))?;
        for _ in 0..copies {
            world.start_stage("decorator", &settings, None)?;
            world.start_stage("daemon", &settings, None)?;
            if settings.contains_key("aerospike") {
                world.start_stage("aggregator", &settings, None)?;
            }
            world.start_stage("notifiers", &settings, None)?;
        }
        world.apply_site().await?;
        world.ready(START).await?;
        Ok(Some(world))
    }

    /// Everything in one process, with this world's site.
    pub async fn on_up(scenario: &str) -> Result<Self> {
        let mut world = Self::as_a_newcomer(scenario).await?;
        world.apply_site().await?;
        Ok(world)
    }

    /// The same, in a process that may have so many descriptors open.
    pub async fn on_up_with_descriptors(scenario: &str, descriptors: u32) -> Result<Self> {
        let mut world = Self::on_up(scenario).await?;
        world
            .stage("up")?
            .restart_with_descriptors(descriptors, START)
            .await?;
        world.ready(START).await?;
        Ok(world)
    }

    /// Everything in one process, as it comes: with the default site.
    pub async fn as_a_newcomer(scenario: &str) -> Result<Self> {
        let (logs, data) = folders(scenario)?;
        let (slack, smtp, webhook) =
            tokio::try_join!(MockSlack::start(), SmtpSink::start(), WebhookReceiver::start())?;
        let (listen, admin) = (places::free_address()?, places::free_address()?);
        let folder = data.path().join("up").display().to_string();
        let (listens, tells) = (listen.to_string(), admin.to_string());
        let arguments = [
            "up",
            "--data",
            &folder,
            "--listen",
            &listens,
            "--admin-listen",
            &tells,
        ];
        let (riemann, mail, mqtt) = (
            places::free_address()?,
            places::free_address()?,
            places::free_address()?,
        );
        let settings = BTreeMap::from([
            ("allow_private_destinations", "true".to_owned()),
            (EVERY_TEXT, "0".to_owned()),
            ("riemann_listen", riemann.to_string()),
            ("smtp_listen", mail.to_string()),
            ("mqtt", format!("mqtt://{mqtt}")),
        ]);
        let up = Stage::start("up", &arguments, &settings, admin, logs.join("up.log"))?;
        let mut world = Self {
            stages: vec![up],
            services: None,
            slack,
            smtp,
            webhook,
            client: Client::new(listen, listen)?,
            api: listen,
            bridge: listen,
            riemann: Some(riemann),
            mail: Some(mail),
            mqtt: Some(mqtt),
            logs,
            data,
        };
        world.ready(START).await?;
        Ok(world)
    }

    /// Starts another api beside the first one; answers a client that speaks to it and the same collectors.
    pub fn another_api(&mut self) -> Result<Client> {
        let listen = places::free_address()?;
        let settings = self.settings()?;
        self.start_stage("api", &settings, Some(listen))?;
        Ok(self.client.with_api(listen))
    }

    /// Where Riemann's clients are listened for; only `up` does.
    pub fn riemann(&self) -> Result<SocketAddr> {
        self.riemann.context("nobody listens for Riemann's clients")
    }

    /// Where mail is listened for; only `up` does.
    pub fn mail(&self) -> Result<SocketAddr> {
        self.mail.context("nobody listens for mail")
    }

    /// Where an MQTT broker is looked for; only `up` looks for one, and nobody has started it.
    pub fn mqtt(&self) -> Result<SocketAddr> {
        self.mqtt.context("nobody looks for an MQTT broker")
    }

    /// Starts a program beside this world; what it says is in a file of this name. It ends with its owner.
    pub fn beside(&self, name: &str, command: Command) -> Result<Process> {
        Process::spawn(name, command, &self.logs.join(format!("{name}.log")))
    }

    /// A folder for what such a program keeps.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.data.path().join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(folder)
    }

    /// Where the console is.
    pub fn console_url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// The integration key that `up` has made for its default site.
    pub fn default_key(&self) -> Result<String> {
        let path = self.data.path().join("up/integration-key");
        let key = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(key.trim().to_owned())
    }

    /// The stage of this name; `up` stands for all.
    pub fn stage(&mut self, name: &str) -> Result<&mut Stage> {
        let found = self
            .stages
            .iter_mut()
            .find(|stage| stage.name() == name || stage.name() == "up");
        found.with_context(|| format!("there is no stage {name}"))
    }

    /// Follows the live view of this world's alerts.
    pub async fn console(&self) -> Result<WsClient> {
        let filter = Filter {
            environments: vec![ENVIRONMENT.to_owned()],
            ..Filter::default()
        };
        WsClient::open(&format!("ws://{}/ws", self.bridge), filter, START).await
    }

    /// Waits until every stage is ready.
    pub async fn ready(&mut self, within: Duration) -> Result<()> {
        try_join_all(self.stages.iter_mut().map(|stage| stage.ready(within))).await?;
        Ok(())
    }

    /// Fails when a stage has ended by itself.
    pub fn all_alive(&mut self) -> Result<()> {
        for stage in &mut self.stages {
            if let Some(status) = stage.ended() {
                bail!(
                    "{} has ended by itself: {status}; see {}",
                    stage.name(),
                    stage.log().display()
                );
            }
        }
        Ok(())
    }

    /// Runs `reveille apply` with a site document; answers whether it was taken, and what was said.
    pub async fn apply(&self, document: &str, more: &[&str]) -> Result<(bool, String)> {
        let path = self.data.path().join("site.yaml");
        std::fs::write(&path, document).with_context(|| format!("writing {}", path.display()))?;
        let file = path.to_string_lossy();
        let mut arguments = vec!["apply", "--file", &file];
        arguments.extend(more);
        self.command(&arguments).await
    }

    /// Runs a command of `reveille` that talks to this world; answers whether it went well, and what was said.
    pub async fn command(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let name = *arguments.first().context("a command has a name")?;
        let log = self.logs.join(format!("{name}.log"));
        let before = std::fs::read_to_string(&log).unwrap_or_default().len();
        let mut command = Command::new(places::reveille()?);
        command.args(arguments).args(["--url", &self.console_url()]);
        let status = Process::spawn(name, command, &log)?.wait(START).await?;
        let said = std::fs::read_to_string(&log).with_context(|| format!("what {name} said"))?;
        Ok((
            status.success(),
            said.get(before..).unwrap_or_default().to_owned(),
        ))
    }

    /// Declares this world's site; the API may need a moment until it listens.
    async fn apply_site(&mut self) -> Result<()> {
        let document = self.site();
        until("the API's first answer", START, async || {
            self.all_alive()?;
            let answer = self.client.get("/api/v1/alerts?limit=1").await?;
            ensure!(answer.status.is_success(), "the API says {answer:?}");
            Ok(Some(()))
        })
        .await
        .with_context(|| format!("see {}", self.logs.display()))?;
        let (taken, said) = self.apply(&document, &[]).await?;
        ensure!(taken, "the site was not applied: {said}");
        // An empty body is refused, but only after the key was found to be good.
        until("the collectors know the site", START, async || {
            self.all_alive()?;
            let answer = self.client.post("api", keys::MACHINES, "").await?;
            Ok((answer.status == StatusCode::BAD_REQUEST).then_some(()))
        })
        .await
    }

    /// The site document that this world begins with.
    pub fn site(&self) -> String {
        site::document(
            &self.webhook.url("hook"),
            &self.slack.url(),
            self.smtp.address().port(),
        )
    }

    /// What all stages are told.
    fn settings(&self) -> Result<BTreeMap<&'static str, String>> {
        let services = self.services.as_ref().context("there are no services")?;
        let key = self.data.path().join("secret-key");
        if !key.exists() {
            std::fs::write(&key, STANDARD.encode(rand::random::<[u8; 32]>()))
                .context("writing the secret key")?;
        }
        let mut settings = BTreeMap::from([
            ("kafka", services.kafka.address().to_owned()),
            ("database", services.mariadb.url().to_owned()),
            ("secret_key_file", key.display().to_string()),
            ("console_url", self.console_url()),
            ("allow_private_destinations", "true".to_owned()),
            (EVERY_TEXT, "0".to_owned()),
        ]);
        if let Some(aerospike) = &services.aerospike {
            settings.insert("aerospike", aerospike.address().to_owned());
        }
        Ok(settings)
    }

    fn start_stage(
        &mut self,
        name: &str,
        settings: &BTreeMap<&'static str, String>,
        listen: Option<SocketAddr>,
    ) -> Result<()> {
        let admin = places::free_address()?;
        let mut settings = settings.clone();
        settings.insert("admin_listen", admin.to_string());
        if let Some(listen) = listen {
            settings.insert("listen", listen.to_string());
        }
        if name == "collectors" {
            settings.insert("spool", self.data.path().join("spool").display().to_string());
        }
        let log = self.logs.join(format!("{name}-{}.log", self.stages.len()));
        self.stages
            .push(Stage::start(name, &[name], &settings, admin, log)?);
        Ok(())
    }
}

/// Logs stay in the build folder for whoever wants to know why; data goes with the world.
fn folders(scenario: &str) -> Result<(PathBuf, TempDir)> {
    let logs = places::logs(scenario)?;
    let data = TempDir::with_prefix_in("data-", parent(&logs)).context("a folder for data")?;
    Ok((logs, data))
}

fn parent(folder: &Path) -> &Path {
    folder.parent().unwrap_or(folder)
}
