//! One process of `reveille`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::client::{Answer, get};
use crate::places;
use crate::process::Process;
use crate::waiting::until;

/// A stage, or all of them in one (`up`); it can be killed and started again with the same settings.
#[derive(Debug)]
pub struct Stage {
    name: String,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    descriptors: Option<u32>,
    log: PathBuf,
    admin: SocketAddr,
    http: reqwest::Client,
    process: Option<Process>,
    kills: u64,
}

impl Stage {
    /// Starts `reveille ARGUMENTS…` with these settings (names without the prefix `REVEILLE_`, in lower case).
    /// What it says goes to `log`.
    pub fn start(
        name: &str,
        arguments: &[&str],
        settings: &BTreeMap<&str, String>,
        admin: SocketAddr,
        log: PathBuf,
    ) -> Result<Self> {
        crate::install_cryptography();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .no_proxy()
            .build()?;
        let mut stage = Self {
            name: name.to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: settings
                .iter()
                .map(|(name, value)| (format!("REVEILLE_{}", name.to_uppercase()), value.clone()))
                .collect(),
            descriptors: None,
            log,
            admin,
            http,
            process: None,
            kills: 0,
        };
        stage.spawn()?;
        Ok(stage)
    }

    /// Starts it anew with so many descriptors at most.
    pub async fn restart_with_descriptors(&mut self, descriptors: u32, within: Duration) -> Result<()> {
        self.descriptors = Some(descriptors);
        self.terminate(within).await?;
        self.spawn()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Where its log is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How often it was killed.
    pub fn kills(&self) -> u64 {
        self.kills
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.kills += 1;
        drop(self.process.take());
    }

    /// Starts it again.
    pub fn spawn(&mut self) -> Result<()> {
        let reveille = places::reveille()?;
        let mut command = match self.descriptors {
            None => Command::new(reveille),
            Some(descriptors) => {
                let mut shell = Command::new("sh");
                let script = r#"ulimit -n "$1" && shift && exec "$0" "$@""#;
                shell
                    .args(["-c", script])
                    .arg(reveille)
                    .arg(descriptors.to_string());
                shell
            }
        };
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REVEILLE_")) {
            command.env_remove(name);
        }
        command.args(&self.arguments).envs(&self.environment);
        self.process = Some(Process::spawn(&self.name, command, &self.log)?);
        Ok(())
    }

    /// The most memory that it had at once (`VmHWM`), in bytes.
    pub fn peak_memory_bytes(&self) -> Result<u64> {
        let process = self
            .process
            .as_ref()
            .with_context(|| format!("{} does not run", self.name))?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|text| text.trim().strip_suffix(" kB"));
        let kib: u64 = kib.context("the kernel says nothing of VmHWM")?.parse()?;
        Ok(kib * 1024)
    }

    /// Its end, if it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut().and_then(Process::ended)
    }

    /// Asks it to end and waits for that.
    pub async fn terminate(&mut self, within: Duration) -> Result<ExitStatus> {
        let mut process = self
            .process
            .take()
            .with_context(|| format!("{} does not run", self.name))?;
        process.terminate(within).await
    }

    /// What its private listener answers.
    pub async fn admin(&self, path: &str) -> Result<Answer> {
        get(&self.http, &format!("http://{}{path}", self.admin)).await
    }

    /// Waits until it waits for nothing.
    pub async fn ready(&mut self, within: Duration) -> Result<()> {
        let name = format!("{} is ready", self.name);
        let mut last = String::new();
        let ready = until(&name, within, async || {
            if let Some(status) = self.process.as_mut().and_then(Process::ended) {
                bail!("it has ended: {status}");
            }
            let answer = get(&self.http, &format!("http://{}/readyz", self.admin)).await?;
            last = answer.body.to_string();
            Ok(answer.status.is_success().then_some(()))
        });
        let ready = ready.await;
        let words = self.process.as_ref().map(Process::last_words).unwrap_or_default();
        ready.with_context(|| format!("/readyz said {last}\n{words}"))
    }

    /// What it waits for, by the names in `/readyz`.
    pub async fn waits_for(&self) -> Result<Vec<String>> {
        let answer = self.admin("/readyz").await?;
        let waiting = answer.body["waiting"]
            .as_array()
            .with_context(|| format!("/readyz said {answer:?}"))?;
        Ok(waiting
            .iter()
            .filter_map(|task| task["waiting_for"].as_str())
            .map(str::to_owned)
            .collect())
    }

    /// Waits until `/readyz` names something that it waits for.
    pub async fn waits(&self, what: &str, within: Duration) -> Result<()> {
        let name = format!("{} waits for {what}", self.name);
        until(&name, within, async || {
            let waits = self.waits_for().await?;
            Ok(waits.iter().any(|named| named.contains(what)).then_some(()))
        })
        .await
    }

    /// The sum of a metric over all series whose labels contain `labels`; nothing if there is none.
    pub async fn metric(&self, name: &str, labels: &str) -> Result<Option<f64>> {
        let answer = self.admin("/metrics").await?;
        let Value::String(text) = &answer.body else {
            bail!("/metrics said {answer:?}")
        };
        Ok(metric(text, name, labels))
    }
}

fn metric(text: &str, name: &str, labels: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let rest = series.strip_prefix(name)?;
        let fits = (rest.is_empty() || rest.starts_with('{')) && rest.contains(labels);
        if fits { value.parse::<f64>().ok() } else { None }
    });
    values.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_sum_of_its_series_and_not_of_its_namesakes() {
        let text = "# TYPE a counter\na{stage=\"x\",topic=\"1\"} 2\na{stage=\"x\",topic=\"2\"} 3\na_b{stage=\"x\"} 9\nc 1.5\n";
        assert_eq!(metric(text, "a", "stage=\"x\""), Some(5.0));
        assert_eq!(metric(text, "a", "stage=\"y\""), None);
        assert_eq!(metric(text, "c", ""), Some(1.5));
    }
}
