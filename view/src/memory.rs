//! The view in memory: for `reveille up`, and for tests.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use schemas::{Alert, Fingerprint, Status};

use crate::{CounterKey, View, ViewUnavailable};

/// How long a closed alert is kept, by the times in the alerts themselves.
const CLOSED_FOR: SignedDuration = SignedDuration::from_mins(10);
/// How many closed alerts are kept at most.
const CLOSED_MAX: usize = 10_000;

/// The view in memory. It hands out the alerts that it was given; nothing is copied.
#[derive(Default)]
pub struct MemoryView {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    alerts: HashMap<Fingerprint, Arc<Alert>>,
    /// Versions that closed an alert, oldest first.
    closed: VecDeque<Arc<Alert>>,
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
        let known = self.alerts.get(&alert.fingerprint);
        if known.is_some_and(|known| known.version >= alert.version) {
            return;
        }
        self.newest = self.newest.max(Some(alert.changed_at));
        if alert.status == Status::Closed {
            self.closed.push_back(Arc::clone(&alert));
        }
        self.alerts.insert(alert.fingerprint, alert);
    }

    fn forget_closed(&mut self) {
        while let Some(oldest) = self.closed.front() {
            let age = self.newest.map_or(SignedDuration::ZERO, |newest| {
                newest.duration_since(oldest.changed_at)
            });
            if age <= CLOSED_FOR && self.closed.len() <= CLOSED_MAX {
                return;
            }
            let (fingerprint, version) = (oldest.fingerprint, oldest.version);
            self.closed.pop_front();
            // It may have opened again since.
            if self
                .alerts
                .get(&fingerprint)
                .is_some_and(|alert| alert.version == version)
            {
                self.alerts.remove(&fingerprint);
            }
        }
    }

    fn open(&self) -> impl Iterator<Item = &Arc<Alert>> {
        self.alerts.values().filter(|alert| alert.status == Status::Open)
    }
}

#[async_trait]
impl View for MemoryView {
    async fn put(&self, alerts: Vec<Arc<Alert>>) -> Result<(), ViewUnavailable> {
        let mut state = self.lock();
        for alert in alerts {
            state.take_in(alert);
        }
        state.forget_closed();
        Ok(())
    }

    async fn get(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Arc<Alert>>, ViewUnavailable> {
        let state = self.lock();
        Ok(fingerprints
            .iter()
            .filter_map(|fingerprint| state.alerts.get(fingerprint))
            .cloned()
            .collect())
    }

    async fn open(&self) -> Result<Vec<Arc<Alert>>, ViewUnavailable> {
        Ok(self.lock().open().cloned().collect())
    }

    /// Counted when asked, so they are never wrong.
    async fn counters(&self) -> Result<BTreeMap<CounterKey, u64>, ViewUnavailable> {
        let open = self.open().await?;
        let mut counters = BTreeMap::new();
        for key in open.iter().flat_map(|alert| CounterKey::of(alert)) {
            *counters.entry(key).or_default() += 1;
        }
        Ok(counters)
    }

    async fn recount(&self) -> Result<u64, ViewUnavailable> {
        Ok(0)
    }

    async fn is_filled(&self) -> Result<bool, ViewUnavailable> {
        Ok(self.lock().filled)
    }

    async fn mark_filled(&self) -> Result<(), ViewUnavailable> {
        self.lock().filled = true;
        Ok(())
    }
}
