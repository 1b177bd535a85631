//! When things arrived that carry a number of ours, such as alerts on a screen or notifications at a receiver.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a number of ours stands behind.
pub(crate) const MARK: &str = "sequence=";

/// How often somebody who waits looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The first arrival of each number of a range.
pub(crate) struct Arrivals {
    base: Instant,
    from: usize,
    /// Nanoseconds after `base`; 0 for what has not come.
    first: Vec<AtomicU64>,
    count: AtomicUsize,
    again: AtomicUsize,
}

impl Arrivals {
    /// Nothing yet.
    pub(crate) fn of(numbers: Range<usize>) -> Self {
        Self {
            base: Instant::now(),
            from: numbers.start,
            first: numbers.map(|_| AtomicU64::default()).collect(),
            count: AtomicUsize::new(0),
            again: AtomicUsize::new(0),
        }
    }

    /// Notes an arrival; other numbers are somebody else's.
    pub(crate) fn note(&self, number: usize, at: Instant) {
        let Some(place) = self.place(number) else {
            return;
        };
        let nanoseconds = u64::try_from(at.duration_since(self.base).as_nanos().max(1)).unwrap_or(u64::MAX);
        match place.compare_exchange(0, nanoseconds, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => self.count.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.again.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// When a number came first.
    pub(crate) fn at(&self, number: usize) -> Option<Instant> {
        match self.place(number)?.load(Ordering::Relaxed) {
            0 => None,
            nanoseconds => Some(self.base + Duration::from_nanos(nanoseconds)),
        }
    }

    /// How many different numbers have come.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// How often a number came that had come before.
    pub(crate) fn again(&self) -> usize {
        self.again.load(Ordering::Relaxed)
    }

    /// The last of the first arrivals.
    pub(crate) fn last(&self) -> Option<Instant> {
        let numbers = self.from..self.from + self.first.len();
        numbers.filter_map(|number| self.at(number)).max()
    }

    fn place(&self, number: usize) -> Option<&AtomicU64> {
        self.first.get(number.checked_sub(self.from)?)
    }

    /// Waits until so many different numbers have come, or until time is up; answers how many have.
    pub(crate) async fn wait(&self, count: usize, until: Instant) -> usize {
        while self.count() < count && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.count()
    }
}

/// The number behind the first [`MARK`] of a text.
pub(crate) fn number(text: &[u8]) -> Option<usize> {
    let mark = MARK.as_bytes();
    let start = text.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit());
    let mut value = None;
    for digit in digits.take(12) {
        value = Some(value.unwrap_or(0) * 10 + usize::from(digit - b'0'));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_arrival_counts() {
        let arrivals = Arrivals::of(1..3);
        let (early, late) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        arrivals.note(1, early);
        arrivals.note(1, late);
        arrivals.note(0, late);
        arrivals.note(3, late);
        assert_eq!(
            (arrivals.count(), arrivals.again(), arrivals.at(1), arrivals.at(2)),
            (1, 1, Some(early), None)
        );
        assert_eq!(arrivals.last(), Some(early));
    }

    #[test]
    fn a_number_stands_behind_its_mark() {
        assert_eq!(number(b"a sequence=0123 b"), Some(123));
        assert_eq!(number(b"a sequence= b"), None);
        assert_eq!(number(b"a"), None);
    }
}
