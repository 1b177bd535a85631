//! Aerospike with a namespace in memory and ports of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::Process;
use crate::{places, skipped};

const START: Duration = Duration::from_secs(60);
/// The namespace, as the stages expect it when nothing else is set.
const NAMESPACE: &str = "reveille";

/// A view store, ours or somebody else's.
#[derive(Debug)]
pub struct Aerospike {
    address: String,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    server: PathBuf,
    settings: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Aerospike {
    /// Takes the node at `REVEILLE_TEST_AEROSPIKE`, or starts one.
    pub async fn start(data: &Path, logs: &Path) -> Result<Option<Self>> {
        if let Ok(address) = std::env::var("REVEILLE_TEST_AEROSPIKE") {
            return Ok(Some(Self { address, own: None }));
        }
        let Some(server) = places::program("asd") else {
            skipped(
                "Aerospike",
                "neither REVEILLE_TEST_AEROSPIKE nor asd on PATH are there; bridges keep the view",
            );
            return Ok(None);
        };
        let folder = data.join("aerospike");
        let port = places::free_port()?;
        let settings = write_settings(&folder, port)?;
        let log = logs.join("aerospike.log");
        let mut aerospike = Self {
            address: format!("127.0.0.1:{port}"),
            own: Some(Own {
                server,
                settings,
                log,
                process: None,
            }),
        };
        aerospike.start_again().await?;
        Ok(Some(aerospike))
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is ours to stop.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// `kill -9`; as its namespace is in memory, it forgets everything.
    pub fn kill(&mut self) -> Result<()> {
        drop(self.own()?.process.take());
        Ok(())
    }

    /// Starts it again, at the same address.
    pub async fn start_again(&mut self) -> Result<()> {
        let address = self.address.clone();
        let own = self.own()?;
        let mut command = Command::new(&own.server);
        command.args(["--foreground", "--config-file"]).arg(&own.settings);
        let process = own.process.insert(Process::spawn("asd", command, &own.log)?);
        process.works(START, async || is_stable(&address).await).await
    }

    fn own(&mut self) -> Result<&mut Own> {
        self.own
            .as_mut()
            .context("the node at REVEILLE_TEST_AEROSPIKE is not ours to stop")
    }
}

fn write_settings(folder: &Path, port: u16) -> Result<PathBuf> {
    let work = folder.display();
    let scripts = folder.join("usr/udf/lua");
    for folder in [&scripts, &folder.join("smd")] {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let (fabric, heartbeat) = (places::free_port()?, places::free_port()?);
    let scripts = scripts.display();
    let text = format!(
        "service {{
    cluster-name reveille-tests-{port}
    work-directory {work}
    pidfile {work}/asd.pid
    proto-fd-max 1024
}}
logging {{
    console {{
        context any warning
    }}
}}
mod-lua {{
    user-path {scripts}
}}
network {{
    service {{
        address 127.0.0.1
        port {port}
    }}
    heartbeat {{
        mode mesh
        address 127.0.0.1
        port {heartbeat}
        interval 150
        timeout 10
    }}
    fabric {{
        address 127.0.0.1
        port {fabric}
    }}
}}
namespace {NAMESPACE} {{
    replication-factor 1
    default-ttl 0
    nsup-period 10
    storage-engine memory {{
        data-size 512M
    }}
}}
"
    );
    let path = folder.join("asd.conf");
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// Asks by the info protocol whether the cluster has settled, which comes after the first answer.
async fn is_stable(address: &str) -> Result<()> {
    const QUESTION: &[u8] = b"cluster-stable:\n";
    // Version 2, type 1 (info), six bytes of length.
    let mut header = [2, 1, 0, 0, 0, 0, 0, 0];
    header[7] = QUESTION.len() as u8;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&[&header, QUESTION].concat()).await?;
    let mut header = [0; 8];
    stream.read_exact(&mut header).await?;
    let length = header[2..]
        .iter()
        .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    let mut answer = vec![0; length.min(4096)];
    stream.read_exact(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    ensure!(
        !answer.contains("ERROR") && answer.contains("cluster-stable"),
        "the cluster says {answer:?}"
    );
    Ok(())
}
