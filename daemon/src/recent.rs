//! The states of open alerts, as they are stored: what is told again and again need not be read again and again.
//!
//! They know a little more than the store: which event was the last, where it came to nothing.

use std::collections::HashMap;

use domain::AlertState;
use schemas::Fingerprint;

/// So many states are remembered of all partitions together, some forty megabytes.
const MOST: usize = 10_000;

/// What is remembered of one partition. It is good as long as the claim is: nobody else may write the states.
pub(crate) struct Recent {
    states: HashMap<Fingerprint, AlertState>,
    most: usize,
}

impl Recent {
    /// Of one of so many partitions.
    pub(crate) fn of_one_in(partitions: u32) -> Self {
        let partitions = usize::try_from(partitions).unwrap_or(usize::MAX);
        Self {
            states: HashMap::new(),
            most: MOST / partitions.max(1),
        }
    }

    /// Takes out what is remembered of these alerts. Whoever does so gives it back when it is as it is stored.
    pub(crate) fn take(&mut self, fingerprints: &[Fingerprint]) -> HashMap<Fingerprint, AlertState> {
        let states = fingerprints
            .iter()
            .filter_map(|fingerprint| self.states.remove_entry(fingerprint));
        states.collect()
    }

    /// Remembers the states of the alerts that are open. Of those that are not, little more will be heard. When there
    /// are too many, all are forgotten: those that are told often are soon back.
    pub(crate) fn keep(&mut self, states: impl IntoIterator<Item = AlertState>) {
        for state in states.into_iter().filter(AlertState::is_open) {
            if self.states.len() >= self.most {
                self.states.clear();
            }
            self.states.insert(state.alert.fingerprint, state);
        }
    }
}
