//! Daily spans of time in which people may be told.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use schemas::config::{TimeWindow, Weekday as Day};

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

impl Window {
    /// Understands a window.
    pub fn parse(window: &TimeWindow) -> Result<Self, InvalidWindow> {
        let zone = TimeZone::get(&window.time_zone)
            .map_err(|_| InvalidWindow::TimeZone(window.time_zone.clone()))?;
        Ok(Self {
            from: time_of_day(&window.from)?,
            to: time_of_day(&window.to)?,
            days: window.days.iter().map(|day| weekday(*day)).collect(),
            zone,
        })
    }

    /// Whether the window is open at this instant.
    pub fn contains(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(self.zone.clone());
        let time = local.time();
        if self.from < self.to {
            self.begins_on(local.weekday()) && self.from <= time && time < self.to
        } else {
            // It lasts over midnight (or, from = to, a whole day): the early part belongs to yesterday's window.
            (self.begins_on(local.weekday()) && time >= self.from)
                || (self.begins_on(local.weekday().previous()) && time < self.to)
        }
    }

    /// The next instant after `at` at which it opens. None only for a window in which no day ever begins.
    pub fn next_opening(&self, at: Timestamp) -> Option<Timestamp> {
        let today = at.to_zoned(self.zone.clone()).date();
        (0..=8_i64)
            .filter_map(|days| today.checked_add(days.days()).ok())
            .filter(|date| self.begins_on(date.weekday()))
            .filter_map(|date| date.to_datetime(self.from).to_zoned(self.zone.clone()).ok())
            .map(|opening: Zoned| opening.timestamp())
            .find(|opening| *opening > at)
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
