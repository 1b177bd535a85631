//! The states of open alerts, as they are stored: what is reported again and again need not be read again and again.
//!
//! They know a little more than the store: which event was the last, where it came to nothing.

use std::collections::{BTreeMap, HashMap};

use domain::AlertState;
use schemas::Fingerprint;

/// So many states are remembered of all partitions together, some forty megabytes.
const STATES_MAX: usize = 10_000;

/// What is remembered of one partition. It is good as long as the claim is: no other process may write the states.
pub(crate) struct Recent {
    states: HashMap<Fingerprint, (u64, AlertState)>,
    /// The fingerprints by the turn in which their state was kept, the oldest first.
    turns: BTreeMap<u64, Fingerprint>,
    turn: u64,
    most: usize,
}

impl Recent {
    /// Of one of so many partitions.
    pub(crate) fn of_one_in(partitions: u32) -> Self {
        let partitions = usize::try_from(partitions).unwrap_or(usize::MAX);
        Self::of_at_most(STATES_MAX / partitions.max(1))
    }

    fn of_at_most(most: usize) -> Self {
        Self {
            states: HashMap::new(),
            turns: BTreeMap::new(),
            turn: 0,
            most,
        }
    }

    /// Takes out what is remembered of these alerts. It is given back by [`Recent::keep`] when it is as it is stored.
    pub(crate) fn take(&mut self, fingerprints: &[Fingerprint]) -> HashMap<Fingerprint, AlertState> {
        let mut states = HashMap::new();
        for fingerprint in fingerprints {
            if let Some((turn, state)) = self.states.remove(fingerprint) {
                self.turns.remove(&turn);
                states.insert(*fingerprint, state);
            }
        }
        states
    }

    /// Remembers the states of the alerts that are open. Of those that are not, little more will be heard. When there
    /// are too many, the one that was kept longest ago is forgotten for each new one.
    pub(crate) fn keep(&mut self, states: impl IntoIterator<Item = AlertState>) {
        for state in states.into_iter().filter(AlertState::is_open) {
            let fingerprint = state.alert.fingerprint;
            self.turn += 1;
            self.turns.insert(self.turn, fingerprint);
            if let Some((turn, _)) = self.states.insert(fingerprint, (self.turn, state)) {
                self.turns.remove(&turn);
            }
            while self.states.len() > self.most
                && let Some((_, oldest)) = self.turns.pop_first()
            {
                self.states.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::open_state;

    #[test]
    fn states_are_forgotten_one_by_one_and_the_one_kept_longest_ago_first() {
        let states: Vec<_> = (0..4).map(|number| open_state(&number.to_string())).collect();
        let known = |recent: &mut Recent| -> Vec<usize> {
            let fingerprints: Vec<_> = states.iter().map(|state| state.alert.fingerprint).collect();
            let taken = recent.take(&fingerprints);
            let known = (0..4).filter(|number| taken.contains_key(&fingerprints[*number]));
            let known = known.collect();
            recent.keep(taken.into_values());
            known
        };
        let mut recent = Recent::of_at_most(3);
        recent.keep(states[..3].to_vec());
        assert_eq!(known(&mut recent), [0, 1, 2]);
        recent.keep([states[2].clone(), states[1].clone(), states[0].clone()]);
        recent.keep([states[3].clone()]);
        assert_eq!(known(&mut recent), [0, 1, 3]);
    }
}
