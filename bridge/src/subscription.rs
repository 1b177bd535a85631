//! What one client has on its screen.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::CompiledFilter;
use schemas::live::{Counters, Filter};

use crate::frames::Changes;
use crate::replica::{Key, List, News, Shown};

/// What one client has on its screen: as much as is needed to tell it what changes there.
pub(crate) struct Subscription {
    filter: CompiledFilter,
    /// By slot.
    shown: Bits,
    counters: Counters,
    /// Everything up to this change is on the screen.
    position: u64,
}

impl Subscription {
    /// A screen that shows what passes the filter of all the alerts at a place in the stream.
    pub async fn begin(filter: CompiledFilter, all: &List, position: u64) -> Self {
        let mut screen = Self {
            filter,
            shown: Bits::default(),
            counters: Counters::default(),
            position,
        };
        for part in all.parts() {
            for shown in part {
                if screen.filter.matches(&shown.alert) {
                    screen.add(shown);
                }
            }
            // There may be very many; others get their turn.
            tokio::task::yield_now().await;
        }
        screen
    }

    pub fn filter(&self) -> &Filter {
        self.filter.filter()
    }

    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether this alert, of the list that it began with, is on the screen.
    pub fn shows(&self, alert: &Shown) -> bool {
        self.shown.get(alert.slot)
    }

    /// Moves on to `position`.
    pub fn take(&mut self, news: &[News], position: u64) -> Changes {
        self.position = position;
        // All that was there is taken off first, as slots may have a new owner since.
        let was_shown: Vec<bool> = news.iter().map(|news| self.take_off(news)).collect();
        let mut changes = Changes::default();
        for (news, was_shown) in news.iter().zip(was_shown) {
            match &news.now {
                Some(now) if self.filter.matches(&now.alert) => {
                    self.add(now);
                    changes.changed.push(Arc::clone(now));
                }
                _ if was_shown => changes.removed.push(news.fingerprint),
                _ => continue,
            }
            changes.accepted_at.extend(news.accepted_at);
        }
        changes
    }

    /// What happened to a screen with the same filter that was left behind. What was on it then is known only as far
    /// as the filter asks for what alerts are counted by; so it may be told to remove what it never had.
    pub fn missed(&self, news: &[News]) -> Changes {
        let mut changes = Changes::default();
        for news in news {
            match (&news.now, &news.before) {
                (Some(now), _) if self.filter.matches(&now.alert) => changes.changed.push(Arc::clone(now)),
                (_, Some((_, before))) if before.may_pass(self.filter()) => {
                    changes.removed.push(news.fingerprint);
                }
                _ => {}
            }
        }
        changes
    }

    fn take_off(&mut self, news: &News) -> bool {
        let Some((slot, key)) = &news.before else {
            return false;
        };
        // Whoever had the slot before has been taken off already, as its end came earlier in the stream.
        let was_shown = self.shown.get(*slot);
        if was_shown {
            self.shown.set(*slot, false);
            count(&mut self.counters, key, false);
        }
        was_shown
    }

    fn add(&mut self, shown: &Shown) {
        self.shown.set(shown.slot, true);
        count(&mut self.counters, &shown.key, true);
    }
}

fn count(counters: &mut Counters, key: &Key, more: bool) {
    counters.total = if more {
        counters.total + 1
    } else {
        counters.total.saturating_sub(1)
    };
    count_one(&mut counters.by_severity, key.severity.name(), more);
    count_one(&mut counters.by_state, key.state.name(), more);
    count_one(&mut counters.by_environment, &key.environment, more);
}

/// What is zero has no entry.
fn count_one(counts: &mut BTreeMap<String, u64>, name: &str, more: bool) {
    match counts.get_mut(name) {
        Some(count) if more => *count += 1,
        Some(count) if *count > 1 => *count -= 1,
        Some(_) => {
            counts.remove(name);
        }
        None if more => {
            counts.insert(name.to_owned(), 1);
        }
        None => {}
    }
}

/// A set of small numbers.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn get(&self, number: u32) -> bool {
        let (word, bit) = (number as usize / 64, number % 64);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }

    fn set(&mut self, number: u32, value: bool) {
        let (word, bit) = (number as usize / 64, number % 64);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word = *word & !(1 << bit) | u64::from(value) << bit;
        }
    }
}

#[cfg(test)]
mod tests;
