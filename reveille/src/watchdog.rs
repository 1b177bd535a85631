//! Ends a process that cannot recover, so that its supervisor starts a new one: a container engine restarts what has
//! ended, and does not look at `/healthz`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use pipeline::Health;
use pipeline::health::TaskReport;
use tokio_util::sync::CancellationToken;

/// How often the tasks are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A task that has not been healthy for this long does not recover: it has died, or has said nothing for two minutes.
const UNHEALTHY_MAX: Duration = Duration::from_secs(60);
/// How long the other tasks have to end as they should.
const GRACE: Duration = Duration::from_secs(20);

/// Watches the tasks of a process.
pub(crate) struct Watchdog {
    reason: Arc<OnceLock<String>>,
}

impl Watchdog {
    /// Begins to watch, on a thread of its own: the tasks may have stopped the runtime.
    pub(crate) fn start(health: Health, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let reason = Arc::new(OnceLock::new());
        let found = Arc::clone(&reason);
        let watch = move || {
            let mut unhealthy = Unhealthy::default();
            loop {
                thread::sleep(LOOK_EVERY);
                if shutdown.is_cancelled() {
                    return;
                }
                if let Some(why) = unhealthy.look(&health.report(), Instant::now()) {
                    tracing::error!(why, "the process cannot recover and ends, to be started again");
                    let _ = found.set(why);
                    shutdown.cancel();
                    thread::sleep(GRACE);
                    std::process::exit(1);
                }
            }
        };
        thread::Builder::new().name("watchdog".to_owned()).spawn(watch)?;
        Ok(Self { reason })
    }

    /// An error if the process has ended because it could not recover.
    pub(crate) fn outcome(&self) -> anyhow::Result<()> {
        match self.reason.get() {
            Some(why) => bail!("ended, as it could not recover: {why}"),
            None => Ok(()),
        }
    }
}

/// Since when which tasks are unhealthy.
#[derive(Default)]
struct Unhealthy {
    since: BTreeMap<String, Instant>,
}

impl Unhealthy {
    /// Why the process must end, if it must.
    fn look(&mut self, reports: &[TaskReport], now: Instant) -> Option<String> {
        let unhealthy = reports.iter().filter(|report| !report.healthy);
        let since = std::mem::take(&mut self.since);
        let mut why = None;
        for report in unhealthy {
            let begun = since.get(&report.task).copied().unwrap_or(now);
            self.since.insert(report.task.clone(), begun);
            if now.duration_since(begun) >= UNHEALTHY_MAX {
                let problem = report.problem.as_deref().unwrap_or_default();
                why = Some(format!("{}: {problem}", report.task));
            }
        }
        why
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(task: &str, problem: Option<&str>) -> TaskReport {
        TaskReport {
            task: task.to_owned(),
            healthy: problem.is_none(),
            waiting_for: Some("database".to_owned()),
            problem: problem.map(str::to_owned),
        }
    }

    #[test]
    fn l21_a_process_ends_when_a_task_stays_unhealthy_and_not_while_one_waits_or_recovers() {
        let begin = Instant::now();
        let mut unhealthy = Unhealthy::default();
        let (waits, dead) = (report("daemon", None), report("site", Some("the task has died")));
        let mut look =
            |seconds, reports: &[TaskReport]| unhealthy.look(reports, begin + Duration::from_secs(seconds));
        assert_eq!(look(0, std::slice::from_ref(&waits)), None);
        assert_eq!(look(500, &[waits.clone(), dead.clone()]), None);
        assert_eq!(look(559, &[waits.clone(), dead.clone()]), None);
        assert_eq!(look(560, std::slice::from_ref(&waits)), None, "it has recovered");
        assert_eq!(look(561, &[waits.clone(), dead.clone()]), None);
        let why = look(621, &[waits, dead]);
        assert_eq!(why.as_deref(), Some("site: the task has died"));
    }
}
