//! Whether this process makes progress, and what it waits for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::{Clock, Steady};

/// A task that has said nothing for this long is stuck. Tasks report at least every few seconds, also while they
/// wait for a dependency.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// The health of all the tasks of a process; cheap to clone.
#[derive(Clone)]
pub struct Health {
    clock: Clock,
    tasks: Arc<Mutex<BTreeMap<String, TaskState>>>,
    /// By subject.
    warnings: Arc<Mutex<BTreeMap<String, String>>>,
}

/// Something an operator must look at, while the process does its work all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it is about.
    pub subject: String,
    /// What is wrong, and how it is put right.
    pub warning: String,
}

#[derive(Debug, Clone)]
struct TaskState {
    last_sign: Steady,
    waiting_for: Option<String>,
    ended: Option<String>,
}

/// One task's way to tell how it is. Dropping it without [`Task::ended`] means that the task died.
pub struct Task {
    name: String,
    health: Health,
    ended: bool,
}

/// The health of one task, as `/healthz` and `/readyz` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskReport {
    /// The task.
    pub task: String,
    /// It lives and moves.
    pub healthy: bool,
    /// What it waits for, if it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// Why it is not healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl TaskReport {
    /// It is healthy and waits for nothing.
    pub fn ready(&self) -> bool {
        self.healthy && self.waiting_for.is_none()
    }
}

impl Health {
    /// Health of a process that has no tasks yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            tasks: Arc::default(),
            warnings: Arc::default(),
        }
    }

    /// Shows a warning in `/readyz` until it is cleared; a later one about the same subject takes its place. The process
    /// stays ready.
    pub fn warn(&self, subject: &str, warning: &str) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.insert(subject.to_owned(), warning.to_owned());
    }

    /// What was warned of is over.
    pub fn clear(&self, subject: &str) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.remove(subject);
    }

    /// All warnings, by subject.
    pub fn warnings(&self) -> Vec<Warning> {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        let warning = |(subject, warning): (&String, &String)| Warning {
            subject: subject.clone(),
            warning: warning.clone(),
        };
        warnings.iter().map(warning).collect()
    }

    /// A new task, that waits until its first sign of progress.
    pub fn task(&self, name: impl Into<String>) -> Task {
        let name = name.into();
        let state = TaskState {
            last_sign: self.clock.steady(),
            waiting_for: Some("start".to_owned()),
            ended: None,
        };
        self.lock().insert(name.clone(), state);
        Task {
            name,
            health: self.clone(),
            ended: false,
        }
    }

    /// How every task is, by name.
    pub fn report(&self) -> Vec<TaskReport> {
        let now = self.clock.steady();
        self.lock()
            .iter()
            .map(|(name, state)| {
                let silence = now.since(state.last_sign);
                let problem = match &state.ended {
                    Some(reason) => Some(reason.clone()),
                    None if silence > STUCK_AFTER => {
                        Some(format!("no sign of life for {} s", silence.as_secs()))
                    }
                    None => None,
                };
                TaskReport {
                    task: name.clone(),
                    healthy: problem.is_none(),
                    waiting_for: state.waiting_for.clone(),
                    problem,
                }
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, TaskState>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, name: &str, change: impl FnOnce(&mut TaskState, Steady)) {
        let now = self.clock.steady();
        if let Some(state) = self.lock().get_mut(name) {
            change(state, now);
        }
    }
}

impl Task {
    /// It moves.
    pub fn progress(&self) {
        self.health.update(&self.name, |state, now| {
            state.last_sign = now;
            state.waiting_for = None;
        });
    }

    /// It lives, but cannot go on before `what` is there.
    pub fn waiting(&self, what: &str) {
        self.health.update(&self.name, |state, now| {
            state.last_sign = now;
            if state.waiting_for.as_deref() != Some(what) {
                state.waiting_for = Some(what.to_owned());
            }
        });
    }

    /// It ended as it should (shutdown, or its partition was given away).
    pub fn ended(mut self) {
        self.ended = true;
        self.health.lock().remove(&self.name);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.ended {
            self.health.update(&self.name, |state, _| {
                state.ended = Some("the task has died".to_owned())
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_task_and_a_dead_task_are_not_healthy() {
        let health = Health::new(Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap()));
        let silent = health.task("silent");
        silent.progress();
        drop(health.task("dead"));
        health.task("over").ended();
        tokio::time::sleep(Duration::from_secs(61)).await;
        let problems: Vec<_> = health.report().into_iter().map(|r| (r.task, r.problem)).collect();
        assert_eq!(
            problems,
            [
                ("dead".to_owned(), Some("the task has died".to_owned())),
                ("silent".to_owned(), Some("no sign of life for 61 s".to_owned()))
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_task_is_healthy_but_not_ready() {
        let health = Health::new(Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap()));
        let task = health.task("daemon");
        task.waiting("database");
        let report = health.report().remove(0);
        assert!(report.healthy && !report.ready());
        assert_eq!(report.waiting_for.as_deref(), Some("database"));
        task.progress();
        assert!(health.report()[0].ready());
    }

    #[tokio::test(start_paused = true)]
    async fn l6_a_clock_that_is_corrected_makes_no_task_unhealthy_and_hides_none() {
        let clock = Clock::simulated("2026-09-01T10:00:00Z".parse().unwrap());
        let health = Health::new(clock.clone());
        let task = health.task("daemon");
        task.progress();
        clock.step(jiff::SignedDuration::from_mins(2));
        assert!(health.report()[0].healthy);
        clock.step(jiff::SignedDuration::from_hours(-1));
        tokio::time::sleep(STUCK_AFTER + Duration::from_secs(1)).await;
        assert!(!health.report()[0].healthy, "it has said nothing for a minute");
    }
}
