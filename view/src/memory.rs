//! The view in memory: for `reveille up`, and for tests.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use schemas::{Alert, Fingerprint, Status};

use crate::{Cluster, Entry, View, ViewError, Written};

/// How long it is known that an alert has closed, by the times in the alerts themselves.
const CLOSED_FOR: SignedDuration = SignedDuration::from_mins(10);
/// Of how many alerts that is known at most.
const CLOSED_MAX: usize = 10_000;

/// The view in memory. It hands out the alerts that it was given; nothing is copied.
#[derive(Default)]
pub struct MemoryView {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    alerts: HashMap<Fingerprint, Entry>,
    /// Versions that closed an alert, and when, oldest first.
    closed: VecDeque<(Fingerprint, u64, Timestamp)>,
    /// The time of the newest change: the view's clock.
    newest: Option<Timestamp>,
    filled: bool,
}

impl MemoryView {
    /// An empty view.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_in(&mut self, alert: Arc<Alert>) {
        let known = self.alerts.get(&alert.fingerprint).map(Entry::version);
        if known.is_some_and(|known| known >= alert.version) {
            return;
        }
        self.newest = self.newest.max(Some(alert.changed_at));
        let (fingerprint, version) = (alert.fingerprint, alert.version);
        let entry = match alert.status {
            Status::Open => Entry::Open(alert),
            Status::Closed if known.is_none() && !self.filled => return,
            Status::Closed => {
                self.closed.push_back((fingerprint, version, alert.changed_at));
                Entry::Closed { fingerprint, version }
            }
        };
        self.alerts.insert(fingerprint, entry);
    }

    fn forget_closed(&mut self) {
        while let Some((fingerprint, version, closed_at)) = self.closed.front().copied() {
            let age = self
                .newest
                .map_or(SignedDuration::ZERO, |newest| newest.duration_since(closed_at));
            if age <= CLOSED_FOR && self.closed.len() <= CLOSED_MAX {
                return;
            }
            self.closed.pop_front();
            // It may have opened again since.
            if self
                .alerts
                .get(&fingerprint)
                .is_some_and(|entry| entry.version() == version)
            {
                self.alerts.remove(&fingerprint);
            }
        }
    }
}

#[async_trait]
impl View for MemoryView {
    async fn put(&self, alerts: Vec<Arc<Alert>>) -> Result<Written, ViewError> {
        let mut state = self.lock();
        for alert in alerts {
            state.take_in(alert);
        }
        state.forget_closed();
        Ok(Written::default())
    }

    async fn get(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Entry>, ViewError> {
        let state = self.lock();
        Ok(fingerprints
            .iter()
            .filter_map(|fingerprint| state.alerts.get(fingerprint))
            .cloned()
            .collect())
    }

    async fn open(&self) -> Result<Vec<Arc<Alert>>, ViewError> {
        let state = self.lock();
        let open = state.alerts.values().filter_map(|entry| match entry {
            Entry::Open(alert) => Some(Arc::clone(alert)),
            Entry::Closed { .. } => None,
        });
        Ok(open.collect())
    }

    async fn is_filled(&self) -> Result<bool, ViewError> {
        Ok(self.lock().filled)
    }

    async fn mark_filled(&self) -> Result<(), ViewError> {
        self.lock().filled = true;
        Ok(())
    }

    /// This process is its only node, and what it holds is lost with the process alone.
    async fn cluster(&self) -> Result<Cluster, ViewError> {
        Ok(Cluster {
            nodes: ["memory".to_owned()].into(),
            key: Some("memory".to_owned()),
            records: 0,
            copies: 1,
            full: false,
        })
    }
}
