//! What is measured: Reveille in one process, Reveille on the real services, or Alertmanager.

mod alertmanager;
mod reveille;

pub(crate) use alertmanager::binary as alertmanager_binary;
pub(crate) use reveille::binary as reveille_binary;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tempfile::TempDir;
use tests::process::Process;
use tests::services::Services;

use crate::bodies::{self, Item};
use crate::exposition::Exposition;
use crate::screen::Screen;
use crate::sink::Sink;
use crate::usage::{self, Memory, Watched};

/// How long anything may take to start.
const START: Duration = Duration::from_secs(90);

/// The three that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// `reveille up`: one process, embedded parts.
    Up,
    /// Every stage its own process, on Kafka, MariaDB and, where there is one, Aerospike.
    Services,
    /// Alertmanager, where it is on PATH.
    Alertmanager,
}

impl Kind {
    /// All of them, in the order of the table's columns.
    pub(crate) const ALL: [Kind; 3] = [Kind::Up, Kind::Services, Kind::Alertmanager];

    /// Its column's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Up => "up",
            Kind::Services => "real services",
            Kind::Alertmanager => "alertmanager",
        }
    }
}

/// Who is told of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Nobody; it is only shown.
    Console,
    /// The webhook receiver.
    Receiver,
}

impl Audience {
    /// Its name, in labels and keys.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Audience::Console => "console",
            Audience::Receiver => "receiver",
        }
    }
}

/// Where alerts are posted, and in which form.
#[derive(Debug)]
pub(crate) struct Ingest {
    /// The address.
    pub(crate) address: SocketAddr,
    console: String,
    receiver: String,
    api_v2: bool,
}

impl Ingest {
    /// The path for alerts that are told to somebody.
    pub(crate) fn path(&self, audience: Audience) -> &str {
        match audience {
            Audience::Console => &self.console,
            Audience::Receiver => &self.receiver,
        }
    }

    /// A body with these alerts.
    pub(crate) fn body(&self, audience: Audience, items: &[Item]) -> String {
        if self.api_v2 {
            bodies::api_v2(audience, items)
        } else {
            bodies::webhook(audience, items)
        }
    }
}

/// A process, and where it tells what it measures.
struct Part {
    name: String,
    process: Process,
    admin: Option<SocketAddr>,
}

/// Something that runs and is measured.
pub(crate) struct Subject {
    /// Which of the three.
    pub(crate) kind: Kind,
    /// Where alerts are posted.
    pub(crate) ingest: Ingest,
    /// Where notifications go.
    pub(crate) sink: Sink,
    bridge: Option<SocketAddr>,
    api: Option<SocketAddr>,
    parts: Vec<Part>,
    services: Option<Services>,
    http: reqwest::Client,
    logs: PathBuf,
    data: TempDir,
}

/// A page of the API's list, of which only the length is of interest.
#[derive(Deserialize)]
struct Page {
    alerts: Vec<IgnoredAny>,
    next_cursor: Option<String>,
}

impl Subject {
    /// Starts it with nothing in it; none where what it needs is not on this machine.
    pub(crate) async fn start(kind: Kind, logs: &Path) -> Result<Option<Self>> {
        tests::install_cryptography();
        std::fs::create_dir_all(logs).with_context(|| format!("making {}", logs.display()))?;
        match kind {
            Kind::Up => reveille::up(logs).await.map(Some),
            Kind::Services => reveille::on_services(logs).await,
            Kind::Alertmanager => alertmanager::start(logs).await,
        }
    }

    /// Whether it is Reveille, of which more can be asked.
    pub(crate) fn is_reveille(&self) -> bool {
        self.kind != Kind::Alertmanager
    }

    /// Connects a console.
    pub(crate) async fn screen(&self) -> Result<Option<Screen>> {
        match self.bridge {
            Some(bridge) => Screen::open(bridge, START).await.map(Some),
            None => Ok(None),
        }
    }

    /// What its processes tell on `/metrics`, added up.
    pub(crate) async fn metrics(&self) -> Result<Exposition> {
        let mut all = Exposition::default();
        for part in &self.parts {
            let Some(admin) = part.admin else { continue };
            let answer = self.http.get(format!("http://{admin}/metrics")).send().await?;
            all.absorb(&answer.text().await?);
        }
        Ok(all)
    }

    /// How many events its daemons have done.
    pub(crate) async fn done(&self) -> Result<f64> {
        let metrics = self.metrics().await?;
        Ok(metrics.sum(
            "reveille_stage_records_total",
            &["stage=\"daemon\"", "topic=\"alerts.decorated\""],
        ))
    }

    /// Waits until its daemons have done so many events, or until time is up; answers how many they have.
    pub(crate) async fn wait_done(&self, count: f64, until: Instant) -> Result<f64> {
        loop {
            let done = self.done().await?;
            if done >= count || Instant::now() >= until {
                return Ok(done);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many open alerts of this filter the API lists.
    pub(crate) async fn listed(&self, query: &str) -> Result<Option<usize>> {
        Ok(self.pages(query).await?.map(|(count, _)| count))
    }

    /// The same, and how long each page took.
    pub(crate) async fn pages(&self, query: &str) -> Result<Option<(usize, Vec<Duration>)>> {
        let Some(api) = self.api else {
            return Ok(None);
        };
        let (mut count, mut cursor, mut times) = (0, String::new(), Vec::new());
        for _ in 0..1000 {
            let url = format!("http://{api}/api/v1/alerts?limit=1000&{query}{cursor}");
            let begun = Instant::now();
            let answer = self.http.get(&url).send().await?.error_for_status()?;
            let text = answer.text().await?;
            times.push(begun.elapsed());
            let page: Page = serde_json::from_str(&text).context("not a page")?;
            count += page.alerts.len();
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        Ok(Some((count, times)))
    }

    /// All its processes, the services' too.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let mut all: Vec<_> = self.parts.iter().map(Part::watched).collect();
        let known: Vec<_> = all.iter().map(|one| one.id).collect();
        let others = usage::children().into_iter();
        all.extend(others.filter(|one| one.name != "sh" && !known.contains(&one.id)));
        all
    }

    /// Memory of its own processes, without the services, by name.
    pub(crate) fn memory(&self) -> Vec<(String, Memory)> {
        let own = self.parts.iter().map(Part::watched);
        own.map(|one| (one.name, usage::memory(one.id))).collect()
    }

    /// Statements that the database was asked to do since it was started; none where it is not MariaDB.
    pub(crate) fn statements(&self) -> Option<f64> {
        let services = self.services.as_ref()?;
        reveille::statements(services.mariadb.url())
    }

    /// Fails when one of its processes has ended.
    pub(crate) fn all_alive(&mut self) -> Result<()> {
        for part in &mut self.parts {
            let ended = part.process.ended();
            ensure!(
                ended.is_none(),
                "{} has ended by itself: {ended:?}; {}",
                part.name,
                part.process.last_words()
            );
        }
        Ok(())
    }
}

impl Part {
    fn watched(&self) -> Watched {
        Watched {
            name: self.name.clone(),
            id: self.process.id(),
        }
    }
}
