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
        let namespace = "reveille".to_owned();
        let views = AtomicU32::new(0);
        if let Ok(hosts) = std::env::var("REVEILLE_TEST_AEROSPIKE") {
            let server = Self {
                hosts,
                namespace,
                own: None,
                views,
            };
            until_it_works(&server.view().await).await;
            return Some(server);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let Some(program) = std::env::split_paths(&path)
            .map(|folder| folder.join("asd"))
            .find(|file| file.is_file())
        else {
            eprintln!(
                "SKIPPED: Aerospike is not here; set REVEILLE_TEST_AEROSPIKE=host:port or put asd on the PATH"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = configure(folder.path());
        let own = Some(Own {
            program,
            folder,
            process: None,
        });
        let mut server = Self {
            hosts: format!("127.0.0.1:{port}"),
            namespace,
            own,
            views,
        };
        server.start();
        until_it_works(&server.view().await).await;
        Some(server)
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

/// Writes the configuration; answers the port for clients.
fn configure(folder: &Path) -> u16 {
    for inner in ["usr/udf/lua", "smd"] {
        std::fs::create_dir_all(folder.join(inner)).unwrap();
    }
    let mut text = include_str!("asd.conf").replace("FOLDER", &folder.display().to_string());
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
    ports[0]
}
