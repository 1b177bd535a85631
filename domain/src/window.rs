//! Daily spans of time in which people may be told.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use schemas::config::{TimeWindow, Weekday as Day};

/// A window of one day of the week may be leapt over whole when clocks are put forward, and opens the week after.
const DAYS_AHEAD: i64 = 15;

/// A window's text cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindow {
    /// Not a time of day.
    #[error("{0:?} is not a time of day: write it as HH:MM, such as 09:30")]
    Time(String),
    /// Not a time zone.
    #[error("{0:?} is not a time zone: use an IANA name, such as Europe/Berlin or UTC")]
    TimeZone(String),
}

/// A window that was understood.
#[derive(Debug, Clone)]
pub struct Window {
    from: Time,
    to: Time,
    days: Vec<Weekday>,
    zone: TimeZone,
}

/// One stretch during which a window is open: `opens` is part of it, `closes` is not.
#[derive(Debug, Clone, Copy)]
struct Span {
    opens: Timestamp,
    closes: Timestamp,
}

impl Window {
    /// Understands a window.
    pub fn parse(window: &TimeWindow) -> Result<Self, InvalidWindow> {
        let zone = TimeZone::get(&window.time_zone)
            .map_err(|_| InvalidWindow::TimeZone(window.time_zone.clone()))?;
        Ok(Self {
            from: time_of_day(&window.from)?,
            // Midnight at the end of a day has a way of writing of its own (ISO 8601).
            to: match window.to.as_str() {
                "24:00" => Time::midnight(),
                to => time_of_day(to)?,
            },
            days: window.days.iter().map(|day| weekday(*day)).collect(),
            zone,
        })
    }

    /// Whether the window is open at this instant.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.spans_around(at)
            .take_while(|span| span.opens <= at)
            .any(|span| at < span.closes)
    }

    /// The next instant after `at` at which it opens. None only for a window in which no day ever begins.
    pub fn next_opening(&self, at: Timestamp) -> Option<Timestamp> {
        self.spans_around(at)
            .map(|span| span.opens)
            .find(|opening| *opening > at)
    }

    /// The spans that begin from the day before `at` (one that lasts over midnight may still be open) to [`DAYS_AHEAD`] days
    /// after it, in their order. Both questions above are answered from this one list, so that they cannot disagree.
    fn spans_around(&self, at: Timestamp) -> impl Iterator<Item = Span> {
        let today = at.to_zoned(self.zone.clone()).date();
        (-1..=DAYS_AHEAD)
            .filter_map(move |days| today.checked_add(days.days()).ok())
            .filter(|date| self.begins_on(date.weekday()))
            .filter_map(|date| self.span(date))
    }

    /// The span that begins on this day; none where the clocks leap over the whole of it.
    fn span(&self, date: Date) -> Option<Span> {
        let last_day = if self.from < self.to {
            date
        } else {
            date.tomorrow().ok()?
        };
        let span = Span {
            opens: self.instants(date.to_datetime(self.from))?.0,
            closes: self.instants(last_day.to_datetime(self.to))?.1,
        };
        (span.opens < span.closes).then_some(span)
    }

    /// The first and the last instant at which clocks show this time of day: one and the same on most days, two when
    /// clocks are put back. When they leap over it, the instant of the leap.
    fn instants(&self, at: DateTime) -> Option<(Timestamp, Timestamp)> {
        let ambiguous = self.zone.to_ambiguous_zoned(at);
        let (earlier, later) = (
            ambiguous.clone().earlier().ok()?.timestamp(),
            ambiguous.clone().later().ok()?.timestamp(),
        );
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => {
                let leap = self.zone.following(earlier).next()?.timestamp();
                Some((leap, leap))
            }
            AmbiguousOffset::Fold { .. } | AmbiguousOffset::Unambiguous { .. } => Some((earlier, later)),
        }
    }

    fn begins_on(&self, day: Weekday) -> bool {
        self.days.is_empty() || self.days.contains(&day)
    }
}

