//! A MariaDB for the tests: the one that is named, else one of our own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Names a MariaDB: `mysql://user:password@host:port` of an account that may create databases.
const VARIABLE: &str = "REVEILLE_TEST_MARIADB";

/// Starts the server, and ends it and removes its data as soon as the test process is gone, however it ended: the
/// pipe on standard input closes then.
const SCRIPT: &str = r#"
"$@" </dev/null &
server=$!
cat >/dev/null
kill -9 $server
wait $server 2>/dev/null
rm -rf "$REVEILLE_TEST_DIRECTORY"
"#;

struct Server {
    url: String,
    _alive: Option<Child>,
}

/// URL of the server without a database; None, with a word on stderr, when there is none.
pub fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match std::env::var(VARIABLE) {
        Ok(url) => Some(Server {
            url: url.trim_end_matches('/').to_owned(),
            _alive: None,
        }),
        Err(_) => start(),
    });
    if server.is_none() {
        eprintln!("SKIPPED: MariaDB: set {VARIABLE} to a mysql:// URL, or put mariadbd on the PATH");
    }
    server.as_ref().map(|server| server.url.as_str())
}

fn start() -> Option<Server> {
    if Command::new("mariadbd")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        return None;
    }
    let directory = tempfile::Builder::new()
        .prefix("reveille-mariadb-")
        .tempdir()
        .unwrap()
        .keep();
    let data = directory.join("data");
    let root = Command::new("id")
        .arg("-u")
        .output()
        .unwrap()
        .stdout
        .starts_with(b"0\n");
    let user: &[&str] = if root { &["--user=root"] } else { &[] };
    let output = Command::new("mariadb-install-db")
        .args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ])
        .args(user)
        .arg(format!("--datadir={}", data.display()))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "mariadb-install-db: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut child = Command::new("sh")
        .args(["-c", SCRIPT, "sh", "mariadbd", "--no-defaults"])
        .args(user)
        .args([
            format!("--datadir={}", data.display()),
            format!("--socket={}", directory.join("socket").display()),
            format!("--pid-file={}", directory.join("pid").display()),
            format!("--port={port}"),
        ])
        .args([
            "--bind-address=127.0.0.1",
            "--max-connections=1000",
            "--innodb-buffer-pool-size=128M",
        ])
        // What the tests ask of the server is not how well it survives.
        .args([
            "--innodb-flush-log-at-trx-commit=0",
            "--character-set-server=latin1",
        ])
        .env("REVEILLE_TEST_DIRECTORY", &directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("ready for connections") {
        let read = log.read_line(&mut seen).unwrap();
        assert!(read > 0, "mariadbd did not start:\n{seen}");
    }
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    Some(Server {
        url: format!("mysql://root@127.0.0.1:{port}"),
        _alive: Some(child),
    })
}
