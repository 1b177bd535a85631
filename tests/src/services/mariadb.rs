//! MariaDB with a data folder and a port of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::process::Process;
use crate::{places, skipped};

const START: Duration = Duration::from_secs(90);

/// A database, ours or somebody else's.
#[derive(Debug)]
pub struct MariaDb {
    url: String,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    server: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    log: PathBuf,
    process: Option<Process>,
}

impl MariaDb {
    /// Takes the database at the URL in `REVEILLE_TEST_MARIADB`, or starts one.
    pub async fn start(data: &Path, logs: &Path) -> Result<Option<Self>> {
        if let Ok(url) = std::env::var("REVEILLE_TEST_MARIADB") {
            return Ok(Some(Self { url, own: None }));
        }
        let (Some(server), Some(install)) =
            (places::program("mariadbd"), places::program("mariadb-install-db"))
        else {
            skipped(
                "MariaDB",
                "neither REVEILLE_TEST_MARIADB nor mariadbd on PATH are there",
            );
            return Ok(None);
        };
        let folder = data.join("mariadb");
        let log = logs.join("mariadb.log");
        let address = places::free_address()?;
        let own = Own {
            server,
            folder,
            address,
            log,
            process: None,
        };
        own.install(&install).await?;
        let mut mariadb = Self {
            url: format!("mysql://root@{address}/reveille"),
            own: Some(own),
        };
        mariadb.start_again().await?;
        Ok(Some(mariadb))
    }

    /// Where the database is, as the stages want it.
    pub fn url(&self) -> &str {
        &self.url
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
        let own = self.own()?;
        let address = own.address;
        own.spawn()?.works(START, async || greeted(address).await).await
    }

    fn own(&mut self) -> Result<&mut Own> {
        self.own
            .as_mut()
            .context("the database at REVEILLE_TEST_MARIADB is not ours to stop")
    }
}

impl Own {
    async fn install(&self, install: &Path) -> Result<()> {
        std::fs::create_dir_all(&self.folder).with_context(|| format!("making {}", self.folder.display()))?;
        let mut command = Command::new(install);
        command.args([
            "--no-defaults",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ]);
        command.arg(format!("--datadir={}", self.folder.join("data").display()));
        self.as_root(&mut command);
        let mut process = Process::spawn("mariadb-install-db", command, &self.log)?;
        let status = process.wait(START).await?;
        ensure!(
            status.success(),
            "MariaDB's data folder was not made; {}",
            process.last_words()
        );
        let first = "CREATE DATABASE IF NOT EXISTS reveille;\n\
                     CREATE USER IF NOT EXISTS root@'127.0.0.1';\n\
                     GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n";
        std::fs::write(self.folder.join("first.sql"), first).context("writing first.sql")
    }

    fn spawn(&mut self) -> Result<&mut Process> {
        let place = |name: &str| self.folder.join(name).display().to_string();
        let mut command = Command::new(&self.server);
        command.args(["--no-defaults", "--skip-name-resolve", "--bind-address=127.0.0.1"]);
        command.arg(format!("--port={}", self.address.port()));
        command.arg(format!("--datadir={}", place("data")));
        command.arg(format!("--socket={}", socket(self.address)));
        command.arg(format!("--pid-file={}", place("pid")));
        command.arg(format!("--init-file={}", place("first.sql")));
        self.as_root(&mut command);
        Ok(self
            .process
            .insert(Process::spawn("mariadbd", command, &self.log)?))
    }

    /// The server refuses to run as root unless it is told to.
    fn as_root(&self, command: &mut Command) {
        use std::os::unix::fs::MetadataExt;
        if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
            command.arg("--user=root");
        }
    }
}

/// A socket's path may have no more than some hundred characters, so it is not in the data folder.
fn socket(address: SocketAddr) -> String {
    std::env::temp_dir()
        .join(format!("reveille-test-{}.sock", address.port()))
        .display()
        .to_string()
}

/// A server that is ready speaks first.
async fn greeted(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut header = [0; 5];
    stream.read_exact(&mut header).await?;
    ensure!(
        header[4] == 10,
        "the greeting is of protocol {}, not 10",
        header[4]
    );
    Ok(())
}
