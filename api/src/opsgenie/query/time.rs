//! Times of a query.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::Comparison;

/// From the first of these numbers to before the last one: a millisecond, a minute or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::opsgenie) struct Span {
    from: i64,
    to: i64,
}

impl Span {
    pub(super) const fn of_one(number: i64) -> Self {
        Self {
            from: number,
            to: number.saturating_add(1),
        }
    }

    /// Milliseconds since 1970, `dd-MM-yyyy` or `dd-MM-yyyyTHH:mm` in UTC, or RFC 3339.
    pub(super) fn read(field: &str, text: &str) -> Result<Self, String> {
        if let Ok(milliseconds) = text.parse() {
            return Ok(Self::of_one(milliseconds));
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::of_one(at.as_millisecond()));
        }
        let wrong = || {
            format!(
                "has {text:?} for {field}, which is no time; write milliseconds since 1970, dd-MM-yyyy or dd-MM-yyyyTHH:mm"
            )
        };
        Self::of_date(text).ok_or_else(wrong)
    }

    fn of_date(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let date = Date::strptime("%d-%m-%Y", date).ok()?;
        let (from, length) = match time {
            None => (DateTime::from_parts(date, Time::midnight()), 1.day()),
            Some(time) => (date.to_datetime(time.parse().ok()?), 1.minute()),
        };
        let at = |time: DateTime| TimeZone::UTC.to_timestamp(time).ok();
        Some(Self {
            from: at(from)?.as_millisecond(),
            to: at(from.checked_add(length).ok()?)?.as_millisecond(),
        })
    }

    pub(super) const fn compare(self, value: i64, comparison: Comparison) -> bool {
        match comparison {
            Comparison::Equal => self.from <= value && value < self.to,
            Comparison::NotEqual => value < self.from || self.to <= value,
            Comparison::Less => value < self.from,
            Comparison::LessOrEqual => value < self.to,
            Comparison::Greater => self.to <= value,
            Comparison::GreaterOrEqual => self.from <= value,
        }
    }
}
