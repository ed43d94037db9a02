//! Points in time in words, in the reader's time zone.

use crate::Language::{self, En, Zh};
use apportion_core::Time;
use jiff::{Timestamp, Zoned, tz::TimeZone};

const WEEKDAYS: [(&str, &str); 7] = [
    ("Monday", "周一"),
    ("Tuesday", "周二"),
    ("Wednesday", "周三"),
    ("Thursday", "周四"),
    ("Friday", "周五"),
    ("Saturday", "周六"),
    ("Sunday", "周日"),
];
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// How times are told: in which language, in whose zone, and seen from when.
#[derive(Clone, Debug)]
pub struct Clock {
    language: Language,
    zone: TimeZone,
    seen_from: Time,
}

impl Clock {
    /// A clock whose weekday names mean the days next to `seen_from`.
    #[must_use]
    pub fn new(language: Language, zone: TimeZone, seen_from: Time) -> Self {
        Self { language, zone, seen_from }
    }

    /// The language that it tells times in.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// The zone that it tells times in.
    #[must_use]
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Day and time: `Tuesday 14:00`, `周二 14:00`; further than six days away `3 November 14:00`, `11月3日 14:00`.
    #[must_use]
    pub fn moment(&self, time: Time) -> String {
        let at = zoned(time, &self.zone);
        format!("{} {}", self.day_name(&at, &self.zone), at.strftime("%H:%M"))
    }

    /// Day, date, year and time: `Sunday 22 November 2026 10:05`, `2026年11月22日周日 10:05`.
    #[must_use]
    pub fn full(&self, time: Time) -> String {
        let at = zoned(time, &self.zone);
        let (weekday, month) = (self.weekday(&at), self.month_day(&at));
        match self.language {
            En => format!("{weekday} {month} {} {}", at.year(), at.strftime("%H:%M")),
            Zh => format!("{}年{month}{weekday} {}", at.year(), at.strftime("%H:%M")),
        }
    }

    /// A day that begins at midnight UTC, said so where the reader's day is another.
    #[must_use]
    pub fn utc_day(&self, midnight: Time) -> String {
        let at = zoned(midnight, &TimeZone::UTC);
        let day = self.day_name(&at, &TimeZone::UTC);
        let offset = zoned(midnight, &self.zone).offset();
        if offset.seconds() == 0 { day } else { format!("{day} (UTC)") }
    }

    fn day_name(&self, at: &Zoned, zone: &TimeZone) -> String {
        let seen_from = zoned(self.seen_from, zone);
        let days = seen_from.date().until(at.date()).map_or(i32::MAX, |span| span.get_days());
        if days.abs() <= 6 {
            return self.weekday(at).to_owned();
        }
        match self.language {
            _ if at.year() == seen_from.year() => self.month_day(at),
            En => format!("{} {}", self.month_day(at), at.year()),
            Zh => format!("{}年{}", at.year(), self.month_day(at)),
        }
    }

    fn month_day(&self, at: &Zoned) -> String {
        match self.language {
            En => format!("{} {}", at.day(), MONTHS[usize::from(at.month().unsigned_abs()) - 1]),
            Zh => format!("{}月{}日", at.month(), at.day()),
        }
    }

    fn weekday(&self, at: &Zoned) -> &'static str {
        let (english, chinese) = WEEKDAYS[usize::from(at.weekday().to_monday_zero_offset().unsigned_abs())];
        match self.language {
            En => english,
            Zh => chinese,
        }
    }
}

/// The time in a zone; a time beyond the calendar is held at its end.
pub(super) fn zoned(time: Time, zone: &TimeZone) -> Zoned {
    let bound = if time.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(time.0).unwrap_or(bound).to_zoned(zone.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn moments() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let check = |time: &str, english: &str, chinese: &str| {
            let told = [En, Zh]
                .map(|language| Clock::new(language, zone.clone(), at("2026-11-22T02:05:00Z")).moment(at(time)));
            assert_eq!(told, [english, chinese], "{time}");
        };
        check("2026-11-24T06:00:00Z", "Tuesday 14:00", "周二 14:00");
        check("2026-11-16T16:00:00Z", "Tuesday 00:00", "周二 00:00");
        check("2026-11-15T15:59:59Z", "15 November 23:59", "11月15日 23:59");
        check("2027-01-03T00:00:00Z", "3 January 2027 08:00", "2027年1月3日 08:00");
    }

    #[test]
    fn whole_dates_and_utc_days() {
        let clock =
            |language, zone: &str| Clock::new(language, TimeZone::get(zone).unwrap(), at("2026-11-22T02:05:00Z"));
        assert_eq!(clock(En, "Asia/Shanghai").full(at("2026-11-22T02:05:00Z")), "Sunday 22 November 2026 10:05");
        assert_eq!(clock(Zh, "Asia/Shanghai").full(at("2026-11-22T02:05:00Z")), "2026年11月22日周日 10:05");
        assert_eq!(clock(En, "UTC").utc_day(at("2026-11-17T00:00:00Z")), "Tuesday");
        assert_eq!(clock(Zh, "America/New_York").utc_day(at("2026-11-17T00:00:00Z")), "周二 (UTC)");
    }

    #[test]
    fn times_beyond_the_calendar_do_not_panic() {
        for time in [Time(i64::MIN), Time(i64::MAX)] {
            assert!(!Clock::new(En, TimeZone::UTC, Time::default()).moment(time).is_empty());
        }
    }
}
