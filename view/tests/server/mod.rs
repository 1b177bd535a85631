//! The Aerospike of the tests: that of `REVEILLE_TEST_AEROSPIKE` (`host:port`), else one started here.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aerospike::{AdminPolicy, Client, ClientPolicy};
use tempfile::TempDir;
use view::{AerospikeSettings, AerospikeView, View};

/// A server; one that was started here ends with the value.
pub struct Server {
    pub hosts: String,
    pub namespace: String,
    own: Option<Own>,
    views: AtomicU32,
}

struct Own {
    program: PathBuf,
    folder: TempDir,
    process: Option<Child>,
}

impl Server {
    /// None, said loudly, when there is no Aerospike here.
    pub async fn find() -> Option<Self> {
        if let Ok(hosts) = std::env::var("REVEILLE_TEST_AEROSPIKE") {
            let server = Self {
                hosts,
                namespace: "reveille".to_owned(),
                own: None,
                views: AtomicU32::new(0),
            };
            until_it_works(&server.view().await).await;
            return Some(server);
        }
        let Some(program) = program() else {
            eprintln!(
                "SKIPPED: Aerospike is not here; set REVEILLE_TEST_AEROSPIKE=host:port or put asd on the PATH"
            );
            return None;
        };
        let (server, _) = Self::of_own(program, 1, None);
        until_it_works(&server.view().await).await;
        Some(server)
    }

    /// Two nodes of one cluster that keeps so many copies of each record. None, said loudly, when no server can be started
    /// here.
    pub fn two_nodes(copies: u32) -> Option<[Self; 2]> {
        let Some(program) = program() else {
            eprintln!("SKIPPED: two nodes of Aerospike; put asd on the PATH");
            return None;
        };
        let (mut first, heartbeats) = Self::of_own(program.clone(), copies, None);
        let (mut second, _) = Self::of_own(program, copies, Some(heartbeats));
        let hosts = format!("{},{}", first.hosts, second.hosts);
        first.hosts.clone_from(&hosts);
        second.hosts = hosts;
        Some([first, second])
    }

    /// One that was started here, and its port for the heartbeats of others.
    fn of_own(program: PathBuf, copies: u32, seed: Option<u16>) -> (Self, u16) {
        let folder = tempfile::tempdir().unwrap();
        let ports = configure(folder.path(), copies, seed);
        let own = Some(Own {
            program,
            folder,
            process: None,
        });
        let mut server = Self {
            hosts: format!("127.0.0.1:{}", ports[0]),
            namespace: "reveille".to_owned(),
            own,
            views: AtomicU32::new(0),
        };
        server.start();
        (server, ports[1])
    }

    pub fn settings(&self) -> AerospikeSettings {
        AerospikeSettings::new(&self.hosts, &self.namespace)
    }

    pub async fn client(&self) -> Client {
        Client::new(&ClientPolicy::default(), &self.hosts).await.unwrap()
    }

    /// Changes a setting of the namespace while the server runs.
    pub async fn set(&self, name: &str, value: &str) {
        let command = format!(
            "set-config:context=namespace;id={};{name}={value}",
            self.namespace
        );
        let policy = AdminPolicy { timeout: 5_000 };
        let answer = self.client().await.info(&policy, &[&command]).await.unwrap();
        assert_eq!(
            answer.values().next().map(String::as_str),
            Some("ok"),
            "{command}"
        );
    }

    /// An empty view.
    pub async fn view(&self) -> AerospikeView {
        self.view_and_prefix().await.0
    }

    pub async fn view_and_prefix(&self) -> (AerospikeView, String) {
        // Sets cannot be emptied at once, so each view has its own.
        let prefix = format!(
            "{}-{}-",
            std::process::id(),
            self.views.fetch_add(1, Ordering::Relaxed)
        );
        let view = AerospikeView::connect_with_prefix(&self.settings(), &prefix)
            .await
            .unwrap();
        (view, prefix)
    }

    /// The same view twice, as two processes have it.
    pub async fn two_views(&self) -> (Arc<AerospikeView>, Arc<AerospikeView>) {
        let (first, prefix) = self.view_and_prefix().await;
        let second = AerospikeView::connect_with_prefix(&self.settings(), &prefix)
            .await
            .unwrap();
        (Arc::new(first), Arc::new(second))
    }

    /// Kills it; answers whether it was ours to kill.
    pub fn stop(&mut self) -> bool {
        let process = self.own.as_mut().and_then(|own| own.process.take());
        process.map(kill).is_some()
    }

    pub fn start(&mut self) {
        if let Some(own) = &mut self.own {
            let log = std::fs::File::create(own.folder.path().join("asd.log")).unwrap();
            let mut command = Command::new(&own.program);
            command
                .arg("--config-file")
                .arg(own.folder.path().join("asd.conf"))
                .arg("--foreground");
            command
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .stdin(Stdio::null());
            own.process = Some(command.spawn().unwrap());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn kill(mut process: Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

/// The port answers long before the cluster takes its first command.
pub async fn until_it_works(view: &dyn View) {
    let works = async {
        while view.is_filled().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let worked = tokio::time::timeout(Duration::from_secs(60), works).await;
    assert!(
        worked.is_ok(),
        "Aerospike does not work after a minute: {:?}",
        view.is_filled().await
    );
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("asd"))
        .find(|file| file.is_file())
}

/// Writes the configuration; answers the ports for clients and for heartbeats. `seed` is the port for heartbeats of a node to
/// join.
fn configure(folder: &Path, copies: u32, seed: Option<u16>) -> [u16; 2] {
    for inner in ["usr/udf/lua", "smd"] {
        std::fs::create_dir_all(folder.join(inner)).unwrap();
    }
    let seed = seed.map(|port| format!("mesh-seed-address-port 127.0.0.1 {port}"));
    let mut text = include_str!("asd.conf")
        .replace("FOLDER", &folder.display().to_string())
        .replace("COPIES", &copies.to_string())
        .replace("SEED", &seed.unwrap_or_default());
    // All are held until the last is known, so that no two are the same.
    let listeners: Vec<_> = (0..4)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let ports: Vec<_> = listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect();
    for (word, port) in ["SERVICE_PORT", "HEARTBEAT_PORT", "FABRIC_PORT", "ADMIN_PORT"]
        .iter()
        .zip(&ports)
    {
        text = text.replace(word, &port.to_string());
    }
    std::fs::write(folder.join("asd.conf"), text).unwrap();
    [ports[0], ports[1]]
}