fn time_of_day(text: &str) -> Result<Time, InvalidWindow> {
    let invalid = || InvalidWindow::Time(text.to_owned());
    let (hour, minute) = text.split_once(':').ok_or_else(invalid)?;
    let hour: i8 = hour.parse().map_err(|_| invalid())?;
    let minute: i8 = minute.parse().map_err(|_| invalid())?;
    Time::new(hour, minute, 0, 0).map_err(|_| invalid())
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn window(from: &str, to: &str, days: &[Day]) -> Window {
        Window::parse(&TimeWindow {
            from: from.to_owned(),
            to: to.to_owned(),
            days: days.to_vec(),
            time_zone: "Europe/Berlin".to_owned(),
        })
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn working_hours_follow_the_local_clock_through_the_change_of_time() {
        let window = window("09:00", "17:00", &[Day::Monday, Day::Friday]);
        assert!(
            window.contains(at("2026-03-27T08:00:00Z")),
            "Friday 09:00 in winter"
        );
        assert!(!window.contains(at("2026-03-27T07:59:00Z")));
        assert!(
            window.contains(at("2026-03-30T07:00:00Z")),
            "Monday 09:00 in summer"
        );
        assert!(
            !window.contains(at("2026-03-30T15:00:00Z")),
            "the end is not part of it"
        );
        assert_eq!(
            window.next_opening(at("2026-03-27T16:00:00Z")),
            Some(at("2026-03-30T07:00:00Z"))
        );
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let window = window("22:00", "06:00", &[Day::Friday]);
        assert!(window.contains(at("2026-09-04T21:00:00Z")), "Friday 23:00");
        assert!(window.contains(at("2026-09-05T03:59:00Z")), "Saturday 05:59");
        assert!(!window.contains(at("2026-09-05T21:00:00Z")), "Saturday 23:00");
        assert_eq!(
            window.next_opening(at("2026-09-04T20:00:00Z")),
            Some(at("2026-09-11T20:00:00Z"))
        );
    }

    #[test]
    fn l14_a_window_is_open_through_the_hour_that_clocks_repeat() {
        let window = window("02:15", "05:00", &[]);
        let opens = at("2026-10-25T00:15:00Z");
        assert_eq!(window.next_opening(at("2026-10-25T00:14:00Z")), Some(opens));
        assert!(window.contains(opens));
        assert!(
            window.contains(at("2026-10-25T01:14:00Z")),
            "02:14 for the second time"
        );
        assert!(window.contains(at("2026-10-25T03:59:59Z")), "04:59 in winter");
        assert!(!window.contains(at("2026-10-25T04:00:00Z")));
    }

    #[test]
    fn a_window_whose_beginning_clocks_leap_over_opens_at_the_leap() {
        let window = window("02:30", "05:00", &[]);
        let leap = at("2026-03-29T01:00:00Z");
        assert_eq!(window.next_opening(at("2026-03-29T00:59:00Z")), Some(leap));
        assert!(window.contains(leap));
    }

    #[test]
    fn l14_a_window_over_which_clocks_leap_opens_a_week_later() {
        let window = window("02:00", "02:01", &[Day::Sunday]);
        assert_eq!(
            window.next_opening(at("2026-03-27T00:00:00Z")),
            Some(at("2026-04-05T00:00:00Z"))
        );
    }

    #[test]
    fn midnight_ends_a_day() {
        let window = window("18:00", "24:00", &[Day::Friday]);
        assert!(window.contains(at("2026-09-04T21:59:59Z")), "Friday 23:59:59");
        assert!(!window.contains(at("2026-09-04T22:00:00Z")), "Saturday 00:00");
    }

    proptest! {
        /// The first instant at which a closed window is open is the one that `next_opening` names.
        #[test]
        fn l14_a_window_opens_when_it_says_so(
            from in 0..1440_i64,
            to in 0..1440_i64,
            days in proptest::sample::subsequence(vec![Day::Monday, Day::Saturday, Day::Sunday], 0..=3),
            // The days around the changes of the clock in Berlin of 2026, in minutes since 2026-03-27 and 2026-10-23.
            minute in 0..5 * 1440_i64,
            spring in any::<bool>(),
        ) {
            let text = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
            let window = window(&text(from), &text(to), &days);
            let start = at(if spring { "2026-03-27T00:00:00Z" } else { "2026-10-23T00:00:00Z" });
            let now = start + SignedDuration::from_mins(minute);
            prop_assume!(!window.contains(now));
            let opening = window.next_opening(now).unwrap();
            prop_assert!(window.contains(opening));
            let minutes = opening.duration_since(now).as_mins();
            // Every minute of the last three hours, for the clocks change by one, and every eleventh before.
            let looks = (0..minutes).filter(|minute| minute % 11 == 0 || minutes - minute < 180);
            for minute in looks {
                prop_assert!(!window.contains(now + SignedDuration::from_mins(minute)));
            }
        }
    }

    #[test]
    fn what_is_not_a_time_or_a_zone_is_named() {
        let mut text = TimeWindow {
            from: "9".to_owned(),
            to: "17:00".to_owned(),
            days: vec![],
            time_zone: "UTC".to_owned(),
        };
        assert_eq!(
            Window::parse(&text).unwrap_err(),
            InvalidWindow::Time("9".to_owned())
        );
        text.from = "24:00".to_owned();
        assert_eq!(
            Window::parse(&text).unwrap_err(),
            InvalidWindow::Time("24:00".to_owned())
        );
        text.from = "09:00".to_owned();
        text.time_zone = "Berlin".to_owned();
        assert_eq!(
            Window::parse(&text).unwrap_err(),
            InvalidWindow::TimeZone("Berlin".to_owned())
        );
    }
}
