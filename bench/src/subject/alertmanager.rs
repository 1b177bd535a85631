//! Starting Alertmanager, for comparison.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tests::process::Process;
use tests::{client, places};

use super::reveille::{folder, http_client};
use super::{Audience, Ingest, Kind, Part, START, Subject};
use crate::sink::Sink;

/// Where Alertmanager is: Debian gives it a longer name.
pub(crate) fn binary() -> Option<PathBuf> {
    places::program("alertmanager").or_else(|| places::program("prometheus-alertmanager"))
}

/// Starts it; none, with a loud line, where it is not on PATH.
pub(super) async fn start(logs: &Path) -> Result<Option<Subject>> {
    let Some(binary) = binary() else {
        tests::skipped(
            "Alertmanager",
            "neither alertmanager nor prometheus-alertmanager are on PATH",
        );
        return Ok(None);
    };
    let (data, sink) = (folder()?, Sink::open().await?);
    let settings = data.path().join("alertmanager.yml");
    std::fs::write(&settings, configuration(&sink.url())).context("writing alertmanager.yml")?;
    let address = places::free_address()?;
    let mut command = Command::new(binary);
    command.arg(format!("--config.file={}", settings.display()));
    command.arg(format!("--storage.path={}", data.path().join("data").display()));
    command.arg(format!("--web.listen-address={address}"));
    command.args(["--cluster.listen-address=", "--log.level=warn"]);
    let mut process = Process::spawn("alertmanager", command, &logs.join("alertmanager.log"))?;
    let http = http_client()?;
    let ask = async || {
        let answer = client::get(&http, &format!("http://{address}/-/ready")).await?;
        ensure!(answer.status.is_success(), "/-/ready says {answer:?}");
        Ok(())
    };
    process.works(START, ask).await?;
    let part = Part {
        name: "alertmanager".to_owned(),
        process,
        admin: Some(address),
    };
    Ok(Some(Subject {
        kind: Kind::Alertmanager,
        ingest: Ingest {
            address,
            console: "/api/v2/alerts".to_owned(),
            receiver: "/api/v2/alerts".to_owned(),
            api_v2: true,
        },
        sink,
        bridge: None,
        api: None,
        parts: vec![part],
        services: None,
        http,
        logs: logs.to_owned(),
        data,
    }))
}

/// Each alert is a group of its own, as each alert of Reveille is told by itself.
fn configuration(hook: &str) -> String {
    format!(
        "route:
  receiver: nobody
  group_by: ['...']
  group_wait: 0s
  group_interval: 1m
  repeat_interval: 4h
  routes:
    - receiver: hook
      matchers: ['told=\"{}\"']
receivers:
  - name: nobody
  - name: hook
    webhook_configs:
      - url: {hook}
        send_resolved: true
",
        Audience::Receiver.name()
    )
}
