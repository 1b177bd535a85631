//! Where things are: the build folder, the binary, programs on PATH, free ports.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use tokio::net::TcpSocket;

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The build folder, which this very executable is in.
pub fn target() -> Result<PathBuf> {
    let profile = profile()?;
    Ok(profile.parent().unwrap_or(&profile).to_owned())
}

/// The folder of this executable's profile, such as `target/debug`: programs are in it, tests in `deps` below it.
fn profile() -> Result<PathBuf> {
    let executable = std::env::current_exe().context("where this executable is")?;
    let folder = executable.parent().context("the executable is in no folder")?;
    let profile = if folder.ends_with("deps") {
        folder.parent()
    } else {
        Some(folder)
    };
    Ok(profile
        .context("the executable is not in target/<profile>")?
        .to_owned())
}

/// The `reveille` binary: `REVEILLE_BIN`, else the one that was built beside the tests.
pub fn reveille() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("REVEILLE_BIN") {
        return Ok(path.into());
    }
    let binary = profile()?.join("reveille");
    ensure!(
        binary.is_file(),
        "{} is not there: build it with `cargo build -p reveille`, or set REVEILLE_BIN",
        binary.display()
    );
    Ok(binary)
}

/// A program on PATH, or in the folders for administrators.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(administrators)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// A free port on loopback. It lies below the range from which outgoing connections take theirs, so that it is still
/// free when the process that had it is killed and started again.
pub fn free_port() -> Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..1000 {
        let port = rand::random_range(20_000..30_000);
        if !given.contains(&port) && bound(port).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    bail!("no free port between 20000 and 30000")
}

/// Takes a port without listening on it, if nobody listens there. A process that is started at this moment has a copy of
/// every socket until it runs its program, and a copy that listens would keep the port from whom it is meant for.
fn bound(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

/// A free address on loopback.
pub fn free_address() -> Result<SocketAddr> {
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)))
}

/// A folder for one scenario's logs, empty.
pub fn logs(scenario: &str) -> Result<PathBuf> {
    let folder = target()?.join("scenarios").join(scenario);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_port_is_free_while_nobody_listens_and_looking_keeps_nobody_from_it() {
        let port = free_port().unwrap();
        let copy = bound(port).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(bound(port).is_err());
        drop((copy, listener));
    }
}
