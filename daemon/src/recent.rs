//! The states of open alerts, as they are stored: what is reported again and again need not be read again and again.
//!
//! They know a little more than the store: which event was the last, where it came to nothing.

use std::collections::{BTreeMap, HashMap};

use domain::AlertState;
use schemas::Fingerprint;

/// So many states are remembered of all partitions together.
const STATES_MAX: usize = 10_000;
/// So many bytes of text these may have together.
const TEXT_BYTES_MAX: usize = 24 * 1024 * 1024;

/// What is remembered of one partition. It is good as long as the claim is: no other process may write the states.
pub(crate) struct Recent {
    states: HashMap<Fingerprint, Remembered>,
    /// The fingerprints by the turn in which their state was kept, the oldest first.
    turns: BTreeMap<u64, Fingerprint>,
    turn: u64,
    most: usize,
    most_bytes: usize,
    bytes: usize,
}

struct Remembered {
    turn: u64,
    bytes: usize,
    /// Large, and a table has room for more than are in it.
    state: Box<AlertState>,
}

impl Recent {
    /// Of one of so many partitions.
    pub(crate) fn of_one_in(partitions: u32) -> Self {
        let partitions = usize::try_from(partitions).unwrap_or(usize::MAX).max(1);
        Self::of_at_most(STATES_MAX / partitions, TEXT_BYTES_MAX / partitions)
    }

    fn of_at_most(most: usize, most_bytes: usize) -> Self {
        Self {
            states: HashMap::new(),
            turns: BTreeMap::new(),
            turn: 0,
            most,
            most_bytes,
            bytes: 0,
        }
    }

    /// Takes out what is remembered of these alerts. It is given back by [`Recent::keep`] when it is as it is stored.
    pub(crate) fn take(&mut self, fingerprints: &[Fingerprint]) -> HashMap<Fingerprint, AlertState> {
        let mut states = HashMap::new();
        for fingerprint in fingerprints {
            if let Some(remembered) = self.forget(*fingerprint) {
                states.insert(*fingerprint, *remembered.state);
            }
        }
        states
    }

    /// Remembers the states of the alerts that are open. Of those that are not, little more will be heard. When there
    /// are too many, or they are too large, those that were kept longest ago are forgotten for each new one.
    pub(crate) fn keep(&mut self, states: impl IntoIterator<Item = AlertState>) {
        for state in states.into_iter().filter(AlertState::is_open) {
            let fingerprint = state.alert.fingerprint;
            self.forget(fingerprint);
            self.turn += 1;
            let (turn, bytes) = (self.turn, text_bytes(&state));
            self.bytes += bytes;
            self.turns.insert(turn, fingerprint);
            let state = Box::new(state);
            self.states.insert(fingerprint, Remembered { turn, bytes, state });
            while (self.states.len() > self.most || self.bytes > self.most_bytes)
                && let Some((_, oldest)) = self.turns.first_key_value()
            {
                self.forget(*oldest);
            }
        }
    }

    fn forget(&mut self, fingerprint: Fingerprint) -> Option<Remembered> {
        let remembered = self.states.remove(&fingerprint)?;
        self.turns.remove(&remembered.turn);
        self.bytes -= remembered.bytes;
        Some(remembered)
    }
}

/// What senders can make long in a state.
fn text_bytes(state: &AlertState) -> usize {
    let alert = &state.alert;
    let previous = alert.previous_output.as_ref().map_or(0, String::len);
    let said = state
        .said
        .as_ref()
        .map(|said| &said.output)
        .map_or(0, String::len);
    let entries = [&alert.labels, &alert.annotations, &alert.links];
    let entries = entries.into_iter().flatten();
    let entries: usize = entries.map(|(name, value)| name.len() + value.len()).sum();
    alert.name.len()
        + alert.object.len()
        + alert.source.len()
        + alert.output.len()
        + previous
        + said
        + entries
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
        let mut recent = Recent::of_at_most(3, usize::MAX);
        recent.keep(states[..3].to_vec());
        assert_eq!(known(&mut recent), [0, 1, 2]);
        recent.keep([states[2].clone(), states[1].clone(), states[0].clone()]);
        recent.keep([states[3].clone()]);
        assert_eq!(known(&mut recent), [0, 1, 3]);
    }

    #[test]
    fn s7_large_states_are_forgotten_when_they_are_too_large_together() {
        let states: Vec<_> = (0..4).map(|number| open_state(&number.to_string())).collect();
        let bytes = text_bytes(&states[0]);
        let mut recent = Recent::of_at_most(10, 3 * bytes);
        recent.keep(states.clone());
        recent.keep([states[3].clone()]);
        let fingerprints: Vec<_> = states.iter().map(|state| state.alert.fingerprint).collect();
        assert_eq!(recent.take(&fingerprints).len(), 3);
        assert_eq!(recent.bytes, 0);
        let mut large = states[0].clone();
        large.alert.output = "x".repeat(4 * bytes);
        recent.keep([large]);
        assert!(recent.take(&fingerprints).is_empty());
    }
}
