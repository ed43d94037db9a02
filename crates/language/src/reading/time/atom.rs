//! The smallest parts of a time: a day, a part of a day, an hour, a span, a repetition. Each with where it stands.

use crate::reading::text::Text;
use apportion_core::instruction::Repeat;
use jiff::{
    Span,
    civil::{Date, Weekday},
    tz::Offset,
};

/// A part of a day, and the hours it means when no hour is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Before dawn (凌晨).
    Small,
    Morning,
    Noon,
    Afternoon,
    Evening,
}

impl Part {
    /// First and last hour.
    pub(crate) const fn hours(self) -> (i8, i8) {
        match self {
            Self::Small => (0, 6),
            Self::Morning => (6, 12),
            Self::Noon => (12, 14),
            Self::Afternoon => (12, 18),
            Self::Evening => (18, 24),
        }
    }
}

/// An hour as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clock {
    /// 0 to 24.
    pub(crate) hour: i8,
    pub(crate) minute: i8,
    /// False where a part of the day may still move it by twelve hours.
    pub(crate) fixed: bool,
}

/// Days from `first` on; `days` of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Days {
    pub(crate) first: Date,
    pub(crate) days: i32,
    /// How they were said.
    pub(crate) named: Named,
}

/// How a day was said; one that was said in part means, behind another day, the next one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// In full.
    Whole,
    /// By its weekday alone.
    Weekday,
    /// By its day of the month alone.
    DayOfMonth,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Days(Days),
    /// The end of a day, week, month or year, as a point.
    EndOf(Date),
    Part(Part),
    Clock(Clock),
    /// A length of time.
    Length(Span),
    /// Every day, on weekdays, at weekends, or each week on that day.
    Repeat(Repeat, Option<Weekday>),
    /// "nightly", "daily": a repetition only beside an hour.
    Habit(Repeat),
    /// An hour of this zone.
    Zone(Offset),
    /// A day that there is not ("31 November"), a zone that is not known here ("EDT").
    Unread,
    /// At once.
    Now,
    /// "until I say so": without end.
    Open,
    /// A time that is past.
    Past,
}

/// One of them, where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Atom {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: Kind,
}

impl Atom {
    pub(crate) fn is_time(&self) -> bool {
        !matches!(self.kind, Kind::Open | Kind::Now)
    }
}

/// Every atom of a sentence in order, leaving out the places that are taken.
pub(crate) fn atoms(text: &Text, today: Date, taken: &[(usize, usize)]) -> Vec<Atom> {
    let mut found: Vec<Atom> = Vec::new();
    let mut place = 0;
    while place < text.len() {
        if let Some((_, end)) = taken.iter().find(|(start, end)| (*start..*end).contains(&place)) {
            place = *end;
            continue;
        }
        let here = at(text, place, today);
        let free = here.last().is_some_and(|last| taken.iter().all(|(start, _)| *start < place || *start >= last.end));
        match here.last().map(|last| last.end) {
            Some(end) if free => {
                found.extend(here);
                place = end;
            }
            _ => place += 1,
        }
    }
    found
}

type Reader = fn(&Text, usize, Date) -> Vec<Atom>;

fn at(text: &Text, place: usize, today: Date) -> Vec<Atom> {
    let readers: [Reader; 8] = [
        super::repeat::read,
        super::zone::read,
        super::clock::read_range,
        super::calendar::read,
        super::day::read,
        super::clock::read,
        super::length::read,
        super::open::read,
    ];
    readers.iter().map(|read| read(text, place, today)).find(|found| !found.is_empty()).unwrap_or_default()
}

/// One atom as a reader gives it.
pub(crate) fn one(start: usize, end: usize, kind: Kind) -> Vec<Atom> {
    vec![Atom { start, end, kind }]
}
