//! Foreign processes: each in a group of its own, its output in a file, dead when its owner is gone.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::waiting::until;

/// A running process; killed with its whole group when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; whatever it says is appended to `log`.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = append(log)?;
        let again = file.try_clone().context("the log file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(again)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name}: {command:?}"))?;
        watch('+', child.id());
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its end, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// `kill -9`, at once.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            signal_group("KILL", self.id());
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        watch('-', self.id());
    }

    /// Asks it to end, and kills it when it does not.
    pub async fn terminate(&mut self, within: Duration) -> Result<ExitStatus> {
        signal_group("TERM", self.id());
        let name = format!("the end of {}", self.name);
        let status = until(&name, within, async || Ok(self.child.try_wait()?)).await;
        self.kill();
        status
    }

    /// Waits for its own end.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let name = format!("the end of {}", self.name);
        until(&name, within, async || Ok(self.child.try_wait()?)).await
    }

    /// Waits until it does its work; tells its last words when it does not, or has ended.
    pub async fn works(&mut self, within: Duration, mut ask: impl AsyncFnMut() -> Result<()>) -> Result<()> {
        let name = format!("{} works", self.name);
        let works = until(&name, within, async || match self.child.try_wait()? {
            Some(status) => Ok(Some(Err(anyhow!("it has ended: {status}")))),
            None => ask().await.map(|()| Some(Ok(()))),
        });
        let works = works.await;
        works.flatten().with_context(|| self.last_words())
    }

    /// The last lines of its log, for a message.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let from = lines.len().saturating_sub(15);
        format!(
            "{} said ({}):\n{}",
            self.name,
            self.log.display(),
            lines[from..].join("\n")
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn append(log: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("opening {}", log.display()))
}

fn signal_group(signal: &str, group: u32) {
    // The shell's own `kill`: a bare machine has no other.
    let _ = Command::new("sh")
        .args(["-c", r#"kill -s "$0" -- "-$1""#, signal, &group.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// A shell that knows every group we started. It reads from a pipe that only this process holds, so it sees our end,
/// however it comes, and then kills what is left: `Drop` does not run when a test is itself killed.
static WATCHMAN: LazyLock<Mutex<Option<ChildStdin>>> = LazyLock::new(|| {
    const SCRIPT: &str = r#"groups=" "
while read -r what group; do
    case $what in
        +) groups="$groups$group " ;;
        -) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done"#;
    let shell = Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    Mutex::new(shell.ok().and_then(|mut shell| shell.stdin.take()))
});

fn watch(what: char, group: u32) {
    let mut pipe = WATCHMAN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pipe) = pipe.as_mut() {
        let _ = writeln!(pipe, "{what} {group}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(id: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_some_and(|state| state != 'Z')
    }

    #[tokio::test]
    async fn a_dropped_process_takes_its_children_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo $!; wait"]);
        let process = Process::spawn("parent", command, &log).unwrap();
        let grandchild: u32 = until("its child", Duration::from_secs(10), async || {
            Ok(std::fs::read_to_string(&log)?.trim().parse().ok())
        })
        .await
        .unwrap();
        assert!(alive(grandchild));
        drop(process);
        until("its end", Duration::from_secs(10), async || {
            Ok((!alive(grandchild)).then_some(()))
        })
        .await
        .unwrap();
    }
}
