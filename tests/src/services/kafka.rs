//! Apache Kafka: one process that is broker and controller, from the jars of Maven Central.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::Process;
use crate::{places, say, skipped};

const KAFKA: &str = "4.1.1";
const SLF4J: &str = "1.7.36";
const START: Duration = Duration::from_secs(90);
const DOWNLOAD: Duration = Duration::from_secs(600);

/// A broker, ours or somebody else's.
#[derive(Debug)]
pub struct Kafka {
    address: String,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    java: PathBuf,
    jars: PathBuf,
    settings: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Kafka {
    /// Takes the broker at `REVEILLE_TEST_KAFKA`, or starts one.
    pub async fn start(data: &Path, logs: &Path) -> Result<Option<Self>> {
        if let Ok(address) = std::env::var("REVEILLE_TEST_KAFKA") {
            return Ok(Some(Self { address, own: None }));
        }
        let (Some(java), Some(mvn)) = (places::program("java"), places::program("mvn")) else {
            skipped(
                "Apache Kafka",
                "neither REVEILLE_TEST_KAFKA nor java and mvn (which fetches it) are there",
            );
            return Ok(None);
        };
        let jars = jars(&mvn).await?;
        let folder = data.join("kafka");
        let address = places::free_address()?;
        let settings = write_settings(&folder, address)?;
        let log = logs.join("kafka.log");
        let own = Own {
            java,
            jars,
            settings,
            log,
            process: None,
        };
        own.format().await?;
        let mut kafka = Self {
            address: address.to_string(),
            own: Some(own),
        };
        kafka.start_again().await?;
        Ok(Some(kafka))
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is ours to stop.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> Result<()> {
        drop(self.own()?.process.take());
        Ok(())
    }

    /// Starts it again, at the same address with the same data.
    pub async fn start_again(&mut self) -> Result<()> {
        let address = self.address.clone();
        let process = self.own()?.spawn()?;
        process.works(START, async || asked(&address).await).await
    }

    /// Sets something of a topic, such as `max.message.bytes=20000`.
    pub async fn set_topic(&mut self, topic: &str, setting: &str) -> Result<()> {
        let address = self.address.clone();
        let own = self.own()?;
        let mut command = own.java();
        command.args([
            "kafka.admin.ConfigCommand",
            "--bootstrap-server",
            &address,
            "--alter",
        ]);
        command.args([
            "--entity-type",
            "topics",
            "--entity-name",
            topic,
            "--add-config",
            setting,
        ]);
        let mut process = Process::spawn("kafka configs", command, &own.log)?;
        let status = process.wait(START).await?;
        ensure!(
            status.success(),
            "{setting} of {topic} was not set; {}",
            process.last_words()
        );
        Ok(())
    }

    fn own(&mut self) -> Result<&mut Own> {
        self.own
            .as_mut()
            .context("the broker at REVEILLE_TEST_KAFKA is not ours to stop")
    }
}

impl Own {
    fn java(&self) -> Command {
        let mut command = Command::new(&self.java);
        command.args([
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
        ]);
        command.arg(self.jars.join("*"));
        command
    }

    async fn format(&self) -> Result<()> {
        let mut command = self.java();
        let cluster = "cmV2ZWlsbGUtdGVzdHMtMQ";
        command
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                cluster,
                "--config",
            ])
            .arg(&self.settings);
        let mut process = Process::spawn("kafka format", command, &self.log)?;
        let status = process.wait(START).await?;
        ensure!(
            status.success(),
            "Kafka's storage was not formatted; {}",
            process.last_words()
        );
        Ok(())
    }

    fn spawn(&mut self) -> Result<&mut Process> {
        let mut command = self.java();
        command.arg("kafka.Kafka").arg(&self.settings);
        Ok(self.process.insert(Process::spawn("kafka", command, &self.log)?))
    }
}

fn write_settings(folder: &Path, address: SocketAddr) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let controller = places::free_address()?;
    let data = folder.join("data");
    let data = data.display();
    let text = format!(
        "process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{address},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{address}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.index.size.max.bytes=1048576
"
    );
    let path = folder.join("server.properties");
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

/// Asks which requests the broker understands; any answer will do.
async fn asked(address: &str) -> Result<()> {
    const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&API_VERSIONS).await?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    Ok(())
}

/// The folder with Kafka's jars; fetched from Maven Central the first time.
async fn jars(mvn: &Path) -> Result<PathBuf> {
    let folder = places::target()?.join("kafka");
    let jars = folder.join(format!("jars-{KAFKA}"));
    if jars.is_dir() {
        return Ok(jars);
    }
    say(&format!("fetching Apache Kafka {KAFKA} from Maven Central"));
    // Two test binaries may do this at once; whoever is first gives the folder its name.
    let making = folder.join(format!("making-{}", std::process::id()));
    let pom = making.join("pom.xml");
    std::fs::create_dir_all(&making).with_context(|| format!("making {}", making.display()))?;
    std::fs::write(&pom, pom_text()).context("writing pom.xml")?;
    let mut command = Command::new(mvn);
    command
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(&pom)
        .arg("dependency:copy-dependencies");
    command.arg(format!("-DoutputDirectory={}", making.join("jars").display()));
    let mut process = Process::spawn("mvn", command, &folder.join("mvn.log"))?;
    let status = process.wait(DOWNLOAD).await?;
    if !status.success() {
        bail!("mvn could not fetch Kafka; {}", process.last_words());
    }
    if std::fs::rename(making.join("jars"), &jars).is_err() && !jars.is_dir() {
        bail!("{} cannot be made", jars.display());
    }
    std::fs::remove_dir_all(&making).with_context(|| format!("removing {}", making.display()))?;
    Ok(jars)
}

fn pom_text() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>reveille</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>\
         <dependencies>{}{}</dependencies></project>",
        dependency("org.apache.kafka", "kafka_2.13", KAFKA),
        dependency("org.slf4j", "slf4j-simple", SLF4J),
    )
}
